//! Counts that must not become worse: system calls, allocations, context switches, instructions.
//! See `compare/src/guards`.

use std::path::PathBuf;
use std::process::Command;

use lexopt::prelude::*;

use crate::debian;
use crate::shell::{self, Outcome};

const MANIFEST: &str = "compare/Cargo.toml";
const RUNNER: &str = "gungraun-runner";

/// The part that the guards can count separately.
const ECHO: &str = "echo";

pub(crate) fn run(args: &mut lexopt::Parser) -> Outcome {
    let options = options(args)?;
    debian::need("valgrind", "valgrind")?;
    let mut guards = compare("run");
    guards.args(["--bin", "guards", "--"]).args(&options);
    if !options.iter().any(|option| option == ECHO) {
        debian::need("perf", "linux-perf")?;
        debian::need("strace", "strace")?;
        guards.env("GUNGRAUN_RUNNER", runner()?);
        shell::run(compare("test").arg("--lib"))?;
    }
    shell::run(&mut guards)
}

/// Returns the arguments for the program of the guards, in the order that it expects.
fn options(args: &mut lexopt::Parser) -> Outcome<Vec<String>> {
    let (mut part, mut last) = (None, None);
    while let Some(argument) = args.next().map_err(|error| error.to_string())? {
        match argument {
            Long(name @ ("only" | "profile")) if part.is_none() => {
                let name = format!("--{name}");
                match shell::text(args.value())? {
                    what if what == ECHO => part = Some([name, what]),
                    what => {
                        return Err(format!(
                            "{what:?} cannot be counted separately, only {ECHO:?} can"
                        ));
                    }
                }
            }
            Long("write-baseline") if last.is_none() => last = Some("--write-baseline".into()),
            Value(peer) if last.is_none() && part.is_some() => {
                last = Some(peer.to_string_lossy().into_owned());
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    Ok(part.into_iter().flatten().chain(last).collect())
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

/// Returns the program that starts the benchmarks under callgrind. It must have the same version as
/// the library that the benchmarks are built with, so it is installed for this project only.
fn runner() -> Outcome<PathBuf> {
    let version = locked_version(&shell::read(&shell::root().join("compare/Cargo.lock"))?)?;
    let root = shell::target("tools");
    // If that version is already installed, this does nothing.
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
        let file = "[[package]]\nname = \"gungraun\"\nversion = \"1.0.0\"\n\n\
            [[package]]\nname = \"gungraun-runner\"\nversion = \"2.3.4\"\n";
        assert_eq!(locked_version(file).unwrap(), "2.3.4");
        assert!(locked_version("").is_err());
    }

    #[test]
    fn the_options_are_passed_in_order() {
        let given = |words: &[&str]| options(&mut lexopt::Parser::from_args(words));
        assert_eq!(given(&[]).unwrap(), [""; 0]);
        let expected = ["--only", "echo", "--write-baseline"];
        assert_eq!(
            given(&["--write-baseline", "--only", "echo"]).unwrap(),
            expected
        );
        let expected = ["--profile", "echo", "tokio"];
        assert_eq!(given(&["--profile", "echo", "tokio"]).unwrap(), expected);
        for refused in [
            &["--only", "timers"][..],
            &["tokio"],
            &["--write-baseline", "tokio"],
        ] {
            assert!(given(refused).is_err(), "{refused:?}");
        }
    }
}
