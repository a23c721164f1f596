//! Which events make a source readable, and which make it writable.

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use async_io::Async;
use support::*;

/// Starts waiting, runs `cause`, and requires both the wake-up and the end of the wait.
fn wakes_reader<T>(source: &Async<T>, cause: impl FnOnce()) {
    let ((counter, waker), (slot, slot_waker)) = (Counter::new(), Counter::new());
    let mut waiter = source.readable();
    assert!(poll(&mut waiter, &waker).is_pending());
    assert!(poll_readable(source, &slot_waker).is_pending());
    cause();
    counter.wait_for(1);
    slot.wait_for(1);
    foreign(waiter).unwrap();
    foreign(wait_readable(source)).unwrap();
}

/// The same for a writer.
fn wakes_writer<T>(source: &Async<T>, cause: impl FnOnce()) {
    let ((counter, waker), (slot, slot_waker)) = (Counter::new(), Counter::new());
    let mut waiter = source.writable();
    assert!(poll(&mut waiter, &waker).is_pending());
    assert!(poll_writable(source, &slot_waker).is_pending());
    cause();
    counter.wait_for(1);
    slot.wait_for(1);
    foreign(waiter).unwrap();
    foreign(std::future::poll_fn(|cx| source.poll_writable(cx))).unwrap();
}

/// A source is readable when it has data.
#[test]
fn data_is_readable() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        wakes_reader(&source, || peer.write_all(b"x").unwrap());
        let (source, mut peer) = tcp_pair();
        wakes_reader(&source, || peer.write_all(b"x").unwrap());
    });
}

/// A listener is readable when a connection can be accepted.
#[test]
fn a_connection_is_readable() {
    guarded(|| {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
        let addr = listener.get_ref().local_addr().unwrap();
        wakes_reader(&listener, || drop(TcpStream::connect(addr).unwrap()));
    });
}

/// A source is readable at the end of file.
#[test]
fn end_of_file_is_readable() {
    guarded(|| {
        let (source, peer) = local_pair();
        wakes_reader(&source, || drop(peer));
        let (source, peer) = tcp_pair();
        wakes_reader(&source, || drop(peer));
    });
}

/// A half-close by the peer makes a source readable. It does not make it writable.
#[test]
fn half_close_is_readable_and_not_writable() {
    guarded(|| {
        let (source, peer) = local_pair();
        fill_for_good(source.get_ref());
        let (counter, waker) = Counter::new();
        let mut writer = source.writable();
        assert!(poll(&mut writer, &waker).is_pending());
        wakes_reader(&source, || peer.shutdown(Shutdown::Write).unwrap());
        settle();
        assert_eq!(counter.wakes(), 0);
        assert!(poll(&mut writer, &waker).is_pending());

        let (source, peer) = tcp_pair();
        wakes_reader(&source, || peer.shutdown(Shutdown::Write).unwrap());
    });
}

/// A hang-up alone makes a source readable: a pipe without a writer reports nothing else.
#[cfg(unix)]
#[test]
fn hang_up_is_readable() {
    guarded(|| {
        let (reader, writer) = pipe();
        let reader = Async::new(reader).unwrap();
        wakes_reader(&reader, || drop(writer));
        assert_eq!(reader.get_ref().read(&mut [0]).unwrap(), 0);
    });
}

