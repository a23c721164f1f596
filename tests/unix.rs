//! Behaviour of Unix sockets.
//!
//! Not tested here: that a connection attempt to a listener with a full backlog fails with
//! `NotConnected`; and how the end of a connection attempt is detected, which is an implementation
//! detail.
#![cfg(target_os = "linux")]

mod support;

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::pin::pin;
use std::task::Context;

use async_io::Async;
use futures_lite::StreamExt;
use support::*;

/// Creates a path from bytes, which may include zero bytes.
fn raw_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// A client connects to a listener, and the stream works in both directions.
#[test]
fn connected_streams_work_in_both_directions() {
    guarded(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = Async::<UnixListener>::bind(&path).unwrap();
        assert!(is_ours(&listener));
        let (counter, waker) = Counter::new();
        let mut accepting = pin!(listener.accept());
        let mut cx = Context::from_waker(&waker);
        assert!(accepting.as_mut().poll(&mut cx).is_pending());

        let client = foreign(Async::<UnixStream>::connect(&path)).unwrap();
        assert!(is_ours(&client));
        counter.wait_for(1);
        let (server, from) = foreign(accepting).unwrap();
        assert!(is_ours(&server));
        assert!(from.is_unnamed());
        for (sender, receiver) in [(&client, &server), (&server, &client)] {
            foreign(sender.write_with(|mut io| io.write(b"x"))).unwrap();
            let read = foreign(receiver.read_with(|mut io| io.read(&mut [0; 8])));
            assert_eq!(read.unwrap(), 1);
        }
    });
}

/// `incoming` yields one connection after another.
#[test]
fn incoming_yields_one_connection_after_another() {
    guarded(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = Async::<UnixListener>::bind(&path).unwrap();
        let mut incoming = pin!(listener.incoming());
        for _ in 0..3 {
            assert!(poll_now(incoming.next()).is_pending());
            let mut clients = [(); 2].map(|()| UnixStream::connect(&path).unwrap());
            for client in &mut clients {
                let stream = foreign(incoming.next()).unwrap().unwrap();
                client.write_all(b"x").unwrap();
                foreign(stream.readable()).unwrap();
            }
        }
    });
}

/// A missing socket fails with `NotFound`, a socket without a listener with `ConnectionRefused`.
/// Both fail in the first poll.
#[test]
fn connecting_to_nobody_fails_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let connect = || ready(poll_now(Async::<UnixStream>::connect(&path))).unwrap_err();
    assert_eq!(connect().kind(), io::ErrorKind::NotFound);
    drop(UnixListener::bind(&path).unwrap());
    let error = connect();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
}

/// A path that begins with a zero byte is an abstract name.
#[test]
fn connect_knows_abstract_names() {
    guarded(|| {
        let name = format!("async-io tests {}", std::process::id());
        let addr = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = Async::new(UnixListener::bind_addr(&addr).unwrap()).unwrap();
        let path = format!("\0{name}");
        let client = foreign(Async::<UnixStream>::connect(&path)).unwrap();
        let peer = client.get_ref().peer_addr().unwrap();
        assert_eq!(peer.as_abstract_name(), Some(name.as_bytes()));
        foreign(listener.accept()).unwrap();

        let error = foreign(Async::<UnixStream>::connect(format!("{path}!"))).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    });
}

