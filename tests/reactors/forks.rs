//! A forked child of a process that uses reactors.
//!
//! A check that fails in a child ends it with a signal or a panic, so its parent sees the status.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use async_io::{Async, Reactor, Timer};

use crate::support::{
    Counter, HOUR, foreign, isolated, local_pair, poll, poll_readable, raw, wait_readable, waker_fn,
};
use crate::{SHORT, manual, named, pair_in, timer_in};

/// Runs `body` in a forked child, and fails if that does not end by itself.
#[track_caller]
fn in_child(body: impl FnOnce()) {
    let status = raw::in_forked_child(body);
    assert_eq!(status, 0, "the child has failed");
}

/// Asserts that an operation on an object of the parent is refused, with a text that says what to do.
#[track_caller]
fn is_refused<T: std::fmt::Debug>(result: std::io::Result<T>) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("forked"), "{error}");
}

/// Ends the threads that read this flag.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Uses sockets, timers, threads and `block_on` with the current reactor.
fn use_everything() {
    let (source, mut peer) = local_pair();
    foreign(async {
        Timer::after(Duration::from_millis(1)).await;
        peer.write_all(b"x").unwrap();
        source.readable().await.unwrap();
        wait_readable(&source).await.unwrap();
        source.writable().await.unwrap();
    });
    source.get_ref().read_exact(&mut [0]).unwrap();
    let writer = thread::spawn(move || {
        async_io::block_on(async { _ = Timer::after(Duration::from_millis(1)).await });
        peer.write_all(b"x").unwrap();
    });
    let mut byte = [0];
    async_io::block_on(source.read_with(|mut it| it.read(&mut byte))).unwrap();
    writer.join().unwrap();
}

/// The global reactor of the child is a new one, whatever the parent did with its own.
#[test]
fn rule_8_a_child_has_a_global_reactor_of_its_own() {
    isolated(
        "forks::rule_8_a_child_has_a_global_reactor_of_its_own",
        || {
            for round in 0..3 {
                let parents = Reactor::global();
                if round > 0 {
                    use_everything();
                }
                in_child(|| {
                    assert_ne!(Reactor::global(), parents);
                    assert_eq!(Reactor::current(), Reactor::global());
                    use_everything();
                    // A grandchild has one as well.
                    in_child(use_everything);
                    use_everything();
                });
            }
            use_everything();
        },
    );
}

/// Private reactors can be created in the child, and work.
#[test]
fn rule_8_a_child_can_create_reactors() {
    isolated("forks::rule_8_a_child_can_create_reactors", || {
        let kept = named("kept");
        // Its resources are not for the child.
        drop(manual("vacant"));
        in_child(|| {
            for reactor in [named("child"), manual("child"), Reactor::new().unwrap()] {
                assert_ne!(reactor, kept);
                let entered = reactor.enter();
                async_io::block_on(async {
                    let (source, mut peer) = local_pair();
                    Timer::after(SHORT).await;
                    peer.write_all(b"x").unwrap();
                    source.readable().await.unwrap();
                    assert_eq!(source.reactor(), reactor);
                });
                drop(entered);
                let mut timer = timer_in(&reactor, SHORT);
                let (counter, waker) = Counter::new();
                assert!(poll(&mut timer, &waker).is_pending());
                while counter.wakes() == 0 {
                    reactor.turn(Some(SHORT)).unwrap();
                }
                drop(timer);
                assert!(reactor.close().is_ok());
            }
        });
        kept.block_on(async { _ = Timer::after(SHORT).await });
    });
}

/// Objects and private reactors of the parent return errors that say so. Timers fire.
#[test]
fn rule_8_objects_of_the_parent_return_errors() {
    isolated("forks::rule_8_objects_of_the_parent_return_errors", || {
        for reactor in [manual("parent"), named("parent"), Reactor::global()] {
            let (source, mut peer) = pair_in(&reactor);
            let (counter, waker) = Counter::new();
            assert!(poll_readable(&source, &waker).is_pending());
            let mut timer = timer_in(&reactor, SHORT);
            assert!(poll(&mut timer, &waker).is_pending() || reactor == Reactor::global());
            in_child(|| {
                for poll in [
                    poll_readable(&source, &waker),
                    poll(&mut source.readable(), &waker),
                ] {
                    let Poll::Ready(result) = poll else {
                        panic!("pending")
                    };
                    is_refused(result);
                }
                is_refused(foreign(source.read_with(|mut it| it.read(&mut [0]))));
                is_refused(reactor.turn(Some(Duration::ZERO)));
                is_refused(reactor.turn(None));
                is_refused(reactor.prepare());
                is_refused(reactor.fd());
                assert_eq!(reactor.next_deadline(), None);
                reactor.waker().wake();
                // A constructor inside a reactor of the parent. The global one is replaced instead.
                let entered = reactor.enter();
                if reactor == Reactor::global() || Reactor::current() == Reactor::global() {
                    local_pair();
                } else {
                    is_refused(Async::new(crate::support::pair().0));
                }
                // Timers need nothing of the parent.
                foreign(Timer::after(SHORT));
                async_io::block_on(async { _ = Timer::after(SHORT).await });
                drop(entered);
                reactor.block_on(async { _ = Timer::after(SHORT).await });
                async_io::block_on(&mut timer);
                timer.set_after(SHORT);
                foreign(&mut timer);
                for text in [
                    format!("{source:?}"),
                    format!("{timer:?}"),
                    format!("{reactor:?}"),
                ] {
                    assert!(!text.is_empty());
                }
            });
            // The parent was not affected.
            let before = counter.wakes();
            peer.write_all(b"x").unwrap();
            while counter.wakes() == before {
                reactor.turn(Some(SHORT)).unwrap();
            }
        }
    });
}

