//! Waking tasks without being hurt by them.
//!
//! A waker is foreign code: it may take locks, call back into this crate, or panic. So wakers are collected while locks
//! are held and run when none is. One that panics is caught, and the others of the batch still run: a lost wake-up of
//! an innocent task would be worse than a swallowed panic of a guilty one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Wakers that wait to be run outside of all locks. Dropping a batch runs nobody; `run` empties it.
#[derive(Debug, Default)]
pub(crate) struct WakeBatch {
    wakers: Vec<Waker>,
}

impl WakeBatch {
    pub(crate) fn push(&mut self, waker: Waker) {
        self.wakers.push(waker);
    }

    pub(crate) fn len(&self) -> usize {
        self.wakers.len()
    }

    /// Wakes all, first in first out. The buffer is kept for the next batch.
    pub(crate) fn run(&mut self) {
        for waker in self.wakers.drain(..) {
            wake(waker);
        }
    }
}

/// Wakes a task; a panic inside is swallowed.
pub(crate) fn wake(waker: Waker) {
    guarded(|| waker.wake());
}

/// Drops a waker; a panic inside is swallowed.
pub(crate) fn discard(waker: Option<Waker>) {
    if let Some(waker) = waker {
        guarded(|| drop(waker));
    }
}

fn guarded(call: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
        // The payload is foreign too, and its drop may panic again. Such a payload is leaked.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(second);
        }
    }
}

#[cfg(all(test, not(async_io_loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    struct Counts(AtomicUsize);
    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts its wake-ups and what becomes of its payloads, and panics in both.
    struct Panics(&'static AtomicUsize);
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
            std::panic::resume_unwind(Box::new(PanicsInDrop(self.0)));
        }
    }

    struct PanicsInDrop(&'static AtomicUsize);
    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
            std::panic::resume_unwind(Box::new(()));
        }
    }

    #[test]
    fn panicking_waker_does_not_stop_the_others() {
        static PANICS: AtomicUsize = AtomicUsize::new(0);
        let counts = Arc::new(Counts(AtomicUsize::new(0)));
        let mut batch = WakeBatch::default();
        batch.push(counts.clone().into());
        batch.push(Arc::new(Panics(&PANICS)).into());
        batch.push(counts.clone().into());
        assert_eq!(batch.len(), 3);
        batch.run();
        assert_eq!(PANICS.load(Ordering::Relaxed), 2);
        assert_eq!(counts.0.load(Ordering::Relaxed), 2);
        assert_eq!(batch.len(), 0);
    }
}
