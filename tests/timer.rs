//! When timers fire, and what they return. (`timer_wakers.rs` tests which tasks they wake.)
//!
//! Not tested here: that an interval timer keeps its period when `set_after` or `set_at` sets its
//! deadline; and whether an insertion notifies the poller, which is a matter of performance.

mod support;

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_io::Timer;
use futures_lite::{Stream, StreamExt};
use support::*;

fn poll_next(timer: &mut Timer) -> Poll<Option<Instant>> {
    Pin::new(timer).poll_next(&mut Context::from_waker(Waker::noop()))
}

/// Returns the instant of a tick that is already due.
#[track_caller]
fn due_tick(timer: &mut Timer) -> Instant {
    ready(poll_next(timer)).expect("a timer's stream has no end")
}

/// Longer than a test runs. Ten ticks must lie in the past even on a machine that has just been
/// started: some systems have no instant before that.
const TICK: Duration = Duration::from_secs(10);

fn past(ago: Duration) -> Instant {
    Instant::now().checked_sub(ago).unwrap()
}

/// Timers never fire early, whatever the duration.
#[test]
fn timers_are_never_early() {
    guarded(|| {
        for nanos in [
            0, 1, 999, 1_000, 100_000, 900_000, 1_000_000, 1_500_001, 20_000_000,
        ] {
            let duration = Duration::from_nanos(nanos);
            for _ in 0..5 {
                let before = Instant::now();
                foreign(Timer::after(duration));
                assert!(before.elapsed() >= duration, "{duration:?}");

                let deadline = Instant::now() + duration;
                async_io::block_on(Timer::at(deadline));
                assert!(Instant::now() >= deadline, "{duration:?}");
            }
        }
    });
}

/// Deadlines below one millisecond are met. (On a busy machine the test repeats until one is.)
#[cfg(not(polling_test_poll_backend))]
#[test]
fn short_timers_are_short() {
    guarded(|| {
        for runner in Runner::BOTH {
            loop {
                let before = Instant::now();
                runner.block_on(Timer::after(Duration::from_micros(100)));
                if before.elapsed() < Duration::from_millis(1) {
                    break;
                }
            }
        }
    });
}

/// The future and the stream return the scheduled instant, not the current time.
#[test]
fn the_value_is_the_scheduled_instant() {
    guarded(|| {
        let soon = Instant::now() + Duration::from_millis(5);
        assert_eq!(foreign(Timer::at(soon)), soon);
        let earlier = past(Duration::from_secs(1));
        assert_eq!(foreign(Timer::at(earlier)), earlier);
        assert_eq!(foreign(Timer::at(earlier).next()), Some(earlier));

        let duration = Duration::from_millis(3);
        let before = Instant::now();
        let timer = Timer::after(duration);
        let after = Instant::now();
        let value = foreign(timer);
        assert!(before + duration <= value && value <= after + duration);
    });
}

/// A timer that is due is ready in the first poll. That holds for the past and for the current
/// instant.
#[test]
fn a_due_timer_needs_one_poll() {
    for instant in [Instant::now(), past(TICK)] {
        assert_eq!(ready(poll_now(Timer::at(instant))), instant);
        assert_eq!(due_tick(&mut Timer::at(instant)), instant);
    }
    assert!(poll_now(Timer::after(Duration::ZERO)).is_ready());
    let soon = Instant::now() + Duration::from_micros(50);
    let mut timer = Timer::at(soon);
    while Instant::now() < soon {
        std::hint::spin_loop();
    }
    assert_eq!(ready(poll(&mut timer, Waker::noop())), soon);
}

/// A timer from `never`, or with a duration that overflows, never fires, and `will_fire` returns
/// false.
#[test]
fn what_overflows_never_fires() {
    let max = Duration::MAX;
    let mut timers = [Timer::never(), Timer::after(max), Timer::interval(max)];
    for timer in &mut timers {
        assert!(!timer.will_fire());
        assert!(poll(timer, Waker::noop()).is_pending());
        assert!(poll_next(timer).is_pending());
        assert!(!timer.will_fire());
    }
}

/// Setters that overflow act like `clear`.
#[test]
fn setters_that_overflow_clear() {
    let setters: [fn(&mut Timer); 3] = [
        |timer| timer.set_after(Duration::MAX),
        |timer| timer.set_interval(Duration::MAX),
        Timer::clear,
    ];
    for set in setters {
        let mut timer = Timer::at(past(TICK));
        assert!(timer.will_fire());
        set(&mut timer);
        assert!(!timer.will_fire());
        assert!(poll(&mut timer, Waker::noop()).is_pending());

        // The timer can be set again.
        let instant = past(TICK);
        timer.set_at(instant);
        assert!(timer.will_fire());
        assert_eq!(due_tick(&mut timer), instant);
    }
}

/// A distant deadline, even one that the system cannot represent, is neither due nor an error.
#[test]
fn distant_deadlines_are_possible() {
    guarded(|| {
        for seconds in [1 << 22, 1 << 32, 1 << 40, 1 << 55, i64::MAX as u64 / 2] {
            let mut timer = Timer::after(Duration::from_secs(seconds));
            assert!(timer.will_fire(), "{seconds}");
            assert!(poll(&mut timer, Waker::noop()).is_pending());
            settle();
            assert!(poll(&mut timer, Waker::noop()).is_pending());
        }
    });
}

