//! The stream of accepted connections, for TCP and Unix sockets.

use super::Async;
use super::registration::ListedWaiter;
use super::would_block::WouldBlock;
use crate::core::source::Direction;
use futures_core::Stream;
use std::io;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll};

/// An endless stream of accepted connections. `L` is the type of the listener, `S` that of an
/// accepted connection, `A` that of the address of a peer.
pub(super) struct Incoming<'a, L, S, A> {
    listener: &'a Async<L>,
    accept: fn(&L) -> io::Result<(S, A)>,
    /// Registers an accepted connection.
    register: fn(&Async<L>, S) -> io::Result<Async<S>>,
    waiter: ListedWaiter,
    /// No field is pinned. But the `impl Stream` of the public signatures is not `Unpin` in
    /// async-io 2.6.0, and an auto trait that leaks through it would become part of the API.
    _pinned: PhantomPinned,
}

impl<'a, L, S, A> Incoming<'a, L, S, A> {
    pub(super) fn new(
        listener: &'a Async<L>,
        accept: fn(&L) -> io::Result<(S, A)>,
        register: fn(&Async<L>, S) -> io::Result<Async<S>>,
    ) -> Incoming<'a, L, S, A> {
        Incoming {
            listener,
            accept,
            register,
            waiter: ListedWaiter::new(),
            _pinned: PhantomPinned,
        }
    }
}

impl<L, S, A> Stream for Incoming<'_, L, S, A> {
    type Item = io::Result<Async<S>>;

    #[allow(unsafe_code)]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // SAFETY: nothing is moved out of `this`, and no field is ever pinned.
        let this = unsafe { self.get_unchecked_mut() };
        let listener = this.listener.get_ref();
        let accepted = this.listener.registration().poll_listed(
            Direction::Read,
            WouldBlock::Conclusive,
            &mut this.waiter,
            cx,
            || (this.accept)(listener),
        );
        if accepted.is_ready() {
            // If the connection came before its event, the waiter is still enqueued. The task may
            // not poll again for a long time, so it must not be woken.
            this.waiter.remove();
        }
        let register = |(stream, _)| (this.register)(this.listener, stream);
        accepted.map(|result| Some(result.and_then(register)))
    }
}
