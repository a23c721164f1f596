//! How the cost of an operation grows with the number of sources or timers.
//!
//! Sources: with 10 to 9500 Unix sockets, each batch writes one byte to ten of them, in random
//! order. Each socket is read by a task of its own (raw: by the loop, until it would block).
//! Timers: a random one of 1000 to 1 000 000 pending timers is replaced by one with a random
//! deadline.
//!
//! The figures are the CPU time per event and per replacement. The growth is the last figure
//! divided by the first. Cache misses increase for every implementation, so compare the growth with
//! that of raw. The limit is 9500 sources instead of 10 000, because each takes two descriptors and
//! 20 000 is a common limit.

use super::{Scenario, Target::AtMost, Target::Within, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::harness::system::{allow_descriptors, pin};
use crate::harness::usage::Spent;
use crate::{ours, raw, tokio_side, upstream};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "cost_growth",
    title: "cost per event by sources, and per timer by pending timers",
    peers: &[Peer::Ours, Peer::Upstream, Peer::Tokio, Peer::Raw],
    rounds: (1, 5),
    take: in_child,
    child,
    figures: &[
        aimed(
            "events_growth",
            "growth, 10 to 9500 sources",
            &[AtMost(1.15, Peer::Raw)],
        ),
        told("event_ns@10", "CPU ns/event, 10 sources"),
        told("event_ns@9500", "CPU ns/event, 9500 sources"),
        aimed(
            "timers_growth",
            "growth, 1000 to 1 000 000 timers",
            &[Within(0.0, 2.0)],
        ),
        told("timer_ns@1000", "CPU ns/timer, 1000 pending"),
        told("timer_ns@1000000", "CPU ns/timer, 1 000 000 pending"),
    ],
};

pub(crate) const SOURCES: [u64; 4] = [10, 100, 1000, 9500];
pub(crate) const TIMERS: [u64; 4] = [1000, 10_000, 100_000, 1_000_000];

fn child(job: &Job) -> Outcome<Sample> {
    pin(&[job.near])?;
    allow_descriptors(2 * 9500 + 100)?;
    let mut sample = Sample::default();
    let batches = job.count(3000, 10_000);
    for sources in SOURCES {
        let spent = events(job.peer, sources, batches)?;
        sample = sample.with(
            &format!("event_ns@{sources}"),
            spent.cpu_ns / (batches * 10) as f64,
        );
    }
    let count = job.count(200_000, 1_000_000);
    for timers in TIMERS {
        let spent = match job.peer {
            Peer::Ours => ours::smol::timers::replace_random(timers, count)?.1,
            Peer::Upstream => upstream::smol::timers::replace_random(timers, count)?.1,
            Peer::Tokio => tokio_side::timers::replace_random(timers, count)?.1,
            _ => break,
        };
        sample = sample.with(&format!("timer_ns@{timers}"), spent.cpu_ns / count as f64);
    }
    Ok(growths(sample))
}

/// Handles batches of ten events, at sources chosen at random.
pub(super) fn events(peer: Peer, sources: u64, batches: u64) -> Outcome<Spent> {
    Ok(match peer {
        Peer::Ours => ours::smol::sources::events(sources, batches)?,
        Peer::Upstream => upstream::smol::sources::events(sources, batches)?,
        Peer::Tokio => tokio_side::sources::events(sources, batches)?,
        Peer::Raw => raw::sources::events(sources, batches)?,
        other => return other.missing(),
    })
}

fn growths(sample: Sample) -> Sample {
    let ratio = |over: &str, under: &str| Some(sample.get(over)? / sample.get(under)?);
    let events = ratio("event_ns@9500", "event_ns@10");
    let timers = ratio("timer_ns@1000000", "timer_ns@1000");
    let mut sample = sample;
    for (name, growth) in [("events_growth", events), ("timers_growth", timers)] {
        if let Some(growth) = growth {
            sample = sample.with(name, growth);
        }
    }
    sample
}
