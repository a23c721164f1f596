//! What the operating system calls a registered object.
//!
//! Nearly everywhere that is the number of a descriptor. Windows tells sockets from other handles, and a kqueue watches
//! signals and processes, which have no descriptor.
//!
//! Each family has the same functions:
//!
//! * `of` names an object.
//! * `is_told_once`: the system cannot be asked about the object, it tells of an event once and forgets it. So one for
//!   which nobody waited must be remembered, and each event is an answer to whoever waits.
//! * `lasts`: after its first event such an object stays ready.
//! * `starts_armed`: it reports from its registration on, not only when somebody waits.
//! * `number` is for logs.

#[cfg(all(unix, not(async_io_kqueue)))]
pub(crate) use descriptor::*;
#[cfg(async_io_kqueue)]
pub(crate) use kqueue::*;
#[cfg(windows)]
pub(crate) use windows::*;

#[cfg(all(unix, not(async_io_kqueue)))]
mod descriptor {
    use std::os::fd::{AsFd, AsRawFd, RawFd};

    pub(crate) type RawSource = RawFd;

    /// For tests that never reach the system.
    #[cfg(any(test, async_io_fuzzing))]
    pub(crate) fn made_up(number: u16) -> RawSource {
        RawSource::from(number)
    }

    pub(crate) fn of(object: impl AsFd) -> RawSource {
        object.as_fd().as_raw_fd()
    }

    /// The descriptor, if there is one.
    #[inline]
    pub(crate) fn descriptor(raw: RawSource) -> Option<RawFd> {
        Some(raw)
    }

    #[inline]
    pub(crate) fn is_told_once(_raw: RawSource) -> bool {
        false
    }

    #[inline]
    pub(crate) fn lasts(_raw: RawSource) -> bool {
        false
    }

    #[inline]
    pub(crate) fn starts_armed(_raw: RawSource) -> bool {
        false
    }

    pub(crate) fn number(raw: RawSource) -> i64 {
        i64::from(raw)
    }
}

#[cfg(async_io_kqueue)]
mod kqueue {
    use std::num::NonZeroI32;
    use std::os::fd::{AsFd, AsRawFd, RawFd};

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub(crate) enum RawSource {
        Descriptor(RawFd),
        /// The arrival of a signal.
        Signal(i32),
        /// The end of a process.
        Exit(NonZeroI32),
    }

    /// For tests that never reach the system.
    #[cfg(any(test, async_io_fuzzing))]
    pub(crate) fn made_up(number: u16) -> RawSource {
        RawSource::Descriptor(number.into())
    }

    pub(crate) fn of(object: impl AsFd) -> RawSource {
        RawSource::Descriptor(object.as_fd().as_raw_fd())
    }

    /// The descriptor, if there is one.
    pub(crate) fn descriptor(raw: RawSource) -> Option<RawFd> {
        match raw {
            RawSource::Descriptor(fd) => Some(fd),
            RawSource::Signal(_) | RawSource::Exit(_) => None,
        }
    }

    pub(crate) fn is_told_once(raw: RawSource) -> bool {
        descriptor(raw).is_none()
    }

    pub(crate) fn lasts(raw: RawSource) -> bool {
        matches!(raw, RawSource::Exit(_))
    }

    pub(crate) fn starts_armed(raw: RawSource) -> bool {
        is_told_once(raw)
    }

    pub(crate) fn number(raw: RawSource) -> i64 {
        match raw {
            RawSource::Descriptor(number) | RawSource::Signal(number) => i64::from(number),
            RawSource::Exit(process) => i64::from(process.get()),
        }
    }
}

#[cfg(windows)]
mod windows {
    use std::os::windows::io::{AsHandle, AsRawHandle, AsRawSocket, AsSocket, RawSocket};

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub(crate) enum RawSource {
        Socket(RawSocket),
        /// A handle that can be waited for. As a number: it names something in the kernel and is never dereferenced, and
        /// a pointer would not be `Send`.
        Waitable(isize),
    }

    /// For tests that never reach the system.
    #[cfg(any(test, async_io_fuzzing))]
    pub(crate) fn made_up(number: u16) -> RawSource {
        RawSource::Socket(number.into())
    }

    pub(crate) fn of(object: impl AsSocket) -> RawSource {
        RawSource::Socket(object.as_socket().as_raw_socket())
    }

    pub(crate) fn of_handle(object: impl AsHandle) -> RawSource {
        RawSource::Waitable(object.as_handle().as_raw_handle() as isize)
    }

    /// The socket, if it is one.
    pub(crate) fn socket(raw: RawSource) -> Option<RawSocket> {
        match raw {
            RawSource::Socket(socket) => Some(socket),
            RawSource::Waitable(_) => None,
        }
    }

    pub(crate) fn is_told_once(raw: RawSource) -> bool {
        socket(raw).is_none()
    }

    pub(crate) fn lasts(_raw: RawSource) -> bool {
        false
    }

    pub(crate) fn starts_armed(_raw: RawSource) -> bool {
        false
    }

    pub(crate) fn number(raw: RawSource) -> i64 {
        match raw {
            RawSource::Socket(socket) => socket as i64,
            RawSource::Waitable(handle) => handle as i64,
        }
    }
}
