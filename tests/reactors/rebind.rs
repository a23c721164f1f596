//! Moving an object to another reactor.

use std::io::{Read, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use async_io::Reactor;

use crate::support::{
    Counter, fill, foreign, guarded, local_pair, poll, poll_readable, poll_writable, wait_readable,
};
use crate::{flush, manual, named, pair_in};

/// Runs turns until the counter has counted.
fn drive(reactor: &Reactor, counter: &Counter, wakes: usize) {
    while counter.wakes() < wakes {
        reactor.turn(None).unwrap();
    }
}

/// The tasks of both directions are woken by the move itself. They wait again in the new reactor.
#[test]
fn rule_6_rebind_wakes_the_tasks() {
    guarded(|| {
        // No thread drives these reactors, so nothing else wakes a task.
        let (a, b) = (manual("a"), manual("b"));
        let (mut source, mut peer) = pair_in(&a);
        fill(source.get_ref());
        let (reader, reads) = Counter::new();
        let (writer, writes) = Counter::new();
        assert!(poll_readable(&source, &reads).is_pending());
        assert!(poll_writable(&source, &writes).is_pending());
        source.rebind(&b).unwrap();
        assert_eq!((reader.wakes(), writer.wakes()), (1, 1));
        assert_eq!(source.reactor(), b);
        assert!(format!("{source:?}").contains("reactor: \"b\""));
        // The wakers were released.
        assert_eq!((reader.held(1), writer.held(1)), (0, 0));

        assert!(poll_readable(&source, &reads).is_pending());
        peer.write_all(b"x").unwrap();
        a.turn(Some(Duration::from_millis(5))).unwrap();
        assert_eq!(reader.wakes(), 1);
        drive(&b, &reader, 2);
    });
}

/// What has happened before the move is reported after it.
#[test]
fn rule_6_rebind_keeps_what_is_ready() {
    guarded(|| {
        let (a, b) = (manual("a"), manual("b"));
        for fetched in [false, true] {
            let (mut source, mut peer) = pair_in(&a);
            flush(&a);
            peer.write_all(b"x").unwrap();
            if fetched {
                flush(&a);
            }
            source.rebind(&b).unwrap();
            b.block_on(async {
                source.readable().await.unwrap();
                wait_readable(&source).await.unwrap();
                source.writable().await.unwrap();
            });
            assert_eq!(source.get_ref().read(&mut [0; 4]).unwrap(), 1);
            // No event is left of that.
            let (counter, waker) = Counter::new();
            while poll_readable(&source, &waker).is_ready() {}
            flush(&b);
            peer.write_all(b"x").unwrap();
            drive(&b, &counter, 1);
        }
    });
}

/// The byte arrives between two moves, during a move, or while the task waits.
#[test]
fn rule_6_rebind_loses_no_event() {
    guarded(|| {
        let reactors = [named("a"), manual("b"), named("c"), Reactor::global()];
        let (mut source, mut peer) = pair_in(&reactors[0]);
        let rounds = crate::support::stress(1000);
        let (next, may_write) = mpsc::sync_channel(0);
        let writer = thread::spawn(move || {
            while may_write.recv().is_ok() {
                peer.write_all(b"x").unwrap();
            }
        });
        for round in 0..rounds {
            next.send(()).unwrap();
            for reactor in reactors.iter().cycle().skip(round).take(1 + round % 5) {
                source.rebind(reactor).unwrap();
            }
            let reactor = source.reactor();
            let mut byte = [0];
            let read = source.read_with(|mut it| it.read(&mut byte));
            let count = match round % 2 {
                0 if reactor != reactors[1] => foreign(read),
                _ => reactor.block_on(read),
            };
            assert_eq!(count.unwrap(), 1);
        }
        drop(next);
        writer.join().unwrap();
    });
}

/// A move to the present reactor changes nothing, and wakes no task.
#[test]
fn rule_6_rebind_to_the_same_reactor_does_nothing() {
    guarded(|| {
        let reactor = manual("same");
        let (mut source, mut peer) = pair_in(&reactor);
        let (counter, waker) = Counter::new();
        assert!(poll_readable(&source, &waker).is_pending());
        source.rebind(&reactor.clone()).unwrap();
        assert_eq!((counter.wakes(), counter.held(1)), (0, 1));
        peer.write_all(b"x").unwrap();
        drive(&reactor, &counter, 1);
        let (mut global, _peer) = local_pair();
        global.rebind(&Reactor::global()).unwrap();
        assert_eq!(global.reactor(), Reactor::global());
    });
}

/// If the object cannot be registered, it stays where it is, with its waiting tasks.
#[cfg(unix)]
#[test]
fn rule_6_rebind_that_fails_changes_nothing() {
    use async_io::Async;
    guarded(|| {
        let (a, b) = (manual("a"), manual("b"));
        let (ours, mut peer) = crate::support::pair();
        let entered = a.enter();
        // The descriptor is registered with both reactors.
        let obstacle = Async::new(&ours).unwrap();
        drop(entered);
        let entered = b.enter();
        let mut source = Async::new(&ours).unwrap();
        drop(entered);
        let (counter, waker) = Counter::new();
        assert!(poll_readable(&source, &waker).is_pending());
        let error = source.rebind(&a).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(source.reactor(), b);
        assert_eq!((counter.wakes(), counter.held(1)), (0, 1));
        peer.write_all(b"x").unwrap();
        drive(&b, &counter, 1);
        // The obstacle is not affected, and the move works without it.
        a.block_on(obstacle.readable()).unwrap();
        drop(obstacle);
        source.rebind(&a).unwrap();
        a.block_on(source.readable()).unwrap();
        // Nothing is left in `b`.
        drop(source);
        assert!(b.close().is_ok());
        assert!(a.close().is_ok());
    });
}

/// The former reactor is not kept alive by the object, and the new one is.
#[test]
fn rule_6_rebind_moves_what_keeps_a_reactor_alive() {
    guarded(|| {
        let (a, b) = (named("a"), named("b"));
        let (mut source, _peer) = pair_in(&a);
        source.rebind(&b).unwrap();
        assert!(a.close().is_ok());
        let error = b.close().unwrap_err();
        assert!(error.to_string().contains("1 I/O object"), "{error}");
        source.rebind(&Reactor::global()).unwrap();
        assert!(error.into_reactor().close().is_ok());
        foreign(source.writable()).unwrap();
    });
}

/// A waker that is woken by the move uses both reactors.
#[test]
fn rule_6_rebind_calls_wakers_without_a_lock() {
    guarded(|| {
        let (a, b) = (named("a"), named("b"));
        let (mut source, _peer) = pair_in(&a);
        let (counter, wake) = Counter::new();
        let reactors = [a.clone(), b.clone()];
        let waker = crate::support::waker_fn(move || {
            for reactor in &reactors {
                let (other, mut peer) = pair_in(reactor);
                let mut readable = other.readable();
                assert!(poll(&mut readable, std::task::Waker::noop()).is_pending());
                peer.write_all(b"x").unwrap();
                reactor.block_on(readable).unwrap();
            }
            wake.wake_by_ref();
        });
        assert!(poll_readable(&source, &waker).is_pending());
        source.rebind(&b).unwrap();
        assert_eq!(counter.wakes(), 1);
        drop(waker);
    });
}
