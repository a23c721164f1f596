//! A thread's sleep, and the waker that ends it.
//!
//! # States
//!
//! ```text
//!     running ──① begin──▶ polling | parked | watching ──② end──▶ running
//!        └───────────③ notify──▶ notified ◀──③ notify──────┘        (② end and take give "notified" back as `true`)
//! ```
//!
//! ③ tells from the state that it replaced *how* the thread sleeps: inside the reactor's wait, on its own condition
//! variable, or on the watch; and ends just that sleep. A thread that runs needs no system call.
//!
//! A *nudge* ends a sleep without notifying: the thread looks at the roles again, and its future is not polled. It is a flag
//! beside the state, because it must not be lost when the thread is just about to sleep: who nudges sets the flag and then
//! looks at the state, who sleeps sets the state and then looks at the flag (both SeqCst).
//!
//! # Orderings
//!
//! ③ is AcqRel: its Release publishes what the waking thread did, to the Acquire in ① (when it fails), ② and `take`; also
//! when the state is "notified" already, because a swap is a write of its own. A plain "notified already, nothing to do"
//! without a write would lose that.

use super::roles::Seat;
use crate::core::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use crate::core::sync::{Condvar, Mutex, write_before_read};
use std::time::Duration;

const RUNNING: u8 = 0;
const NOTIFIED: u8 = 1;
const POLLING: u8 = 2;
const PARKED: u8 = 3;
const WATCHING: u8 = 4;

/// How a thread sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// Inside the reactor's wait.
    Polling,
    /// On its own condition variable.
    Parked,
    /// On the watch.
    Watching,
}

/// The state machine alone.
#[derive(Debug)]
pub(crate) struct ParkState {
    word: AtomicU8,
    nudged: AtomicBool,
}

impl ParkState {
    pub(crate) fn new() -> Self {
        ParkState {
            word: AtomicU8::new(RUNNING),
            nudged: AtomicBool::new(false),
        }
    }

    /// ① False if the thread has been notified; it must not sleep then.
    pub(crate) fn begin(&self, sleep: Sleep) -> bool {
        let to = match sleep {
            Sleep::Polling => POLLING,
            Sleep::Parked => PARKED,
            Sleep::Watching => WATCHING,
        };
        self.word
            .compare_exchange(RUNNING, to, Ordering::SeqCst, Ordering::Acquire)
            .is_ok()
            && !self.end_if_nudged(to)
    }

    fn end_if_nudged(&self, sleeping: u8) -> bool {
        write_before_read();
        if sleeping == POLLING || !self.nudged.load(Ordering::SeqCst) {
            return false;
        }
        let _ = self
            .word
            .compare_exchange(sleeping, RUNNING, Ordering::AcqRel, Ordering::Acquire);
        true
    }

    /// From now on nudges are meant for the sleep to come.
    pub(crate) fn forget_nudges(&self) {
        self.nudged.store(false, Ordering::SeqCst);
    }

    /// Ends a sleep beside the reactor's wait, or prevents the next one. Returns the sleep that must be ended.
    pub(crate) fn nudge(&self) -> Option<Sleep> {
        self.nudged.store(true, Ordering::SeqCst);
        write_before_read();
        for (word, sleep) in [(PARKED, Sleep::Parked), (WATCHING, Sleep::Watching)] {
            let ended =
                self.word
                    .compare_exchange(word, RUNNING, Ordering::SeqCst, Ordering::SeqCst);
            if ended.is_ok() {
                return Some(sleep);
            }
        }
        None
    }

    /// ② The sleep is over, for whatever reason. True if the thread has been notified; the notification stays.
    pub(crate) fn end(&self) -> bool {
        // Only the owner writes the sleeping states: the value is that of `begin`, or "notified".
        let current = self.word.load(Ordering::Acquire);
        if current != NOTIFIED {
            let _ =
                self.word
                    .compare_exchange(current, RUNNING, Ordering::AcqRel, Ordering::Acquire);
        }
        self.is_notified()
    }

    /// Whether a sleep that was begun has neither been ended nor interrupted.
    pub(crate) fn is_asleep(&self) -> bool {
        !matches!(self.word.load(Ordering::Acquire), RUNNING | NOTIFIED)
    }

    pub(crate) fn is_notified(&self) -> bool {
        self.word.load(Ordering::Acquire) == NOTIFIED
    }

    /// Takes the notification, if there is one. Only for the owner, while it is awake.
    pub(crate) fn take(&self) -> bool {
        // A load first: most calls find nothing, and a swap costs a barrier.
        self.is_notified() && self.word.swap(RUNNING, Ordering::AcqRel) == NOTIFIED
    }

    /// ③ Returns the sleep that must be ended.
    pub(crate) fn notify(&self) -> Option<Sleep> {
        match self.word.swap(NOTIFIED, Ordering::AcqRel) {
            POLLING => Some(Sleep::Polling),
            PARKED => Some(Sleep::Parked),
            WATCHING => Some(Sleep::Watching),
            _ => None,
        }
    }
}

