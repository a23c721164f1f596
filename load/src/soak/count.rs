//! Counts of live objects.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A guard that adds one to a counter while it is alive.
pub(crate) struct Counted(&'static AtomicUsize);

impl Counted {
    pub(crate) fn new(counter: &'static AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::AcqRel);
        Counted(counter)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
