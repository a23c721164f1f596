//! Detects that this process is a forked child of the process that created a value.
//!
//! A forked child has a copy of its parent's memory, without the parent's threads. So a lock that
//! another thread held stays locked, and an epoll instance is shared with the parent. The crate
//! checks for a fork before it takes a lock or changes a set. The check is part of every
//! registration, so it must be cheap: it compares two numbers in memory. `getpid` would cost a
//! system call.
//!
//! A child that was made by a bare `clone` system call is not detected. In such a child, the locks of
//! the C library are not usable either.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The process that created a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home(usize);

impl Home {
    /// Returns the process that this function runs in.
    pub(crate) fn new() -> Home {
        imp::watch();
        Home(imp::generation())
    }

    /// Returns whether this function runs in that process.
    #[inline]
    pub(crate) fn is_here(self) -> bool {
        self.0 == imp::generation()
    }
}

/// The value that each process creates for itself. A forked child does not use that of its parent.
///
/// A program has at most one such variable.
#[derive(Debug)]
pub(crate) struct PerProcess<T: 'static>(AtomicPtr<T>);

impl<T: Send + Sync> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        PerProcess(AtomicPtr::new(ptr::null_mut()))
    }

    /// Returns whether this is the value of this process.
    #[inline]
    pub(crate) fn is(&self, value: &T) -> bool {
        ptr::eq(self.0.load(Ordering::Relaxed), value)
    }

    /// Returns the value of this process, which is created if there is none. It is never dropped.
    ///
    /// If two threads get here at once, the value of the second one is dropped. A lock would be
    /// simpler, but a fork could leave it locked.
    #[inline]
    #[allow(unsafe_code)]
    pub(crate) fn get(&'static self, create: fn() -> T) -> &'static T {
        // Acquire: partner of the Release in `create`.
        let current = self.0.load(Ordering::Acquire);
        // SAFETY: a pointer that is not null comes from a box of `create`, which is never freed.
        match unsafe { current.as_ref() } {
            Some(value) => value,
            None => self.create(create),
        }
    }

    #[cold]
    #[inline(never)]
    #[allow(unsafe_code)]
    fn create(&'static self, create: fn() -> T) -> &'static T {
        imp::clear_in_children(&self.0);
        let new = Box::into_raw(Box::new(create()));
        let (success, failure) = (Ordering::Release, Ordering::Acquire);
        let result = self
            .0
            .compare_exchange(ptr::null_mut(), new, success, failure);
        let current = match result {
            Ok(_) => new,
            Err(other) => {
                // SAFETY: the pointer comes from the box above, and no other thread has seen it.
                drop(unsafe { Box::from_raw(new) });
                other
            }
        };
        // SAFETY: the pointer comes from a box that is never freed: this one, or that of the thread
        // that was faster.
        unsafe { &*current }
    }
}

/// Returns the number of this process among its forked ancestors.
#[inline]
pub(crate) fn generation() -> usize {
    imp::generation()
}

#[cfg(unix)]
#[allow(unsafe_code)]
mod imp {
    use std::ptr;
    use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

    /// The number of forks between the process that first used the crate and this one.
    ///
    /// Relaxed: a fork orders all accesses. This also holds for `CLEARED`.
    static GENERATION: AtomicUsize = AtomicUsize::new(0);

    /// The pointer that becomes null in each forked child.
    static CLEARED: AtomicPtr<AtomicPtr<()>> = AtomicPtr::new(ptr::null_mut());

    #[inline]
    pub(super) fn generation() -> usize {
        GENERATION.load(Ordering::Relaxed)
    }

    /// Sets a pointer to null in each child of this process, and in their children.
    pub(super) fn clear_in_children<T>(pointer: &'static AtomicPtr<T>) {
        CLEARED.store(ptr::from_ref(pointer).cast_mut().cast(), Ordering::Relaxed);
        watch();
    }

    /// Counts the forks of this process and its children from now on.
    pub(super) fn watch() {
        // No lock, which a fork could leave locked. If two threads get here at once, each fork counts
        // twice, which does not matter.
        static WATCHED: AtomicBool = AtomicBool::new(false);
        if !WATCHED.load(Ordering::Acquire) {
            // SAFETY: the function stays in memory for as long as the program, and only changes
            // atomics, which is allowed in a forked child. A lack of memory, the only error, leaves
            // forks unnoticed.
            unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
            WATCHED.store(true, Ordering::Release);
        }
    }

    extern "C" fn in_child() {
        GENERATION.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the pointer is null, or comes from a `&'static AtomicPtr<T>`. All pointers to sized
        // types have the same layout.
        if let Some(pointer) = unsafe { CLEARED.load(Ordering::Relaxed).as_ref() } {
            pointer.store(ptr::null_mut(), Ordering::Relaxed);
        }
    }
}

#[cfg(not(unix))]
mod imp {
    use std::sync::atomic::AtomicPtr;

    pub(super) fn generation() -> usize {
        0
    }

    pub(super) fn watch() {}

    pub(super) fn clear_in_children<T>(_pointer: &'static AtomicPtr<T>) {}
}

/// Returns the error of an operation on a value that the parent of this process has created.
#[cold]
pub(crate) fn error() -> std::io::Error {
    std::io::Error::new(
        std::io::ErrorKind::Unsupported,
        "this object belongs to the parent of this forked process, and cannot be used here; call exec, create the \
         object in the child, or move it to a reactor of the child with `Async::rebind`",
    )
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    #[allow(unsafe_code)]
    fn only_the_child_is_a_different_process() {
        let home = Home::new();
        assert!(home.is_here());
        // SAFETY: the child only reads two numbers and exits.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let unnoticed = home.is_here() || !Home::new().is_here();
            // SAFETY: ends the process immediately.
            unsafe { libc::_exit(i32::from(unnoticed)) };
        }
        let mut status = -1;
        // SAFETY: the pointer is valid.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0);
        assert!(home.is_here());
    }
}
