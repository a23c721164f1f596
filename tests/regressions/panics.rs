//! A waker that panics when it is woken or dropped does not affect polls, drops or setters: the
//! panic is caught.

// A waker with clones that panic when they are dropped cannot be created with `Wake`.
#![allow(unsafe_code)]

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::time::{Duration, Instant};

use async_io::{Async, Timer, block_on};
use futures_lite::future::poll_once;
use futures_lite::{AsyncRead, AsyncWrite, Stream};

use crate::support::*;

/// Panics without `panic!`, which would print a message each time.
fn fail() {
    resume_unwind(Box::new("a waker that panics"));
}

/// Creates a waker of a task. Its copies panic when they are woken or dropped. The original panics
/// when it is woken.
fn bad_waker(task: usize) -> Waker {
    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |data| RawWaker::new(copy(data), &TABLE),
        |_| fail(),
        |_| fail(),
        |data| {
            if data == copy(data) {
                fail();
            }
        },
    );
    // The lowest bit marks a copy.
    let original = ptr::without_provenance(2 * task);
    // SAFETY: the functions use only the address of the pointer.
    unsafe { Waker::from_raw(RawWaker::new(original, &TABLE)) }
}

fn copy(data: *const ()) -> *const () {
    ptr::without_provenance(data.addr() | 1)
}

#[track_caller]
fn swallowed<R>(what: &str, action: impl FnOnce() -> R) -> R {
    match catch_unwind(AssertUnwindSafe(action)) {
        Ok(value) => value,
        Err(_) => panic!("a panic of a waker comes out of {what}"),
    }
}

/// Checks that the source still works.
fn serves(source: &Async<Local>, mut peer: &Local) {
    block_on(async {
        _ = poll_once(source.readable()).await;
        peer.write_all(b"serve").unwrap();
        source.readable().await.unwrap();
        Timer::after(Duration::from_millis(1)).await;
    });
}

#[test]
fn a_panic_of_the_waker_stays_out_of_a_contradicted_poll() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        peer.write_all(b"data").unwrap();
        let waker = bad_waker(0);
        let mut reading = Box::pin(source.read_with(|_| refuse::<()>()));
        let mut writing = Box::pin(source.write_with(|_| refuse::<()>()));
        for _ in 0..30 {
            let polled = swallowed("read_with", || poll(&mut reading, &waker));
            assert!(polled.is_pending());
            let polled = swallowed("write_with", || poll(&mut writing, &waker));
            assert!(polled.is_pending());
        }
        block_on(Timer::after(Duration::from_millis(30)));
        swallowed("drop", || drop((reading, writing)));
        serves(&source, &peer);
    });
}

#[test]
fn a_panic_of_the_waker_stays_out_of_a_contradicted_stream() {
    guarded(|| {
        let (source, _peer) = Unwilling::pair();
        let waker = bad_waker(0);
        let cx = &mut Context::from_waker(&waker);
        let mut stream = &source;
        for _ in 0..30 {
            swallowed("poll_read", || {
                assert!(Pin::new(&mut stream).poll_read(cx, &mut [0]).is_pending());
            });
            swallowed("poll_write", || {
                assert!(Pin::new(&mut stream).poll_write(cx, &[0]).is_pending());
            });
            swallowed("poll_flush", || {
                assert!(Pin::new(&mut stream).poll_flush(cx).is_pending());
            });
        }
        block_on(Timer::after(Duration::from_millis(30)));
        swallowed("drop", || drop(source));
    });
}

/// A loop around readiness yields at some point, by a wake-up of its own task.
#[test]
fn a_panic_of_the_waker_stays_out_of_a_loop_around_readiness() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        peer.write_all(b"data").unwrap();
        let waker = bad_waker(0);
        for _ in 0..1000 {
            let mut ready = source.readable();
            _ = swallowed("readable", || poll(&mut ready, &waker));
            swallowed("drop", || drop(ready));
            let mut ready = source.writable();
            _ = swallowed("writable", || poll(&mut ready, &waker));
            swallowed("drop", || drop(ready));
            _ = swallowed("poll_readable", || poll_readable(&source, &waker));
            _ = swallowed("poll_writable", || poll_writable(&source, &waker));
        }
        serves(&source, &peer);
    });
}

