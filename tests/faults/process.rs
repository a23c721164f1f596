//! Operations of the program on its own process: it forks, and it closes descriptors that it does
//! not own.

#![allow(unsafe_code)]

use std::io::{ErrorKind, Write};
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_io::{Async, Timer};
use futures_lite::future::{or, poll_once};

use crate::support::procfs::{fallback_thread, wait_until_asleep};
use crate::support::{
    Counter, assert_quiet, close_from_three, drain, fill, isolated, poll, raw, shared_pair,
};

/// A child that continues to use the library gets errors that state the reason. Drops and refused
/// operations in the child do not affect its parent.
#[test]
fn a_forked_child_has_a_reactor_of_its_own() {
    isolated("process::a_forked_child_has_a_reactor_of_its_own", || {
        let (source, mut peer) = shared_pair();
        let (full, full_peer) = shared_pair();
        let filled = fill(full.get_ref());
        let (counter, waker) = Counter::new();
        let mut readable = source.readable();
        assert!(poll(&mut readable, &waker).is_pending());
        let mut timer = Timer::after(Duration::from_millis(200));
        assert!(poll(&mut timer, &waker).is_pending());
        wait_until_asleep(fallback_thread());

        let status = raw::in_forked_child(|| {
            let (local, mut other_end) = UnixStream::pair().unwrap();
            let local = Async::new(local).unwrap();
            other_end.write_all(b"x").unwrap();
            async_io::block_on(local.readable()).unwrap();
            // Waiting for room would require a change of the interest in the parent's set.
            let mut writable = full.writable();
            match poll(&mut writable, &waker) {
                std::task::Poll::Ready(Err(error)) => {
                    assert_eq!(error.kind(), ErrorKind::Unsupported);
                }
                result => panic!("{result:?}"),
            }
            // A copy of the parent's timer, as all memory of the child.
            drop(std::mem::replace(&mut timer, Timer::never()));
            // Timers neither need nor change the parent's descriptors.
            async_io::block_on(Timer::after(Duration::from_millis(20)));
        });
        assert_eq!(status, 0, "the child did not end by itself");

        peer.write_all(b"x").unwrap();
        // The byte and the timer.
        counter.wait_for(2);
        drain(&full_peer, filled);
        async_io::block_on(full.writable()).unwrap();
    });
}

/// All descriptors are closed between two calls of `block_on`, including those of the program,
/// while the fallback thread sleeps on them. New waits work afterwards, and polling an old source
/// is harmless.
///
/// The case of a thread that is itself asleep in the reactor's wait at that moment is different:
/// the kernel keeps the set for it, and nothing in the set can end the wait, unless a registered
/// object is still open elsewhere. `tests/traps/own.rs` tests that case.
#[test]
fn new_waits_work_after_all_descriptors_are_closed() {
    isolated(
        "process::new_waits_work_after_all_descriptors_are_closed",
        || {
            let (old, peer) = shared_pair();
            // The number is closed with the others.
            let _ = peer.into_raw_fd();
            let (_counter, waker) = Counter::new();
            let mut readable = old.readable();
            assert!(poll(&mut readable, &waker).is_pending());
            async_io::block_on(Timer::after(Duration::from_millis(1)));
            wait_until_asleep(fallback_thread());
            close_from_three();

            for _ in 0..10 {
                let (start, span) = (Instant::now(), Duration::from_millis(2));
                async_io::block_on(Timer::after(span));
                assert!(start.elapsed() >= span);
                let (source, mut peer) = shared_pair();
                async_io::block_on(async {
                    assert!(poll_once(source.readable()).await.is_none());
                    peer.write_all(b"x").unwrap();
                    source.readable().await.unwrap();
                });
            }
            drop(readable);
            // The number of the old source may have been reused, so any result is accepted.
            let limit = async {
                Timer::after(Duration::from_millis(20)).await;
                Ok(())
            };
            let _ = async_io::block_on(or(old.readable(), limit));
            // Dropping the source would close a number that it no longer owns. Forgetting it would
            // be reported as a leak.
            static KEPT: OnceLock<Arc<Async<UnixStream>>> = OnceLock::new();
            KEPT.get_or_init(|| old);
            assert_quiet("after everything was closed");
        },
    );
}
