//! The poller for all other systems, on the `polling` crate. On Linux, `--cfg async_io_portable`
//! selects it.
//!
//! Reporting is one-shot, except on a kqueue (see [`REPORTING`]). A registered object starts
//! without interest. With one-shot reporting, each event clears the interest, and the source state
//! machine arms it again for the tasks that still wait.
//!
//! In `polling`, a second concurrent `wait` returns "no events" at once. Here, a lock makes the
//! second thread queue behind the first. The driver notifies the thread inside when it has to make
//! room (see `CONCURRENT_WAITS`).
//!
//! What this module relies on for each system, and what it compensates for, is described in
//! `docs/decisions/0008-what-polling-promises.md`.

mod object;

use super::fork::{self, Home};
use super::raw::{self, RawSource};
use super::{ask, explain};
use crate::core::clock::{Clock, Deadline};
use crate::core::source::state::{Nature, Reporting, Traits};
use crate::core::source::{Answer, Direction, Event, Exception, Interest, Key};
use crate::core::sync::Mutex;
use crate::engine::poller::{self, Poller as _, Until};
use std::collections::HashSet;
use std::io;
#[cfg(unix)]
use std::os::fd::BorrowedFd;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How events are reported.
///
/// A kqueue reports edges: `polling` passes EV_CLEAR, which makes every arrival an event, and
/// adding an existing filter again reports what is ready already. The other systems are one-shot:
/// event ports and IOCP have nothing else, `poll(2)` has no edges, and on Linux this back end
/// stands in for those systems. The reasons, and the problems that had to be solved, are in
/// `docs/decisions/0007-edges-on-kqueue.md`.
const REPORTING: Reporting = if cfg!(async_io_kqueue) {
    Reporting::Edges
} else {
    Reporting::OneShot
};

/// Whether the event of the last data also reports the end of the stream. A kqueue reports both in
/// one event, which `polling` passes on only as "readable".
pub(crate) const REPORTS_CLOSING: bool = false;

/// Whether an object reports its hang-up for as long as it is in the set, whatever its interest, as
/// `poll(2)` does. An object that no task waits for is then removed from the set. Otherwise every
/// wait would end at once.
pub(crate) const REARMS_IDLE: bool = cfg!(any(
    polling_test_poll_backend,
    not(any(
        windows,
        async_io_kqueue,
        target_os = "linux",
        target_os = "android",
        target_os = "illumos",
        target_os = "solaris",
    ))
));

/// Whether an object joins the set only when a task waits for it.
///
/// On Windows, `polling` asks for aborts even if a socket is in the set without interest. An
/// aborted connection would then keep `polling` busy inside its wait until another event arrives.
/// After the first event of a socket, `polling` makes no further request for it, so the socket can
/// stay in the set.
const JOINS_LATE: bool = REARMS_IDLE || cfg!(windows);

/// Whether some registered objects are outside of the set.
const SOME_OUTSIDE: bool = JOINS_LATE || cfg!(async_io_kqueue);

/// Whether a change of interest may miss the wait in progress.
///
/// On Windows, `polling` hands a change to the wait in progress. But a change that is made while a
/// wait begins may be left for the next wait. In this case, a notification ends the wait in
/// progress, so that the next one begins.
const CHANGES_MAY_BE_LATE: bool = cfg!(windows);

/// Whether the system treats a second registration of an object as a change of the first.
const ADDS_TWICE: bool = cfg!(any(target_os = "illumos", target_os = "solaris"));

/// The longest wait. Some systems refuse long waits, and Windows treats more than 49 days as
/// infinite. A thread that must wait longer waits again.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug)]
pub(crate) struct Poller {
    clock: Clock,
    /// A forked child shares an epoll instance. The pollers of other systems are not inherited.
    home: Home,
    /// Unwind safety is asserted: on Windows, the type has cells that lack the auto trait, and
    /// `Async` and `Timer` promise it. A panic leaves the poller intact, because no user code runs
    /// inside its calls.
    inner: AssertUnwindSafe<polling::Poller>,
    /// The registered objects that are not in the set, because no task waits for them.
    outside: Mutex<HashSet<RawSource>>,
    /// All registered objects, if the system would not notice a second registration.
    registered: Mutex<HashSet<RawSource>>,
    /// Held by the thread inside `wait`.
    turnstile: Mutex<()>,
    /// Whether a thread is inside `wait`. This is separate from the lock, because it is read after
    /// a change that must not be lost.
    inside: AtomicBool,
    /// The deadline by which the wait in progress, or the next one, must end.
    expected: Mutex<Deadline>,
}

