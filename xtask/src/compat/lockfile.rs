//! What a `[patch]` does to a dependent that has a lock file already.
//!
//! - A lock file with 2.6.0 takes the patch at the next cargo command, without `cargo update`, since the versions are
//!   the same. That command has to write the lock file, so the first one must run without `--locked`.
//! - A lock file with an older version keeps that one. Cargo warns, and `cargo update -p async-io` cures it.
//!
//! Both are held here, because the first depends on the version number that our manifest carries.

use std::path::Path;
use std::process::Command;

use super::{built_with_ours, cargo_in, folder, patch};
use crate::shell::{self, Outcome};

pub(super) const NAME: &str = "lockfile";

const MANIFEST: &str = "\
[package]
name = \"locked\"
version = \"0.0.0\"
edition = \"2021\"

[dependencies]
async-io = \"2\"
";

pub(super) fn run() -> Outcome<String> {
    let package = folder(NAME);

    locked_package(&package, "2.6.0")?;
    patch_in(&package)?;
    if succeeds(cargo_in(&package).args(["check", "--quiet", "--locked"]))? {
        return Err("--locked let a new patch in; the documentation says that it does not".into());
    }
    shell::run(cargo_in(&package).args(["check", "--quiet"]))?;
    built_with_ours(&package)?;
    shell::run(cargo_in(&package).args(["check", "--quiet", "--locked"]))?;

    locked_package(&package, "2.5.0")?;
    patch_in(&package)?;
    if built_with_ours(&package).is_ok() {
        return Err(
            "a lock file with 2.5.0 let the patch in; the documentation says that it does not"
                .into(),
        );
    }
    shell::run(cargo_in(&package).args(["update", "--quiet", "-p", "async-io"]))?;
    built_with_ours(&package)?;

    Ok(format!(
        "{NAME}: a locked 2.6.0 is replaced without `cargo update`, an older version with it"
    ))
}

/// A package whose lock file has the published crate in this version.
fn locked_package(package: &Path, version: &str) -> Outcome {
    shell::fresh_dir(&package.join("src"))?;
    shell::write(
        &package.join("Cargo.toml"),
        &format!("{MANIFEST}\n[workspace]\n"),
    )?;
    shell::write(&package.join("src/lib.rs"), "pub use async_io::Timer;\n")?;
    let lock = package.join("Cargo.lock");
    if lock.exists() {
        std::fs::remove_file(&lock)
            .map_err(|error| format!("cannot remove {}: {error}", lock.display()))?;
    }
    shell::run(cargo_in(package).args(["generate-lockfile", "--quiet"]))?;
    shell::run(cargo_in(package).args([
        "update",
        "--quiet",
        "-p",
        "async-io",
        "--precise",
        version,
    ]))?;
    let entry = format!("name = \"async-io\"\nversion = \"{version}\"\nsource = \"registry+");
    if shell::read(&lock)?.contains(&entry) {
        Ok(())
    } else {
        Err(format!(
            "{} does not hold the published {version}",
            lock.display()
        ))
    }
}

fn patch_in(package: &Path) -> Outcome {
    shell::write(
        &package.join("Cargo.toml"),
        &format!("{MANIFEST}{}", patch()),
    )
}

/// Whether a command succeeds whose failure is no surprise.
fn succeeds(command: &mut Command) -> Outcome<bool> {
    let output = command
        .output()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    Ok(output.status.success())
}
