//! Wakers that count, and wakers that call closures, panic, or use the library.

use std::io::Write;
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::task::{Wake, Waker};
use std::time::Duration;

use async_io::{Async, Timer};

use super::{HOUR, Local, STEP, local_pair, poll, poll_now, poll_readable, poll_writable};

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

struct Actions<W, D: FnOnce()> {
    woken: W,
    dropped: Option<D>,
}

impl<W, D> Wake for Actions<W, D>
where
    W: Fn() + Send + Sync + 'static,
    D: FnOnce() + Send + Sync + 'static,
{
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        (self.woken)();
    }
}

impl<W, D: FnOnce()> Drop for Actions<W, D> {
    fn drop(&mut self) {
        self.dropped.take().unwrap()();
    }
}

/// Creates a waker that calls `woken` when it is woken, and `dropped` when its last copy is
/// dropped.
pub(crate) fn waker_with(
    woken: impl Fn() + Send + Sync + 'static,
    dropped: impl FnOnce() + Send + Sync + 'static,
) -> Waker {
    let dropped = Some(dropped);
    Waker::from(Arc::new(Actions { woken, dropped }))
}

/// Creates a waker that calls `woken`.
pub(crate) fn waker_fn(woken: impl Fn() + Send + Sync + 'static) -> Waker {
    waker_with(woken, || ())
}

/// Creates a waker that panics when it is woken.
pub(crate) fn panicking_waker() -> Waker {
    // Prints no panic message and no backtrace.
    waker_fn(|| resume_unwind(Box::new("a waker that panics")))
}

/// Performs operations that a task might perform, from within a waker: on new timers, on new
/// sources, and on `source`.
pub(crate) fn reenter(source: &Weak<Async<Local>>) {
    let mut timer = Timer::after(HOUR);
    assert!(poll(&mut timer, Waker::noop()).is_pending());
    timer.set_after(2 * HOUR);
    timer.set_after(Duration::ZERO);
    drop(timer);
    let (fresh, mut peer) = local_pair();
    assert!(poll_readable(&fresh, Waker::noop()).is_pending());
    assert!(poll_now(fresh.readable()).is_pending());
    peer.write_all(b"x").unwrap();
    drop(fresh);
    if let Some(source) = source.upgrade() {
        _ = poll_readable(&source, Waker::noop());
        _ = poll_writable(&source, Waker::noop());
        _ = poll_now(source.readable());
        _ = poll_now(source.writable());
    }
}
