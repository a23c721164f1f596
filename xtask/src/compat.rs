//! Tests of dependents with this crate in place of the published one: a program in this repository,
//! the published test suites of dependents, and the effect of `[patch]` on a lock file. Each part
//! asks cargo which `async-io` it is built with, and fails if that is not this crate.

mod app;
mod lockfile;
mod suites;

use std::path::{Path, PathBuf};
use std::process::Command;

use lexopt::prelude::*;

use crate::shell::{self, Outcome};

pub(crate) fn run(args: &mut lexopt::Parser) -> Outcome {
    let mut only = None;
    while let Some(argument) = args.next().map_err(|error| error.to_string())? {
        match argument {
            Long("only") => only = Some(shell::text(args.value())?),
            other => return Err(other.unexpected().to_string()),
        }
    }
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);

    let mut report = Vec::new();
    if wanted(lockfile::NAME) {
        report.push(lockfile::run()?);
    }
    if wanted(app::NAME) {
        report.push(app::run()?);
    }
    report.extend(suites::run(wanted)?);

    if report.is_empty() {
        let names: Vec<&str> = [lockfile::NAME, app::NAME]
            .into_iter()
            .chain(suites::names())
            .collect();
        return Err(format!("--only takes one of: {}", names.join(", ")));
    }
    println!("\nDependents on this crate:\n  {}", report.join("\n  "));
    Ok(())
}

/// Returns a folder for what is fetched, copied and built here.
fn folder(name: &str) -> PathBuf {
    shell::target("compat").join(name)
}

/// Returns the lines of a manifest that replace the published crate with this one. They also make
/// the package a separate workspace, because it lies inside of this one.
pub(crate) fn patch() -> String {
    format!(
        "\n[workspace]\n\n[patch.crates-io]\nasync-io = {{ path = {:?} }}\n",
        shell::root()
    )
}

/// Returns cargo in the folder of a dependent. All dependents share one build folder, because they
/// have most of their dependencies in common.
fn cargo_in(package: &Path) -> Command {
    let mut cargo = shell::cargo();
    cargo
        .current_dir(package)
        .env("CARGO_TARGET_DIR", folder("build"));
    cargo
}

/// Fails unless the package is built with this crate and with no other `async-io`.
pub(crate) fn built_with_ours(package: &Path) -> Outcome {
    let mut tree = cargo_in(package);
    tree.args([
        "tree",
        "--invert",
        "async-io",
        "--depth",
        "0",
        "--edges",
        "all",
        "--all-features",
    ]);
    let used = shell::capture(&mut tree)?;
    if is_ours(&used, &shell::root()) {
        Ok(())
    } else {
        Err(format!(
            "{} was not built with this crate, but with {}",
            package.display(),
            used.trim()
        ))
    }
}

/// Returns whether the only line of `cargo tree` is this crate, which is identified by its folder.
fn is_ours(tree: &str, root: &Path) -> bool {
    tree.trim()
        .strip_suffix(&format!("({})", root.display()))
        .is_some_and(|head| head.starts_with("async-io v") && !head.contains('\n'))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::is_ours;

    #[test]
    fn only_this_crate_alone_is_ours() {
        let root = Path::new("/src/async-io");
        assert!(is_ours("async-io v2.6.0 (/src/async-io)\n", root));
        assert!(!is_ours("async-io v2.6.0\n", root));
        assert!(!is_ours("async-io v2.6.0 (/src/other)\n", root));
        assert!(!is_ours(
            "async-io v1.13.0\n\nasync-io v2.6.0 (/src/async-io)\n",
            root
        ));
    }
}
