//! When a reactor starts a thread, and when it does not.

use std::io::{Read, Write};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use async_executor::{Executor, LocalExecutor};
use async_io::{Async, Reactor, Timer};
use futures_lite::future::{self, or};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use crate::support::procfs::{fallback_threads, thread_count, threads_of};
use crate::support::{
    Counter, HOUR, foreign, guarded, isolated, pair, poll, poll_readable, until, waker_fn,
};
use crate::{SHORT, manual, named, pair_in, timer_in};

/// Runs a few tasks that wait for timers and sources.
async fn run_tasks(executor: &LocalExecutor<'_>) {
    let tasks = (0..4).map(|_| {
        executor.spawn(async {
            let (ours, theirs) = pair();
            let (ours, theirs) = (Async::new(ours).unwrap(), Async::new(theirs).unwrap());
            let (mut reader, mut writer) = (&ours, &theirs);
            for _ in 0..5 {
                let send = async {
                    Timer::after(Duration::from_millis(1)).await;
                    writer.write_all(b"x").await.unwrap();
                };
                future::zip(send, async { reader.read_exact(&mut [0]).await.unwrap() }).await;
                ours.writable().await.unwrap();
            }
        })
    });
    let tasks: Vec<_> = tasks.collect();
    executor
        .run(async {
            for task in tasks {
                task.await;
            }
        })
        .await;
}

/// Tasks of an executor wait on a thread inside. That starts no thread, and neither does the end of the
/// call after they have finished.
#[test]
fn rule_4_tasks_on_a_thread_inside_start_no_thread() {
    isolated(
        "threads::rule_4_tasks_on_a_thread_inside_start_no_thread",
        || {
            let before = thread_count();
            let reactor = named("inside");
            for _ in 0..3 {
                let executor = LocalExecutor::new();
                reactor.block_on(run_tasks(&executor));
                assert_eq!(thread_count(), before);
            }
            // The tasks have left no wait behind that a later call would have to look after.
            reactor.block_on(async { Timer::after(SHORT).await });
            reactor.turn(Some(SHORT)).unwrap();
            assert_eq!(thread_count(), before);
        },
    );
}

/// A wait on a thread that is not inside starts `async-io/NAME`, and no thread of another reactor.
#[test]
fn rule_4_a_wait_on_another_thread_starts_the_thread() {
    isolated(
        "threads::rule_4_a_wait_on_another_thread_starts_the_thread",
        || {
            let before = thread_count();
            let (reactor, _idle) = (named("wait"), named("idle"));
            foreign(timer_in(&reactor, SHORT));
            until("the thread starts", || threads_of("wait").len() == 1);
            // Also while a thread is inside, and in the `block_on` of another reactor.
            reactor.block_on(async {
                let wait = || foreign(timer_in(&reactor, SHORT));
                thread::scope(|it| it.spawn(wait).join().unwrap());
            });
            let (source, _peer) = pair_in(&reactor);
            let other = manual("other");
            other.block_on(or(async { source.readable().await.unwrap() }, async {
                timer_in(&reactor, SHORT).await;
            }));
            assert_eq!(threads_of("wait").len(), 1);
            assert_eq!(fallback_threads().len(), 0);
            assert_eq!(thread_count(), before + 1);
        },
    );
}

/// Entering a reactor does not drive it, so a wait below a guard counts as outside.
#[test]
fn rule_4_a_wait_below_a_guard_starts_the_thread() {
    guarded(|| {
        let reactor = named("guard");
        let entered = reactor.enter();
        foreign(Timer::after(SHORT));
        until("the thread starts", || threads_of("guard").len() == 1);
        drop(entered);
    });
}

/// The last thread leaves while a task waits: the thread starts, and wakes the task.
#[test]
fn rule_4_the_thread_starts_when_the_last_thread_leaves() {
    isolated(
        "threads::rule_4_the_thread_starts_when_the_last_thread_leaves",
        || {
            type Waits = fn(&Reactor, &std::task::Waker) -> Box<dyn Send>;
            let by_timer: Waits = |reactor, waker| {
                let mut timer = timer_in(reactor, SHORT);
                assert!(poll(&mut timer, waker).is_pending());
                Box::new(timer)
            };
            let by_source: Waits = |reactor, waker| {
                let (source, mut peer) = pair_in(reactor);
                assert!(poll_readable(&source, waker).is_pending());
                peer.write_all(b"x").unwrap();
                Box::new((source, peer))
            };
            let by_future: Waits = |reactor, waker| {
                let (source, mut peer) = pair_in(reactor);
                let mut readable = Arc::new(source).readable_owned();
                assert!(poll(&mut readable, waker).is_pending());
                peer.write_all(b"x").unwrap();
                Box::new((readable, peer))
            };
            let before = thread_count();
            for (name, waits) in [
                ("timer", by_timer),
                ("source", by_source),
                ("future", by_future),
            ] {
                let reactor = named(name);
                let (counter, waker) = Counter::new();
                let waiting = reactor.block_on(async {
                    let waiting = waits(&reactor, &waker);
                    assert_eq!(thread_count(), before);
                    waiting
                });
                counter.wait_for(1);
                until("the thread starts", || threads_of(name).len() == 1);
                drop((waiting, reactor));
                until("the thread ends", || thread_count() == before);
            }
        },
    );
}

