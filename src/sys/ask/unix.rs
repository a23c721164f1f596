//! `poll(2)` that does not wait.

use super::Answer;
use crate::core::source::{Direction, RawSource, raw};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::BorrowedFd;

/// Asks.
///
/// # Errors
///
/// EBADF if the object has been closed behind our back; whatever else the system says.
#[allow(unsafe_code)]
pub(crate) fn ready_now(raw: RawSource, direction: Direction) -> io::Result<Answer> {
    let Some(raw) = raw::descriptor(raw) else {
        return Ok(Answer::No);
    };
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
        Ok(0) | Err(Errno::INTR) => return Ok(Answer::No),
        Ok(_) => {}
        Err(errno) => return Err(errno.into()),
    }
    let told = fds[0].revents();
    if told.contains(PollFlags::NVAL) {
        Err(Errno::BADF.into())
    } else if told == PollFlags::PRI {
        Ok(Answer::OnlyUrgent)
    } else {
        Ok(Answer::Yes)
    }
}

/// Asks for what is neither reading nor writing. A hang-up counts: nothing else will come any more.
///
/// # Errors
///
/// As for [`ready_now`].
#[cfg(any(target_os = "linux", target_os = "android"))]
#[allow(unsafe_code)]
pub(crate) fn exception_now(
    raw: RawSource,
    exception: crate::core::source::Exception,
) -> io::Result<bool> {
    use crate::core::source::Exception;
    let (wanted, signs) = match exception {
        Exception::Priority => (PollFlags::PRI, PollFlags::PRI | PollFlags::HUP),
        // Errors are told without being asked for.
        Exception::Error => (PollFlags::empty(), PollFlags::ERR | PollFlags::HUP),
    };
    // SAFETY: as in `ready_now`.
    let fd = unsafe { BorrowedFd::borrow_raw(raw) };
    let mut fds = [PollFd::from_borrowed_fd(fd, wanted)];
    match poll(&mut fds, Some(&Timespec::default())) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let told = fds[0].revents();
    if told.contains(PollFlags::NVAL) {
        return Err(Errno::BADF.into());
    }
    Ok(told.intersects(signs))
}

/// What readers want to know of: data, urgent data, and (where the system can say so) a half-closed peer.
fn read_flags() -> PollFlags {
    let flags = PollFlags::IN | PollFlags::PRI;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let flags = flags | PollFlags::RDHUP;
    flags
}
