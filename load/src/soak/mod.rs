//! The soak test: ten thousand connections and a million timers at once, a hundred thousand short
//! connections, storms of cancellations, tasks that move between threads, and threads that enter
//! and leave `block_on`. It runs for a given time.
//!
//! The server is a separate process (see [`server`]). This process compares every byte, counts live
//! objects, and samples the memory of both processes. A failure is printed with the seed of the
//! run.

mod client;
mod count;
mod memory;
mod observe;
pub(crate) mod server;
mod timers;
mod watch;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use async_executor::Executor;
use async_io::{Reactor, Timer, block_on};
use fastrand::Rng;
use lexopt::prelude::*;

use crate::system;
use observe::{observe, sum_up, wait_until};
use watch::Watch;

/// Whether the run is ending, so that no new work may be started.
static STOP: AtomicBool = AtomicBool::new(false);

/// The number of threads that stay for the whole run, and of those that come and go beside them.
const THREADS: usize = 2;
const GUESTS: usize = 3;

/// The number of descriptors that are needed besides those of the connections.
const SPARE_DESCRIPTORS: u64 = 500;

/// The number of private reactors beside the global one.
const PRIVATE: usize = 2;

/// The number of descriptors that the library opens only when a reactor first needs a watcher.
const LAZY: usize = 3 * (1 + PRIVATE);

/// The number of concurrent short connections.
const SHORT_AT_ONCE: usize = 16;

/// The state that all tasks share.
struct Shared {
    port: u16,
    watch: Watch,
    connected: AtomicUsize,
    /// Closed when all connections are established.
    all_here: async_channel::Receiver<()>,
    failures: Mutex<Vec<String>>,
}

impl Shared {
    fn fail(&self, what: String) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.push(what);
    }

    fn check(&self) -> Result<(), String> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        match failures.first() {
            None => Ok(()),
            Some(first) => Err(format!("{} failures, the first: {first}", failures.len())),
        }
    }
}

struct Options {
    minutes: f64,
    connections: usize,
    timers: usize,
    short: u64,
    seed: u64,
}

pub(crate) fn run(args: &mut lexopt::Parser) -> Result<(), String> {
    let mut options = parse(args).map_err(|error| error.to_string())?;
    let limit = system::raise_descriptor_limit().saturating_sub(SPARE_DESCRIPTORS) as usize;
    if options.connections > limit {
        println!(
            "soak: the limit on descriptors allows {limit} connections, not {}",
            options.connections
        );
        options.connections = limit;
    }
    println!("soak: {} minutes, seed {}", options.minutes, options.seed);
    let (mut child, port) = start_server()?;
    let result = soak(&options, port, child.id());
    drop(child.stdin.take());
    let end = result.and_then(|sent| compare(&mut child, sent));
    if end.is_err() {
        // The server is not needed any more. It may have exited already.
        let _ = child.kill();
    }
    let _ = child.wait();
    end.map_err(|error| format!("{error} (seed {})", options.seed))
}

