//! Mutation testing of the pure modules: cargo-mutants changes one operator or one return value at
//! a time, and a test must fail. `docs/mutants.md` lists the surviving mutants, with reasons.

use std::process::{Command, Stdio};

use crate::shell::{self, Outcome};
use lexopt::prelude::*;

const MODULES: &[&str] = &[
    "src/core/source/backoff.rs",
    "src/core/source/readiness.rs",
    "src/core/source/waiters.rs",
    "src/core/source/state.rs",
    "src/core/timers/entries.rs",
    "src/core/timers/queue.rs",
    "src/core/timers/nodes.rs",
    "src/core/roles.rs",
    "src/core/park.rs",
    "src/core/registry.rs",
    "src/core/wake.rs",
    "src/driver/policy.rs",
];

/// The tests of the pure modules, by parts of their names. The other tests take long, or cannot
/// fail because of these changes.
const TESTS: &[&str] = &[
    "naive", "source", "timers", "roles", "park", "registry", "wake", "policy",
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
        // The library's own tests are enough. The examples and the other tests take most of the
        // build time.
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
    // cargo-mutants fails if a mutant survives, and the mutants that `docs/mutants.md` explains do.
    outcome.map_err(|error| format!("{error}; compare with docs/mutants.md"))
}
