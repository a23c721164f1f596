//! Threads that repeat an operation, and the rate of all of them together.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::Outcome;
use crate::harness::sample::Sample;
use crate::harness::system::cores;
use crate::harness::usage::Moment;

/// The stack of a measured thread. Thousands of them must fit into the memory.
const STACK: usize = 256 * 1024;

/// What one thread has done so far, on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Progress {
    done: AtomicU64,
    stops: AtomicBool,
}

impl Progress {
    /// Adds `count` operations. Returns whether the thread must continue.
    pub(crate) fn add(&self, count: u64) -> bool {
        // Only one thread writes, so that no atomic addition is needed.
        let done = self.done.load(Ordering::Relaxed);
        self.done.store(done + count, Ordering::Relaxed);
        !self.stops.load(Ordering::Relaxed)
    }
}

/// The progress of all threads.
pub(crate) struct Team<'a>(&'a [Progress]);

impl Team<'_> {
    /// Returns the number of operations of all threads so far.
    pub(crate) fn done(&self) -> u64 {
        let done = self.0.iter().map(|it| it.done.load(Ordering::Relaxed));
        done.sum()
    }

    /// Waits until every thread has made at least one operation.
    fn wait_until_all_run(&self) {
        let runs = |it: &Progress| it.done.load(Ordering::Relaxed) > 0;
        while !self.0.iter().all(runs) {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Returns the operations per second during `window`.
    pub(crate) fn rate(&self, window: Duration) -> f64 {
        let (before, start) = (self.done(), Instant::now());
        thread::sleep(window);
        (self.done() - before) as f64 / start.elapsed().as_secs_f64()
    }

    /// Returns the operations per second during `window` as `rate`, and what the process used per
    /// operation.
    pub(crate) fn spend(&self, window: Duration) -> Sample {
        let (before, start) = (self.done(), Moment::now());
        thread::sleep(window);
        let spent = start.spent();
        let done = self.done() - before;
        let rate = done as f64 / spent.wall_ns * 1e9;
        spent.per(done).with("rate", rate)
    }
}

/// Stops the threads, also if the observation panics: the scope waits for them.
struct Stop<'a>(&'a [Progress]);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        for progress in self.0 {
            progress.stops.store(true, Ordering::Relaxed);
        }
    }
}

/// Runs `work` on `threads` threads. Calls `observe` when each of them has made an operation, and
/// stops them when it returns. Fails if the system refuses a thread, or if a thread fails.
pub(crate) fn observe<T>(
    threads: u64,
    work: impl Fn(u64, &Progress) -> Outcome<()> + Sync,
    observe: impl FnOnce(&Team<'_>) -> T,
) -> Outcome<T> {
    let mut progress = Vec::new();
    progress.resize_with(threads as usize, Progress::default);
    let work = &work;
    thread::scope(|scope| {
        let stop = Stop(&progress);
        let mut running = Vec::with_capacity(progress.len());
        for (index, progress) in (0..).zip(&progress) {
            let builder = thread::Builder::new().stack_size(STACK);
            let started = builder.spawn_scoped(scope, move || {
                let result = work(index, progress);
                // A failed thread must not keep the observer waiting.
                progress.done.fetch_max(1, Ordering::Relaxed);
                result
            });
            let refused =
                |error| format!("the system refuses thread {index} of {threads}: {error}");
            running.push(started.map_err(refused)?);
        }
        let team = Team(&progress);
        team.wait_until_all_run();
        let observed = observe(&team);
        drop(stop);
        for thread in running {
            thread.join().map_err(|_| "a measured thread panicked")??;
        }
        Ok(observed)
    })
}

/// Returns the rate of an operation by the number of threads, as `rate@THREADS`.
pub(crate) fn rates(
    counts: &[u64],
    window: Duration,
    work: impl Fn(u64, &Progress) -> Outcome<()> + Sync,
) -> Outcome<Sample> {
    let mut sample = Sample::default();
    for &threads in counts {
        let rate = observe(threads, &work, |team| team.rate(window))?;
        sample = sample.with(&format!("rate@{threads}"), rate);
    }
    Ok(sample)
}

/// Returns these numbers of threads, and the number of cores that this process may use.
pub(crate) fn and_all_cores(counts: &[u64]) -> Outcome<Vec<u64>> {
    let mut counts = counts.to_vec();
    counts.push(all_cores()? as u64);
    counts.sort_unstable();
    counts.dedup();
    Ok(counts)
}

/// Returns the number of cores that this process may use.
pub(crate) fn all_cores() -> Outcome<usize> {
    Ok(cores()?.len())
}

/// Multiplies numbers. Threads that do this share nothing, so their rate shows how well the machine
/// itself scales.
pub(crate) fn multiply(progress: &Progress) -> Outcome<()> {
    let mut number = std::hint::black_box(3_u64);
    while progress.add(1024) {
        for _ in 0..1024 {
            number = number.wrapping_mul(6_364_136_223_846_793_005) ^ 1;
        }
        number = std::hint::black_box(number);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{multiply, observe, rates};

    #[test]
    fn each_thread_works_until_it_is_stopped() {
        let done = observe(3, |_, progress| multiply(progress), |team| team.done()).unwrap();
        assert!(done >= 3 * 1024);
    }

    #[test]
    fn a_failed_thread_fails_the_measurement() {
        let window = Duration::from_millis(1);
        assert!(rates(&[2], window, |_, _| Err("no".into())).is_err());
    }
}
