//! Faults of the reactor's own descriptors: they are closed, are full, or fail.
//!
//! Not tested with the poll(2) back end: it has no set of sources to close, and `polling`
//! interrupts it through a pipe, which cannot be told apart from the pipes of the program.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use async_io::{Async, Timer};
use futures_lite::future::poll_once;

use crate::support::procfs::{descriptors, fallback_thread, wait_until_asleep};
use crate::support::seccomp::{Filter, Reach, Verdict};
use crate::support::{Counter, Runner, assert_quiet, foreign, isolated, poll, raw, waker_fn};

/// Closes the reactor's descriptors, and checks that every wait is served or ends with an error.
fn close_and_go_on(kinds: &[&str], runner: Runner) {
    let (local, peer) = UnixStream::pair().unwrap();
    let source = Async::new(local).unwrap();
    let (other, mut other_peer) = UnixStream::pair().unwrap();
    let other = Async::new(other).unwrap();
    let reader = thread::spawn(move || {
        let mut byte = [0];
        let read = runner.block_on(source.read_with(|mut stream| stream.read(&mut byte)));
        // Returned with the source, so that the source lives until the end.
        (source, read)
    });
    let (counter, waker) = Counter::new();
    let mut readable = other.readable();
    assert!(poll(&mut readable, &waker).is_pending());
    wait_until_asleep(fallback_thread());

    for fd in kinds.iter().flat_map(|kind| descriptors(kind)) {
        raw::close(fd);
    }
    // One turn may still be in progress in the kernel, on the set that has lost its number.
    for _ in 0..10 {
        other_peer.write_all(b"x").unwrap();
        counter.wait_for(1);
        // Both success and an error end the wait.
        let _ = runner.block_on(other.readable());
        other.get_ref().read_exact(&mut [0]).unwrap();
        let start = Instant::now();
        runner.block_on(Timer::after(Duration::from_millis(2)));
        assert!(start.elapsed() >= Duration::from_millis(2));
    }
    (&peer).write_all(b"x").unwrap();
    let (_source, read) = reader.join().unwrap();
    assert!(read.is_err() || read.is_ok_and(|count| count == 1));
    assert_quiet("after the descriptors of the reactor were closed");
    if cfg!(async_io_portable) {
        // `polling` cannot open its poller again, so errors are all that the crate can return.
        return;
    }
    // Sources that are created afterwards are not affected.
    let (local, mut peer) = UnixStream::pair().unwrap();
    let source = Async::new(local).unwrap();
    let read = async {
        let first = poll_once(source.readable()).await;
        assert!(first.is_none());
        peer.write_all(b"x").unwrap();
        source.readable().await
    };
    runner.block_on(read).unwrap();
}

/// The program closes the reactor's set of sources. async-io 2.6.0 spins forever.
#[test]
fn foreign_waits_end_if_the_set_of_sources_is_closed() {
    isolated(
        "own::foreign_waits_end_if_the_set_of_sources_is_closed",
        || {
            close_and_go_on(&["eventpoll"], Runner::Foreign);
        },
    );
}

#[test]
fn waits_in_block_on_end_if_the_set_of_sources_is_closed() {
    isolated(
        "own::waits_in_block_on_end_if_the_set_of_sources_is_closed",
        || {
            close_and_go_on(&["eventpoll"], Runner::Ours);
        },
    );
}

/// The program closes all descriptors of the reactor, as daemons do that close every unknown
/// descriptor.
#[test]
fn foreign_waits_end_if_all_our_descriptors_are_closed() {
    isolated(
        "own::foreign_waits_end_if_all_our_descriptors_are_closed",
        || {
            close_and_go_on(&["eventpoll", "eventfd", "timerfd"], Runner::Foreign);
        },
    );
}

/// Failing notifications must not end the process: the wait ends at its deadline.
#[test]
fn failing_notifications_do_not_end_the_process() {
    isolated("own::failing_notifications_do_not_end_the_process", || {
        async_io::block_on(Timer::after(Duration::from_millis(1)));
        let mut filter = Filter::new();
        for fd in descriptors("eventfd") {
            filter = filter.call_on(libc::SYS_write, fd, Verdict::Fail(libc::EBADF));
        }
        filter.install(Reach::AllThreads);
        let (send_waker, waker) = std::sync::mpsc::channel();
        let waking = thread::spawn(move || {
            let waker: std::task::Waker = waker.recv().unwrap();
            for _ in 0..1_000 {
                waker.wake_by_ref();
            }
            foreign(Timer::after(Duration::from_millis(5)));
        });
        async_io::block_on(async {
            let mut pause = Timer::after(Duration::from_millis(100));
            std::future::poll_fn(|cx| {
                let _ = send_waker.send(cx.waker().clone());
                poll(&mut pause, cx.waker())
            })
            .await;
        });
        waking.join().unwrap();
    });
}

/// The reactor creates its descriptors again during a turn. A waker of that turn calls `block_on`,
/// which needs the role of the leader.
#[test]
fn a_waker_may_call_block_on_when_our_descriptors_are_made_again() {
    isolated(
        "own::a_waker_may_call_block_on_when_our_descriptors_are_made_again",
        || {
            let (local, _peer) = UnixStream::pair().unwrap();
            let source = Async::new(local).unwrap();
            let mut readable = source.readable();
            let waker = waker_fn(|| {
                _ = async_io::block_on(Timer::after(Duration::from_millis(10)));
            });
            assert!(poll(&mut readable, &waker).is_pending());
            wait_until_asleep(fallback_thread());
            for fd in descriptors("eventpoll") {
                raw::close(fd);
            }
            async_io::block_on(Timer::after(Duration::from_millis(50)));
        },
    );
}
