//! Tests the decisions about a source against each kind of poller, with random sequences of steps.
//! The tests check that:
//!
//! * No task stays asleep while its direction is ready or is not armed.
//! * A task is told "ready" only if the object was ready at or after the kernel's last answer to
//!   that task.
//! * The kernel is asked exactly when the rule in `core::source::state` says so.
//! * The poller and the tasks come to rest.
//!
//! Six tasks share one object, three per direction. They take the steps of `reactor::waiting` one
//! at a time, so an event can come between any two steps.

use super::Calls;
use super::fake_kernel::{
    AFD, EPOLL_EDGES, EPOLL_ONE_SHOT, FakeKernel, KQUEUE_EDGES, KQUEUE_ONE_SHOT, Kind,
    LEVELS_FOR_EDGES, POLL, Refusal,
};
use crate::core::source::backoff;
use crate::core::source::readiness::Snapshot;
use crate::core::source::state::{Enqueue, Nature, Repoll, Reporting, Request};
use crate::core::source::waiters::WaiterId;
use crate::core::source::{Direction, Event, Interest, Key, PerDirection, Source, Turn};
use crate::core::wake::WakeBatch;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;

const TASKS: usize = 8;

#[derive(Clone, Debug)]
enum Step {
    /// Starts a task, or polls it after it was woken.
    Run(usize),
    /// Polls a waiting task that was not woken, with a different waker if the flag is set.
    Poll(usize, bool),
    /// Enqueues a task after its operation found nothing.
    Enqueue(usize),
    /// Asks the kernel for an enqueued task, or records the answer.
    Ask(usize),
    /// Ends the wait of a task.
    Cancel(usize),
    Change(Direction, bool),
    HangUp,
    Lie(Direction),
    Refuse(Refusal),
    /// Begins a turn.
    Begin,
    /// Fetches the events of the turn.
    Fetch,
    /// Delivers one of the fetched events.
    Dispatch,
    /// Drops the object and gives its slot to another one.
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
    let change = (direction(), any::<bool>());
    let step = prop_oneof![
        6 => (0..TASKS).prop_map(Step::Run),
        6 => (0..TASKS, any::<u8>()).prop_map(|(task, coin)| Step::Poll(task, coin < 64)),
        8 => (0..TASKS).prop_map(Step::Enqueue),
        8 => (0..TASKS).prop_map(Step::Ask),
        1 => (0..TASKS).prop_map(Step::Cancel),
        6 => change.prop_map(|(direction, ready)| Step::Change(direction, ready)),
        1 => Just(Step::HangUp),
        1 => direction().prop_map(Step::Lie),
        1 => refusal().prop_map(Step::Refuse),
        3 => Just(Step::Begin),
        4 => Just(Step::Fetch),
        6 => Just(Step::Dispatch),
        1 => Just(Step::Replace),
    ];
    proptest::collection::vec(step, 1..120)
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// The task does not wait.
    Idle,
    /// The operation found nothing, as of this snapshot. The turn was read after the operation.
    Refused(Snapshot, Turn),
    /// The task is enqueued, but the kernel has not been asked yet.
    Unasked,
    /// The kernel has answered whether the object is ready. The turn was read after the answer.
    Answered(bool, Turn),
    /// The task sleeps until it is woken.
    Asleep,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Purpose {
    /// Tries an operation in each poll.
    Operation,
    /// Tries an operation, unless the poll may keep waiting.
    ListedOperation,
    /// Asks whether the object is ready.
    Readiness,
}

struct Task {
    direction: Direction,
    purpose: Purpose,
    id: WaiterId,
    phase: Phase,
    calls: Arc<Calls>,
    /// The number of calls of the waker that the task has reacted to.
    handled: usize,
    /// The number of calls of the waker that `notice_calls` has seen.
    noticed: usize,
    is_enqueued: bool,
    /// The turn at the task's previous poll. `None` if the kernel has not answered "not ready", or
    /// if the task was woken since then.
    polled: Option<Turn>,
    /// The step at which the kernel last answered this task.
    answered_at: usize,
}

impl Task {
    fn is_woken(&self) -> bool {
        self.calls.count() > self.handled
    }

