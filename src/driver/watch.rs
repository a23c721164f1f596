//! The watch: how somebody notices that the leader stays away, without a periodic wake-up.
//!
//! # Idea
//!
//! The watcher sleeps on a poller of its own that has no sources: only its alarm and its notification. A leader that
//! comes back from a wait while somebody sits sets the alarm to [`GRACE`] from now; before it waits again it takes the
//! alarm back. If it stays away, the alarm goes off, and the watcher looks who leads.
//!
//! Under load both system calls would be paid for every few microseconds of absence. So the alarm is left alone while it is
//! fresh ([`FRESH`]), pushed forward when it is not, and taken back only where waits are long. It goes off for nothing
//! when load ends (and is then consumed without being set again), or when bursts alternate with pauses; the second costs a
//! context switch each time, so after one the alarm is taken back for the next [`CAREFUL_ROUNDS`] waits, whatever it costs.
//!
//! # Rules
//!
//! * The alarm's time and the record of it change under one lock: a record that says "fresh" while the alarm is off would
//!   leave sitters alone.
//! * Taking back is the business of a leader that waits: while it does, nobody needs the alarm.

use crate::core::clock::{Clock, Deadline};
use crate::core::sync::Mutex;
use crate::sys::{Events, Poller, Until};
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

/// When the alarm goes off after it was set.
const GRACE: Duration = Duration::from_micros(1500);

/// An alarm that was set less than this long ago is left as it is. So a leader may be away for 0.5 to 1.5 ms until somebody
/// else polls, and the alarm is set at most once per millisecond.
const FRESH: Duration = Duration::from_millis(1);

/// A round after which the alarm is worth two system calls per round.
const LONG_ROUND: Duration = Duration::from_millis(1);

const CAREFUL_ROUNDS: u32 = 8;

/// How long a watcher sleeps at a time if it cannot have an alarm (out of descriptors, say).
pub(crate) const WITHOUT_ALARM: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(crate) struct Watch {
    clock: Clock,
    poller: OnceLock<Poller>,
    record: Mutex<Record>,
}

#[derive(Debug)]
struct Record {
    set_at: Option<Deadline>,
    last_leave: Deadline,
    rounds_are_long: bool,
    careful_rounds: u32,
}

impl Watch {
    pub(crate) fn new(clock: Clock) -> Self {
        Watch {
            clock,
            poller: OnceLock::new(),
            record: Mutex::new(Record {
                set_at: None,
                last_leave: Deadline::from_nanos(0),
                rounds_are_long: false,
                careful_rounds: 0,
            }),
        }
    }

    /// A leader is away from now on, and somebody sits. Returns the time.
    pub(crate) fn leader_left(&self) -> Deadline {
        let now = self.clock.now();
        let Some(poller) = self.poller.get() else {
            return now; // The watcher sleeps in steps.
        };
        let mut record = self.record.lock();
        record.rounds_are_long = now >= record.last_leave.plus(LONG_ROUND);
        record.last_leave = now;
        if record.set_at.is_none_or(|at| now >= at.plus(FRESH)) {
            poller.set_alarm(now.plus(GRACE));
            record.set_at = Some(now);
        }
        now
    }

    /// Whether a leader that left then, and has not waited since, had better look at the reactor before the alarm goes off.
    pub(crate) fn is_overdue(&self, left_at: Deadline) -> bool {
        self.clock.now() >= left_at.plus(FRESH / 2)
    }

    /// A leader is about to wait.
    pub(crate) fn leader_waits(&self) {
        let Some(poller) = self.poller.get() else {
            return;
        };
        let mut record = self.record.lock();
        if record.set_at.is_none() || !(record.rounds_are_long || record.careful_rounds > 0) {
            return;
        }
        record.careful_rounds = record.careful_rounds.saturating_sub(1);
        record.set_at = None;
        poller.expect_nothing();
    }

    /// The alarm went off while a leader was waiting.
    pub(crate) fn false_alarm(&self) {
        self.record.lock().careful_rounds = CAREFUL_ROUNDS;
    }

    /// Whether the alarm has gone off; it is not set any more then. A watcher may wake up for other reasons: a notification
    /// that came late, an alarm that was pushed forward, a system without timerfd.
    pub(crate) fn take_alarm(&self) -> bool {
        let now = self.clock.now();
        let mut record = self.record.lock();
        let due = record.set_at.is_some_and(|at| now >= at.plus(GRACE));
        if due {
            record.set_at = None;
        }
        due
    }

    /// What the watcher sleeps on.
    pub(crate) fn poller(&self) -> io::Result<&Poller> {
        if let Some(poller) = self.poller.get() {
            return Ok(poller);
        }
        let made = Poller::new(self.clock)?;
        // Two threads may get here at once; the poller of the second one is dropped.
        Ok(self.poller.get_or_init(|| made))
    }

    /// Sleeps until the alarm or a notification.
    pub(crate) fn sleep(&self, poller: &Poller, events: &mut Events) -> io::Result<()> {
        poller
            .wait(events, Until::Deadline(Deadline::NEVER))
            .or_else(|_| poller.reopen(events).map(drop))
    }

    /// Ends the watcher's sleep.
    pub(crate) fn notify(&self) {
        if let Some(poller) = self.poller.get() {
            poller.notify();
        }
    }
}
