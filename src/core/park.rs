//! How a thread sleeps, and what ends its sleep.
//!
//! # States
//!
//! ```text
//!     running ──① begin──▶ polling | parked | watching ──② end──▶ running
//!        └───────────③ notify──▶ notified ◀──③ notify──────┘      (② and take return "notified")
//! ```
//!
//! ③ replaces the state. The state that it finds says *how* the thread sleeps: inside the reactor's
//! wait, on its own condition variable, or on the watch. The notifying thread ends that sleep. A
//! thread that runs needs no system call.
//!
//! A *nudge* ends a sleep without notifying: the thread checks the roles again, and its future is
//! not polled. The nudge is a flag beside the state, because it must not be lost if the thread is
//! about to sleep.
//!
//! # Orderings
//!
//! ③ is AcqRel. Its Release publishes what the waking thread did before it. The Acquire in ① (when
//! it fails), in ② and in `take` makes that visible. This also holds if the state is already
//! "notified", because the swap writes again.
//!
//! The nudging thread sets the flag and then reads the state. The sleeping thread sets the state
//! and then reads the flag. All four accesses are SeqCst, so at least one of the two threads sees
//! the other's write.
//!
//! # Rejected
//!
//! Returning early from ③ if the state is already "notified": without a write, what the second
//! waking thread did would not be published.

use super::roles::ThreadId;
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
    /// As the watcher, on the alarm clock.
    Watching,
}

/// The state machine, without the condition variable.
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

    /// ① Begins a sleep. Returns false if the thread must not sleep, because it was notified or
    /// nudged.
    pub(crate) fn begin(&self, sleep: Sleep) -> bool {
        let to = match sleep {
            Sleep::Polling => POLLING,
            Sleep::Parked => PARKED,
            Sleep::Watching => WATCHING,
        };
        if mutation!("sleep_ignores_the_notification") {
            self.word.swap(to, Ordering::SeqCst);
            return !self.end_if_nudged(to);
        }
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

    /// Clears the nudge. Later nudges apply to the next sleep.
    pub(crate) fn forget_nudges(&self) {
        self.nudged.store(false, Ordering::SeqCst);
    }

    /// Ends a sleep outside of the reactor's wait, or prevents the next one. Returns the kind of
    /// sleep that the caller must end.
    pub(crate) fn nudge(&self) -> Option<Sleep> {
        self.nudged.store(true, Ordering::SeqCst);
        if !mutation!("nudge_without_fence") {
            write_before_read();
        }
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

    /// ② Ends a sleep for any reason. Returns whether the thread was notified. The notification is
    /// kept.
    pub(crate) fn end(&self) -> bool {
        // Only the owner writes the sleeping states. So the value is that of `begin`, or "notified", or
        // "running" after a nudge.
        let current = self.word.load(Ordering::Acquire);
        if current != NOTIFIED {
            let _ =
                self.word
                    .compare_exchange(current, RUNNING, Ordering::AcqRel, Ordering::Acquire);
        }
        self.is_notified()
    }

    /// Returns whether a sleep has begun and was neither ended nor interrupted.
    pub(crate) fn is_asleep(&self) -> bool {
        !matches!(self.word.load(Ordering::Acquire), RUNNING | NOTIFIED)
    }

    pub(crate) fn is_notified(&self) -> bool {
        self.word.load(Ordering::Acquire) == NOTIFIED
    }

    /// Takes the notification, if there is one. Only the owner calls this, while it is awake.
    pub(crate) fn take(&self) -> bool {
        // The load comes first, because most calls find nothing and a swap is a full barrier.
        self.is_notified() && self.word.swap(RUNNING, Ordering::AcqRel) == NOTIFIED
    }

    /// ③ Notifies the thread. Returns the kind of sleep that the caller must end.
    pub(crate) fn notify(&self) -> Option<Sleep> {
        if mutation!("second_notification_writes_nothing") && self.is_notified() {
            return None;
        }
        let ordering = if mutation!("notification_does_not_publish") {
            Ordering::Relaxed
        } else {
            Ordering::AcqRel
        };
        match self.word.swap(NOTIFIED, ordering) {
            POLLING => Some(Sleep::Polling),
            PARKED => Some(Sleep::Parked),
            WATCHING => Some(Sleep::Watching),
            _ => None,
        }
    }
}

/// The id of a thread in the protocol, its state, and the condition variable on which it parks.
#[derive(Debug)]
pub(crate) struct Parker {
    pub(crate) id: ThreadId,
    pub(crate) state: ParkState,
    lock: Mutex<()>,
    unparked: Condvar,
}

impl Parker {
    pub(crate) fn new(id: ThreadId) -> Self {
        Parker {
            id,
            state: ParkState::new(),
            lock: Mutex::new(()),
            unparked: Condvar::new(),
        }
    }

    /// Sleeps on the condition variable until the thread is notified or nudged, or for at most
    /// `limit`.
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
        // Taking the lock makes sure that the sleeping thread either has not read the state yet or
        // is inside the wait.
        if !mutation!("unpark_skips_the_lock") {
            drop(self.lock.lock());
        }
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
    fn notify_returns_the_sleep_to_end() {
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
    fn nudge_ends_or_prevents_a_sleep_without_notifying() {
        let state = ParkState::new();
        for sleep in [Sleep::Parked, Sleep::Watching] {
            state.forget_nudges();
            assert!(state.begin(sleep));
            assert_eq!(state.nudge(), Some(sleep));
            assert!(!state.end() && !state.take());
            assert!(!state.begin(sleep), "the nudge is remembered");
            assert!(!state.end());
        }
        // A nudge does not end a sleep inside the reactor's wait.
        assert!(state.begin(Sleep::Polling));
        assert_eq!(state.nudge(), None);
        assert_eq!(state.notify(), Some(Sleep::Polling));
    }

    #[test]
    fn parked_thread_is_unparked() {
        let parker = Arc::new(Parker::new(ThreadId::numbered(0)));
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
        let parker = Arc::new(Parker::new(ThreadId::numbered(0)));
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
        let parker = Parker::new(ThreadId::numbered(0));
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
