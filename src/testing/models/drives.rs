//! Who drives: never does somebody wait while nobody polls and nobody is certain to. Where that happened, all threads of the
//! model would be blocked, which is what makes it fail.

use super::explore_within;
use super::world::World;
use crate::core::roles::Roles;
use loom::sync::Arc;
use loom::thread;

/// Excluded: the leader comes back from its wait and then blocks on another thread, which sits and is told by nobody that it
/// has to poll for itself.
#[test]
fn leader_blocks_on_who_sits() {
    explore_within("leader_blocks_on_who_sits", Some(3), || {
        let world = Arc::new(World::new(2));
        let other = Arc::clone(&world);
        let second = thread::spawn(move || {
            other.post(0);
            other.block_on(1);
            other.retire(1);
        });
        world.block_on(0);
        // Inside its future: the call has not ended, so there is no `retire`.
        world.post(1);
        second.join().unwrap();
    });
}

/// Excluded: three threads wait, the events come in an order that is not theirs, and of those that are left nobody polls.
/// Who is done has gone for good.
#[test]
fn last_of_three_is_served() {
    explore_within("last_of_three_is_served", Some(2), || {
        let world = Arc::new(World::new(3));
        let threads = [0, 1, 2].map(|me| {
            let world = Arc::clone(&world);
            thread::spawn(move || {
                world.block_on(me);
                world.retire(me);
            })
        });
        for task in [1, 0, 2] {
            world.post(task);
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// Excluded: a notification for the leader is used up by the fallback thread, from which it took the role and which is still
/// inside its wait.
#[test]
fn displaced_thread_passes_the_notification_on() {
    explore_within(
        "displaced_thread_passes_the_notification_on",
        Some(3),
        || {
            let world = Arc::new(World::new(1));
            let (fallback, main) = (Arc::clone(&world), Arc::clone(&world));
            let fallback = thread::spawn(move || {
                fallback.fallback_leads_once(Roles::try_lead_vacant);
            });
            let main = thread::spawn(move || {
                main.sleep_until_woken(0);
                // So that the fallback thread ends, too.
                main.interrupt();
            });
            world.wake(0);
            main.join().unwrap();
            fallback.join().unwrap();
        },
    );
}

/// Excluded: a thread in `block_on` goes to work on something that lasts, and the fallback thread, which gave way to it, does
/// not come back for the others.
#[test]
fn fallback_thread_comes_back() {
    explore_within("fallback_thread_comes_back", Some(2), || {
        let world = Arc::new(World::new(1));
        world.executor_waits();
        let (other, peer) = (Arc::clone(&world), Arc::clone(&world));
        let fallback = thread::spawn(move || other.fallback_drives());
        let peer = thread::spawn(move || peer.post(0));
        world.block_on(0);
        peer.join().unwrap();
        // Inside its future: there is no `retire`.
        world.post(1);
        fallback.join().unwrap();
    });
}
