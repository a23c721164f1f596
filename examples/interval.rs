//! Uses a `Timer` as a stream of ticks that do not drift, whatever the work between them takes.
//!
//! Each tick is due one period after the previous tick, not one period after the end of the work.
//! The numbers on the right show how late each wake-up is. The delays do not accumulate.
//!
//!     cargo run --release --example interval
//!     cargo run --release --example interval -- --every 16 --count 60

use std::process::ExitCode;
use std::time::{Duration, Instant};

use async_io::{Timer, block_on};
use futures_lite::StreamExt;

const HELP: &str = "usage: interval [--every MILLISECONDS] [--count N]

Ticks N times (default: 10), once per period of MILLISECONDS (default: 100).";

fn main() -> ExitCode {
    match arguments() {
        Ok(Some((period, count))) => {
            block_on(tick(period, count));
            ExitCode::SUCCESS
        }
        Ok(None) => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("interval: {error}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

async fn tick(period: Duration, count: u32) {
    let started = Instant::now();
    let mut ticks = Timer::interval_at(started + period, period).take(count as usize);

    // The item is the instant at which the tick was due.
    while let Some(due) = ticks.next().await {
        let now = Instant::now();
        println!("tick at {:>9.3?}, {:>7.1?} late", now - started, now - due);

        // Work that takes half a period does not delay the next tick.
        Timer::after(period / 2).await;
    }
}

/// Returns the period and the number of ticks, or `None` if the user asked for help.
fn arguments() -> Result<Option<(Duration, u32)>, lexopt::Error> {
    use lexopt::prelude::*;

    let (mut milliseconds, mut count) = (100_u32, 10);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("every") => milliseconds = parser.value()?.parse()?,
            Long("count") => count = parser.value()?.parse()?,
            _ => return Err(argument.unexpected()),
        }
    }
    if milliseconds == 0 {
        return Err("--every must be at least 1".into());
    }
    Ok(Some((Duration::from_millis(milliseconds.into()), count)))
}
