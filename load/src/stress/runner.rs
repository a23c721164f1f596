//! The runners of futures: this crate's `block_on` on one reactor or another, and an executor that is
//! independent of this crate.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use async_executor::LocalExecutor;
use async_io::Reactor;
use fastrand::Rng;
use futures_lite::future;

#[derive(Clone, Debug)]
pub(crate) enum Runner {
    Ours,
    /// An executor for which only the thread `async-io` can drive the reactor.
    Foreign,
    /// `block_on` of a reactor.
    Inside(Reactor),
    /// A task of an executor that runs inside a reactor.
    Task(Reactor),
    /// `block_on` of the second reactor, inside a call for the first one.
    Nested(Reactor, Reactor),
    /// A task that begins inside a reactor. The thread then leaves the reactor, and runs the task as
    /// `Foreign` does.
    Leaving(Reactor),
}

impl Runner {
    pub(crate) fn any(rng: &mut Rng) -> Self {
        if rng.u8(..3) == 0 {
            Runner::Foreign
        } else {
            Runner::Ours
        }
    }

    /// Returns a runner that may use one of these reactors.
    pub(crate) fn any_of(rng: &mut Rng, reactors: &[Reactor]) -> Self {
        let mut one = || reactors[rng.usize(..reactors.len())].clone();
        let (first, second) = (one(), one());
        match rng.u8(..6) {
            0 => Runner::Foreign,
            1 => Runner::Inside(first),
            2 => Runner::Task(first),
            3 => Runner::Nested(first, second),
            4 => Runner::Leaving(first),
            _ => Runner::Ours,
        }
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        let executor = LocalExecutor::new();
        match self {
            Runner::Ours => async_io::block_on(future),
            Runner::Foreign => foreign(future),
            Runner::Inside(reactor) => reactor.block_on(future),
            Runner::Task(reactor) => reactor.block_on(executor.run(executor.spawn(future))),
            Runner::Nested(outer, inner) => outer.block_on(async { inner.block_on(future) }),
            Runner::Leaving(reactor) => {
                let task = executor.spawn(future);
                reactor.block_on(executor.run(future::yield_now()));
                foreign(executor.run(task))
            }
        }
    }
}

struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

fn foreign<F: Future>(future: F) -> F::Output {
    let unpark = Arc::new(Unpark {
        thread: thread::current(),
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(unpark.clone());
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        while !unpark.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}
