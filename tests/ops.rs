//! Section 5 of the semantics: `read_with`, `write_with` and their `_mut` forms.
//!
//! Lines without a test here: the "optimistic" wait is a quirk (how often the operation runs per poll), of which the part
//! that dependents rely on, that a wake-up leads to an immediate retry, is tested; the error of the wait itself is in
//! `construct_kinds.rs`.
// The `_mut` forms are unsafe to call.
#![allow(unsafe_code)]

mod common;

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::pin::pin;
use std::task::{Context, Poll};

use common::*;

fn read_byte(mut stream: &Local) -> io::Result<u8> {
    let mut buf = [0];
    match stream.read(&mut buf)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(buf[0]),
    }
}

/// §5: calls the operation until it returns something other than WouldBlock, and waits in between.
#[test]
fn read_with_repeats_until_done() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let calls = Cell::new(0);
        let (hits, waker) = hits();
        let mut cx = Context::from_waker(&waker);
        let mut reading = pin!(source.read_with(|stream| {
            calls.set(calls.get() + 1);
            read_byte(stream)
        }));
        assert!(reading.as_mut().poll(&mut cx).is_pending());
        assert!(calls.get() >= 1);

        // Nothing happens, so there is nothing to try again for.
        let tries = calls.get();
        settle();
        assert_eq!((hits.count(), calls.get()), (0, tries));

        peer.write_all(b"x").unwrap();
        hits.wait(1);
        let result = reading.as_mut().poll(&mut cx);
        assert_eq!(ready(result).unwrap(), b'x');
    });
}

/// §5: the same for `write_with`, with writability.
#[test]
fn write_with_repeats_until_done() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let queued = fill_for_good(source.get_ref());
        let (hits, waker) = hits();
        let mut cx = Context::from_waker(&waker);
        let mut writing = pin!(source.write_with(|mut stream| stream.write(b"x")));
        assert!(writing.as_mut().poll(&mut cx).is_pending());
        peer.write_all(b"readable does not help").unwrap();
        settle();
        assert!(writing.as_mut().poll(&mut cx).is_pending());

        let before = hits.count();
        peer.read_exact(&mut vec![0; queued]).unwrap();
        hits.wait(before + 1);
        assert_eq!(ready(writing.as_mut().poll(&mut cx)).unwrap(), 1);
    });
}

/// §5: the operation runs before any waiting, so what is ready completes in the first poll.
#[test]
fn what_is_ready_needs_one_poll() {
    let (source, mut peer) = local_pair();
    peer.write_all(b"x").unwrap();
    let read = poll_now(source.read_with(read_byte));
    assert_eq!(ready(read).unwrap(), b'x');
    let written = poll_now(source.write_with(|mut stream| stream.write(b"y")));
    assert_eq!(ready(written).unwrap(), 1);
}

/// §5: the operation may be about something else altogether, and then nothing is waited for.
#[test]
fn the_result_is_handed_through() {
    let (source, _peer) = local_pair();
    let result = poll_now(source.read_with(|_| Ok("anything")));
    assert_eq!(ready(result).unwrap(), "anything");
}

/// §5: only WouldBlock means wait; Interrupted and all other errors are returned at once.
#[test]
fn other_errors_are_returned() {
    let (source, _peer) = local_pair();
    for kind in [
        io::ErrorKind::Interrupted,
        io::ErrorKind::TimedOut,
        io::ErrorKind::NotConnected,
        io::ErrorKind::Other,
    ] {
        let calls = Cell::new(0);
        let op = |_: &Local| {
            calls.set(calls.get() + 1);
            Err::<(), _>(kind.into())
        };
        assert_eq!(
            ready(poll_now(source.read_with(op))).unwrap_err().kind(),
            kind
        );
        assert_eq!(
            ready(poll_now(source.write_with(op))).unwrap_err().kind(),
            kind
        );
        assert_eq!(calls.get(), 2);
    }
}

