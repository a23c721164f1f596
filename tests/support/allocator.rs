//! An allocator that counts the allocated bytes.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

/// The system allocator, which also counts the allocated bytes. A program has to declare it as its
/// global allocator.
pub(crate) struct Counting;

static ALLOCATED: AtomicIsize = AtomicIsize::new(0);

impl Counting {
    /// Returns the number of bytes that are allocated now.
    pub(crate) fn allocated(&self) -> isize {
        ALLOCATED.load(Ordering::Relaxed)
    }
}

// SAFETY: all calls are passed on to `System` unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller upholds the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller upholds the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}
