//! The lateness of I/O on a thread while the thread that drives the I/O of the process computes.
//!
//! One thread in `block_on` waits 1 ms for a timer, so that it drives, and then computes for 100
//! ms. It repeats both. Another thread in `block_on`, on the other core, receives a message every 7
//! ms. The figures are how late it sees the messages. Both cores are kept awake by processes that
//! run only where a core is idle.

use std::time::Duration;

use super::{Scenario, Target::Within, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::sample::Sample;
use crate::work::spinners::with_cores_awake;
use crate::{ours, upstream};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "io_while_driver_computes",
    title: "I/O of a thread while the one that drives it computes",
    peers: &[Peer::Ours, Peer::Upstream],
    rounds: (1, 5),
    take: with_cores_awake,
    child,
    figures: &[
        aimed("late_us@50", "late p50 us", &[Within(0.0, 2000.0)]),
        aimed("late_us@99", "late p99 us", &[Within(0.0, 5000.0)]),
        told("late_us@100", "late at most us"),
    ],
};

fn child(job: &Job) -> Outcome<Sample> {
    let messages = job.count(150, 500);
    let stretch = Duration::from_millis(100);
    let lateness = match job.peer {
        Peer::Ours => ours::smol::idle::compute(messages, stretch, job.near, job.far)?,
        Peer::Upstream => upstream::smol::idle::compute(messages, stretch, job.near, job.far)?,
        other => return other.missing(),
    };
    Ok(lateness.sample("late_us"))
}
