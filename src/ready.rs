//! The futures that wait for readiness: borrowed and owned, in both directions.

use crate::Async;
use crate::adapter::registration::ListedWaiter;
use crate::core::source::Direction;
use crate::trace;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The state of a readiness future.
struct Ready {
    direction: Direction,
    waiter: ListedWaiter,
    /// Whether the future has completed. Polled again, it is ready again.
    done: bool,
}

impl Ready {
    fn new(direction: Direction) -> Self {
        Ready {
            direction,
            waiter: ListedWaiter::new(),
            done: false,
        }
    }

    fn poll<T>(
        &mut self,
        object: &Async<T>,
        name: &'static str,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.done {
            return Poll::Ready(Ok(()));
        }
        let registration = object.registration();
        let id = self.waiter.id(registration, self.direction);
        let polled = registration.poll_ready(self.direction, id, cx);
        if polled.is_ready() {
            trace::ready(name, registration.raw());
            self.done = matches!(polled, Poll::Ready(Ok(())));
            self.waiter.remove();
        }
        polled
    }
}

/// Defines a future for one direction. The owned and the borrowed kind differ in what they hold.
macro_rules! readiness_future {
    (
        $(#[$doc:meta])*
        $name:ident<$($lifetime:lifetime,)? T>, $holds:ty, $direction:expr, $function:literal
    ) => {
        $(#[$doc])*
        #[must_use = "futures do nothing unless you `.await` or poll them"]
        pub struct $name<$($lifetime,)? T> {
            // Dropped before the object: the waiter is removed while its source is registered.
            ready: Ready,
            object: $holds,
        }

        impl<$($lifetime,)? T> $name<$($lifetime,)? T> {
            pub(crate) fn new(object: $holds) -> Self {
                $name {
                    ready: Ready::new($direction),
                    object,
                }
            }
        }

        impl<$($lifetime,)? T> Unpin for $name<$($lifetime,)? T> {}

        impl<$($lifetime,)? T> fmt::Debug for $name<$($lifetime,)? T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish()
            }
        }

        impl<$($lifetime,)? T> Future for $name<$($lifetime,)? T> {
            type Output = io::Result<()>;

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                let this = &mut *self;
                this.ready.poll(&this.object, $function, cx)
            }
        }
    };
}

readiness_future! {
    /// Future that waits until an object can be read without blocking.
    ///
    /// Returned by [`Async::readable`], which documents errors and repeated waits. The future does
    /// nothing until it is polled. Polled again after it has completed, it is ready again.
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends the wait and releases its waker immediately.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    /// socket.get_ref().send_to(b"hi", socket.get_ref().local_addr()?)?;
    /// let readable: async_io::Readable<'_, UdpSocket> = socket.readable();
    /// async_io::block_on(readable)
    /// # }
    /// ```
    Readable<'a, T>, &'a Async<T>, Direction::Read, "readable"
}

readiness_future! {
    /// Future that waits until an object can be read without blocking, and keeps the object alive.
    ///
    /// Returned by [`Async::readable_owned`]. Otherwise like [`Readable`].
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends the wait and releases its waker immediately.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::{Async, ReadableOwned};
    /// use std::net::UdpSocket;
    /// use std::sync::Arc;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let socket = Arc::new(Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?);
    /// socket.get_ref().send_to(b"hi", socket.get_ref().local_addr()?)?;
    /// let readable: ReadableOwned<UdpSocket> = socket.readable_owned();
    /// async_io::block_on(readable)
    /// # }
    /// ```
    ReadableOwned<T>, Arc<Async<T>>, Direction::Read, "readable_owned"
}

readiness_future! {
    /// Future that waits until an object can be written without blocking.
    ///
    /// Returned by [`Async::writable`], which documents errors and repeated waits. The future does
    /// nothing until it is polled. Polled again after it has completed, it is ready again.
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends the wait and releases its waker immediately.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    /// let writable: async_io::Writable<'_, UdpSocket> = socket.writable();
    /// async_io::block_on(writable)
    /// # }
    /// ```
    Writable<'a, T>, &'a Async<T>, Direction::Write, "writable"
}

readiness_future! {
    /// Future that waits until an object can be written without blocking, and keeps the object
    /// alive.
    ///
    /// Returned by [`Async::writable_owned`]. Otherwise like [`Writable`].
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends the wait and releases its waker immediately.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::{Async, WritableOwned};
    /// use std::net::UdpSocket;
    /// use std::sync::Arc;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let socket = Arc::new(Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?);
    /// let writable: WritableOwned<UdpSocket> = socket.writable_owned();
    /// async_io::block_on(writable)
    /// # }
    /// ```
    WritableOwned<T>, Arc<Async<T>>, Direction::Write, "writable_owned"
}
