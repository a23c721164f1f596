//! The poller everywhere else, on the `polling` crate; on Linux by `--cfg async_io_portable`.
//!
//! One-shot reporting: `polling` offers real edges on some systems only, and one-shot on all. A registered object starts
//! without interest; each event takes the interest away, and the source state machine arms it again for who still waits.
//!
//! `polling` answers a second concurrent `wait` with "no events" at once. A lock makes it wait for its turn instead, and
//! the driver notifies when the thread inside shall make room (see `CONCURRENT_WAITS`).

#![allow(unsafe_code)]

#[cfg(any(target_os = "linux", target_os = "android"))]
use super::fork::Home;
use super::{Until, explain};
use crate::clock::{Clock, Deadline};
use crate::source::state::Reporting;
use crate::source::{Event, Interest, Key, RawSource};
use crate::sync::Mutex;
use std::collections::HashSet;
use std::io;
#[cfg(unix)]
use std::os::fd::BorrowedFd;
#[cfg(windows)]
use std::os::windows::io::BorrowedSocket;
use std::time::Duration;

pub(crate) const REPORTING: Reporting = Reporting::OneShot;
pub(crate) const CONCURRENT_WAITS: bool = false;

/// Whether an object in the set reports its hang-up for as long as it is there, whatever its interest: `poll(2)` does. Then
/// an object that nobody waits for is taken out of the set, or every wait would end at once.
pub(crate) const FORGETS_IDLE: bool = cfg!(any(
    polling_test_poll_backend,
    not(any(
        windows,
        target_os = "linux",
        target_os = "android",
        target_os = "illumos",
        target_os = "solaris",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly",
    ))
));

#[derive(Debug)]
pub(crate) struct Poller {
    clock: Clock,
    /// A forked child shares an epoll instance; other systems' pollers are not inherited.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    home: Home,
    inner: polling::Poller,
    /// What is registered but idle, where such objects are taken out of the set.
    idle: Mutex<HashSet<RawSource>>,
    /// Held by the thread inside `wait`.
    turnstile: Mutex<()>,
    /// What the wait in progress, or the next one, must not outlast.
    expected: Mutex<Deadline>,
}

impl Poller {
    pub(crate) fn new(clock: Clock) -> io::Result<Poller> {
        Ok(Poller {
            clock,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            home: Home::new(),
            inner: polling::Poller::new()?,
            idle: Mutex::new(HashSet::new()),
            turnstile: Mutex::new(()),
            expected: Mutex::new(Deadline::NEVER),
        })
    }

    /// The descriptors of `polling` cannot be replaced. Says whether the poller works by now. The events that this takes are
    /// made up for by the caller, who tells all waiters to try again.
    pub(crate) fn reopen(&self, _failed: &Events) -> io::Result<bool> {
        let mut taken = polling::Events::new();
        match self.inner.wait(&mut taken, Some(Duration::ZERO)) {
            Err(error) if !is_stuck_notification(&error) && !is_interruption(&error) => Err(error),
            _ => Ok(true),
        }
    }

    pub(crate) fn register(&self, raw: RawSource, key: Key, interest: Interest) -> io::Result<()> {
        if FORGETS_IDLE && self.idle.lock().contains(&raw) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.add(raw, key, interest).map_err(explain)?;
        if FORGETS_IDLE && interest == Interest::NONE {
            self.retire(raw)?;
        }
        Ok(())
    }

    fn add(&self, raw: RawSource, key: Key, interest: Interest) -> io::Result<()> {
        // SAFETY: the contract of the module: the object stays open until `deregister`.
        unsafe { self.inner.add(raw, polling_event(key, interest)) }
    }

    /// Takes an object that nobody waits for out of the set.
    fn retire(&self, raw: RawSource) -> io::Result<()> {
        if self.idle.lock().insert(raw) {
            self.inner.delete(borrow(raw))?;
        }
        Ok(())
    }

    pub(crate) fn rearm(&self, raw: RawSource, key: Key, interest: Interest) -> io::Result<()> {
        if FORGETS_IDLE && interest == Interest::NONE {
            return self.retire(raw);
        }
        if FORGETS_IDLE && self.idle.lock().remove(&raw) {
            return self.add(raw, key, interest);
        }
        self.inner.modify(borrow(raw), polling_event(key, interest))
    }

