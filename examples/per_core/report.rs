//! The output: the rate of each second, then a summary.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::connection::Counts;
use crate::load::Load;
use crate::options::Options;

/// Shows the progress, and watches the threads of this process.
pub(crate) struct Progress {
    started: Instant,
    last: (Instant, u64),
    /// The names of threads that a reactor has started. There must be none: each thread that waits
    /// is inside its own reactor.
    extra_threads: BTreeSet<String>,
}

impl Progress {
    pub(crate) fn new(started: Instant) -> Progress {
        Progress {
            started,
            last: (started, 0),
            extra_threads: BTreeSet::new(),
        }
    }

    pub(crate) fn update(&mut self, answered: u64) {
        self.extra_threads.extend(threads_of_reactors());
        let (now, (before, count)) = (Instant::now(), self.last);
        if now - before >= Duration::from_secs(1) {
            let rate = (answered - count) as f64 / (now - before).as_secs_f64();
            let elapsed = (now - self.started).as_secs_f64();
            println!("{elapsed:4.1} s  {rate:>8.0} requests/s");
            self.last = (now, answered);
        }
    }
}

/// Returns the names of the threads of this process that belong to reactors. Finds none if there is
/// no `/proc`.
fn threads_of_reactors() -> BTreeSet<String> {
    let threads = std::fs::read_dir("/proc/self/task");
    threads
        .into_iter()
        .flatten()
        // A thread may end before its name is read.
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .filter(|name| name == "async-io" || name.starts_with("async-io/"))
        .collect()
}

/// Prints the summary. Returns whether all requests were answered, and no reactor had a thread of
/// its own.
pub(crate) fn print(options: &Options, cores: &[Counts], load: &Load) -> bool {
    println!(
        "{:?}: {} connections, {} cores, {:.1?}",
        options.distribution, options.connections, options.cores, load.elapsed
    );
    println!("core  connections    requests");
    for (number, core) in cores.iter().enumerate() {
        println!(
            "{number:>4}  {:>11}  {:>10}",
            core.connections, core.requests
        );
    }
    let rate = load.answered as f64 / load.elapsed.as_secs_f64();
    println!(
        "{} requests sent, {} answered, {rate:.0} requests/s",
        load.sent, load.answered
    );
    if let Some(error) = load.errors.first() {
        println!(
            "FAILED: {} clients; first error: {error}",
            load.errors.len()
        );
    }
    let mut extra_threads = load.progress.extra_threads.clone();
    extra_threads.extend(threads_of_reactors());
    println!("threads of reactors: {extra_threads:?}");
    load.errors.is_empty() && load.sent == load.answered && extra_threads.is_empty()
}