/// Two threads are inside. The first one leaves a waiting task behind, and the second one drives it. The
/// reactor's thread starts when the second one leaves.
#[test]
fn rule_4_the_last_of_two_threads_starts_the_thread() {
    isolated(
        "threads::rule_4_the_last_of_two_threads_starts_the_thread",
        || {
            let reactor = named("two");
            let (leave, may_leave) = async_channel::bounded::<()>(1);
            let (inside, is_inside) = mpsc::channel();
            let second = thread::spawn({
                let reactor = reactor.clone();
                move || {
                    reactor.block_on(async {
                        inside.send(()).unwrap();
                        may_leave.recv().await.unwrap();
                    });
                }
            });
            is_inside.recv().unwrap();
            let before = thread_count();
            let (source, mut peer) = pair_in(&reactor);
            let (counter, waker) = Counter::new();
            reactor.block_on(async { assert!(poll_readable(&source, &waker).is_pending()) });
            peer.write_all(b"x").unwrap();
            counter.wait_for(1);
            source.get_ref().read_exact(&mut [0]).unwrap();
            // The event may make one poll ready after its data was read.
            reactor.block_on(async { while poll_readable(&source, &waker).is_ready() {} });
            let wakes = counter.wakes();
            assert_eq!(thread_count(), before);
            leave.try_send(()).unwrap();
            second.join().unwrap();
            until("the thread starts", || threads_of("two").len() == 1);
            peer.write_all(b"x").unwrap();
            counter.wait_for(wakes + 1);
        },
    );
}

/// A task of a wait that has ended, or that was given up, keeps no thread.
#[test]
fn rule_4_waits_that_have_ended_start_no_thread() {
    isolated(
        "threads::rule_4_waits_that_have_ended_start_no_thread",
        || {
            let before = thread_count();
            let reactor = named("ended");
            reactor.block_on(async {
                let (counter, waker) = Counter::new();
                let mut given_up = Timer::after(HOUR);
                assert!(poll(&mut given_up, &waker).is_pending());
                drop(given_up);
                let (source, mut peer) = pair_in(&reactor);
                assert!(poll(&mut source.readable(), &waker).is_pending());
                assert!(poll_readable(&source, &waker).is_pending());
                peer.write_all(b"x").unwrap();
                let wakes = counter.wakes();
                while counter.wakes() == wakes {
                    Timer::after(Duration::from_millis(1)).await;
                }
            });
            reactor.turn(Some(Duration::ZERO)).unwrap();
            assert_eq!(thread_count(), before);
        },
    );
}

/// No wait starts a thread of a manual reactor, and neither does leaving it.
#[test]
fn rule_4_a_manual_reactor_never_starts_a_thread() {
    isolated(
        "threads::rule_4_a_manual_reactor_never_starts_a_thread",
        || {
            let before = thread_count();
            let reactor = manual("manual");
            let (source, mut peer) = pair_in(&reactor);
            let (counter, waker) = Counter::new();
            let mut timer = timer_in(&reactor, HOUR);
            // Outside.
            assert!(poll_readable(&source, &waker).is_pending());
            assert!(poll(&mut timer, &waker).is_pending());
            // Inside, before leaving `block_on` and `turn`.
            reactor.block_on(async {
                assert!(poll_readable(&source, &waker).is_pending());
                assert!(poll(&mut timer, &waker).is_pending());
            });
            reactor.turn(Some(Duration::ZERO)).unwrap();
            // Below another reactor.
            reactor.block_on(async {
                assert!(poll_readable(&source, &waker).is_pending());
                let other = manual("other");
                other.block_on(async { Timer::after(SHORT).await });
            });
            // On another thread.
            let (second, _second_peer) = pair_in(&reactor);
            thread::scope(|it| {
                let wait = || assert!(poll_readable(&second, &waker).is_pending());
                it.spawn(wait).join().unwrap();
            });
            assert_eq!(thread_count(), before);
            peer.write_all(b"x").unwrap();
            while counter.wakes() == 0 {
                reactor.turn(None).unwrap();
            }
            assert_eq!(thread_count(), before);
        },
    );
}