/// `bind` does not accept abstract names.
#[test]
fn bind_refuses_abstract_names() {
    let path = raw_path(b"\0name");
    let error = Async::<UnixListener>::bind(path).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    let error = Async::<UnixDatagram>::bind(path).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

/// A zero byte elsewhere fails with `InvalidInput`, and a path that is too long with
/// `ENAMETOOLONG`.
#[test]
fn bad_paths_are_refused() {
    let connect = |path: &[u8]| {
        let attempt = Async::<UnixStream>::connect(raw_path(path));
        ready(poll_now(attempt)).unwrap_err()
    };
    assert_eq!(connect(b"a\0b").kind(), io::ErrorKind::InvalidInput);
    assert_eq!(
        connect(&[b'a'; 200]).raw_os_error(),
        Some(libc::ENAMETOOLONG)
    );
    assert_eq!(
        connect(&[b'a'; 5000]).raw_os_error(),
        Some(libc::ENAMETOOLONG)
    );
}

/// `pair` returns two connected, registered streams.
#[test]
fn pair_gives_connected_streams() {
    guarded(|| {
        let (one, other) = Async::<UnixStream>::pair().unwrap();
        assert!(is_nonblocking(&one) && is_nonblocking(&other));
        assert!(poll_now(other.readable()).is_pending());
        foreign(one.write_with(|mut io| io.write(b"x"))).unwrap();
        foreign(other.readable()).unwrap();
        let read = foreign(other.read_with(|mut io| io.read(&mut [0; 8])));
        assert_eq!(read.unwrap(), 1);
    });
}

/// Datagram sockets with names: `bind`, `unbound`, `send_to`, `recv_from`.
#[test]
fn datagrams_carry_the_path_of_their_sender() {
    guarded(|| {
        let dir = tempfile::tempdir().unwrap();
        let paths = [dir.path().join("one"), dir.path().join("other")];
        let one = Async::<UnixDatagram>::bind(&paths[0]).unwrap();
        let other = Async::<UnixDatagram>::bind(&paths[1]).unwrap();
        let unbound = Async::<UnixDatagram>::unbound().unwrap();
        assert!(is_nonblocking(&one) && is_nonblocking(&unbound));
        let mut buf = [0; 16];
        foreign(async {
            assert_eq!(one.send_to(b"named", &paths[1]).await.unwrap(), 5);
            let (count, from) = other.recv_from(&mut buf).await.unwrap();
            assert_eq!((count, from.as_pathname()), (5, Some(&*paths[0])));

            assert_eq!(unbound.send_to(b"nameless", &paths[1]).await.unwrap(), 8);
            let (count, from) = other.recv_from(&mut buf).await.unwrap();
            assert_eq!(count, 8);
            assert!(from.is_unnamed());

            let missing = dir.path().join("missing");
            let error = unbound.send_to(b"x", &missing).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            let error = unbound.send(b"x").await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::ENOTCONN));
        });
    });
}

/// A pair of datagram sockets: receiving waits only if necessary and truncates what does not fit.
#[test]
fn receiving_waits_only_when_it_must_and_truncates() {
    guarded(|| {
        let (one, other) = Async::<UnixDatagram>::pair().unwrap();
        let mut buf = [0; 4];
        let (counter, waker) = Counter::new();
        {
            let mut receiving = pin!(other.recv(&mut buf));
            let mut cx = Context::from_waker(&waker);
            assert!(receiving.as_mut().poll(&mut cx).is_pending());
            foreign(one.send(b"longer than four")).unwrap();
            counter.wait_for(1);
            assert_eq!(foreign(receiving).unwrap(), 4);
        }
        assert_eq!(&buf, b"long");
        foreign(one.send(b"b")).unwrap();
        assert_eq!(ready(poll_now(other.recv_from(&mut buf))).unwrap().0, 1);
    });
}

/// Sending waits while the receiver's queue is full.
#[test]
fn sending_waits_for_room() {
    guarded(|| {
        let (one, other) = Async::<UnixDatagram>::pair().unwrap();
        let mut queued = 0;
        while poll_now(one.send(b"x")).is_ready() {
            queued += 1;
        }
        let sender = std::thread::spawn(move || foreign(one.send(b"last")).unwrap());
        let mut buf = [0; 8];
        for _ in 0..queued {
            assert_eq!(foreign(other.recv(&mut buf)).unwrap(), 1);
        }
        assert_eq!(foreign(other.recv(&mut buf)).unwrap(), 4);
        assert_eq!(sender.join().unwrap(), 4);
    });
}
