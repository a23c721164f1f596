//! The deadlines of an interval: which one follows the tick that is due. Pure: reads no clock.

use std::time::{Duration, Instant};

/// What an interval does about ticks that its task was too late for.
///
/// A tick is *missed* if the tick after it is already due when it is yielded. Without missed ticks
/// all policies are the same: each tick is due one period after the previous one was due, however
/// late that one was yielded. A timer always yields the instant that a tick was scheduled for.
///
/// These are the ticks of an interval of 10 ms, if its task is busy until 35 ms:
///
/// | policy | yielded at once, at 35 ms | yielded later |
/// |---|---|---|
/// | [`Burst`](MissedTicks::Burst) | 10, 20, 30 | 40, 50, 60 |
/// | [`Delay`](MissedTicks::Delay) | 10 | 45, 55, 65 |
/// | [`Skip`](MissedTicks::Skip) | 10 | 40, 50, 60 |
///
/// # Examples
///
/// ```
/// use async_io::{MissedTicks, Timer};
/// use futures_lite::StreamExt;
/// use std::time::Duration;
///
/// async_io::block_on(async {
///     let period = Duration::from_millis(10);
///     let mut frames = Timer::interval(period);
///     frames.set_missed_ticks(MissedTicks::Skip);
///     let first = frames.next().await.unwrap();
///     std::thread::sleep(Duration::from_millis(25));
///     // The second tick is late, and at least one is skipped. The phase stays.
///     let _second = frames.next().await.unwrap();
///     let third = frames.next().await.unwrap();
///     assert!(third - first > 2 * period);
///     assert_eq!((third - first).as_nanos() % period.as_nanos(), 0);
/// });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MissedTicks {
    /// Yields all missed ticks one after the other, without waiting. No tick is lost, so the number
    /// of ticks tells the time that has passed.
    #[default]
    Burst,
    /// Drops the missed ticks. The next tick is due one period after the late one was yielded. A tick
    /// that is late by less than one period delays nothing, because none was missed.
    Delay,
    /// Drops the missed ticks. The next tick is due at the next multiple of the period from the
    /// start of the interval.
    Skip,
}

/// When a timer fires again.
///
/// The period is stored in parts, because a `Duration` has unused bytes in which nothing else can
/// be stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticks {
    secs: u64,
    nanos: u32,
    pub(super) missed: MissedTicks,
    /// Whether the latest event was the last one.
    pub(super) ended: bool,
}

impl Ticks {
    /// Those of a timer that fires once.
    pub(super) const ONCE: Ticks = Ticks::every(Duration::MAX);

    /// With the period `Duration::MAX` there is one event.
    pub(super) const fn every(period: Duration) -> Ticks {
        Ticks {
            secs: period.as_secs(),
            nanos: period.subsec_nanos(),
            missed: MissedTicks::Burst,
            ended: false,
        }
    }

    pub(super) fn set_period(&mut self, period: Duration) {
        self.secs = period.as_secs();
        self.nanos = period.subsec_nanos();
    }

    pub(super) fn period(&self) -> Duration {
        Duration::new(self.secs, self.nanos)
    }

    /// Returns when the tick after `due` is due, if `due` is yielded at `now`. Returns `None` if
    /// that is out of the range of `Instant`.
    #[inline]
    pub(super) fn after(&self, due: Instant, now: Instant) -> Option<Instant> {
        let period = self.period();
        // Very early instants can be that far apart.
        if period == Duration::MAX {
            return None;
        }
        let next = due.checked_add(period)?;
        if next > now || self.missed == MissedTicks::Burst {
            return Some(next);
        }
        self.after_missed(due, now, period)
    }

    #[cold]
    fn after_missed(&self, due: Instant, now: Instant, period: Duration) -> Option<Instant> {
        let late = now.saturating_duration_since(due);
        let past = match self.missed {
            MissedTicks::Skip => remainder(late, period),
            _ => Duration::ZERO,
        };
        now.checked_add(period - past)
    }
}

/// Returns the rest of a division, or zero if the divisor is zero.
fn remainder(dividend: Duration, divisor: Duration) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    let rest = dividend.as_nanos().checked_rem(divisor.as_nanos());
    let rest = rest.unwrap_or(0);
    // Smaller than the divisor, so the seconds fit.
    Duration::new((rest / SECOND) as u64, (rest % SECOND) as u32)
}

#[cfg(all(test, not(async_io_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Finds the next tick by walking from one multiple of the period to the next.
    fn naive(policy: MissedTicks, start: u64, due: u64, now: u64, period: u64) -> u64 {
        let missed = due + period <= now;
        match policy {
            MissedTicks::Delay if missed => now + period,
            MissedTicks::Skip if missed => {
                let mut tick = start;
                while tick <= now {
                    tick += period;
                }
                tick
            }
            _ => due + period,
        }
    }

    const POLICIES: [MissedTicks; 3] = [MissedTicks::Burst, MissedTicks::Delay, MissedTicks::Skip];

    proptest! {
        #[test]
        fn ticks_with_stalls_are_those_of_a_naive_model(
            policy in proptest::sample::select(&POLICIES[..]),
            period in 1..50u64,
            stalls in proptest::collection::vec((0..4u8, 0..300u64), 1..60),
        ) {
            let base = Instant::now();
            let at = |nanos| base + Duration::from_nanos(nanos);
            let mut ticks = Ticks::every(Duration::from_nanos(period));
            ticks.missed = policy;
            // The start, for `Skip`, which keeps its phase. With the other policies it is not used.
            let (mut due, mut now) = (period, 0);
            for (kind, stall) in stalls {
                // Most polls are on time. A timer is never early.
                now = due.max(now) + if kind == 0 { stall } else { 0 };
                let next = ticks.after(at(due), at(now));
                due = naive(policy, 0, due, now, period);
                prop_assert_eq!(next, Some(at(due)));
            }
        }
    }

    #[test]
    fn period_of_zero_is_always_due() {
        let now = Instant::now();
        let due = now.checked_sub(Duration::from_secs(1)).unwrap_or(now);
        for missed in POLICIES {
            let mut ticks = Ticks::every(Duration::ZERO);
            ticks.missed = missed;
            assert!(ticks.after(due, now).is_some_and(|next| next <= now));
        }
    }

    #[test]
    fn tick_out_of_range_is_the_last_one() {
        let now = Instant::now();
        for missed in POLICIES {
            let mut ticks = Ticks::ONCE;
            ticks.missed = missed;
            assert_eq!(ticks.period(), Duration::MAX);
            assert_eq!(ticks.after(now, now), None);
        }
    }
}
