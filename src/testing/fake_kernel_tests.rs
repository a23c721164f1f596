//! The contract of `sys` from the other side: whatever a poller of these kinds does, in whatever order, nobody who waits
//! for a ready object is left unarmed or unwoken, nobody is told "ready" for nothing, and no poller is kept busy.
//!
//! Four tasks share one object, one for each direction and kind of wait. They go through the steps of
//! `reactor::waiting` one at a time, so that every event can come between any two steps.

use super::fake_kernel::{
    AFD, EPOLL_EDGES, EPOLL_ONE_SHOT, FakeKernel, KQUEUE_EDGES, KQUEUE_ONE_SHOT, Kind,
    LEVELS_FOR_EDGES, POLL, Refusal,
};
use crate::core::source::readiness::Snapshot;
use crate::core::source::state::{Armed, Reporting};
use crate::core::source::waiters::{Place, Question};
use crate::core::source::{Direction, Event, Interest, Key, Source, Turn};
use crate::core::wake::WakeBatch;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

#[derive(Clone, Debug)]
enum Step {
    /// A task tries its operation, or comes back after it was woken.
    Try(usize),
    /// It has found nothing and goes to sleep.
    Park(usize),
    /// It has been put in its place, and asks the system.
    Ask(usize),
    /// It gives its wait up.
    Cancel(usize),
    Change(Direction, bool),
    HangUp,
    Lie(Direction),
    Refuse(Refusal),
    /// A turn begins, and fetches events.
    Fetch,
    /// It tells the source of one of them.
    Dispatch,
    /// The object is dropped, and another one gets its slot.
    Replace,
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::Read), Just(Direction::Write)]
}

fn refusal() -> impl Strategy<Value = Refusal> {
    prop_oneof![
        Just(Refusal::Unchanged),
        Just(Refusal::Half),
        Just(Refusal::Lost)
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0usize..4).prop_map(Step::Try),
        6 => (0usize..4).prop_map(Step::Park),
        3 => (0usize..4).prop_map(Step::Ask),
        1 => (0usize..4).prop_map(Step::Cancel),
        6 => (direction(), any::<bool>()).prop_map(|(direction, ready)| Step::Change(direction, ready)),
        1 => Just(Step::HangUp),
        1 => direction().prop_map(Step::Lie),
        1 => refusal().prop_map(Step::Refuse),
        4 => Just(Step::Fetch),
        6 => Just(Step::Dispatch),
        1 => Just(Step::Replace),
    ];
    proptest::collection::vec(step, 1..80)
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Waits for nothing.
    Idle,
    /// The operation found nothing.
    Refused(Snapshot),
    /// In its place, but the system has not been asked yet: for questions, and where arming may be in vain.
    Unasked,
    /// Sleeps until it is woken. For a question: since this step, at which the system said "not ready".
    Parked(usize),
}

struct Task {
    direction: Direction,
    /// Wants to know whether the object is ready, and does not try an operation.
    asks: bool,
    place: Place,
    phase: Phase,
    woken: Arc<Flag>,
}

struct World {
    kind: Kind,
    kernel: FakeKernel,
    source: Source,
    tasks: Vec<Task>,
    fetched: VecDeque<(Key, Event, Turn)>,
    turn: Turn,
    step: usize,
    /// The last step after which each direction was ready, or said to be.
    ready_at: crate::core::source::PerDirection<Option<usize>>,
}

impl World {
    fn new(kind: Kind) -> Self {
        let source = Source::new();
        let key = occupy(&source, kind);
        let mut world = World {
            kind,
            kernel: FakeKernel::new(kind, key, initial(kind)),
            source,
            tasks: Vec::new(),
            fetched: VecDeque::new(),
            turn: Turn(0),
            step: 0,
            ready_at: crate::core::source::PerDirection::default(),
        };
        world.take_places();
        world
    }

    fn take_places(&mut self) {
        self.tasks.clear();
        for direction in Direction::BOTH {
            let listed = Place::Listed(self.source.lock().waiters.add(direction));
            for (asks, place) in [(false, Place::Slot), (true, listed)] {
                self.tasks.push(Task {
                    direction,
                    asks,
                    place,
                    phase: Phase::Idle,
                    woken: Arc::default(),
                });
            }
        }
    }

