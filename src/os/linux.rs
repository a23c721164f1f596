//! What Linux and Android have: priority and errors as events of their own.
//!
//! This module is an addition to the API of async-io 2.6.
//!
//! [`Async::readable`] completes for anything that a reader should look at, data as well as urgent data and errors. Some
//! objects are always readable, and what matters is the rest: a GPIO pin in sysfs raises *priority* when its value changes,
//! a socket raises *error* when its error queue has a message (a transmit timestamp, an ICMP answer), a CAN socket when its
//! interface goes away. The futures here complete for that alone.

use crate::Async;
use crate::adapter::registration::ListedWaiter;
use crate::core::source::Exception as Kind;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Waits until the object reports priority (`EPOLLPRI`), or a hang-up, after which nothing would come any more.
///
/// Priority is reported until it has been taken: a sysfs file by seeking to its start and reading, a socket's urgent byte by
/// receiving it. Waiting again before that completes at once.
///
/// # Cancellation
///
/// Dropping the future withdraws the wait at once; nothing is lost.
///
/// # Errors
///
/// As for [`Async::readable`].
///
/// # Platforms
///
/// Linux and Android. Whether an object knows priority at all is a matter of its driver; of one that does not, this waits
/// for the hang-up. With `--cfg polling_test_poll_backend` priority that comes during the wait does not end it, unless
/// somebody waits for reading, too: `polling` asks `poll(2)` for both or for neither.
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

/// Waits until the object reports an error (`EPOLLERR`), or a hang-up, after which nothing would come any more.
///
/// An error is reported until it has been taken: by reading the error queue, or SO_ERROR, or by an operation that fails.
/// Waiting again before that completes at once. Everything else is as for [`priority`].
///
/// # Examples
///
/// ```
/// use async_io::Async;
/// use std::net::UdpSocket;
///
/// # fn main() -> std::io::Result<()> {
/// async_io::block_on(async {
///     // Connected to itself: it takes nothing from others.
///     let deaf = UdpSocket::bind(("127.0.0.1", 0))?;
///     deaf.connect(deaf.local_addr()?)?;
///
///     let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
///     socket.get_ref().connect(deaf.local_addr()?)?;
///     socket.send(b"anybody there?").await?;
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

/// Waits for priority or for an error; made by [`priority`] and [`error`].
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
