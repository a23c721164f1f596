//! The socket calls that std lacks, such as setting the non-blocking mode of any object and
//! connecting without waiting.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

/// The state of a connection attempt after the `connect` call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Done,
    /// The socket becomes writable when the outcome is known.
    Pending,
    /// The listener's queue is full, and no event will report that there is room again.
    #[cfg_attr(not(unix), allow(dead_code))] // Only Unix sockets report it.
    TryLater,
}
