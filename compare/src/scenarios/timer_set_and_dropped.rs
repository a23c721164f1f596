//! Creates a timer of 10 s, polls it once and drops it, all within one poll of a future in
//! `block_on`. This is what a timeout that does not expire costs. The figure is the CPU time per
//! timer.

use super::{Scenario, Target::AtMost, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::harness::system::pin;
use crate::{ours, tokio_side, upstream};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "timer_set_and_dropped",
    title: "create, poll and drop a timer",
    peers: &[Peer::Ours, Peer::Upstream, Peer::Tokio],
    rounds: (2, 9),
    take: in_child,
    child,
    figures: &[
        aimed("cpu_ns", "CPU ns/timer", &[AtMost(0.45, Peer::Tokio)]),
        told("allocations", "allocations/timer"),
    ],
};

fn child(job: &Job) -> Outcome<Sample> {
    pin(&[job.near])?;
    let count = job.count(300_000, 2_000_000);
    let spent = match job.peer {
        Peer::Ours => ours::smol::timers::churn(count)?,
        Peer::Upstream => upstream::smol::timers::churn(count)?,
        Peer::Tokio => tokio_side::timers::churn(count)?,
        other => return other.missing(),
    };
    Ok(spent.per(count))
}
