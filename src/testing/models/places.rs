//! The waiter list: where a waker is, nobody else has it, and it does not get lost.

use super::{Calls, Object, explore};
use crate::core::source::waiters::Place;
use crate::core::source::{Direction, Event, Interest, Turn};
use crate::core::wake::WakeBatch;
use loom::sync::Arc;
use loom::thread;

/// Excluded: a waiter leaves while an event comes, and its waker is both called and given back, or neither.
#[test]
fn cancellation_meets_an_event() {
    explore("cancellation_meets_an_event", || {
        let object = Object::armed(Interest::READ);
        let (leaving, staying) = (object.add(Direction::Read), object.add(Direction::Read));
        let calls = [Calls::new(), Calls::new()];
        for (id, calls) in [leaving, staying].into_iter().zip(&calls) {
            let mut state = object.state.lock();
            let waiter = state
                .waiters
                .at(Direction::Read, Place::Listed(id))
                .unwrap();
            waiter.park(calls.waker());
        }
        let other = Arc::clone(&object);
        let driver = thread::spawn(move || {
            let mut batch = WakeBatch::default();
            other.deliver(Event::READABLE, Turn(1), &mut batch);
            batch.run();
        });
        let given_back = object.state.lock().waiters.remove(leaving).is_some();
        driver.join().unwrap();
        assert_eq!(calls[0].count(), usize::from(!given_back));
        assert_eq!(calls[1].count(), 1, "the neighbour is woken");
    });
}

/// Excluded: two tasks poll the same slot while an event comes, and one of them is neither woken, nor told of by being
/// displaced, nor still in its place.
#[test]
fn two_tasks_in_one_slot_and_an_event() {
    explore("two_tasks_in_one_slot_and_an_event", || {
        let object = Object::armed(Interest::READ);
        let calls = [Calls::new(), Calls::new()];
        let tasks = calls.clone().map(|calls| {
            let object = Arc::clone(&object);
            thread::spawn(move || {
                let mut state = object.state.lock();
                let slot = state.waiters.at(Direction::Read, Place::Slot).unwrap();
                let displaced = slot.park(calls.waker());
                drop(state);
                // Its task comes back and finds out.
                if let Some(displaced) = displaced {
                    displaced.wake();
                }
            })
        });
        let mut batch = WakeBatch::default();
        object.deliver(Event::READABLE, Turn(1), &mut batch);
        batch.run();
        for task in tasks {
            task.join().unwrap();
        }
        let waits = object.state.lock().waiters.any(Direction::Read);
        let woken = calls[0].count() + calls[1].count();
        assert_eq!(woken + usize::from(waits), 2);
    });
}
