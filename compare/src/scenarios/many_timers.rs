//! 200 000 timers with deadlines that are spread evenly over one second. They are set in random
//! order, and a task of its own awaits each of them.
//!
//! The figures are the CPU time per timer of the second in which they fire, and how late their
//! tasks run. The cost of setting them is reported separately. A quick run has a quarter of the
//! timers in a quarter of the time.

use std::time::Duration;

use super::{Scenario, Target::AtMost, Target::Within, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::harness::system::pin;
use crate::{ours, tokio_side, upstream};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "many_timers",
    title: "200 000 timers firing over one second, one task each",
    peers: &[Peer::Ours, Peer::Upstream, Peer::Tokio],
    rounds: (1, 5),
    take: in_child,
    child,
    figures: &[
        aimed("cpu_ns", "CPU ns/timer", &[AtMost(0.9, Peer::Tokio)]),
        aimed("late_us@50", "late p50 us", &[Within(0.0, 120.0)]),
        aimed("late_us@99", "late p99 us", &[Within(0.0, 300.0)]),
        told("set_cpu_ns", "CPU ns to spawn and set one"),
    ],
};

fn child(job: &Job) -> Outcome<Sample> {
    pin(&[job.near])?;
    let count = job.count(50_000, 200_000);
    let span = Duration::from_millis(job.count(250, 1000));
    match job.peer {
        Peer::Ours => Ok(ours::smol::alarms::many(count, span)?),
        Peer::Upstream => Ok(upstream::smol::alarms::many(count, span)?),
        Peer::Tokio => Ok(tokio_side::alarms::many(count, span)?),
        other => other.missing(),
    }
}
