//! Guards, panics, the end of a thread, and wakers that have outlived their call.

use std::future::{pending, poll_fn};
use std::io::{Read, Write};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_io::{Async, Reactor, Timer, timeout};
use futures_lite::future::{or, yield_now};

use crate::support::{Counter, foreign, guarded, local_pair, own_waker, poll, waker_fn};
use crate::{SHORT, manual, named, pair_in, timer_in};

/// Guards may be dropped in any order. The reactor that was entered last, and not left, is current.
#[test]
fn guards_may_be_dropped_in_any_order() {
    guarded(|| {
        let (a, b, global) = (named("a"), named("b"), Reactor::global());
        let orders: [[usize; 4]; 6] = [
            [0, 1, 2, 3],
            [3, 2, 1, 0],
            [1, 0, 3, 2],
            [2, 0, 3, 1],
            [0, 3, 1, 2],
            [1, 3, 0, 2],
        ];
        for order in orders {
            let reactors = [&a, &b, &a, &global];
            let mut guards = reactors.map(|it| Some(it.enter()));
            assert_eq!(Reactor::current(), global);
            for leaves in order {
                drop(guards[leaves].take());
                let last = guards.iter().rposition(Option::is_some);
                let expected = last.map_or(&global, |index| reactors[index]);
                assert_eq!(Reactor::current(), *expected);
            }
        }
        assert!(a.close().is_ok());
        assert!(b.close().is_ok());
    });
}

/// A guard outlives the `block_on` that it was created in, and the other way round.
#[test]
fn guards_and_calls_may_overlap() {
    guarded(|| {
        let (a, b) = (named("a"), named("b"));
        let inside = a.block_on(async {
            let inside = b.enter();
            assert_eq!(Reactor::current(), b);
            Timer::after(SHORT).await;
            inside
        });
        assert_eq!(Reactor::current(), b);
        let outside = a.enter();
        b.block_on(async {
            drop(outside);
            assert_eq!(Reactor::current(), b);
            Timer::after(SHORT).await;
        });
        assert_eq!(Reactor::current(), b);
        drop(inside);
        assert_eq!(Reactor::current(), Reactor::global());
        assert!(a.close().is_ok());
        assert!(b.close().is_ok());
    });
}

fn panics() {
    resume_unwind(Box::new("code that panics"))
}

fn is_caught(body: impl FnOnce()) {
    assert!(catch_unwind(AssertUnwindSafe(body)).is_err());
}

/// A panic in a future, in a guard's scope, in a nested call, or in a destructor of a future leaves
/// nothing behind: the reactor works, and is not in use.
#[test]
fn a_panic_leaves_nothing_behind() {
    guarded(|| {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panics();
            }
        }
        let (a, b) = (named("a"), manual("b"));
        for reactor in [&a, &b] {
            let other = if *reactor == a { &b } else { &a };
            is_caught(|| reactor.block_on(async { panics() }));
            is_caught(|| {
                reactor.block_on(async {
                    Timer::after(SHORT).await;
                    panics();
                });
            });
            is_caught(|| {
                reactor.block_on(async {
                    let _bomb = Bomb;
                    or(pending(), yield_now()).await;
                });
            });
            is_caught(|| {
                let _entered = reactor.enter();
                let _again = other.enter();
                panics();
            });
            is_caught(|| reactor.block_on(async { other.block_on(async { panics() }) }));
            reactor.block_on(async {
                is_caught(|| {
                    other.block_on(async {
                        // After this wait, the thread has left the outer reactor.
                        Timer::after(SHORT).await;
                        panics();
                    });
                });
                assert_eq!(Reactor::current(), *reactor);
                Timer::after(SHORT).await;
                let (source, mut peer) = local_pair();
                peer.write_all(b"x").unwrap();
                source.readable().await.unwrap();
            });
            assert_eq!(Reactor::current(), Reactor::global());
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        assert!(a.close().is_ok());
        assert!(b.close().is_ok());
    });
}

/// A waker of a turn panics, also inside a `block_on`, and below another reactor.
#[test]
fn a_waker_that_panics_leaves_the_turn() {
    guarded(|| {
        let (a, b) = (manual("a"), manual("b"));
        let bad = crate::support::panicking_waker();
        for nested in [false, true] {
            let run = || {
                let mut timer = timer_in(&a, SHORT);
                assert!(poll(&mut timer, &bad).is_pending());
                // Whether the panic reaches the caller is not promised.
                let turn = || while a.turn(None).unwrap().woken() == 0 {};
                let _ = catch_unwind(AssertUnwindSafe(turn));
                timer.set_after(SHORT);
                assert!(poll(&mut timer, &bad).is_pending());
                let wait = || a.block_on(async { _ = Timer::after(3 * SHORT).await });
                let _ = catch_unwind(AssertUnwindSafe(wait));
            };
            if nested {
                b.block_on(async { run() });
            } else {
                run();
            }
            // No turn is below this one.
            a.turn(Some(Duration::ZERO)).unwrap();
            a.block_on(async { _ = Timer::after(SHORT).await });
            b.block_on(async { _ = Timer::after(SHORT).await });
        }
        assert!(a.close().is_ok());
    });
}

