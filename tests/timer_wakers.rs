//! Which tasks timers wake, and which wakers they keep.
//!
//! Not tested here: whether a timer that has never had a deadline keeps the waker of its task.
//! async-io 2.6 does not keep it; keeping it is also permitted.

mod support;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_io::Timer;
use futures_lite::{Stream, StreamExt};
use support::*;

const SOON: Duration = Duration::from_millis(3);

fn poll_next(timer: &mut Timer, waker: &Waker) -> Poll<Option<Instant>> {
    Pin::new(timer).poll_next(&mut Context::from_waker(waker))
}

/// Creates a timer that waits with the waker of the returned counter and does not fire during the
/// test.
fn waiting() -> (Timer, Arc<Counter>, Waker) {
    let (counter, waker) = Counter::new();
    let mut timer = Timer::after(HOUR);
    assert!(poll(&mut timer, &waker).is_pending());
    (timer, counter, waker)
}

/// A waiting task is woken when the timer is due, and not before.
#[test]
fn the_task_is_woken_at_the_deadline() {
    guarded(|| {
        let (counter, waker) = Counter::new();
        let deadline = Instant::now() + SOON;
        let mut timer = Timer::at(deadline);
        assert!(poll(&mut timer, &waker).is_pending());
        counter.wait_for(1);
        assert!(Instant::now() >= deadline);
        assert_eq!(ready(poll(&mut timer, &waker)), deadline);
        settle();
        assert_eq!(counter.wakes(), 1);
    });
}

/// Setters keep the waker of the task that polls the timer. The task is woken for the new deadline
/// without another poll.
#[test]
fn setters_keep_the_waker() {
    let setters: [fn(&mut Timer); 4] = [
        |timer| timer.set_after(SOON),
        |timer| timer.set_at(Instant::now() + SOON),
        |timer| timer.set_interval(SOON),
        |timer| timer.set_interval_at(Instant::now() + SOON, HOUR),
    ];
    guarded(move || {
        for set in setters {
            let (mut timer, counter, waker) = waiting();
            let before = Instant::now();
            set(&mut timer);
            counter.wait_for(1);
            assert!(Instant::now() >= before + SOON);
            assert!(ready(poll(&mut timer, &waker)) >= before + SOON);
        }
    });
}

/// A deadline in the past wakes the task immediately.
#[test]
fn setting_the_past_wakes() {
    let setters: [fn(&mut Timer); 4] = [
        |timer| timer.set_after(Duration::ZERO),
        |timer| timer.set_at(Instant::now()),
        |timer| timer.set_interval(Duration::ZERO),
        |timer| timer.set_interval_at(Instant::now(), HOUR),
    ];
    guarded(move || {
        for set in setters {
            let (mut timer, counter, waker) = waiting();
            set(&mut timer);
            counter.wait_for(1);
            assert!(poll(&mut timer, &waker).is_ready());
        }
    });
}

/// A deadline that was replaced does not wake the task.
#[test]
fn the_old_deadline_is_forgotten() {
    guarded(|| {
        for clear in [false, true] {
            let (mut timer, counter, waker) = waiting();
            let old = Instant::now() + 5 * SOON;
            timer.set_at(old);
            if clear {
                timer.clear();
            } else {
                timer.set_after(HOUR);
            }
            // If this thread was delayed beyond the old deadline, there is nothing to check.
            let in_time = Instant::now() < old;
            foreign(Timer::at(old + SOON));
            settle();
            if in_time {
                assert_eq!(counter.wakes(), 0);
                assert!(poll(&mut timer, &waker).is_pending());
            }
        }
    });
}

/// `clear` keeps the waker. The task is woken if the timer is set again.
#[test]
fn clear_keeps_the_waker() {
    guarded(|| {
        let (mut timer, counter, waker) = waiting();
        timer.clear();
        assert!(!timer.will_fire());
        settle();
        assert_eq!(counter.wakes(), 0);
        timer.set_after(SOON);
        counter.wait_for(1);
        assert!(poll(&mut timer, &waker).is_ready());
    });
}

/// The same if the timer has already fired and is cleared before its woken task polls it.
#[test]
fn clear_takes_an_event_back_and_keeps_the_task() {
    guarded(|| {
        let (counter, waker) = Counter::new();
        let mut timer = Timer::after(SOON);
        assert!(poll(&mut timer, &waker).is_pending());
        counter.wait_for(1);
        timer.clear();
        assert!(poll(&mut timer, &waker).is_pending());
        settle();
        assert_eq!(counter.wakes(), 1);
        timer.set_after(SOON);
        counter.wait_for(2);
        assert!(poll(&mut timer, &waker).is_ready());
        // Repeated: an event that was delivered leaves no waker behind.
        timer.clear();
        assert!(poll(&mut timer, &waker).is_pending());
        drop(waker);
        // The thread that called this waker may still hold a copy.
        while Arc::strong_count(&counter) > 1 {
            std::thread::yield_now();
        }
    });
}

/// Resetting a timer keeps the registered waker, even if the timer has already fired, as long as
/// the task has not polled it.
#[test]
fn resetting_a_fired_timer_keeps_its_waker() {
    guarded(|| {
        let (counter, waker) = Counter::new();
        let mut timer = Timer::after(SOON);
        assert!(poll(&mut timer, &waker).is_pending());
        for fired in 1..5 {
            counter.wait_for(fired);
            timer.set_after(SOON);
        }
        counter.wait_for(5);
        timer.set_at(Instant::now());
        counter.wait_for(6);
        assert!(poll(&mut timer, &waker).is_ready());
    });
}

