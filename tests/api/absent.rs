//! Impls and methods that must not exist: each one would be an additional promise and could make
//! users' code ambiguous.

use std::borrow::Borrow;
use std::hash::Hash;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use async_io::{Async, Readable, ReadableOwned, Timer, Writable, WritableOwned};
use futures_core::future::FusedFuture;
use futures_io::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite};
use static_assertions::assert_not_impl_any;

struct Plain;

macro_rules! not_a_value_type {
    ($($ty:ty),*) => {$(
        assert_not_impl_any!($ty: Clone, Default, PartialEq, PartialOrd, Hash, std::fmt::Display);
    )*};
}
not_a_value_type!(
    Async<u8>,
    Timer,
    Readable<'static, u8>,
    Writable<'static, u8>
);
not_a_value_type!(ReadableOwned<u8>, WritableOwned<u8>);

assert_not_impl_any!(Async<TcpStream>: AsMut<TcpStream>, Deref, DerefMut, Borrow<TcpStream>);
assert_not_impl_any!(Async<TcpStream>: From<TcpStream>, Into<TcpStream>);
assert_not_impl_any!(Async<TcpStream>: AsyncSeek, AsyncBufRead);
assert_not_impl_any!(Async<TcpStream>: TryFrom<Arc<TcpStream>>);
assert_not_impl_any!(Async<Arc<TcpStream>>: TryFrom<TcpStream>, TryFrom<Arc<TcpStream>>);
assert_not_impl_any!(Async<std::fs::File>: TryFrom<std::fs::File>, AsyncSeek);
assert_not_impl_any!(TcpStream: TryFrom<Async<TcpStream>>, From<Async<TcpStream>>);
assert_not_impl_any!(Arc<Async<TcpStream>>: AsyncRead, AsyncWrite);
assert_not_impl_any!(Async<Plain>: std::fmt::Debug);

// Sockets that are not byte streams, and types that are not `IoSafe`, are neither readers nor
// writers.
assert_not_impl_any!(Async<TcpListener>: AsyncRead, AsyncWrite);
assert_not_impl_any!(Async<UdpSocket>: AsyncRead, AsyncWrite);
assert_not_impl_any!(Async<Arc<std::fs::File>>: AsyncRead, AsyncWrite);

assert_not_impl_any!(Timer: Copy);
assert_not_impl_any!(Readable<'static, u8>: FusedFuture);

/// An inherent method would take precedence over the method of the trait and have another type.
mod methods {
    use super::*;

    struct Ours;

    trait Absent: Sized {
        fn bind_addr() -> Ours {
            Ours
        }
        fn connect_addr() -> Ours {
            Ours
        }
        fn close(&self) -> Ours {
            Ours
        }
        fn shutdown(&self) -> Ours {
            Ours
        }
        fn ready(&self) -> Ours {
            Ours
        }
    }
    impl<T> Absent for Async<T> {}

    #[cfg(unix)]
    fn _absent_for_unix_sockets() -> [Ours; 3] {
        use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
        [
            Async::<UnixListener>::bind_addr(),
            Async::<UnixDatagram>::bind_addr(),
            Async::<UnixStream>::connect_addr(),
        ]
    }

    fn _absent(source: &Async<TcpStream>) -> [Ours; 5] {
        [
            Async::<TcpListener>::bind_addr(),
            Async::<TcpStream>::connect_addr(),
            source.close(),
            source.shutdown(),
            source.ready(),
        ]
    }
}
