//! The effect of `[patch]` on a dependent that already has a lock file.
//!
//! - If the lock file has 2.6.0, the next cargo command applies the patch. `cargo update` is not
//!   needed, because the version is the same. Cargo must write the lock file, so the first command
//!   must run without `--locked`.
//! - If the lock file has an older version, cargo keeps that version and warns.
//!   `cargo update -p async-io` applies the patch.
//!
//! Both are tested here, because the first depends on the version number in the manifest of this
//! crate.

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
        return Err(
            "`--locked` accepted a new patch; compat/README.md says that it does not".into(),
        );
    }
    shell::run(cargo_in(&package).args(["check", "--quiet"]))?;
    built_with_ours(&package)?;
    shell::run(cargo_in(&package).args(["check", "--quiet", "--locked"]))?;

    locked_package(&package, "2.5.0")?;
    patch_in(&package)?;
    if built_with_ours(&package).is_ok() {
        return Err(
            "a lock file with 2.5.0 took the patch; compat/README.md says that it does not".into(),
        );
    }
    shell::run(cargo_in(&package).args(["update", "--quiet", "-p", "async-io"]))?;
    built_with_ours(&package)?;

    Ok(format!(
        "{NAME}: a locked 2.6.0 is replaced without `cargo update`, an older version with it"
    ))
}

/// Creates a package with a lock file that has the published crate in this version.
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
            "{} does not contain the published {version}",
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

/// Returns whether a command succeeds. Its failure is not an error.
fn succeeds(command: &mut Command) -> Outcome<bool> {
    let output = command
        .output()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    Ok(output.status.success())
}