/// The poll that returns a tick schedules the next one. The task is woken for it without another
/// poll.
#[test]
fn a_tick_registers_the_next() {
    guarded(|| {
        let (counter, waker) = Counter::new();
        let start = Instant::now();
        let mut timer = Timer::interval_at(start, SOON);
        assert_eq!(poll_next(&mut timer, &waker), Poll::Ready(Some(start)));
        counter.wait_for(1);
        assert!(Instant::now() >= start + SOON);
        let next = Some(start + SOON);
        assert_eq!(poll_next(&mut timer, &waker), Poll::Ready(next));
        counter.wait_for(2);
    });
}

/// A poll with another waker replaces the registered one. The old waker is not woken.
#[test]
fn another_waker_replaces_the_first() {
    guarded(|| {
        let ((first, first_waker), (second, second_waker)) = (Counter::new(), Counter::new());
        let mut timer = Timer::after(HOUR);
        assert!(poll(&mut timer, &first_waker).is_pending());
        assert!(poll_next(&mut timer, &second_waker).is_pending());
        timer.set_after(SOON);
        second.wait_for(1);
        settle();
        assert_eq!((first.wakes(), second.wakes()), (0, 1));
        assert!(poll(&mut timer, &second_waker).is_ready());
        until("the replaced waker is released", || first.held(1) == 0);
    });
}

/// A poll with the same waker has no effect.
#[test]
fn the_same_waker_is_kept_once() {
    guarded(|| {
        let (mut timer, counter, waker) = waiting();
        let copies = counter.held(1);
        for _ in 0..5 {
            assert!(poll(&mut timer, &waker.clone()).is_pending());
        }
        assert_eq!(counter.wakes(), 0);
        assert!((1..=copies).contains(&counter.held(1)));
        timer.set_after(SOON);
        counter.wait_for(1);
        settle();
        assert_eq!(counter.wakes(), 1);
    });
}

/// A timer may be polled on different threads.
#[test]
fn a_timer_may_change_threads() {
    guarded(|| {
        let deadline = Instant::now() + 2 * SOON;
        let mut timer = Timer::at(deadline);
        let (_, waker) = Counter::new();
        assert!(poll(&mut timer, &waker).is_pending());
        let thread = std::thread::spawn(move || async_io::block_on(timer));
        assert_eq!(thread.join().unwrap(), deadline);
    });
}

/// A dropped timer wakes no task.
#[test]
fn a_dropped_timer_wakes_nobody() {
    guarded(|| {
        let (counter, waker) = Counter::new();
        let deadline = Instant::now() + SOON;
        let timers: Vec<_> = (0..50)
            .map(|_| {
                let mut timer = Timer::at(deadline);
                _ = poll(&mut timer, &waker);
                timer
            })
            .collect();
        drop(timers);
        // On a slow machine timers may have fired before they were dropped.
        let early = counter.wakes();
        let in_time = Instant::now() < deadline;
        foreign(Timer::at(deadline + SOON));
        settle();
        if in_time {
            assert_eq!((early, counter.wakes()), (0, 0));
        }
        until("the wakers are released", || counter.held(1) == 0);
    });
}

/// A dropped timer releases its waker immediately.
#[test]
fn a_dropped_timer_gives_its_waker_back_at_once() {
    guarded(|| {
        for _ in 0..100 {
            let (timer, counter, _waker) = waiting();
            assert!(counter.held(1) > 0);
            drop(timer);
            assert_eq!(counter.held(1), 0);
        }
    });
}

/// An earlier timer interrupts the wait for a later one, on the same thread and on another.
#[test]
fn an_earlier_timer_interrupts_a_wait() {
    guarded(|| {
        let (later, counter, _waker) = waiting();
        settle();
        foreign(Timer::after(SOON));
        async_io::block_on(Timer::after(SOON));
        std::thread::scope(|scope| {
            let (done, finished) = async_channel::bounded::<()>(1);
            scope.spawn(move || async_io::block_on(finished.recv()));
            for _ in 0..20 {
                foreign(Timer::after(Duration::from_micros(200)));
            }
            drop(done);
        });
        assert_eq!(counter.wakes(), 0);
        drop(later);
    });
}

/// Each of many timers fires once, whatever their order.
#[test]
fn each_of_many_timers_fires_once() {
    guarded(|| {
        let base = Instant::now() + Duration::from_millis(5);
        let mut timers: Vec<_> = (0..500_u64)
            .map(|n| {
                let (counter, waker) = Counter::new();
                let at = base + Duration::from_micros(n * 7919 % 500 * 20);
                let mut timer = Timer::at(at);
                _ = poll(&mut timer, &waker);
                (timer, counter, waker, at)
            })
            .collect();
        foreign(Timer::at(base + Duration::from_millis(10)));
        for (timer, counter, waker, at) in &mut timers {
            // A timer that was due when it was first polled causes no wake-up.
            if timer.will_fire() {
                counter.wait_for(1);
                assert_eq!(ready(poll(timer, waker)), *at);
            }
            assert!(!timer.will_fire());
        }
        settle();
        assert!(timers.iter().all(|(_, counter, _, _)| counter.wakes() <= 1));
    });
}

/// As a stream, an interval wakes its task for each tick.
#[test]
fn an_interval_is_a_stream() {
    guarded(|| {
        let ticks = Timer::interval(Duration::from_millis(1)).take(5);
        let ticks: Vec<_> = async_io::block_on(ticks.collect());
        assert!(
            ticks
                .windows(2)
                .all(|two| two[1] - two[0] == Duration::from_millis(1))
        );
    });
}