impl poller::Poller for Poller {
    type Raw = RawSource;
    type Events = Events;

    const TRAITS: Traits = Traits {
        reporting: REPORTING,
        rearms_idle: REARMS_IDLE,
        // On a kqueue, `polling` treats EPIPE (the other end of a pipe is closed) as success, and
        // no event follows.
        arms_silently: cfg!(async_io_kqueue),
        // A completion packet is queued when the socket becomes ready, and may be fetched much
        // later.
        queues_events: cfg!(windows),
    };

    const CONCURRENT_WAITS: bool = false;

    #[inline]
    fn process() -> usize {
        fork::generation()
    }

    fn new(clock: Clock) -> io::Result<Poller> {
        Ok(Poller {
            clock,
            home: Home::new(),
            inner: AssertUnwindSafe(polling::Poller::new()?),
            outside: Mutex::new(HashSet::new()),
            registered: Mutex::new(HashSet::new()),
            turnstile: Mutex::new(()),
            inside: AtomicBool::new(false),
            expected: Mutex::new(Deadline::NEVER),
        })
    }

    /// Returns whether the poller works again. The descriptors of `polling` cannot be replaced. The
    /// events that this check consumes are not lost, because the caller makes all waiters try
    /// again.
    fn reopen(&self, _failed: &Events) -> io::Result<bool> {
        let mut taken = polling::Events::new();
        match self.inner.wait(&mut taken, Some(Duration::ZERO)) {
            Err(error) if !is_stuck_notification(&error) && !is_interruption(&error) => Err(error),
            _ => Ok(true),
        }
    }

    fn register(&self, raw: RawSource, key: Key, interest: Interest) -> io::Result<()> {
        if SOME_OUTSIDE && self.outside.lock().contains(&raw) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if ADDS_TWICE && !self.registered.lock().insert(raw) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if let Err(error) = self.add(raw, key, interest) {
            self.registered.lock().remove(&raw);
            return Err(explain(error));
        }
        // The object was added nevertheless, to find out whether the system accepts it.
        if JOINS_LATE && interest == Interest::NONE {
            let retired = self.retire(raw);
            if retired.is_err() {
                self.registered.lock().remove(&raw);
                return retired;
            }
        }
        Ok(())
    }

    fn rearm(&self, raw: RawSource, key: Key, interest: Interest) -> io::Result<()> {
        // Signals and processes cannot have an empty interest.
        if (REARMS_IDLE || raw::nature(raw).reported_once) && interest == Interest::NONE {
            return self.retire(raw);
        }
        if SOME_OUTSIDE && self.outside.lock().remove(&raw) {
            if let Err(error) = self.add(raw, key, interest) {
                // The next attempt then adds the object again, instead of looking for it in the
                // set.
                self.outside.lock().insert(raw);
                return Err(error);
            }
        } else {
            object::modify(&self.inner, raw, polling_event(key, interest))?;
        }
        // SeqCst, like the store in `wait`: either the wait sees the change, or this load sees the
        // wait.
        if CHANGES_MAY_BE_LATE && self.inside.load(Ordering::SeqCst) {
            self.notify();
        }
        Ok(())
    }

    fn deregister(&self, raw: RawSource) -> io::Result<()> {
        if ADDS_TWICE {
            self.registered.lock().remove(&raw);
        }
        if SOME_OUTSIDE && self.outside.lock().remove(&raw) {
            return Ok(());
        }
        object::delete(&self.inner, raw)
    }

    fn wait(&self, events: &mut Events, until: Until) -> io::Result<()> {
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
        let span = Some(span.map_or(LONGEST_WAIT, |span| span.min(LONGEST_WAIT)));
        self.inside.store(true, Ordering::SeqCst);
        let mut result = self.inner.wait(&mut events.fetched, span);
        while result.as_ref().is_err_and(is_stuck_notification) {
            result = self.inner.wait(&mut events.fetched, Some(Duration::ZERO));
        }
        self.inside.store(false, Ordering::SeqCst);
        let mut expected = self.expected.lock();
        if !expected.is_never() && *expected <= self.clock.now() {
            *expected = Deadline::NEVER;
        }
        match result {
            Err(error) if !is_interruption(&error) => Err(error),
            _ => Ok(()),
        }
    }

    fn notify(&self) {
        if !self.home.is_here() {
            return;
        }
        // A failure means that the poller is broken, which `wait` reports.
        let _ = self.inner.notify();
    }

