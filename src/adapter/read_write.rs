//! `AsyncRead` and `AsyncWrite`: try the call, wait in the slot of the direction if it would block.

use super::registered::Registered;
use super::{Async, IoSafe, trust};
use crate::core::source::Direction;
use crate::core::source::waiters::Place;
use futures_io::{AsyncRead, AsyncWrite};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Writes through an exclusive reference to the object.
fn poll_write_mut<T, R>(
    this: &mut Async<T>,
    cx: &mut Context<'_>,
    mut operation: impl FnMut(&mut T) -> io::Result<R>,
) -> Poll<io::Result<R>> {
    let io = &mut *this.io;
    poll::<T, R>(&this.registered, Direction::Write, cx, || operation(io))
}

/// Writes through a shared reference.
fn poll_write_ref<T, R>(
    this: &Async<T>,
    cx: &mut Context<'_>,
    mut operation: impl FnMut(&T) -> io::Result<R>,
) -> Poll<io::Result<R>> {
    poll::<T, R>(&this.registered, Direction::Write, cx, || {
        operation(&this.io)
    })
}

/// Reads; from a `TcpStream` with the shortcut.
fn poll_read<T>(
    registered: &Registered,
    capacity: usize,
    cx: &mut Context<'_>,
    read: impl FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    if trust::is_tcp_stream::<T>() {
        registered.poll_read_stream(capacity, cx, read)
    } else {
        poll::<T, usize>(registered, Direction::Read, cx, read)
    }
}

/// The system takes so many buffers in one call at the least (POSIX), and the library passes no more than it takes. A read
/// that fills these may have left something.
const FEWEST_BUFFERS: usize = 16;

/// What the system surely takes in one call, if it has that much.
fn capacity(bufs: &[IoSliceMut<'_>]) -> usize {
    let lengths = bufs.iter().take(FEWEST_BUFFERS).map(|buf| buf.len());
    lengths.fold(0, usize::saturating_add)
}

fn poll<T, R>(
    registered: &Registered,
    direction: Direction,
    cx: &mut Context<'_>,
    operation: impl FnMut() -> io::Result<R>,
) -> Poll<io::Result<R>> {
    let place = || Ok(Place::Slot);
    registered.poll_operation(direction, trust::of::<T>(), place, cx, operation)
}

impl<T: IoSafe + Read> AsyncRead for Async<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let io = &mut *this.io;
        poll_read::<T>(&this.registered, buf.len(), cx, || io.read(buf))
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let io = &mut *this.io;
        let capacity = capacity(bufs);
        poll_read::<T>(&this.registered, capacity, cx, || io.read_vectored(bufs))
    }
}

impl<T> AsyncRead for &Async<T>
where
    for<'a> &'a T: Read,
{
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut io = self.get_ref();
        poll_read::<T>(&self.registered, buf.len(), cx, || io.read(buf))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut io = self.get_ref();
        let capacity = capacity(bufs);
        poll_read::<T>(&self.registered, capacity, cx, || io.read_vectored(bufs))
    }
}

impl<T: IoSafe + Write> AsyncWrite for Async<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        poll_write_mut(&mut self, cx, |io| io.write(buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        poll_write_mut(&mut self, cx, |io| io.write_vectored(bufs))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_write_mut(&mut self, cx, |io| io.flush())
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl<T> AsyncWrite for &Async<T>
where
    for<'a> &'a T: Write,
{
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        poll_write_ref(*self, cx, |mut io| io.write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        poll_write_ref(*self, cx, |mut io| io.write_vectored(bufs))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_write_ref(*self, cx, |mut io| io.flush())
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
