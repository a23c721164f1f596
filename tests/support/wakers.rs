//! Wakers that count, and wakers that call closures.

use std::sync::{Arc, Condvar, Mutex};
use std::task::{Wake, Waker};

use super::guards::STEP;

/// A waker that counts how often it is woken. A thread can wait for the count.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    wakes: Mutex<usize>,
    changed: Condvar,
}

impl Counter {
    /// Creates a counter and a waker that increments it.
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let counter = Arc::new(Self::default());
        let waker = Waker::from(counter.clone());
        (counter, waker)
    }

    pub(crate) fn wakes(&self) -> usize {
        *self.wakes.lock().unwrap()
    }

    /// Waits until there have been at least `count` wake-ups since the creation.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) {
        let wakes = self.wakes.lock().unwrap();
        let (wakes, _) = self
            .changed
            .wait_timeout_while(wakes, STEP, |wakes| *wakes < count)
            .unwrap();
        assert!(*wakes >= count, "{} of {count} wake-ups arrived", *wakes);
    }

    /// Returns how many wakers made from this counter exist, apart from the `own` ones of the
    /// caller.
    pub(crate) fn held(self: &Arc<Self>, own: usize) -> usize {
        Arc::strong_count(self) - 1 - own
    }
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.wakes.lock().unwrap() += 1;
        self.changed.notify_all();
    }
}
