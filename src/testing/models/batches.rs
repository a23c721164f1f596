//! Wakers after they were collected under a lock and before they are called.

use super::{Object, explore_within};
use crate::core::park::{Parker, Sleep};
use crate::core::roles::ThreadId;
use crate::core::source::waiters::WaiterId;
use crate::core::source::{Direction, Event, Interest, Turn};
use crate::core::sync::atomic::{AtomicUsize, Ordering};
use crate::core::wake::WakeBatch;
use loom::sync::Arc;
use loom::thread;
use std::task::{Wake, Waker};

/// A task with a thread of its own, as in `block_on`.
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

/// Excluded: a task that waits again while its former waker is still in a batch misses the next
/// event. Also excluded: a task is not woken because the waker before its own panics.
#[test]
fn batch_is_run_while_the_task_waits_again() {
    explore_within("batch_is_run_while_the_task_waits_again", 3, || {
        let object = Object::armed(Interest::READ);
        let bytes = Arc::new(AtomicUsize::new(0));
        let panics = std::sync::Arc::new(Panics).into();
        assert!(object.waits_since(object.reading().snapshot(), WaiterId::Shared, &panics));
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

/// Returns after two bytes have been read. It sleeps until they arrive, so a lost wake-up is a
/// deadlock.
fn read_two(object: &Object, bytes: &AtomicUsize) {
    let task = std::sync::Arc::new(Task {
        parker: Parker::new(ThreadId::numbered(0)),
    });
    let waker = Waker::from(task.clone());
    let id = object.add(Direction::Read);
    let mut read = 0;
    loop {
        let seen = object.reading().snapshot();
        read += bytes.swap(0, Ordering::Acquire);
        if read == 2 {
            return;
        }
        if !object.waits_since(seen, id, &waker) {
            continue;
        }
        while !task.parker.state.take() {
            task.parker.park(None);
        }
    }
}
