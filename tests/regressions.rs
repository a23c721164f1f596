//! Small programs for edge cases: polls without a wait, operations that contradict the kernel,
//! waits that are cancelled, wakers that block or panic.
//!
//! No test compares a time with a fixed limit, except in hang guards. The tests count polls, calls,
//! wake-ups and threads. `costs` compares times of the same process.

#![cfg(all(unix, not(async_io_loom)))]

#[path = "regressions/asking.rs"]
mod asking;
#[path = "regressions/batches.rs"]
mod batches;
#[path = "regressions/contradictions.rs"]
mod contradictions;
#[path = "regressions/costs.rs"]
mod costs;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(any(async_io_portable, polling_test_poll_backend))
))]
#[path = "regressions/failures.rs"]
mod failures;
#[cfg(target_os = "linux")]
#[path = "regressions/leftovers.rs"]
mod leftovers;
#[path = "regressions/loops.rs"]
mod loops;
#[path = "regressions/panics.rs"]
mod panics;
mod support;

/// Fails if the process has the fallback thread. Only Linux lists the threads of a process by name.
#[track_caller]
fn assert_no_fallback_thread() {
    #[cfg(target_os = "linux")]
    assert!(support::procfs::fallback_threads().is_empty());
}
