//! Missed ticks of an interval, the deadline and period of a timer, and timers in `select!`. (The unit
//! tests of `timer/ticks.rs` compare the policies with a naive model.)

mod support;

use std::task::Poll;
use std::time::{Duration, Instant};

use async_io::{MissedTicks, Timer, block_on};
use futures_util::future::FusedFuture;
use futures_util::select;
use futures_util::stream::{FusedStream, StreamExt};
use proptest::prelude::*;
use static_assertions::assert_impl_all;
use support::*;

const PERIOD: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(5);

assert_impl_all!(Timer: FusedFuture, FusedStream);

fn is_terminated(timer: &Timer) -> bool {
    FusedFuture::is_terminated(timer)
}

const POLICIES: [MissedTicks; 3] = [MissedTicks::Burst, MissedTicks::Delay, MissedTicks::Skip];

proptest! {
    /// The interval has begun some periods ago. A long period makes the present a single point.
    #[test]
    fn late_tick_is_yielded_as_scheduled_and_the_next_one_follows_the_policy(
        policy in proptest::sample::select(&POLICIES[..]),
        missed in 1..8u32,
    ) {
        let begun = Instant::now();
        let Some(start) = begun.checked_sub(missed * PERIOD + PERIOD / 2) else {
            return Ok(());
        };
        let mut timer = Timer::interval_at(start, PERIOD);
        timer.set_missed_ticks(policy);
        prop_assert_eq!(block_on(timer.next()), Some(start));
        let ended = Instant::now();
        let next = timer.deadline().unwrap();
        match policy {
            MissedTicks::Delay => {
                prop_assert!(begun + PERIOD <= next && next <= ended + PERIOD);
            }
            MissedTicks::Skip => prop_assert_eq!(next, start + (missed + 1) * PERIOD),
            _ => prop_assert_eq!(next, start + PERIOD),
        }
    }
}

#[test]
fn burst_yields_each_missed_tick_at_once() {
    guarded(|| {
        let Some(start) = Instant::now().checked_sub(3 * PERIOD + PERIOD / 2) else {
            return; // Some systems have no instants before their start.
        };
        let mut timer = Timer::interval_at(start, PERIOD);
        assert_eq!(timer.missed_ticks(), MissedTicks::default());
        for tick in 0..=3 {
            assert_eq!(block_on(timer.next()), Some(start + tick * PERIOD));
        }
        assert!(timer.deadline().unwrap() > Instant::now());
    });
}

#[test]
fn ticks_in_time_do_not_drift_whatever_the_policy() {
    guarded(|| {
        for policy in POLICIES {
            // So long that no tick is missed, even on a busy machine.
            let period = Duration::from_secs(2);
            let start = Instant::now();
            let mut timer = Timer::interval_at(start, period);
            timer.set_missed_ticks(policy);
            std::thread::sleep(SHORT);
            assert_eq!(block_on(timer.next()), Some(start));
            assert_eq!(timer.deadline(), Some(start + period));
        }
    });
}

#[test]
fn policy_stays_when_the_timer_is_set_again() {
    let mut timer = Timer::never();
    timer.set_missed_ticks(MissedTicks::Skip);
    timer.set_interval(PERIOD);
    timer.set_interval_at(Instant::now(), PERIOD);
    timer.set_after(PERIOD);
    timer.clear();
    assert_eq!(timer.missed_ticks(), MissedTicks::Skip);
}

#[test]
fn deadline_and_period_are_those_that_were_set() {
    let now = Instant::now();
    let mut timer = Timer::never();
    assert_eq!((timer.deadline(), timer.period()), (None, None));
    timer.set_at(now);
    assert_eq!((timer.deadline(), timer.period()), (Some(now), None));
    for period in [Duration::ZERO, Duration::new(u64::MAX, 1), PERIOD] {
        timer.set_interval_at(now, period);
        assert_eq!(
            (timer.deadline(), timer.period()),
            (Some(now), Some(period))
        );
    }
    assert_eq!(block_on(timer.next()), Some(now));
    assert_eq!(timer.deadline(), Some(now + PERIOD));
    timer.clear();
    assert_eq!((timer.deadline(), timer.period()), (None, Some(PERIOD)));
    assert_eq!(Timer::interval(Duration::MAX).period(), None);
    // Out of range: the timer is cleared and keeps its period.
    timer.set_interval(Duration::MAX);
    assert_eq!((timer.deadline(), timer.period()), (None, Some(PERIOD)));
}

#[test]
fn timer_takes_at_most_one_cache_line() {
    let has_wide_words = size_of::<usize>() == 8;
    assert!(!has_wide_words || size_of::<Timer>() <= 64);
}

#[test]
fn future_is_terminated_from_its_last_event_until_it_is_set() {
    guarded(|| {
        let now = Instant::now();
        let mut timer = Timer::never();
        assert!(!is_terminated(&timer));
        timer.set_at(now);
        assert!(!is_terminated(&timer));
        block_on(&mut timer);
        assert!(is_terminated(&timer));
        timer.clear();
        assert!(!is_terminated(&timer));
        timer.set_at(now);
        block_on(&mut timer);
        timer.set_after(SHORT);
        assert!(!is_terminated(&timer));
        block_on(&mut timer);
        assert!(is_terminated(&timer));
        timer.set_interval(SHORT);
        block_on(&mut timer);
        assert!(!is_terminated(&timer));
        // An interval with one event: the next one is out of range.
        timer.set_interval_at(now, Duration::MAX);
        block_on(&mut timer);
        assert!(is_terminated(&timer));
        assert!(!FusedStream::is_terminated(&timer));
    });
}

#[test]
fn select_in_a_loop_needs_no_fuse() {
    guarded(|| {
        let (ticks, timeouts) = block_on(async {
            let (mut ticks, mut timeouts) = (0, 0);
            let mut interval = Timer::interval(SHORT);
            let mut timeout = Timer::after(4 * SHORT);
            loop {
                select! {
                    _ = interval.select_next_some() => {
                        ticks += 1;
                        if ticks == 20 {
                            break;
                        }
                    }
                    // Terminated after its event: it is not polled again.
                    _ = timeout => timeouts += 1,
                }
            }
            (ticks, timeouts)
        });
        assert_eq!((ticks, timeouts), (20, 1));
    });
}

#[test]
fn select_waits_for_a_timer_that_is_not_set() {
    guarded(|| {
        let mut unset = Timer::never();
        let mut cleared = Timer::after(SHORT);
        cleared.clear();
        let selected = poll_now(async {
            select! {
                _ = unset => "a timer that was never set",
                _ = cleared => "a timer that was cleared",
                complete => "a terminated timer",
            }
        });
        assert_eq!(selected, Poll::Pending);
    });
}
