//! The interface that exists only on Unix.

use std::convert::Infallible;
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::rc::Rc;

use async_io::{Async, IoSafe};
use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::Stream;
use static_assertions::{assert_impl_all, assert_not_impl_any, const_assert};

use crate::futures::{assert_value_lacks, gives, gives_here, gives_stream};
use crate::traits::converts;

const _: fn() -> Option<BorrowedFd<'static>> = async_io::os::unix::reactor_fd;

assert_impl_all!(UnixStream: IoSafe);
assert_not_impl_any!(UnixListener: IoSafe);
assert_not_impl_any!(UnixDatagram: IoSafe);
assert_not_impl_any!(OwnedFd: IoSafe);
assert_not_impl_any!(BorrowedFd<'static>: IoSafe);

assert_not_impl_any!(Async<TcpStream>: From<OwnedFd>, Into<OwnedFd>, IntoRawFd, FromRawFd);
assert_not_impl_any!(Async<TcpStream>: TryFrom<UnixStream>);
assert_not_impl_any!(Async<UnixListener>: AsyncRead, AsyncWrite);
assert_not_impl_any!(Async<UnixDatagram>: AsyncRead, AsyncWrite);

// `AsFd` and `AsRawFd` require only the same trait of `T`.
assert_not_impl_any!(Async<Infallible>: AsFd, AsRawFd);

const_assert!(std::mem::needs_drop::<Async<BorrowedFd<'static>>>());

fn _construction<T: AsFd>() {
    let _: fn(T) -> io::Result<Async<T>> = Async::<T>::new;
    let _: fn(T) -> io::Result<Async<T>> = Async::<T>::new_nonblocking;
}

fn _sockets<P: AsRef<Path>>() {
    type Pair<T> = io::Result<(Async<T>, Async<T>)>;
    let _: fn(P) -> io::Result<Async<UnixListener>> = Async::<UnixListener>::bind::<P>;
    let _: fn(P) -> io::Result<Async<UnixDatagram>> = Async::<UnixDatagram>::bind::<P>;
    let _: fn() -> io::Result<Async<UnixDatagram>> = Async::<UnixDatagram>::unbound;
    let _: fn() -> Pair<UnixDatagram> = Async::<UnixDatagram>::pair;
    let _: fn() -> Pair<UnixStream> = Async::<UnixStream>::pair;
    _ = Async::<UnixStream>::connect::<P>;
    _ = Async::<UnixDatagram>::send_to::<P>;
}

fn _as_fd<T: AsFd>(source: &Async<T>) {
    fn has<T: AsFd>(_: &T) {}
    has(source);
}

fn _as_raw_fd<T: AsRawFd>(source: &Async<T>) {
    fn has<T: AsRawFd>(_: &T) {}
    has(source);
}

fn _from_descriptor<T: AsFd + From<OwnedFd>>() {
    converts::<OwnedFd, Async<T>>();
}

fn _into_descriptor<T: Into<OwnedFd>>() {
    converts::<Async<T>, OwnedFd>();
}

fn _from_std() {
    converts::<UnixListener, Async<UnixListener>>();
    converts::<UnixStream, Async<UnixStream>>();
    converts::<UnixDatagram, Async<UnixDatagram>>();
}

fn _futures<P: AsRef<Path> + Send>(
    listener: &Async<UnixListener>,
    socket: &Async<UnixDatagram>,
    path: fn() -> P,
    buf: &mut [u8],
) {
    gives::<Async<UnixStream>>(Async::<UnixStream>::connect(path()));
    gives::<(Async<UnixStream>, SocketAddr)>(listener.accept());
    gives_stream::<Async<UnixStream>>(listener.incoming());
    gives::<usize>(socket.recv(buf));
    gives::<(usize, SocketAddr)>(socket.recv_from(buf));
    gives::<usize>(socket.send(buf));
}

/// The future keeps the path across polls, possibly on different threads, so the path must also be
/// `Sync`.
fn _send_to<P: AsRef<Path> + Send + Sync>(socket: &Async<UnixDatagram>, path: P) {
    gives::<usize>(socket.send_to(b"", path));
}

/// The addresses need not be `Send` unless the future has to be.
fn _local_addresses<P: AsRef<Path>>(socket: &Async<UnixDatagram>, path: fn() -> P) {
    gives_here::<Async<UnixStream>>(Async::<UnixStream>::connect(path()));
    gives_here::<usize>(socket.send_to(b"", path()));
}

/// `incoming` borrows the listener for the lifetime of `&self`, and nothing else.
fn _incoming_borrows_self<'a>(
    listener: &'a Async<UnixListener>,
) -> impl Stream<Item = io::Result<Async<UnixStream>>> + Send + use<'a> {
    listener.incoming()
}

struct LocalPath(#[allow(dead_code)] Rc<()>);

impl AsRef<Path> for LocalPath {
    fn as_ref(&self) -> &Path {
        Path::new("")
    }
}

fn _not_send(socket: &Async<UnixDatagram>, path: fn() -> LocalPath) {
    assert_value_lacks!(Async::<UnixStream>::connect(path()), Send);
    assert_value_lacks!(socket.send_to(b"", path()), Send);
}

fn _not_unpin(listener: &Async<UnixListener>) {
    assert_value_lacks!(listener.accept(), Unpin);
    assert_value_lacks!(listener.incoming(), Unpin);
    assert_value_lacks!(Async::<UnixStream>::connect(""), Unpin);
}
