//! What the system is asked to report, while waiters come and events disarm.

use super::explore;
use crate::core::source::readiness::Readiness;
use crate::core::source::state::{Reporting, State};
use crate::core::source::waiters::Place;
use crate::core::source::{Direction, Event, Interest, PerDirection, Turn};
use crate::core::sync::Mutex;
use crate::core::wake::WakeBatch;
use loom::sync::Arc;
use loom::thread;
use std::task::Waker;

/// A source, and the interest that the kernel has for it. `epoll_ctl` is called under the source's lock, so that is what
/// protects it here.
struct Shared {
    words: PerDirection<Readiness>,
    state: Mutex<(State, Interest)>,
    reporting: Reporting,
}

impl Shared {
    fn new(reporting: Reporting, armed: Interest) -> Arc<Shared> {
        let mut state = State::vacant();
        state.occupy(crate::core::source::raw::made_up(3), armed);
        Arc::new(Shared {
            words: PerDirection::new(Readiness::new(), Readiness::new()),
            state: Mutex::new((state, armed)),
            reporting,
        })
    }

    fn wait(&self, direction: Direction) {
        let mut guard = self.state.lock();
        let (state, kernel) = &mut *guard;
        let slot = state.waiters.at(direction, Place::Slot).unwrap();
        slot.park(Waker::noop().clone());
        if let Some(interest) = state.awaited(direction) {
            *kernel = interest;
            state.armed = interest;
        }
    }

    /// The kernel reports an event, if it is asked for one, and the driver delivers it some time later.
    fn event(&self, event: Event, turn: Turn) {
        {
            let (_, kernel) = &mut *self.state.lock();
            if !Direction::BOTH
                .iter()
                .any(|it| kernel.has(*it) && event.concerns(*it))
            {
                return;
            }
            if self.reporting == Reporting::OneShot {
                *kernel = Interest::NONE;
            }
        }
        let mut guard = self.state.lock();
        let (state, kernel) = &mut *guard;
        let mut batch = WakeBatch::default();
        let change = state.deliver(&self.words, event, turn, self.reporting, &mut batch);
        if let Some(interest) = change {
            *kernel = interest;
            state.armed = interest;
        }
    }

    fn assert_who_waits_is_armed(&self) {
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

/// Excluded: a one-shot event for one direction disarms the other, in which somebody waits or begins to.
#[test]
fn one_shot_event_meets_a_new_waiter() {
    explore("one_shot_event_meets_a_new_waiter", || {
        let shared = Shared::new(Reporting::OneShot, Interest::NONE);
        shared.wait(Direction::Write);
        let (reader, driver) = (Arc::clone(&shared), Arc::clone(&shared));
        let reader = thread::spawn(move || reader.wait(Direction::Read));
        let driver = thread::spawn(move || driver.event(Event::WRITABLE, Turn(1)));
        reader.join().unwrap();
        driver.join().unwrap();
        shared.assert_who_waits_is_armed();
    });
}

/// Excluded: events that nobody awaited disarm a direction in the moment when somebody begins to wait.
#[test]
fn flood_is_turned_off_while_somebody_comes() {
    explore("flood_is_turned_off_while_somebody_comes", || {
        let shared = Shared::new(Reporting::Edges, Interest::READ);
        let (reader, driver) = (Arc::clone(&shared), Arc::clone(&shared));
        let driver = thread::spawn(move || {
            for turn in 1..4 {
                driver.event(Event::READABLE, Turn(turn));
            }
        });
        let reader = thread::spawn(move || reader.wait(Direction::Read));
        reader.join().unwrap();
        driver.join().unwrap();
        shared.assert_who_waits_is_armed();
    });
}
