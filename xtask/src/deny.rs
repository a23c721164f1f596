//! Checks of the supply chain. What is built for users must be listed with a reason, have a
//! compatible licence, be built in one version only, and come from the registry.
//!
//! These checks need only cargo. If cargo-deny is installed, it also applies `deny.toml`, and
//! checks the advisories if it can fetch their list.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use crate::shell::{self, Outcome};

/// The accepted licences. Each crate must offer one of them.
const LICENCES: &[&str] = &["Apache-2.0", "MIT"];

const REGISTRY: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

const LIST: &str = "docs/dependencies.md";

pub(crate) fn run() -> Outcome {
    let built = tree(&["--format", "{p}|{l}"], "normal,build")?;
    for line in built.lines() {
        let Some((package, licence)) = line.trim_end_matches(" (*)").split_once('|') else {
            return Err(format!("cargo tree printed {line:?}"));
        };
        if !is_allowed(licence) {
            return Err(format!("{package} has the licence {licence:?}"));
        }
    }
    let twice = tree(&["--duplicates", "--depth", "0"], "normal,build")?;
    if !twice.trim().is_empty() {
        return Err(format!(
            "users would build these in more than one version:\n{twice}"
        ));
    }
    let count = built.lines().collect::<BTreeSet<_>>().len();
    println!("{count} crates on all systems together: the licences and versions are accepted");

    listed()?;
    let lock = shell::read(&shell::root().join("Cargo.lock"))?;
    let mut sources = lock.lines().filter(|line| line.starts_with("source = "));
    if let Some(other) = sources.find(|line| *line != REGISTRY) {
        return Err(format!(
            "Cargo.lock has a crate from another source: {other}"
        ));
    }
    cargo_deny()
}

/// Checks that the list contains every direct dependency, of whatever kind, and nothing else.
fn listed() -> Outcome {
    let direct = tree(&["--format", "{p}", "--depth", "1"], "normal,build,dev")?;
    let direct: BTreeSet<&str> = direct
        .lines()
        .skip(1)
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "loom")
        .collect();
    let text = shell::read(&shell::root().join(LIST))?;
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows: BTreeSet<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    let missing: Vec<_> = direct.difference(&rows).collect();
    let more: Vec<_> = rows
        .difference(&direct)
        .filter(|name| **name != "loom")
        .collect();
    if missing.is_empty() && more.is_empty() {
        println!(
            "{LIST} has the reason for each of the {} direct dependencies",
            rows.len()
        );
        Ok(())
    } else {
        Err(format!(
            "{LIST}: missing {missing:?}, not in Cargo.toml {more:?}"
        ))
    }
}

fn cargo_deny() -> Outcome {
    let there = Command::new("cargo-deny")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if there.is_err() {
        println!(
            "cargo-deny is not installed (`cargo install cargo-deny --locked`); its checks are \
             skipped"
        );
        return Ok(());
    }
    let deny = |what: &[&str]| {
        let mut command = Command::new("cargo-deny");
        shell::run(command.current_dir(shell::root()).arg("check").args(what))
    };
    deny(&["licenses", "bans", "sources"])?;
    // Without a network, this fails in the same way as with a finding, so the result is only
    // printed.
    if deny(&["advisories"]).is_err() {
        println!("advisories: not checked, or some were found; see above");
    }
    Ok(())
}

/// Returns the crates of these kinds of dependency, on all systems and with all features.
fn tree(how: &[&str], kinds: &str) -> Outcome<String> {
    shell::capture(
        shell::cargo()
            .args([
                "tree",
                "--quiet",
                "--locked",
                "--package",
                "async-io",
                "--all-features",
            ])
            .args(["--target", "all", "--prefix", "none", "--edges", kinds])
            .args(how),
    )
}

/// Returns whether one of the alternatives of a licence expression is accepted. An expression with
/// "AND" is refused, so that a person decides.
fn is_allowed(licence: &str) -> bool {
    let alternatives = licence.split('/').flat_map(|part| part.split(" OR "));
    !licence.contains(" AND ")
        && alternatives
            .map(str::trim)
            .any(|alternative| LICENCES.contains(&alternative))
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn one_alternative_must_be_ours() {
        assert!(is_allowed("MIT OR Apache-2.0") && is_allowed("Unlicense/MIT"));
        assert!(is_allowed(
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT"
        ));
        assert!(!is_allowed("GPL-3.0") && !is_allowed("MIT AND OpenSSL") && !is_allowed(""));
    }
}
