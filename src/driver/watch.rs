//! How the watcher notices that the leader stays away, without a periodic wake-up.
//!
//! # Idea
//!
//! The watcher sleeps on an alarm clock of its own. A leader that leaves its wait while threads stand
//! by makes sure that an alarm is pending; before it waits again it may cancel the alarm. If the
//! leader stays away, the alarm goes off, and the watcher looks at the roles.
//!
//! # Invariant
//!
//! While a thread stands by and no leader waits, an alarm is pending, or has gone off and was not
//! taken yet. The record and the clock change under one lock, so a pending alarm is always set.
//!
//! # Rules
//!
//! * Only a leader that waits cancels the alarm: while it waits, no thread needs one.
//! * An alarm whose clock was opened again may be lost. It counts as gone off.
//! * The policy chooses when to postpone or cancel. The invariant holds for every choice.

use super::policy::Policy;
use crate::core::clock::{Clock, Deadline};
use crate::core::sync::Mutex;
use std::fmt::Debug;
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

/// How long a watcher without an alarm clock sleeps at a time (if descriptors have run out, say).
pub(crate) const WITHOUT_ALARM: Duration = Duration::from_millis(5);

/// What the watcher sleeps on.
pub(crate) trait AlarmClock: Sized + Debug + Send + Sync {
    /// What a sleeping thread brings along.
    type Buffer;

    /// Makes an alarm clock, or returns why there is none.
    fn open(clock: Clock) -> io::Result<Self>;

    /// Returns the time.
    fn now(&self, clock: Clock) -> Deadline;

    /// Sets the alarm, earlier or later than it was.
    fn set_alarm(&self, at: Deadline);

    /// Cancels the alarm.
    fn cancel_alarm(&self);

    /// Sleeps until the alarm goes off or `ring` is called; may return early. Returns whether the
    /// alarm may have been lost, which happens if the clock had to be opened again.
    ///
    /// # Errors
    ///
    /// The clock does not work.
    fn sleep(&self, buffer: &mut Self::Buffer) -> io::Result<bool>;

    /// Ends the sleep in progress, or else the next one.
    fn ring(&self);
}

#[derive(Debug)]
pub(crate) struct Watch<A, P> {
    clock: Clock,
    alarm: OnceLock<A>,
    record: Mutex<Record<P>>,
}

#[derive(Debug)]
struct Record<P> {
    /// When the pending alarm was set.
    set_at: Option<Deadline>,
    policy: P,
}

impl<A: AlarmClock, P: Policy> Watch<A, P> {
    pub(crate) fn new(clock: Clock) -> Self {
        Watch {
            clock,
            alarm: OnceLock::new(),
            record: Mutex::new(Record {
                set_at: None,
                policy: P::default(),
            }),
        }
    }

    /// A leader is away from now on, and threads stand by: makes sure that an alarm is pending.
    /// Returns the time.
    pub(crate) fn leader_left(&self) -> Deadline {
        let Some(alarm) = self.alarm.get() else {
            return self.clock.now(); // The watcher sleeps in steps.
        };
        let now = alarm.now(self.clock);
        let mut record = self.record.lock();
        record.policy.leader_left(now);
        let set = match record.set_at {
            Some(set_at) => record.policy.postpones(set_at, now),
            None => true,
        };
        if set && !mutation!("absent_leader_sets_no_alarm") {
            alarm.set_alarm(now.plus(P::GRACE));
            record.set_at = Some(now);
        }
        now
    }

    /// A leader is about to wait: the alarm may be cancelled.
    pub(crate) fn leader_waits(&self) {
        let Some(alarm) = self.alarm.get() else {
            return;
        };
        let mut record = self.record.lock();
        if record.set_at.is_some() && record.policy.cancels() {
            if !mutation!("cancelled_alarm_stays_recorded") {
                record.set_at = None;
            }
            alarm.cancel_alarm();
        }
    }

    /// The alarm went off while a leader was waiting.
    pub(crate) fn false_alarm(&self) {
        self.record.lock().policy.false_alarm();
    }

    /// Returns whether the alarm has gone off. It is not pending any more then.
    ///
    /// A watcher may wake up for other reasons: a notification that came late, an alarm that was
    /// postponed, a system without timerfd.
    fn take_alarm(&self, alarm: &A, lost: bool) -> bool {
        let now = alarm.now(self.clock);
        let mut record = self.record.lock();
        let due = record
            .set_at
            .is_some_and(|set_at| lost || now >= set_at.plus(P::GRACE));
        if due && !mutation!("alarm_that_went_off_stays_recorded") {
            record.set_at = None;
        }
        due
    }

    /// Returns the alarm clock, made now if there is none.
    pub(crate) fn alarm(&self) -> io::Result<&A> {
        if let Some(alarm) = self.alarm.get() {
            return Ok(alarm);
        }
        let made = A::open(self.clock)?;
        // If two threads get here at once, the clock of the second one is dropped.
        Ok(self.alarm.get_or_init(|| made))
    }

    /// Sleeps on the alarm clock once, and calls `woken` when the sleep is over. Returns whether the
    /// alarm has gone off.
    pub(crate) fn sleep(&self, alarm: &A, buffer: &mut A::Buffer, woken: impl FnOnce()) -> bool {
        let lost = alarm.sleep(buffer);
        if lost.is_err() {
            // The pause keeps the thread from spinning.
            std::thread::sleep(WITHOUT_ALARM);
        }
        woken();
        self.take_alarm(alarm, lost.unwrap_or(true))
    }

    /// Ends the watcher's sleep.
    pub(crate) fn ring(&self) {
        if let Some(alarm) = self.alarm.get() {
            alarm.ring();
        }
    }
}
