//! Behaviour of `block_on`.
//!
//! Not tested here: fairness between the calling thread and the fallback thread, which is a matter
//! of performance; and that a waker of an earlier call may wake a later one, which is permitted but
//! not required. That such a wake-up is harmless is tested.

mod support;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use async_io::{Timer, block_on};
use futures_lite::future;
use support::*;

const SHORT: Duration = Duration::from_millis(5);

/// Waits for a timer and counts the polls that it takes.
///
/// Two polls are enough if nothing else wakes this thread, so tests that count run in a process of
/// their own.
fn polls_of_a_sleep() -> usize {
    let mut timer = Timer::after(4 * SHORT);
    let mut polls = 0;
    block_on(poll_fn(|cx| {
        polls += 1;
        Pin::new(&mut timer).poll(cx)
    }));
    polls
}

/// Returns the waker of a `block_on` call, which it outlives.
fn stolen_waker() -> Waker {
    block_on(own_waker())
}

/// Runs the future on the calling thread. The future may borrow and need not be `Send`.
#[test]
fn the_future_runs_here() {
    guarded(|| {
        let here = thread::current().id();
        let local = Rc::new(Cell::new(0));
        let borrowed = &local;
        let result = block_on(async move {
            for _ in 0..3 {
                borrowed.set(borrowed.get() + 1);
                assert_eq!(thread::current().id(), here);
                Timer::after(Duration::from_millis(1)).await;
            }
            "result"
        });
        assert_eq!((result, local.get()), ("result", 3));
    });
}

/// Processes I/O and timers while the future is pending.
#[test]
fn io_and_timers_are_processed() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let answering = thread::spawn(move || {
            let mut buf = [0];
            while peer.read(&mut buf).unwrap() > 0 {
                peer.write_all(&buf).unwrap();
            }
        });
        block_on(async {
            for _ in 0..100 {
                source.write_with(|mut io| io.write(b"x")).await.unwrap();
                source.readable().await.unwrap();
                source.read_with(|mut io| io.read(&mut [0])).await.unwrap();
            }
            Timer::after(SHORT).await;
        });
        drop(source);
        answering.join().unwrap();
    });
}

/// A future that is ready at once is polled only once.
#[test]
fn a_ready_future_is_polled_once() {
    let mut polls = 0;
    let value = block_on(poll_fn(|_| {
        polls += 1;
        Poll::Ready(7)
    }));
    assert_eq!((value, polls), (7, 1));
}

/// Calls can be nested, and each call has its own waker.
#[test]
fn nested_calls_work() {
    guarded(|| {
        let value = block_on(async {
            let outer = own_waker().await;
            let inner = stolen_waker();
            assert!(!outer.will_wake(&inner));
            Timer::after(SHORT).await;
            let value = block_on(async {
                Timer::after(SHORT).await;
                block_on(async {
                    Timer::after(SHORT).await;
                    1
                }) + 1
            });
            Timer::after(SHORT).await;
            value + 1
        });
        assert_eq!(value, 3);
    });
}

/// A wake-up of the inner call does not wake the outer one.
#[test]
fn an_inner_wake_stays_inside() {
    isolated("an_inner_wake_stays_inside", || {
        let mut polls = 0;
        let mut timer = Timer::after(HOUR);
        block_on(poll_fn(|cx| {
            polls += 1;
            if polls > 1 {
                return Pin::new(&mut timer).poll(cx);
            }
            let mut again = true;
            let inner = block_on(poll_fn(|cx| {
                cx.waker().wake_by_ref();
                if std::mem::take(&mut again) {
                    return Poll::Pending;
                }
                Poll::Ready(cx.waker().clone())
            }));
            inner.wake();
            timer.set_after(4 * SHORT);
            Pin::new(&mut timer).poll(cx)
        }));
        assert_eq!(polls, 2);
    });
}

/// A wake-up of the outer call during the inner one is not lost, and does not wake the inner one.
#[test]
fn an_outer_wake_waits_for_the_inner_call() {
    isolated("an_outer_wake_waits_for_the_inner_call", || {
        let mut polls = 0;
        block_on(poll_fn(|cx| {
            polls += 1;
            if polls > 1 {
                return Poll::Ready(());
            }
            let outer = cx.waker().clone();
            let waking = thread::spawn(move || outer.wake());
            assert_eq!(polls_of_a_sleep(), 2);
            waking.join().unwrap();
            Poll::Pending
        }));
        assert_eq!(polls, 2);
    });
}

/// A wake-up during a poll that returns `Ready` does not affect the next call on the thread.
#[test]
fn a_wake_is_not_carried_over() {
    isolated("a_wake_is_not_carried_over", || {
        for _ in 0..3 {
            block_on(poll_fn(|cx| {
                cx.waker().wake_by_ref();
                Poll::Ready(())
            }));
            assert_eq!(polls_of_a_sleep(), 2);
        }
    });
}

/// A wake-up before the poll returns `Pending` is not lost.
#[test]
fn a_wake_before_pending_is_not_lost() {
    guarded(|| {
        let mut left = 100;
        block_on(poll_fn(|cx| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            if left % 2 == 0 {
                cx.waker().wake_by_ref();
            } else {
                let waker = cx.waker().clone();
                thread::spawn(move || waker.wake()).join().unwrap();
            }
            Poll::Pending
        }));
    });
}

