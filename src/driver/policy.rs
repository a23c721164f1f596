//! Tuning: when the watcher's alarm is set and cancelled, and when a busy thread gives the reactor
//! a turn.
//!
//! The protocol (`super`, `roles`, `watch`) is correct for every answer of a policy: loom runs it
//! with policies that make the worst choices. The decisions here only cost or save system calls and
//! context switches.

use crate::core::clock::{Clock, Deadline};
use std::fmt::Debug;
use std::time::{Duration, Instant};

/// The choices that the protocol leaves open.
pub(crate) trait Policy: Debug + Default + Send + 'static {
    /// The time from setting an alarm until it goes off.
    const GRACE: Duration;

    /// Returns whether to postpone a pending alarm, which was set at `set_at`. The leader has just
    /// left its wait.
    fn postpones(&mut self, set_at: Deadline, now: Deadline) -> bool;

    /// Records that the leader has left its wait.
    fn leader_left(&mut self, now: Deadline);

    /// Returns whether to cancel a pending alarm. The leader is about to wait.
    fn cancels(&mut self) -> bool;

    /// Records that the alarm went off while a leader was waiting.
    fn false_alarm(&mut self);

    /// Returns whether the fallback thread takes the place of a leader that was absent at this many
    /// consecutive alarms. Otherwise it runs one turn that does not wait.
    fn displaces(absences: u32) -> bool;

    /// Returns whether a leader announces that it calls so many wakers. Idle threads then stand by
    /// and do not take the role until the alarm goes off.
    fn announces_calls(wakers: usize) -> bool;
}

/// The policy of the real driver.
///
/// Under load, a leader is away for a few microseconds at a time. Setting and cancelling the alarm
/// each time would cost two system calls. So a pending alarm is left alone while it is fresh,
/// postponed when it is older, and cancelled only if the waits are long.
///
/// The alarm then goes off without need when the load ends, or when bursts alternate with pauses.
/// In the second case, each false alarm costs a context switch. So after a false alarm, the alarm
/// is cancelled before each of the next [`CAREFUL_WAITS`] waits.
#[derive(Debug)]
pub(crate) struct Tuned {
    latest_leave: Deadline,
    waits_are_long: bool,
    careful_waits: u32,
}

/// The age below which an alarm is not postponed. So another thread polls after the leader has been
/// away for 0.5 to 1.5 ms, and the alarm is set at most once per millisecond.
const FRESH: Duration = Duration::from_millis(1);

/// The time between two returns from the wait above which the alarm is worth two system calls per
/// wait.
const LONG_WAIT: Duration = Duration::from_millis(1);

const CAREFUL_WAITS: u32 = 8;

/// The number of consecutive alarms at which the fallback thread takes the place of the leader.
/// Below this number, it runs single turns.
///
/// Displacing a leader that is only slow (with a batch of a thousand requests, for example) would
/// be expensive: the fallback thread would then fetch each event on its own. But a blocked leader
/// must not make the fallback thread wake up forever.
const DISPLACING_ABSENCES: u32 = 8;

/// The number of wakers that a leader announces to call.
///
/// If the wakers wake threads that soon are idle again, each of these threads would otherwise take
/// the role and the rest of the wakers from the thread before it. With fewer wakers the leader
/// comes back, or starts its own tasks, within microseconds.
const MANY_WAKERS: usize = 16;

impl Default for Tuned {
    fn default() -> Self {
        Tuned {
            latest_leave: Deadline::from_nanos(0),
            waits_are_long: false,
            careful_waits: 0,
        }
    }
}

impl Policy for Tuned {
    const GRACE: Duration = Duration::from_micros(1500);

    fn postpones(&mut self, set_at: Deadline, now: Deadline) -> bool {
        now >= set_at.plus(FRESH)
    }

    fn leader_left(&mut self, now: Deadline) {
        self.waits_are_long = now >= self.latest_leave.plus(LONG_WAIT);
        self.latest_leave = now;
    }

    fn cancels(&mut self) -> bool {
        let cancels = self.waits_are_long || self.careful_waits > 0;
        self.careful_waits = self.careful_waits.saturating_sub(1);
        cancels
    }

