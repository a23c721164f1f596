//! Asking the kernel "is it ready now?", without touching anybody's interest: `poll(2)` that does not wait.

use crate::source::{Direction, RawSource};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::BorrowedFd;

/// The kernel's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    No,
    Yes,
    /// Nothing but urgent data, which stays reported for as long as nobody takes it.
    OnlyUrgent,
}

/// Asks. An error of the question counts as "yes": the caller's operation will meet the same error and can report it.
#[allow(unsafe_code)]
pub(crate) fn ready_now(raw: RawSource, direction: Direction) -> Answer {
    let wanted = match direction {
        Direction::Read => read_flags(),
        Direction::Write => PollFlags::OUT,
    };
    // SAFETY: the number is not dereferenced by this process. The caller holds a registration, so the object is open; if
    // its owner has closed it in spite of the rules, the kernel answers "invalid" or about another object, which is a
    // wrong answer and not a memory error.
    let fd = unsafe { BorrowedFd::borrow_raw(raw) };
    let mut fds = [PollFd::from_borrowed_fd(fd, wanted)];
    match poll(&mut fds, Some(&Timespec::default())) {
        Ok(0) => Answer::No,
        Ok(_) if fds[0].revents() == PollFlags::PRI => Answer::OnlyUrgent,
        _ => Answer::Yes,
    }
}

/// What readers want to know of: data, urgent data, and (where the system can say so) a half-closed peer.
fn read_flags() -> PollFlags {
    let flags = PollFlags::IN | PollFlags::PRI;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let flags = flags | PollFlags::RDHUP;
    flags
}
