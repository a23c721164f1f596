//! On which threads wakers are called, and what they may do.
//!
//! In two respects this crate deliberately differs from async-io 2.6, and the tests check it: a
//! waker that blocks on I/O does not hang, and a panic in `Waker::clone` does not poison its
//! source.
// A waker with a panicking `clone` cannot be created with `Wake`.
#![allow(unsafe_code)]

mod support;

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{RawWaker, RawWakerVTable, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_io::{Async, Timer, block_on};
use support::*;

type Source = Async<Local>;

/// If no thread is in `block_on`, the fallback thread calls the wakers.
#[test]
fn the_thread_calls_wakers() {
    isolated("the_thread_calls_wakers", || {
        let names = Arc::new(Mutex::new(Vec::new()));
        let noted = names.clone();
        let waker = waker_fn(move || {
            let name = thread::current().name().map(str::to_owned);
            noted.lock().unwrap().push(name);
        });
        let (source, mut peer) = local_pair();
        assert!(poll_readable(&source, &waker).is_pending());
        let mut timer = Timer::after(Duration::from_millis(500));
        assert!(poll(&mut timer, &waker).is_pending());
        peer.write_all(b"x").unwrap();
        until("both are woken", || names.lock().unwrap().len() >= 2);
        let names = names.lock().unwrap();
        assert!(names.iter().all(|name| name.as_deref() == Some("async-io")));
    });
}

/// Otherwise either the fallback thread or a thread inside `block_on` calls them, and no other
/// thread.
#[test]
fn threads_in_block_on_call_wakers() {
    isolated("threads_in_block_on_call_wakers", || {
        let names = Arc::new(Mutex::new(Vec::new()));
        let noted = names.clone();
        let waker = waker_fn(move || {
            let name = thread::current().name().map(str::to_owned);
            noted.lock().unwrap().push(name.unwrap());
        });
        let (stop, stopped) = async_channel::bounded::<()>(1);
        let inside = thread::Builder::new().name("inside".into());
        let inside = inside.spawn(move || _ = block_on(stopped.recv())).unwrap();
        for round in 1..=20 {
            let (source, mut peer) = local_pair();
            assert!(poll_readable(&source, &waker).is_pending());
            peer.write_all(b"x").unwrap();
            until("the source wakes", || names.lock().unwrap().len() >= round);
        }
        drop(stop);
        inside.join().unwrap();
        let names = names.lock().unwrap();
        assert!(
            names
                .iter()
                .all(|name| name == "async-io" || name == "inside")
        );
    });
}

/// Counts the calls of [`reenter`] that returned.
#[derive(Clone, Default)]
struct Reentries(Arc<Counter>);

impl Reentries {
    fn action(&self, source: &Weak<Source>) -> impl Fn() + Send + Sync + 'static {
        let (count, source) = (Waker::from(self.0.clone()), source.clone());
        move || {
            reenter(&source);
            count.wake_by_ref();
        }
    }

    fn on_wake(&self, source: &Weak<Source>) -> Waker {
        waker_fn(self.action(source))
    }

    fn on_drop(&self, source: &Weak<Source>) -> Waker {
        waker_with(|| (), self.action(source))
    }

    #[track_caller]
    fn wait(&self, at_least: usize) {
        self.0.wait_for(at_least);
    }

    #[track_caller]
    fn expect(&self, exactly: usize) {
        assert_eq!(self.0.wakes(), exactly);
    }
}

/// A waker may create, poll and drop sources and timers, including those that woke it.
#[test]
fn a_woken_waker_may_call_back() {
    guarded(|| {
        let count = Reentries::default();
        let (source, mut peer) = shared_pair();
        let weak = Arc::downgrade(&source);
        fill_for_good(source.get_ref());
        let waker = count.on_wake(&weak);
        let (mut readable, mut writable) = (source.readable(), source.writable());
        assert!(poll(&mut readable, &waker).is_pending());
        assert!(poll(&mut writable, &waker).is_pending());
        let mut timer = Timer::after(Duration::from_millis(2));
        assert!(poll(&mut timer, &waker).is_pending());
        peer.write_all(b"x").unwrap();
        count.wait(2);
        drop(peer);
        count.wait(3);
        foreign(async {
            readable.await.unwrap();
            writable.await.unwrap();
            timer.await;
        });
    });
}

/// The same holds for a waker that is dropped after it was woken, on any thread.
#[test]
fn a_waker_dropped_after_waking_may_call_back() {
    guarded(|| {
        let count = Reentries::default();
        let (source, mut peer) = shared_pair();
        let weak = Arc::downgrade(&source);
        let mut timer = Timer::after(Duration::from_millis(2));
        assert!(poll(&mut timer, &count.on_drop(&weak)).is_pending());
        assert!(poll_readable(&source, &count.on_drop(&weak)).is_pending());
        let mut future = source.readable();
        assert!(poll(&mut future, &count.on_drop(&weak)).is_pending());
        peer.write_all(b"x").unwrap();
        foreign(async {
            timer.await;
            future.await.unwrap();
        });
        count.wait(3);
    });
}

