//! Changes of readiness that the library cannot observe: before the registration, by direct calls
//! on the object, or several changes with one event.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::task::Waker;

use async_io::Async;
use futures_lite::AsyncReadExt;

use crate::support::{Counter, Runner, deliver_event, drain, fill, guarded, poll, tcp_streams};

/// Two connections may arrive with one event.
#[test]
fn both_connections_of_one_event_are_accepted() {
    guarded(|| {
        let listener = Async::<std::net::TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
        let address = listener.get_ref().local_addr().unwrap();
        for runner in Runner::BOTH {
            let (counter, waker) = Counter::new();
            let mut first = Box::pin(listener.accept());
            let mut second = Box::pin(listener.accept());
            assert!(poll(&mut first, &waker).is_pending());
            assert!(poll(&mut second, &waker).is_pending());
            let _clients = [(); 2].map(|()| std::net::TcpStream::connect(address).unwrap());
            counter.wait_for(1);
            runner.block_on(first).unwrap();
            runner.block_on(second).unwrap();

            // One waiter that accepts both connections, one after the other.
            let mut first = Box::pin(listener.accept());
            assert!(poll(&mut first, &waker).is_pending());
            let _clients = [(); 2].map(|()| std::net::TcpStream::connect(address).unwrap());
            runner.block_on(first).unwrap();
            runner.block_on(listener.accept()).unwrap();
        }
    });
}

/// A peek leaves the bytes in the buffer. A peek that finds none waits for the next bytes.
#[test]
fn a_peek_leaves_the_data_for_the_next_read() {
    guarded(|| {
        for runner in Runner::BOTH {
            let (local, mut peer) = tcp_streams();
            let mut stream = Async::new(local).unwrap();
            for round in 0..100_u8 {
                let (_counter, waker) = Counter::new();
                let mut bytes = [0; 8];
                let mut peek = Box::pin(stream.peek(&mut bytes));
                assert!(poll(&mut peek, &waker).is_pending());
                peer.write_all(&[round, round]).unwrap();
                assert!(runner.block_on(peek).unwrap() > 0);
                assert!(runner.block_on(stream.peek(&mut bytes)).unwrap() > 0);
                runner.block_on(stream.read_exact(&mut bytes[..2])).unwrap();
                assert_eq!(bytes[..2], [round, round]);
            }
        }
    });
}

/// Reads directly on the object leave no stale readiness behind.
#[test]
fn reads_outside_the_wrapper_leave_no_stale_readiness() {
    guarded(|| {
        for runner in Runner::BOTH {
            let (local, mut peer) = UnixStream::pair().unwrap();
            let source = Async::new(local).unwrap();
            for round in 0..100_u8 {
                deliver_event(&source, &peer);
                source.get_ref().read_exact(&mut [0]).unwrap();
                let (_counter, waker) = Counter::new();
                let mut readable = source.readable();
                assert!(poll(&mut readable, &waker).is_pending());
                peer.write_all(&[round]).unwrap();
                runner.block_on(readable).unwrap();
                source.get_ref().read_exact(&mut [0]).unwrap();
            }
        }
    });
}

/// `readable()` reports current readiness: it waits if the source was drained directly, although
/// there was an event.
#[test]
fn readable_waits_on_a_drained_source() {
    guarded(|| {
        for runner in Runner::BOTH {
            let (local, mut peer) = UnixStream::pair().unwrap();
            let source = Async::new(local).unwrap();
            for _ in 0..100 {
                peer.write_all(b"x").unwrap();
                runner.block_on(source.readable()).unwrap();
                source.get_ref().read_exact(&mut [0]).unwrap();
                let error = source.get_ref().read(&mut [0]).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                for _ in 0..3 {
                    let mut readable = source.readable();
                    assert!(poll(&mut readable, Waker::noop()).is_pending());
                }
            }
        }
    });
}

/// `readable()` does not wait while bytes are left, although there is no new event.
#[test]
fn readable_does_not_wait_while_bytes_are_left() {
    guarded(|| {
        for runner in Runner::BOTH {
            let (local, mut peer) = tcp_streams();
            let source = Async::new(local).unwrap();
            peer.write_all(&[b'x'; 50]).unwrap();
            for _ in 0..50 {
                runner.block_on(source.readable()).unwrap();
                source.get_ref().read_exact(&mut [0]).unwrap();
            }
        }
    });
}

/// Readiness from before the registration causes no further edge.
#[test]
fn readiness_from_before_the_registration_is_seen() {
    guarded(|| {
        for runner in Runner::BOTH {
            let (local, mut peer) = UnixStream::pair().unwrap();
            peer.write_all(b"early").unwrap();
            let mut source = Async::new(local).unwrap();
            runner.block_on(source.readable()).unwrap();
            runner.block_on(source.writable()).unwrap();
            let ready = std::future::poll_fn(|cx| source.poll_readable(cx));
            runner.block_on(ready).unwrap();
            let mut bytes = [0; 5];
            runner.block_on(source.read_exact(&mut bytes)).unwrap();
            assert_eq!(&bytes, b"early");
        }
    });
}

/// Readiness that arises between the operation and the wait must be noticed as well.
#[test]
fn readiness_between_the_operation_and_the_wait_is_seen() {
    guarded(|| {
        for runner in Runner::BOTH {
            for _ in 0..100 {
                let (local, mut peer) = UnixStream::pair().unwrap();
                let source = Async::new(local).unwrap();
                let mut byte = [0];
                let mut first = true;
                let read = source.read_with(|mut stream| {
                    let result = stream.read(&mut byte);
                    if std::mem::take(&mut first) {
                        peer.write_all(b"r")?;
                    }
                    result
                });
                assert_eq!(runner.block_on(read).unwrap(), 1);

                let filled = fill(source.get_ref());
                let mut first = true;
                let write = source.write_with(|mut stream| {
                    let result = stream.write(b"w");
                    if std::mem::take(&mut first) {
                        drain(&mut peer, filled);
                    }
                    result
                });
                assert_eq!(runner.block_on(write).unwrap(), 1);
            }
        }
    });
}