    fn take(&mut self, step: &Step) {
        self.step += 1;
        match *step {
            Step::Try(task) => self.try_it(task),
            Step::Park(task) => self.park(task),
            Step::Ask(task) => self.ask(task),
            Step::Cancel(task) => self.cancel(task),
            Step::Change(direction, ready) => self.kernel.change(direction, ready),
            Step::HangUp => self.kernel.hang_up(),
            Step::Lie(direction) => self.kernel.lie(direction),
            Step::Refuse(refusal) => self.kernel.refusal = Some(refusal),
            Step::Fetch => self.fetch(),
            Step::Dispatch => self.dispatch(),
            Step::Replace => self.replace(),
        }
        for direction in Direction::BOTH {
            let lied = matches!(step, Step::Fetch) && *self.kernel.lied.get(direction);
            if self.kernel.is_ready(direction) || lied {
                *self.ready_at.get_mut(direction) = Some(self.step);
            }
        }
        self.nothing_is_believed_armed_that_is_not();
    }

    fn try_it(&mut self, number: usize) {
        let task = &mut self.tasks[number];
        let direction = task.direction;
        let asleep = matches!(task.phase, Phase::Unasked | Phase::Parked(_));
        if asleep && !task.woken.0.swap(false, Ordering::Relaxed) {
            return;
        }
        if task.asks {
            // Whether it has been answered is found out in its place.
            if let Phase::Parked(asked_at) = task.phase {
                let mut state = self.source.lock();
                let waiter = state.waiters.at(direction, task.place).unwrap();
                if waiter.question == Question::Answered {
                    waiter.unpark();
                    task.phase = Phase::Idle;
                    let ready_at = *self.ready_at.get(direction);
                    assert!(
                        ready_at.is_some_and(|step| step >= asked_at),
                        "told \"ready\", but was not since it asked"
                    );
                    return;
                }
            }
            task.phase = Phase::Refused(self.source.word(direction).snapshot());
            return;
        }
        let seen = self.source.word(direction).snapshot();
        if self.kernel.is_ready(direction) {
            // It takes everything that is there.
            self.kernel.change(direction, false);
            task.phase = Phase::Idle;
        } else {
            task.phase = Phase::Refused(seen);
        }
    }

    fn park(&mut self, number: usize) {
        let task = &mut self.tasks[number];
        let Phase::Refused(seen) = task.phase else {
            return;
        };
        let mut state = self.source.lock();
        if !task.asks && !self.source.word(task.direction).is_current(seen) {
            task.phase = Phase::Idle;
            drop(state);
            return self.try_it(number);
        }
        let key = Key {
            slot: 0,
            generation: state.generation,
        };
        let waiter = state.waiters.at(task.direction, task.place).unwrap();
        waiter.park(Waker::from(task.woken.clone()));
        waiter.question = if task.asks {
            Question::Ready
        } else {
            Question::Retry
        };
        let kernel = &mut self.kernel;
        let armed = state.arm(self.source.words(), task.direction, |interest| {
            kernel.rearm(key, interest)
        });
        drop(state);
        let just_now = matches!(armed, Ok(Armed::JustNow));
        let must_ask = self.kind.arms_in_vain && just_now;
        task.phase = if task.asks || must_ask {
            Phase::Unasked
        } else {
            Phase::Parked(self.step)
        };
        if let Err((_, mut others)) = armed {
            others.run();
            // The error is its answer.
            self.stop(number);
        }
    }

    fn ask(&mut self, number: usize) {
        let task = &mut self.tasks[number];
        if !matches!(task.phase, Phase::Unasked) {
            return;
        }
        let mut state = self.source.lock();
        let waiter = state.waiters.at(task.direction, task.place).unwrap();
        if self.kernel.is_ready(task.direction) {
            waiter.unpark();
            task.phase = Phase::Idle;
            task.woken.0.store(false, Ordering::Relaxed);
            if self.kind.arms_in_vain {
                let mut others = WakeBatch::default();
                state.doubt_arming(self.source.words(), task.direction, &mut others);
                drop(state);
                others.run();
            }
        } else {
            if waiter.question == Question::Ready && waiter.is_parked() {
                waiter.question = Question::ReadySince(self.turn);
            }
            task.phase = Phase::Parked(self.step);
        }
    }

    /// A wait cannot be given up between its place and its question: one call of the library does both. (If it could, whoever
    /// relied on what was armed in vain would never hear of it.)
    fn cancel(&mut self, number: usize) {
        if !matches!(self.tasks[number].phase, Phase::Unasked) {
            self.stop(number);
        }
    }

    fn stop(&mut self, number: usize) {
        let task = &mut self.tasks[number];
        let mut state = self.source.lock();
        if let Some(waiter) = state.waiters.at(task.direction, task.place) {
            waiter.unpark();
        }
        task.phase = Phase::Idle;
        task.woken.0.store(false, Ordering::Relaxed);
    }

    fn fetch(&mut self) {
        self.turn = Turn(self.turn.0.wrapping_add(1));
        let events = self.kernel.fetch().into_iter();
        let turn = self.turn;
        self.fetched
            .extend(events.map(|(key, event)| (key, event, turn)));
    }

