//! Ways to poll and to run futures.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use async_io::Async;

/// Polls `future` once with `waker`.
pub(crate) fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(waker))
}

/// Polls `future` once with a no-op waker. Only a future that does not need to wait is ready.
pub(crate) fn poll_now<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Returns the value of a poll, and fails if the poll is pending.
#[track_caller]
pub(crate) fn ready<T>(poll: Poll<T>) -> T {
    match poll {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("pending"),
    }
}

/// Calls [`Async::poll_readable`] with `waker`.
pub(crate) fn poll_readable<T>(source: &Async<T>, waker: &Waker) -> Poll<io::Result<()>> {
    source.poll_readable(&mut Context::from_waker(waker))
}

/// Calls [`Async::poll_writable`] with `waker`.
pub(crate) fn poll_writable<T>(source: &Async<T>, waker: &Waker) -> Poll<io::Result<()>> {
    source.poll_writable(&mut Context::from_waker(waker))
}

/// Waits with `poll_readable`, as a future of a foreign executor does.
pub(crate) async fn wait_readable<T>(source: &Async<T>) -> io::Result<()> {
    std::future::poll_fn(|cx| source.poll_readable(cx)).await
}

/// Returns the waker that the calling task is polled with.
pub(crate) async fn own_waker() -> Waker {
    std::future::poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}

/// The executor that runs a future. With `Foreign` only the fallback thread can drive the reactor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Runner {
    Ours,
    Foreign,
}

impl Runner {
    pub(crate) const BOTH: [Runner; 2] = [Runner::Ours, Runner::Foreign];

    pub(crate) fn block_on<F: Future>(self, future: F) -> F::Output {
        match self {
            Runner::Ours => async_io::block_on(future),
            Runner::Foreign => foreign(future),
        }
    }
}

/// Runs a future on a minimal executor that is independent of this crate: it polls the future and
/// parks its thread. Each call has a waker of its own.
pub(crate) fn foreign<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread, AtomicBool);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.1.store(true, Ordering::Release);
            self.0.unpark();
        }
    }

    let parker = Arc::new(Unpark(thread::current(), AtomicBool::new(false)));
    let waker = Waker::from(parker.clone());
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        while !parker.1.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}
