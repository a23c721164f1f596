//! Calling wakers.
//!
//! A waker is foreign code: it may take locks, call back into this crate, block, or panic. So
//! wakers are collected while locks are held, and called when no lock is held. A panic is caught,
//! and the other wakers of the batch are still called: losing the wake-up of an unrelated task
//! would be worse than swallowing a panic.
//!
//! A waker may also call `block_on`, or wait for another thread. What it waits for may depend on a
//! later waker of the same batch. So a thread that calls several wakers keeps the rest in an
//! [`UncalledWakers`]. A nested `block_on`, or a thread that takes over the reactor, finds them
//! there.

use crate::core::sync::Mutex;
use crate::core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// A buffer with room for more wakers than this is freed after use.
const KEPT_CAPACITY: usize = 1024;

/// Wakers that were taken from their waiters, to be called when no lock is held. Dropping a batch
/// calls none of them.
#[derive(Debug, Default)]
pub(crate) struct WakeBatch {
    wakers: Vec<Waker>,
}

impl WakeBatch {
    #[inline]
    pub(crate) fn push(&mut self, waker: Waker) {
        self.wakers.push(waker);
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.wakers.len()
    }

    /// Returns whether the condition holds for any waker.
    pub(crate) fn any(&self, condition: impl FnMut(&Waker) -> bool) -> bool {
        self.wakers.iter().any(condition)
    }

    /// Returns for how many wakers the condition holds.
    pub(crate) fn count(&self, condition: impl Fn(&Waker) -> bool) -> usize {
        self.wakers.iter().filter(|waker| condition(waker)).count()
    }

    /// Calls all wakers, first in first out.
    pub(crate) fn run(&mut self) {
        let count = if mutation!("batch_stops_after_one") {
            1
        } else {
            usize::MAX
        };
        for waker in self.wakers.drain(..).take(count) {
            wake(waker);
        }
        self.free_large_buffer();
    }

    fn free_large_buffer(&mut self) {
        if self.wakers.capacity() > KEPT_CAPACITY {
            self.wakers = Vec::new();
        }
    }
}

/// The wakers that one thread has yet to call, shared with the threads that may call them instead.
#[derive(Debug, Default)]
pub(crate) struct UncalledWakers {
    wakers: Mutex<VecDeque<Waker>>,
    /// The length of the list, written under the lock.
    ///
    /// Relaxed: the owner sees its own writes. Another thread reads the count after it has taken
    /// the role of leader, and the exchange of the role orders the two.
    count: AtomicUsize,
}

impl UncalledWakers {
    /// Takes the wakers of a batch.
    pub(crate) fn append(&self, batch: &mut WakeBatch) {
        let mut wakers = self.wakers.lock();
        if wakers.is_empty() {
            // The two lists swap their buffers, which copies nothing.
            let empty = Vec::from(std::mem::take(&mut *wakers));
            *wakers = std::mem::replace(&mut batch.wakers, empty).into();
        } else {
            wakers.extend(batch.wakers.drain(..));
        }
        self.count.store(wakers.len(), Ordering::Relaxed);
        drop(wakers);
        batch.free_large_buffer();
    }

    /// Moves all wakers to a batch.
    pub(crate) fn drain_into(&self, batch: &mut WakeBatch) {
        let mut wakers = self.wakers.lock();
        batch.wakers.extend(wakers.drain(..));
        self.count.store(0, Ordering::Relaxed);
    }

    /// Calls the wakers, first in first out, as long as the lock may be taken. Several threads may call
    /// this function at once: each waker is called by one of them.
    #[inline]
    pub(crate) fn run(&self, may_lock: impl Fn() -> bool) {
        while self.count.load(Ordering::Relaxed) > 0 && may_lock() {
            let Some(waker) = self.pop() else { return };
            wake(waker);
        }
    }

    #[inline]
    fn pop(&self) -> Option<Waker> {
        let mut wakers = self.wakers.lock();
        let waker = wakers.pop_front();
        if wakers.is_empty() && wakers.capacity() > KEPT_CAPACITY {
            *wakers = VecDeque::new();
        }
        self.count.store(wakers.len(), Ordering::Relaxed);
        waker
    }
}

/// Calls a waker and catches its panic.
#[inline]
pub(crate) fn wake(waker: Waker) {
    if mutation!("panic_of_a_waker_escapes") {
        waker.wake();
        return;
    }
    guarded(|| waker.wake());
}

/// Calls a waker by reference and catches its panic.
pub(crate) fn wake_by_ref(waker: &Waker) {
    guarded(|| waker.wake_by_ref());
}

/// Drops a waker and catches its panic.
#[inline]
pub(crate) fn discard(waker: Option<Waker>) {
    if let Some(waker) = waker {
        guarded(|| drop(waker));
    }
}

/// Calls foreign code and catches its panic.
#[inline]
pub(crate) fn guarded(call: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
        discard_payload(payload);
    }
}

/// Drops the payload of a panic. The payload is foreign, and its drop may panic again. The second
/// payload is leaked.
#[cold]
pub(crate) fn discard_payload(payload: Box<dyn std::any::Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
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

    /// A waker that panics with a payload that panics when it is dropped. Counts both panics.
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
