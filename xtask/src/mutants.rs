//! Mutation testing of the pure modules: cargo-mutants changes one operator or one return value at a time, and some test
//! must fail. `docs/mutants.md` has what survives, and why.

use std::process::{Command, Stdio};

use crate::shell::{self, Outcome};
use lexopt::prelude::*;

const MODULES: &[&str] = &[
    "src/core/source/readiness.rs",
    "src/core/source/waiters.rs",
    "src/core/source/state.rs",
    "src/core/timers/queue.rs",
    "src/core/timers/nodes.rs",
    "src/core/roles.rs",
    "src/core/parker.rs",
    "src/core/registry.rs",
    "src/core/wake.rs",
];

/// The tests of the pure modules, by parts of their names: the others cannot fail for these changes, or take long.
const TESTS: &[&str] = &[
    "naive", "source", "timers", "roles", "parker", "registry", "wake",
];

pub(crate) fn run(args: &mut lexopt::Parser) -> Outcome {
    let mut only = None;
    while let Some(argument) = args.next().map_err(|error| error.to_string())? {
        match argument {
            Long("file") => only = Some(shell::text(args.value())?),
            other => return Err(other.unexpected().to_string()),
        }
    }
    let there = Command::new("cargo-mutants")
        .args(["mutants", "--version"])
        .stdout(Stdio::null())
        .status();
    if there.is_err() {
        return Err(
            "cargo-mutants is not installed: `cargo install cargo-mutants --locked`".into(),
        );
    }
    let mut command = shell::cargo();
    command
        .args(["mutants", "--jobs", "2", "--timeout", "60", "--no-shuffle"])
        // Building the library's own tests is enough; the examples and the other tests are most of a build.
        .args(["--cargo-arg=--lib", "--output"])
        .arg(shell::target("mutants"))
        .env("CARGO_PROFILE_DEV_DEBUG", "none");
    let chosen = MODULES
        .iter()
        .filter(|it| only.as_deref().is_none_or(|only| only == **it));
    for module in chosen {
        command.args(["--file", module]);
    }
    let outcome = shell::run(command.args(["--", "--"]).args(TESTS));
    // It fails if one survives: those that are explained do.
    outcome.map_err(|error| format!("{error}; compare with docs/mutants.md"))
}
