//! 100 and 1600 tasks that wait in `accept` on one listener, on one thread. A client on the other
//! core makes one connection after the other with blocking calls. It pauses in between, so that all
//! tasks wait when a connection arrives. Without the pause, a task that is polled without need would
//! find the next connection.
//!
//! The figures are the CPU time of the server per connection, and how many times a task that waits
//! in `accept` is polled per connection.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

use super::{Scenario, Target::AtMost, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::{in_child, start};
use crate::harness::sample::Sample;
use crate::harness::system::pin;
use crate::{ours, tokio_side, upstream};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "many_acceptors",
    title: "one connection after the other, many tasks in accept",
    peers: &[Peer::Ours, Peer::Upstream, Peer::Tokio],
    rounds: (1, 5),
    take,
    child,
    figures: &[
        aimed(
            "cpu_ns@100",
            "CPU ns/connection, 100 tasks",
            &[AtMost(0.5, Peer::Upstream)],
        ),
        aimed(
            "cpu_ns@1600",
            "CPU ns/connection, 1600 tasks",
            &[AtMost(0.3, Peer::Upstream)],
        ),
        told("polls@100", "polls/connection, 100 tasks"),
        told("polls@1600", "polls/connection, 1600 tasks"),
    ],
};

const ACCEPTORS: [u64; 2] = [100, 1600];
/// The pause of the client, by the number of tasks. A poll of each of them takes half of it or less.
const PAUSE_PER_TASK: Duration = Duration::from_micros(8);
const PAUSE: Duration = Duration::from_millis(1);
const CLIENT: &str = "client:";

fn take(job: &Job) -> Outcome<Sample> {
    let mut sample = Sample::default();
    for acceptors in ACCEPTORS {
        let taken = in_child(&job.part(&acceptors.to_string()))?;
        for name in ["cpu_ns", "polls"] {
            let figure = taken.get(name).ok_or("a figure of a sample is missing")?;
            sample = sample.with(&format!("{name}@{acceptors}"), figure);
        }
    }
    Ok(sample)
}

fn child(job: &Job) -> Outcome<Sample> {
    if let Some(client) = job.part.strip_prefix(CLIENT) {
        let (port, acceptors) = client.split_once(':').ok_or("not a port and a number")?;
        pin(&[job.far])?;
        return connect(port.parse()?, acceptors.parse()?);
    }
    pin(&[job.near])?;
    let acceptors: u64 = job.part.parse()?;
    let count = job.count(50, 200);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let client = start(&job.part(&format!("{CLIENT}{port}:{acceptors}")))?;
    let sample = match job.peer {
        Peer::Ours => ours::smol::accept::serve(listener, acceptors, count)?,
        Peer::Upstream => upstream::smol::accept::serve(listener, acceptors, count)?,
        Peer::Tokio => tokio_side::accept::serve(listener, acceptors, count)?,
        other => return other.missing(),
    };
    drop(client);
    Ok(sample)
}

/// Makes connections until the server kills this process or closes its listener.
fn connect(port: u16, acceptors: u64) -> Outcome<Sample> {
    let pause = PAUSE + PAUSE_PER_TASK * acceptors as u32;
    while let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
        // Resets the connection, so that no address remains in TIME_WAIT.
        set_socket_linger(&stream, Some(Duration::ZERO))?;
        let _ = stream.read(&mut [0]);
        drop(stream);
        std::thread::sleep(pause);
    }
    Ok(Sample::default())
}
