//! The runners of futures: this crate's `block_on`, and an executor that is independent of this
//! crate.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use fastrand::Rng;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runner {
    Ours,
    /// An executor for which only the thread `async-io` can drive the reactor.
    Foreign,
}

impl Runner {
    pub(crate) fn any(rng: &mut Rng) -> Self {
        if rng.u8(..3) == 0 {
            Runner::Foreign
        } else {
            Runner::Ours
        }
    }

    pub(crate) fn block_on<F: Future>(self, future: F) -> F::Output {
        match self {
            Runner::Ours => async_io::block_on(future),
            Runner::Foreign => foreign(future),
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
