//! Behaviour of UDP sockets.

mod support;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::pin;
use std::task::Context;

use async_io::Async;
use support::*;

fn socket() -> (Async<UdpSocket>, SocketAddr) {
    let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
    let addr = socket.get_ref().local_addr().unwrap();
    (socket, addr)
}

fn connected() -> (Async<UdpSocket>, Async<UdpSocket>) {
    let ((one, one_addr), (other, other_addr)) = (socket(), socket());
    one.get_ref().connect(other_addr).unwrap();
    other.get_ref().connect(one_addr).unwrap();
    (one, other)
}

/// `bind` is equivalent to the `bind` of the standard library followed by `new`.
#[test]
fn bind_makes_a_registered_socket() {
    let (socket, addr) = socket();
    assert!(is_ours(&socket));
    assert!(addr.port() != 0);
    let error = Async::<UdpSocket>::bind(addr).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

/// `send_to` and `recv_from` transfer datagrams with their addresses. `peek_from` leaves the
/// datagram in the queue.
#[test]
fn datagrams_carry_their_sender() {
    guarded(|| {
        let ((one, one_addr), (other, other_addr)) = (socket(), socket());
        let mut buf = [0; 16];
        foreign(async {
            assert_eq!(one.send_to(b"first", other_addr).await.unwrap(), 5);
            assert_eq!(one.send_to(b"second", other_addr).await.unwrap(), 6);
            for _ in 0..2 {
                let peeked = other.peek_from(&mut buf).await.unwrap();
                assert_eq!(peeked, (5, one_addr));
            }
            assert_eq!(other.recv_from(&mut buf).await.unwrap(), (5, one_addr));
            assert_eq!(other.recv_from(&mut buf).await.unwrap(), (6, one_addr));
            assert_eq!(&buf[..6], b"second");
        });
    });
}

/// `send`, `recv` and `peek` do the same on connected sockets. An empty datagram is a datagram.
#[test]
fn connected_sockets_need_no_addresses() {
    guarded(|| {
        let (one, other) = connected();
        let mut buf = [0; 16];
        foreign(async {
            assert_eq!(one.send(b"hello").await.unwrap(), 5);
            assert_eq!(one.send(b"").await.unwrap(), 0);
            assert_eq!(other.peek(&mut buf).await.unwrap(), 5);
            assert_eq!(other.recv(&mut buf).await.unwrap(), 5);
            assert_eq!(&buf[..5], b"hello");
            assert_eq!(other.recv(&mut buf).await.unwrap(), 0);
        });
    });
}

/// All four receiving functions try first and wait only if there is no datagram.
#[test]
fn receiving_waits_only_when_it_must() {
    guarded(|| {
        let (one, other) = connected();
        let mut bufs = [[0; 4]; 4];
        let [a, b, c, d] = &mut bufs;
        let (counter, waker) = Counter::new();
        let mut cx = Context::from_waker(&waker);
        {
            let mut recv = pin!(other.recv(a));
            let mut peek = pin!(other.peek(b));
            assert!(recv.as_mut().poll(&mut cx).is_pending());
            assert!(peek.as_mut().poll(&mut cx).is_pending());
            foreign(one.send(b"x")).unwrap();
            counter.wait_for(1);
            assert_eq!(foreign(peek).unwrap(), 1);
            assert_eq!(foreign(recv).unwrap(), 1);
        }
        let before = counter.wakes();
        {
            let mut recv = pin!(other.recv_from(c));
            let mut peek = pin!(other.peek_from(d));
            assert!(recv.as_mut().poll(&mut cx).is_pending());
            assert!(peek.as_mut().poll(&mut cx).is_pending());
            foreign(one.send(b"y")).unwrap();
            counter.wait_for(before + 1);
            assert_eq!(foreign(peek).unwrap().0, 1);
            assert_eq!(foreign(recv).unwrap().0, 1);
        }
        foreign(one.send(b"z")).unwrap();
        // Loopback delivers within the sending call.
        assert_eq!(ready(poll_now(other.peek(&mut [0]))).unwrap(), 1);
        assert_eq!(ready(poll_now(other.recv(&mut [0]))).unwrap(), 1);
    });
}

/// A datagram that does not fit into the buffer is truncated, as the system does.
#[cfg(unix)] // Windows reports an error.
#[test]
fn long_datagrams_are_truncated() {
    guarded(|| {
        let (one, other) = connected();
        let mut buf = [0; 3];
        foreign(async {
            one.send(b"abcdef").await.unwrap();
            one.send(b"gh").await.unwrap();
            assert_eq!(other.peek(&mut buf).await.unwrap(), 3);
            assert_eq!(other.recv(&mut buf).await.unwrap(), 3);
            assert_eq!(&buf, b"abc");
            assert_eq!(other.recv(&mut buf).await.unwrap(), 2);
        });
    });
}

/// Errors are those of the system. (The expected ones are those of Linux. Other systems use other
/// numbers or report nothing to the sender.)
#[cfg(target_os = "linux")]
#[test]
fn errors_are_returned() {
    guarded(|| {
        let (one, _) = socket();
        let error = foreign(one.send(b"x")).unwrap_err();
        let expected = one.get_ref().send(b"x").unwrap_err();
        assert_eq!(error.raw_os_error(), expected.raw_os_error());
        let too_long = vec![0; 70_000];
        let error = foreign(one.send_to(&too_long, ([127, 0, 0, 1], 9))).unwrap_err();
        let expected = one.get_ref().send_to(&too_long, "127.0.0.1:9").unwrap_err();
        assert_eq!(error.raw_os_error(), expected.raw_os_error());
        assert_ne!(error.kind(), io::ErrorKind::WouldBlock);

        let (one, other) = connected();
        // A socket that is connected to itself receives nothing from other sockets and keeps its
        // port.
        let own = other.get_ref().local_addr().unwrap();
        other.get_ref().connect(own).unwrap();
        foreign(one.send(b"nobody there")).unwrap();
        let error = foreign(one.recv(&mut [0])).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    });
}

/// Many datagrams, each answered by another task.
#[test]
fn each_of_many_datagrams_is_answered() {
    guarded(|| {
        let (one, other) = connected();
        let answering = std::thread::spawn(move || {
            foreign(async {
                let mut buf = [0; 8];
                for _ in 0..200 {
                    let count = other.recv(&mut buf).await.unwrap();
                    other.send(&buf[..count]).await.unwrap();
                }
            });
        });
        foreign(async {
            let mut buf = [0; 8];
            for n in 0..200_u64 {
                one.send(&n.to_ne_bytes()).await.unwrap();
                assert_eq!(one.recv(&mut buf).await.unwrap(), 8);
                assert_eq!(buf, n.to_ne_bytes());
            }
        });
        answering.join().unwrap();
    });
}
