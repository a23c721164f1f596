//! Detects, at the cost of one load, that this process is a forked child of the process that created
//! the poller.
//!
//! A forked child shares the epoll instance of its parent: a registration or a removal in the child
//! changes the parent's set. So every call that would change the set checks for a fork first. The
//! check is part of every registration, so it must be cheap. It loads a value from a page that the
//! kernel zeroes in a forked child. `getpid` would cost a system call.

#![allow(unsafe_code)]

use std::process;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

const PAGE: usize = 4096;

/// The process that created a poller.
#[derive(Debug)]
pub(super) enum Home {
    /// A page that is zeroed in forked children.
    Page(NonNull<AtomicU32>),
    /// The process ID, if the kernel cannot zero pages in children (before Linux 4.14).
    Process(u32),
}

// SAFETY: after `new`, the page is only read, through an atomic. It is unmapped only when its
// single owner is dropped.
unsafe impl Send for Home {}
// SAFETY: as above.
unsafe impl Sync for Home {}

impl Home {
    pub(super) fn new() -> Home {
        map_page().unwrap_or_else(|| Home::Process(process::id()))
    }

    /// Returns whether this process created the value.
    #[inline]
    pub(super) fn is_here(&self) -> bool {
        match self {
            // SAFETY: the page is mapped until `self` is dropped. Relaxed: a fork orders all
            // accesses.
            Home::Page(mark) => unsafe { mark.as_ref() }.load(Ordering::Relaxed) != 0,
            Home::Process(id) => process::id() == *id,
        }
    }
}

fn map_page() -> Option<Home> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: the kernel chooses the address, so no existing mapping is touched.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), PAGE, access, kind, -1, 0) };
    if page == libc::MAP_FAILED {
        return None;
    }
    let page = NonNull::new(page)?;
    if !wipes_in_children(page) {
        // SAFETY: the page was mapped above with this length, and is not used afterwards.
        unsafe { libc::munmap(page.as_ptr(), PAGE) };
        return None;
    }
    let mark: NonNull<AtomicU32> = page.cast();
    // SAFETY: a fresh page is zeroed, aligned and large enough, so it holds a valid `AtomicU32`.
    unsafe { mark.as_ref() }.store(1, Ordering::Relaxed);
    Some(Home::Page(mark))
}

/// Asks the kernel to zero the page in forked children, and returns whether it will.
///
/// An emulator (qemu-user 7.2) accepts every advice and follows none. It is recognised because it
/// also accepts an advice that does not exist.
fn wipes_in_children(page: NonNull<libc::c_void>) -> bool {
    // SAFETY: the page was just mapped with this length, and nothing else refers to it.
    let advise = |advice| unsafe { libc::madvise(page.as_ptr(), PAGE, advice) } == 0;
    !advise(-1) && advise(libc::MADV_WIPEONFORK)
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Home::Page(mark) = self {
            // SAFETY: the page was mapped in `map_page` with this length, and `self` is its only
            // owner.
            unsafe { libc::munmap(mark.as_ptr().cast(), PAGE) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_know_their_process() {
        assert!(Home::new().is_here());
        assert!(Home::Process(process::id()).is_here());
    }
}
