//! A histogram of lateness, in nanoseconds, the worst lateness of many threads, and the longest
//! operation of one thread.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::harness::Outcome;
use crate::harness::sample::Sample;
use crate::harness::system::waited_for_core;

/// The percentiles that are reported and drawn.
pub(crate) const PERCENTILES: [f64; 9] = [1.0, 10.0, 25.0, 50.0, 75.0, 90.0, 99.0, 99.9, 100.0];

pub(crate) struct Lateness(Histogram<u64>);

impl Lateness {
    pub(crate) fn new() -> Lateness {
        let histogram = Histogram::new_with_bounds(1, 60_000_000_000, 3);
        Lateness(histogram.expect("the bounds are valid"))
    }

    pub(crate) fn record(&mut self, late: Duration) {
        self.0.saturating_record((late.as_nanos() as u64).max(1));
    }

    /// Records how long ago `due` was. Returns an error if it is still ahead.
    pub(crate) fn since(&mut self, due: Instant) -> io::Result<()> {
        self.record(passed(due)?);
        Ok(())
    }

    /// Adds everything that another histogram has recorded.
    pub(crate) fn add(&mut self, other: &Lateness) -> Outcome<()> {
        Ok(self.0.add(&other.0)?)
    }

    /// Returns the percentiles as `NAME@PERCENTILE`, in microseconds.
    pub(crate) fn sample(&self, name: &str) -> Sample {
        let figures = PERCENTILES.into_iter().map(|percentile| {
            let value = self.0.value_at_quantile(percentile / 100.0) as f64 / 1000.0;
            (format!("{name}@{percentile}"), value)
        });
        Sample(figures.collect())
    }
}

/// The worst lateness and the mean lateness of many threads. A histogram for each would not fit
/// into the memory.
#[derive(Debug, Default)]
pub(crate) struct Worst {
    start: OnceLock<Instant>,
    worst_ns: AtomicU64,
    sum_ns: AtomicU64,
    count: AtomicU64,
}

impl Worst {
    /// Starts to record. Events that were due before are not recorded.
    pub(crate) fn start(&self) {
        self.start.get_or_init(Instant::now);
    }

    /// Records how long ago `due` was. Returns an error if it is still ahead.
    pub(crate) fn record(&self, due: Instant) -> io::Result<()> {
        let late = passed(due)?.as_nanos() as u64;
        if self.start.get().is_some_and(|start| due >= *start) {
            self.worst_ns.fetch_max(late, Ordering::Relaxed);
            self.sum_ns.fetch_add(late, Ordering::Relaxed);
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Returns the worst and the mean lateness, in microseconds.
    pub(crate) fn sample(&self) -> Sample {
        let worst = self.worst_ns.load(Ordering::Relaxed) as f64;
        let count = self.count.load(Ordering::Relaxed).max(1) as f64;
        let mean = self.sum_ns.load(Ordering::Relaxed) as f64 / count;
        Sample::of("worst_us", worst / 1000.0).with("mean_us", mean / 1000.0)
    }
}

/// The longest operation of one thread.
#[derive(Debug)]
pub(crate) struct Stall {
    /// The longest operation.
    pub(crate) whole: Duration,
    /// The longest operation, less the time for which the thread was runnable without a core.
    pub(crate) own: Duration,
    waited: Duration,
}

impl Stall {
    /// Shorter operations are not looked at. Reading the waiting time takes several microseconds.
    const LEAST: Duration = Duration::from_micros(50);

    pub(crate) fn new() -> io::Result<Stall> {
        Ok(Stall {
            whole: Duration::ZERO,
            own: Duration::ZERO,
            waited: waited_for_core()?,
        })
    }

    /// Records an operation. Returns when the next one starts.
    pub(crate) fn record(&mut self, start: Instant, end: Instant) -> io::Result<Instant> {
        let took = end - start;
        if took < Stall::LEAST {
            return Ok(end);
        }
        let waited = waited_for_core()?;
        let own = took.saturating_sub(waited - self.waited);
        self.waited = waited;
        self.whole = self.whole.max(took);
        self.own = self.own.max(own);
        Ok(Instant::now())
    }
}

/// Returns how long ago `due` was. Returns an error if it is still ahead.
fn passed(due: Instant) -> io::Result<Duration> {
    let now = Instant::now();
    now.checked_duration_since(due).ok_or_else(|| {
        let early = due - now;
        io::Error::other(format!("an event was observed {early:?} before its time"))
    })
}
