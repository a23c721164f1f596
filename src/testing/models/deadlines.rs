//! The timers, shared between the threads that set them and the thread that expires them.

use super::{Calls, explore, explore_within};
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

/// Starts a leader that announces its wait and computes when it wakes up.
fn leader(roles: &Arc<Roles<u8>>, timers: &Arc<Timers>) -> thread::JoinHandle<Deadline> {
    let (roles, timers) = (Arc::clone(roles), Arc::clone(timers));
    thread::spawn(move || {
        let lead = roles.try_lead(ThreadId::numbered(0), Claim::Away);
        assert_ne!(lead, Lead::Occupied);
        timers.wake_up_time()
    })
}

/// Excluded: the thread that goes to sleep does not see a new earliest deadline, and the inserting
/// thread does not see that it sleeps.
#[test]
fn earlier_deadline_meets_a_leader_that_goes_to_sleep() {
    explore("earlier_deadline_meets_a_leader_that_goes_to_sleep", || {
        let roles = Arc::new(Roles::<u8>::new());
        let timers = Arc::new(Timers::new(1));
        let notified = AtomicUsize::new(0);
        let leader = leader(&roles, &timers);
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
        let timers = Arc::new(Timers::new(1));
        let (key, _) = timers
            .insert(Deadline::NEVER, Waker::noop().clone())
            .unwrap();
        let leader = leader(&roles, &timers);
        let notified = timers.reset(key, DUE) == Some(true) && roles.any_thread_waits();
        assert!(leader.join().unwrap() == DUE || notified);
    });
}

/// Excluded: a timer is dropped while it fires, and the drop removes another timer that reuses its
/// entry. Also excluded: the waker is both called and returned, or neither called nor returned.
#[test]
fn drop_meets_the_firing() {
    explore("drop_meets_the_firing", || {
        let timers = Arc::new(Timers::new(1));
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
        let timers = Arc::new(Timers::new(1));
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
        let timers = Arc::new(Timers::new(1));
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

/// Excluded: a thread computes the minimum of the shards, another thread sets an earlier deadline in
/// a shard that was read already, and neither sees the other. Meanwhile a third thread removes the
/// deadline that the minimum came from.
#[test]
fn earlier_deadline_of_one_shard_meets_the_minimum_of_all() {
    explore_within(
        "earlier_deadline_of_one_shard_meets_the_minimum_of_all",
        4,
        || {
            let roles = Arc::new(Roles::<u8>::new());
            let timers = Arc::new(Timers::new(2));
            let waker = || Waker::noop().clone();
            let (other, _) = timers.insert_in(1, DUE, waker()).unwrap();
            let leader = leader(&roles, &timers);
            let remover = {
                let timers = Arc::clone(&timers);
                thread::spawn(move || drop(timers.remove(other)))
            };
            let (_, earliest) = timers.insert_in(0, LATER, waker()).unwrap();
            let notified = earliest && roles.any_thread_waits();
            let sleeps_until = leader.join().unwrap();
            remover.join().unwrap();
            assert!(sleeps_until <= LATER || notified);
        },
    );
}

/// Excluded: of two threads that use a shard for the first time, the second one sees that the shard is
/// used, but the leader that goes to sleep sees neither that nor its timer.
#[test]
fn two_threads_use_a_shard_for_the_first_time_beside_a_leader() {
    explore_within(
        "two_threads_use_a_shard_for_the_first_time_beside_a_leader",
        3,
        || {
            let roles = Arc::new(Roles::<u8>::new());
            let timers = Arc::new(Timers::new(1));
            let leader = leader(&roles, &timers);
            let other = {
                let timers = Arc::clone(&timers);
                thread::spawn(move || drop(timers.insert(LATER, Waker::noop().clone())))
            };
            let (_, earliest) = timers.insert(DUE, Waker::noop().clone()).unwrap();
            let notified = earliest && roles.any_thread_waits();
            let sleeps_until = leader.join().unwrap();
            other.join().unwrap();
            assert!(sleeps_until == DUE || notified);
        },
    );
}

/// Excluded: a timer of another thread's shard is cancelled while it fires, and is both called and
/// returned, or neither.
#[test]
fn cancellation_across_shards_meets_the_firing() {
    explore("cancellation_across_shards_meets_the_firing", || {
        let timers = Arc::new(Timers::new(2));
        let calls = [Calls::new(), Calls::new()];
        let [one, two] = [0, 1].map(|shard| {
            let (key, _) = timers.insert_in(shard, DUE, calls[shard].waker()).unwrap();
            key
        });
        let other = Arc::clone(&timers);
        let driver = thread::spawn(move || expire(&other, DUE));
        let returned = [two, one].map(|key| timers.remove(key).is_some());
        driver.join().unwrap();
        assert_eq!(calls[1].count(), usize::from(!returned[0]));
        assert_eq!(calls[0].count(), usize::from(!returned[1]));
        assert!(timers.next().is_never());
    });
}

/// Excluded: a shard has no room, and the timer that goes to another shard is not seen by a leader
/// that goes to sleep.
#[test]
fn timer_that_finds_its_shard_full_meets_a_leader_that_goes_to_sleep() {
    explore(
        "timer_that_finds_its_shard_full_meets_a_leader_that_goes_to_sleep",
        || {
            let roles = Arc::new(Roles::<u8>::new());
            let timers = Arc::new(Timers::new(2));
            timers.fill(0);
            let leader = leader(&roles, &timers);
            let (_, earliest) = timers.insert_in(0, DUE, Waker::noop().clone()).unwrap();
            let notified = earliest && roles.any_thread_waits();
            assert!(leader.join().unwrap() == DUE || notified);
        },
    );
}