    fn dispatch(&mut self) {
        let Some((key, event, turn)) = self.fetched.pop_front() else {
            return;
        };
        let mut batch = WakeBatch::default();
        let mut state = self.source.lock();
        if state.generation != key.generation {
            return;
        }
        let kernel = &mut self.kernel;
        let words = self.source.words();
        state.handle(
            words,
            event,
            turn,
            self.kind.manner,
            &mut batch,
            |interest| kernel.rearm(key, interest),
        );
        drop(state);
        batch.run();
    }

    fn replace(&mut self) {
        let waiters = self.source.lock().vacate();
        waiters.discard();
        let key = occupy(&self.source, self.kind);
        self.kernel = FakeKernel::new(self.kind, key, initial(self.kind));
        self.ready_at = crate::core::source::PerDirection::default();
        self.take_places();
    }

    /// `armed` may be more than the system has only between a fetch and the dispatch of what it fetched, or for an object
    /// that is ready for ever.
    fn nothing_is_believed_armed_that_is_not(&self) {
        let state = self.source.lock();
        let under_way = self
            .fetched
            .iter()
            .any(|(key, _, _)| key.generation == state.generation);
        let in_vain = self.kind.arms_in_vain && self.kernel.is_hung_up();
        for direction in Direction::BOTH {
            let believed = state.armed.has(direction);
            assert!(
                under_way || !believed || self.kernel.will_report(direction) || in_vain,
                "{direction:?} is not armed, but thought to be"
            );
        }
    }

    /// Everybody goes on until nothing happens any more.
    fn settle(&mut self) {
        self.kernel.refusal = None;
        for _ in 0..20 {
            self.take(&Step::Fetch);
            let quiet = self.fetched.is_empty();
            while !self.fetched.is_empty() {
                self.take(&Step::Dispatch);
            }
            let mut moved = false;
            for number in 0..self.tasks.len() {
                let woken = self.tasks[number].woken.0.load(Ordering::Relaxed);
                let phase = self.tasks[number].phase;
                moved |= woken || matches!(phase, Phase::Refused(_) | Phase::Unasked);
                self.take(&Step::Ask(number));
                if woken {
                    self.take(&Step::Try(number));
                }
                self.take(&Step::Park(number));
                self.take(&Step::Ask(number));
            }
            if quiet && !moved {
                return;
            }
        }
        panic!("the poller does not come to rest");
    }

    fn sleepers(&self) -> Vec<usize> {
        let asleep = |task: &Task| matches!(task.phase, Phase::Parked(_));
        (0..self.tasks.len())
            .filter(|number| asleep(&self.tasks[*number]))
            .collect()
    }

    fn check(&mut self) {
        self.settle();
        let sleepers = self.sleepers();
        for number in &sleepers {
            let task = &self.tasks[*number];
            let (direction, asks) = (task.direction, task.asks);
            assert!(
                !self.kernel.is_ready(direction),
                "a task (asks: {asks}) sleeps, and {direction:?} is ready"
            );
            assert!(
                self.kernel.will_report(direction),
                "a task (asks: {asks}) sleeps, and {direction:?} is not armed"
            );
        }
        // What becomes ready later reaches them, too.
        for direction in Direction::BOTH {
            self.take(&Step::Change(direction, true));
        }
        self.take(&Step::Fetch);
        while !self.fetched.is_empty() {
            self.take(&Step::Dispatch);
        }
        for number in sleepers {
            let task = &self.tasks[number];
            assert!(
                task.woken.0.load(Ordering::Relaxed),
                "{number} was not woken"
            );
        }
    }
}

fn occupy(source: &Source, kind: Kind) -> Key {
    let mut state = source.lock();
    state.occupy(crate::core::source::raw::made_up(3), initial(kind));
    source.forget();
    Key {
        slot: 0,
        generation: state.generation,
    }
}

/// As `reactor` does it.
fn initial(kind: Kind) -> Interest {
    match kind.manner.reporting {
        Reporting::Edges => Interest::READ,
        Reporting::OneShot => Interest::NONE,
    }
}

macro_rules! nobody_is_left_behind {
    ($($test:ident: $kind:expr,)*) => {
        proptest! {
            $(
                #[test]
                fn $test(steps in steps()) {
                    let mut world = World::new($kind);
                    for step in &steps {
                        world.take(step);
                    }
                    world.check();
                }
            )*
        }
    };
}

nobody_is_left_behind! {
    epoll_on_edges: EPOLL_EDGES,
    levels_in_place_of_edges: LEVELS_FOR_EDGES,
    epoll_or_an_event_port_one_shot: EPOLL_ONE_SHOT,
    kqueue_one_shot: KQUEUE_ONE_SHOT,
    kqueue_on_edges: KQUEUE_EDGES,
    poll: POLL,
    windows: AFD,
}