/// A thread's seat, its state, and the condition variable that it parks on.
#[derive(Debug)]
pub(crate) struct Parker {
    pub(crate) seat: Seat,
    pub(crate) state: ParkState,
    lock: Mutex<()>,
    unparked: Condvar,
}

impl Parker {
    pub(crate) fn new(seat: Seat) -> Self {
        Parker {
            seat,
            state: ParkState::new(),
            lock: Mutex::new(()),
            unparked: Condvar::new(),
        }
    }

    /// Sleeps on the condition variable until notified or nudged, or at most for `limit`.
    pub(crate) fn park(&self, limit: Option<Duration>) {
        let mut guard = self.lock.lock();
        if !self.state.begin(Sleep::Parked) {
            return;
        }
        match limit {
            Some(limit) if self.state.is_asleep() => {
                guard = self.unparked.wait_timeout(guard, limit);
            }
            Some(_) => {}
            None => {
                while self.state.is_asleep() {
                    guard = self.unparked.wait(guard);
                }
            }
        }
        drop(guard);
        self.state.end();
    }

    /// Ends a sleep on the condition variable.
    pub(crate) fn unpark(&self) {
        // The lock is passed through: the sleeper either has not looked at the state yet, or is inside the wait.
        drop(self.lock.lock());
        self.unparked.notify_one();
    }
}

#[cfg(all(test, not(async_io_loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Instant;

    #[test]
    fn notification_before_the_sleep_prevents_it() {
        let state = ParkState::new();
        assert_eq!(state.notify(), None);
        assert!(!state.begin(Sleep::Parked));
        assert!(state.take() && !state.take());
        assert!(state.begin(Sleep::Parked));
        assert_eq!(state.notify(), Some(Sleep::Parked));
        assert_eq!(state.notify(), None);
        assert!(state.end() && state.take());
    }

    #[test]
    fn who_notifies_is_told_what_sleep_to_end() {
        let state = ParkState::new();
        for sleep in [Sleep::Polling, Sleep::Parked, Sleep::Watching] {
            assert!(state.begin(sleep));
            assert_eq!(state.notify(), Some(sleep));
            assert!(state.end() && state.take());
        }
    }

    #[test]
    fn sleep_that_ends_by_itself_leaves_no_trace() {
        let state = ParkState::new();
        for sleep in [Sleep::Polling, Sleep::Parked, Sleep::Watching] {
            assert!(state.begin(sleep) && state.is_asleep());
            assert!(!state.end() && !state.is_asleep());
            assert_eq!(state.notify(), None);
            assert!(state.take());
        }
    }

    #[test]
    fn nudge_ends_or_prevents_a_sleep_and_notifies_nobody() {
        let state = ParkState::new();
        for sleep in [Sleep::Parked, Sleep::Watching] {
            state.forget_nudges();
            assert!(state.begin(sleep));
            assert_eq!(state.nudge(), Some(sleep));
            assert!(!state.end() && !state.take());
            assert!(!state.begin(sleep), "the nudge is remembered");
            assert!(!state.end());
        }
        // Who is inside the reactor's wait has nothing to look at.
        assert!(state.begin(Sleep::Polling));
        assert_eq!(state.nudge(), None);
        assert_eq!(state.notify(), Some(Sleep::Polling));
    }

    #[test]
    fn parked_thread_is_unparked() {
        let parker = Arc::new(Parker::new(Seat::numbered(0)));
        let other = Arc::clone(&parker);
        let thread = std::thread::spawn(move || {
            for _ in 0..1000 {
                while !other.state.take() {
                    other.park(None);
                }
            }
        });
        while !thread.is_finished() {
            if parker.state.notify() == Some(Sleep::Parked) {
                parker.unpark();
            }
        }
        thread.join().unwrap();
    }

    #[test]
    fn parked_thread_sleeps_until_it_is_notified() {
        let parker = Arc::new(Parker::new(Seat::numbered(0)));
        let other = Arc::clone(&parker);
        let thread = std::thread::spawn(move || {
            for _ in 0..100 {
                other.park(None);
                assert!(other.state.take());
            }
        });
        while !thread.is_finished() {
            if parker.state.is_asleep() {
                assert_eq!(parker.state.notify(), Some(Sleep::Parked));
                parker.unpark();
            } else {
                std::thread::yield_now();
            }
        }
        thread.join().unwrap();
    }

    #[test]
    fn sleep_with_a_limit_lasts_that_long() {
        let parker = Parker::new(Seat::numbered(0));
        let (begin, limit) = (Instant::now(), Duration::from_millis(50));
        let mut sleeps = 0;
        while begin.elapsed() < limit {
            parker.park(Some(limit));
            sleeps += 1;
        }
        // The system may end a wait early, but hardly ever does.
        assert!(sleeps < 100, "{sleeps} sleeps");
    }
}
