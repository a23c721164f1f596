//! Wakers between the lock under which they are collected and their call.

use super::{Object, explore_within};
use crate::core::parker::{Parker, Sleep};
use crate::core::roles::Seat;
use crate::core::source::waiters::Place;
use crate::core::source::{Direction, Event, Interest, Turn};
use crate::core::sync::atomic::{AtomicUsize, Ordering};
use crate::core::wake::WakeBatch;
use loom::sync::Arc;
use loom::thread;
use std::task::{Wake, Waker};

/// A task that has a thread to itself, as in `block_on`.
struct Task {
    parker: Parker,
}

impl Wake for Task {
    fn wake(self: std::sync::Arc<Self>) {
        if self.parker.state.notify() == Some(Sleep::Parked) {
            self.parker.unpark();
        }
    }
}

struct Panics;

impl Wake for Panics {
    fn wake(self: std::sync::Arc<Self>) {
        std::panic::resume_unwind(Box::new(()));
    }
}

/// Excluded: a task that waits again while its waker of last time is still in a batch misses the next event; a task is
/// forgotten because the waker before it in the batch panics.
#[test]
fn batch_is_run_while_the_task_waits_again() {
    explore_within("batch_is_run_while_the_task_waits_again", Some(3), || {
        let object = Object::armed(Interest::READ);
        let bytes = Arc::new(AtomicUsize::new(0));
        {
            let mut state = object.state.lock();
            let slot = state.waiters.at(Direction::Read, Place::Slot).unwrap();
            slot.park(std::sync::Arc::new(Panics).into());
        }
        let reader = {
            let (object, bytes) = (Arc::clone(&object), Arc::clone(&bytes));
            thread::spawn(move || read_two(&object, &bytes))
        };
        let mut batch = WakeBatch::default();
        for turn in 1..3 {
            bytes.fetch_add(1, Ordering::Release);
            object.deliver(Event::READABLE, Turn(turn), &mut batch);
            batch.run();
        }
        reader.join().unwrap();
    });
}

/// Returns when two bytes have been read; otherwise it sleeps, and the model ends in a deadlock.
fn read_two(object: &Object, bytes: &AtomicUsize) {
    let task = std::sync::Arc::new(Task {
        parker: Parker::new(Seat::numbered(0)),
    });
    let waker = Waker::from(task.clone());
    let place = Place::Listed(object.add(Direction::Read));
    let mut read = 0;
    loop {
        let seen = object.words.get(Direction::Read).snapshot();
        read += bytes.swap(0, Ordering::Acquire);
        if read == 2 {
            return;
        }
        let mut state = object.state.lock();
        if !object.words.get(Direction::Read).is_current(seen) {
            continue;
        }
        let waiter = state.waiters.at(Direction::Read, place).unwrap();
        let former = waiter.park(waker.clone());
        drop(state);
        drop(former);
        while !task.parker.state.take() {
            task.parker.park(None);
        }
    }
}
