//! The published test suites of dependents, and of the published `async-io` itself.
//!
//! Cargo fetches the packages, as it does for every dependent. The tests run in copies of the
//! packages, without their lock files and with this crate patched in. This repository contains no
//! code of these packages.

use std::path::{Path, PathBuf};

use super::{built_with_ours, cargo_in, folder, patch};
use crate::debian;
use crate::shell::{self, Outcome};
use crate::tally::Tally;

struct Suite {
    /// The name of the package, and the name for `--only`.
    name: &'static str,
    version: &'static str,
    /// The arguments that follow `cargo test`, and the flags for the compiler, for each run.
    runs: &'static [(&'static [&'static str], &'static str)],
    /// A program that must be started around cargo, with its arguments, and the Debian package that
    /// contains it.
    around: Option<(&'static [&'static str], &'static str)>,
    /// A manifest that replaces the published one.
    manifest: Option<&'static str>,
}

const PLAIN: &[(&[&str], &str)] = &[(&[], "")];

const SUITES: &[Suite] = &[
    Suite {
        name: "async-process",
        version: "2.5.0",
        // Children are awaited by pidfd, or by SIGCHLD where pidfds are not available.
        runs: &[
            (&[], ""),
            (&["--tests"], "--cfg async_process_force_signal_backend"),
        ],
        around: None,
        manifest: None,
    },
    Suite {
        name: "async-signal",
        version: "0.2.14",
        runs: PLAIN,
        around: None,
        manifest: None,
    },
    // Its only tests are those of the documentation.
    Suite {
        name: "async-net",
        version: "2.0.0",
        runs: PLAIN,
        around: None,
        manifest: None,
    },
    Suite {
        name: "async-std",
        version: "1.13.2",
        runs: &[(&["--tests", "--features", "unstable,attributes"], "")],
        around: None,
        manifest: None,
    },
    Suite {
        name: "zbus",
        version: "5.19.0",
        // Left out are tests that need unpublished packages or systemd.
        runs: &[(
            &[
                "--lib",
                "--test",
                "basic",
                "--test",
                "issues",
                "--test",
                "uncached_propert",
                "--",
                "--skip",
                "systemd",
            ],
            "",
        )],
        around: Some((&["dbus-run-session", "--"], "dbus")),
        manifest: None,
    },
    // Only the tests, as those of a package that depends on this crate.
    Suite {
        name: "async-io",
        version: "2.6.0",
        runs: PLAIN,
        around: None,
        manifest: Some(PUBLISHED_TESTS),
    },
];

const PUBLISHED_TESTS: &str = "\
[package]
name = \"published-tests\"
version = \"0.0.0\"
edition = \"2021\"

[lib]
path = \"empty.rs\"

[dev-dependencies]
async-channel = \"2\"
async-io = \"2\"
async-net = \"2\"
blocking = \"1\"
futures-lite = \"2\"
getrandom = \"0.3\"
signal-hook = \"0.3\"
tempfile = \"3\"
";

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    SUITES.iter().map(|suite| suite.name)
}

/// Runs the wanted suites and returns a line about each.
pub(super) fn run(wanted: impl Fn(&str) -> bool) -> Outcome<Vec<String>> {
    let suites: Vec<&Suite> = SUITES.iter().filter(|suite| wanted(suite.name)).collect();
    if suites.is_empty() {
        return Ok(Vec::new());
    }
    let sources = fetch(&suites)?;
    suites
        .iter()
        .zip(&sources)
        .map(|(suite, source)| suite.run(source))
        .collect()
}

