//! The stream of accepted connections, of TCP and of Unix sockets.

use super::Async;
use super::registered::{Listing, Trust};
use crate::core::source::Direction;
use futures_core::Stream;
use std::io;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Accepts again and again. `L` listens, `S` is what it accepts, `A` the address of the peer.
pub(super) struct Incoming<'a, L, S, A> {
    listener: &'a Async<L>,
    accept: fn(&L) -> io::Result<(S, A)>,
    /// Registers what was accepted.
    admit: fn(&Async<L>, S) -> io::Result<Async<S>>,
    listing: Listing,
    /// Nothing needs to stay in place now; but what callers may do with it is what the signature has promised for long:
    /// pin it.
    _pinned: PhantomPinned,
}

impl<'a, L, S, A> Incoming<'a, L, S, A> {
    pub(super) fn new(
        listener: &'a Async<L>,
        accept: fn(&L) -> io::Result<(S, A)>,
        admit: fn(&Async<L>, S) -> io::Result<Async<S>>,
    ) -> Incoming<'a, L, S, A> {
        Incoming {
            listener,
            accept,
            admit,
            listing: Listing::new(Direction::Read),
            _pinned: PhantomPinned,
        }
    }
}

impl<L, S, A> Stream for Incoming<'_, L, S, A> {
    type Item = io::Result<Async<S>>;

    #[allow(unsafe_code)]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // SAFETY: nothing is moved out of `this`; no field is ever pinned.
        let this = unsafe { self.get_unchecked_mut() };
        let registered = this.listener.registered();
        let listing = &mut this.listing;
        if listing.goes_on_waiting(registered, Trust::Kernel, cx) {
            return Poll::Pending;
        }
        let listener = this.listener.get_ref();
        let accepted = registered.poll_operation(
            Direction::Read,
            Trust::Kernel,
            || listing.place(registered),
            cx,
            || (this.accept)(listener),
        );
        if accepted.is_ready() {
            // Who was polled before the edge came still has a waker in its place, and may not come back for long.
            listing.give_back(registered);
        }
        let admit = |(stream, _)| (this.admit)(this.listener, stream);
        accepted.map(|result| Some(result.and_then(admit)))
    }
}

impl<L, S, A> Drop for Incoming<'_, L, S, A> {
    fn drop(&mut self) {
        self.listing.give_back(self.listener.registered());
    }
}
