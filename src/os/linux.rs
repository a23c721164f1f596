//! Functions for Linux and Android: priority events and errors alone, and the standard streams.
//!
//! [`Async::readable`] completes for everything that concerns a reader: data, urgent data, and
//! errors. But some objects are always readable, and only the other events matter. The futures of
//! this module complete only for these:
//!
//! * [`priority`]: the value of a GPIO pin in sysfs has changed, or a socket has urgent data.
//! * [`error()`]: the error queue of a socket has a message, such as a transmit timestamp or an
//!   ICMP error, or the interface of a CAN socket has gone down.
//!
//! [`stdin`], [`stdout`] and [`stderr`] open the standard streams in non-blocking mode, and leave
//! the mode of the shell's unchanged.
//!
//! This module is an addition to the API of async-io 2.6.

mod standard_streams;

pub use standard_streams::{stderr, stdin, stdout};

use crate::Async;
use crate::adapter::registration::ListedWaiter;
use crate::core::source::Exception as Kind;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Waits until an object reports priority (`EPOLLPRI`) or a hang-up.
///
/// The system reports priority until the program has taken the event: by reading a sysfs file from
/// its start, or by receiving the urgent byte of a socket. Until then, another wait completes in
/// its first poll. A hang-up ends the wait because no event can follow it.
///
/// # Errors
///
/// The future returns the same errors as [`Async::readable`].
///
/// # Cancellation
///
/// Dropping the future ends the wait and releases its waker immediately. No event is lost.
///
/// # Platform notes
///
/// Only on Linux and Android. If the driver of an object does not support priority, only a hang-up
/// ends the wait. With `--cfg polling_test_poll_backend`, priority that is raised during the wait
/// ends it only if another task waits until the object is readable.
///
/// # Examples
///
/// ```
/// use async_io::Async;
/// use std::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// async_io::block_on(async {
///     let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
///     let client = Async::<TcpStream>::connect(listener.get_ref().local_addr()?).await?;
///     let (server, _) = listener.accept().await?;
///
///     rustix::net::send(&client, b"!", rustix::net::SendFlags::OOB)?;
///     async_io::os::linux::priority(&server).await?;
///     let mut urgent = [0];
///     rustix::net::recv(&server, &mut urgent, rustix::net::RecvFlags::OOB)?;
///     assert_eq!(&urgent, b"!");
///     Ok(())
/// })
/// # }
/// ```
pub fn priority<T>(source: &Async<T>) -> Exception<'_, T> {
    Exception::new(source, Kind::Priority)
}

/// Waits until an object reports an error (`EPOLLERR`) or a hang-up.
///
/// The system reports an error until the program has taken it: by reading the error queue or
/// `SO_ERROR`, or by an operation that fails. Until then, another wait completes in its first poll.
/// A hang-up ends the wait because no event can follow it.
///
/// # Errors
///
/// The future returns the same errors as [`Async::readable`].
///
/// # Cancellation
///
/// Dropping the future ends the wait and releases its waker immediately. No event is lost.
///
/// # Platform notes
///
/// Only on Linux and Android.
///
/// # Examples
///
/// ```
/// use async_io::Async;
/// use std::net::UdpSocket;
///
/// # fn main() -> std::io::Result<()> {
/// async_io::block_on(async {
///     // This socket is connected to itself, so it accepts no datagram of another sender.
///     let deaf = UdpSocket::bind(("127.0.0.1", 0))?;
///     deaf.connect(deaf.local_addr()?)?;
///
///     let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
///     socket.get_ref().connect(deaf.local_addr()?)?;
///     socket.send(b"hello").await?;
///     async_io::os::linux::error(&socket).await?;
///     let error = socket.get_ref().take_error()?;
///     assert_eq!(error.map(|error| error.kind()), Some(std::io::ErrorKind::ConnectionRefused));
///     Ok(())
/// })
/// # }
/// ```
pub fn error<T>(source: &Async<T>) -> Exception<'_, T> {
    Exception::new(source, Kind::Error)
}

/// Future that waits until an object reports priority or an error.
///
/// Returned by [`priority`] and [`error()`]. The future does nothing until it is polled. Polled
/// again after it has completed, it is ready again.
///
/// # Examples
///
/// ```
/// use async_io::Async;
/// use async_io::os::linux::{self, Exception};
/// use futures_lite::future;
/// use std::net::UdpSocket;
///
/// # fn main() -> std::io::Result<()> {
/// let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
/// let mut error: Exception<'_, UdpSocket> = linux::error(&socket);
/// // The socket has no error.
/// assert!(async_io::block_on(future::poll_once(&mut error)).is_none());
/// # Ok(())
/// # }
/// ```
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Exception<'a, T> {
    source: &'a Async<T>,
    kind: Kind,
    waiter: ListedWaiter,
    /// Whether the future has completed. Polled again, it is ready again.
    done: bool,
}

impl<'a, T> Exception<'a, T> {
    fn new(source: &'a Async<T>, kind: Kind) -> Self {
        Exception {
            source,
            kind,
            waiter: ListedWaiter::new(),
            done: false,
        }
    }
}

impl<T> Future for Exception<'_, T> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.done {
            return Poll::Ready(Ok(()));
        }
        let registration = this.source.registration();
        let polled = registration.poll_exception(this.kind, &mut this.waiter, cx);
        if polled.is_ready() {
            this.done = matches!(polled, Poll::Ready(Ok(())));
            this.waiter.remove();
        }
        polled
    }
}

impl<T> fmt::Debug for Exception<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exception")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
