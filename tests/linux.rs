//! Interfaces that exist only on Linux: priority and errors as separate events. They are an
//! addition to the API of async-io 2.6.
#![cfg(target_os = "linux")]

mod support;

#[cfg(not(polling_test_poll_backend))]
use std::io::{Read, Write};
use std::net::UdpSocket;

use async_io::Async;
use async_io::os::linux::{Exception, error, priority};
use rustix::net::{RecvFlags, recv};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use support::raw;
use support::*;

assert_impl_all!(Exception<'static, u8>: Send, Sync, Unpin, std::fmt::Debug);
assert_not_impl_any!(Exception<'static, std::cell::Cell<u8>>: Send, Sync);

#[cfg(not(polling_test_poll_backend))]
fn take_urgent(source: &Async<std::net::TcpStream>) {
    let mut byte = [0];
    recv(source, &mut byte, RecvFlags::OOB).unwrap();
    assert_eq!(&byte, b"!");
}

/// Urgent data is reported as priority, ordinary data is not. Priority is reported as long as the
/// urgent data is present.
#[cfg(not(polling_test_poll_backend))] // It does not report priority alone.
#[test]
fn urgent_data_is_priority_and_data_is_not() {
    guarded(|| {
        let (source, mut peer) = tcp_pair();
        for round in 0..3 {
            let ((early, waker), (reads, read_waker)) = (Counter::new(), Counter::new());
            let mut waiter = priority(&source);
            assert!(poll(&mut waiter, &waker).is_pending());
            let mut reader = source.readable();
            assert!(poll(&mut reader, &read_waker).is_pending());
            peer.write_all(b"x").unwrap();
            reads.wait_for(1);
            foreign(reader).unwrap();
            settle();
            assert_eq!(early.wakes(), 0, "woken by data in round {round}");
            assert!(poll(&mut waiter, &waker).is_pending());

            send_urgent(&peer);
            early.wait_for(1);
            foreign(waiter).unwrap();
            // The urgent byte has not been read.
            async_io::block_on(priority(&source)).unwrap();
            take_urgent(&source);
            assert!(poll_now(priority(&source)).is_pending());
            source.get_ref().read_exact(&mut [0]).unwrap();
            // A pending event of this round would wake the next round's waiter, which would then
            // poll again.
            settle();
        }
    });
}

/// Unread data neither hides priority nor keeps its waiter from sleeping.
#[cfg(not(polling_test_poll_backend))] // As above.
#[test]
fn unread_data_does_not_hide_priority() {
    guarded(|| {
        let (source, mut peer) = tcp_pair();
        let (counter, waker) = Counter::new();
        let mut waiter = priority(&source);
        assert!(poll(&mut waiter, &waker).is_pending());
        for _ in 0..20 {
            peer.write_all(b"x").unwrap();
            settle();
        }
        assert_eq!(counter.wakes(), 0);
        send_urgent(&peer);
        counter.wait_for(1);
        foreign(waiter).unwrap();
    });
}

/// Creates a socket that keeps its errors in a queue, connected to a port without a listener.
fn with_error_queue() -> (Async<UdpSocket>, UdpSocket) {
    let deaf = UdpSocket::bind("127.0.0.1:0").unwrap();
    deaf.connect(deaf.local_addr().unwrap()).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    raw::set_option(&socket, libc::IPPROTO_IP, libc::IP_RECVERR, 1);
    socket.connect(deaf.local_addr().unwrap()).unwrap();
    (Async::new(socket).unwrap(), deaf)
}

/// A message in the error queue is reported as an error until it is read. Datagrams are not.
#[test]
fn the_error_queue_is_an_error() {
    guarded(|| {
        let (source, _deaf) = with_error_queue();
        for _ in 0..3 {
            let (counter, waker) = Counter::new();
            let mut waiter = error(&source);
            assert!(poll(&mut waiter, &waker).is_pending());
            assert!(poll_now(priority(&source)).is_pending());
            source.get_ref().send(b"x").unwrap();
            counter.wait_for(1);
            foreign(waiter).unwrap();
            foreign(error(&source)).unwrap();

            recv(
                &source,
                &mut [0; 64],
                RecvFlags::ERRQUEUE | RecvFlags::DONTWAIT,
            )
            .unwrap();
            let _ = source.get_ref().take_error().unwrap();
            assert!(poll_now(error(&source)).is_pending());
        }
    });
}

/// Datagrams do not wake a waiter for errors.
#[test]
fn datagrams_are_no_errors() {
    guarded(|| {
        let receiver = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
        let (counter, waker) = Counter::new();
        let mut waiter = error(&receiver);
        assert!(poll(&mut waiter, &waker).is_pending());
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..10 {
            sender
                .send_to(b"x", receiver.get_ref().local_addr().unwrap())
                .unwrap();
            settle();
        }
        assert_eq!(counter.wakes(), 0);
        assert_eq!(foreign(receiver.recv(&mut [0; 8])).unwrap(), 1);
    });
}

/// A hang-up ends both waits.
#[test]
fn a_hang_up_ends_the_waits() {
    guarded(|| {
        let (source, peer) = local_pair();
        let (counter, waker) = Counter::new();
        let mut waiters = [priority(&source), error(&source)];
        for waiter in &mut waiters {
            assert!(poll(waiter, &waker).is_pending());
        }
        drop(peer);
        counter.wait_for(2);
        for waiter in waiters {
            foreign(waiter).unwrap();
        }
    });
}

/// Dropping the future releases its waker. A poll with another waker replaces it.
#[test]
fn a_dropped_wait_gives_its_waker_back() {
    let (source, _peer) = local_pair();
    let ((first, first_waker), (second, second_waker)) = (Counter::new(), Counter::new());
    let mut waiter = error(&source);
    assert!(poll(&mut waiter, &first_waker).is_pending());
    assert!(poll(&mut waiter, &second_waker).is_pending());
    assert_eq!((first.held(1), second.held(1)), (0, 1));
    drop(waiter);
    assert_eq!((first.held(1), second.held(1)), (0, 0));
}
