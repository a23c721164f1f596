//! How a thread sleeps, and what ends its sleep.

use super::{explore, explore_within};
use crate::core::park::{ParkState, Parker, Sleep};
use crate::core::roles::ThreadId;
use crate::core::sync::atomic::{AtomicBool, Ordering};
use loom::sync::Arc;
use loom::thread;

/// Excluded: a notification is lost because the thread is about to sleep.
#[test]
fn notification_meets_a_thread_that_goes_to_sleep() {
    explore("notification_meets_a_thread_that_goes_to_sleep", || {
        let state = Arc::new(ParkState::new());
        let other = Arc::clone(&state);
        let notifier = thread::spawn(move || other.notify());
        let slept = state.begin(Sleep::Parked);
        let ended = notifier.join().unwrap();
        // Either the thread did not sleep, or the notifying thread ends its sleep.
        assert!(!slept || ended == Some(Sleep::Parked));
        assert!(state.is_notified());
    });
}

/// Excluded: a nudge is lost because the thread is about to sleep. Also excluded: a nudge leaves a
/// notification behind.
#[test]
fn nudge_meets_a_thread_that_goes_to_sleep() {
    explore("nudge_meets_a_thread_that_goes_to_sleep", || {
        let state = Arc::new(ParkState::new());
        let other = Arc::clone(&state);
        let nudger = thread::spawn(move || other.nudge());
        let slept = state.begin(Sleep::Watching);
        let ended = nudger.join().unwrap();
        assert!(!slept || ended == Some(Sleep::Watching));
        assert!(!state.is_notified());
    });
}

/// Excluded: a thread stays parked although it was notified, even if it is nudged at the same time.
/// (A model fails if all of its threads are blocked.)
#[test]
fn parked_thread_is_unparked() {
    explore_within("parked_thread_is_unparked", 3, || {
        let parker = Arc::new(Parker::new(ThreadId::numbered(0)));
        let wakers = [true, false].map(|notify| {
            let parker = Arc::clone(&parker);
            thread::spawn(move || {
                let state = &parker.state;
                let ended = if notify {
                    state.notify()
                } else {
                    state.nudge()
                };
                if ended == Some(Sleep::Parked) {
                    parker.unpark();
                }
            })
        });
        while !parker.state.take() {
            parker.state.forget_nudges();
            parker.park(None);
        }
        for waker in wakers {
            waker.join().unwrap();
        }
    });
}

/// Excluded: a notified thread does not see what the notifying thread did before the notification.
#[test]
fn notified_thread_sees_the_reason() {
    explore("notified_thread_sees_the_reason", || {
        let state = Arc::new(ParkState::new());
        let facts = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let notifiers = [0, 1].map(|which| {
            let (state, facts) = (Arc::clone(&state), Arc::clone(&facts));
            thread::spawn(move || {
                facts[which].store(true, Ordering::Relaxed);
                state.notify();
            })
        });
        let notified = state.take();
        let seen = facts.each_ref().map(|fact| fact.load(Ordering::Relaxed));
        assert!(!notified || seen[0] || seen[1]);
        for notifier in notifiers {
            notifier.join().unwrap();
        }
    });
}

/// Excluded: the second of two notifications has no effect because the first one has not been
/// taken, and the thread does not see what the second thread did.
#[test]
fn second_notification_counts() {
    explore("second_notification_counts", || {
        let state = Arc::new(ParkState::new());
        state.notify();
        let fact = Arc::new(AtomicBool::new(false));
        let (other, its_fact) = (Arc::clone(&state), Arc::clone(&fact));
        let notifier = thread::spawn(move || {
            its_fact.store(true, Ordering::Relaxed);
            other.notify();
        });
        assert!(state.take());
        let seen = fact.load(Ordering::Relaxed);
        let again = state.take();
        let notifier_is_late = notifier.join().map(|()| state.take()).unwrap();
        assert!(seen || again || notifier_is_late);
    });
}