/// An error makes a source readable: here, a datagram was sent to a port without a listener.
#[cfg(unix)] // Windows reports another error, which no test here can cause.
#[test]
fn an_error_is_readable() {
    guarded(|| {
        let socket = Async::<std::net::UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
        // Connected to itself, so that it receives nothing from other sockets and keeps its port.
        let deaf = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let addr = deaf.local_addr().unwrap();
        deaf.connect(addr).unwrap();
        socket.get_ref().connect(addr).unwrap();
        wakes_reader(&socket, || drop(socket.get_ref().send(b"x")));
        let error = socket.get_ref().recv(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    });
}

/// Urgent data makes a source readable.
#[test]
fn urgent_data_is_readable() {
    guarded(|| {
        let (counter, waker) = Counter::new();

        let (source, peer) = tcp_pair();
        let mut waiter = source.readable();
        assert!(poll(&mut waiter, &waker).is_pending());
        send_urgent(&peer);
        counter.wait_for(1);
        foreign(waiter).unwrap();

        let (source, peer) = tcp_pair();
        assert!(poll_readable(&source, &waker).is_pending());
        send_urgent(&peer);
        counter.wait_for(2);
        foreign(wait_readable(&source)).unwrap();
    });
}

/// Urgent data ends every wait for readability, although the kernel reports it only once and the
/// byte stays unread.
#[test]
fn urgent_data_is_told_to_every_waiter() {
    guarded(|| {
        let (source, peer) = tcp_pair();
        let (counter, waker) = Counter::new();
        let mut waiters = [source.readable(), source.readable()];
        for waiter in &mut waiters {
            assert!(poll(waiter, &waker).is_pending());
        }
        send_urgent(&peer);
        counter.wait_for(2);
        // The first poll must not consume the event of the second future.
        for waiter in waiters {
            foreign(waiter).unwrap();
        }
    });
}

/// A source is writable when its buffer has room.
#[test]
fn room_is_writable() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let queued = fill_for_good(source.get_ref());
        wakes_writer(&source, || peer.read_exact(&mut vec![0; queued]).unwrap());
    });
}

/// A hang-up makes a source writable: both waits of a stream end when its peer is closed.
#[test]
fn hang_up_is_writable() {
    guarded(|| {
        let (source, peer) = local_pair();
        fill_for_good(source.get_ref());
        wakes_writer(&source, || drop(peer));
    });
}

/// An error makes a source writable: a pipe without a reader reports nothing else.
#[cfg(unix)]
#[test]
fn an_error_is_writable() {
    guarded(|| {
        let (reader, writer) = pipe();
        let writer = Async::new(writer).unwrap();
        fill(writer.get_ref());
        wakes_writer(&writer, || drop(reader));
        let error = writer.get_ref().write(b"x").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    });
}

/// A reset wakes both directions.
#[test]
fn a_reset_is_readable_and_writable() {
    guarded(|| {
        let (source, peer) = tcp_pair();
        fill_for_good(source.get_ref());
        let (counter, waker) = Counter::new();
        let mut writer = source.writable();
        assert!(poll(&mut writer, &waker).is_pending());
        wakes_reader(&source, || {
            reset_on_close(&peer);
            drop(peer);
        });
        counter.wait_for(1);
        foreign(writer).unwrap();
    });
}

/// If one direction fires while the other has waiters, those keep waiting and are served later.
#[test]
fn the_other_direction_stays_armed() {
    guarded(|| {
        let (source, mut peer): (Async<Local>, _) = local_pair();
        let queued = fill_for_good(source.get_ref());
        let (writes, write_waker) = Counter::new();
        let mut writer = source.writable();
        assert!(poll(&mut writer, &write_waker).is_pending());
        for _ in 0..3 {
            wakes_reader(&source, || peer.write_all(b"x").unwrap());
            source.get_ref().read_exact_one();
        }
        assert_eq!(writes.wakes(), 0);
        // An event for the last byte may still be pending.
        settle();

        let (reads, read_waker) = Counter::new();
        let mut reader = source.readable();
        assert!(poll(&mut reader, &read_waker).is_pending());
        peer.read_exact(&mut vec![0; queued]).unwrap();
        writes.wait_for(1);
        foreign(writer).unwrap();
        settle();
        assert_eq!(reads.wakes(), 0);
        peer.write_all(b"x").unwrap();
        reads.wait_for(1);
        foreign(reader).unwrap();
    });
}

trait ReadOne {
    fn read_exact_one(&self);
}

impl ReadOne for Local {
    fn read_exact_one(&self) {
        let mut stream: &Local = self;
        stream.read_exact(&mut [0]).unwrap();
    }
}
