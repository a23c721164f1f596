//! `block_on` itself: nested calls, panics, and wake-ups that come late or from other threads.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use async_io::{Async, Timer, block_on};
use futures_lite::FutureExt;
use futures_lite::future::{or, yield_now};

use crate::support::procfs::{fallback_thread, wait_until_asleep};
use crate::support::{Counter, Runner, guarded, isolated, own_waker, poll};

/// Inner and outer calls have separate wakers, and a wake-up of one call does not wake the other.
#[test]
fn nested_calls_have_separate_wakers() {
    guarded(|| {
        let outer_polls = Cell::new(0);
        block_on(async {
            let outer = own_waker().await;
            let (local, mut peer) = UnixStream::pair().unwrap();
            let source = Async::new(local).unwrap();
            for depth in 0..3 {
                let inner_waker = block_on(async {
                    Timer::after(Duration::from_millis(1)).await;
                    let inner = own_waker().await;
                    assert!(!inner.will_wake(&outer));
                    if depth == 1 {
                        block_on(Timer::after(Duration::from_millis(1)));
                    }
                    peer.write_all(b"x").unwrap();
                    source.readable().await.unwrap();
                    source.get_ref().read_exact(&mut [0]).unwrap();
                    // Wakes the outer call, which must receive the wake-up.
                    outer.wake_by_ref();
                    inner
                });
                // Has no effect, because the call that the waker belongs to has ended.
                inner_waker.wake();
            }
            let mut polls = 0;
            poll_fn(|_| {
                polls += 1;
                outer_polls.set(polls);
                // Returns `Pending` without registering a waker: only the wake-up from the inner
                // call leads to a second poll.
                if polls == 1 {
                    Poll::Pending
                } else {
                    Poll::Ready(())
                }
            })
            .await;
        });
        assert!(outer_polls.get() >= 2);
    });
}

/// If a wait of the outer call ends while the inner call runs, its wake-up is not lost.
#[test]
fn an_event_of_the_outer_call_is_not_lost_during_the_inner_one() {
    guarded(|| {
        block_on(async {
            let (local, mut peer) = UnixStream::pair().unwrap();
            let source = Async::new(local).unwrap();
            let waker = own_waker().await;
            let mut readable = source.readable();
            let mut timer = Timer::after(Duration::from_millis(1));
            assert!(poll(&mut readable, &waker).is_pending());
            let due = poll(&mut timer, &waker).is_ready();
            peer.write_all(b"x").unwrap();
            block_on(Timer::after(Duration::from_millis(5)));
            readable.await.unwrap();
            if !due {
                timer.await;
            }
        });
    });
}

/// A wake-up during the last poll of a call has no effect. The next call sleeps and wakes normally.
#[test]
fn a_wake_up_in_the_last_poll_does_not_affect_the_next_call() {
    // In a process of its own: other threads that start and end may cause a spurious poll.
    isolated(
        "block_on::a_wake_up_in_the_last_poll_does_not_affect_the_next_call",
        || {
            let mut wakers = Vec::new();
            for _ in 0..10 {
                wakers.push(block_on(async {
                    let waker = own_waker().await;
                    waker.wake_by_ref();
                    waker
                }));
                let mut polls = 0;
                let mut timer = Timer::after(Duration::from_millis(20));
                block_on(poll_fn(|cx| {
                    polls += 1;
                    timer.poll(cx)
                }));
                assert!(polls <= 2, "{polls} polls for one timer");
            }
            // Wakers that are kept over many calls and used from another thread.
            std::thread::spawn(move || wakers.into_iter().for_each(Waker::wake))
                .join()
                .unwrap();
            block_on(Timer::after(Duration::from_millis(1)));
        },
    );
}

/// A wake-up before the future returns `Pending` is not lost, whichever thread it comes from.
#[test]
fn a_wake_up_before_pending_is_not_lost() {
    guarded(|| {
        for from_elsewhere in [false, true] {
            for _ in 0..200 {
                let mut first = true;
                block_on(poll_fn(|cx| {
                    if !std::mem::take(&mut first) {
                        return Poll::Ready(());
                    }
                    let waker = cx.waker().clone();
                    if from_elsewhere {
                        std::thread::spawn(move || waker.wake()).join().unwrap();
                    } else {
                        waker.wake();
                    }
                    Poll::Pending
                }));
            }
        }
    });
}

/// A panic propagates to the caller and leaves no state behind: later calls on this and other
/// threads work.
#[test]
fn a_panic_propagates_and_leaves_no_state_behind() {
    guarded(|| {
        for round in 0..20 {
            let (local, mut peer) = UnixStream::pair().unwrap();
            let source = Async::new(local).unwrap();
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                block_on(async {
                    if round % 2 == 0 {
                        // This thread drives the reactor and has a wait of its own.
                        let mut far = Timer::after(Duration::from_secs(600));
                        assert!(poll(&mut far, &own_waker().await).is_pending());
                        Timer::after(Duration::from_millis(1)).await;
                    }
                    block_on(async {
                        // Prints no panic message and no backtrace.
                        std::panic::resume_unwind(Box::new("the future's own panic"));
                    })
                })
            }));
            let message = *panicked.unwrap_err().downcast::<&str>().unwrap();
            assert_eq!(message, "the future's own panic");
            block_on(Timer::after(Duration::from_millis(1)));
            let other = std::thread::spawn(move || {
                block_on(source.readable()).unwrap();
            });
            peer.write_all(b"x").unwrap();
            other.join().unwrap();
        }
    });
}

