//! `WSAPoll` that does not wait.
//!
//! Before Windows 10 2004 it does not tell of connects that have failed. That costs a connecting task nothing but time: the
//! poller tells, and an event that is younger than the question is an answer.

#![allow(unsafe_code)]

use super::Answer;
use crate::core::source::{Direction, RawSource, raw};
use std::io;
use windows_sys::Win32::Networking::WinSock::{
    POLLHUP, POLLNVAL, POLLRDBAND, POLLRDNORM, POLLWRNORM, WSAENOTSOCK, WSAGetLastError, WSAPOLLFD,
    WSAPoll,
};

/// Asks.
///
/// # Errors
///
/// WSAENOTSOCK if the socket has been closed behind our back; whatever else the system says.
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
