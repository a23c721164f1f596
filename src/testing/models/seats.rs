//! The roles alone; [`super::drives`] has them at work.

use super::explore;
use crate::core::roles::{Lead, Roles, Seat, Sitting};
use loom::sync::Arc;
use loom::thread;

/// Excluded: a thread sits down, the leader leaves its wait, and neither the leader sets the alarm nor the sitter offers to
/// lead.
#[test]
fn leader_leaves_while_somebody_sits_down() {
    explore("leader_leaves_while_somebody_sits_down", || {
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
    explore("somebody_is_the_watcher_while_somebody_sits", || {
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

/// Excluded: two threads believe to lead.
#[test]
fn two_offer_to_lead() {
    explore("two_offer_to_lead", || {
        let roles = Arc::new(Roles::<u8>::new());
        let (one, two, three) = (Seat::numbered(0), Seat::numbered(1), Seat::numbered(2));
        assert_eq!(roles.try_lead(three), Lead::Granted);
        let others = [one, two].map(|seat| {
            let roles = Arc::clone(&roles);
            thread::spawn(move || roles.try_lead(seat) == Lead::Granted)
        });
        assert!(roles.leave(three));
        let led = others.map(|other| other.join().unwrap());
        assert!(!(led[0] && led[1]));
    });
}
