//! The readiness word: what a reader concludes while events are delivered.

use super::{Object, explore};
use crate::core::source::waiters::{Place, Question};
use crate::core::source::{Direction, Event, Interest, Turn, Turns};
use crate::core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::core::wake::WakeBatch;
use loom::sync::Arc;
use loom::thread;
use std::task::Waker;

/// Excluded: an edge between an operation's "would block" and its wait is lost. The reader sleeps only if a delivery that is
/// still to come will find its waker.
#[test]
fn event_between_would_block_and_the_wait() {
    explore("event_between_would_block_and_the_wait", || {
        let object = Object::armed(Interest::READ);
        let data = Arc::new(AtomicBool::new(false));
        let kernel_and_driver = {
            let (object, data) = (Arc::clone(&object), Arc::clone(&data));
            thread::spawn(move || {
                data.store(true, Ordering::Release);
                let mut batch = WakeBatch::default();
                object.deliver(Event::READABLE, Turn(1), &mut batch);
                batch.len()
            })
        };
        let slept = loop {
            let seen = object.words.get(Direction::Read).snapshot();
            if data.load(Ordering::Acquire) {
                break false;
            }
            if park_if_current(&object, seen) {
                break true;
            }
        };
        let woken = kernel_and_driver.join().unwrap();
        assert_eq!(woken == 1, slept, "who sleeps is woken");
    });
}

fn park_if_current(object: &Object, seen: crate::core::source::readiness::Snapshot) -> bool {
    let mut state = object.state.lock();
    let current = object.words.get(Direction::Read).is_current(seen);
    if current {
        let slot = state.waiters.at(Direction::Read, Place::Slot).unwrap();
        slot.park(Waker::noop().clone());
    }
    current
}

/// Excluded: after a short read the word says "empty" although more data has come, so that the next read waits without a
/// look, and nobody comes.
#[test]
fn short_read_meets_an_event() {
    explore("short_read_meets_an_event", || {
        let object = Object::armed(Interest::READ);
        object.words.get(Direction::Read).set_tcp(true);
        // One byte is there already, its event delivered.
        let bytes = Arc::new(AtomicUsize::new(1));
        let kernel_and_driver = {
            let (object, bytes) = (Arc::clone(&object), Arc::clone(&bytes));
            thread::spawn(move || {
                bytes.fetch_add(1, Ordering::Release);
                let mut batch = WakeBatch::default();
                object.deliver(Event::READABLE, Turn(1), &mut batch);
                batch.len()
            })
        };
        let mut read = 0;
        let slept = loop {
            let seen = object.words.get(Direction::Read).snapshot();
            if !object.words.get(Direction::Read).skip_look(seen) {
                let now = bytes.swap(0, Ordering::Acquire);
                if now > 0 {
                    object.words.get(Direction::Read).note_drained(seen);
                    read += now;
                    if read == 2 {
                        break false;
                    }
                    continue;
                }
            }
            if park_if_current(&object, seen) {
                break true;
            }
        };
        let woken = kernel_and_driver.join().unwrap();
        assert!(!slept || woken == 1, "sleeps on data that was announced");
    });
}

/// Excluded: the question "ready now?", to which the kernel has said no, is answered by an event that was fetched before.
#[test]
fn stale_event_meets_a_question() {
    explore("stale_event_meets_a_question", || {
        let object = Object::armed(Interest::READ);
        let turns = Arc::new(Turns::new());
        // The data, and the edge that told of it and has not been fetched yet.
        let data = Arc::new(AtomicBool::new(true));
        let driver = {
            let (object, turns) = (Arc::clone(&object), Arc::clone(&turns));
            let data = Arc::clone(&data);
            thread::spawn(move || {
                let turn = turns.begin();
                // The kernel reports an edge only if there is something to it when it is fetched.
                if data.load(Ordering::Acquire) {
                    let mut batch = WakeBatch::default();
                    object.deliver(Event::READABLE, turn, &mut batch);
                }
            })
        };
        // The reader takes the data, and then waits for more.
        data.swap(false, Ordering::AcqRel);
        {
            let mut state = object.state.lock();
            let slot = state.waiters.at(Direction::Read, Place::Slot).unwrap();
            slot.park(Waker::noop().clone());
            slot.question = Question::Ready;
        }
        let is_ready = data.load(Ordering::Acquire);
        let asked_at = turns.last();
        assert!(!is_ready);
        {
            let mut state = object.state.lock();
            let slot = state.waiters.at(Direction::Read, Place::Slot).unwrap();
            if slot.question == Question::Ready && slot.is_parked() {
                slot.question = Question::ReadySince(asked_at);
            }
        }
        driver.join().unwrap();
        let mut state = object.state.lock();
        let slot = state.waiters.at(Direction::Read, Place::Slot).unwrap();
        assert_ne!(slot.question, Question::Answered);
    });
}
