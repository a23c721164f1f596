//! Locks and atomics: those of std, or those of loom when the models run (`--cfg async_io_loom`).
//!
//! The mutex ignores poisoning. No foreign code (wakers, closures) runs under a lock of this crate,
//! so only a bug of this crate could poison one. Refusing to work after that would turn one failed
//! operation into a dead process.

#[cfg(async_io_loom)]
use loom::sync as imp;
#[cfg(not(async_io_loom))]
use std::sync as imp;

pub(crate) use imp::atomic;

/// Orders a sequentially consistent write before a later read of another location.
///
/// Outside of loom, the SeqCst accesses are sufficient, and this function does nothing. Loom treats
/// such accesses as AcqRel and models only fences as sequentially consistent.
#[inline(always)]
pub(crate) fn write_before_read() {
    #[cfg(async_io_loom)]
    atomic::fence(if mutation!("write_does_not_precede_read") {
        atomic::Ordering::AcqRel
    } else {
        atomic::Ordering::SeqCst
    });
}

/// Returns whether the environment variable `ASYNC_IO_MUTATION` names this mistake.
#[cfg(async_io_loom)]
pub(crate) fn is_planted(name: &str) -> bool {
    static PLANTED: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    PLANTED.get_or_init(|| std::env::var("ASYNC_IO_MUTATION").unwrap_or_default()) == name
}

/// Returns false: mistakes are planted only under loom.
#[cfg(not(async_io_loom))]
pub(crate) const fn is_planted(_name: &str) -> bool {
    false
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