/// §5: dropping the future while it waits loses nothing and leaves nothing behind.
#[test]
fn cancelling_loses_nothing() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let (hits, waker) = hits();
        for byte in 0..50 {
            {
                let mut reading = pin!(source.read_with(read_byte));
                let result = reading.as_mut().poll(&mut Context::from_waker(&waker));
                assert!(result.is_pending());
                peer.write_all(&[byte]).unwrap();
                if byte % 2 == 0 {
                    hits.wait(1);
                }
            }
            assert_eq!(foreign(source.read_with(read_byte)).unwrap(), byte);
        }
        // Waking happens on another thread, which may still be at it.
        until("wakers come back", || hits.held(1) == 0);
    });
}

/// §5: many may wait at once; each gets its turn.
#[test]
fn many_operations_may_wait_together() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let source = &source;
        std::thread::scope(|scope| {
            let readers: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| foreign(source.read_with(read_byte)).unwrap()))
                .collect();
            peer.write_all(b"abcd").unwrap();
            let mut got: Vec<_> = readers.into_iter().map(|r| r.join().unwrap()).collect();
            got.sort_unstable();
            assert_eq!(got, b"abcd");
        });
    });
}

/// §5: tasks that wait in `read_with` or `write_with` leave the wakers of the `poll_*` methods alone.
#[test]
fn waiting_operations_displace_no_waker() {
    guarded(|| {
        let (source, _peer) = local_pair();
        fill_for_good(source.get_ref());
        let ((slot, slot_waker), (_, op_waker)) = (hits(), hits());
        assert!(poll_readable(&source, &slot_waker).is_pending());
        assert!(poll_writable(&source, &slot_waker).is_pending());
        let mut cx = Context::from_waker(&op_waker);
        let mut reading = pin!(source.read_with(read_byte));
        let mut writing = pin!(source.write_with(|mut stream| stream.write(b"x")));
        assert!(reading.as_mut().poll(&mut cx).is_pending());
        assert!(writing.as_mut().poll(&mut cx).is_pending());
        settle();
        assert_eq!((slot.count(), slot.held(1)), (0, 2));
    });
}

/// §5: the `_mut` forms do the same with exclusive access.
#[test]
fn exclusive_operations_work_alike() {
    guarded(|| {
        let (mut source, mut peer) = local_pair();
        let echo = std::thread::spawn(move || {
            let mut buf = [0];
            while peer.read(&mut buf).unwrap() > 0 {
                peer.write_all(&buf).unwrap();
            }
        });
        foreign(async {
            for byte in 0..20 {
                // SAFETY: the closure neither drops nor replaces the stream.
                let written = unsafe { source.write_with_mut(|stream| stream.write(&[byte])) };
                assert_eq!(written.await.unwrap(), 1);
                let mut buf = [0];
                // SAFETY: as above.
                let read = unsafe { source.read_with_mut(|stream| stream.read(&mut buf)) };
                assert_eq!(read.await.unwrap(), 1);
                assert_eq!(buf, [byte]);
            }
        });
        drop(source);
        echo.join().unwrap();
    });
}

/// §5: as for the shared forms, only WouldBlock means wait.
#[test]
fn exclusive_operations_wait_for_wouldblock_only() {
    let (mut source, _peer) = local_pair();
    let interrupted = |_: &mut Local| Err::<(), _>(io::ErrorKind::Interrupted.into());
    // SAFETY: the closure does nothing with the stream.
    let result = poll_now(unsafe { source.read_with_mut(interrupted) });
    assert_eq!(
        ready(result).unwrap_err().kind(),
        io::ErrorKind::Interrupted
    );
    // SAFETY: as above.
    let result = poll_now(unsafe { source.write_with_mut(interrupted) });
    assert_eq!(
        ready(result).unwrap_err().kind(),
        io::ErrorKind::Interrupted
    );
    // SAFETY: the closure only reads.
    let result = poll_now(unsafe { source.read_with_mut(|stream| stream.read(&mut [0])) });
    assert!(matches!(result, Poll::Pending));
}
