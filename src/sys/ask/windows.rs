//! `WSAPoll` that does not wait.
//!
//! Before Windows 10 2004 it does not report connects that have failed. That only costs a connecting
//! task time: the poller reports them, and an event that is newer than the question is an answer.

#![allow(unsafe_code)]

use crate::core::source::{Answer, Direction, Exception};
use crate::sys::raw::{self, RawSource};
use std::io;
use windows_sys::Win32::Networking::WinSock::{
    POLLHUP, POLLNVAL, POLLRDBAND, POLLRDNORM, POLLWRNORM, WSAENOTSOCK, WSAGetLastError, WSAPOLLFD,
    WSAPoll,
};

/// Asks whether a socket is ready now.
///
/// # Errors
///
/// WSAENOTSOCK if the program has closed the socket; any other error of the system call.
pub(crate) fn ready_now(raw: RawSource, direction: Direction) -> io::Result<Answer> {
    let Some(socket) = raw::socket(raw) else {
        return Ok(Answer::No);
    };
    let mut asked = WSAPOLLFD {
        fd: socket as usize,
        events: match direction {
            Direction::Read => POLLRDNORM | POLLRDBAND,
            Direction::Write => POLLWRNORM,
        },
        revents: 0,
    };
    // SAFETY: one entry, which outlives the call. The number is only given to the system.
    match unsafe { WSAPoll(&mut asked, 1, 0) } {
        0 => return Ok(Answer::No),
        1.. => {}
        // SAFETY: reads this thread's last error, set by the call above.
        _ => return Err(io::Error::from_raw_os_error(unsafe { WSAGetLastError() })),
    }
    if asked.revents & POLLNVAL != 0 {
        Err(io::Error::from_raw_os_error(WSAENOTSOCK))
    } else if asked.revents == POLLRDBAND {
        Ok(Answer::OnlyUrgent)
    } else if direction == Direction::Write && asked.revents == POLLHUP {
        // The peer has closed its side, which is nothing to a writer, or the connection is broken: the poller knows.
        Ok(Answer::No)
    } else {
        Ok(Answer::Yes)
    }
}

/// No object of Windows is asked for exceptions.
pub(crate) fn exception_now(_raw: RawSource, _exception: Exception) -> io::Result<bool> {
    Ok(false)
}

/// `WSAPoll` and the operations of sockets agree.
pub(crate) fn may_refuse(_raw: RawSource, _direction: Direction) -> bool {
    false
}
