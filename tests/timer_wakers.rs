//! Section 8 of the semantics: whom timers wake, and which wakers they keep.
//!
//! Lines without a test here: that a timer which was never armed keeps no waker is a quirk, and remembering it would be a
//! superset.

mod common;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_io::Timer;
use common::*;
use futures_lite::{Stream, StreamExt};

const SOON: Duration = Duration::from_millis(3);

fn poll_next(timer: &mut Timer, waker: &Waker) -> Poll<Option<Instant>> {
    Pin::new(timer).poll_next(&mut Context::from_waker(waker))
}

/// A timer that waits with the waker of the returned counter, and would do so for long.
fn waiting() -> (Timer, Arc<Hits>, Waker) {
    let (hits, waker) = hits();
    let mut timer = Timer::after(HOUR);
    assert!(poll(&mut timer, &waker).is_pending());
    (timer, hits, waker)
}

/// §8: a waiting task is woken when the timer is due, and not before.
#[test]
fn the_task_is_woken_at_the_deadline() {
    guarded(|| {
        let (hits, waker) = hits();
        let deadline = Instant::now() + SOON;
        let mut timer = Timer::at(deadline);
        assert!(poll(&mut timer, &waker).is_pending());
        hits.wait(1);
        assert!(Instant::now() >= deadline);
        assert_eq!(ready(poll(&mut timer, &waker)), deadline);
        settle();
        assert_eq!(hits.count(), 1);
    });
}

/// §8: setters keep the waker of the task that polls the timer: it is woken for the new deadline without another poll.
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
            let (mut timer, hits, waker) = waiting();
            let before = Instant::now();
            set(&mut timer);
            hits.wait(1);
            assert!(Instant::now() >= before + SOON);
            assert!(ready(poll(&mut timer, &waker)) >= before + SOON);
        }
    });
}

/// §8: a deadline in the past wakes the task at once.
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
            let (mut timer, hits, waker) = waiting();
            set(&mut timer);
            hits.wait(1);
            assert!(poll(&mut timer, &waker).is_ready());
        }
    });
}

/// §8: a deadline that was moved away wakes nobody at its old time.
#[test]
fn the_old_deadline_is_forgotten() {
    guarded(|| {
        for clear in [false, true] {
            let (mut timer, hits, waker) = waiting();
            let old = Instant::now() + 5 * SOON;
            timer.set_at(old);
            if clear {
                timer.clear();
            } else {
                timer.set_after(HOUR);
            }
            // A thread that slept in between for so long that the old deadline came has nothing to show.
            let in_time = Instant::now() < old;
            foreign(Timer::at(old + SOON));
            settle();
            if in_time {
                assert_eq!(hits.count(), 0);
                assert!(poll(&mut timer, &waker).is_pending());
            }
        }
    });
}

/// §8: `clear` keeps the waker for when the timer is set again.
#[test]
fn clear_keeps_the_waker() {
    guarded(|| {
        let (mut timer, hits, waker) = waiting();
        timer.clear();
        assert!(!timer.will_fire());
        settle();
        assert_eq!(hits.count(), 0);
        timer.set_after(SOON);
        hits.wait(1);
        assert!(poll(&mut timer, &waker).is_ready());
    });
}

/// The same if the timer had fired by then, and its task, which was woken for that, comes only after it was cleared.
#[test]
fn clear_takes_an_event_back_and_keeps_the_task() {
    guarded(|| {
        let (hits, waker) = hits();
        let mut timer = Timer::after(SOON);
        assert!(poll(&mut timer, &waker).is_pending());
        hits.wait(1);
        timer.clear();
        assert!(poll(&mut timer, &waker).is_pending());
        settle();
        assert_eq!(hits.count(), 1);
        timer.set_after(SOON);
        hits.wait(2);
        assert!(poll(&mut timer, &waker).is_ready());
        // And once more: an event that was delivered leaves nothing behind.
        timer.clear();
        assert!(poll(&mut timer, &waker).is_pending());
        drop(waker);
        // The thread that has woken this one may have its copy in its hands still.
        while Arc::strong_count(&hits) > 1 {
            std::thread::yield_now();
        }
    });
}

/// §8: who sets a timer anew keeps its task, also after the timer has fired, as long as the task has not heard of it.
#[test]
fn set_anew_after_it_has_fired_it_wakes_the_task_again() {
    guarded(|| {
        let (hits, waker) = hits();
        let mut timer = Timer::after(SOON);
        assert!(poll(&mut timer, &waker).is_pending());
        for fired in 1..5 {
            hits.wait(fired);
            timer.set_after(SOON);
        }
        hits.wait(5);
        timer.set_at(Instant::now());
        hits.wait(6);
        assert!(poll(&mut timer, &waker).is_ready());
    });
}