/// Whatever the child drops or moves, the parent gets its events.
#[test]
fn rule_8_drops_in_the_child_leave_the_parent_alone() {
    isolated(
        "forks::rule_8_drops_in_the_child_leave_the_parent_alone",
        || {
            for reactor in [manual("drop"), named("drop"), Reactor::global()] {
                let (source, mut peer) = pair_in(&reactor);
                let (moved, mut moved_peer) = pair_in(&reactor);
                let counters = [Counter::new(), Counter::new(), Counter::new()];
                let [waker, moved_waker, timer_waker] = counters.each_ref().map(|(_, waker)| waker);
                assert!(poll_readable(&source, waker).is_pending());
                assert!(poll_readable(&moved, moved_waker).is_pending());
                let mut timer = timer_in(&reactor, Duration::from_millis(100));
                assert!(poll(&mut timer, timer_waker).is_pending());
                let entered = reactor.enter();
                let mut parts = Some((source, timer, reactor.clone(), entered));
                let mut moved = Some(moved);
                in_child(|| {
                    // The memory of the child is a copy, so these are other objects than those of the parent.
                    drop(parts.take());
                    let mut moved = moved.take().unwrap();
                    let child = named("child");
                    moved.rebind(&child).unwrap();
                    assert_eq!(moved.reactor(), child);
                    moved_peer.write_all(b"x").unwrap();
                    child.block_on(moved.readable()).unwrap();
                    moved.get_ref().read_exact(&mut [0]).unwrap();
                    moved.rebind(&Reactor::global()).unwrap();
                    moved_peer.write_all(b"x").unwrap();
                    foreign(moved.readable()).unwrap();
                    moved.get_ref().read_exact(&mut [0]).unwrap();
                    drop(moved);
                });
                let (source, timer, _handle, entered) = parts.unwrap();
                peer.write_all(b"x").unwrap();
                moved_peer.write_all(b"x").unwrap();
                let start = Instant::now();
                while counters.iter().any(|(counter, _)| counter.wakes() == 0) {
                    assert!(start.elapsed() < crate::support::STEP, "{counters:?}");
                    reactor.turn(Some(SHORT)).unwrap();
                }
                drop((source, timer, entered));
            }
        },
    );
}

/// A fork inside a future: the child continues to run the call, and can use a reactor of its own.
#[test]
fn rule_8_a_fork_inside_block_on() {
    isolated("forks::rule_8_a_fork_inside_block_on", || {
        for reactor in [manual("inside"), named("inside"), Reactor::global()] {
            reactor.block_on(async {
                let (source, mut peer) = local_pair();
                let (_counter, waker) = Counter::new();
                assert!(poll_readable(&source, &waker).is_pending());
                in_child(|| {
                    let own = Reactor::global();
                    let entered = own.enter();
                    use_everything();
                    drop(entered);
                    named("child").block_on(async { _ = Timer::after(SHORT).await });
                });
                // The parent continues where it was.
                peer.write_all(b"x").unwrap();
                source.readable().await.unwrap();
                Timer::after(SHORT).await;
            });
        }
    });
}

/// The child itself returns from the `block_on` that it was forked in. Meanwhile it waits for a timer of
/// the parent's reactor, and creates objects of its own.
#[test]
fn rule_8_a_child_returns_from_the_block_on_that_it_was_forked_in() {
    isolated(
        "forks::rule_8_a_child_returns_from_the_block_on_that_it_was_forked_in",
        || {
            for reactor in [named("return"), Reactor::global()] {
                let mut before = timer_in(&reactor, SHORT);
                let child = reactor.block_on(async {
                    let child = raw::fork();
                    (&mut before).await;
                    Timer::after(SHORT).await;
                    child
                });
                if child == 0 {
                    use_everything();
                    raw::exit_now();
                }
                assert_eq!(raw::wait_for(child), 0, "the child has failed");
                reactor.block_on(async { _ = Timer::after(SHORT).await });
            }
        },
    );
}

