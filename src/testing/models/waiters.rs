//! The waiters of one source: each waker is in one place, and none is lost.

use super::{Calls, Object, explore};
use crate::core::source::state::{Enqueue, Request};
use crate::core::source::waiters::WaiterId;
use crate::core::source::{Direction, Event, Interest, Turn};
use crate::core::wake::WakeBatch;
use loom::sync::Arc;
use loom::thread;

/// Excluded: a waiter is removed while an event comes, and its waker is both called and returned,
/// or neither called nor returned.
#[test]
fn cancellation_meets_an_event() {
    explore("cancellation_meets_an_event", || {
        let object = Object::armed(Interest::READ);
        let (leaving, staying) = (object.add(Direction::Read), object.add(Direction::Read));
        let calls = [Calls::new(), Calls::new()];
        for (id, calls) in [leaving, staying].into_iter().zip(&calls) {
            assert!(object.waits_since(object.reading().snapshot(), id, &calls.waker()));
        }
        let other = Arc::clone(&object);
        let leader = thread::spawn(move || {
            let mut batch = WakeBatch::default();
            other.deliver(Event::READABLE, Turn(1), &mut batch);
            batch.run();
        });
        let released = object.state.lock().waiters.remove(leaving);
        let returned = released.waker.is_some();
        leader.join().unwrap();
        assert_eq!(calls[0].count(), usize::from(!returned));
        assert_eq!(calls[1].count(), 1, "the neighbour is woken");
    });
}

/// Excluded: two tasks poll the shared waiter while an event comes, and one of them is neither
/// woken by the event, nor woken because it is displaced, nor enqueued.
#[test]
fn two_tasks_use_the_shared_waiter() {
    explore("two_tasks_use_the_shared_waiter", || {
        let object = Object::armed(Interest::READ);
        let calls = [Calls::new(), Calls::new()];
        let tasks = calls.clone().map(|calls| {
            let object = Arc::clone(&object);
            thread::spawn(move || {
                let (request, waker) = (Request::Refused, calls.waker());
                match object.enqueue(WaiterId::Shared, request, &waker, Turn(0)) {
                    Enqueue::Enqueued {
                        former: Some(former),
                        displaced: true,
                        ..
                    } => former.wake(),
                    Enqueue::Enqueued { former, .. } => assert!(former.is_none()),
                    Enqueue::Unneeded { .. } => unreachable!("this request always waits"),
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
