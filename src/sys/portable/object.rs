//! The calls of `polling` that depend on the kind of the object.

#![allow(unsafe_code)]

use super::REPORTING;
use crate::core::source::state::Reporting;
#[cfg(any(windows, async_io_kqueue))]
use crate::sys::raw::RawSource;
use polling::{Event, PollMode, Poller};
use std::io;

const MODE: PollMode = match REPORTING {
    Reporting::Edges => PollMode::Edge,
    Reporting::OneShot => PollMode::Oneshot,
};

#[cfg(all(unix, not(async_io_kqueue)))]
pub(super) use descriptor::*;
#[cfg(async_io_kqueue)]
pub(super) use kqueue::*;
#[cfg(windows)]
pub(super) use windows::*;

#[cfg(unix)]
mod descriptor {
    use super::{Event, MODE, Poller, io};
    use std::os::fd::{BorrowedFd, RawFd};

    fn borrow<'a>(raw: RawFd) -> BorrowedFd<'a> {
        // SAFETY: the object stays open until it is deregistered. If its owner breaks that rule,
        // the call fails, or another object loses its events. There is no memory error, because the
        // number is only passed to the kernel.
        unsafe { BorrowedFd::borrow_raw(raw) }
    }

    pub(in super::super) fn add(poller: &Poller, raw: RawFd, event: Event) -> io::Result<()> {
        // SAFETY: the contract of the reactor's poller requires that the object stays open until it
        // is deregistered.
        unsafe { poller.add_with_mode(raw, event, MODE) }
    }

    pub(in super::super) fn modify(poller: &Poller, raw: RawFd, event: Event) -> io::Result<()> {
        poller.modify_with_mode(borrow(raw), event, MODE)
    }

    pub(in super::super) fn delete(poller: &Poller, raw: RawFd) -> io::Result<()> {
        poller.delete(borrow(raw))
    }
}

#[cfg(async_io_kqueue)]
mod kqueue {
    use super::{Event, MODE, Poller, RawSource, descriptor, io};
    use polling::os::kqueue::{PollerKqueueExt, Process, ProcessOps, Signal};
    use std::num::NonZeroI32;

    fn exit(process: NonZeroI32) -> Process<'static> {
        // SAFETY: the number is only passed to the kernel. The creator of the filter has promised
        // that it belongs to a child process. If it does not (any more), the call returns an error.
        unsafe { Process::from_pid(process, ProcessOps::Exit) }
    }

    pub(in super::super) fn add(poller: &Poller, raw: RawSource, event: Event) -> io::Result<()> {
        match raw {
            RawSource::Descriptor(fd) => descriptor::add(poller, fd, event),
            // Signals and processes cannot have an empty interest: they report events as soon as
            // they are registered.
            RawSource::Signal(number) => {
                // `polling` panics if the number is invalid.
                if rustix::process::Signal::from_named_raw(number).is_none() {
                    let text = format!("the system has no signal {number}");
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
                }
                poller.add_filter(Signal(number), event.key, MODE)
            }
            RawSource::Exit(process) => poller.add_filter(exit(process), event.key, MODE),
        }
    }

    pub(in super::super) fn modify(
        poller: &Poller,
        raw: RawSource,
        event: Event,
    ) -> io::Result<()> {
        match raw {
            RawSource::Descriptor(fd) => descriptor::modify(poller, fd, event),
            RawSource::Signal(number) => poller.modify_filter(Signal(number), event.key, MODE),
            RawSource::Exit(process) => poller.modify_filter(exit(process), event.key, MODE),
        }
    }

    pub(in super::super) fn delete(poller: &Poller, raw: RawSource) -> io::Result<()> {
        match raw {
            RawSource::Descriptor(fd) => descriptor::delete(poller, fd),
            RawSource::Signal(number) => poller.delete_filter(Signal(number)),
            RawSource::Exit(process) => poller.delete_filter(exit(process)),
        }
    }
}

#[cfg(windows)]
mod windows {
    use super::{Event, MODE, Poller, RawSource, io};
    use polling::os::iocp::PollerIocpExt;
    use std::os::windows::io::{BorrowedHandle, BorrowedSocket, RawHandle};

    pub(in super::super) fn add(poller: &Poller, raw: RawSource, event: Event) -> io::Result<()> {
        match raw {
            // SAFETY: the contract of the reactor's poller requires that the object stays open
            // until it is deregistered.
            RawSource::Socket(socket) => unsafe { poller.add_with_mode(socket, event, MODE) },
            // SAFETY: as above.
            RawSource::Waitable(handle) => unsafe {
                poller.add_waitable(handle as RawHandle, event, MODE)
            },
        }
    }

    pub(in super::super) fn modify(
        poller: &Poller,
        raw: RawSource,
        event: Event,
    ) -> io::Result<()> {
        match raw {
            RawSource::Socket(socket) => {
                // SAFETY: as in `add`. If the socket is closed, the call returns an error. There is
                // no memory error.
                let socket = unsafe { BorrowedSocket::borrow_raw(socket) };
                poller.modify_with_mode(socket, event, MODE)
            }
            RawSource::Waitable(handle) => {
                // SAFETY: as above.
                let handle = unsafe { BorrowedHandle::borrow_raw(handle as RawHandle) };
                poller.modify_waitable(handle, event, MODE)
            }
        }
    }

    pub(in super::super) fn delete(poller: &Poller, raw: RawSource) -> io::Result<()> {
        match raw {
            RawSource::Socket(socket) => {
                // SAFETY: as in `add`.
                poller.delete(unsafe { BorrowedSocket::borrow_raw(socket) })
            }
            RawSource::Waitable(handle) => {
                // SAFETY: as in `add`.
                let handle = unsafe { BorrowedHandle::borrow_raw(handle as RawHandle) };
                poller.remove_waitable(handle)
            }
        }
    }
}
