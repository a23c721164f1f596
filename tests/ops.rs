//! Behaviour of `read_with`, `write_with` and their `_mut` forms.
//!
//! Not tested here: how often the operation runs per poll. The part of it that dependents rely on
//! is tested: a wake-up leads to an immediate retry. `construct_kinds.rs` tests the error of the
//! wait itself.
// The `_mut` forms are unsafe to call.
#![allow(unsafe_code)]

mod support;

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::pin::pin;
use std::task::{Context, Poll};

use support::*;

fn read_byte(mut stream: &Local) -> io::Result<u8> {
    let mut buf = [0];
    match stream.read(&mut buf)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(buf[0]),
    }
}

/// Calls the operation until it returns something other than `WouldBlock`, and waits in between.
#[test]
fn read_with_repeats_until_done() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let calls = Cell::new(0);
        let (counter, waker) = Counter::new();
        let mut cx = Context::from_waker(&waker);
        let mut reading = pin!(source.read_with(|stream| {
            calls.set(calls.get() + 1);
            read_byte(stream)
        }));
        assert!(reading.as_mut().poll(&mut cx).is_pending());
        assert!(calls.get() >= 1);

        // No event occurs, so the operation is not retried.
        let tries = calls.get();
        settle();
        assert_eq!((counter.wakes(), calls.get()), (0, tries));

        peer.write_all(b"x").unwrap();
        counter.wait_for(1);
        let result = reading.as_mut().poll(&mut cx);
        assert_eq!(ready(result).unwrap(), b'x');
    });
}

/// The same for `write_with` and writability.
#[test]
fn write_with_repeats_until_done() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let queued = fill_for_good(source.get_ref());
        let (counter, waker) = Counter::new();
        let mut cx = Context::from_waker(&waker);
        let mut writing = pin!(source.write_with(|mut stream| stream.write(b"x")));
        assert!(writing.as_mut().poll(&mut cx).is_pending());
        peer.write_all(b"readable does not help").unwrap();
        settle();
        assert!(writing.as_mut().poll(&mut cx).is_pending());

        let before = counter.wakes();
        peer.read_exact(&mut vec![0; queued]).unwrap();
        counter.wait_for(before + 1);
        assert_eq!(ready(writing.as_mut().poll(&mut cx)).unwrap(), 1);
    });
}

/// The operation runs before any wait, so it completes in the first poll if the source is ready.
#[test]
fn what_is_ready_needs_one_poll() {
    let (source, mut peer) = local_pair();
    peer.write_all(b"x").unwrap();
    let read = poll_now(source.read_with(read_byte));
    assert_eq!(ready(read).unwrap(), b'x');
    let written = poll_now(source.write_with(|mut stream| stream.write(b"y")));
    assert_eq!(ready(written).unwrap(), 1);
}

/// The operation may do something unrelated to the source. Its result is returned without waiting.
#[test]
fn the_result_is_handed_through() {
    let (source, _peer) = local_pair();
    let result = poll_now(source.read_with(|_| Ok("anything")));
    assert_eq!(ready(result).unwrap(), "anything");
}

/// Only `WouldBlock` leads to a wait. `Interrupted` and all other errors are returned immediately.
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

/// Dropping the future during a wait loses no data and leaves no waker behind.
#[test]
fn cancelling_loses_nothing() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let (counter, waker) = Counter::new();
        for byte in 0..50 {
            {
                let mut reading = pin!(source.read_with(read_byte));
                let result = reading.as_mut().poll(&mut Context::from_waker(&waker));
                assert!(result.is_pending());
                peer.write_all(&[byte]).unwrap();
                if byte % 2 == 0 {
                    counter.wait_for(1);
                }
            }
            assert_eq!(foreign(source.read_with(read_byte)).unwrap(), byte);
        }
        // Another thread calls the waker and may still hold a copy of it.
        until("the wakers are released", || counter.held(1) == 0);
    });
}

/// Several operations may wait at the same time, and each completes.
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

/// Operations that wait in `read_with` or `write_with` do not replace the wakers of the `poll_*`
/// methods.
#[test]
fn waiting_operations_displace_no_waker() {
    guarded(|| {
        let (source, _peer) = local_pair();
        fill_for_good(source.get_ref());
        let ((slot, slot_waker), (_, op_waker)) = (Counter::new(), Counter::new());
        assert!(poll_readable(&source, &slot_waker).is_pending());
        assert!(poll_writable(&source, &slot_waker).is_pending());
        let mut cx = Context::from_waker(&op_waker);
        let mut reading = pin!(source.read_with(read_byte));
        let mut writing = pin!(source.write_with(|mut stream| stream.write(b"x")));
        assert!(reading.as_mut().poll(&mut cx).is_pending());
        assert!(writing.as_mut().poll(&mut cx).is_pending());
        settle();
        assert_eq!((slot.wakes(), slot.held(1)), (0, 2));
    });
}

/// The `_mut` forms do the same with exclusive access.
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

/// As with the shared forms, only `WouldBlock` leads to a wait.
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
