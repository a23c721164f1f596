//! Single turns, and foreign event loops that wait on the descriptor of the poller.
//!
//! # Idea
//!
//! `turn` takes part as a call of `block_on` does, but runs one pass. A foreign loop waits on the
//! poller's descriptor in place of a leader, so it counts as a thread inside the wait: a thread that
//! moves the earliest deadline programs the system's timer for it.

use super::Driver;
use super::block_on::{Call, Session};
use super::local::{self, Mark};
use super::shell::{Outcome, Turning as _};
use super::thread::Thread;
use super::turn_requests::TurnRequests;
use crate::core::clock::Deadline;
use crate::sys::Poller;
use std::io;
#[cfg(unix)]
use std::os::fd::BorrowedFd;
use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

/// What a driver keeps for its calls of `turn`.
#[derive(Debug, Default)]
pub(super) struct Turns {
    pub(super) requests: TurnRequests,
    waker: OnceLock<Waker>,
}

/// The pause of a turn that has to stand by, and cannot set a timer for its limit.
const PAUSE_WITHOUT_ALARM: Duration = Duration::from_millis(1);

/// Ends the turns of a driver.
struct EndsTurns(&'static Driver);

impl Wake for EndsTurns {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let driver = self.0;
        if !driver.is_here() {
            return;
        }
        if driver.turns.requests.make() {
            driver.engine.notify();
        }
    }
}

/// A call of `turn` that is recorded.
struct Recorded<'a> {
    driver: &'static Driver,
    thread: &'a Arc<Thread>,
}

impl Drop for Recorded<'_> {
    fn drop(&mut self) {
        self.thread.set_in_turn(false);
        if self.driver.is_here() {
            self.driver.turns.requests.end(self.thread);
        }
    }
}

impl Driver {
    /// Runs one pass. Waits for at most `limit`, or without a limit if that is `None`.
    ///
    /// # Errors
    ///
    /// The call comes from a waker inside a turn of this reactor, or in a forked child.
    pub(crate) fn turn(&'static self, limit: Option<Duration>) -> io::Result<Outcome> {
        self.check_home()?;
        if local::is_in_turn(self) {
            return Err(io::Error::new(
                io::ErrorKind::Deadlock,
                "`turn` was called by a waker, inside a turn of the same reactor; return from the waker first",
            ));
        }
        let mut session = Session::take(self);
        let result = self.turn_in(&mut session, limit);
        local::keep_session(session);
        result
    }

    fn turn_in(
        &'static self,
        session: &mut Session,
        limit: Option<Duration>,
    ) -> io::Result<Outcome> {
        let thread = Arc::clone(&session.thread);
        let clock = self.engine.clock();
        let end = limit.map_or(Deadline::NEVER, |limit| clock.now().plus(limit));
        let mut call = Call::begin(self, &thread, Mark::turn(&thread));
        thread.set_in_turn(true);
        let recorded = Recorded {
            driver: self,
            thread: &thread,
        };
        let is_requested = self.turns.requests.begin(&thread, local::caller());
        let waits = !is_requested && limit != Some(Duration::ZERO);
        if waits {
            call.leaves_others();
        }
        let limit = waits.then_some(end);
        let outcome = loop {
            let workspace = session.workspace();
            let led = call.in_turn(|| self.lead_once(&thread, limit, workspace));
            if !self.is_here() {
                // A waker has called `fork`, and this is the child.
                break led.unwrap_or_default();
            }
            if waits && led.is_none() {
                self.stand_by_until(end, session, &call);
            }
            let outcome = led.unwrap_or_default();
            let found = outcome.events > 0 || outcome.woken > 0;
            // The notification may come from a waker of an earlier call of this thread.
            let notified = thread.parker.state.take();
            let has_ended = notified && self.turns.requests.has_ended(&thread);
            if found || !waits || has_ended || clock.now() >= end {
                break outcome;
            }
        };
        drop(recorded);
        Ok(outcome)
    }

    /// Sleeps while another thread leads, until there is a reason to look again.
    fn stand_by_until(&'static self, end: Deadline, session: &mut Session, call: &Call<'_>) {
        // The leader ends the sleep of this thread when the limit has passed.
        let alarm = (!end.is_never()).then(|| self.schedule(end, &session.waker));
        if alarm == Some(None) {
            // The queue of the timers is full.
            std::thread::sleep(PAUSE_WITHOUT_ALARM);
            return;
        }
        let thread = Arc::clone(&session.thread);
        let workspace = session.workspace();
        call.in_turn(|| self.stand_by_once(&thread, workspace));
        if let Some(alarm) = alarm.flatten() {
            self.cancel(alarm);
        }
    }

    /// Returns the waker that ends a turn, or keeps the next one from waiting.
    ///
    /// In a forked child, the waker of a reactor of the parent does nothing.
    pub(crate) fn turn_waker(&'static self) -> &'static Waker {
        if !self.is_here() {
            return Waker::noop();
        }
        let waker = &self.turns.waker;
        waker.get_or_init(|| Waker::from(Arc::new(EndsTurns(self))))
    }

    /// Prepares for a wait on the poller's descriptor. Returns the time until the next deadline.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`foreign_loop`](Self::foreign_loop).
    pub(crate) fn prepare(&self) -> io::Result<Option<Duration>> {
        let poller = self.foreign_loop()?;
        let next = self.foreign_loop_waits();
        if self.turns.requests.prepare(local::caller()) || self.engine.has_backlog() {
            // Also for a loop that watches for edges and has seen the present ones already.
            self.engine.notify();
            return Ok(Some(Duration::ZERO));
        }
        poller.arm(next);
        let earliest = self.engine.next_deadline();
        if earliest < next {
            self.engine.expect_by(earliest);
        }
        if self.call_back_limited_turns() {
            return Err(driven_elsewhere());
        }
        let clock = self.engine.clock();
        Ok((!earliest.is_never()).then(|| earliest.after(clock.now())))
    }

    /// Returns the poller for a foreign event loop.
    ///
    /// # Errors
    ///
    /// The reactor is not manual, the poller has no descriptor, or another thread drives.
    pub(crate) fn foreign_loop(&self) -> io::Result<&Poller> {
        self.check_home()?;
        if !self.is_manual() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "another event loop can drive only a manual reactor: create it with `Reactor::builder()` and \
                 `fallback_thread(false)`",
            ));
        }
        let poller = self.engine.poller()?;
        if !poller.has_descriptor() {
            return Err(no_descriptor());
        }
        if self.is_driven_elsewhere() {
            return Err(driven_elsewhere());
        }
        Ok(poller)
    }

    /// Returns the descriptor of the poller for a foreign event loop.
    #[cfg(unix)]
    pub(crate) fn foreign_descriptor(&self) -> io::Result<BorrowedFd<'_>> {
        let descriptor = self.foreign_loop()?.descriptor();
        descriptor.ok_or_else(no_descriptor)
    }

    /// Returns the instant of the earliest deadline.
    pub(crate) fn next_instant(&self) -> Option<Instant> {
        if !self.is_here() {
            return None;
        }
        self.engine.clock().instant(self.engine.next_deadline())
    }
}

fn driven_elsewhere() -> io::Error {
    io::Error::new(
        io::ErrorKind::ResourceBusy,
        "another thread drives this reactor, and would take events away from the event loop; let its \
         `block_on` or `turn` end first",
    )
}

fn no_descriptor() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "the poller of this system has no descriptor that another event loop could wait for; call `turn` on a \
         thread of its own instead",
    )
}