    fn false_alarm(&mut self) {
        self.careful_waits = CAREFUL_WAITS;
    }

    fn displaces(absences: u32) -> bool {
        absences >= DISPLACING_ABSENCES
    }

    fn announces_calls(wakers: usize) -> bool {
        wakers >= MANY_WAKERS
    }
}

/// The time since its latest wait after which a thread is overdue; see [`is_overdue`].
const OVERDUE: Duration = Duration::from_micros(500);

/// The number of fast polls after which a thread that never waits gives the reactor a turn.
const POLLS_PER_TURN: u32 = 128;

/// The time between two readings of the clock after which fast polls have become slow. The thread
/// then gives the reactor a turn.
const SLOW: Duration = Duration::from_millis(2);

/// Two self-wakes that are less than this apart start the fast mode.
const FAST: Duration = Duration::from_micros(100);

/// The number of fast polls between two readings of the clock.
const POLLS_PER_READING: u32 = 8;

/// Decides when a thread whose future keeps waking itself gives the reactor a turn.
///
/// A tight loop must not pay for reading the clock in each poll. A future whose polls take
/// milliseconds must not delay I/O for many polls. So there are two modes. In the slow mode, each
/// self-wake reads the clock and gives the reactor a turn. Two self-wakes in quick succession start
/// the fast mode, which counts polls and only occasionally reads the clock. A loop that becomes
/// slow is noticed within [`POLLS_PER_READING`] polls and one more.
#[derive(Debug)]
pub(crate) struct Pace {
    is_fast: bool,
    /// Fast polls since the latest turn or wait.
    polls: u32,
    until_reading: u32,
    latest_reading: Option<Instant>,
}

impl Pace {
    pub(crate) fn new() -> Pace {
        Pace {
            is_fast: false,
            polls: 0,
            until_reading: POLLS_PER_READING,
            latest_reading: None,
        }
    }

    /// Restarts the count of polls. The thread is about to wait or to run a turn.
    #[inline]
    pub(crate) fn reset(&mut self) {
        self.polls = 0;
        if self.is_fast {
            // The time until the next reading would include the wait.
            self.latest_reading = None;
        }
    }

    /// Returns whether the reactor gets a turn now. The future was just polled and has woken
    /// itself. `is_overdue` returns whether standby threads rely on this thread and it left its
    /// wait too long ago.
    #[inline]
    pub(crate) fn needs_turn(&mut self, is_overdue: impl FnOnce() -> bool) -> bool {
        if !self.is_fast {
            return self.needs_turn_if_slow(Instant::now());
        }
        self.polls += 1;
        self.until_reading -= 1;
        if self.until_reading == 0 {
            self.until_reading = POLLS_PER_READING;
            if self.has_become_slow(Instant::now()) {
                return true;
            }
        }
        self.polls >= POLLS_PER_TURN || is_overdue()
    }

    #[cold]
    fn needs_turn_if_slow(&mut self, now: Instant) -> bool {
        let latest = self.latest_reading.replace(now);
        self.is_fast = latest.is_some_and(|latest| now < latest + FAST);
        !self.is_fast
    }

    fn has_become_slow(&mut self, now: Instant) -> bool {
        let Some(latest) = self.latest_reading.replace(now) else {
            // Nothing to compare with yet. The next poll reads the clock again.
            self.until_reading = 1;
            return false;
        };
        self.is_fast = now < latest + SLOW;
        !self.is_fast
    }
}

/// Returns whether a thread that left its wait at `left_at`, and that standby threads rely on, must
/// give the reactor a turn before the alarm goes off.
pub(crate) fn is_overdue(clock: Clock, left_at: Deadline) -> bool {
    clock.now() >= left_at.plus(OVERDUE)
}

#[cfg(all(test, not(async_io_loom)))]
mod tests {
    use super::*;

    fn micros(micros: u64) -> Deadline {
        Deadline::from_nanos(micros * 1000)
    }

