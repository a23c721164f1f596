//! Runs the whole test suite many times, because a test that fails once in a hundred runs is a bug.

use std::time::Instant;

use lexopt::prelude::*;

use crate::shell::{self, Outcome};
use crate::tally::Tally;

pub(crate) fn run(args: &mut lexopt::Parser) -> Outcome {
    let mut count = None;
    let mut arguments = Vec::new();
    while let Some(argument) = args.next().map_err(|error| error.to_string())? {
        match argument {
            // lexopt consumes the `--`, so everything after the number is for cargo.
            Value(number) if count.is_none() => count = Some(shell::number(Ok(number))?),
            Value(more) => {
                arguments.push(more);
                arguments.extend(args.raw_args().map_err(|error| error.to_string())?);
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    let count = count.ok_or("the number of runs is missing: `cargo xtask repeat N`")?;

    // Build first, so that build errors show here and the times below are those of the tests.
    shell::run(shell::cargo().args(["test", "--no-run"]).args(&arguments))?;

    let folder = shell::target("repeat");
    shell::fresh_dir(&folder)?;
    let log = folder.join("run.log");
    for number in 1..=count {
        let start = Instant::now();
        let passed = shell::run_logged(shell::cargo().arg("test").args(&arguments), &log)?;
        let seconds = start.elapsed().as_secs_f64();
        if !passed {
            println!("{}", shell::tail(&log, 80));
            return Err(format!(
                "run {number} of {count} failed; the full output is in {}",
                log.display()
            ));
        }
        let tally = Tally::of(&shell::read(&log)?);
        println!("run {number} of {count}: {tally} in {seconds:.1} s");
    }
    println!("{count} runs without a failure");
    Ok(())
}
