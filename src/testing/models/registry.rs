//! The registry: a slot is reused for another object while an event of the former object is on its
//! way.

use super::{EDGES, explore};
use crate::core::registry::Registry;
use crate::core::source::state::{Nature, Request};
use crate::core::source::waiters::WaiterId;
use crate::core::source::{Direction, Event, Interest, Key, Source, Turn};
use crate::core::wake::WakeBatch;
use loom::sync::Arc;
use loom::thread;
use std::task::Waker;

type Sources = Registry<Source<()>>;

fn insert(registry: &Sources) -> Key {
    let (number, source) = registry.take().unwrap();
    let mut slot = source.lock();
    slot.raw = Some(());
    slot.state.occupy(Nature::default(), Interest::READ);
    source.forget();
    Key {
        slot: number,
        generation: slot.state.generation,
    }
}

fn remove(registry: &Sources, key: Key) {
    let source = registry.get(key.slot).unwrap();
    let mut slot = source.lock();
    assert_eq!(slot.state.generation, key.generation);
    slot.raw = None;
    let contents = slot.state.vacate();
    drop(slot);
    registry.give_back(key.slot);
    if let Some(contents) = contents {
        assert!(contents.discard().is_empty());
    }
}

/// Dispatches an event as `Engine::dispatch` does. Returns the number of tasks that it woke.
fn dispatch(registry: &Sources, key: Key) -> usize {
    let Some(source) = registry.get(key.slot) else {
        return 0;
    };
    let mut slot = source.lock();
    if slot.state.generation != key.generation {
        return 0;
    }
    let mut batch = WakeBatch::default();
    let (event, turn) = (Event::READABLE, Turn(1));
    let words = source.words();
    let _ = slot.state.deliver(words, event, turn, EDGES, &mut batch);
    batch.len()
}

fn wait(registry: &Sources, key: Key) {
    let source = registry.get(key.slot).unwrap();
    let (read, shared) = (Direction::Read, WaiterId::Shared);
    let (request, waker) = (Request::Refused, Waker::noop().clone());
    let mut slot = source.lock();
    let words = source.words();
    let _ = slot
        .state
        .enqueue(words, read, shared, request, waker, Turn(0));
}

/// Excluded: an event of an object that was removed meanwhile is delivered to the next object in
/// the same slot.
#[test]
fn removal_meets_the_dispatch() {
    explore("removal_meets_the_dispatch", || {
        let registry = Arc::new(Sources::new());
        let old = insert(&registry);
        let other = Arc::clone(&registry);
        let leader = thread::spawn(move || dispatch(&other, old));
        remove(&registry, old);
        let new = insert(&registry);
        assert!(new.slot == old.slot && new != old);
        wait(&registry, new);
        let woken = leader.join().unwrap();
        assert_eq!(woken, 0, "no task waited for the former object");
        assert_eq!(dispatch(&registry, new), 1);
    });
}

/// Excluded: two objects that are added at the same time share a slot, even if a slot was just
/// given back.
#[test]
fn two_objects_are_added_while_one_is_removed() {
    explore("two_objects_are_added_while_one_is_removed", || {
        let registry = Arc::new(Sources::new());
        let old = insert(&registry);
        let adding = [(); 2].map(|()| {
            let registry = Arc::clone(&registry);
            thread::spawn(move || insert(&registry))
        });
        remove(&registry, old);
        let [one, two] = adding.map(|thread| thread.join().unwrap());
        assert_ne!(one.slot, two.slot);
        assert!(one != old && two != old);
    });
}

/// Excluded: two slots are given back at the same time, and one of them is lost or given out twice.
#[test]
fn two_slots_are_given_back_at_once() {
    explore("two_slots_are_given_back_at_once", || {
        let registry = Arc::new(Sources::new());
        let slots = [(); 2].map(|()| registry.take().unwrap().0);
        let giving = slots.map(|slot| {
            let registry = Arc::clone(&registry);
            thread::spawn(move || registry.give_back(slot))
        });
        for thread in giving {
            thread.join().unwrap();
        }
        let mut again = [(); 2].map(|()| registry.take().unwrap().0);
        again.sort_unstable();
        assert_eq!(again, slots);
    });
}
