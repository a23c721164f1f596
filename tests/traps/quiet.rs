//! Readiness that no task waits for must not keep a thread busy.

use std::io::{ErrorKind, Read, Write};
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use async_io::{Async, Timer};
use futures_lite::AsyncReadExt;

use crate::support::procfs::{fallback_thread, sleeps_of_all, wait_until_asleep};
use crate::support::{Runner, assert_quiet, isolated, poll, raw, tcp_streams};

/// An urgent byte may wake a reader once. It is not data, so the reader goes back to sleep.
#[test]
fn a_reader_sleeps_again_after_an_urgent_byte() {
    isolated("quiet::a_reader_sleeps_again_after_an_urgent_byte", || {
        for runner in Runner::BOTH {
            let (local, mut peer) = tcp_streams();
            let mut stream = Async::new(local).unwrap();
            let reader = thread::spawn(move || {
                let mut bytes = [0; 4];
                runner.block_on(stream.read_exact(&mut bytes)).unwrap();
                bytes
            });
            raw::send(&peer, b"!", libc::MSG_OOB);
            assert_quiet("a reader after an urgent byte");
            peer.write_all(b"data").unwrap();
            assert_eq!(reader.join().unwrap(), *b"data");
        }
    });
}

/// The same for an operation that the library does not know. It is retried occasionally, not in a
/// loop.
#[test]
fn an_unknown_operation_is_retried_seldom_after_an_urgent_byte() {
    isolated(
        "quiet::an_unknown_operation_is_retried_seldom_after_an_urgent_byte",
        || {
            for runner in Runner::BOTH {
                let (local, mut peer) = tcp_streams();
                let source = Async::new(local).unwrap();
                let tries = Arc::new(AtomicUsize::new(0));
                let counted = tries.clone();
                let reader = thread::spawn(move || {
                    let read = source.read_with(|mut stream| {
                        counted.fetch_add(1, Ordering::Relaxed);
                        stream.read(&mut [0; 8])
                    });
                    runner.block_on(read).unwrap()
                });
                raw::send(&peer, b"!", libc::MSG_OOB);
                assert_quiet("an operation after an urgent byte");
                let tries = tries.load(Ordering::Relaxed);
                assert!(tries < 3_000, "{tries} tries");
                peer.write_all(b"data").unwrap();
                assert_eq!(reader.join().unwrap(), 4);
            }
        },
    );
}

/// A source without waiters receives a flood of datagrams. The thread that drives the reactor keeps
/// sleeping, and no datagram is lost.
#[test]
fn a_flood_without_a_waiter_wakes_no_thread() {
    isolated("quiet::a_flood_without_a_waiter_wakes_no_thread", || {
        let source = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
        let address = source.get_ref().local_addr().unwrap();
        let sender = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        // A task waits for a timer, so a thread drives the reactor.
        let mut timer = Timer::after(Duration::from_secs(600));
        assert!(poll(&mut timer, Waker::noop()).is_pending());
        wait_until_asleep(fallback_thread());

        for runner in Runner::BOTH {
            let before = sleeps_of_all();
            for number in 0..100_000 {
                sender.send_to(b"flood", address).unwrap();
                if number % 100 == 99 {
                    // Keeps the queue from filling up, so that each datagram is an event.
                    while source.get_ref().recv(&mut [0; 8]).is_ok() {}
                }
            }
            let sleeps = sleeps_of_all() - before;
            assert!(sleeps < 500, "{sleeps} wake-ups without a waiter");

            let mut buffer = [0; 8];
            sender.send_to(b"now", address).unwrap();
            assert_eq!(runner.block_on(source.recv(&mut buffer)).unwrap(), 3);
            let mut recv = Box::pin(source.recv(&mut buffer));
            assert!(poll(&mut recv, Waker::noop()).is_pending());
            sender.send_to(b"later", address).unwrap();
            assert_eq!(runner.block_on(recv).unwrap(), 5);
        }
    });
}

/// A datagram socket is reported as writable while the receiver's queue is full. The writer waits
/// without spinning, and its datagram is sent when there is room. async-io 2.6.0 spins.
#[test]
fn a_writer_sleeps_while_the_receiver_of_its_datagram_is_full() {
    isolated(
        "quiet::a_writer_sleeps_while_the_receiver_of_its_datagram_is_full",
        || {
            for runner in Runner::BOTH {
                let place = tempfile::tempdir().unwrap();
                let path = place.path().join("receiver");
                let receiver = UnixDatagram::bind(&path).unwrap();
                let filler = UnixDatagram::unbound().unwrap();
                filler.set_nonblocking(true).unwrap();
                let error = loop {
                    if let Err(error) = filler.send_to(b"full", &path) {
                        break error;
                    }
                };
                assert_eq!(error.kind(), ErrorKind::WouldBlock);

                let sender = Async::<UnixDatagram>::unbound().unwrap();
                let writer = thread::spawn(move || runner.block_on(sender.send_to(b"last", path)));
                assert_quiet("a writer whose receiver is full");
                let mut buffer = [0; 8];
                loop {
                    let count = receiver.recv(&mut buffer).unwrap();
                    if &buffer[..count] == b"last" {
                        break;
                    }
                }
                assert_eq!(writer.join().unwrap().unwrap(), 4);
            }
        },
    );
}
