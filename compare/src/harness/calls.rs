//! Counts system calls, with the tracepoints of the kernel if that is permitted, or else with
//! strace. strace slows down the process that it counts.

use std::collections::BTreeMap;

use super::{Outcome, perf, strace};

/// A count of the system calls of this process that runs until it is detached.
pub(crate) enum Counter {
    Perf(perf::Counter),
    Strace(strace::Counter),
}

/// Fails if no tool for counting is available.
pub(crate) fn are_counted() -> Outcome<()> {
    if perf::is_present() || strace::is_present() {
        Ok(())
    } else {
        Err("neither perf (which needs root) nor strace is available".into())
    }
}

/// Returns the number of waits among the calls.
pub(crate) fn waits(calls: &BTreeMap<String, u64>) -> u64 {
    let is_wait = |name: &str| name.starts_with("epoll_") && name.contains("wait");
    let waits = calls.iter().filter(|(name, _)| is_wait(name));
    waits.map(|(_, count)| count).sum()
}

impl Counter {
    /// Attaches to this process. Returns once the count has started.
    pub(crate) fn attach() -> Outcome<Counter> {
        if perf::is_present() {
            perf::Counter::attach().map(Counter::Perf)
        } else {
            strace::Counter::attach().map(Counter::Strace)
        }
    }

    /// Stops the count. Returns how often each call was made, by name.
    pub(crate) fn detach(self) -> Outcome<BTreeMap<String, u64>> {
        match self {
            Counter::Perf(counter) => counter.detach(),
            Counter::Strace(counter) => counter.detach(),
        }
    }
}