impl Suite {
    fn run(&self, source: &Path) -> Outcome<String> {
        let Suite { name, version, .. } = self;
        println!("\n{name} {version}");
        let package = folder(name);
        self.prepare(source, &package)?;
        built_with_ours(&package)?;
        if let Some((program, debian_package)) = self.around {
            debian::need(program[0], debian_package)?;
        }

        let mut tallies = Vec::new();
        for (index, (arguments, flags)) in self.runs.iter().enumerate() {
            let log = folder(&format!("{name}-{index}.log"));
            let passed = shell::run_logged(&mut self.test(&package, arguments, flags), &log)?;
            let tally = Tally::of(&shell::read(&log)?);
            if !passed || tally.failed > 0 || tally.passed == 0 {
                println!("{}", shell::tail(&log, 80));
                return Err(format!(
                    "{name} {version}: {tally}; the full output is in {}",
                    log.display()
                ));
            }
            println!("{tally}");
            tallies.push(if flags.is_empty() {
                tally.to_string()
            } else {
                format!("with {flags}: {tally}")
            });
        }
        Ok(format!("{name} {version}: {}", tallies.join("; ")))
    }

    /// Copies the package and patches this crate into the copy.
    fn prepare(&self, source: &Path, package: &Path) -> Outcome {
        shell::fresh_dir(package)?;
        let manifest = match self.manifest {
            None => {
                shell::copy_dir(source, package)?;
                shell::read(&source.join("Cargo.toml"))?
            }
            Some(manifest) => {
                shell::copy_dir(&source.join("tests"), &package.join("tests"))?;
                shell::write(&package.join("empty.rs"), "")?;
                manifest.into()
            }
        };
        shell::write(
            &package.join("Cargo.toml"),
            &format!("{manifest}{}", patch()),
        )?;
        match std::fs::remove_file(package.join("Cargo.lock")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    fn test(&self, package: &Path, arguments: &[&str], flags: &str) -> std::process::Command {
        let cargo = cargo_in(package);
        let mut command = match self.around {
            None => cargo,
            Some((program, _)) => {
                let mut around = std::process::Command::new(program[0]);
                around.args(&program[1..]).arg(cargo.get_program());
                around
                    .current_dir(package)
                    .env("CARGO_TARGET_DIR", folder("build"));
                around
            }
        };
        command.args(["test", "--no-fail-fast"]).args(arguments);
        if !flags.is_empty() {
            // Other flags rebuild everything, so these runs use a separate build folder.
            command
                .env("RUSTFLAGS", shell::rustflags(flags))
                .env("CARGO_TARGET_DIR", folder("build-flags"));
        }
        command
    }
}

/// Fetches the packages with cargo and returns the folders of their sources.
fn fetch(suites: &[&Suite]) -> Outcome<Vec<PathBuf>> {
    let package = folder("fetch");
    shell::fresh_dir(&package.join("src"))?;
    shell::write(&package.join("src/lib.rs"), "")?;
    let mut manifest = String::from(
        "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[dependencies]\n",
    );
    for Suite { name, version, .. } in suites {
        manifest += &format!("{name} = \"={version}\"\n");
    }
    shell::write(
        &package.join("Cargo.toml"),
        &format!("{manifest}\n[workspace]\n"),
    )?;
    let metadata =
        shell::capture(cargo_in(&package).args(["metadata", "--quiet", "--format-version", "1"]))?;
    suites
        .iter()
        .map(|suite| {
            source(&metadata, suite.name, suite.version).ok_or_else(|| {
                format!(
                    "cargo did not report the folder of {} {}",
                    suite.name, suite.version
                )
            })
        })
        .collect()
}

/// Returns the folder of a package, from the `manifest_path` in the output of `cargo metadata`.
fn source(metadata: &str, name: &str, version: &str) -> Option<PathBuf> {
    let end = metadata.find(&format!("/{name}-{version}/Cargo.toml\""))?;
    let start = metadata[..end].rfind('"')? + 1;
    Some(Path::new(&metadata[start..end]).join(format!("{name}-{version}")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::source;

    #[test]
    fn finds_the_folder_of_a_package() {
        let metadata = r#"{"name":"a","manifest_path":"/r/a-1.0.0/Cargo.toml"},{"manifest_path":"/r/b-2/Cargo.toml"}"#;
        assert_eq!(
            source(metadata, "a", "1.0.0").as_deref(),
            Some(Path::new("/r/a-1.0.0"))
        );
        assert_eq!(
            source(metadata, "b", "2").as_deref(),
            Some(Path::new("/r/b-2"))
        );
        assert_eq!(source(metadata, "a", "2"), None);
    }
}
