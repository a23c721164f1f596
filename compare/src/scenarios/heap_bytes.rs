//! Heap bytes per pending timer and per registered source, by a counting allocator.
//!
//! There are 500 000 timers with random deadlines, each polled once. The `Timer` values themselves
//! are in memory that was allocated before. The sources are 8000 Unix streams.

use std::os::unix::net::UnixStream;

use super::{Scenario, Target::Within, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::harness::system::{allow_descriptors, pin};
use crate::{ours, upstream};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "heap_bytes",
    title: "heap bytes per pending timer and per source",
    peers: &[Peer::Ours, Peer::Upstream],
    rounds: (1, 1),
    take: in_child,
    child,
    figures: &[
        aimed("timer_bytes", "bytes/timer", &[Within(0.0, 64.0)]),
        aimed("source_bytes", "bytes/source", &[Within(0.0, 160.0)]),
        told("timer_value_bytes", "size of a Timer itself"),
    ],
};

const TIMERS: u64 = 500_000;
const SOURCES: u64 = 8000;

fn child(job: &Job) -> Outcome<Sample> {
    pin(&[job.near])?;
    allow_descriptors(SOURCES + 64)?;
    let mut streams = Vec::new();
    for _ in 0..SOURCES / 2 {
        let (left, right) = UnixStream::pair()?;
        left.set_nonblocking(true)?;
        right.set_nonblocking(true)?;
        streams.extend([left, right]);
    }
    let (timers, sources, value) = match job.peer {
        Peer::Ours => (
            ours::smol::timers::replace_random(TIMERS, 0)?.0,
            ours::smol::sources::hold(streams)?,
            size_of::<ours::async_io::Timer>(),
        ),
        Peer::Upstream => (
            upstream::smol::timers::replace_random(TIMERS, 0)?.0,
            upstream::smol::sources::hold(streams)?,
            size_of::<upstream::async_io::Timer>(),
        ),
        other => return other.missing(),
    };
    Ok(Sample::of("timer_bytes", timers.heap_bytes / TIMERS as f64)
        .with("source_bytes", sources.heap_bytes / SOURCES as f64)
        .with("timer_value_bytes", value as f64))
}
