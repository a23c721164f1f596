//! Short connections that 1, 2 and 4 threads make: connect, one exchange of 64 bytes, reset. Each
//! thread has a `block_on` of its own. The threads of tokio share a pool with as many workers as
//! cores, and each is in `block_on` of its handle.
//!
//! The server is another process: a raw epoll loop for each two cores, each with a listener of its
//! own. Client and server share all cores. The figures are the connections per second, and the CPU
//! time of the client per connection.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use super::{Scenario, Target::AtLeast, Target::AtMost, aimed, told};
use crate::harness::Outcome;
use crate::harness::job::Job;
use crate::harness::peer::Peer;
use crate::harness::process::{Guarded, in_child, start};
use crate::harness::sample::Sample;
use crate::work::threads::{self, Progress};
use crate::{ours, raw, tokio_side, upstream};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "short_connections_by_threads",
    title: "short connections that several threads make",
    peers: &[Peer::Ours, Peer::Upstream, Peer::TokioMulti],
    rounds: (1, 9),
    take: in_child,
    child,
    figures: &[
        told("rate@1", "connections/s, 1 thread"),
        aimed(
            "rate@2",
            "connections/s, 2 threads",
            &[AtLeast(1.0, Peer::Upstream)],
        ),
        told("rate@4", "connections/s, 4"),
        told("cpu_ns@1", "CPU ns/connection, 1 thread"),
        aimed(
            "cpu_ns@2",
            "CPU ns/connection, 2 threads",
            &[AtMost(1.0, Peer::Upstream)],
        ),
        told("cpu_ns@4", "CPU ns/connection, 4"),
        told("voluntary@2", "voluntary switches/connection, 2 threads"),
    ],
};

const THREADS: [u64; 3] = [1, 2, 4];
const SERVER: &str = "server";

fn child(job: &Job) -> Outcome<Sample> {
    if job.part == SERVER {
        return serve();
    }
    let (server, addresses) = start_server(job)?;
    let pool = tokio_side::pool(threads::all_cores()?)?;
    let peer = job.peer;
    let work = |index: u64, progress: &Progress| {
        let address = addresses[index as usize % addresses.len()];
        match peer {
            Peer::Ours => ours::smol::short::connect_until_stopped(address, progress),
            Peer::Upstream => upstream::smol::short::connect_until_stopped(address, progress),
            Peer::TokioMulti => {
                tokio_side::short::connect_until_stopped(pool.handle(), address, progress)
            }
            other => other.missing(),
        }
    };
    let window = Duration::from_millis(job.count(150, 300));
    let mut sample = Sample::default();
    for count in threads::and_all_cores(&THREADS)? {
        let taken = threads::observe(count, work, |team| team.spend(window))?;
        sample = sample.and(taken.suffixed(&format!("@{count}")));
    }
    drop(server);
    Ok(sample)
}

fn start_server(job: &Job) -> Outcome<(Guarded, Vec<SocketAddr>)> {
    let mut server = start(&job.part(SERVER))?;
    let output = server.0.stdout.take().ok_or("the output is not piped")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let addresses: Result<Vec<_>, _> = line.split_whitespace().map(str::parse).collect();
    match addresses? {
        none if none.is_empty() => Err("the server has no address".into()),
        addresses => Ok((server, addresses)),
    }
}

/// Prints the addresses, and serves until the client kills this process.
fn serve() -> Outcome<Sample> {
    let mut listeners = Vec::new();
    let mut line = String::new();
    for _ in 0..(threads::all_cores()? / 2).max(1) {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        line += &format!("{} ", listener.local_addr()?);
        listeners.push(listener);
    }
    println!("{line}");
    let serving: Vec<_> = listeners
        .into_iter()
        .map(|listener| std::thread::spawn(|| raw::short::serve(listener, u64::MAX / 2)))
        .collect();
    for thread in serving {
        thread.join().map_err(|_| "the server panicked")??;
    }
    Err("the server has ended".into())
}
