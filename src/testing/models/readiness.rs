//! The readiness word: what a reader concludes while events are delivered.

use super::{Object, explore};
use crate::core::source::readiness::Snapshot;
use crate::core::source::state::{Enqueue, Request};
use crate::core::source::waiters::{Knowledge, WaiterId};
use crate::core::source::{Direction, Event, Interest, Turn, Turns};
use crate::core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::core::wake::WakeBatch;
use loom::sync::Arc;
use loom::thread;
use std::task::Waker;

/// Delivers an event. Returns the number of tasks that it woke.
fn deliver(object: &Object, turn: Turn) -> usize {
    let mut batch = WakeBatch::default();
    object.deliver(Event::READABLE, turn, &mut batch);
    batch.len()
}

fn waits_since(object: &Object, seen: Snapshot) -> bool {
    object.waits_since(seen, WaiterId::Shared, Waker::noop())
}

/// Excluded: an edge between an operation's `WouldBlock` and its wait is lost. The reader sleeps
/// only if a later delivery will find its waker.
#[test]
fn event_between_would_block_and_the_wait() {
    explore("event_between_would_block_and_the_wait", || {
        let object = Object::armed(Interest::READ);
        let data = Arc::new(AtomicBool::new(false));
        let kernel_and_leader = {
            let (object, data) = (Arc::clone(&object), Arc::clone(&data));
            thread::spawn(move || {
                data.store(true, Ordering::Release);
                deliver(&object, Turn(1))
            })
        };
        let slept = loop {
            let seen = object.reading().snapshot();
            if data.load(Ordering::Acquire) {
                break false;
            }
            if waits_since(&object, seen) {
                break true;
            }
        };
        let woken = kernel_and_leader.join().unwrap();
        assert_eq!(woken == 1, slept, "a sleeping task is woken");
    });
}

/// Excluded: after a short read the word says "drained" although more data has arrived. The next
/// read would wait without a system call, and no event would follow.
#[test]
fn short_read_meets_an_event() {
    explore("short_read_meets_an_event", || {
        let object = Object::armed(Interest::READ);
        object.reading().set_tcp(true);
        // One byte is already there, and its event was delivered.
        let bytes = Arc::new(AtomicUsize::new(1));
        let kernel_and_leader = {
            let (object, bytes) = (Arc::clone(&object), Arc::clone(&bytes));
            thread::spawn(move || {
                bytes.fetch_add(1, Ordering::Release);
                deliver(&object, Turn(1))
            })
        };
        let mut read = 0;
        let slept = loop {
            let seen = object.reading().snapshot();
            if seen.is_drained() {
                if object.enqueue_after_short_read(seen, Waker::noop(), Turn(0)) {
                    break true;
                }
            }
            let now = bytes.swap(0, Ordering::Acquire);
            if now > 0 {
                object.reading().note_drained(seen);
                read += now;
                if read == 2 {
                    break false;
                }
            } else if waits_since(&object, seen) {
                break true;
            }
        };
        let woken = kernel_and_leader.join().unwrap();
        assert!(!slept || woken == 1, "sleeps on data that was reported");
    });
}

/// Excluded: the kernel answers "not ready", and an event that was fetched before the answer makes
/// the waiter ready.
#[test]
fn stale_event_meets_a_question() {
    explore("stale_event_meets_a_question", || {
        let object = Object::armed(Interest::READ);
        let turns = Arc::new(Turns::new());
        // The data, and the edge that reports it. No turn has fetched the edge yet.
        let data = Arc::new(AtomicBool::new(true));
        let leader = {
            let (object, turns) = (Arc::clone(&object), Arc::clone(&turns));
            let data = Arc::clone(&data);
            thread::spawn(move || {
                let turn = turns.begin();
                // The kernel reports an edge only if its cause is still there.
                if data.load(Ordering::Acquire) {
                    deliver(&object, turn);
                }
            })
        };
        // The reader takes the data, and then asks for more.
        data.swap(false, Ordering::AcqRel);
        let (shared, waker) = (WaiterId::Shared, Waker::noop());
        let result = object.enqueue(shared, Request::Ready, waker, turns.latest());
        assert!(matches!(result, Enqueue::Enqueued { ask: true, .. }));
        let is_ready = data.load(Ordering::Acquire);
        let latest = turns.latest_after_call();
        assert!(!is_ready);
        let (words, read) = (&object.words, Direction::Read);
        let mut state = object.state.lock();
        state.found_unready(words, read, shared, Waker::noop(), latest);
        drop(state);
        leader.join().unwrap();
        let mut state = object.state.lock();
        let waiter = state.waiters.get(read, shared).unwrap();
        assert_ne!(waiter.knowledge, Knowledge::Ready);
    });
}
