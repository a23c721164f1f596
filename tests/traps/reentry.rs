//! Wakers that use the library, or panic, while the library wakes or drops them.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use async_io::{Async, Timer};

use crate::support::{
    Counter, Runner, fill, foreign, guarded, panicking_waker, poll, reenter, shared_pair,
    waker_with,
};

/// Creates a waker that uses the library when it is woken and when it is dropped: the source that
/// woke it, new sources, timers. The counter counts the wake-ups.
fn reentrant_waker(source: &Arc<Async<UnixStream>>) -> (Arc<Counter>, Waker) {
    let (counter, counting) = Counter::new();
    let (on_wake, on_drop) = (Arc::downgrade(source), Arc::downgrade(source));
    let woken = move || {
        reenter(&on_wake);
        counting.wake_by_ref();
    };
    (counter, waker_with(woken, move || reenter(&on_drop)))
}

/// Wakers may do anything, including operations on the source or the timer that wakes them.
#[test]
fn a_woken_waker_may_use_the_library() {
    guarded(|| {
        for runner in Runner::BOTH {
            let (source, mut peer) = shared_pair();
            let (slot, waker) = reentrant_waker(&source);
            assert!(
                source
                    .poll_readable(&mut Context::from_waker(&waker))
                    .is_pending()
            );
            let (waiter, waker) = reentrant_waker(&source);
            let mut readable = source.readable();
            assert!(poll(&mut readable, &waker).is_pending());
            let (timeout, waker) = reentrant_waker(&source);
            let mut timer = Timer::after(Duration::from_millis(1));
            if poll(&mut timer, &waker).is_ready() {
                waker.wake_by_ref();
            }
            drop(waker);
            peer.write_all(b"x").unwrap();
            // Makes the wake-ups happen on this thread under `Ours`.
            runner.block_on(Timer::after(Duration::from_millis(5)));
            for counter in [slot, waiter, timeout] {
                counter.wait_for(1);
            }
        }
    });
}

/// async-io 2.6.0 wakes a displaced waker under the lock of its source, and drops a replaced or
/// dropped one under a lock.
#[test]
fn displaced_and_dropped_wakers_may_use_the_library() {
    guarded(|| {
        for _ in 0..20 {
            let (source, _peer) = shared_pair();
            fill(source.get_ref());
            // Displaced: the waker is woken and dropped.
            let (displaced, waker) = reentrant_waker(&source);
            assert!(
                source
                    .poll_readable(&mut Context::from_waker(&waker))
                    .is_pending()
            );
            drop(waker);
            let mut other = Context::from_waker(Waker::noop());
            assert!(source.poll_readable(&mut other).is_pending());
            displaced.wait_for(1);
            // Replaced in a future: the waker is dropped.
            let (_, waker) = reentrant_waker(&source);
            let mut readable = source.readable();
            assert!(poll(&mut readable, &waker).is_pending());
            drop(waker);
            assert!(poll(&mut readable, Waker::noop()).is_pending());
            drop(readable);
            // Dropped together with its future, its timer, and its source.
            let (_, waker) = reentrant_waker(&source);
            let mut readable = source.readable();
            assert!(poll(&mut readable, &waker).is_pending());
            let mut timer = Timer::after(Duration::from_secs(600));
            assert!(poll(&mut timer, &waker).is_pending());
            assert!(
                source
                    .poll_writable(&mut Context::from_waker(&waker))
                    .is_pending()
            );
            drop(waker);
            drop(readable);
            timer.set_after(Duration::from_secs(500));
            drop(timer);
            drop(source);
        }
        // A thread drives the reactor afterwards.
        foreign(Timer::after(Duration::from_millis(1)));
    });
}

/// A waker that is the last owner of a task with a timer and a source: dropping the waker drops
/// both.
#[test]
fn a_dropped_waker_may_own_timers_and_sources() {
    struct Task {
        _timer: Timer,
        _source: Arc<Async<UnixStream>>,
    }
    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            // This may be the last owner.
            drop(self);
        }
    }

    guarded(|| {
        for runner in Runner::BOTH {
            for _ in 0..100 {
                let (source, mut peer) = shared_pair();
                let mut inner = Timer::after(Duration::from_secs(600));
                assert!(poll(&mut inner, Waker::noop()).is_pending());
                let (_timer, _source) = (inner, shared_pair().0);
                let waker = Waker::from(Arc::new(Task { _timer, _source }));
                let mut timer = Timer::after(Duration::from_micros(50));
                let _ = poll(&mut timer, &waker);
                let mut readable = source.readable();
                assert!(poll(&mut readable, &waker).is_pending());
                drop(waker);
                // One copy is dropped after it is woken, one with its timer. Either may be the
                // last.
                peer.write_all(b"x").unwrap();
                drop(timer);
                runner.block_on(readable).unwrap();
            }
        }
    });
}

/// A waker that panics does not keep the other wakers of its turn from being called.
#[test]
fn a_panicking_waker_does_not_keep_others_from_being_called() {
    guarded(|| {
        for runner in Runner::BOTH {
            for _ in 0..20 {
                let (source, mut peer) = shared_pair();
                let counters: Vec<_> = (0..4).map(|_| Counter::new()).collect();
                let panics = panicking_waker();
                let mut waiters = Vec::new();
                for (_, waker) in &counters {
                    for waker in [&panics, waker, &panics] {
                        let mut readable = source.readable();
                        assert!(poll(&mut readable, waker).is_pending());
                        waiters.push(readable);
                    }
                }
                let mut timer = Timer::after(Duration::from_micros(100));
                let _ = poll(&mut timer, &panics);
                peer.write_all(b"x").unwrap();
                runner.block_on(Timer::after(Duration::from_millis(1)));
                for (counter, _) in &counters {
                    counter.wait_for(1);
                }
                // The source still works.
                drop(waiters);
                source.get_ref().read_exact(&mut [0]).unwrap();
                assert!(poll(&mut source.readable(), Waker::noop()).is_pending());
            }
        }
    });
}