/// A thread that ends by a panic while another one sleeps hands over the reactor.
#[test]
fn panicking_thread_hands_over() {
    guarded(|| {
        for _ in 0..20 {
            let (local, mut peer) = UnixStream::pair().unwrap();
            let (source, other) = (Async::new(local).unwrap(), UnixStream::pair().unwrap());
            let panicking_source = Async::new(other.0).unwrap();
            let mut panicking_peer = other.1;
            let panicking = std::thread::spawn(move || {
                block_on(async {
                    panicking_source.readable().await.unwrap();
                    std::panic::resume_unwind(Box::new("the thread's own panic"));
                })
            });
            let sleeping = std::thread::spawn(move || block_on(source.readable()));
            panicking_peer.write_all(b"x").unwrap();
            assert!(panicking.join().is_err());
            peer.write_all(b"x").unwrap();
            sleeping.join().unwrap().unwrap();
        }
    });
}

/// A future that always wakes itself does not keep other waits from being served, during the call
/// and afterwards.
#[test]
fn a_self_waking_future_does_not_starve_other_waits() {
    isolated(
        "block_on::a_self_waking_future_does_not_starve_other_waits",
        || {
            let (local, mut peer) = UnixStream::pair().unwrap();
            let source = Async::new(local).unwrap();
            for _ in 0..20 {
                let (events, waker) = Counter::new();
                let mut readable = source.readable();
                assert!(poll(&mut readable, &waker).is_pending());
                let mut timer = Timer::after(Duration::from_millis(1));
                let (ticks, waker) = Counter::new();
                let due = poll(&mut timer, &waker).is_ready();
                // The fallback thread is inside its wait while this thread drives the reactor.
                wait_until_asleep(fallback_thread());
                let mut polls = 0;
                block_on(async {
                    while polls < 1_000 || events.wakes() == 0 || (ticks.wakes() == 0 && !due) {
                        polls += 1;
                        if polls == 500 {
                            peer.write_all(b"x").unwrap();
                        }
                        yield_now().await;
                    }
                });
                source.get_ref().read_exact(&mut [0]).unwrap();
                drop(readable);
                for runner in Runner::BOTH {
                    runner.block_on(Timer::after(Duration::from_micros(500)));
                    let waiting = std::thread::spawn(move || {
                        runner.block_on(Timer::after(Duration::from_micros(500)));
                    });
                    runner.block_on(Timer::after(Duration::from_micros(800)));
                    waiting.join().unwrap();
                }
            }
        },
    );
}

/// A future is not polled after it has returned `Ready`, and need not be `Send` or `Unpin`.
#[test]
fn a_future_is_not_polled_after_ready_and_need_not_be_send() {
    struct Once(Cell<bool>, std::marker::PhantomPinned);
    impl Future for Once {
        type Output = &'static str;
        fn poll(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> Poll<Self::Output> {
            assert!(!self.0.replace(true), "polled again");
            Poll::Ready("done")
        }
    }
    assert_eq!(
        block_on(Once(Cell::new(false), std::marker::PhantomPinned)),
        "done"
    );
    let borrowed = Mutex::new(1);
    assert_eq!(block_on(async { *borrowed.lock().unwrap() }), 1);
}

/// A wake-up from another thread interrupts the wait for I/O, even if it coincides with an event.
#[test]
fn a_wake_up_from_another_thread_interrupts_the_wait() {
    guarded(|| {
        let (local, mut peer) = UnixStream::pair().unwrap();
        let source = Async::new(local).unwrap();
        for round in 0..500 {
            let flag = Arc::new(AtomicBool::new(false));
            let (send, waker) = std::sync::mpsc::channel::<Waker>();
            let setting = flag.clone();
            let setter = std::thread::spawn(move || {
                let waker = waker.recv().unwrap();
                setting.store(true, Ordering::Relaxed);
                waker.wake();
            });
            if round % 2 == 0 {
                peer.write_all(b"x").unwrap();
            }
            let never = async {
                Timer::after(Duration::from_secs(600)).await;
            };
            let reads = async {
                loop {
                    source
                        .read_with(|mut stream| stream.read(&mut [0]))
                        .await
                        .unwrap();
                }
            };
            let flagged = poll_fn(|cx| {
                let _ = send.send(cx.waker().clone());
                if flag.load(Ordering::Relaxed) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            });
            block_on(or(flagged, or(reads, never)));
            setter.join().unwrap();
        }
    });
}