    fn expect_by(&self, deadline: Deadline) {
        {
            let mut expected = self.expected.lock();
            if *expected <= deadline {
                return;
            }
            *expected = deadline;
        }
        self.notify();
    }

    #[inline]
    fn nature(raw: RawSource) -> Nature {
        raw::nature(raw)
    }

    fn ready_now(raw: RawSource, direction: Direction) -> io::Result<Answer> {
        ask::ready_now(raw, direction)
    }

    fn exception_now(raw: RawSource, exception: Exception) -> io::Result<bool> {
        ask::exception_now(raw, exception)
    }

    fn may_refuse(raw: RawSource, direction: Direction) -> bool {
        ask::may_refuse(raw, direction)
    }

    /// Signals and processes are armed from their registration on. Other objects have no interest
    /// before a task waits: with one-shot reporting, an event that no task claims is wasted, and a
    /// kqueue refuses read interest for an object that is open only for writing.
    #[inline]
    fn first_interest(raw: RawSource) -> Interest {
        if raw::starts_armed(raw) {
            Interest::READ
        } else {
            Interest::NONE
        }
    }
}

impl Poller {
    fn add(&self, raw: RawSource, key: Key, interest: Interest) -> io::Result<()> {
        object::add(&self.inner, raw, polling_event(key, interest))
    }

    /// Removes an object that no task waits for from the set.
    fn retire(&self, raw: RawSource) -> io::Result<()> {
        if !self.outside.lock().insert(raw) {
            return Ok(());
        }
        let deleted = object::delete(&self.inner, raw);
        if deleted.is_err() {
            self.outside.lock().remove(&raw);
        }
        deleted
    }

    /// Like `expect_by`, but can also move the deadline later. A wait in progress that has an
    /// earlier deadline still ends at that deadline, and is then entered again.
    pub(crate) fn program_alarm(&self, deadline: Deadline) {
        let before = std::mem::replace(&mut *self.expected.lock(), deadline);
        if deadline < before {
            self.notify();
        }
    }

    /// Cancels the deadline that was given to `expect_by` or `program_alarm`. The wait in progress
    /// may still end early, once.
    pub(crate) fn expect_nothing(&self) {
        *self.expected.lock() = Deadline::NEVER;
    }

    /// Prepares for a wait of another event loop on the descriptor. A later `expect_by` with an
    /// earlier deadline notifies. The deadline itself does not make the descriptor readable.
    pub(crate) fn arm(&self, deadline: Deadline) {
        *self.expected.lock() = deadline;
    }

    /// Returns whether there is a descriptor that another event loop can wait for.
    pub(crate) fn has_descriptor(&self) -> bool {
        #[cfg(unix)]
        return self.descriptor().is_some();
        #[cfg(not(unix))]
        false
    }

    /// Returns the descriptor that is readable when this poller has something to report.
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
        return Some(std::os::fd::AsFd::as_fd(&self.inner.0));
        #[allow(unreachable_code)]
        None
    }
}

/// The events that a wait has fetched. Belongs to one waiting thread, which reuses it.
#[derive(Debug)]
pub(crate) struct Events {
    fetched: polling::Events,
}

impl poller::Events for Events {
    fn new() -> Self {
        Events {
            fetched: polling::Events::new(),
        }
    }

    /// Returns true: `polling` does not report whether a notification ended the wait.
    fn was_notified(&self) -> bool {
        true
    }

    fn len(&self) -> usize {
        self.fetched.iter().count()
    }

    fn is_full(&self) -> bool {
        self.fetched.capacity().get() <= self.len()
    }

    fn iter(&self) -> impl Iterator<Item = (Key, Event)> + '_ {
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

    fn clear(&mut self) {
        self.fetched.clear();
    }
}

fn is_interruption(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Interrupted
}

/// Returns whether a wait of `polling` has lost a race in its `poll(2)` back end.
///
/// That back end returns "would block" if a simultaneous change of the set has used up a
/// notification. The wait then leaves the flag "notified" set, which would suppress all later
/// notifications. Another wait clears the flag.
fn is_stuck_notification(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

fn polling_event(key: Key, interest: Interest) -> polling::Event {
    // The registry keeps tokens within a `usize`, below the value that `polling` uses itself.
    let token = key.token() as usize;
    let event = polling::Event::new(token, interest.read, interest.write);
    if interest.read || interest.exceptions {
        event.with_priority()
    } else {
        event
    }
}
