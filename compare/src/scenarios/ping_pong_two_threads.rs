//! Like `ping_pong_two_tasks`, between two threads on one core.
//!
//! Each thread has its own `block_on` (tokio: its own runtime, raw: its own epoll). They share one
//! core, because a wake-up across cores of a virtual machine costs more than everything else
//! together.

use super::{Scenario, Target::AtMost, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::harness::system::pin;
use crate::{ours, raw, tokio_side, upstream};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "ping_pong_two_threads",
    title: "ping-pong between two block_on threads on one core",
    peers: &[Peer::Ours, Peer::Upstream, Peer::Tokio, Peer::Raw],
    rounds: (2, 15),
    take: in_child,
    child,
    figures: &[
        aimed("cpu_ns", "CPU ns/round", &[AtMost(1.3, Peer::Raw)]),
        told("wall_ns", "wall ns/round"),
        told("voluntary", "voluntary switches/round"),
        told("involuntary", "involuntary switches/round"),
    ],
};

pub(super) fn child(job: &Job) -> Outcome<Sample> {
    pin(&[job.near])?;
    let rounds = job.count(30_000, 50_000);
    let spent = match job.peer {
        Peer::Ours => ours::smol::ping_pong::two_threads(rounds)?,
        Peer::Foreign => {
            crate::foreign::start()?;
            ours::smol::ping_pong::two_threads(rounds)?
        }
        Peer::Upstream => upstream::smol::ping_pong::two_threads(rounds)?,
        Peer::Tokio => tokio_side::ping_pong::two_threads(rounds)?,
        Peer::Raw => raw::ping_pong::two_threads(rounds)?,
        other => return other.missing(),
    };
    Ok(spent.per(rounds))
}