    fn notice_calls(&mut self) {
        let calls = self.calls.count();
        if std::mem::replace(&mut self.noticed, calls) < calls {
            self.polled = None;
            self.is_enqueued = false;
        }
    }

    fn change_waker(&mut self) {
        self.calls = Calls::new();
        (self.handled, self.noticed) = (0, 0);
    }

    fn request(&self, seen: Snapshot) -> Request {
        match self.purpose {
            Purpose::Readiness => Request::Ready,
            _ => Request::Retry(seen),
        }
    }

    /// Applies the rule to an enqueued task: it may keep waiting if a turn has begun since its
    /// previous poll.
    fn may_keep_waiting(&self, turn: Turn) -> bool {
        self.polled.is_some_and(|polled| turn.is_after(polled))
    }

    fn stop(&mut self) {
        self.phase = Phase::Idle;
        self.polled = None;
        self.is_enqueued = false;
        self.change_waker();
    }
}

struct World {
    kind: Kind,
    kernel: FakeKernel,
    source: Source<u16>,
    tasks: Vec<Task>,
    fetched: VecDeque<(Key, Event, Turn)>,
    turn: Turn,
    has_begun: bool,
    step: usize,
    /// The last step after which each direction was ready or was reported as ready.
    ready_at: PerDirection<Option<usize>>,
}

impl World {
    fn new(kind: Kind) -> Self {
        let source = Source::default();
        let key = occupy(&source, kind);
        let mut world = World {
            kind,
            kernel: FakeKernel::new(kind, key, initial(kind)),
            source,
            tasks: Vec::new(),
            fetched: VecDeque::new(),
            turn: Turn(0),
            has_begun: false,
            step: 0,
            ready_at: PerDirection::default(),
        };
        world.add_tasks();
        world
    }

    fn add_tasks(&mut self) {
        self.tasks.clear();
        for direction in Direction::BOTH {
            let waiters = &mut self.source.lock().state.waiters;
            for (purpose, id) in [
                (Purpose::Operation, WaiterId::Shared),
                (Purpose::ListedOperation, waiters.add(direction)),
                (Purpose::ListedOperation, waiters.add(direction)),
                (Purpose::Readiness, waiters.add(direction)),
            ] {
                self.tasks.push(Task {
                    direction,
                    purpose,
                    id,
                    phase: Phase::Idle,
                    calls: Calls::new(),
                    handled: 0,
                    noticed: 0,
                    is_enqueued: false,
                    polled: None,
                    answered_at: 0,
                });
            }
        }
    }

