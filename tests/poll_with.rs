//! `poll_read_with` and `poll_write_with`.

mod support;

use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::task::{Context, Poll, Waker};

use async_io::Async;
use support::*;

/// Polls a read of one byte, and counts the calls of the closure.
fn poll_byte(source: &Async<Local>, waker: &Waker, calls: &mut usize) -> Poll<io::Result<usize>> {
    source.poll_read_with(&mut Context::from_waker(waker), |mut source| {
        *calls += 1;
        source.read(&mut [0])
    })
}

#[test]
fn closure_is_called_in_every_poll_and_the_task_is_woken_by_an_event() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let (counter, waker) = Counter::new();
        let mut calls = 0;
        for round in 0..20 {
            let before = counter.wakes();
            for _ in 0..3 {
                let called = calls;
                assert!(poll_byte(&source, &waker, &mut calls).is_pending());
                assert!(calls > called);
            }
            peer.write_all(&[round]).unwrap();
            counter.wait_for(before + 1);
            let read = poll_fn(|cx| source.poll_read_with(cx, |mut source| source.read(&mut [0])));
            assert_eq!(foreign(read).unwrap(), 1);
        }
    });
}

#[test]
fn write_waits_until_the_peer_has_read() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let (counter, waker) = Counter::new();
        for _ in 0..5 {
            let queued = fill_for_good(source.get_ref());
            let before = counter.wakes();
            let mut cx = Context::from_waker(&waker);
            let polled = source.poll_write_with(&mut cx, |mut source| source.write(b"x"));
            assert!(polled.is_pending());
            peer.read_exact(&mut vec![0; queued]).unwrap();
            counter.wait_for(before + 1);
            let write = poll_fn(|cx| source.poll_write_with(cx, |mut source| source.write(b"x")));
            assert_eq!(foreign(write).unwrap(), 1);
            peer.read_exact(&mut [0]).unwrap();
        }
    });
}

/// The system reports no further event, because the object stays readable.
#[test]
fn would_block_of_the_closure_itself_does_not_lose_the_task() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        peer.write_all(b"x").unwrap();
        for runner in Runner::BOTH {
            let mut refusals = 8;
            let read = poll_fn(|cx| {
                source.poll_read_with(cx, |_| {
                    if refusals > 0 {
                        refusals -= 1;
                        return refuse();
                    }
                    Ok(1)
                })
            });
            assert_eq!(runner.block_on(read).unwrap(), 1);
            assert_eq!(refusals, 0);
        }
    });
}

#[test]
fn error_that_lasts_is_returned_by_every_poll() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let (counter, waker) = Counter::new();
        let mut cx = Context::from_waker(&waker);
        for kind in [
            ErrorKind::ConnectionReset,
            ErrorKind::Interrupted,
            ErrorKind::OutOfMemory,
        ] {
            for _ in 0..10 {
                let polled = source.poll_read_with(&mut cx, |_| Err::<(), _>(kind.into()));
                assert_eq!(ready(polled).unwrap_err().kind(), kind);
                let polled = source.poll_write_with(&mut cx, |_| Err::<(), _>(kind.into()));
                assert_eq!(ready(polled).unwrap_err().kind(), kind);
            }
        }
        assert_eq!(counter.wakes(), 0);
        // The object is as usable as before.
        assert!(poll_byte(&source, &waker, &mut 0).is_pending());
        peer.write_all(b"x").unwrap();
        counter.wait_for(1);
    });
}

#[test]
fn poll_by_another_task_wakes_the_earlier_one() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let [(first, one), (second, two)] = [Counter::new(), Counter::new()];
        assert!(poll_byte(&source, &one, &mut 0).is_pending());
        assert!(poll_byte(&source, &two, &mut 0).is_pending());
        first.wait_for(1);
        // The waker is also that of `poll_readable`.
        let before = second.wakes();
        assert!(poll_readable(&source, &one).is_pending());
        second.wait_for(before + 1);
        let before = first.wakes();
        peer.write_all(b"x").unwrap();
        first.wait_for(before + 1);
    });
}

#[test]
fn reader_and_writer_of_one_object_do_not_disturb_each_other() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let queued = fill_for_good(source.get_ref());
        let [(reads, reader), (writes, writer)] = [Counter::new(), Counter::new()];
        assert!(poll_byte(&source, &reader, &mut 0).is_pending());
        let mut cx = Context::from_waker(&writer);
        let polled = source.poll_write_with(&mut cx, |mut source| source.write(b"x"));
        assert!(polled.is_pending());
        peer.write_all(b"x").unwrap();
        reads.wait_for(1);
        assert!(poll_byte(&source, &reader, &mut 0).is_ready());
        peer.read_exact(&mut vec![0; queued]).unwrap();
        writes.wait_for(1);
    });
}
