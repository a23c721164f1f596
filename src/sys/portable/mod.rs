//! The poller everywhere else, on the `polling` crate; on Linux by `--cfg async_io_portable`.
//!
//! One-shot reporting, except on a kqueue (see [`REPORTING`]). A registered object starts without interest; one-shot, each
//! event takes the interest away, and the source state machine arms it again for who still waits.
//!
//! `polling` answers a second concurrent `wait` with "no events" at once. A lock makes it wait for its turn instead, and
//! the driver notifies the thread inside when it has to make room (see `CONCURRENT_WAITS`).
//!
//! What is relied on of `polling`, system by system, and what is made up for here, is in
//! `docs/decisions/0008-what-polling-promises.md`.

mod object;

#[cfg(any(target_os = "linux", target_os = "android"))]
use super::fork::Home;
use super::raw::{self, RawSource};
use super::{ask, explain};
use crate::core::clock::{Clock, Deadline};
use crate::core::source::state::{Nature, Reporting, Traits};
use crate::core::source::{Answer, Direction, Event, Exception, Interest, Key};
use crate::core::sync::Mutex;
use crate::reactor::poller::{self, Poller as _, Until};
use std::collections::HashSet;
use std::io;
#[cfg(unix)]
use std::os::fd::BorrowedFd;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Edges on a kqueue: `polling` passes EV_CLEAR there, which counts every arrival, and adding a filter
/// that exists reports again what is ready. One-shot elsewhere: event ports and IOCP have nothing
/// else, `poll(2)` has no edges, and on Linux this back end stands in for those. The reasons, and what
/// had to be taken care of, are in `docs/decisions/0007-edges-on-kqueue.md`.
const REPORTING: Reporting = if cfg!(async_io_kqueue) {
    Reporting::Edges
} else {
    Reporting::OneShot
};

/// Whether the event of the last data also reports the end of the stream. A kqueue reports both in one
/// event, which `polling` passes on as "readable" alone.
pub(crate) const REPORTS_CLOSING: bool = false;

/// Whether an object in the set reports its hang-up for as long as it is there, whatever its interest: `poll(2)` does. Then
/// an object that nobody waits for is taken out of the set, or every wait would end at once.
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

/// Whether an object joins the set when somebody waits for it, not before. On Windows a socket that is in the set without
/// interest is still asked for aborts, and an aborted connection would keep `polling` busy inside its wait until something
/// else happens. After its first event it is asked for nothing, and can stay.
const JOINS_LATE: bool = REARMS_IDLE || cfg!(windows);

/// Whether some registered objects are not in the set.
const SOME_OUTSIDE: bool = JOINS_LATE || cfg!(async_io_kqueue);

/// On Windows `polling` hands a change to the wait in progress, but a change that comes while a wait is being entered may be
/// left for the next one. Then a notification makes that next one begin.
const CHANGES_MAY_BE_LATE: bool = cfg!(windows);

/// Whether the system takes a second registration of the same object for a change of the first.
const ADDS_TWICE: bool = cfg!(any(target_os = "illumos", target_os = "solaris"));

/// The longest wait. Some systems refuse long ones, and Windows takes more than 49 days for "for ever". Who must wait
/// longer comes back.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug)]
pub(crate) struct Poller {
    clock: Clock,
    /// A forked child shares an epoll instance; other systems' pollers are not inherited.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    home: Home,
    /// Asserted, because on Windows it has cells without the auto trait, and `Async` and `Timer` promise it. A panic leaves
    /// it whole: no foreign code runs inside its calls.
    inner: AssertUnwindSafe<polling::Poller>,
    /// What is registered and not in the set, because nobody waits for it.
    outside: Mutex<HashSet<RawSource>>,
    /// All that is registered, where the system would not notice a second registration.
    registered: Mutex<HashSet<RawSource>>,
    /// Held by the thread inside `wait`.
    turnstile: Mutex<()>,
    /// Whether there is one. Not from the lock, because it is read after a change that must not be lost.
    inside: AtomicBool,
    /// What the wait in progress, or the next one, must not outlast.
    expected: Mutex<Deadline>,
}

impl poller::Poller for Poller {
    type Raw = RawSource;
    type Events = Events;

    const TRAITS: Traits = Traits {
        reporting: REPORTING,
        rearms_idle: REARMS_IDLE,
        // On a kqueue `polling` takes the refusal "the other end of this pipe is closed" (EPIPE) for
        // success, and no event follows.
        arms_silently: cfg!(async_io_kqueue),
        // A completion packet is queued when the socket becomes ready, and may be fetched long after.
        queues_events: cfg!(windows),
    };

    const CONCURRENT_WAITS: bool = false;

    fn new(clock: Clock) -> io::Result<Poller> {
        Ok(Poller {
            clock,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            home: Home::new(),
            inner: AssertUnwindSafe(polling::Poller::new()?),
            outside: Mutex::new(HashSet::new()),
            registered: Mutex::new(HashSet::new()),
            turnstile: Mutex::new(()),
            inside: AtomicBool::new(false),
            expected: Mutex::new(Deadline::NEVER),
        })
    }

    /// The descriptors of `polling` cannot be replaced. Says whether the poller works by now. The events that this takes are
    /// made up for by the caller, who tells all waiters to try again.
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
        // It was added all the same, to find out whether the system takes it.
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
        // Signals and processes have no interest that could be empty.
        if (REARMS_IDLE || raw::nature(raw).reported_once) && interest == Interest::NONE {
            return self.retire(raw);
        }
        if SOME_OUTSIDE && self.outside.lock().remove(&raw) {
            if let Err(error) = self.add(raw, key, interest) {
                // So that the next attempt adds it, too, and does not look for it in the set.
                self.outside.lock().insert(raw);
                return Err(error);
            }
        } else {
            object::modify(&self.inner, raw, polling_event(key, interest))?;
        }
        // SeqCst, as the store in `wait`: either the wait sees the change, or this sees the wait.
        if CHANGES_MAY_BE_LATE && self.inside.load(Ordering::SeqCst) {
            self.notify();
        }
        Ok(())
    }

    fn deregister(&self, raw: RawSource) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if !self.home.is_here() {
            return Ok(());
        }
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

    /// No interest before a task waits: with one-shot reporting, an event that no task claims is
    /// wasted, and a kqueue refuses to watch an object for reading that is open for writing only.
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

    /// Takes an object that nobody waits for out of the set.
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

    /// Like `expect_by`, but also makes it later than it was. A wait in progress that expects something earlier ends
    /// then, and comes back.
    pub(crate) fn program_alarm(&self, deadline: Deadline) {
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
        return Some(std::os::fd::AsFd::as_fd(&self.inner.0));
        #[allow(unreachable_code)]
        None
    }
}

/// What a wait has fetched. Belongs to one waiting thread and is used again and again.
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

    /// `polling` does not say whether a notification ended the wait, so assume it.
    fn was_notified(&self) -> bool {
        true
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
    if interest.read || interest.exceptions {
        event.with_priority()
    } else {
        event
    }
}
