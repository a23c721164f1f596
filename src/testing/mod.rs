//! Models of the pure modules: naive models, loom models, and scripted pollers.

#[cfg(all(test, not(async_io_loom)))]
mod fake_kernel;
#[cfg(all(test, not(async_io_loom)))]
mod fake_kernel_tests;
#[cfg(all(async_io_loom, test))]
mod models;
#[cfg(all(any(test, fuzzing), unix, not(async_io_loom)))]
pub mod naive;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

/// A waker that counts its calls. Counting is not a step of a loom model.
#[derive(Debug, Default)]
pub(crate) struct Calls(AtomicUsize);

impl Calls {
    pub(crate) fn new() -> Arc<Calls> {
        Arc::default()
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
