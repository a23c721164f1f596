//! The load: clients on as many threads as the server has cores, each with its own reactor.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use async_io::Reactor;

use crate::client;
use crate::connection::Protocol;
use crate::options::Options;
use crate::report::Progress;

/// What the clients of one thread have done, on a cache line of its own.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Tally {
    sent: AtomicU64,
    answered: AtomicU64,
}

impl Tally {
    pub(crate) fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// What all clients have done.
pub(crate) struct Load {
    pub(crate) elapsed: Duration,
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    pub(crate) errors: Vec<io::Error>,
    pub(crate) progress: Progress,
}

/// Sends requests for `options.duration`, and shows the progress.
pub(crate) fn run(echo: SocketAddr, http: SocketAddr, options: &Options) -> io::Result<Load> {
    let threads = options.cores.min(options.connections);
    let mut tallies = Vec::new();
    tallies.resize_with(threads, Tally::default);
    let started = Instant::now();
    let end = started + options.duration;

    let (errors, progress) = thread::scope(|scope| {
        let mut running = Vec::with_capacity(threads);
        for (number, tally) in tallies.iter().enumerate() {
            let clients = (number..options.connections).step_by(threads);
            // Half of the clients of each thread use the echo server.
            let clients = clients.enumerate().map(|(index, _)| match index % 2 {
                0 => (Protocol::Echo, echo),
                _ => (Protocol::Http, http),
            });
            let reactor = Reactor::builder().name(format!("load-{number}")).build()?;
            let builder = thread::Builder::new().name(format!("load-{number}"));
            running.push(builder.spawn_scoped(scope, move || {
                reactor.block_on(run_clients(clients, end, tally))
            })?);
        }
        let mut progress = Progress::new(started);
        while !running.iter().all(|thread| thread.is_finished()) {
            progress.update(sum(&tallies, |tally| &tally.answered));
            thread::sleep(Duration::from_millis(20));
        }
        let mut errors = Vec::new();
        for thread in running {
            let failed = thread.join();
            errors.extend(failed.map_err(|_| io::Error::other("a load thread panicked"))?);
        }
        io::Result::Ok((errors, progress))
    })?;

    Ok(Load {
        elapsed: started.elapsed(),
        sent: sum(&tallies, |tally| &tally.sent),
        answered: sum(&tallies, |tally| &tally.answered),
        errors,
        progress,
    })
}

fn sum(tallies: &[Tally], count: impl Fn(&Tally) -> &AtomicU64) -> u64 {
    let counts = tallies.iter().map(count);
    counts.map(|count| count.load(Ordering::Relaxed)).sum()
}

/// Runs the clients of one thread. Returns the errors of those that failed.
async fn run_clients(
    clients: impl Iterator<Item = (Protocol, SocketAddr)>,
    end: Instant,
    tally: &Tally,
) -> Vec<io::Error> {
    let executor = LocalExecutor::new();
    let tasks: Vec<_> = clients
        .map(|(protocol, address)| executor.spawn(client::run(protocol, address, end, tally)))
        .collect();
    executor
        .run(async {
            let mut errors = Vec::new();
            for task in tasks {
                errors.extend(task.await.err());
            }
            errors
        })
        .await
}