    fn take(&mut self, step: &Step) {
        self.step += 1;
        match *step {
            Step::Run(task) => self.run(task),
            Step::Poll(task, other_waker) => self.poll(task, other_waker),
            Step::Enqueue(task) => self.enqueue(task),
            Step::Ask(task) => self.ask(task),
            Step::Cancel(task) => self.cancel(task),
            Step::Change(direction, ready) => self.kernel.change(direction, ready),
            Step::HangUp => self.kernel.hang_up(),
            Step::Lie(direction) => self.kernel.lie(direction),
            Step::Refuse(refusal) => self.kernel.refusal = Some(refusal),
            Step::Begin => self.begin(),
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
        for task in &mut self.tasks {
            task.notice_calls();
        }
        self.check_armed();
    }

    fn run(&mut self, number: usize) {
        let task = &mut self.tasks[number];
        match task.phase {
            Phase::Idle => self.begin_poll(number),
            Phase::Asleep if task.is_woken() => {
                task.handled = task.noticed;
                if !self.waits_again(number) {
                    self.begin_poll(number);
                }
            }
            _ => {}
        }
    }

    /// Returns whether a woken task waits again without trying its operation.
    fn waits_again(&mut self, number: usize) -> bool {
        let task = &mut self.tasks[number];
        if task.purpose != Purpose::ListedOperation {
            return false;
        }
        let waker = task.calls.waker();
        let state = &mut self.source.lock().state;
        let waits = match state.repoll(task.direction, task.id, &waker, self.turn) {
            Repoll::KeepsWaiting => true,
            Repoll::WaitsAgain => state.enqueue_again(task.id, waker, self.turn).is_ok(),
            Repoll::Tries => false,
        };
        if waits {
            task.is_enqueued = true;
            task.polled = Some(self.turn);
        }
        waits
    }

    fn poll(&mut self, number: usize, other_waker: bool) {
        let turn = self.turn;
        let task = &mut self.tasks[number];
        if !matches!(task.phase, Phase::Asleep) || task.is_woken() {
            return;
        }
        if other_waker {
            task.change_waker();
        }
        if task.purpose == Purpose::ListedOperation {
            let expected = !other_waker && task.may_keep_waiting(turn);
            let waker = task.calls.waker();
            let state = &mut self.source.lock().state;
            let keeps = state.keeps_waiting(task.direction, task.id, &waker, turn);
            assert_eq!(
                keeps, expected,
                "a poll keeps waiting exactly when the rule allows it"
            );
            if keeps {
                task.polled = Some(turn);
                return;
            }
        }
        if other_waker {
            task.polled = None;
        }
        self.begin_poll(number);
    }

    fn begin_poll(&mut self, number: usize) {
        let task = &mut self.tasks[number];
        let direction = task.direction;
        let seen = self.source.word(direction).snapshot();
        if task.purpose == Purpose::Readiness {
            task.phase = Phase::Refused(seen, self.turn);
        } else if self.kernel.is_ready(direction) {
            // The operation takes all data and ends.
            self.kernel.change(direction, false);
            self.leave(number);
        } else {
            task.answered_at = self.step;
            task.phase = Phase::Refused(seen, self.turn);
        }
    }

    fn enqueue(&mut self, number: usize) {
        let task = &mut self.tasks[number];
        let Phase::Refused(seen, after_call) = task.phase else {
            return;
        };
        let request = task.request(seen);
        let latest = match request {
            Request::Retry(_) => after_call,
            _ => self.turn,
        };
        let waker = task.calls.waker();
        let mut slot = self.source.lock();
        let key = Key {
            slot: 0,
            generation: slot.state.generation,
        };
        let words = self.source.words();
        let enqueued = slot
            .state
            .enqueue(words, task.direction, task.id, request, waker, latest);
        let (arm, mut asks) = match enqueued {
            Enqueue::Enqueued { arm, ask, .. } => (arm, ask),
            Enqueue::Unneeded { ready, .. } => {
                drop(slot);
                let ready_at = *self.ready_at.get(task.direction);
                assert!(
                    !ready || ready_at.is_some_and(|step| step >= task.answered_at),
                    "told \"ready\", but the object was not ready since the kernel was asked"
                );
                assert_eq!(ready, task.purpose == Purpose::Readiness);
                self.stop(number);
                return self.try_again(number);
            }
        };
        if task.purpose == Purpose::Readiness {
            assert_eq!(
                !asks,
                task.may_keep_waiting(latest),
                "the kernel is asked exactly when the rule says so"
            );
        } else {
            assert!(!asks, "an operation needs no question");
        }
        let mut failed = None;
        if let Some(interest) = arm {
            if self.kernel.rearm(key, interest).is_ok() {
                slot.state.has_armed(interest);
                asks |= self.kind.traits.arms_silently;
            } else {
                let mut others = WakeBatch::default();
                slot.state.fail(words, &mut others);
                failed = Some(others);
            }
        }
        drop(slot);
        task.polled = match task.purpose {
            Purpose::Operation => None,
            Purpose::ListedOperation => Some(latest),
            Purpose::Readiness => task.polled.filter(|_| !asks).and(Some(latest)),
        };
        task.is_enqueued = true;
        task.phase = if asks { Phase::Unasked } else { Phase::Asleep };
        if let Some(mut others) = failed {
            others.run();
            // The task returns the error.
            self.stop(number);
        }
    }

    fn ask(&mut self, number: usize) {
        let task = &mut self.tasks[number];
        let direction = task.direction;
        match task.phase {
            Phase::Unasked => {
                let ready = self.kernel.is_ready(direction);
                task.answered_at = self.step;
                task.phase = Phase::Answered(ready, self.turn);
            }
            Phase::Answered(false, latest) => {
                let state = &mut self.source.lock().state;
                let words = self.source.words();
                let waker = task.calls.waker();
                state.found_unready(words, direction, task.id, &waker, latest);
                task.polled = task.is_enqueued.then_some(latest);
                task.phase = Phase::Asleep;
            }
            Phase::Answered(true, latest) => self.found_ready(number, latest),
            _ => {}
        }
    }

    fn found_ready(&mut self, number: usize, latest: Turn) {
        let task = &self.tasks[number];
        let (direction, id) = (task.direction, task.id);
        let words = self.source.words();
        let request = task.request(words.get(direction).snapshot());
        let waker = task.calls.waker();
        let mut others = WakeBatch::default();
        let mut slot = self.source.lock();
        let state = &mut slot.state;
        let found = state.found_ready(words, direction, id, request, &waker, latest);
        if matches!(found.step, backoff::Step::Pause(_)) {
            state.yield_instead(direction, id);
        }
        if self.kind.traits.arms_silently {
            state.doubt_arming(words, direction, &mut others);
        }
        drop(slot);
        others.run();
        // A task that asks for readiness is told "ready" at once, or in the poll after it has
        // yielded.
        self.stop(number);
        self.try_again(number);
    }

    fn try_again(&mut self, number: usize) {
        if self.tasks[number].purpose != Purpose::Readiness {
            self.begin_poll(number);
        }
    }

    /// Cancels a wait, unless it is between the enqueueing and the recorded answer: one call of the
    /// library does both. (If a wait could end there, the tasks that rely on an interest that was
    /// armed silently would not find out.)
    fn cancel(&mut self, number: usize) {
        if !matches!(
            self.tasks[number].phase,
            Phase::Unasked | Phase::Answered(..)
        ) {
            self.leave(number);
        }
    }

    /// Takes the task out of the queue.
    fn leave(&mut self, number: usize) {
        let task = &self.tasks[number];
        let left = self
            .source
            .lock()
            .state
            .waiters
            .leave(task.direction, task.id);
        drop(left);
        self.stop(number);
    }

    fn stop(&mut self, number: usize) {
        self.tasks[number].stop();
    }

    fn begin(&mut self) {
        self.turn = Turn(self.turn.0.wrapping_add(1));
        self.has_begun = true;
    }

    fn fetch(&mut self) {
        if !std::mem::take(&mut self.has_begun) {
            self.begin();
            self.has_begun = false;
        }
        let turn = self.turn;
        let events = self.kernel.fetch().into_iter();
        self.fetched
            .extend(events.map(|(key, event)| (key, event, turn)));
    }

    fn dispatch(&mut self) {
        let Some((key, event, turn)) = self.fetched.pop_front() else {
            return;
        };
        let mut batch = WakeBatch::default();
        let mut slot = self.source.lock();
        if slot.state.generation != key.generation {
            return;
        }
        let words = self.source.words();
        let traits = self.kind.traits;
        let change = slot.state.deliver(words, event, turn, traits, &mut batch);
        if let Some(interest) = change {
            match self.kernel.rearm(key, interest) {
                Ok(()) => slot.state.has_armed(interest),
                Err(_) => slot.state.fail(words, &mut batch),
            }
        }
        drop(slot);
        batch.run();
    }

    fn replace(&mut self) {
        let contents = self.source.lock().state.vacate();
        if let Some(contents) = contents {
            assert!(contents.discard().is_empty());
        }
        let key = occupy(&self.source, self.kind);
        self.kernel = FakeKernel::new(self.kind, key, initial(self.kind));
        self.ready_at = PerDirection::default();
        self.add_tasks();
    }

    /// Checks `armed`. It may exceed the interest of the system only between a fetch and the
    /// dispatch of its events, or if arming fails silently.
    fn check_armed(&self) {
        let state = &self.source.lock().state;
        let under_way = self
            .fetched
            .iter()
            .any(|(key, _, _)| key.generation == state.generation);
        let silently = self.kind.traits.arms_silently && self.kernel.is_hung_up();
        for direction in Direction::BOTH {
            let believed = state.armed.has(direction);
            assert!(
                under_way || !believed || self.kernel.will_report(direction) || silently,
                "{direction:?} is believed to be armed, but is not"
            );
        }
    }

    /// Takes the steps of all tasks until nothing more happens.
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
                let task = &self.tasks[number];
                let woken = task.is_woken();
                moved |= woken || !matches!(task.phase, Phase::Idle | Phase::Asleep);
                self.answer(number);
                if woken {
                    self.take(&Step::Run(number));
                }
                self.take(&Step::Enqueue(number));
                self.answer(number);
            }
            if quiet && !moved {
                return;
            }
        }
        panic!("the poller does not come to rest");
    }

    /// Asks the kernel for the task and records the answer, if the task is at that point.
    fn answer(&mut self, number: usize) {
        self.take(&Step::Ask(number));
        self.take(&Step::Ask(number));
    }

    fn sleepers(&self) -> Vec<usize> {
        let asleep = |number: &usize| matches!(self.tasks[*number].phase, Phase::Asleep);
        (0..self.tasks.len()).filter(asleep).collect()
    }

    fn check(&mut self) {
        self.settle();
        let sleepers = self.sleepers();
        for number in &sleepers {
            let task = &self.tasks[*number];
            let (direction, purpose) = (task.direction, task.purpose);
            assert!(
                !self.kernel.is_ready(direction),
                "a task ({purpose:?}) sleeps, and {direction:?} is ready"
            );
            assert!(
                self.kernel.will_report(direction),
                "a task ({purpose:?}) sleeps, and {direction:?} is not armed"
            );
        }
        // An object that becomes ready later wakes the sleeping tasks.
        for direction in Direction::BOTH {
            self.take(&Step::Change(direction, true));
        }
        self.take(&Step::Fetch);
        while !self.fetched.is_empty() {
            self.take(&Step::Dispatch);
        }
        for number in sleepers {
            assert!(self.tasks[number].is_woken(), "task {number} was not woken");
        }
    }
}

fn occupy(source: &Source<u16>, kind: Kind) -> Key {
    let state = &mut source.lock().state;
    state.occupy(Nature::default(), initial(kind));
    source.forget();
    Key {
        slot: 0,
        generation: state.generation,
    }
}

/// Returns the interest that a new object is registered with, as the pollers in `sys` choose it.
fn initial(kind: Kind) -> Interest {
    match kind.traits.reporting {
        Reporting::Edges => Interest::READ,
        Reporting::OneShot => Interest::NONE,
    }
}

macro_rules! no_task_is_left_behind {
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

no_task_is_left_behind! {
    epoll_on_edges: EPOLL_EDGES,
    levels_in_place_of_edges: LEVELS_FOR_EDGES,
    epoll_or_an_event_port_one_shot: EPOLL_ONE_SHOT,
    kqueue_one_shot: KQUEUE_ONE_SHOT,
    kqueue_on_edges: KQUEUE_EDGES,
    poll: POLL,
    windows: AFD,
}
