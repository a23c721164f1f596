//! How a task is slowed down when the kernel reports "ready" but the task may make no progress.
//!
//! Two cases look alike to the reactor:
//!
//! * A closure returns `WouldBlock`, and the kernel reports the closure's object as ready. The
//!   closure may refer to something other than the object. This is certainly a contradiction.
//! * A task asks for readiness repeatedly, and the kernel answers "ready" at once each time. The
//!   task may be refused each time: `poll(2)` reports an unconnected Unix datagram socket as
//!   writable even if the receiver's queue is full. Or it may make progress each time, such as a
//!   writer with a fast peer. The reactor cannot tell which.
//!
//! In both cases the first few rounds proceed at once. The next ones yield to the executor, so that
//! other tasks of the thread run. After that, the task pauses for a time that doubles up to
//! [`LONGEST_PAUSE`]. In the second case the task pauses only if the system confirms that the
//! object may be refusing (`Poller::may_refuse`).
//!
//! The kernel's answer "not ready" resets both counts, and an operation that succeeds resets the
//! first one. An event resets neither: a refused attempt may cause one, and it may arrive between the
//! question and its answer.

use std::time::Duration;

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// The number of rounds that proceed at once, and the number of rounds before the first pause.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    at_once: u8,
    before_pauses: u8,
}

/// The limits for operations that a closure refuses.
pub(crate) const REFUSED: Limits = Limits {
    at_once: 1,
    before_pauses: 4,
};

/// The limits for readiness that is reported in the first poll.
pub(crate) const READY_AT_ONCE: Limits = Limits {
    at_once: 4,
    before_pauses: 64,
};

/// What the task does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Try the operation, or report the readiness.
    Proceed,
    /// Let the executor run other tasks first.
    Yield,
    /// Wait for this time first.
    Pause(Duration),
}

/// The number of consecutive rounds of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Backoff {
    rounds: u8,
}

impl Backoff {
    /// Counts a round and returns what the task does next.
    pub(crate) fn next(&mut self, limits: Limits) -> Step {
        self.rounds = self.rounds.saturating_add(1);
        if self.rounds <= limits.at_once {
            Step::Proceed
        } else if self.rounds <= limits.before_pauses {
            Step::Yield
        } else {
            let doublings = u32::from(self.rounds - limits.before_pauses - 1).min(4);
            Step::Pause((FIRST_PAUSE * 2u32.pow(doublings)).min(LONGEST_PAUSE))
        }
    }

    /// Resets the count after progress.
    pub(crate) fn reset(&mut self) {
        self.rounds = 0;
    }

    /// Resets the count if all rounds proceeded at once, because a turn has begun since the latest
    /// one. A task that is already slowed down stays slowed down.
    pub(crate) fn turn_began(&mut self, limits: Limits) {
        if self.rounds <= limits.at_once {
            self.rounds = 0;
        }
    }

    /// Returns to the rounds that yield, because the object cannot be refusing.
    pub(crate) fn keep_yielding(&mut self, limits: Limits) {
        self.rounds = limits.at_once;
    }
}

#[cfg(all(test, not(async_io_loom)))]
mod tests {
    use super::*;

    fn steps(backoff: &mut Backoff, count: usize, limits: Limits) -> Vec<Step> {
        (0..count).map(|_| backoff.next(limits)).collect()
    }

    #[test]
    fn rounds_proceed_then_yield_then_pause_for_doubling_times() {
        let mut backoff = Backoff::default();
        assert_eq!(steps(&mut backoff, 1, REFUSED), [Step::Proceed]);
        assert_eq!(steps(&mut backoff, 3, REFUSED), [Step::Yield; 3]);
        let pauses = [1, 2, 4, 8, 10, 10].map(|ms| Step::Pause(Duration::from_millis(ms)));
        assert_eq!(steps(&mut backoff, 6, REFUSED), pauses);
        for _ in 0..1000 {
            assert_eq!(backoff.next(REFUSED), Step::Pause(LONGEST_PAUSE));
        }
        backoff.reset();
        assert_eq!(backoff.next(REFUSED), Step::Proceed);
    }

    #[test]
    fn turn_in_between_forgives_only_a_task_that_is_not_slowed_down() {
        let mut backoff = Backoff::default();
        for _ in 0..100 {
            backoff.turn_began(READY_AT_ONCE);
            assert_eq!(backoff.next(READY_AT_ONCE), Step::Proceed);
        }
        steps(&mut backoff, 4, READY_AT_ONCE);
        backoff.turn_began(READY_AT_ONCE);
        assert_eq!(backoff.next(READY_AT_ONCE), Step::Yield);
    }

    #[test]
    fn object_that_cannot_refuse_is_never_paused() {
        let mut backoff = Backoff::default();
        for _ in 0..1000 {
            if let Step::Pause(_) = backoff.next(READY_AT_ONCE) {
                backoff.keep_yielding(READY_AT_ONCE);
            }
            assert!(backoff.rounds <= READY_AT_ONCE.before_pauses);
        }
    }
}
