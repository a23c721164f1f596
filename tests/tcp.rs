//! Behaviour of TCP listeners and streams.
//!
//! Not tested here: which system calls `connect` makes, and that it waits once for writability,
//! which are implementation details. That `connect` sets no options is tested only for options with
//! a default that differs from the usual setting.

mod support;

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, TcpStream};
use std::pin::pin;
use std::task::Context;
#[cfg(target_os = "linux")]
use std::task::Waker;

use async_io::Async;
use futures_lite::StreamExt;
use socket2::{Domain, Type};
use support::*;

const ANY_PORT: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

fn listen() -> (Async<TcpListener>, SocketAddr) {
    let listener = Async::<TcpListener>::bind(ANY_PORT).unwrap();
    let addr = listener.get_ref().local_addr().unwrap();
    (listener, addr)
}

/// `bind` is equivalent to the `bind` of the standard library followed by `new`.
#[test]
fn bind_makes_a_registered_listener() {
    guarded(|| {
        let (listener, addr) = listen();
        assert!(is_ours(&listener));
        assert!(addr.port() != 0);
        let _client = TcpStream::connect(addr).unwrap();
        foreign(listener.readable()).unwrap();

        let error = Async::<TcpListener>::bind(addr).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    });
}

/// `accept` waits for a connection and returns a registered stream with the client's address.
#[test]
fn accept_gives_a_registered_stream() {
    guarded(|| {
        let (listener, addr) = listen();
        let (counter, waker) = Counter::new();
        let mut accepting = pin!(listener.accept());
        let mut cx = Context::from_waker(&waker);
        assert!(accepting.as_mut().poll(&mut cx).is_pending());
        let mut client = TcpStream::connect(addr).unwrap();
        counter.wait_for(1);
        let (stream, from) = foreign(accepting).unwrap();
        assert_eq!(from, client.local_addr().unwrap());
        assert!(is_ours(&stream));
        client.write_all(b"x").unwrap();
        foreign(stream.readable()).unwrap();
    });
}

/// Cancelling `accept` loses no connection.
#[test]
fn cancelling_accept_loses_nothing() {
    guarded(|| {
        let (listener, addr) = listen();
        for _ in 0..10 {
            let (counter, waker) = Counter::new();
            let client = {
                let mut accepting = pin!(listener.accept());
                let mut cx = Context::from_waker(&waker);
                assert!(accepting.as_mut().poll(&mut cx).is_pending());
                let client = TcpStream::connect(addr).unwrap();
                counter.wait_for(1);
                client
            };
            let (_, from) = foreign(listener.accept()).unwrap();
            assert_eq!(from, client.local_addr().unwrap());
        }
    });
}

/// One event wakes all tasks that wait in `accept`. Each connection is accepted by one of them, even
/// if another one is cancelled after it was woken. The rest are woken by the next connection.
#[test]
fn waiting_acceptors_share_the_connections() {
    guarded(|| {
        let (listener, addr) = listen();
        for _ in 0..20 {
            let mut acceptors: Vec<_> = (0..8)
                .map(|_| (Counter::new(), 0, Box::pin(listener.accept())))
                .collect();
            for ((_, waker), _, accepting) in &mut acceptors {
                assert!(poll(accepting, waker).is_pending());
            }
            for connections in [3, 1] {
                let clients: Vec<_> = (0..connections)
                    .map(|_| TcpStream::connect(addr).unwrap())
                    .collect();
                acceptors[0].0.0.wait_for(acceptors[0].1 + 1);
                drop(acceptors.swap_remove(0));
                let left = acceptors.len() - connections;
                until("each connection is accepted", || {
                    acceptors.retain_mut(|((counter, waker), handled, accepting)| {
                        let wakes = counter.wakes();
                        let is_woken = std::mem::replace(handled, wakes) < wakes;
                        !is_woken || poll(accepting, waker).is_pending()
                    });
                    acceptors.len() == left
                });
                drop(clients);
            }
        }
    });
}

