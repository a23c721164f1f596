//! How the watcher notices that the leader stays away, without a periodic wake-up.
//!
//! # Idea
//!
//! The watcher sleeps on an alarm clock of its own. A leader that leaves its wait while threads
//! stand by makes sure that an alarm is pending. Before it waits again, it may cancel the alarm. If
//! the leader stays away, the alarm goes off, and the watcher looks at the roles.
//!
//! # Invariant
//!
//! While a thread stands by and no leader waits, an alarm is pending, or it has gone off and the
//! watcher has not taken it yet. The record and the alarm clock change under one lock, so the clock
//! is set whenever the record says that an alarm is pending.
//!
//! # Rules
//!
//! * Only a leader that is about to wait cancels the alarm. While a leader waits, no thread needs
//!   an alarm.
//! * If the alarm clock had to be reopened, its alarm may be lost. Such an alarm counts as gone
//!   off.
//! * The policy chooses when to postpone or cancel. The invariant holds for every choice.

use super::policy::Policy;
use crate::core::clock::{Clock, Deadline};
use crate::core::sync::Mutex;
use std::fmt::Debug;
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

/// How long a watcher without an alarm clock sleeps at a time. It has none if, for example, no file
/// descriptors are left.
pub(crate) const WITHOUT_ALARM: Duration = Duration::from_millis(5);

/// The clock that the watcher sleeps on.
pub(crate) trait AlarmClock: Sized + Debug + Send + Sync {
    /// The buffer that a sleeping thread provides.
    type Buffer;

    /// Creates an alarm clock, or returns why that has failed.
    fn open(clock: Clock) -> io::Result<Self>;

    /// Returns the current time.
    fn now(&self, clock: Clock) -> Deadline;

    /// Sets the alarm. A pending alarm may move earlier or later.
    fn set_alarm(&self, at: Deadline);

    /// Cancels the alarm.
    fn cancel_alarm(&self);

    /// Sleeps until the alarm goes off or `ring` is called. May return early. Returns whether the
    /// alarm may have been lost, which is possible if the clock had to be reopened.
    ///
    /// # Errors
    ///
    /// Returns an error if the clock does not work.
    fn sleep(&self, buffer: &mut Self::Buffer) -> io::Result<bool>;

    /// Ends the sleep in progress. If there is none, the next sleep ends at once.
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
    /// When the pending alarm was set. `None` if no alarm is pending.
    set_at: Option<Deadline>,
    policy: P,
}

impl<P: Policy> Record<P> {
    /// Sets the alarm. The caller holds the lock of the record.
    fn set(&mut self, alarm: &impl AlarmClock, now: Deadline) {
        alarm.set_alarm(now.plus(P::GRACE));
        self.set_at = Some(now);
    }
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

    /// Makes sure that an alarm is pending, because the leader is away and threads stand by.
    /// Returns the current time.
    pub(crate) fn leader_left(&self) -> Deadline {
        let Some(alarm) = self.alarm.get() else {
            return self.clock.now(); // The watcher sleeps for `WITHOUT_ALARM` at a time.
        };
        let now = alarm.now(self.clock);
        let mut record = self.record.lock();
        record.policy.leader_left(now);
        let set = match record.set_at {
            Some(set_at) => record.policy.postpones(set_at, now),
            None => true,
        };
        if set && !mutation!("absent_leader_sets_no_alarm") {
            record.set(alarm, now);
        }
        now
    }

    /// Makes sure that an alarm is pending, because the watcher stands by beside a leader that calls
    /// wakers.
    pub(crate) fn ensure_alarm(&self) {
        let Some(alarm) = self.alarm.get() else {
            return; // The watcher sleeps for `WITHOUT_ALARM` at a time.
        };
        let now = alarm.now(self.clock);
        let mut record = self.record.lock();
        if record.set_at.is_none() {
            record.set(alarm, now);
        }
    }

    /// Cancels the pending alarm if the policy chooses to, because the leader is about to wait.
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

    /// Tells the policy that the alarm went off while a leader was waiting.
    pub(crate) fn false_alarm(&self) {
        self.record.lock().policy.false_alarm();
    }

    /// Returns whether the alarm has gone off. If it has, its record is cleared.
    ///
    /// A watcher may also wake up for other reasons: a late notification, a postponed alarm, or a
    /// system without timerfd.
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

    /// Returns the alarm clock, which is created now if there is none.
    pub(crate) fn alarm(&self) -> io::Result<&A> {
        if let Some(alarm) = self.alarm.get() {
            return Ok(alarm);
        }
        let made = A::open(self.clock)?;
        // If two threads get here at once, the clock of the second thread is dropped.
        Ok(self.alarm.get_or_init(|| made))
    }

    /// Sleeps on the alarm clock once, and calls `woken` at the end of the sleep. Returns whether
    /// the alarm has gone off.
    pub(crate) fn sleep(&self, alarm: &A, buffer: &mut A::Buffer, woken: impl FnOnce()) -> bool {
        let lost = alarm.sleep(buffer);
        if lost.is_err() {
            // The pause keeps the thread from spinning.
            std::thread::sleep(WITHOUT_ALARM);
        }
        woken();
        self.take_alarm(alarm, lost.unwrap_or(true))
    }

    /// Cancels the alarm and forgets what the policy knows. No thread stands by.
    pub(crate) fn reset(&self) {
        let mut record = self.record.lock();
        *record = Record {
            set_at: None,
            policy: P::default(),
        };
        if let Some(alarm) = self.alarm.get() {
            alarm.cancel_alarm();
        }
    }

    /// Ends the watcher's sleep.
    pub(crate) fn ring(&self) {
        if let Some(alarm) = self.alarm.get() {
            alarm.ring();
        }
    }
}