    #[test]
    fn alarm_is_postponed_only_when_it_is_not_fresh() {
        let mut policy = Tuned::default();
        assert!(!policy.postpones(micros(5000), micros(5000)));
        assert!(!policy.postpones(micros(5000), micros(5999)));
        assert!(policy.postpones(micros(5000), micros(6000)));
        // An alarm that is not postponed still gives the leader some time to come back.
        assert!(FRESH < Tuned::GRACE);
    }

    #[test]
    fn alarm_is_cancelled_only_if_the_waits_are_long() {
        let mut policy = Tuned::default();
        policy.leader_left(micros(10_000));
        assert!(policy.cancels());
        for now in [10_500, 11_000, 11_999] {
            policy.leader_left(micros(now));
            assert!(!policy.cancels());
        }
        policy.leader_left(micros(13_000));
        assert!(policy.cancels() && policy.cancels());
    }

    #[test]
    fn false_alarm_makes_the_next_waits_careful() {
        let mut policy = Tuned::default();
        for now in [1, 2] {
            policy.leader_left(micros(now));
        }
        assert!(!policy.cancels());
        policy.false_alarm();
        for _ in 0..CAREFUL_WAITS {
            assert!(policy.cancels());
        }
        assert!(!policy.cancels());
    }

    #[test]
    fn leader_is_displaced_after_several_absences_in_a_row() {
        let displacing = (0..20).find(|absences| Tuned::displaces(*absences));
        assert_eq!(displacing, Some(DISPLACING_ABSENCES));
        assert!(Tuned::displaces(u32::MAX));
    }

    const NEVER_OVERDUE: fn() -> bool = || false;

    /// Returns a pace in the fast mode, and the time of its latest reading.
    fn fast() -> (Pace, Instant) {
        let (mut pace, start) = (Pace::new(), Instant::now());
        assert!(pace.needs_turn_if_slow(start));
        assert!(!pace.needs_turn_if_slow(start));
        assert!(pace.is_fast);
        (pace, start)
    }

    #[test]
    fn slow_self_wakes_get_a_turn_each() {
        let (mut pace, mut now) = (Pace::new(), Instant::now());
        for _ in 0..10 {
            assert!(pace.needs_turn_if_slow(now));
            pace.reset();
            now += FAST;
        }
    }

    #[test]
    fn fast_self_wakes_get_a_turn_after_many_polls() {
        let (mut pace, _) = fast();
        for _ in 0..3 {
            pace.reset();
            for poll in 1..=POLLS_PER_TURN {
                // The time between two readings is unknown, as after a turn.
                pace.latest_reading = None;
                let needs_turn = pace.needs_turn(NEVER_OVERDUE);
                assert_eq!(needs_turn, poll == POLLS_PER_TURN);
            }
        }
    }

    #[test]
    fn fast_self_wakes_that_become_slow_get_a_turn() {
        let (mut pace, start) = fast();
        assert!(!pace.has_become_slow(start + SLOW - FAST));
        assert!(pace.has_become_slow(start + 2 * SLOW));
        assert!(!pace.is_fast);
        // From then on, each self-wake gets a turn until two are fast again.
        assert!(pace.needs_turn_if_slow(start + 3 * SLOW));
        assert!(!pace.needs_turn_if_slow(start + 3 * SLOW + FAST / 2));
    }

    #[test]
    fn time_of_a_wait_does_not_count_as_a_slow_poll() {
        let (mut pace, start) = fast();
        pace.reset();
        assert!(!pace.has_become_slow(start + 100 * SLOW));
    }

    #[test]
    fn thread_that_others_rely_on_gets_a_turn_when_it_is_overdue() {
        let (mut pace, _) = fast();
        pace.latest_reading = None;
        assert!(!pace.needs_turn(NEVER_OVERDUE));
        assert!(pace.needs_turn(|| true));
    }

    #[test]
    fn thread_is_overdue_before_its_alarm_goes_off() {
        let clock = Clock::new();
        let now = clock.now();
        assert!(!is_overdue(clock, now.plus(Duration::from_secs(100))));
        std::thread::sleep(OVERDUE);
        assert!(is_overdue(clock, now));
        assert!(FRESH + OVERDUE <= Tuned::GRACE);
    }
}
