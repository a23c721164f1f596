//! Short connections: connect, one exchange of 64 bytes, reset. 32 threads with blocking calls are
//! the clients, in a process on the other core. The server accepts each connection into a task of
//! its own. The figure is the CPU time of the server per connection.

use std::net::TcpListener;

use super::{Scenario, Target::AtMost, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::{Guarded, in_child, this_program};
use crate::harness::sample::Sample;
use crate::harness::system::pin;
use crate::work::warm_up::warm_up;
use crate::{ours, raw, tokio_side, upstream};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "short_connections",
    title: "short connections: connect, one echo, reset",
    peers: &[Peer::Ours, Peer::Upstream, Peer::Tokio, Peer::Raw],
    rounds: (2, 15),
    take: in_child,
    child,
    figures: &[
        aimed("cpu_ns", "CPU ns/connection", &[AtMost(1.05, Peer::Raw)]),
        told("wall_ns", "wall ns/connection"),
        told("allocations", "allocations/connection"),
    ],
};

const CLIENTS: u64 = 32;

fn child(job: &Job) -> Outcome<Sample> {
    pin(&[job.near])?;
    let count = job.count(5000, 12_000);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let mut command = this_program()?;
    command
        .arg("--hasty")
        .arg(port.to_string())
        .arg(CLIENTS.to_string());
    // Make more connections than are counted, so that no client stops before the measurement ends.
    let connections = count + warm_up(count) + 10 * CLIENTS;
    command
        .arg(connections.to_string())
        .arg(job.far.to_string());
    let clients = Guarded(command.spawn()?);
    let spent = match job.peer {
        Peer::Ours => ours::smol::short::serve(listener, count)?,
        Peer::Upstream => upstream::smol::short::serve(listener, count)?,
        Peer::Tokio => tokio_side::short::serve(listener, count)?,
        Peer::Raw => raw::short::serve(listener, count)?,
        other => return other.missing(),
    };
    drop(clients);
    Ok(spent.per(count))
}
