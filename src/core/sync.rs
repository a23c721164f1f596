//! Locks and atomics: std's, or loom's when the models run (`--cfg async_io_loom`).
//!
//! The wrapper around the mutex ignores poisoning. No foreign code (wakers, closures) ever runs under one of our locks,
//! so a poisoned lock could only come from a bug of ours, and refusing to work from then on would turn one failed
//! operation into a dead process.

#[cfg(async_io_loom)]
use loom::sync as imp;
#[cfg(not(async_io_loom))]
use std::sync as imp;

pub(crate) use imp::atomic;

/// Between a sequentially consistent write and the read of another location that must not pass it. The accesses being
/// SeqCst is enough in reality; loom treats those as AcqRel, and only fences as what they are.
#[inline(always)]
pub(crate) fn write_before_read() {
    #[cfg(async_io_loom)]
    atomic::fence(atomic::Ordering::SeqCst);
}

#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(imp::Mutex<T>);

pub(crate) type MutexGuard<'a, T> = imp::MutexGuard<'a, T>;

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Mutex(imp::Mutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Condvar(imp::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Condvar(imp::Condvar::new())
    }

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0
            .wait(guard)
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        limit: std::time::Duration,
    ) -> MutexGuard<'a, T> {
        match self.0.wait_timeout(guard, limit) {
            Ok((guard, _)) => guard,
            Err(poisoned) => poisoned.into_inner().0,
        }
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}
