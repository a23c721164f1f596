//! Asking the kernel "is it ready now?", without touching anybody's interest.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

/// The kernel's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    No,
    Yes,
    /// Nothing but urgent data, which stays reported for as long as nobody takes it.
    OnlyUrgent,
}
