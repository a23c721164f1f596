//! The timers, shared between the threads that set them and the thread that expires them.

use super::{Calls, explore};
use crate::core::clock::Deadline;
use crate::core::roles::{Claim, Lead, Roles, ThreadId};
use crate::core::sync::atomic::{AtomicUsize, Ordering};
use crate::core::timers::Timers;
use crate::core::wake::WakeBatch;
use loom::sync::Arc;
use loom::thread;
use std::task::Waker;

const DUE: Deadline = Deadline::from_nanos(5);
const LATER: Deadline = Deadline::from_nanos(50);

fn expire(timers: &Timers, now: Deadline) {
    let mut batch = WakeBatch::default();
    timers.expire(now, 10, &mut batch);
    batch.run();
}

/// Excluded: the thread that goes to sleep does not see a new earliest deadline, and the inserting
/// thread does not see that it sleeps.
#[test]
fn earlier_deadline_meets_a_leader_that_goes_to_sleep() {
    explore("earlier_deadline_meets_a_leader_that_goes_to_sleep", || {
        let roles = Arc::new(Roles::<u8>::new());
        let timers = Arc::new(Timers::new());
        let notified = AtomicUsize::new(0);
        let leader = {
            let (roles, timers) = (Arc::clone(&roles), Arc::clone(&timers));
            thread::spawn(move || {
                assert_ne!(
                    roles.try_lead(ThreadId::numbered(0), Claim::Away),
                    Lead::Occupied
                );
                timers.wake_up_time()
            })
        };
        let (_, earliest) = timers.insert(DUE, Waker::noop().clone()).unwrap();
        if earliest && roles.any_thread_waits() {
            notified.fetch_add(1, Ordering::Relaxed);
        }
        let sleeps_until = leader.join().unwrap();
        assert!(sleeps_until == DUE || notified.load(Ordering::Relaxed) == 1);
    });
}

/// Excluded: the same for a timer that is reset to an earlier deadline.
#[test]
fn reset_to_earlier_meets_a_leader_that_goes_to_sleep() {
    explore("reset_to_earlier_meets_a_leader_that_goes_to_sleep", || {
        let roles = Arc::new(Roles::<u8>::new());
        let timers = Arc::new(Timers::new());
        let (key, _) = timers
            .insert(Deadline::NEVER, Waker::noop().clone())
            .unwrap();
        let leader = {
            let (roles, timers) = (Arc::clone(&roles), Arc::clone(&timers));
            thread::spawn(move || {
                assert_ne!(
                    roles.try_lead(ThreadId::numbered(0), Claim::Away),
                    Lead::Occupied
                );
                timers.wake_up_time()
            })
        };
        let notified = timers.reset(key, DUE) == Some(true) && roles.any_thread_waits();
        assert!(leader.join().unwrap() == DUE || notified);
    });
}

/// Excluded: a timer is dropped while it fires, and the drop removes another timer that reuses its
/// entry. Also excluded: the waker is both called and returned, or neither called nor returned.
#[test]
fn drop_meets_the_firing() {
    explore("drop_meets_the_firing", || {
        let timers = Arc::new(Timers::new());
        let [first, second] = [Calls::new(), Calls::new()];
        let (key, _) = timers.insert(DUE, first.waker()).unwrap();
        let driver = {
            let (timers, second) = (Arc::clone(&timers), second.clone());
            thread::spawn(move || {
                expire(&timers, DUE);
                timers.insert(DUE, second.waker()).unwrap()
            })
        };
        let returned = timers.remove(key).is_some();
        let (second_key, _) = driver.join().unwrap();
        assert_eq!(first.count(), usize::from(!returned));
        assert_ne!(second_key, key);
        expire(&timers, DUE);
        assert_eq!(second.count(), 1);
    });
}

/// Excluded: a timer is reset while it fires, and the reset reports it as pending although it has
/// fired. Also excluded: the timer stays pending and does not fire.
#[test]
fn reset_meets_the_firing() {
    explore("reset_meets_the_firing", || {
        let timers = Arc::new(Timers::new());
        let calls = Calls::new();
        let (key, _) = timers.insert(DUE, calls.waker()).unwrap();
        let other = Arc::clone(&timers);
        let driver = thread::spawn(move || expire(&other, DUE));
        let pending = timers.reset(key, LATER).is_some();
        driver.join().unwrap();
        assert_eq!(calls.count(), usize::from(!pending));
        assert_eq!(timers.next() == LATER, pending);
        expire(&timers, LATER);
        assert_eq!(calls.count(), 1);
    });
}

/// Excluded: a timer gets the waker of another task while it fires, and that task is neither woken
/// nor learns that the timer has fired.
#[test]
fn new_task_meets_the_firing() {
    explore("new_task_meets_the_firing", || {
        let timers = Arc::new(Timers::new());
        let [first, second] = [Calls::new(), Calls::new()];
        let (key, _) = timers.insert(DUE, first.waker()).unwrap();
        let other = Arc::clone(&timers);
        let driver = thread::spawn(move || expire(&other, DUE));
        let fired = timers.set_waker(key, second.waker()).is_err();
        driver.join().unwrap();
        assert_eq!(first.count(), usize::from(fired));
        assert_eq!(second.count(), usize::from(!fired));
    });
}
