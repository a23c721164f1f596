//! The load: opens the connections and distributes them over threads with one `LocalExecutor` each.

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use async_io::{Async, Timer, block_on, timeout};
use futures_lite::future;
use hdrhistogram::Histogram;

use crate::client::client;
use crate::options::Options;
use crate::system::Spender;
use crate::{report, system};

/// The measurements of one thread, or the sum over all threads.
pub(crate) struct Load {
    /// Nanoseconds from before the write until the last byte has arrived.
    pub(crate) latencies: Histogram<u64>,
    pub(crate) elapsed: Duration,
    pub(crate) failed: usize,
    pub(crate) first_error: Option<io::Error>,
    pub(crate) cpu: Option<Duration>,
    pub(crate) process_cpu: Option<Duration>,
}

pub(crate) async fn connect(
    address: SocketAddr,
    options: &Options,
) -> io::Result<Vec<Async<TcpStream>>> {
    let executor = LocalExecutor::new();
    let connect = || async {
        let limit = Duration::from_secs(10);
        let stream = timeout(limit, Async::<TcpStream>::connect(address)).await??;
        stream.get_ref().set_nodelay(true)?;
        Ok::<_, io::Error>(stream)
    };
    executor
        .run(async {
            let mut streams = Vec::new();
            // In batches: the queue of a listener is short, and the system retries a connection
            // that does not fit only after a second.
            while streams.len() < options.connections {
                let batch = (options.connections - streams.len()).min(64);
                let tasks: Vec<_> = (0..batch).map(|_| executor.spawn(connect())).collect();
                for task in tasks {
                    streams.push(
                        task.await
                            .map_err(|error| explain(address, streams.len(), &error))?,
                    );
                }
            }
            Ok(streams)
        })
        .await
}

fn explain(address: SocketAddr, connected: usize, error: &io::Error) -> io::Error {
    let message = format!("connection {} to {address} failed: {error}", connected + 1);
    io::Error::new(error.kind(), message)
}

/// Sends requests on all connections for `options.duration`, or until all connections have failed.
pub(crate) fn run(mut streams: Vec<Async<TcpStream>>, options: &Options) -> io::Result<Load> {
    let started = Instant::now();
    let end = started + options.duration;
    let process_before = system::cpu(Spender::AllThreads);
    let done = AtomicUsize::new(0);

    let mut total = thread::scope(|scope| {
        let (sender, results) = mpsc::channel();
        let threads = options.threads.min(streams.len());
        for number in 0..threads {
            let share = streams.split_off(streams.len() - streams.len() / (threads - number));
            let (sender, done) = (sender.clone(), &done);
            let builder = thread::Builder::new().name(format!("load-{number}"));
            builder.spawn_scoped(scope, move || {
                // The receiver is gone only if a later thread failed to start. Then the result is
                // not needed.
                let _ = sender.send(run_thread(share, end, done, options));
            })?;
        }
        drop(sender);
        Ok::<_, io::Error>(report::progress(started, options.duration, &done, &results))
    })?;

    total.elapsed = started.elapsed();
    total.process_cpu = system::since(process_before, system::cpu(Spender::AllThreads));
    Ok(total)
}

fn run_thread(
    streams: Vec<Async<TcpStream>>,
    end: Instant,
    done: &AtomicUsize,
    options: &Options,
) -> Load {
    let before = system::cpu(Spender::ThisThread);
    let load = RefCell::new(Load::default());
    let executor = LocalExecutor::new();
    let clients: Vec<_> = (streams.into_iter().enumerate())
        .map(|(seed, stream)| executor.spawn(client(stream, seed, done, options, &load)))
        .collect();

    let all = async {
        for client in clients {
            client.await;
        }
    };
    // When the time is up, `all` is dropped with the tasks of the clients, which cancels their
    // waits.
    let time_is_up = async {
        Timer::at(end).await;
    };
    block_on(executor.run(future::or(time_is_up, all)));
    drop(executor);

    let mut load = load.into_inner();
    load.cpu = system::since(before, system::cpu(Spender::ThisThread));
    load
}

impl Default for Load {
    fn default() -> Self {
        // Three significant digits and at most one hour: about 200 kB per thread.
        let latencies = Histogram::new_with_max(3_600_000_000_000, 3);
        Load {
            latencies: latencies.expect("the bounds of the histogram are valid"),
            elapsed: Duration::ZERO,
            failed: 0,
            first_error: None,
            cpu: Some(Duration::ZERO),
            process_cpu: None,
        }
    }
}