/// `after` and `at` fire once. Afterwards the timer is pending forever, as a future and as a
/// stream.
#[test]
fn one_shot_timers_fire_once() {
    guarded(|| {
        let soon = Duration::from_millis(1);
        let waited = [Timer::after(soon), Timer::at(Instant::now() + soon)];
        let due = [Timer::after(Duration::ZERO), Timer::at(past(TICK))];
        for mut timer in waited.into_iter().chain(due) {
            assert!(timer.will_fire());
            foreign(&mut timer);
            let (counter, waker) = Counter::new();
            for _ in 0..2 {
                assert!(!timer.will_fire());
                assert!(poll(&mut timer, &waker).is_pending());
                assert!(poll_next(&mut timer).is_pending());
            }
            settle();
            assert_eq!(counter.wakes(), 0);
            drop(timer);
            assert_eq!(counter.held(1), 0);
        }
    });
}

/// `interval(p)` first fires after `p`, and `interval_at(s, p)` first fires at `s`. Each tick is
/// `p` after the previous one, without drift.
#[test]
fn intervals_do_not_drift() {
    guarded(|| {
        let period = Duration::from_millis(2);
        let before = Instant::now();
        let mut timer = Timer::interval(period);
        let after = Instant::now();
        let first = foreign(timer.next()).unwrap();
        assert!(before + period <= first && first <= after + period);
        for n in 1..10 {
            assert!(timer.will_fire());
            let tick = foreign(timer.next()).unwrap();
            assert_eq!(tick, first + n * period);
            assert!(Instant::now() >= tick);
        }

        let start = Instant::now() + period;
        let mut timer = Timer::interval_at(start, period);
        for n in 0..5 {
            assert_eq!(foreign(timer.next()), Some(start + n * period));
        }
        // As a future it returns the next tick.
        assert_eq!(foreign(&mut timer), start + 5 * period);
        assert!(timer.will_fire());
    });
}

/// Missed ticks are neither skipped nor merged.
#[test]
fn missed_ticks_are_delivered() {
    let start = past(10 * TICK);
    let mut timer = Timer::interval_at(start, TICK);
    for n in 0..=10 {
        assert!(timer.will_fire());
        assert_eq!(due_tick(&mut timer), start + n * TICK);
    }
    assert!(poll_next(&mut timer).is_pending());
    assert!(timer.will_fire());
}

/// A tick is the last one if the instant of the next one would overflow.
#[test]
fn an_overflowing_interval_ends() {
    let start = past(TICK);
    let mut timer = Timer::interval_at(start, Duration::MAX);
    assert!(timer.will_fire());
    assert_eq!(due_tick(&mut timer), start);
    assert!(!timer.will_fire());
    assert!(poll_next(&mut timer).is_pending());
}

/// With a period of zero every poll is ready.
#[test]
fn an_interval_of_zero_is_always_due() {
    let start = past(TICK);
    let mut timer = Timer::interval_at(start, Duration::ZERO);
    for _ in 0..100 {
        assert_eq!(due_tick(&mut timer), start);
        assert!(timer.will_fire());
    }
    let mut timer = Timer::interval(Duration::ZERO);
    for _ in 0..100 {
        due_tick(&mut timer);
    }
}

/// Each setter has the same effect as the constructor of the same name.
#[test]
fn setters_replace_the_schedule() {
    let start = past(2 * TICK);
    let mut timer = Timer::never();
    timer.set_at(start);
    assert_eq!(due_tick(&mut timer), start);
    assert!(poll_next(&mut timer).is_pending());

    timer.set_interval_at(start, TICK);
    for n in 0..=2 {
        assert_eq!(due_tick(&mut timer), start + n * TICK);
    }
    assert!(poll_next(&mut timer).is_pending());

    timer.set_after(Duration::ZERO);
    assert!(due_tick(&mut timer) >= start + 2 * TICK);

    timer.set_interval(HOUR);
    assert!(timer.will_fire());
    assert!(poll_next(&mut timer).is_pending());

    // The previous schedule is discarded.
    let mut timer = Timer::at(start);
    timer.set_after(HOUR);
    assert!(poll_next(&mut timer).is_pending());
}

/// `set_after` and `set_interval` count from the call.
#[test]
fn setters_are_never_early() {
    guarded(|| {
        let duration = Duration::from_millis(3);
        let setters: [fn(&mut Timer, Duration); 2] = [Timer::set_after, Timer::set_interval];
        for set in setters {
            let mut timer = Timer::at(past(TICK));
            let before = Instant::now();
            set(&mut timer, duration);
            let value = foreign(&mut timer);
            assert!(value >= before + duration && Instant::now() >= value);
        }
    });
}

/// The `Debug` output is that of a struct named `Timer`.
#[test]
fn debug_names_the_type() {
    for timer in [Timer::never(), Timer::after(HOUR), Timer::interval(HOUR)] {
        let text = format!("{timer:?}");
        assert!(text.starts_with("Timer {"), "{text}");
    }
}
