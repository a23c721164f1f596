//! Deadlines as one machine word.
//!
//! A `std::time::Instant` takes 16 bytes and two comparisons. The queue, the armed deadline and the decision "is this
//! earlier?" work on nanoseconds since the clock was made: 64 bits last for 584 years.

use std::time::{Duration, Instant};

/// Nanoseconds since the clock's base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline(u64);

impl Deadline {
    /// Later than every deadline that can be asked for.
    pub(crate) const NEVER: Deadline = Deadline(u64::MAX);

    /// The base of a clock is zero.
    pub(crate) const fn from_nanos(nanos: u64) -> Self {
        Deadline(nanos)
    }

    /// Returns the nanoseconds since the clock's base; `u64::MAX` for [`NEVER`](Deadline::NEVER).
    #[inline]
    pub(crate) const fn as_nanos(self) -> u64 {
        self.0
    }

    pub(crate) fn is_never(self) -> bool {
        self == Self::NEVER
    }

    pub(crate) fn plus(self, span: Duration) -> Self {
        Deadline(self.0.saturating_add(whole_nanos(span)))
    }

    /// How long from `now` until this deadline; zero if it has passed.
    pub(crate) fn after(self, now: Deadline) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(now.0))
    }
}

/// The base that deadlines are counted from. A plain value, so that a reactor can have its own time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    base: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Clock {
            base: Instant::now(),
        }
    }

    pub(crate) fn now(self) -> Deadline {
        self.deadline(Instant::now())
    }

    /// Instants before the base are due already, those beyond 584 years are just below [`Deadline::NEVER`].
    pub(crate) fn deadline(self, instant: Instant) -> Deadline {
        let since = instant.saturating_duration_since(self.base);
        Deadline(whole_nanos(since).min(u64::MAX - 1))
    }
}

fn whole_nanos(span: Duration) -> u64 {
    span.as_secs()
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::from(span.subsec_nanos()))
}

#[cfg(all(test, not(async_io_loom)))]
mod tests {
    use super::*;

    #[test]
    fn extremes_stay_in_range() {
        let clock = Clock::new();
        assert_eq!(clock.deadline(clock.base), Deadline::from_nanos(0));
        if let Some(before) = clock.base.checked_sub(Duration::from_secs(1)) {
            assert_eq!(clock.deadline(before), Deadline::from_nanos(0));
        }
        let far = clock.base + Duration::from_secs(1 << 40);
        assert!(clock.deadline(far) < Deadline::NEVER);
        assert_eq!(clock.now().plus(Duration::MAX), Deadline::NEVER);
        assert_eq!(
            Deadline::from_nanos(5).after(Deadline::from_nanos(7)),
            Duration::ZERO
        );
    }
}
