//! Processes, pinning, counters and statistics, independent of what is measured.

pub(crate) mod alloc;
pub(crate) mod callgrind;
pub(crate) mod calls;
pub(crate) mod job;
pub(crate) mod peer;
mod perf;
pub(crate) mod process;
pub(crate) mod sample;
pub(crate) mod stats;
mod strace;
pub(crate) mod system;
pub(crate) mod usage;

/// The result of anything that can fail. The message of the error is shown to the user.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