/// A wake-up from another thread interrupts the wait for I/O.
#[test]
fn a_wake_interrupts_the_wait() {
    guarded(|| {
        let (source, _peer) = local_pair();
        for round in 0..50 {
            let (wakers, waiting) = mpsc::channel::<Waker>();
            let woken = Arc::new(AtomicBool::new(false));
            let flag = woken.clone();
            let waking = thread::spawn(move || {
                let waker = waiting.recv().unwrap();
                // In the earlier rounds the thread is about to wait, in the later ones it is
                // waiting.
                thread::sleep(Duration::from_micros(20 * round));
                flag.store(true, Ordering::SeqCst);
                waker.wake();
            });
            let flag = poll_fn(|cx| {
                _ = wakers.send(cx.waker().clone());
                match woken.load(Ordering::SeqCst) {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            });
            block_on(future::or(flag, async {
                source.readable().await.unwrap();
                unreachable!("the peer never writes");
            }));
            waking.join().unwrap();
        }
    });
}

/// A panic of the future propagates, and later calls work. This also holds for a nested call.
#[test]
fn a_panic_propagates() {
    isolated("a_panic_propagates", || {
        for nested in [false, true] {
            let result = catch_unwind(|| {
                block_on(async {
                    Timer::after(Duration::from_millis(1)).await;
                    if nested {
                        block_on(async { panic!("expected") })
                    } else {
                        panic!("expected")
                    }
                })
            });
            let payload = result.unwrap_err();
            assert_eq!(payload.downcast_ref(), Some(&"expected"));
            assert_eq!(polls_of_a_sleep(), 2);
        }
        // The outer call survives if its future catches the panic of the inner one.
        block_on(async {
            let inner = || block_on(async { panic!("expected") });
            catch_unwind(AssertUnwindSafe(inner)).unwrap_err();
            Timer::after(SHORT).await;
        });
    });
}

/// Wakers can be used on any thread, and after the call and its thread have ended.
#[test]
fn wakers_outlive_the_call() {
    guarded(|| {
        let foreign_waker = thread::spawn(stolen_waker).join().unwrap();
        foreign_waker.wake_by_ref();
        foreign_waker.wake();

        // A waker of an earlier call, woken during a later one, costs that call at most one poll.
        let waker = stolen_waker();
        let busy = AtomicBool::new(true);
        thread::scope(|scope| {
            scope.spawn(|| {
                while busy.load(Ordering::SeqCst) {
                    waker.wake_by_ref();
                    thread::yield_now();
                }
            });
            let deadline = std::time::Instant::now() + SHORT;
            assert_eq!(block_on(Timer::at(deadline)), deadline);
            busy.store(false, Ordering::SeqCst);
        });
    });
}

/// Several threads may be inside `block_on` at the same time.
#[test]
fn several_threads_may_block() {
    guarded(|| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                thread::spawn(|| {
                    let (source, peer) = local_pair();
                    let peer = async_io::Async::new(peer).unwrap();
                    for _ in 0..50 {
                        block_on(future::zip(
                            async { source.write_with(|mut io| io.write(b"x")).await.unwrap() },
                            async { peer.read_with(|mut io| io.read(&mut [0])).await.unwrap() },
                        ));
                        block_on(Timer::after(Duration::from_micros(100)));
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// A future that keeps its thread busy does not delay the I/O and timers of other threads.
#[test]
fn a_busy_call_starves_nobody() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let (done, finished) = mpsc::channel();
        let other = thread::spawn(move || {
            block_on(async {
                source.readable().await.unwrap();
                Timer::after(SHORT).await;
                done.send(()).unwrap();
            });
        });
        block_on(async {
            Timer::after(SHORT).await;
            peer.write_all(b"x").unwrap();
            // Blocks this thread until the other one has finished.
            finished.recv().unwrap();
        });
        other.join().unwrap();
    });
}

/// A future that always wakes itself still receives its I/O events and timers.
#[test]
fn a_future_that_wakes_itself_gets_its_events() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let yielding = async {
            loop {
                future::yield_now().await;
            }
        };
        let working = async {
            Timer::after(SHORT).await;
            peer.write_all(b"x").unwrap();
            source.readable().await.unwrap();
        };
        block_on(future::or(working, yielding));
    });
}

/// The future is dropped on this thread, together with its captures, before the call returns.
#[test]
fn the_future_is_dropped_here() {
    struct Note(Rc<RefCell<Vec<&'static str>>>);
    impl Drop for Note {
        fn drop(&mut self) {
            self.0.borrow_mut().push("dropped");
        }
    }
    let notes = Rc::new(RefCell::new(Vec::new()));
    let note = Note(notes.clone());
    let captured = async move { drop(note) };
    block_on(captured);
    let note = Note(notes.clone());
    block_on(poll_fn(move |_: &mut Context<'_>| {
        _ = &note;
        Poll::Ready(())
    }));
    assert_eq!(*notes.borrow(), ["dropped", "dropped"]);
}
