//! The pure modules under loom: every interleaving of two or three threads, within loom's bounds.
//!
//! `cargo xtask loom` runs them. Each model says which interleaving it excludes.

#[path = "driver/parker.rs"]
#[allow(dead_code)]
pub(crate) mod parker;
#[path = "driver/roles.rs"]
#[allow(dead_code)]
pub(crate) mod roles;

use crate::clock::Deadline;
use crate::source::readiness::Readiness;
use crate::source::state::{Reporting, State};
use crate::source::waiters::Place;
use crate::source::{Direction, Event, Interest, PerDirection, Turn};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::timers::Timers;
use crate::wake::WakeBatch;
use loom::sync::Arc;
use loom::thread;
use parker::{ParkState, Sleep};
use roles::{Lead, Roles, Seat, Sitting};
use std::task::Waker;

/// One source as the reactor holds it, and the "kernel": whether there is data.
struct Object {
    words: PerDirection<Readiness>,
    state: Mutex<State>,
    data: AtomicBool,
}

/// Excluded: an edge between an operation's "would block" and its wait is lost. The reader sleeps only if a delivery that is
/// still to come will find its waker.
#[test]
fn event_between_would_block_and_the_wait() {
    loom::model(|| {
        let mut state = State::vacant();
        state.occupy(3, Interest::READ);
        let object = Arc::new(Object {
            words: PerDirection::new(Readiness::new(), Readiness::new()),
            state: Mutex::new(state),
            data: AtomicBool::new(false),
        });
        let other = Arc::clone(&object);
        let kernel_and_driver = thread::spawn(move || {
            other.data.store(true, Ordering::Release);
            let mut batch = WakeBatch::default();
            other.state.lock().deliver(
                &other.words,
                Event::READABLE,
                Turn(1),
                Reporting::Edges,
                &mut batch,
            );
            batch.len()
        });
        let slept = loop {
            let seen = object.words.get(Direction::Read).snapshot();
            if object.data.load(Ordering::Acquire) {
                break false;
            }
            let mut state = object.state.lock();
            if object.words.get(Direction::Read).is_current(seen) {
                if let Some(waiter) = state.waiters.at(Direction::Read, Place::Slot) {
                    waiter.park(Waker::noop().clone());
                }
                break true;
            }
        };
        let woken = kernel_and_driver.join().unwrap();
        assert_eq!(woken == 1, slept, "who sleeps is woken");
    });
}

/// Excluded: a notification that meets a thread on its way to sleep is lost.
#[test]
fn notification_meets_a_thread_that_goes_to_sleep() {
    for nudge in [false, true] {
        loom::model(move || {
            let state = Arc::new(ParkState::new());
            let other = Arc::clone(&state);
            let notifier =
                thread::spawn(move || if nudge { other.nudge() } else { other.notify() });
            let slept = state.begin(Sleep::Parked);
            let ended = notifier.join().unwrap();
            // Either the thread did not sleep, or the notifier was told to end the sleep.
            assert!(!slept || ended == Some(Sleep::Parked));
            assert_eq!(state.is_notified(), !nudge);
        });
    }
}

/// Excluded: a thread sits down, the leader leaves its wait, and neither the leader sets the alarm nor the sitter offers to
/// lead.
#[test]
fn leader_leaves_while_somebody_sits_down() {
    loom::model(|| {
        let roles = Arc::new(Roles::<u8>::new());
        let (one, two) = (Seat::numbered(0), Seat::numbered(1));
        assert_eq!(roles.try_lead(one), Lead::Granted);
        let other = Arc::clone(&roles);
        let sitter = thread::spawn(move || other.sit(two, 2));
        assert!(roles.leave(one));
        let alarm_set = roles.somebody_sits();
        let sits = sitter.join().unwrap();
        assert!(alarm_set || sits.is_none(), "sits and nobody watches");
        if sits == Some(Sitting::Watching) {
            assert!(roles.is_watcher(two));
        }
    });
}

/// Excluded: of several sitters nobody is the watcher, whatever the order in which they rise.
#[test]
fn somebody_is_the_watcher_while_somebody_sits() {
    loom::model(|| {
        let roles = Arc::new(Roles::<u8>::new());
        let [leader, one, two, three] = [0, 1, 2, 3].map(Seat::numbered);
        assert_eq!(roles.try_lead(leader), Lead::Granted);
        for (name, seat) in [(1, one), (2, two), (3, three)] {
            assert!(roles.sit(seat, name).is_some());
        }
        let risers = [one, two].map(|seat| {
            let roles = Arc::clone(&roles);
            thread::spawn(move || roles.rise(seat))
        });
        for riser in risers {
            let _ = riser.join().unwrap();
        }
        assert!(roles.is_watcher(three));
    });
}

/// Excluded: a new earlier deadline is neither seen by the thread that goes to sleep nor told to it.
#[test]
fn earlier_deadline_meets_a_leader_that_goes_to_sleep() {
    loom::model(|| {
        let roles = Arc::new(Roles::<u8>::new());
        let timers = Arc::new(Timers::new());
        let told = Arc::new(AtomicUsize::new(0));
        let leader = {
            let (roles, timers) = (Arc::clone(&roles), Arc::clone(&timers));
            thread::spawn(move || {
                assert_eq!(roles.try_lead(Seat::numbered(0)), Lead::Granted);
                timers.next()
            })
        };
        let deadline = Deadline::from_nanos(5);
        let (_, earliest) = timers.insert(deadline, Waker::noop().clone());
        if earliest && roles.somebody_waits() {
            told.fetch_add(1, Ordering::Relaxed);
        }
        let sleeps_until = leader.join().unwrap();
        assert!(sleeps_until == deadline || told.load(Ordering::Relaxed) == 1);
    });
}
