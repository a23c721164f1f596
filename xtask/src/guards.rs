//! Counts what must not get worse: system calls, allocations, context switches, instructions. See `compare/src/guards`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use lexopt::prelude::*;

use crate::debian;
use crate::shell::{self, Outcome};

const MANIFEST: &str = "compare/Cargo.toml";
const RUNNER: &str = "gungraun-runner";

pub(crate) fn run(args: &mut lexopt::Parser) -> Outcome {
    let mut options: Vec<OsString> = Vec::new();
    let mut is_part = false;
    while let Some(argument) = args.next().map_err(|error| error.to_string())? {
        match argument {
            Long("write-baseline") => options.push("--write-baseline".into()),
            Long(part @ ("only" | "profile")) => {
                is_part = true;
                options.push(format!("--{part}").into());
                options.push(shell::text(args.value())?.into());
            }
            // Whose profile.
            Value(peer) if is_part => options.push(peer),
            other => return Err(other.unexpected().to_string()),
        }
    }
    debian::need("valgrind", "valgrind")?;
    let mut guards = compare("run");
    guards.args(["--bin", "guards", "--"]).args(options);
    if !is_part {
        debian::need("perf", "linux-perf")?;
        debian::need("strace", "strace")?;
        guards.env("GUNGRAUN_RUNNER", runner()?);
        shell::run(compare("test").arg("--lib"))?;
    }
    shell::run(&mut guards)
}

fn compare(subcommand: &str) -> Command {
    let mut cargo = shell::cargo();
    cargo.args([
        subcommand,
        "--locked",
        "--release",
        "--manifest-path",
        MANIFEST,
    ]);
    cargo
}

/// The program that starts the benchmarks under callgrind. It must have the version of the library that they are built
/// with, so it is installed for this project alone.
fn runner() -> Outcome<PathBuf> {
    let version = locked_version(&shell::read(&shell::root().join("compare/Cargo.lock"))?)?;
    let root = shell::target("tools");
    // Costs nothing if that version is there already.
    let mut cargo = shell::cargo();
    cargo.args(["install", "--quiet", "--locked", RUNNER]);
    cargo.args(["--version", &version]);
    shell::run(cargo.arg("--root").arg(&root))?;
    Ok(root.join("bin").join(RUNNER))
}

fn locked_version(lock_file: &str) -> Outcome<String> {
    let package = lock_file.split_once(&format!("name = \"{RUNNER}\"\nversion = \""));
    let version = package.and_then(|(_, rest)| rest.split_once('"'));
    let version = version.map(|(version, _)| version.to_owned());
    version.ok_or_else(|| format!("compare/Cargo.lock has no {RUNNER}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_lock_file() {
        let file = "[[package]]\nname = \"gungraun\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"gungraun-runner\"\nversion = \"2.3.4\"\n";
        assert_eq!(locked_version(file).unwrap(), "2.3.4");
        assert!(locked_version("").is_err());
    }
}