/// A forgotten guard counts until its thread ends.
#[test]
fn a_forgotten_guard_ends_with_its_thread() {
    guarded(|| {
        let reactor = named("forgot");
        let (entered, is_entered) = mpsc::channel();
        let (end, may_end) = mpsc::channel::<()>();
        let thread = thread::spawn({
            let reactor = reactor.clone();
            move || {
                mem::forget(reactor.enter());
                let name = format!("{reactor:?}");
                drop(reactor);
                entered.send(()).unwrap();
                _ = may_end.recv();
                // It is current, although the last handle of this thread is gone.
                assert_eq!(format!("{:?}", Reactor::current()), name);
                async_io::block_on(async { _ = Timer::after(SHORT).await });
                foreign(Timer::after(SHORT));
            }
        });
        is_entered.recv().unwrap();
        let error = reactor.close().unwrap_err();
        assert!(
            error.to_string().ends_with("in use by 1 other handle"),
            "{error}"
        );
        drop(end);
        thread.join().unwrap();
        assert!(error.into_reactor().close().is_ok());
    });
}

/// A forgotten guard keeps a reactor of which no handle is left, and nothing else does.
#[test]
fn a_forgotten_guard_keeps_its_reactor() {
    guarded(|| {
        thread::spawn(|| {
            let reactor = manual("keeps");
            mem::forget(reactor.enter());
            let source = local_pair().0;
            drop(reactor);
            assert!(format!("{:?}", Reactor::current()).contains("keeps"));
            assert!(format!("{:?}", source.reactor()).contains("manual: true"));
            async_io::block_on(async {
                Timer::after(SHORT).await;
                source.writable().await.unwrap();
            });
        })
        .join()
        .unwrap();
    });
}

/// A guard that a waker drops, inside a turn that is nested in a `block_on`, leaves the reactor that the
/// future has entered.
#[test]
fn a_guard_in_a_waker_leaves_what_is_current() {
    guarded(|| {
        let (entered, turned, other) = (named("entered"), named("turned"), named("other"));
        let (seen, sees) = mpsc::channel();
        let waker = waker_fn(move || {
            let before = Reactor::current();
            drop(other.enter());
            let _ = seen.send((before, Reactor::current()));
        });
        async_io::block_on(async {
            let _entered = entered.enter();
            let mut timer = timer_in(&turned, SHORT);
            assert!(poll(&mut timer, &waker).is_pending());
            let (before, after) = loop {
                match sees.try_recv() {
                    Ok(seen) => break seen,
                    Err(_) => turned.turn(Some(SHORT)).unwrap(),
                };
            };
            assert_eq!((&before, &after), (&entered, &entered));
        });
    });
}

/// Wakers of calls that have ended do nothing, also if their reactor has a new owner.
#[test]
fn stale_wakers_do_no_harm() {
    guarded(|| {
        let mut stale: Vec<Waker> = Vec::new();
        for _ in 0..20 {
            let reactor = named("stale");
            stale.push(reactor.block_on(own_waker()));
            stale.push(reactor.block_on(async {
                Timer::after(Duration::from_micros(100)).await;
                own_waker().await
            }));
            stale.push(reactor.waker());
            drop(reactor);
            stale.iter().for_each(Waker::wake_by_ref);

            let next = manual("next");
            // Neither before a call nor during it.
            stale.iter().for_each(Waker::wake_by_ref);
            let start = Instant::now();
            thread::scope(|scope| {
                scope.spawn(|| stale.iter().for_each(Waker::wake_by_ref));
                next.block_on(async { _ = Timer::after(SHORT).await });
            });
            assert!(start.elapsed() >= SHORT);
            // One turn may end early.
            next.turn(Some(SHORT)).unwrap();
            let start = Instant::now();
            next.turn(Some(SHORT)).unwrap();
            assert!(start.elapsed() >= SHORT);
        }
    });
}

/// A thread that waits in one reactor keeps the state of its calls apart from that of others.
#[test]
fn a_waker_wakes_only_its_own_call() {
    guarded(|| {
        let (a, b) = (named("a"), manual("b"));
        let mut polls = 0;
        a.block_on(async {
            let outer = own_waker().await;
            for _ in 0..3 {
                let inner = b.block_on(async {
                    outer.wake_by_ref();
                    Timer::after(SHORT).await;
                    let inner = own_waker().await;
                    assert!(!inner.will_wake(&outer));
                    inner
                });
                inner.wake();
            }
            // The wake-ups during the nested calls were kept.
            poll_fn(|_| {
                polls += 1;
                if polls == 1 {
                    Poll::Pending
                } else {
                    Poll::Ready(())
                }
            })
            .await;
        });
        assert!(polls >= 2);
    });
}

/// Objects of A in the `block_on` of B, with a limit of each.
#[test]
fn objects_may_be_awaited_inside_another_reactor() {
    guarded(|| {
        let (a, b) = (named("a"), named("b"));
        let (source, mut peer) = pair_in(&a);
        let limit = |reactor: &Reactor, limit| {
            let _entered = reactor.enter();
            timeout(limit, source.readable())
        };
        for reactor in [&a, &b, &Reactor::global()] {
            b.block_on(limit(reactor, SHORT)).unwrap_err();
            a.block_on(limit(reactor, SHORT)).unwrap_err();
            foreign(limit(reactor, SHORT)).unwrap_err();
        }
        peer.write_all(b"x").unwrap();
        b.block_on(limit(&a, crate::support::HOUR))
            .unwrap()
            .unwrap();
        source.get_ref().read_exact(&mut [0]).unwrap();
        // A source of B and a timer of A in one future.
        b.block_on(async {
            let (ours, _peer) = local_pair();
            let never = async {
                ours.readable().await.unwrap();
                unreachable!("no data");
            };
            or(never, async { _ = timer_in(&a, SHORT).await }).await;
        });
        let (counter, waker) = Counter::new();
        let shared = Async::new(source.into_inner().unwrap()).unwrap();
        assert!(poll(&mut shared.readable(), &waker).is_pending());
        assert_eq!(counter.wakes(), 0);
    });
}
