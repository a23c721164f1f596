//! The roles by themselves. [`super::driving`] runs them as part of the driver.

use super::explore;
use crate::core::roles::{Claim, Lead, Roles, Standby, ThreadId};
use loom::sync::Arc;
use loom::thread;

fn leads(roles: &Roles<u8>, id: ThreadId) -> bool {
    roles.try_lead(id, Claim::Away) != Lead::Occupied
}

/// Excluded: a thread stands by while the leader leaves its wait, and neither does the leader set
/// the alarm nor does the thread offer to lead again.
#[test]
fn leader_leaves_while_a_thread_stands_by() {
    explore("leader_leaves_while_a_thread_stands_by", || {
        let roles = Arc::new(Roles::<u8>::new());
        let (one, two) = (ThreadId::numbered(0), ThreadId::numbered(1));
        assert!(leads(&roles, one));
        let other = Arc::clone(&roles);
        let thread = thread::spawn(move || other.stand_by(two, 2));
        assert!(roles.leave(one, false));
        let alarm_set = roles.any_stands_by();
        let standby = thread.join().unwrap();
        assert!(alarm_set || standby.is_none(), "stands by without an alarm");
        if standby == Some(Standby::Watcher) {
            assert!(roles.is_watcher(two));
        }
    });
}

/// Excluded: threads stand by and none of them is the watcher, whatever the order in which others
/// leave.
#[test]
fn standby_threads_have_a_watcher() {
    explore("standby_threads_have_a_watcher", || {
        let roles = Arc::new(Roles::<u8>::new());
        let [leader, one, two, three] = [0, 1, 2, 3].map(ThreadId::numbered);
        assert!(leads(&roles, leader));
        for (handle, id) in [(1, one), (2, two), (3, three)] {
            assert!(roles.stand_by(id, handle).is_some());
        }
        let leaving = [one, two].map(|id| {
            let roles = Arc::clone(&roles);
            thread::spawn(move || roles.leave_standby(id))
        });
        for thread in leaving {
            let _ = thread.join().unwrap();
        }
        assert!(roles.is_watcher(three));
    });
}

/// Excluded: two threads offer to lead, and both become the leader.
#[test]
fn two_threads_offer_to_lead() {
    explore("two_threads_offer_to_lead", || {
        let roles = Arc::new(Roles::<u8>::new());
        let [one, two, three] = [0, 1, 2].map(ThreadId::numbered);
        assert!(leads(&roles, three));
        let others = [one, two].map(|id| {
            let roles = Arc::clone(&roles);
            thread::spawn(move || leads(&roles, id))
        });
        assert!(roles.leave(three, false));
        let led = others.map(|other| other.join().unwrap());
        assert!(!(led[0] && led[1]));
    });
}
