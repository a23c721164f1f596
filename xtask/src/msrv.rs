//! Checks everything with the oldest supported compiler, the `rust-version` of the manifest.
//!
//! The compiler is that of rustup, if it is installed, and otherwise that of Debian. Debian's
//! compiler is unpacked into a folder of this project and not installed: the system can have only
//! one version installed, and may need another one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::debian;
use crate::shell::{self, Outcome};

/// Debian's packages with the compiler, cargo and the standard library. `{}` is the version of
/// Rust.
const PACKAGES: &[&str] = &[
    "rustc-web",
    "cargo-web",
    "libstd-rust-web-dev",
    "libstd-rust-web-{}",
];

/// The libraries that Debian's compiler and cargo need from outside those packages.
const LIBRARIES: &[&str] = &[
    "libllvm19",
    "libpcre3",
    "libhttp-parser2.9",
    "libssh2-1",
    "libcurl4",
    "libsqlite3-0",
];

pub(crate) fn run() -> Outcome {
    let version = oldest()?;
    let (mut cargo, description) = match rustup(&version) {
        Some(found) => found,
        None => debian(&version)?,
    };
    println!("checking with {description}");
    cargo
        .current_dir(shell::root())
        .env("CARGO_TARGET_DIR", shell::target("msrv").join("build"));
    // Warnings are errors, because users of that compiler may deny them. Cargo does not report
    // warnings of dependencies.
    cargo.env("RUSTFLAGS", shell::rustflags("-D warnings"));
    shell::run(cargo.args([
        "check",
        "--locked",
        "--workspace",
        "--all-targets",
        "--all-features",
    ]))
}

/// Returns the version that the manifest promises, such as `1.85`.
fn oldest() -> Outcome<String> {
    let manifest = shell::read(&shell::root().join("Cargo.toml"))?;
    let value = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'));
    value
        .map(String::from)
        .ok_or_else(|| "Cargo.toml has no rust-version".into())
}

/// Returns whether the output of `--version` names this version. A later version would prove
/// nothing.
pub(crate) fn is_version(printed: &str, version: &str) -> bool {
    let number = printed.split(' ').nth(1).unwrap_or("");
    number
        .strip_prefix(version)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

pub(crate) fn rustup(version: &str) -> Option<(Command, String)> {
    // This lists the toolchains without a network. If a toolchain is unknown, some versions of
    // rustup try to fetch it.
    let listed = Command::new("rustup")
        .args(["toolchain", "list"])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let listed = String::from_utf8(listed.stdout).ok()?;
    let name = listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .find(|name| {
            name.strip_prefix(version)
                .is_some_and(|rest| rest.starts_with('-') || rest.starts_with('.'))
        })?;
    let mut cargo = Command::new("rustup");
    cargo.args(["run", name, "cargo"]);
    // The cargo that runs this recipe sets these variables. They would select its own compiler.
    for variable in ["RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        cargo.env_remove(variable);
    }
    Some((cargo, format!("rustup's {name}")))
}

fn debian(version: &str) -> Outcome<(Command, String)> {
    let tools = shell::target("msrv").join(format!("debian-{version}"));
    if compiler(&tools, version).is_err() {
        unpack(&tools, version).map_err(|error| {
            format!("no Rust {version} (`rustup toolchain install {version}` installs it): {error}")
        })?;
    }
    let description = compiler(&tools, version)?;

    let bin = tools.join("usr/bin");
    let mut cargo = Command::new(bin.join("cargo"));
    cargo
        .env("RUSTC", bin.join("rustc"))
        .env("RUSTDOC", bin.join("rustdoc"));
    cargo.env("LD_LIBRARY_PATH", libraries(&tools)?);
    Ok((cargo, format!("Debian's {description}")))
}

/// Returns the version that the unpacked compiler prints, if it runs and is the right one.
fn compiler(tools: &Path, version: &str) -> Outcome<String> {
    let rustc = tools.join("usr/bin/rustc");
    if !rustc.exists() {
        return Err(format!("{} is missing", rustc.display()));
    }
    let printed = shell::capture(
        Command::new(rustc)
            .arg("--version")
            .env("LD_LIBRARY_PATH", libraries(tools)?),
    )?;
    let printed = printed.trim();
    if is_version(printed, version) {
        Ok(printed.into())
    } else {
        Err(format!("{printed} is not {version}"))
    }
}

fn unpack(tools: &Path, version: &str) -> Outcome {
    debian::update()?;
    let full = packaged_version(version)?;
    debian::install(LIBRARIES)?;

    shell::fresh_dir(tools)?;
    let archives = tools.join("archives");
    shell::fresh_dir(&archives)?;
    let wanted = PACKAGES
        .iter()
        .map(|name| format!("{}={full}", name.replace("{}", version)));
    // The packages are only downloaded. `install` would replace the version that the system has.
    let mut download = debian::apt_get();
    download
        .args(["download", "-qq", "-o", "APT::Sandbox::User=root"])
        .args(wanted);
    shell::run(download.current_dir(&archives))?;
    let entries = fs::read_dir(&archives).map_err(|error| error.to_string())?;
    for archive in entries.filter_map(Result::ok) {
        shell::run(
            Command::new("dpkg-deb")
                .arg("-x")
                .arg(archive.path())
                .arg(tools),
        )?;
    }
    shell::fresh_dir(&archives)
}

/// Returns the full version of Debian's packages for this version of Rust.
fn packaged_version(version: &str) -> Outcome<String> {
    let rows = shell::capture(Command::new("apt-cache").args(["madison", "rustc-web"]))?;
    let versions = rows
        .lines()
        .filter_map(|row| row.split('|').nth(1))
        .map(str::trim);
    let prefix = format!("{version}.");
    versions
        .into_iter()
        .find(|full| full.starts_with(&prefix))
        .map(String::from)
        .ok_or_else(|| format!("Debian does not offer rustc-web in version {version}"))
}

/// Returns the folder with the compiler's libraries: `usr/lib/` with the name of the architecture.
fn libraries(tools: &Path) -> Outcome<PathBuf> {
    let folder = tools.join("usr/lib");
    let entries =
        fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut found = entries.filter_map(Result::ok).map(|entry| entry.path());
    found
        .find(|path| path.to_string_lossy().contains("-linux-gnu"))
        .ok_or_else(|| format!("{} has no libraries", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::is_version;

    #[test]
    fn a_later_version_is_not_the_oldest() {
        assert!(is_version("rustc 1.85.0 (4d91de4e4 2025-02-17)", "1.85"));
        assert!(is_version("rustc 1.85.1", "1.85"));
        assert!(!is_version("rustc 1.95.0 (59807616e 2026-04-14)", "1.85"));
        assert!(!is_version("rustc 1.850.0", "1.85"));
        assert!(!is_version("", "1.85"));
    }
}
