//! Telling a forked child from the process that made the poller, at the cost of one load.
//!
//! A child shares its parent's epoll instance: what it registers or removes there changes the parent's set. So calls
//! that would change the set ask first. The question must be cheap, because it is part of every registration: a page
//! that the kernel wipes in the child answers it with a plain load, where `getpid` would cost a system call.

#![allow(unsafe_code)]

use std::process;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

const PAGE: usize = 4096;

#[derive(Debug)]
pub(super) enum Home {
    /// A page that is zero in children.
    Page(NonNull<AtomicU32>),
    /// The kernel (before 4.14) cannot wipe pages: compare process numbers.
    Process(u32),
}

// SAFETY: the page is only read after `new`, through an atomic, and unmapped by the one owner's drop.
unsafe impl Send for Home {}
// SAFETY: as above.
unsafe impl Sync for Home {}

impl Home {
    pub(super) fn new() -> Home {
        map_page().unwrap_or_else(|| Home::Process(process::id()))
    }

    /// Whether this is still the process that made it.
    #[inline]
    pub(super) fn is_here(&self) -> bool {
        match self {
            // SAFETY: the page is mapped until `self` is dropped. Relaxed: a fork orders everything.
            Home::Page(mark) => unsafe { mark.as_ref() }.load(Ordering::Relaxed) != 0,
            Home::Process(id) => process::id() == *id,
        }
    }
}

fn map_page() -> Option<Home> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: the address is the kernel's choice, so no existing mapping is touched.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), PAGE, access, kind, -1, 0) };
    if page == libc::MAP_FAILED {
        return None;
    }
    let page = NonNull::new(page)?;
    if !wipes_in_children(page) {
        // SAFETY: as above; it is not used afterwards.
        unsafe { libc::munmap(page.as_ptr(), PAGE) };
        return None;
    }
    let mark: NonNull<AtomicU32> = page.cast();
    // SAFETY: a fresh page is zeroed, aligned and large enough, which is a valid `AtomicU32`.
    unsafe { mark.as_ref() }.store(1, Ordering::Relaxed);
    Some(Home::Page(mark))
}

/// Asks the kernel to wipe the page in children. An emulator (qemu-user 7.2) says yes to every advice and follows
/// none; it is known by its also taking one that does not exist.
fn wipes_in_children(page: NonNull<libc::c_void>) -> bool {
    // SAFETY: the page was mapped just now with this length and nobody else knows of it.
    let advise = |advice| unsafe { libc::madvise(page.as_ptr(), PAGE, advice) } == 0;
    !advise(-1) && advise(libc::MADV_WIPEONFORK)
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Home::Page(mark) = self {
            // SAFETY: mapped in `map_page` with this length; `self` is the only owner.
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
