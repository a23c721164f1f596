//! The async functions: their outputs, when their futures are `Send`, and what they borrow.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::rc::Rc;

use async_io::Async;
use futures_lite::Stream;

/// Asserts that the type of a value does *not* implement a trait. If it did, both impls would apply
/// and the call would be ambiguous.
macro_rules! assert_value_lacks {
    ($value:expr, $bound:path) => {{
        trait AmbiguousIf<Marker> {
            fn lacks(&self) {}
        }
        impl<T: ?Sized> AmbiguousIf<()> for T {}
        impl<T: ?Sized + $bound> AmbiguousIf<u8> for T {}
        AmbiguousIf::<_>::lacks(&$value);
    }};
}

#[allow(unused_imports)] // Not used on every platform.
pub(super) use assert_value_lacks;

/// Asserts that a future outputs `io::Result<R>` and is `Send`.
pub(super) fn gives<R>(_: impl Future<Output = io::Result<R>> + Send) {}
/// Asserts the output only.
pub(super) fn gives_here<R>(_: impl Future<Output = io::Result<R>>) {}

fn _tcp<A: Into<SocketAddr> + Send>(
    listener: &Async<TcpListener>,
    stream: &Async<TcpStream>,
    addr: A,
    buf: &mut [u8],
) {
    gives::<Async<TcpStream>>(Async::<TcpStream>::connect(addr));
    gives::<(Async<TcpStream>, SocketAddr)>(listener.accept());
    gives::<usize>(stream.peek(buf));
    gives_stream::<Async<TcpStream>>(listener.incoming());
}

fn _udp<A: Into<SocketAddr> + Send>(socket: &Async<UdpSocket>, addr: A, buf: &mut [u8]) {
    gives::<usize>(socket.peek(buf));
    gives::<(usize, SocketAddr)>(socket.peek_from(buf));
    gives::<usize>(socket.recv(buf));
    gives::<(usize, SocketAddr)>(socket.recv_from(buf));
    gives::<usize>(socket.send(buf));
    gives::<usize>(socket.send_to(buf, addr));
}

/// The addresses need not be `Send` unless the future has to be.
fn _local_addresses<A: Into<SocketAddr>>(udp: &Async<UdpSocket>, addr: fn() -> A) {
    gives_here::<Async<TcpStream>>(Async::<TcpStream>::connect(addr()));
    gives_here::<usize>(udp.send_to(b"", addr()));
}

pub(super) fn gives_stream<R>(_: impl Stream<Item = io::Result<R>> + Send + Sync) {}

/// `incoming` borrows the listener for the lifetime of `&self`, and nothing else.
fn _incoming_borrows_self<'a>(
    tcp: &'a Async<TcpListener>,
) -> impl Stream<Item = io::Result<Async<TcpStream>>> + Send + use<'a> {
    tcp.incoming()
}

/// A connection attempt borrows only what its address borrows.
fn _connect_is_static() -> impl Future<Output = io::Result<Async<TcpStream>>> + Send + 'static {
    Async::<TcpStream>::connect(([127, 0, 0, 1], 1))
}

/// There is no bound on `T` or `R`, and `R` can be named.
fn _operations<T, R>(source: &mut Async<T>, mut op: impl FnMut(&T) -> io::Result<R>) {
    gives_here::<R>(source.read_with::<R>(|io| op(io)));
    gives_here::<R>(source.write_with::<R>(|io| op(io)));
    // SAFETY: the closure only reads the object; the futures are never polled.
    gives_here::<R>(unsafe { source.read_with_mut::<R>(|io| op(io)) });
    // SAFETY: as above.
    gives_here::<R>(unsafe { source.write_with_mut::<R>(|io| op(io)) });
}

/// The futures are `Send` if what they capture is: the shared source and the closure. The result
/// may be of any type.
fn _operations_are_send<T: Sync, R>(
    source: &Async<T>,
    op: impl FnMut(&T) -> io::Result<R> + Send + Copy,
) {
    gives::<R>(source.read_with(op));
    gives::<R>(source.write_with(op));
}

/// With an exclusive borrow the source itself must be `Send` as well.
fn _exclusive_operations_are_send<T: Send + Sync, R>(
    source: &mut Async<T>,
    op: impl FnMut(&mut T) -> io::Result<R> + Send + Copy,
) {
    // SAFETY: the futures are never polled.
    gives::<R>(unsafe { source.read_with_mut(op) });
    // SAFETY: as above.
    gives::<R>(unsafe { source.write_with_mut(op) });
}

/// The futures may borrow the source and the buffer for any lifetime.
fn _borrowed_futures<'a>(
    socket: &'a Async<UdpSocket>,
    buf: &'a mut [u8],
) -> impl Future<Output = io::Result<usize>> + Send + 'a {
    socket.recv(buf)
}

struct LocalAddr(Rc<()>);

impl From<LocalAddr> for SocketAddr {
    fn from(addr: LocalAddr) -> SocketAddr {
        drop(addr.0);
        SocketAddr::from(([0; 4], 0))
    }
}

fn _not_send(udp: &Async<UdpSocket>, unshared: &Async<Cell<UdpSocket>>, addr: fn() -> LocalAddr) {
    let local = addr();
    let op = |_: &UdpSocket| Ok(Rc::strong_count(&local.0));
    assert_value_lacks!(Async::<TcpStream>::connect(addr()), Send);
    assert_value_lacks!(udp.send_to(b"", addr()), Send);
    assert_value_lacks!(udp.read_with(op), Send);
    assert_value_lacks!(udp.write_with(op), Send);
    assert_value_lacks!(unshared.read_with(|_| Ok(())), Send);
    assert_value_lacks!(unshared.write_with(|_| Ok(())), Send);
}

fn _not_unpin(tcp: &Async<TcpListener>, stream: &Async<TcpStream>, udp: &Async<UdpSocket>) {
    let mut buf = [0];
    assert_value_lacks!(tcp.accept(), Unpin);
    assert_value_lacks!(tcp.incoming(), Unpin);
    assert_value_lacks!(stream.peek(&mut buf), Unpin);
    assert_value_lacks!(udp.recv(&mut buf), Unpin);
    assert_value_lacks!(udp.recv_from(&mut buf), Unpin);
    assert_value_lacks!(udp.peek(&mut buf), Unpin);
    assert_value_lacks!(udp.peek_from(&mut buf), Unpin);
    assert_value_lacks!(udp.send(&[]), Unpin);
    assert_value_lacks!(udp.send_to(&[], ([0; 4], 1)), Unpin);
    assert_value_lacks!(udp.read_with(|_| Ok(())), Unpin);
    assert_value_lacks!(udp.write_with(|_| Ok(())), Unpin);
    assert_value_lacks!(Async::<TcpStream>::connect(([0; 4], 1)), Unpin);
}

/// `block_on` accepts a future that must not be moved.
fn _block_on_pins() {
    async_io::block_on(async {
        let pinned = PhantomPinned;
        std::future::ready(()).await;
        _ = pinned;
    });
}
