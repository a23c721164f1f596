//! `block_on` of a future that yields once. The call enters, the future wakes its task once, and
//! the call returns. The figure is the CPU time per call. tokio's runtime is created once, before
//! the measurement.

use super::{Scenario, Target::AtMost, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::harness::system::pin;
use crate::{ours, tokio_side, upstream};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "block_on_one_yield",
    title: "block_on of a future that yields once",
    peers: &[Peer::Ours, Peer::Upstream, Peer::Tokio],
    rounds: (2, 15),
    take: in_child,
    child,
    figures: &[
        aimed("cpu_ns", "CPU ns/call", &[AtMost(1.1, Peer::Upstream)]),
        told("allocations", "allocations/call"),
    ],
};

fn child(job: &Job) -> Outcome<Sample> {
    pin(&[job.near])?;
    let count = job.count(500_000, 2_000_000);
    let spent = match job.peer {
        Peer::Ours => ours::smol::timers::block_on_yield(count)?,
        Peer::Upstream => upstream::smol::timers::block_on_yield(count)?,
        Peer::Tokio => tokio_side::timers::block_on_yield(count)?,
        other => return other.missing(),
    };
    Ok(spent.per(count))
}
