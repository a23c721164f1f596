//! The few socket calls that std lacks: the non-blocking mode of anything, and connecting without waiting.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

/// Where a connect stands after the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Done,
    /// The socket becomes writable when the outcome is known.
    Pending,
    /// The listener's queue is full, and no event will tell of a free place.
    #[cfg_attr(not(unix), allow(dead_code))] // Only of Unix sockets.
    TryLater,
}
