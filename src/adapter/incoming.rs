//! The stream of accepted connections, of TCP and of Unix sockets.

use super::Async;
use super::registration::ListedWaiter;
use super::would_block::WouldBlock;
use crate::core::source::Direction;
use futures_core::Stream;
use std::io;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Accepts connections without end. `L` is the listener's type, `S` the type of an accepted
/// connection, `A` the type of the peer's address.
pub(super) struct Incoming<'a, L, S, A> {
    listener: &'a Async<L>,
    accept: fn(&L) -> io::Result<(S, A)>,
    /// Registers a connection.
    register: fn(&Async<L>, S) -> io::Result<Async<S>>,
    waiter: ListedWaiter,
    /// No field is pinned. But the public signatures return `impl Stream`, which was not `Unpin` in
    /// 2.6.0; callers pin it.
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
            // A task that was polled before its event came is still enqueued, and may not poll again
            // for a long time.
            this.waiter.remove();
        }
        let register = |(stream, _)| (this.register)(this.listener, stream);
        accepted.map(|result| Some(result.and_then(register)))
    }
}