fn parse(args: &mut lexopt::Parser) -> Result<Options, lexopt::Error> {
    let mut options = Options {
        minutes: 1.0,
        connections: 10_000,
        timers: 1_000_000,
        short: 100_000,
        seed: fastrand::u64(..1_000_000_000),
    };
    while let Some(argument) = args.next()? {
        match argument {
            Long("minutes") => options.minutes = args.value()?.parse()?,
            Long("connections") => options.connections = args.value()?.parse()?,
            Long("timers") => options.timers = args.value()?.parse()?,
            Long("short") => options.short = args.value()?.parse()?,
            Long("seed") => options.seed = args.value()?.parse()?,
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}

fn start_server() -> Result<(Child, u16), String> {
    let failed = |error| format!("cannot start the server: {error}");
    let mut child = std::env::current_exe()
        .and_then(|program| {
            let mut command = Command::new(program);
            command
                .arg("soak-server")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
        })
        .map_err(failed)?;
    let port = line_of(&mut child)?;
    let port = port
        .strip_prefix("port ")
        .and_then(|port| port.parse().ok());
    let port = port.ok_or("the server did not print its port")?;
    Ok((child, port))
}

/// Returns the next line that the server prints. The server prints one line at a time, so no line
/// is lost when the buffer is dropped.
fn line_of(child: &mut Child) -> Result<String, String> {
    let mut line = String::new();
    let output = child.stdout.as_mut().ok_or("the server has no output")?;
    BufReader::new(output)
        .read_line(&mut line)
        .map_err(|error| error.to_string())?;
    Ok(line.trim_end().into())
}

/// Checks that the server has echoed everything that was sent and has no open connection.
fn compare(child: &mut Child, sent: u64) -> Result<(), String> {
    let line = line_of(child)?;
    println!("soak: server: {line}");
    let mut words = line.split(' ');
    let (echoed, open) = (words.nth(1), words.nth(3));
    if echoed.and_then(|number| number.parse().ok()) != Some(sent) || open != Some("0") {
        return Err(format!(
            "the server disagrees: {sent} bytes were sent, but it reports: {line}"
        ));
    }
    println!("soak: passed");
    Ok(())
}

/// Runs the test. Returns how many bytes were sent.
fn soak(options: &Options, port: u16, server: u32) -> Result<u64, String> {
    let own = std::process::id();
    // The library opens the descriptors that it keeps before the descriptors are counted.
    thread::spawn(|| block_on(Timer::after(Duration::from_millis(1))))
        .join()
        .map_err(|_| "the first thread panicked")?;
    let (all_come, all_here) = async_channel::bounded::<()>(1);
    let shared = Arc::new(Shared {
        port,
        watch: Watch::new(),
        connected: AtomicUsize::new(0),
        all_here,
        failures: Mutex::new(Vec::new()),
    });
    let executor = Arc::new(Executor::new());
    let (stop, stopped) = async_channel::bounded::<()>(1);
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    let mut reactors = vec![Reactor::global()];
    for _ in 0..PRIVATE {
        reactors.push(Reactor::new().map_err(|error| error.to_string())?);
    }
    for number in 0..THREADS {
        let (executor, stopped) = (executor.clone(), stopped.clone());
        // The tasks move between the threads, and create their objects on the reactor of either.
        let reactor = reactors[number % reactors.len()].clone();
        threads.push(thread::spawn(move || {
            let _ = reactor.block_on(executor.run(stopped.recv()));
        }));
    }
    let mut rng = Rng::with_seed(options.seed);
    wait_until(&shared, "the executor's threads", || true)?;
    let descriptors = (system::descriptors(own), system::descriptors(server));

    let start = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..options.connections {
        tasks.push(executor.spawn(client::steady(shared.clone(), rng.u64(..))));
        // No more connections may be pending at a time than the server's queue has room for.
        let begun = tasks.len();
        wait_until(&shared, "connections", || {
            begun < shared.connected.load(Ordering::Acquire) + 100
        })?;
    }
    wait_until(&shared, "all connections", || {
        shared.connected.load(Ordering::Acquire) == options.connections
    })?;
    let mut timers = Vec::with_capacity(options.timers);
    for _ in 0..options.timers {
        timers.push(executor.spawn(timers::one(shared.clone(), rng.u64(..))));
    }
    wait_until(&shared, "all timers", || {
        timers::ALIVE.load(Ordering::Acquire) == options.timers
    })?;
    let setting_up = start.elapsed().as_secs_f64();
    println!(
        "soak: {} connections, {} timers after {setting_up:.1} s",
        tasks.len(),
        timers.len()
    );

    drop(all_come);
    for _ in 0..GUESTS {
        let (executor, reactors, rng) = (executor.clone(), reactors.clone(), rng.fork());
        threads.push(thread::spawn(move || {
            come_and_go(&executor, &reactors, rng)
        }));
    }
    let storms = executor.spawn(timers::storms(shared.clone(), rng.u64(..)));
    for _ in 0..SHORT_AT_ONCE {
        let rounds = options.short / SHORT_AT_ONCE as u64;
        tasks.push(executor.spawn(short_ones(shared.clone(), rounds, rng.fork())));
    }
    observe(options, &shared, [own, server])?;

    STOP.store(true, Ordering::Release);
    wait_until(&shared, "the end of all connections", || {
        client::TASKS.load(Ordering::Acquire) == 0 && storms.is_finished()
    })?;
    drop((tasks, timers, storms));
    // The executor's threads drop the cancelled tasks.
    wait_until(&shared, "the end of all timers", || {
        timers::ALIVE.load(Ordering::Acquire) == 0
    })?;
    wait_until(&shared, "descriptors to be closed", || {
        let now = (system::descriptors(own), system::descriptors(server));
        now.0 <= descriptors.0.map(|it| it + LAZY) && now.1 <= descriptors.1.map(|it| it + LAZY)
    })?;
    drop(stop);
    for thread in threads {
        thread.join().map_err(|_| "a thread panicked")?;
    }
    drop(executor);
    for reactor in reactors.split_off(1) {
        reactor.close().map_err(|error| error.to_string())?;
    }
    sum_up(&shared, options)
}

async fn short_ones(shared: Arc<Shared>, rounds: u64, mut rng: Rng) {
    for _ in 0..rounds {
        if STOP.load(Ordering::Acquire) {
            return;
        }
        client::short(shared.clone(), rng.u64(..)).await;
    }
}

static VISITS: AtomicU64 = AtomicU64::new(0);

/// Starts one thread after another. Each enters one of the reactors, runs the executor for a moment or
/// waits for its own timer, and then ends.
fn come_and_go(executor: &Arc<Executor<'static>>, reactors: &[Reactor], mut rng: Rng) {
    while !STOP.load(Ordering::Acquire) {
        let (executor, span) = (executor.clone(), Duration::from_micros(rng.u64(1..20_000)));
        let reactor = reactors[rng.usize(..reactors.len())].clone();
        let runs = rng.bool();
        let guest = thread::spawn(move || {
            let timer = async { Timer::after(span).await };
            match runs {
                true => drop(reactor.block_on(executor.run(timer))),
                false => drop(reactor.block_on(timer)),
            }
        });
        if guest.join().is_ok() {
            VISITS.fetch_add(1, Ordering::Relaxed);
        }
    }
}
