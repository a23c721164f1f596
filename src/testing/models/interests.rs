//! The interest of the system, while new waiters add to it and events disarm it.

use super::{explore, occupied, with};
use crate::core::source::readiness::Readiness;
use crate::core::source::state::{Enqueue, Reporting, Request, State};
use crate::core::source::waiters::WaiterId;
use crate::core::source::{Direction, Event, Interest, PerDirection, Turn};
use crate::core::sync::Mutex;
use crate::core::wake::WakeBatch;
use loom::sync::Arc;
use loom::thread;
use std::task::Waker;

/// A source, and the interest that the kernel has for it. `epoll_ctl` is called under the source's
/// lock, so that lock also protects the kernel's interest here.
struct Shared {
    words: PerDirection<Readiness>,
    state: Mutex<(State, Interest)>,
    reporting: Reporting,
}

impl Shared {
    fn new(reporting: Reporting, armed: Interest) -> Arc<Shared> {
        Arc::new(Shared {
            words: PerDirection::new(Readiness::new(), Readiness::new()),
            state: Mutex::new((occupied(armed), armed)),
            reporting,
        })
    }

    fn wait(&self, direction: Direction) {
        let mut guard = self.state.lock();
        let (state, kernel) = &mut *guard;
        let (shared, waker) = (WaiterId::Shared, Waker::noop().clone());
        let request = Request::Refused;
        match state.enqueue(&self.words, direction, shared, request, waker, Turn(0)) {
            Enqueue::Enqueued { arm: None, .. } => {}
            Enqueue::Enqueued {
                arm: Some(interest),
                ..
            } => {
                *kernel = interest;
                state.has_armed(interest);
            }
            Enqueue::Unneeded { .. } => unreachable!("this request always waits"),
        }
    }

    /// Has the kernel report an event if it is asked for one. The leader delivers the event later.
    fn event(&self, event: Event, turn: Turn) {
        {
            let (_, kernel) = &mut *self.state.lock();
            let mut directions = Direction::BOTH.iter();
            if !directions.any(|it| kernel.has(*it) && event.concerns(*it)) {
                return;
            }
            if self.reporting == Reporting::OneShot {
                *kernel = Interest::NONE;
            }
        }
        let mut guard = self.state.lock();
        let (state, kernel) = &mut *guard;
        let mut batch = WakeBatch::default();
        let traits = with(self.reporting);
        if let Some(interest) = state.deliver(&self.words, event, turn, traits, &mut batch) {
            *kernel = interest;
            state.has_armed(interest);
        }
    }

    fn assert_waiting_directions_are_armed(&self) {
        let (state, kernel) = &*self.state.lock();
        for direction in Direction::BOTH {
            let waits = state.waiters.any(direction);
            assert!(
                !waits || kernel.has(direction),
                "{direction:?} waits, the kernel has {kernel:?}"
            );
        }
    }
}

/// Excluded: a one-shot event for one direction disarms the other one, although a task waits for it
/// or begins to wait.
#[test]
fn one_shot_event_meets_a_new_waiter() {
    explore("one_shot_event_meets_a_new_waiter", || {
        let shared = Shared::new(Reporting::OneShot, Interest::NONE);
        shared.wait(Direction::Write);
        let (reader, leader) = (Arc::clone(&shared), Arc::clone(&shared));
        let reader = thread::spawn(move || reader.wait(Direction::Read));
        let leader = thread::spawn(move || leader.event(Event::WRITABLE, Turn(1)));
        reader.join().unwrap();
        leader.join().unwrap();
        shared.assert_waiting_directions_are_armed();
    });
}

/// Excluded: unclaimed events disarm a direction while a task begins to wait for it.
#[test]
fn flood_is_turned_off_while_a_waiter_comes() {
    explore("flood_is_turned_off_while_a_waiter_comes", || {
        let shared = Shared::new(Reporting::Edges, Interest::READ);
        let (reader, leader) = (Arc::clone(&shared), Arc::clone(&shared));
        let leader = thread::spawn(move || {
            for turn in 1..4 {
                leader.event(Event::READABLE, Turn(turn));
            }
        });
        let reader = thread::spawn(move || reader.wait(Direction::Read));
        reader.join().unwrap();
        leader.join().unwrap();
        shared.assert_waiting_directions_are_armed();
    });
}
