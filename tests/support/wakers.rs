//! Wakers that count, and wakers that call closures.

use std::sync::{Arc, Condvar, Mutex};
use std::task::{Wake, Waker};

use super::STEP;

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

struct OnWake<F>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for OnWake<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        (self.0)();
    }
}

/// Creates a waker that calls `action`.
pub(crate) fn waker_fn(action: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(OnWake(action)))
}

/// Creates a waker that does nothing when woken and calls `action` when its last copy is dropped.
pub(crate) fn waker_with_drop(action: impl FnOnce() + Send + Sync + 'static) -> Waker {
    struct OnDrop<F: FnOnce()>(Option<F>);
    impl<F: FnOnce()> Drop for OnDrop<F> {
        fn drop(&mut self) {
            self.0.take().unwrap()();
        }
    }
    let on_drop = OnDrop(Some(action));
    waker_fn(move || _ = &on_drop)
}