    pub(crate) fn deregister(&self, raw: RawSource) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if !self.home.is_here() {
            return Ok(());
        }
        if FORGETS_IDLE && self.idle.lock().remove(&raw) {
            return Ok(());
        }
        self.inner.delete(borrow(raw))
    }

    pub(crate) fn wait(&self, events: &mut Events, until: Until) -> io::Result<()> {
        let _inside = self.turnstile.lock();
        events.fetched.clear();
        let span = match until {
            Until::Now => Some(Duration::ZERO),
            Until::Deadline(deadline) => {
                let deadline = deadline.min(*self.expected.lock());
                let now = self.clock.now();
                (!deadline.is_never()).then(|| deadline.after(now))
            }
        };
        let mut result = self.inner.wait(&mut events.fetched, span);
        while result.as_ref().is_err_and(is_stuck_notification) {
            result = self.inner.wait(&mut events.fetched, Some(Duration::ZERO));
        }
        let mut expected = self.expected.lock();
        if !expected.is_never() && *expected <= self.clock.now() {
            *expected = Deadline::NEVER;
        }
        match result {
            Err(error) if !is_interruption(&error) => Err(error),
            _ => Ok(()),
        }
    }

    pub(crate) fn notify(&self) {
        // A failure means that the poller is broken, which `wait` reports.
        let _ = self.inner.notify();
    }

    pub(crate) fn expect_by(&self, deadline: Deadline) {
        {
            let mut expected = self.expected.lock();
            if *expected <= deadline {
                return;
            }
            *expected = deadline;
        }
        self.notify();
    }

    /// Like `expect_by`, but also makes it later than it was. A wait in progress that expects something earlier ends
    /// then, and comes back.
    pub(crate) fn set_alarm(&self, deadline: Deadline) {
        let before = std::mem::replace(&mut *self.expected.lock(), deadline);
        if deadline < before {
            self.notify();
        }
    }

    /// Takes back what `expect_by` has asked for. The wait in progress may still end early, once.
    pub(crate) fn expect_nothing(&self) {
        *self.expected.lock() = Deadline::NEVER;
    }

    /// The descriptor that is readable when this poller has something to report.
    #[cfg(unix)]
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        #[cfg(all(
            any(
                target_os = "linux",
                target_os = "android",
                target_os = "illumos",
                target_os = "solaris",
                target_vendor = "apple",
                target_os = "freebsd",
                target_os = "netbsd",
                target_os = "openbsd",
                target_os = "dragonfly",
            ),
            not(polling_test_poll_backend),
        ))]
        return Some(std::os::fd::AsFd::as_fd(&self.inner));
        #[allow(unreachable_code)]
        None
    }
}

/// What a wait has fetched. Belongs to one waiting thread and is used again and again.
#[derive(Debug)]
pub(crate) struct Events {
    fetched: polling::Events,
}

impl Events {
    pub(crate) fn new() -> Self {
        Events {
            fetched: polling::Events::new(),
        }
    }

    /// `polling` does not say whether a notification ended the wait, so assume it.
    pub(crate) fn was_notified(&self) -> bool {
        true
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, Event)> + '_ {
        self.fetched.iter().map(|event| {
            let reported = Event::READABLE
                .when(event.readable)
                .and(Event::WRITABLE.when(event.writable))
                .and(Event::HANG_UP.when(event.is_interrupt()))
                .and(Event::ERROR.when(event.is_err() == Some(true)))
                .and(Event::PRIORITY.when(event.is_priority()));
            (Key::from_token(event.key as u64), reported)
        })
    }
}

fn is_interruption(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Interrupted
}

/// `polling`'s poll() back end says "would block" if a notification was used up by a change of the set at the same moment.
/// It returns early then and leaves its mark "notified" behind, which would suppress all notifications to come; another
/// wait takes the mark away.
fn is_stuck_notification(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

fn polling_event(key: Key, interest: Interest) -> polling::Event {
    // The registry keeps tokens within a `usize`, below the value that `polling` uses itself.
    let token = key.token() as usize;
    let event = polling::Event::new(token, interest.read, interest.write);
    if interest.read {
        event.with_priority()
    } else {
        event
    }
}

#[cfg(unix)]
fn borrow<'a>(raw: RawSource) -> BorrowedFd<'a> {
    // SAFETY: as in `register`. A closed descriptor is an error of this call, not a memory error.
    unsafe { BorrowedFd::borrow_raw(raw) }
}

#[cfg(windows)]
fn borrow<'a>(raw: RawSource) -> BorrowedSocket<'a> {
    // SAFETY: as in `register`. A closed socket is an error of this call, not a memory error.
    unsafe { BorrowedSocket::borrow_raw(raw) }
}
