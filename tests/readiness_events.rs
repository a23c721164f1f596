//! Section 4 of the semantics: what counts as readable and what as writable.

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use async_io::Async;
use common::*;

/// Starts waiting, lets `cause` happen, and requires both the wake-up and the end of the wait.
fn wakes_reader<T>(source: &Async<T>, cause: impl FnOnce()) {
    let ((hits, waker), (slot, slot_waker)) = (hits(), hits());
    let mut waiter = source.readable();
    assert!(poll(&mut waiter, &waker).is_pending());
    assert!(poll_readable(source, &slot_waker).is_pending());
    cause();
    hits.wait(1);
    slot.wait(1);
    foreign(waiter).unwrap();
    foreign(wait_readable(source)).unwrap();
}

/// The same for a writer.
fn wakes_writer<T>(source: &Async<T>, cause: impl FnOnce()) {
    let ((hits, waker), (slot, slot_waker)) = (hits(), hits());
    let mut waiter = source.writable();
    assert!(poll(&mut waiter, &waker).is_pending());
    assert!(poll_writable(source, &slot_waker).is_pending());
    cause();
    hits.wait(1);
    slot.wait(1);
    foreign(waiter).unwrap();
    foreign(std::future::poll_fn(|cx| source.poll_writable(cx))).unwrap();
}

/// §4: readable by data.
#[test]
fn data_is_readable() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        wakes_reader(&source, || peer.write_all(b"x").unwrap());
        let (source, mut peer) = tcp_pair();
        wakes_reader(&source, || peer.write_all(b"x").unwrap());
    });
}

/// §4: readable by a connection that waits to be accepted.
#[test]
fn a_connection_is_readable() {
    guarded(|| {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
        let addr = listener.get_ref().local_addr().unwrap();
        wakes_reader(&listener, || drop(TcpStream::connect(addr).unwrap()));
    });
}

/// §4: readable by the end of file.
#[test]
fn end_of_file_is_readable() {
    guarded(|| {
        let (source, peer) = local_pair();
        wakes_reader(&source, || drop(peer));
        let (source, peer) = tcp_pair();
        wakes_reader(&source, || drop(peer));
    });
}

/// §4: readable by the peer's half close, which makes no writer ready.
#[test]
fn half_close_is_readable_and_not_writable() {
    guarded(|| {
        let (source, peer) = local_pair();
        fill_for_good(source.get_ref());
        let (hits, waker) = hits();
        let mut writer = source.writable();
        assert!(poll(&mut writer, &waker).is_pending());
        wakes_reader(&source, || peer.shutdown(Shutdown::Write).unwrap());
        settle();
        assert_eq!(hits.count(), 0);
        assert!(poll(&mut writer, &waker).is_pending());

        let (source, peer) = tcp_pair();
        wakes_reader(&source, || peer.shutdown(Shutdown::Write).unwrap());
    });
}

/// §4: readable by a bare hang-up: a pipe whose writer has gone reports nothing else.
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

/// §4: readable by an error: nobody listens at the port that a datagram was sent to.
#[cfg(unix)] // Windows has another error, and no test here can raise it.
#[test]
fn an_error_is_readable() {
    guarded(|| {
        let socket = Async::<std::net::UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
        // Connected to itself, so that it takes nothing from others, and keeps its port.
        let deaf = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let addr = deaf.local_addr().unwrap();
        deaf.connect(addr).unwrap();
        socket.get_ref().connect(addr).unwrap();
        wakes_reader(&socket, || drop(socket.get_ref().send(b"x")));
        let error = socket.get_ref().recv(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    });
}

/// §4: readable by urgent data.
#[test]
fn urgent_data_is_readable() {
    guarded(|| {
        let (hits, waker) = hits();

        let (source, peer) = tcp_pair();
        let mut waiter = source.readable();
        assert!(poll(&mut waiter, &waker).is_pending());
        send_urgent(&peer);
        hits.wait(1);
        foreign(waiter).unwrap();

        let (source, peer) = tcp_pair();
        assert!(poll_readable(&source, &waker).is_pending());
        send_urgent(&peer);
        hits.wait(2);
        foreign(wait_readable(&source)).unwrap();
    });
}

/// §4: and by every wait for it, although the kernel tells of it once and the byte stays where it is.
#[test]
fn urgent_data_is_told_to_every_waiter() {
    guarded(|| {
        let (source, peer) = tcp_pair();
        let (hits, waker) = hits();
        let mut waiters = [source.readable(), source.readable()];
        for waiter in &mut waiters {
            assert!(poll(waiter, &waker).is_pending());
        }
        send_urgent(&peer);
        hits.wait(2);
        // The first that looks must not take it from the second.
        for waiter in waiters {
            foreign(waiter).unwrap();
        }
    });
}

/// §4: writable by room.
#[test]
fn room_is_writable() {
    guarded(|| {
        let (source, mut peer) = local_pair();
        let queued = fill_for_good(source.get_ref());
        wakes_writer(&source, || peer.read_exact(&mut vec![0; queued]).unwrap());
    });
}

/// §4: writable by hang-up: both waits of a stream end when its peer has gone.
#[test]
fn hang_up_is_writable() {
    guarded(|| {
        let (source, peer) = local_pair();
        fill_for_good(source.get_ref());
        wakes_writer(&source, || drop(peer));
    });
}

/// §4: writable by an error: a pipe whose reader has gone reports nothing else.
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

/// §4: a reset wakes both directions.
#[test]
fn a_reset_is_readable_and_writable() {
    guarded(|| {
        let (source, peer) = tcp_pair();
        fill_for_good(source.get_ref());
        let (hits, waker) = hits();
        let mut writer = source.writable();
        assert!(poll(&mut writer, &waker).is_pending());
        wakes_reader(&source, || {
            reset_on_close(&peer);
            drop(peer);
        });
        hits.wait(1);
        foreign(writer).unwrap();
    });
}

/// §4: if one direction fired and the other still has waiters, those go on waiting and are served later.
#[test]
fn the_other_direction_stays_armed() {
    guarded(|| {
        let (source, mut peer): (Async<Local>, _) = local_pair();
        let queued = fill_for_good(source.get_ref());
        let (writes, write_waker) = hits();
        let mut writer = source.writable();
        assert!(poll(&mut writer, &write_waker).is_pending());
        for _ in 0..3 {
            wakes_reader(&source, || peer.write_all(b"x").unwrap());
            source.get_ref().read_exact_one();
        }
        assert_eq!(writes.count(), 0);
        // An event of the last byte may still be under way.
        settle();

        let (reads, read_waker) = hits();
        let mut reader = source.readable();
        assert!(poll(&mut reader, &read_waker).is_pending());
        peer.read_exact(&mut vec![0; queued]).unwrap();
        writes.wait(1);
        foreign(writer).unwrap();
        settle();
        assert_eq!(reads.count(), 0);
        peer.write_all(b"x").unwrap();
        reads.wait(1);
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
