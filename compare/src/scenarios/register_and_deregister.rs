//! Registers and deregisters one connected TCP stream, without opening or closing it.
//!
//! The calls are `Async::new_nonblocking` and `into_inner`, tokio's `from_std` and `into_std`, and
//! `epoll_ctl` twice in the raw loop. The figure is the CPU time per pair of calls.

use std::net::{TcpListener, TcpStream};

use super::{Scenario, Target::AtMost, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::harness::system::pin;
use crate::{ours, raw, tokio_side, upstream};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "register_and_deregister",
    title: "register and deregister a source",
    peers: &[Peer::Ours, Peer::Upstream, Peer::Tokio, Peer::Raw],
    rounds: (2, 15),
    take: in_child,
    child,
    figures: &[
        aimed("cpu_ns", "CPU ns", &[AtMost(1.15, Peer::Raw)]),
        told("allocations", "allocations"),
    ],
};

fn child(job: &Job) -> Outcome<Sample> {
    pin(&[job.near])?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let stream = TcpStream::connect(listener.local_addr()?)?;
    stream.set_nonblocking(true)?;
    let count = job.count(100_000, 200_000);
    let spent = match job.peer {
        Peer::Ours => ours::smol::sources::register(stream, count)?,
        Peer::Upstream => upstream::smol::sources::register(stream, count)?,
        Peer::Tokio => tokio_side::sources::register(stream, count)?,
        Peer::Raw => raw::sources::register(stream, count)?,
        other => return other.missing(),
    };
    Ok(spent.per(count))
}