/// A task waits on a thread inside A. A nested call then waits for B on this thread, which therefore does
/// not drive A: its own thread does.
#[test]
fn rule_4_a_nested_call_starts_the_thread_of_the_outer_reactor() {
    isolated(
        "threads::rule_4_a_nested_call_starts_the_thread_of_the_outer_reactor",
        || {
            let before = thread_count();
            let (outer, inner) = (named("outer"), named("inner"));
            let (source, mut peer) = pair_in(&outer);
            outer.block_on(async {
                let (woken, wait) = async_channel::unbounded();
                let task = waker_fn(move || _ = woken.try_send(()));
                assert!(poll_readable(&source, &task).is_pending());
                // A nested call that does not wait changes nothing.
                inner.block_on(async {});
                assert_eq!(thread_count(), before);
                peer.write_all(b"x").unwrap();
                inner.block_on(wait.recv()).unwrap();
                until("the thread starts", || threads_of("outer").len() == 1);
            });
            assert_eq!(threads_of("inner").len(), 0);
            assert_eq!(thread_count(), before + 1);
        },
    );
}

/// Nested calls without waiting tasks start no thread, and the outer reactor works after them.
#[test]
fn rule_4_nested_calls_without_tasks_start_no_thread() {
    isolated(
        "threads::rule_4_nested_calls_without_tasks_start_no_thread",
        || {
            let before = thread_count();
            let (outer, inner) = (named("outer"), named("inner"));
            outer.block_on(async {
                for _ in 0..3 {
                    inner.block_on(async {
                        Timer::after(SHORT).await;
                        outer.block_on(async { Timer::after(SHORT).await });
                        Timer::after(SHORT).await;
                    });
                    Timer::after(SHORT).await;
                }
                // The thread counts as inside again.
                let executor = LocalExecutor::new();
                run_tasks(&executor).await;
            });
            assert_eq!(thread_count(), before);
        },
    );
}

/// A server with one `block_on` per reactor has no second thread per reactor.
#[test]
fn rule_4_one_block_on_per_reactor_needs_no_other_thread() {
    isolated(
        "threads::rule_4_one_block_on_per_reactor_needs_no_other_thread",
        || {
            let before = thread_count();
            let (ended, end) = async_channel::bounded::<()>(1);
            let servers: Vec<_> = (0..2)
                .map(|_| {
                    let (end, (ours, theirs)) = (end.clone(), pair());
                    let server = thread::spawn(move || {
                        let executor = Executor::new();
                        Reactor::new().unwrap().block_on(executor.run(async {
                            let mut stream = Async::new(ours).unwrap();
                            let echo = executor.spawn(async move {
                                let mut buffer = [0];
                                loop {
                                    stream.read_exact(&mut buffer).await.unwrap();
                                    stream.write_all(&buffer).await.unwrap();
                                }
                            });
                            let ticks = executor.spawn(async {
                                loop {
                                    Timer::after(Duration::from_millis(1)).await;
                                }
                            });
                            _ = end.recv().await;
                            echo.cancel().await;
                            ticks.cancel().await;
                        }));
                    });
                    (server, theirs)
                })
                .collect();
            for (_, peer) in &servers {
                let mut peer = peer;
                for _ in 0..50 {
                    peer.write_all(b"x").unwrap();
                    peer.read_exact(&mut [0]).unwrap();
                }
            }
            assert_eq!(thread_count(), before + servers.len());
            drop(ended);
            for (server, _) in servers {
                server.join().unwrap();
            }
            until("the threads end", || thread_count() == before);
        },
    );
}

/// The global reactor starts no thread because of a private one, and the other way round.
#[test]
fn rule_9_the_threads_of_reactors_are_separate() {
    isolated(
        "threads::rule_9_the_threads_of_reactors_are_separate",
        || {
            let before = thread_count();
            let (a, b) = (named("a"), named("b"));
            foreign(timer_in(&a, SHORT));
            until("the thread of `a` starts", || threads_of("a").len() == 1);
            assert_eq!(thread_count(), before + 1);
            foreign(Timer::after(SHORT));
            until("the global thread starts", || fallback_threads().len() == 1);
            assert_eq!(threads_of("b").len(), 0);
            foreign(timer_in(&b, SHORT));
            until("the thread of `b` starts", || threads_of("b").len() == 1);
            assert_eq!(thread_count(), before + 3);
        },
    );
}
