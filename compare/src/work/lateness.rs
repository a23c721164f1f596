//! A histogram of lateness, in nanoseconds.

use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::harness::sample::Sample;

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
        let now = Instant::now();
        if now < due {
            let early = due - now;
            return Err(io::Error::other(format!(
                "an event was observed {early:?} before its time"
            )));
        }
        self.record(now - due);
        Ok(())
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
