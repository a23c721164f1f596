//! The package as it would be published: it builds by itself, without a warning, and what the documents point to is
//! in it.

use std::process::Stdio;

use crate::shell::{self, Outcome};

/// What a user of the package must find in it, whatever the manifest's `include` says.
const NEEDED: &[&str] = &[
    "ARCHITECTURE.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
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

/// The one test that is left out, which cargo mentions in a warning: it uses a package that is not published.
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

    // `--allow-dirty`: what is about to be committed is worth a check, too.
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
