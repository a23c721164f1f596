//! The stress and soak tests: builds the package `load` in release mode and runs it.

use std::process::Command;
use std::thread;

use lexopt::prelude::*;

use crate::shell::{self, Outcome};

/// The default number of wake-ups, which takes about a minute.
const WAKEUPS: u64 = 2_000_000;

/// One in this many wake-ups happens in a run on all processors at once. These cost more, and the
/// threads interleave in other ways.
const SPREAD: u64 = 10;

/// The variable that sets the number of wake-ups. `--wakeups` overrides it. CI uses neither.
const WAKEUPS_VARIABLE: &str = "ASYNC_IO_STRESS_WAKEUPS";

fn build() -> Outcome<Command> {
    shell::built(&["--release", "--package", "load"]).map(Command::new)
}

pub(crate) fn stress(args: &mut lexopt::Parser) -> Outcome {
    let given = std::env::var(WAKEUPS_VARIABLE).ok();
    let mut wakeups = match given.map(|text| text.replace('_', "").parse::<u64>()) {
        None => WAKEUPS,
        Some(Ok(number)) => number,
        Some(Err(_)) => return Err(format!("{WAKEUPS_VARIABLE} must be a number")),
    };
    let mut seed = std::process::id() as usize;
    while let Some(argument) = args.next().map_err(|error| error.to_string())? {
        match argument {
            Long("wakeups") => wakeups = shell::number(args.value())? as u64,
            Long("seed") => seed = shell::number(args.value())?,
            other => return Err(other.unexpected().to_string()),
        }
    }
    let program = build()?;
    // One process is bound to each processor. A wake-up on the same processor costs a context
    // switch and no interrupt.
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let spread = wakeups / SPREAD;
    let each = (wakeups - spread).div_ceil(processors as u64);
    let one = |processor: usize| {
        let mut command = Command::new(program.get_program());
        // The seeds are so far apart that no two processes run the same segments.
        let seed = seed + processor * 1_000_000;
        command.args([
            "stress",
            "--wakeups",
            &each.to_string(),
            "--seed",
            &seed.to_string(),
        ]);
        command.args(["--core", &processor.to_string()]);
        shell::run(&mut command)
    };
    thread::scope(|scope| {
        let runs: Vec<_> = (0..processors)
            .map(|number| scope.spawn(move || one(number)))
            .collect();
        let mut ends = runs.into_iter().map(|run| run.join());
        ends.try_for_each(|end| end.unwrap_or(Err("a run panicked".into())))
    })?;
    let mut command = Command::new(program.get_program());
    command.args([
        "stress",
        "--all-cores",
        "--wakeups",
        &spread.max(1).to_string(),
    ]);
    shell::run(command.args(["--seed", &seed.to_string()]))
}

pub(crate) fn soak(args: &mut lexopt::Parser) -> Outcome {
    let mut command = build()?;
    command.arg("soak");
    // The program parses its options and reports errors in them.
    command.args(args.raw_args().map_err(|error| error.to_string())?);
    shell::run(&mut command)
}
