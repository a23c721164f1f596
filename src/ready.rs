//! The futures that wait for readiness: borrowed and owned, for both directions.

use crate::Async;
use crate::adapter::registered::Listing;
use crate::core::source::Direction;
use crate::trace;
use std::fmt;
use std::future::Future;
use std::io;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What the four have in common. `R` refers to the `Async<T>`.
struct Ready<R> {
    object: R,
    listing: Listing,
    /// Polled again after completion, it says "ready" again.
    done: bool,
}

impl<R, T> Ready<R>
where
    R: Deref<Target = Async<T>>,
{
    fn new(object: R, direction: Direction) -> Self {
        Ready {
            object,
            listing: Listing::new(direction),
            done: false,
        }
    }

    fn poll(&mut self, name: &'static str, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.done {
            return Poll::Ready(Ok(()));
        }
        let registered = self.object.registered();
        let place = match self.listing.place(registered) {
            Ok(place) => place,
            Err(error) => return Poll::Ready(Err(error)),
        };
        let polled = registered.poll_ready(self.listing.direction(), place, cx);
        if polled.is_ready() {
            trace::ready(name, registered.raw());
            self.done = matches!(polled, Poll::Ready(Ok(())));
            self.listing.give_back(registered);
        }
        polled
    }

    fn withdraw(&mut self) {
        self.listing.give_back(self.object.registered());
    }
}

/// A future for one direction. The owned and the borrowed kind differ in what they hold.
macro_rules! readiness_future {
    (
        $(#[$doc:meta])*
        $name:ident<$($lifetime:lifetime,)? T>, $holds:ty, $direction:expr, $function:literal
    ) => {
        $(#[$doc])*
        #[must_use = "futures do nothing unless you `.await` or poll them"]
        pub struct $name<$($lifetime,)? T> {
            // A tuple of one would do; the name says what it is.
            ready: Held<$holds, T>,
        }

        impl<$($lifetime,)? T> $name<$($lifetime,)? T> {
            pub(crate) fn new(object: $holds) -> Self {
                $name {
                    ready: Held(Ready::new(object, $direction)),
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
                self.ready.0.poll($function, cx)
            }
        }
    };
}

/// Withdraws the wait when dropped.
struct Held<R, T>(Ready<R>)
where
    R: Deref<Target = Async<T>>;

impl<R, T> Drop for Held<R, T>
where
    R: Deref<Target = Async<T>>,
{
    fn drop(&mut self) {
        self.0.withdraw();
    }
}

readiness_future! {
    /// Waits until an object can be read without blocking; made by [`Async::readable`].
    Readable<'a, T>, &'a Async<T>, Direction::Read, "readable"
}

readiness_future! {
    /// Waits until an object can be read without blocking; made by [`Async::readable_owned`].
    ReadableOwned<T>, Arc<Async<T>>, Direction::Read, "readable_owned"
}

readiness_future! {
    /// Waits until an object can be written without blocking; made by [`Async::writable`].
    Writable<'a, T>, &'a Async<T>, Direction::Write, "writable"
}

readiness_future! {
    /// Waits until an object can be written without blocking; made by [`Async::writable_owned`].
    WritableOwned<T>, Arc<Async<T>>, Direction::Write, "writable_owned"
}