/// §8: the poll that returns a tick registers the next: the task is woken for it without having polled again.
#[test]
fn a_tick_registers_the_next() {
    guarded(|| {
        let (hits, waker) = hits();
        let start = Instant::now();
        let mut timer = Timer::interval_at(start, SOON);
        assert_eq!(poll_next(&mut timer, &waker), Poll::Ready(Some(start)));
        hits.wait(1);
        assert!(Instant::now() >= start + SOON);
        let next = Some(start + SOON);
        assert_eq!(poll_next(&mut timer, &waker), Poll::Ready(next));
        hits.wait(2);
    });
}

/// §8: a poll with another waker moves the registration to it; the old one is woken neither then nor later.
#[test]
fn another_waker_replaces_the_first() {
    guarded(|| {
        let ((first, first_waker), (second, second_waker)) = (hits(), hits());
        let mut timer = Timer::after(HOUR);
        assert!(poll(&mut timer, &first_waker).is_pending());
        assert!(poll_next(&mut timer, &second_waker).is_pending());
        timer.set_after(SOON);
        second.wait(1);
        settle();
        assert_eq!((first.count(), second.count()), (0, 1));
        assert!(poll(&mut timer, &second_waker).is_ready());
        until("the displaced waker comes back", || first.held(1) == 0);
    });
}

/// §8: a poll with the same waker does nothing.
#[test]
fn the_same_waker_is_kept_once() {
    guarded(|| {
        let (mut timer, hits, waker) = waiting();
        let copies = hits.held(1);
        for _ in 0..5 {
            assert!(poll(&mut timer, &waker.clone()).is_pending());
        }
        assert_eq!(hits.count(), 0);
        assert!((1..=copies).contains(&hits.held(1)));
        timer.set_after(SOON);
        hits.wait(1);
        settle();
        assert_eq!(hits.count(), 1);
    });
}

/// §8: a timer may go to another thread between polls.
#[test]
fn a_timer_may_change_threads() {
    guarded(|| {
        let deadline = Instant::now() + 2 * SOON;
        let mut timer = Timer::at(deadline);
        let (_, waker) = hits();
        assert!(poll(&mut timer, &waker).is_pending());
        let thread = std::thread::spawn(move || async_io::block_on(timer));
        assert_eq!(thread.join().unwrap(), deadline);
    });
}

/// §8: drop removes the timer, which wakes nobody afterwards.
#[test]
fn a_dropped_timer_wakes_nobody() {
    guarded(|| {
        let (hits, waker) = hits();
        let deadline = Instant::now() + SOON;
        let timers: Vec<_> = (0..50)
            .map(|_| {
                let mut timer = Timer::at(deadline);
                _ = poll(&mut timer, &waker);
                timer
            })
            .collect();
        drop(timers);
        // As many as were due before they were dropped, on a slow machine.
        let early = hits.count();
        let in_time = Instant::now() < deadline;
        foreign(Timer::at(deadline + SOON));
        settle();
        if in_time {
            assert_eq!((early, hits.count()), (0, 0));
        }
        until("wakers come back", || hits.held(1) == 0);
    });
}

/// Beyond §8: a dropped timer gives its waker back at once.
#[test]
fn a_dropped_timer_gives_its_waker_back_at_once() {
    guarded(|| {
        for _ in 0..100 {
            let (timer, hits, _waker) = waiting();
            assert!(hits.held(1) > 0);
            drop(timer);
            assert_eq!(hits.held(1), 0);
        }
    });
}

/// §8: an earlier timer interrupts a wait for a later one, on the same thread and on another.
#[test]
fn an_earlier_timer_interrupts_a_wait() {
    guarded(|| {
        let (later, hits, _waker) = waiting();
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
        assert_eq!(hits.count(), 0);
        drop(later);
    });
}

/// §8: many timers in whatever order each fire once.
#[test]
fn each_of_many_timers_fires_once() {
    guarded(|| {
        let base = Instant::now() + Duration::from_millis(5);
        let mut timers: Vec<_> = (0..500_u64)
            .map(|n| {
                let (hits, waker) = hits();
                let at = base + Duration::from_micros(n * 7919 % 500 * 20);
                let mut timer = Timer::at(at);
                _ = poll(&mut timer, &waker);
                (timer, hits, waker, at)
            })
            .collect();
        foreign(Timer::at(base + Duration::from_millis(10)));
        for (timer, hits, waker, at) in &mut timers {
            // One that was due when it was first polled needed no waking.
            if timer.will_fire() {
                hits.wait(1);
                assert_eq!(ready(poll(timer, waker)), *at);
            }
            assert!(!timer.will_fire());
        }
        settle();
        assert!(timers.iter().all(|(_, hits, _, _)| hits.count() <= 1));
    });
}

/// §8: an interval keeps its task going as a stream.
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