/// `incoming` yields one connection after another, including after the stream was dropped and
/// created again.
#[test]
fn incoming_yields_one_connection_after_another() {
    guarded(|| {
        let (listener, addr) = listen();
        for _ in 0..3 {
            let mut incoming = pin!(listener.incoming());
            assert!(poll_now(incoming.next()).is_pending());
            let clients = [(); 3].map(|()| TcpStream::connect(addr).unwrap());
            for client in clients {
                let stream = foreign(incoming.next()).unwrap().unwrap();
                assert!(is_ours(&stream));
                let peer = stream.get_ref().peer_addr().unwrap();
                assert_eq!(peer, client.local_addr().unwrap());
            }
            assert!(poll_now(incoming.next()).is_pending());
        }
    });
}

/// Between two items `incoming` holds no waker, whatever the order of the connection and its event.
#[test]
fn incoming_keeps_no_waker_of_an_item() {
    guarded(|| {
        let (listener, address) = listen();
        let mut incoming = pin!(listener.incoming());
        for _ in 0..200 {
            let (counter, waker) = Counter::new();
            assert!(poll(&mut incoming.next(), &waker).is_pending());
            let _peer = TcpStream::connect(address).unwrap();
            while poll(&mut incoming.next(), &waker).is_pending() {
                std::thread::yield_now();
            }
            drop(waker);
            // The thread that calls the waker may still hold a copy.
            let start = std::time::Instant::now();
            while counter.held(0) > 0 {
                assert!(start.elapsed() < STEP, "a waker is still held");
                std::thread::yield_now();
            }
        }
    });
}

/// An error of `accept` leaves nothing open and is an item of `incoming`. Both continue to work
/// after it.
#[cfg(target_os = "linux")]
#[test]
fn accept_survives_a_lack_of_descriptors() {
    isolated("accept_survives_a_lack_of_descriptors", || {
        let (listener, addr) = listen();
        let clients = [(); 2].map(|()| TcpStream::connect(addr).unwrap());
        settle();
        let mut incoming = pin!(listener.incoming());
        for _ in 0..3 {
            let usual = limit_descriptors(Some(3));
            let accepted = foreign(listener.accept());
            let item = foreign(incoming.next());
            limit_descriptors(usual);
            for error in [accepted.unwrap_err(), item.unwrap().unwrap_err()] {
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
            }
        }
        let (_, from) = foreign(listener.accept()).unwrap();
        assert_eq!(from, clients[0].local_addr().unwrap());
        let stream = foreign(incoming.next()).unwrap().unwrap();
        let peer = stream.get_ref().peer_addr().unwrap();
        assert_eq!(peer, clients[1].local_addr().unwrap());
    });
}

/// `connect` returns a stream that works in both directions, is non-blocking and closed on exec,
/// and has the default options.
#[test]
fn connect_gives_a_registered_stream() {
    guarded(|| {
        let (listener, addr) = listen();
        let stream = foreign(Async::<TcpStream>::connect(addr)).unwrap();
        assert!(is_ours(&stream));
        assert!(!stream.get_ref().nodelay().unwrap());
        assert_eq!(stream.get_ref().peer_addr().unwrap(), addr);
        let (mut peer, from) = foreign(async { listener.into_inner().unwrap().accept() }).unwrap();
        assert_eq!(from, stream.get_ref().local_addr().unwrap());

        peer.write_all(b"x").unwrap();
        let read = foreign(stream.read_with(|mut io| io.read(&mut [0; 8])));
        assert_eq!(read.unwrap(), 1);
        let written = foreign(stream.write_with(|mut io| io.write(b"y")));
        assert_eq!(written.unwrap(), 1);
        peer.read_exact(&mut [0]).unwrap();
    });
}

