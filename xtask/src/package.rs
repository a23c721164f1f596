//! Checks the package as it would be published: it must build on its own and without a warning, and
//! contain the files that the documents refer to.

use std::process::Stdio;

use crate::shell::{self, Outcome};

/// The files that the package must contain, whatever `include` in the manifest says.
const NEEDED: &[&str] = &[
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "build.rs",
    "docs/performance.md",
    "docs/platforms.md",
    "src/lib.rs",
];

/// The part of cargo's warning about the one test that is left out, because it uses an unpublished
/// package.
const LEFT_OUT: &str = "ignoring test `programs`";

pub(crate) fn run() -> Outcome {
    let mut list = shell::cargo();
    list.args(["package", "--list", "--allow-dirty"]);
    let files = shell::capture(&mut list)?;
    let missing: Vec<&str> = NEEDED
        .iter()
        .copied()
        .filter(|file| !files.lines().any(|listed| listed == *file))
        .collect();
    if !missing.is_empty() {
        return Err(format!("not in the package: {}", missing.join(", ")));
    }

    // With `--allow-dirty`, changes are checked before they are committed.
    let mut package = shell::cargo();
    package.args(["package", "--allow-dirty"]);
    let output = package
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    print!("{said}");
    if !output.status.success() {
        return Err(format!("`cargo package` failed: {}", output.status));
    }
    let unexpected = |line: &&str| line.starts_with("warning") && !line.contains(LEFT_OUT);
    match said.lines().find(unexpected) {
        Some(warning) => Err(format!("`cargo package` is not clean: {warning}")),
        None => Ok(()),
    }
}
