//! Readiness queries with `poll(2)`, which never wait.

use crate::core::source::{Answer, Direction, Exception};
use crate::sys::raw::{self, RawSource};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::BorrowedFd;

/// Asks whether an object is ready now.
///
/// # Errors
///
/// Returns EBADF if the program has closed the object, and any other error of the system call.
#[allow(unsafe_code)]
pub(crate) fn ready_now(raw: RawSource, direction: Direction) -> io::Result<Answer> {
    let Some(raw) = raw::descriptor(raw) else {
        return Ok(Answer::No);
    };
    let wanted = match direction {
        Direction::Read => read_flags(),
        Direction::Write => PollFlags::OUT,
    };
    // SAFETY: the number is only passed to the kernel. The caller holds a registration, so the
    // object is open. If its owner has closed it against the rules, the kernel answers "invalid",
    // or answers for another object. That is a wrong answer, but not a memory error.
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

/// Asks whether an object reports an exception now. A hang-up counts as one, because no further
/// event will come.
///
/// # Errors
///
/// As for [`ready_now`].
#[allow(unsafe_code)]
pub(crate) fn exception_now(raw: RawSource, exception: Exception) -> io::Result<bool> {
    let (wanted, signs) = match exception {
        Exception::Priority => (PollFlags::PRI, PollFlags::PRI | PollFlags::HUP),
        // Errors are reported without being requested.
        Exception::Error => (PollFlags::empty(), PollFlags::ERR | PollFlags::HUP),
    };
    let Some(raw) = raw::descriptor(raw) else {
        return Ok(false);
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

/// Returns whether an object that `poll(2)` reports as ready may still refuse an operation.
///
/// * Reading: true if neither data nor an exception is queued. After `shutdown(Read)`, a datagram
///   socket is reported as readable although `recv` would block. (The answer is false for an object
///   without FIONREAD, such as a listener.)
/// * Writing: true for a Unix datagram socket. It is reported as writable while the queue of the
///   receiver is full.
#[allow(unsafe_code)]
pub(crate) fn may_refuse(raw: RawSource, direction: Direction) -> bool {
    use rustix::net::{AddressFamily, SocketType, sockopt};
    let Some(raw) = raw::descriptor(raw) else {
        return false;
    };
    // SAFETY: as in `ready_now`.
    let fd = unsafe { BorrowedFd::borrow_raw(raw) };
    match direction {
        Direction::Read => rustix::io::ioctl_fionread(fd) == Ok(0) && !has_exceptions(fd),
        Direction::Write => {
            let family = rustix::net::getsockname(fd).map(|address| address.address_family());
            family == Ok(AddressFamily::UNIX) && sockopt::socket_type(fd) == Ok(SocketType::DGRAM)
        }
    }
}

/// Returns whether the error queue has messages or urgent data has arrived. FIONREAD counts
/// neither.
fn has_exceptions(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::PRI)];
    let asked = poll(&mut fds, Some(&Timespec::default()));
    asked.is_ok() && fds[0].revents().intersects(PollFlags::PRI | PollFlags::ERR)
}

/// Returns the flags for readers: data, urgent data, and (if the system reports it) a half-close by
/// the peer.
fn read_flags() -> PollFlags {
    let flags = PollFlags::IN | PollFlags::PRI;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let flags = flags | PollFlags::RDHUP;
    flags
}
