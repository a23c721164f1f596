//! The functions that a library must offer to the programs.

use std::future::Future;
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::Io;

/// One library under test. [`runtime!`](crate::runtime) implements it.
#[allow(missing_docs)]
pub trait Runtime: 'static {
    /// Whether this is the published library. Its behaviour is accepted as it is. A library that
    /// replaces it must meet the stricter rules of this crate.
    const PUBLISHED: bool;

    type Async<T: Io>: 'static;
    type Timer: Future<Output = Instant> + Unpin + 'static;

    fn block_on<F: Future>(future: F) -> F::Output;

    fn register<T: Io>(io: T) -> io::Result<Self::Async<T>>;
    fn inner<T: Io>(source: &Self::Async<T>) -> &T;
    fn poll_readable<T: Io>(source: &Self::Async<T>, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    fn poll_writable<T: Io>(source: &Self::Async<T>, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    fn readable<T: Io>(source: &Self::Async<T>) -> impl Future<Output = io::Result<()>>;
    fn writable<T: Io>(source: &Self::Async<T>) -> impl Future<Output = io::Result<()>>;
    fn readable_owned<T: Io>(
        source: Arc<Self::Async<T>>,
    ) -> impl Future<Output = io::Result<()>> + 'static;
    fn writable_owned<T: Io>(
        source: Arc<Self::Async<T>>,
    ) -> impl Future<Output = io::Result<()>> + 'static;
    fn read_with<T: Io, O>(
        source: &Self::Async<T>,
        operation: impl FnMut(&T) -> io::Result<O>,
    ) -> impl Future<Output = io::Result<O>>;
    fn write_with<T: Io, O>(
        source: &Self::Async<T>,
        operation: impl FnMut(&T) -> io::Result<O>,
    ) -> impl Future<Output = io::Result<O>>;

    fn poll_read<T: Io>(
        source: &Self::Async<T>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>>
    where
        for<'a> &'a T: io::Read;
    fn poll_write<T: Io>(
        source: &Self::Async<T>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>>
    where
        for<'a> &'a T: io::Write;

    fn tcp_peek(
        source: &Self::Async<TcpStream>,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<usize>>;
    fn tcp_accept(source: &Self::Async<TcpListener>) -> impl Future<Output = io::Result<()>>;
    fn unix_accept(source: &Self::Async<UnixListener>) -> impl Future<Output = io::Result<()>>;
    fn udp_recv(
        source: &Self::Async<UdpSocket>,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<usize>>;
    fn udp_send(
        source: &Self::Async<UdpSocket>,
        bytes: &[u8],
    ) -> impl Future<Output = io::Result<usize>>;
    fn unix_recv(
        source: &Self::Async<UnixDatagram>,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<usize>>;
    fn unix_send(
        source: &Self::Async<UnixDatagram>,
        bytes: &[u8],
    ) -> impl Future<Output = io::Result<usize>>;

    fn timer_never() -> Self::Timer;
    fn timer_at(when: Instant) -> Self::Timer;
    fn timer_set_at(timer: &mut Self::Timer, when: Instant);
    fn timer_clear(timer: &mut Self::Timer);
    fn timer_will_fire(timer: &Self::Timer) -> bool;
}

/// Defines a unit struct and implements [`Runtime`](crate::Runtime) for it by forwarding to a
/// library with the API of async-io 2.6. The caller says whether the library is the published one.
#[macro_export]
macro_rules! runtime {
    ($name:ident, $library:ident, published: $published:expr) => {
        #[doc = concat!("The library `", stringify!($library), "` for random programs.")]
        #[derive(Debug)]
        pub struct $name;

        impl $crate::Runtime for $name {
            const PUBLISHED: bool = $published;

            type Async<T: $crate::Io> = $library::Async<T>;
            type Timer = $library::Timer;

            fn block_on<F: Future>(future: F) -> F::Output {
                $library::block_on(future)
            }

            $crate::runtime!(@sources $library);
            $crate::runtime!(@typed $library);
            $crate::runtime!(@timers $library);
        }
    };
    (@sources $library:ident) => {
        fn register<T: $crate::Io>(io: T) -> std::io::Result<Self::Async<T>> {
            $library::Async::new(io)
        }
        fn inner<T: $crate::Io>(source: &Self::Async<T>) -> &T {
            source.get_ref()
        }
        fn poll_readable<T: $crate::Io>(
            source: &Self::Async<T>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            source.poll_readable(cx)
        }
        fn poll_writable<T: $crate::Io>(
            source: &Self::Async<T>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            source.poll_writable(cx)
        }
        fn readable<T: $crate::Io>(
            source: &Self::Async<T>,
        ) -> impl Future<Output = std::io::Result<()>> {
            source.readable()
        }
        fn writable<T: $crate::Io>(
            source: &Self::Async<T>,
        ) -> impl Future<Output = std::io::Result<()>> {
            source.writable()
        }
        fn readable_owned<T: $crate::Io>(
            source: std::sync::Arc<Self::Async<T>>,
        ) -> impl Future<Output = std::io::Result<()>> + 'static {
            source.readable_owned()
        }
        fn writable_owned<T: $crate::Io>(
            source: std::sync::Arc<Self::Async<T>>,
        ) -> impl Future<Output = std::io::Result<()>> + 'static {
            source.writable_owned()
        }
        fn read_with<T: $crate::Io, O>(
            source: &Self::Async<T>,
            operation: impl FnMut(&T) -> std::io::Result<O>,
        ) -> impl Future<Output = std::io::Result<O>> {
            source.read_with(operation)
        }
        fn write_with<T: $crate::Io, O>(
            source: &Self::Async<T>,
            operation: impl FnMut(&T) -> std::io::Result<O>,
        ) -> impl Future<Output = std::io::Result<O>> {
            source.write_with(operation)
        }
        fn poll_read<T: $crate::Io>(
            mut source: &Self::Async<T>,
            cx: &mut std::task::Context<'_>,
            buffer: &mut [u8],
        ) -> std::task::Poll<std::io::Result<usize>>
        where
            for<'a> &'a T: std::io::Read,
        {
            futures_io::AsyncRead::poll_read(std::pin::Pin::new(&mut source), cx, buffer)
        }
        fn poll_write<T: $crate::Io>(
            mut source: &Self::Async<T>,
            cx: &mut std::task::Context<'_>,
            bytes: &[u8],
        ) -> std::task::Poll<std::io::Result<usize>>
        where
            for<'a> &'a T: std::io::Write,
        {
            futures_io::AsyncWrite::poll_write(std::pin::Pin::new(&mut source), cx, bytes)
        }
    };
    (@typed $library:ident) => {
        fn tcp_peek(
            source: &Self::Async<std::net::TcpStream>,
            buffer: &mut [u8],
        ) -> impl Future<Output = std::io::Result<usize>> {
            source.peek(buffer)
        }
        async fn tcp_accept(source: &Self::Async<std::net::TcpListener>) -> std::io::Result<()> {
            source.accept().await.map(drop)
        }
        async fn unix_accept(
            source: &Self::Async<std::os::unix::net::UnixListener>,
        ) -> std::io::Result<()> {
            source.accept().await.map(drop)
        }
        fn udp_recv(
            source: &Self::Async<std::net::UdpSocket>,
            buffer: &mut [u8],
        ) -> impl Future<Output = std::io::Result<usize>> {
            source.recv(buffer)
        }
        fn udp_send(
            source: &Self::Async<std::net::UdpSocket>,
            bytes: &[u8],
        ) -> impl Future<Output = std::io::Result<usize>> {
            source.send(bytes)
        }
        fn unix_recv(
            source: &Self::Async<std::os::unix::net::UnixDatagram>,
            buffer: &mut [u8],
        ) -> impl Future<Output = std::io::Result<usize>> {
            source.recv(buffer)
        }
        fn unix_send(
            source: &Self::Async<std::os::unix::net::UnixDatagram>,
            bytes: &[u8],
        ) -> impl Future<Output = std::io::Result<usize>> {
            source.send(bytes)
        }
    };
    (@timers $library:ident) => {
        fn timer_never() -> Self::Timer {
            $library::Timer::never()
        }
        fn timer_at(when: std::time::Instant) -> Self::Timer {
            $library::Timer::at(when)
        }
        fn timer_set_at(timer: &mut Self::Timer, when: std::time::Instant) {
            timer.set_at(when);
        }
        fn timer_clear(timer: &mut Self::Timer) {
            timer.clear();
        }
        fn timer_will_fire(timer: &Self::Timer) -> bool {
            timer.will_fire()
        }
    };
}
