//! How the operating system identifies a registered object.
//!
//! On most systems, this is the number of a descriptor. Windows distinguishes sockets from other
//! handles. A kqueue also watches signals and processes, which have no descriptor.
//!
//! Each of the modules below has the same functions:
//!
//! * `of` returns the identifier of an object.
//! * `nature` returns how the object differs from a descriptor.
//! * `starts_armed` returns whether an object reports events as soon as it is registered, even if
//!   no task waits.
//! * `number` returns a number for logs.

#[cfg(all(unix, not(async_io_kqueue)))]
pub(crate) use descriptor::*;
#[cfg(async_io_kqueue)]
pub(crate) use kqueue::*;
#[cfg(windows)]
pub(crate) use windows::*;

#[cfg(all(unix, not(async_io_kqueue)))]
mod descriptor {
    use crate::core::source::state::Nature;
    use std::os::fd::{AsFd, AsRawFd, RawFd};

    pub(crate) type RawSource = RawFd;

    pub(crate) fn of(object: impl AsFd) -> RawSource {
        object.as_fd().as_raw_fd()
    }

    /// Returns the descriptor, if there is one.
    #[inline]
    pub(crate) fn descriptor(raw: RawSource) -> Option<RawFd> {
        Some(raw)
    }

    #[inline]
    pub(crate) fn nature(_raw: RawSource) -> Nature {
        Nature::default()
    }

    #[inline]
    #[allow(dead_code)] // Only the portable poller calls it.
    pub(crate) fn starts_armed(_raw: RawSource) -> bool {
        false
    }

    pub(crate) fn number(raw: RawSource) -> i64 {
        i64::from(raw)
    }
}

#[cfg(async_io_kqueue)]
mod kqueue {
    use crate::core::source::state::Nature;
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

    pub(crate) fn of(object: impl AsFd) -> RawSource {
        RawSource::Descriptor(object.as_fd().as_raw_fd())
    }

    /// Returns the descriptor, if there is one.
    pub(crate) fn descriptor(raw: RawSource) -> Option<RawFd> {
        match raw {
            RawSource::Descriptor(fd) => Some(fd),
            RawSource::Signal(_) | RawSource::Exit(_) => None,
        }
    }

    pub(crate) fn nature(raw: RawSource) -> Nature {
        Nature {
            reported_once: descriptor(raw).is_none(),
            stays_ready: matches!(raw, RawSource::Exit(_)),
        }
    }

    pub(crate) fn starts_armed(raw: RawSource) -> bool {
        descriptor(raw).is_none()
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
    use crate::core::source::state::Nature;
    use std::os::windows::io::{AsHandle, AsRawHandle, AsRawSocket, AsSocket, RawSocket};

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub(crate) enum RawSource {
        Socket(RawSocket),
        /// A handle that can be waited for. It is stored as a number, because it is never
        /// dereferenced, and a pointer would not be `Send`.
        Waitable(isize),
    }

    pub(crate) fn of(object: impl AsSocket) -> RawSource {
        RawSource::Socket(object.as_socket().as_raw_socket())
    }

    pub(crate) fn of_handle(object: impl AsHandle) -> RawSource {
        RawSource::Waitable(object.as_handle().as_raw_handle() as isize)
    }

    /// Returns the socket, if the object is one.
    pub(crate) fn socket(raw: RawSource) -> Option<RawSocket> {
        match raw {
            RawSource::Socket(socket) => Some(socket),
            RawSource::Waitable(_) => None,
        }
    }

    pub(crate) fn nature(raw: RawSource) -> Nature {
        Nature {
            reported_once: socket(raw).is_none(),
            stays_ready: false,
        }
    }

    #[allow(dead_code)] // Only the portable poller calls it.
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
