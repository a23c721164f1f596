//! Dependents on this crate in place of the published one: a program of ours, their published test suites, and what
//! `[patch]` does to a lock file. Each says which `async-io` it was built with, and fails if that is not ours.

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

/// The folder for everything that is fetched, copied and built here.
fn folder(name: &str) -> PathBuf {
    shell::target("compat").join(name)
}

/// The lines that put this crate in the place of the published one. They also make the package a workspace of its own:
/// it lies inside ours.
pub(crate) fn patch() -> String {
    format!(
        "\n[workspace]\n\n[patch.crates-io]\nasync-io = {{ path = {:?} }}\n",
        shell::root()
    )
}

/// Cargo in the folder of a dependent. One build folder for all of them: they share most of their dependencies.
fn cargo_in(package: &Path) -> Command {
    let mut cargo = shell::cargo();
    cargo
        .current_dir(package)
        .env("CARGO_TARGET_DIR", folder("build"));
    cargo
}

/// Fails if the package is not built with this crate, or with this and another `async-io`.
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

/// Whether the only line of `cargo tree` is this crate, by its folder.
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