/// A waker that a poll displaces is woken and dropped while no lock is held.
#[test]
fn a_displaced_waker_may_call_back() {
    guarded(|| {
        let count = Reentries::default();
        let (source, _peer) = shared_pair();
        let weak = Arc::downgrade(&source);
        fill_for_good(source.get_ref());
        assert!(poll_readable(&source, &count.on_wake(&weak)).is_pending());
        assert!(poll_readable(&source, &count.on_drop(&weak)).is_pending());
        count.wait(1);
        assert!(poll_writable(&source, &count.on_wake(&weak)).is_pending());
        assert!(poll_writable(&source, &count.on_drop(&weak)).is_pending());
        // The woken wakers polled the source, which displaced the other wakers.
        count.expect(4);

        let count = Reentries::default();
        let mut future = source.readable();
        assert!(poll(&mut future, &count.on_drop(&weak)).is_pending());
        assert!(poll(&mut future, Waker::noop()).is_pending());
        count.expect(1);
    });
}

/// The waker of a dropped future or source is dropped while no lock is held.
#[test]
fn a_waker_given_back_may_call_back() {
    guarded(|| {
        let count = Reentries::default();
        let (source, _peer) = shared_pair();
        let weak = Arc::downgrade(&source);
        fill_for_good(source.get_ref());
        let mut futures = (source.readable(), source.writable());
        assert!(poll(&mut futures.0, &count.on_drop(&weak)).is_pending());
        assert!(poll(&mut futures.1, &count.on_drop(&weak)).is_pending());
        drop(futures);
        count.expect(2);

        let other = Arc::downgrade(&source);
        let (source, _peer) = local_pair();
        fill_for_good(source.get_ref());
        assert!(poll_readable(&source, &count.on_drop(&other)).is_pending());
        assert!(poll_writable(&source, &count.on_drop(&other)).is_pending());
        drop(source);
        count.expect(4);
    });
}

/// A waker that a timer drops may use timers, even if it was displaced.
#[test]
fn a_waker_of_a_timer_may_call_back() {
    guarded(|| {
        let count = Reentries::default();
        let mut timer = Timer::after(HOUR);
        assert!(poll(&mut timer, &count.on_drop(&Weak::new())).is_pending());
        assert!(poll(&mut timer, &count.on_drop(&Weak::new())).is_pending());
        count.wait(1);
        drop(timer);
        count.wait(2);

        let mut timer = Timer::after(HOUR);
        assert!(poll(&mut timer, &count.on_wake(&Weak::new())).is_pending());
        timer.set_at(Instant::now());
        count.wait(3);
    });
}

/// A waker may block on I/O and timers.
#[test]
fn a_waker_may_block() {
    guarded(|| {
        let done = Arc::new(AtomicUsize::new(0));
        let count = done.clone();
        let waker = waker_fn(move || {
            block_on(async {
                Timer::after(Duration::from_millis(1)).await;
                let (source, mut peer) = local_pair();
                let waiter = source.readable();
                peer.write_all(b"x").unwrap();
                waiter.await.unwrap();
            });
            count.fetch_add(1, Ordering::SeqCst);
        });
        let (source, mut peer) = local_pair();
        assert!(poll_readable(&source, &waker).is_pending());
        let mut timer = Timer::after(Duration::from_millis(1));
        assert!(poll(&mut timer, &waker).is_pending());
        peer.write_all(b"x").unwrap();
        until("both wakers end", || done.load(Ordering::SeqCst) >= 2);
        foreign(Timer::after(Duration::from_millis(1)));
    });
}

/// A panic of a waker is caught, and the other wakers are still called.
#[test]
fn a_panicking_waker_hurts_nobody() {
    guarded(|| {
        for _ in 0..3 {
            let bad = panicking_waker();
            let (source, mut peer) = local_pair();
            let all = [Counter::new(), Counter::new()];
            let mut futures = [source.readable(), source.readable(), source.readable()];
            assert!(poll(&mut futures[0], &all[0].1).is_pending());
            assert!(poll(&mut futures[1], &bad).is_pending());
            assert!(poll(&mut futures[2], &all[1].1).is_pending());
            assert!(poll_readable(&source, &bad).is_pending());
            let deadline = Instant::now() + Duration::from_millis(2);
            let mut timers = [Timer::at(deadline), Timer::at(deadline)];
            _ = poll(&mut timers[0], &bad);
            peer.write_all(b"x").unwrap();
            foreign(&mut timers[1]);
            for (counter, _) in &all {
                counter.wait_for(1);
            }
            for future in futures {
                foreign(future).unwrap();
            }
        }
    });
}

/// Creates a waker that panics when it is cloned.
fn unclonable() -> Waker {
    static VTABLE: RawWakerVTable = RawWakerVTable::new(
        |_| panic!("expected: a waker's clone panics"),
        |_| (),
        |_| (),
        |_| (),
    );
    // SAFETY: the functions do nothing with the pointer.
    unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &VTABLE)) }
}

/// A panic while a waker is cloned leaves the source and the timer usable.
#[test]
fn a_waker_that_cannot_be_copied_hurts_nobody() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let mut timer = Timer::after(Duration::from_millis(1));
        let mut readable = source.readable();
        let panics = |poll: &mut dyn FnMut(&Waker)| {
            let result = catch_unwind(AssertUnwindSafe(|| poll(&unclonable())));
            assert!(result.is_err());
        };
        panics(&mut |waker| _ = poll_readable(&source, waker));
        panics(&mut |waker| _ = poll(&mut readable, waker));
        panics(&mut |waker| _ = poll(&mut Timer::after(HOUR), waker));

        assert!(poll_now(source.readable()).is_pending());
        peer.write_all(b"x").unwrap();
        foreign(async {
            wait_readable(&source).await.unwrap();
            readable.await.unwrap();
            (&mut timer).await;
        });
    });
}