/// A waker forks, which a turn inside `block_on` or a call of `turn` has called. Meanwhile other threads
/// take the locks of the sources. The child returns from the call.
#[test]
fn rule_8_a_child_returns_from_the_turn_that_it_was_forked_in() {
    isolated(
        "forks::rule_8_a_child_returns_from_the_turn_that_it_was_forked_in",
        || {
            type Drives = fn(&Reactor);
            let by_block_on: Drives =
                |reactor| reactor.block_on(async { _ = Timer::after(2 * SHORT).await });
            let by_turn: Drives = |reactor| _ = reactor.turn(Some(2 * SHORT)).unwrap();
            let ended = AtomicBool::new(false);
            for reactor in [named("waker"), Reactor::global()] {
                let (source, _peer) = pair_in(&reactor);
                let hammer = || {
                    let wakers = [Counter::new(), Counter::new()];
                    while !ended.load(Ordering::SeqCst) {
                        for (_, waker) in &wakers {
                            assert!(poll_readable(&source, waker).is_pending());
                        }
                    }
                };
                ended.store(false, Ordering::SeqCst);
                thread::scope(|scope| {
                    scope.spawn(hammer);
                    scope.spawn(hammer);
                    // Also if a child fails.
                    let _ends = Ends(&ended);
                    for round in 0..crate::support::stress(20) {
                        let child = Arc::new(AtomicI32::new(-1));
                        let forked = Arc::clone(&child);
                        let forks = move || forked.store(raw::fork(), Ordering::SeqCst);
                        let mut timer = timer_in(&reactor, HOUR);
                        assert!(poll(&mut timer, &waker_fn(forks)).is_pending());
                        timer.set_after(SHORT);
                        let drives = [by_block_on, by_turn][round % 2];
                        while child.load(Ordering::SeqCst) < 0 {
                            drives(&reactor);
                        }
                        let child = child.load(Ordering::SeqCst);
                        if child == 0 {
                            use_everything();
                            raw::exit_now();
                        }
                        assert_eq!(raw::wait_for(child), 0, "the child has failed");
                    }
                });
            }
        },
    );
}

/// Other threads of the parent hold locks of its reactors at the moment of the fork. The child takes none
/// of them.
#[test]
fn rule_8_locks_of_the_parent_do_not_stop_the_child() {
    isolated(
        "forks::rule_8_locks_of_the_parent_do_not_stop_the_child",
        || {
            let reactors = [named("locks"), manual("locks"), Reactor::global()];
            let ended = AtomicBool::new(false);
            let hammer = |reactor: &Reactor| {
                let (_counter, waker) = Counter::new();
                while !ended.load(Ordering::SeqCst) {
                    let mut timers: Vec<_> = (0..20).map(|_| timer_in(reactor, HOUR)).collect();
                    for timer in &mut timers {
                        assert!(poll(timer, &waker).is_pending());
                    }
                    let (source, peer) = pair_in(reactor);
                    assert!(poll_readable(&source, &waker).is_pending());
                    assert!(poll(&mut source.readable(), &waker).is_pending());
                    reactor.turn(Some(Duration::ZERO)).unwrap();
                    drop((timers, source, peer));
                    drop(Reactor::new().unwrap());
                }
            };
            thread::scope(|scope| {
                for reactor in &reactors {
                    scope.spawn(|| hammer(reactor));
                    scope.spawn(|| hammer(reactor));
                }
                // Also if a child fails.
                let _ends = Ends(&ended);
                for _ in 0..crate::support::stress(40) {
                    let mut timers = reactors.each_ref().map(|it| timer_in(it, HOUR));
                    for timer in &mut timers {
                        assert!(poll(timer, std::task::Waker::noop()).is_pending());
                    }
                    let pairs = reactors.each_ref().map(pair_in);
                    // Taken by the child. Its copies are not those of the parent.
                    let mut objects = Some((reactors.clone(), timers, pairs));
                    in_child(|| {
                        let (reactors, mut timers, pairs) = objects.take().unwrap();
                        use_everything();
                        for timer in &mut timers {
                            timer.set_after(SHORT);
                            foreign(&mut *timer);
                            timer.set_after(HOUR);
                            timer.clear();
                        }
                        for (source, _) in &pairs {
                            let mut readable = source.readable();
                            assert!(poll(&mut readable, std::task::Waker::noop()).is_ready());
                        }
                        drop(format!("{pairs:?} {timers:?} {reactors:?}"));
                        for reactor in reactors {
                            reactor.waker().wake();
                            is_refused(reactor.turn(None));
                            assert!(reactor.close().is_err());
                        }
                        drop((timers, pairs));
                        let reactor = Reactor::new().unwrap();
                        reactor.block_on(async { _ = Timer::after(SHORT).await });
                    });
                }
            });
        },
    );
}
