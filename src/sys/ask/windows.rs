//! Readiness queries with `WSAPoll`, which never wait.
//!
//! Before Windows 10 2004, `WSAPoll` does not report failed connects. This only delays the task
//! that connects: the poller reports the failure, and an event that is newer than the query counts
//! as an answer.

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
/// Returns WSAENOTSOCK if the program has closed the socket, and any other error of the system
/// call.
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
    // SAFETY: there is one entry, which outlives the call. The number is only passed to the system.
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
        // Either the peer has closed its side, which does not concern a writer, or the connection
        // is broken, which the poller reports.
        Ok(Answer::No)
    } else {
        Ok(Answer::Yes)
    }
}

/// Returns `false`: tasks can wait for exceptions only on Linux and Android.
pub(crate) fn exception_now(_raw: RawSource, _exception: Exception) -> io::Result<bool> {
    Ok(false)
}

/// Returns `false`: a socket that `WSAPoll` reports as ready does not refuse the operation.
pub(crate) fn may_refuse(_raw: RawSource, _direction: Direction) -> bool {
    false
}
