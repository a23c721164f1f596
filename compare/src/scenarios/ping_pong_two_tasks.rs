//! Two tasks on one pinned thread send one byte back and forth through a Unix socket pair.
//!
//! The raw loop has both ends in one epoll set. It reads each end until it would block, which is
//! necessary on a Unix socket. The figure is the CPU time of the process per round.

use super::{Scenario, Target::AtMost, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::harness::system::pin;
use crate::{ours, raw, tokio_side, upstream};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "ping_pong_two_tasks",
    title: "Unix-socket ping-pong, two tasks on one thread",
    peers: &[Peer::Ours, Peer::Upstream, Peer::Tokio, Peer::Raw],
    rounds: (2, 15),
    take: in_child,
    child,
    figures: &[
        aimed("cpu_ns", "CPU ns/round", &[AtMost(1.15, Peer::Raw)]),
        told("wall_ns", "wall ns/round"),
        told("allocations", "allocations/round"),
    ],
};

fn child(job: &Job) -> Outcome<Sample> {
    pin(&[job.near])?;
    let rounds = job.count(30_000, 60_000);
    let spent = match job.peer {
        Peer::Ours => ours::smol::ping_pong::one_thread(rounds)?,
        Peer::Upstream => upstream::smol::ping_pong::one_thread(rounds)?,
        Peer::Tokio => tokio_side::ping_pong::one_thread(rounds)?,
        Peer::Raw => raw::ping_pong::one_thread(rounds)?,
        other => return other.missing(),
    };
    Ok(spent.per(rounds))
}
