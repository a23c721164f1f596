//! Deadlines in one machine word.
//!
//! A `std::time::Instant` takes 16 bytes, and comparing two takes two comparisons. The queue, the
//! programmed deadline and the question "is this earlier?" use nanoseconds since the clock was
//! created. 64 bits last for 584 years.

use crate::core::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Nanoseconds since the clock's base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline(u64);

impl Deadline {
    /// A deadline that is later than every deadline that can be requested.
    pub(crate) const NEVER: Deadline = Deadline(u64::MAX);

    /// Creates a deadline from nanoseconds since the clock's base.
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

    /// Returns the time from `now` until this deadline, or zero if it has passed.
    pub(crate) fn after(self, now: Deadline) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(now.0))
    }
}

/// A deadline that threads share.
#[derive(Debug)]
pub(crate) struct AtomicDeadline(imp::Word);

impl AtomicDeadline {
    pub(crate) fn new(deadline: Deadline) -> Self {
        AtomicDeadline(imp::Word::new(deadline.0))
    }

    #[inline]
    pub(crate) fn load(&self, ordering: Ordering) -> Deadline {
        Deadline(self.0.load(ordering))
    }

    #[inline]
    pub(crate) fn store(&self, deadline: Deadline, ordering: Ordering) {
        self.0.store(deadline.0, ordering);
    }
}

#[cfg(target_has_atomic = "64")]
mod imp {
    pub(super) type Word = crate::core::sync::atomic::AtomicU64;
}

#[cfg(not(target_has_atomic = "64"))]
mod imp {
    use crate::core::sync::Mutex;
    use crate::core::sync::atomic::Ordering;

    /// A lock orders at least as much as any ordering asks for: of two accesses, the later one sees
    /// everything that was done before the earlier one.
    #[derive(Debug)]
    pub(super) struct Word(Mutex<u64>);

    impl Word {
        pub(super) fn new(value: u64) -> Self {
            Word(Mutex::new(value))
        }

        pub(super) fn load(&self, _ordering: Ordering) -> u64 {
            *self.0.lock()
        }

        pub(super) fn store(&self, value: u64, _ordering: Ordering) {
            *self.0.lock() = value;
        }
    }
}

/// The base that deadlines are counted from. A plain value, so that each reactor can have its own
/// time.
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

    /// Converts a deadline to an instant. Returns `None` for [`Deadline::NEVER`], and for a deadline
    /// out of the range of [`Instant`].
    pub(crate) fn instant(self, deadline: Deadline) -> Option<Instant> {
        let since = Duration::from_nanos(deadline.0);
        self.base
            .checked_add(since)
            .filter(|_| !deadline.is_never())
    }

    /// Converts an instant to a deadline. Instants before the base are already due. Instants more
    /// than 584 years after it become the last deadline before [`Deadline::NEVER`].
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
        assert_eq!(clock.instant(Deadline::from_nanos(0)), Some(clock.base));
        assert_eq!(clock.instant(Deadline::NEVER), None);
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
