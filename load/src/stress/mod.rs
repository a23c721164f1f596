//! The stress test for lost wake-ups: many waits that end only if the library wakes the right task,
//! in shapes that are prone to errors. A lost wake-up is a wait without end, which the watchdog
//! detects.
//!
//! A run is a sequence of *segments* of up to 20 000 wake-ups. What a segment does (how many
//! threads it has, what runs them, how they read) follows from its seed, which is printed if it
//! fails: `--only SHAPE --seed N` starts with that segment. The interleaving of the threads is left
//! to the system. Only waits that were pending and then ended are counted. A poll that is ready at
//! once is not counted.

mod end;
mod links;
mod runner;
mod timers;
mod waiters;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

use fastrand::Rng;
use lexopt::prelude::*;

use crate::{system, watchdog};

/// The number of wake-ups that one segment aims at.
const SEGMENT: u64 = 20_000;

struct Shape {
    name: &'static str,
    summary: &'static str,
    /// The share of this shape in all wake-ups, depending on the cost of one.
    share: u64,
    segment: fn(&mut Rng, u64),
}

const SHAPES: &[Shape] = &[
    Shape {
        name: "ping-pong",
        summary: "two threads, two sources, one message after the other",
        share: 2,
        segment: links::ping_pong,
    },
    Shape {
        name: "hand-over",
        summary: "a token through threads that enter and leave block_on, or never do",
        share: 1,
        segment: links::hand_over,
    },
    Shape {
        name: "duplex",
        summary: "both directions full, readers and writers of one source on two threads",
        share: 1,
        segment: links::duplex,
    },
    Shape {
        name: "reregister",
        summary: "sources that are dropped and made again between messages",
        share: 1,
        segment: links::reregister,
    },
    Shape {
        name: "reactors",
        summary: "sources that move between reactors, and threads that enter and leave these",
        share: 2,
        segment: links::reactors,
    },
    Shape {
        name: "impatient",
        summary: "reads that are cancelled by timers and begun again",
        share: 1,
        segment: links::impatient,
    },
    Shape {
        name: "waiters",
        summary: "many waiters of one source, some of them cancelled, on several threads",
        share: 4,
        segment: waiters::segment,
    },
    Shape {
        name: "timers",
        summary: "timers set, reset, cancelled and moved between threads",
        share: 2,
        segment: timers::segment,
    },
];

struct Options {
    wakeups: u64,
    seed: u64,
    only: Option<String>,
    /// The index of the processor to run on, among those that this process may use. `None` means
    /// all.
    core: Option<usize>,
}

pub(crate) fn run(args: &mut lexopt::Parser) -> Result<(), String> {
    let options = parse(args).map_err(|error| error.to_string())?;
    if let Some(core) = options.core {
        system::pin_to_processor(core)?;
    }
    watchdog::start();
    let chosen: Vec<&Shape> = SHAPES
        .iter()
        .filter(|shape| {
            options
                .only
                .as_deref()
                .is_none_or(|only| only == shape.name)
        })
        .collect();
    if chosen.is_empty() {
        return Err(format!("there is no shape {:?}", options.only));
    }
    let shares: u64 = chosen.iter().map(|shape| shape.share).sum();
    let place = options
        .core
        .map_or("all cores".into(), |core| format!("core {core}"));
    println!(
        "stress: {} wake-ups, seed {}, {place}",
        options.wakeups, options.seed
    );
    for shape in chosen {
        let wakeups = options.wakeups.saturating_mul(shape.share).div_ceil(shares);
        repeat(shape, wakeups, options.seed)?;
    }
    println!("stress: {} wake-ups, none lost", watchdog::count());
    Ok(())
}

fn parse(args: &mut lexopt::Parser) -> Result<Options, lexopt::Error> {
    let mut options = Options {
        wakeups: 1_000_000,
        seed: fastrand::u64(..1_000_000_000),
        only: None,
        core: Some(0),
    };
    while let Some(argument) = args.next()? {
        match argument {
            Long("wakeups") => options.wakeups = args.value()?.parse()?,
            Long("seed") => options.seed = args.value()?.parse()?,
            Long("only") => options.only = Some(args.value()?.string()?),
            Long("core") => options.core = Some(args.value()?.parse()?),
            Long("all-cores") => options.core = None,
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}

/// Runs segments of one shape until it has reached its number of wake-ups.
fn repeat(shape: &Shape, wakeups: u64, seed: u64) -> Result<(), String> {
    let (start, before) = (Instant::now(), watchdog::count());
    let mut segments = 0;
    while watchdog::count() - before < wakeups {
        let seed = seed + segments;
        let again = format!("to repeat: load stress --only {} --seed {seed}", shape.name);
        watchdog::now(again.clone());
        let (rest, had) = (wakeups - (watchdog::count() - before), watchdog::count());
        let outcome = std::panic::catch_unwind(|| {
            (shape.segment)(&mut Rng::with_seed(seed), rest.min(SEGMENT));
        });
        outcome.map_err(|_| again)?;
        if watchdog::count() == had && segments > 1000 {
            return Err(format!("{} does not wait for anything", shape.name));
        }
        segments += 1;
    }
    let (count, time) = (watchdog::count() - before, start.elapsed());
    let nanos = time.as_nanos() as u64 / count.max(1);
    let Shape { name, summary, .. } = shape;
    println!(
        "{name:>10}: {count:>9} wake-ups, {segments:>5} segments, {nanos:>6} ns each: {summary}"
    );
    Ok(())
}

/// Waits for a future. Counts one wake-up if the future was not ready at once.
pub(crate) async fn woken<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut waited = false;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Pending => {
            waited = true;
            Poll::Pending
        }
        ready => {
            if waited {
                watchdog::progress();
            }
            ready
        }
    })
    .await
}
