//! Ping-pong between a thread that makes blocking calls and a future that is awaited in
//! futures-lite's `block_on`.
//!
//! That `block_on` does not know the library, so the fallback thread does the waiting. Both cores
//! are kept awake by processes that run only where a core is idle. The figure is the wall time per
//! round. The CPU time is reported as well.

use super::{Scenario, Target::AtMost, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::sample::Sample;
use crate::harness::system::pin;
use crate::work::spinners::with_cores_awake;
use crate::{ours, upstream};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "ping_pong_foreign_executor",
    title: "ping-pong with a blocking thread, in an executor that is not ours",
    peers: &[Peer::Ours, Peer::Upstream],
    rounds: (2, 15),
    take: with_cores_awake,
    child,
    figures: &[
        aimed("wall_ns", "wall ns/round", &[AtMost(0.8, Peer::Upstream)]),
        told("cpu_ns", "CPU ns/round"),
        told("voluntary", "voluntary switches/round"),
    ],
};

fn child(job: &Job) -> Outcome<Sample> {
    pin(&[job.near, job.far])?;
    let rounds = job.count(10_000, 20_000);
    let spent = match job.peer {
        Peer::Ours => ours::smol::ping_pong::against_blocking(rounds)?,
        Peer::Upstream => upstream::smol::ping_pong::against_blocking(rounds)?,
        other => return other.missing(),
    };
    Ok(spent.per(rounds))
}
