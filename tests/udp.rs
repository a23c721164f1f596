//! Section 7 of the semantics: UDP.

mod common;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::pin;
use std::task::Context;

use async_io::Async;
use common::*;

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

/// §7: `bind` is that of the standard library, then `new`.
#[test]
fn bind_makes_a_registered_socket() {
    let (socket, addr) = socket();
    assert!(is_ours(&socket));
    assert!(addr.port() != 0);
    let error = Async::<UdpSocket>::bind(addr).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

/// §7: `send_to` and `recv_from` carry datagrams and addresses; `peek_from` leaves them.
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

/// §7: `send`, `recv` and `peek` do the same on connected sockets, and an empty datagram is one.
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

/// §7: all four ways of receiving wait when there is nothing, and try first when there is something.
#[test]
fn receiving_waits_only_when_it_must() {
    guarded(|| {
        let (one, other) = connected();
        let mut bufs = [[0; 4]; 4];
        let [a, b, c, d] = &mut bufs;
        let (hits, waker) = hits();
        let mut cx = Context::from_waker(&waker);
        {
            let mut recv = pin!(other.recv(a));
            let mut peek = pin!(other.peek(b));
            assert!(recv.as_mut().poll(&mut cx).is_pending());
            assert!(peek.as_mut().poll(&mut cx).is_pending());
            foreign(one.send(b"x")).unwrap();
            hits.wait(1);
            assert_eq!(foreign(peek).unwrap(), 1);
            assert_eq!(foreign(recv).unwrap(), 1);
        }
        let before = hits.count();
        {
            let mut recv = pin!(other.recv_from(c));
            let mut peek = pin!(other.peek_from(d));
            assert!(recv.as_mut().poll(&mut cx).is_pending());
            assert!(peek.as_mut().poll(&mut cx).is_pending());
            foreign(one.send(b"y")).unwrap();
            hits.wait(before + 1);
            assert_eq!(foreign(peek).unwrap().0, 1);
            assert_eq!(foreign(recv).unwrap().0, 1);
        }
        foreign(one.send(b"z")).unwrap();
        // Loopback delivers within the call that sends.
        assert_eq!(ready(poll_now(other.peek(&mut [0]))).unwrap(), 1);
        assert_eq!(ready(poll_now(other.recv(&mut [0]))).unwrap(), 1);
    });
}

/// §7: what does not fit into the buffer is cut off, as the system does it.
#[cfg(unix)] // Windows calls it an error.
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

/// §7: errors are those of the system. (These are Linux's: others give other numbers, or tell a sender nothing.)
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
        // Whoever is connected to itself takes nothing from others, and keeps its port from being given to somebody.
        let own = other.get_ref().local_addr().unwrap();
        other.get_ref().connect(own).unwrap();
        foreign(one.send(b"nobody there")).unwrap();
        let error = foreign(one.recv(&mut [0])).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    });
}

/// §7: many datagrams in turn, each answered, on two tasks.
#[test]
fn question_and_answer() {
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