/// A refused connection is reported as the plain system error.
#[test]
fn a_refused_connection_is_an_error() {
    guarded(|| {
        // Bound, so that no other socket gets the port, but not listening.
        let bound = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        bound.bind(&SocketAddr::from(ANY_PORT).into()).unwrap();
        let addr = bound.local_addr().unwrap().as_socket().unwrap();
        let error = foreign(Async::<TcpStream>::connect(addr)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let expected = TcpStream::connect(addr).unwrap_err();
        assert_eq!(error.raw_os_error(), expected.raw_os_error());
        assert!(expected.raw_os_error().is_some());
    });
}

/// Errors of the `connect` call itself are returned from the first poll.
#[test]
fn an_impossible_address_fails_at_once() {
    // Would succeed only with the option `SO_BROADCAST`, which this socket does not set, or with a
    // nonexistent address family.
    let broadcast = SocketAddr::from(([255, 255, 255, 255], 9));
    let expected = TcpStream::connect(broadcast).unwrap_err().raw_os_error();
    let error = ready(poll_now(Async::<TcpStream>::connect(broadcast))).unwrap_err();
    assert_eq!(error.raw_os_error(), expected);
    assert!(expected.is_some());
}

/// IPv6 works, and the scope of an address reaches the system: with and without a scope the errors
/// equal those of the standard library.
#[test]
fn ipv6_addresses_are_passed_whole() {
    guarded(|| {
        let Ok(listener) = Async::<TcpListener>::bind((Ipv6Addr::LOCALHOST, 0)) else {
            // This machine has no IPv6. The standard library must fail as well.
            assert!(TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err());
            return;
        };
        let addr = listener.get_ref().local_addr().unwrap();
        let stream = foreign(Async::<TcpStream>::connect(addr)).unwrap();
        assert_eq!(stream.get_ref().peer_addr().unwrap(), addr);

        let link_local = "fe80::1".parse().unwrap();
        for scope in [0, i32::MAX as u32] {
            let addr = SocketAddrV6::new(link_local, 9, 0, scope);
            let expected = TcpStream::connect(addr).unwrap_err();
            let error = foreign(Async::<TcpStream>::connect(addr)).unwrap_err();
            assert_eq!(error.raw_os_error(), expected.raw_os_error(), "{scope}");
        }
    });
}

/// Dropping a pending connection attempt closes its socket.
#[cfg(target_os = "linux")]
#[test]
fn a_dropped_attempt_closes_its_socket() {
    isolated("a_dropped_attempt_closes_its_socket", || {
        // A listener with a full backlog does not answer further attempts.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let addr = listener.local_addr().unwrap();
        let mut attempts = Vec::new();
        for _ in 0..8 {
            let mut attempt = Box::pin(Async::<TcpStream>::connect(addr));
            let mut cx = Context::from_waker(Waker::noop());
            if attempt.as_mut().poll(&mut cx).is_pending() {
                attempts.push(attempt);
            }
        }
        settle();
        let open = open_objects();
        let under_way = attempts.len();
        assert!(under_way > 0);
        drop(attempts);
        assert_eq!(open_objects(), open - under_way);
    });
}

/// `peek` waits for data and leaves it unread.
#[test]
fn peek_leaves_the_data() {
    guarded(|| {
        let (stream, mut peer) = tcp_pair();
        let (counter, waker) = Counter::new();
        let mut buf = [0; 8];
        {
            let mut peeking = pin!(stream.peek(&mut buf));
            let mut cx = Context::from_waker(&waker);
            assert!(peeking.as_mut().poll(&mut cx).is_pending());
            peer.write_all(b"abc").unwrap();
            counter.wait_for(1);
            assert_eq!(foreign(peeking).unwrap(), 3);
        }
        assert_eq!(&buf[..3], b"abc");
        assert_eq!(ready(poll_now(stream.peek(&mut buf[..2]))).unwrap(), 2);
        let read = poll_now(stream.read_with(|mut io| io.read(&mut [0; 8])));
        assert_eq!(ready(read).unwrap(), 3);
        drop(peer);
        assert_eq!(foreign(stream.peek(&mut buf)).unwrap(), 0);
    });
}

/// Any type that converts into a single address is accepted.
#[test]
fn addresses_convert() {
    guarded(|| {
        let localhost: IpAddr = [127, 0, 0, 1].into();
        let listener = Async::<TcpListener>::bind((localhost, 0)).unwrap();
        let addr = listener.get_ref().local_addr().unwrap();
        foreign(Async::<TcpStream>::connect((localhost, addr.port()))).unwrap();
        foreign(Async::<TcpStream>::connect(([127, 0, 0, 1], addr.port()))).unwrap();
    });
}
