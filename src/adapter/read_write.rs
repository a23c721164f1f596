//! `AsyncRead` and `AsyncWrite`: a poll tries the system call and, if that would block, waits as
//! the shared waiter of the direction.

use super::registration::Registration;
use super::{Async, IoSafe, would_block};
use crate::core::source::Direction;
use crate::sys::socket;
use futures_io::{AsyncRead, AsyncWrite};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Reads through `read`.
///
/// A `TcpStream` is read by a system call of this crate. It is the same call as that of its `Read`,
/// without the detour through the C library. The read after a short one may wait without a system
/// call.
#[inline]
fn poll_read<T>(
    registration: &Registration,
    buf: &mut [u8],
    cx: &mut Context<'_>,
    mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    if would_block::is_tcp_stream::<T>() {
        let (raw, capacity) = (registration.raw(), buf.len());
        let mut read = || socket::receive(raw, buf).unwrap_or_else(|| read(buf));
        registration.poll_read_stream(capacity, cx, &mut read)
    } else {
        poll::<T, usize>(registration, Direction::Read, cx, || read(buf))
    }
}

fn poll_read_vectored<T>(
    registration: &Registration,
    bufs: &mut [IoSliceMut<'_>],
    cx: &mut Context<'_>,
    mut read: impl FnMut(&mut [IoSliceMut<'_>]) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    if would_block::is_tcp_stream::<T>() {
        registration.poll_read_stream(capacity(bufs), cx, || read(bufs))
    } else {
        poll::<T, usize>(registration, Direction::Read, cx, || read(bufs))
    }
}

/// The number of buffers that a system call takes at least (POSIX). `std` passes no more buffers
/// than the system takes, so a read that fills this many may have left data behind.
const FEWEST_BUFFERS: usize = 16;

/// Returns how many bytes one system call certainly reads if they are available.
fn capacity(bufs: &[IoSliceMut<'_>]) -> usize {
    let lengths = bufs.iter().take(FEWEST_BUFFERS).map(|buf| buf.len());
    lengths.fold(0, usize::saturating_add)
}

/// Writes through `write`. A `TcpStream` is written to by a system call of this crate.
#[inline]
fn poll_write<T>(
    registration: &Registration,
    buf: &[u8],
    cx: &mut Context<'_>,
    mut write: impl FnMut(&[u8]) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    let raw = registration.raw();
    poll::<T, usize>(registration, Direction::Write, cx, || {
        if would_block::is_tcp_stream::<T>() {
            socket::send(raw, buf).unwrap_or_else(|| write(buf))
        } else {
            write(buf)
        }
    })
}

#[inline]
fn poll<T, R>(
    registration: &Registration,
    direction: Direction,
    cx: &mut Context<'_>,
    operation: impl FnMut() -> io::Result<R>,
) -> Poll<io::Result<R>> {
    registration.poll_shared(direction, would_block::of::<T>(), cx, operation)
}

/// Reads from the object. While the read would block, the task waits until the object is readable.
impl<T: IoSafe + Read> AsyncRead for Async<T> {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let io = &mut *this.io;
        poll_read::<T>(&this.registration, buf, cx, |buf| io.read(buf))
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let io = &mut *this.io;
        poll_read_vectored::<T>(&this.registration, bufs, cx, |bufs| io.read_vectored(bufs))
    }
}

/// Reads through a shared reference, so that another task can write at the same time.
impl<T> AsyncRead for &Async<T>
where
    for<'a> &'a T: Read,
{
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut io = self.get_ref();
        poll_read::<T>(&self.registration, buf, cx, |buf| io.read(buf))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut io = self.get_ref();
        poll_read_vectored::<T>(&self.registration, bufs, cx, |bufs| io.read_vectored(bufs))
    }
}

/// Writes to the object. While the write would block, the task waits until the object is writable.
///
/// `poll_close` flushes the object and does not shut a socket down.
impl<T: IoSafe + Write> AsyncWrite for Async<T> {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let io = &mut *this.io;
        poll_write::<T>(&this.registration, buf, cx, |buf| io.write(buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let io = &mut *this.io;
        poll::<T, _>(&this.registration, Direction::Write, cx, || {
            io.write_vectored(bufs)
        })
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let io = &mut *this.io;
        poll::<T, _>(&this.registration, Direction::Write, cx, || io.flush())
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

/// Writes through a shared reference, so that another task can read at the same time.
impl<T> AsyncWrite for &Async<T>
where
    for<'a> &'a T: Write,
{
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut io = self.get_ref();
        poll_write::<T>(&self.registration, buf, cx, |buf| io.write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut io = self.get_ref();
        poll::<T, _>(&self.registration, Direction::Write, cx, || {
            io.write_vectored(bufs)
        })
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut io = self.get_ref();
        poll::<T, _>(&self.registration, Direction::Write, cx, || io.flush())
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
