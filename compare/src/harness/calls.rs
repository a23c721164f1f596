//! Counting system calls: by the kernel's tracepoints where we may, or else by strace, which slows down what it counts.

use std::collections::BTreeMap;

use super::{Outcome, perf, strace};

/// Counts until it is detached.
pub(crate) enum Counter {
    Perf(perf::Counter),
    Strace(strace::Counter),
}

/// Is there a tool?
pub(crate) fn are_counted() -> Outcome<()> {
    if perf::is_present() || strace::is_present() {
        Ok(())
    } else {
        Err("neither perf (which needs root's rights) nor strace is installed".into())
    }
}

impl Counter {
    /// Attaches to this process and returns once the counting goes on.
    pub(crate) fn attach() -> Outcome<Counter> {
        if perf::is_present() {
            perf::Counter::attach().map(Counter::Perf)
        } else {
            strace::Counter::attach().map(Counter::Strace)
        }
    }

    /// How often each call was made since, by name.
    pub(crate) fn detach(self) -> Outcome<BTreeMap<String, u64>> {
        match self {
            Counter::Perf(counter) => counter.detach(),
            Counter::Strace(counter) => counter.detach(),
        }
    }
}
