//! A UDP socket that a task has awaited once receives 1000 datagrams, one every 200 us. No task
//! awaits it again: `block_on` waits for something else.
//!
//! The figure is the voluntary context switches of all threads but the sender, which are the
//! wake-ups of the poller. The buffer of the socket holds all datagrams, so that each of them is an
//! event.

use std::net::UdpSocket;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::Duration;

use super::{Scenario, Target::Within, aimed};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::in_child;
use crate::harness::sample::Sample;
use crate::harness::system::{pin, voluntary_switches};
use crate::{ours, tokio_side, upstream};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "unawaited_datagrams",
    title: "wake-ups for 1000 datagrams that nobody awaits",
    peers: &[Peer::Ours, Peer::Upstream, Peer::Tokio],
    rounds: (1, 3),
    take: in_child,
    child,
    figures: &[aimed("wakeups", "wake-ups", &[Within(0.0, 3.0)])],
};

const DATAGRAMS: u64 = 1000;

fn child(job: &Job) -> Outcome<Sample> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    // Exceed the limit of the system if that is permitted. Otherwise, take as much as it allows.
    let size = 8 << 20;
    rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, size)
        .or_else(|_| rustix::net::sockopt::set_socket_recv_buffer_size(&socket, size))?;
    let sender = UdpSocket::bind("127.0.0.1:0")?;
    sender.connect(socket.local_addr()?)?;
    let (stop, end) = UnixStream::pair()?;
    let (set_up, is_set_up) = mpsc::channel();
    let peer = job.peer;
    let (near, far) = (job.near, job.far);
    let waiting = std::thread::spawn(move || -> Outcome<()> {
        pin(&[near])?;
        let say = || {
            set_up
                .send(())
                .expect("the sender of datagrams waits for this")
        };
        match peer {
            Peer::Ours => ours::smol::sources::flooded(socket, end, &say)?,
            Peer::Upstream => upstream::smol::sources::flooded(socket, end, &say)?,
            Peer::Tokio => tokio_side::sources::flooded(socket, end, &say)?,
            other => return other.missing(),
        }
        Ok(())
    });
    pin(&[far])?;
    sender.send(&[0])?;
    is_set_up.recv()?;
    std::thread::sleep(Duration::from_millis(50));
    let before = others_switches()?;
    for _ in 0..DATAGRAMS {
        sender.send(&[0])?;
        std::thread::sleep(Duration::from_micros(200));
    }
    let wakeups = others_switches()? - before;
    drop(stop);
    waiting
        .join()
        .map_err(|_| "the waiting thread panicked")??;
    Ok(Sample::of("wakeups", wakeups as f64))
}

/// Returns the voluntary context switches of all threads but this one.
fn others_switches() -> Outcome<u64> {
    let id = std::process::id();
    let all = voluntary_switches(id)?;
    let status = std::fs::read_to_string("/proc/thread-self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    let own: u64 = line.ok_or("no context switches in /proc")?.trim().parse()?;
    Ok(all - own)
}