#[test]
fn a_panic_of_a_displaced_waker_stays_out_of_the_poll() {
    guarded(|| {
        let (source, peer) = local_pair();
        fill(source.get_ref());
        let wakers = [bad_waker(0), bad_waker(1)];
        assert!(!wakers[0].will_wake(&wakers[1]));
        let (mut readable, mut writable) = (source.readable(), source.writable());
        for _ in 0..3 {
            for waker in &wakers {
                swallowed("poll", || {
                    assert!(poll_readable(&source, waker).is_pending());
                    assert!(poll_writable(&source, waker).is_pending());
                    assert!(poll(&mut readable, waker).is_pending());
                    assert!(poll(&mut writable, waker).is_pending());
                });
            }
        }
        swallowed("drop", || drop((readable, writable)));
        serves(&source, &peer);
        swallowed("drop", || drop(source));
    });
}

/// A poll that ends a wait drops its waker.
#[test]
fn a_panic_of_a_waker_given_back_stays_out_of_the_poll() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let waker = bad_waker(0);
        let mut readable = source.readable();
        let mut reading = Box::pin(source.read_with(|mut io| io.read(&mut [0; 2])));
        swallowed("poll", || {
            assert!(poll(&mut readable, &waker).is_pending());
            assert!(poll(&mut reading, &waker).is_pending());
            assert!(poll_readable(&source, &waker).is_pending());
        });
        peer.write_all(b"data").unwrap();
        // Another thread may dispatch the event, so the first polls may miss it.
        until("readable() ends", || {
            swallowed("readable", || poll(&mut readable, &waker).is_ready())
        });
        until("poll_readable() ends", || {
            swallowed("poll_readable", || {
                poll_readable(&source, &waker).is_ready()
            })
        });
        let mut read = Poll::Pending;
        until("read_with() ends", || {
            read = swallowed("read_with", || poll(&mut reading, &waker));
            read.is_ready()
        });
        let read = ready(read);
        assert_eq!(read.unwrap(), 2);
        swallowed("drop", || drop((readable, reading)));
        swallowed("into_inner", || source.into_inner()).unwrap();
    });
}

#[test]
fn a_panic_of_the_waker_stays_out_of_timers() {
    guarded(|| {
        let wakers = [bad_waker(0), bad_waker(1)];
        let mut timer = Timer::after(HOUR);
        for waker in [&wakers[0], &wakers[1], &wakers[0]] {
            for _ in 0..2 {
                swallowed("poll", || assert!(poll(&mut timer, waker).is_pending()));
            }
        }
        swallowed("set_at", || timer.set_at(Instant::now()));
        block_on(Timer::after(Duration::from_millis(2)));
        swallowed("poll", || assert!(poll(&mut timer, &wakers[0]).is_ready()));
        swallowed("poll", || {
            assert!(poll(&mut timer, &wakers[1]).is_pending())
        });

        swallowed("set_after", || timer.set_after(HOUR));
        swallowed("poll", || {
            assert!(poll(&mut timer, &wakers[0]).is_pending())
        });
        swallowed("clear", || timer.clear());
        swallowed("set_interval", || timer.set_interval(Duration::ZERO));
        let cx = &mut Context::from_waker(&wakers[1]);
        for _ in 0..3 {
            swallowed("poll_next", || {
                assert!(Pin::new(&mut timer).poll_next(cx).is_ready());
            });
        }
        swallowed("drop", || drop(timer));
        block_on(Timer::after(Duration::from_millis(2)));
    });
}

/// If no thread can be created, a timer of a foreign executor wakes its task to poll again.
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#[test]
fn a_panic_of_the_waker_stays_out_of_a_timer_without_threads() {
    use crate::support::seccomp::{Filter, Reach, Verdict};
    isolated(
        "panics::a_panic_of_the_waker_stays_out_of_a_timer_without_threads",
        || {
            Filter::new()
                .call(libc::SYS_clone, Verdict::Fail(libc::EAGAIN))
                .call(libc::SYS_clone3, Verdict::Fail(libc::EAGAIN))
                .install(Reach::AllThreads);
            let waker = bad_waker(0);
            let mut timer = Timer::after(HOUR);
            for _ in 0..3 {
                swallowed("poll", || assert!(poll(&mut timer, &waker).is_pending()));
            }
            block_on(Timer::after(Duration::from_millis(2)));
        },
    );
}
