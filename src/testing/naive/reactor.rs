//! A whole reactor on the scripted poller, against a model. The model predicts each answer, each
//! question to the kernel, each wake-up, and when each waker is released.
//!
//! In addition, no task may wait for an object that is ready once the reactor has had its turns.

use super::backoff::{FOR_READY, FOR_REFUSED, Rounds};
use super::scripted::{Kernel, OBJECTS, Scripted, kernel};
use super::{Calls, Script};
use crate::core::clock::Deadline;
use crate::core::source::backoff::Step;
use crate::core::source::readiness::Snapshot;
use crate::core::source::state::{Repoll, Request};
use crate::core::source::waiters::WaiterId;
use crate::core::source::{Direction, PerDirection};
use crate::core::timers::SHARDS;
use crate::core::timers::TimerKey;
use crate::core::wake::WakeBatch;
use crate::driver::shell::Turning;
use crate::engine::waiting::{Pausing, WaitPoint, Waited};
use crate::engine::{Engine, Target};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

pub fn reactor_on_edges(script: &[u8]) {
    run::<false>(script);
}

pub fn reactor_on_one_shots(script: &[u8]) {
    run::<true>(script);
}

fn run<const ONE_SHOT: bool>(script: &[u8]) {
    kernel(|it| *it = Kernel::new(ONE_SHOT));
    let real = Engine::<Scripted<ONE_SHOT>>::new(SHARDS);
    let mut script = Script(script);
    let mut model = Model::new(&real);
    while model.step(&mut script).is_some() {
        model.check();
    }
    model.settle();
}

/// A task: its waker, and the number of calls that the model expects.
struct Task {
    calls: Arc<Calls>,
    waker: Waker,
    expected: Cell<usize>,
}

impl Task {
    fn new() -> Rc<Task> {
        let calls = Calls::new();
        Rc::new(Task {
            waker: calls.waker(),
            calls,
            expected: Cell::new(0),
        })
    }

    fn expect_call(&self) {
        self.expected.set(self.expected.get() + 1);
    }

    fn is_released(&self) -> bool {
        // This struct holds both remaining references.
        Arc::strong_count(&self.calls) == 2
    }
}

struct Pause {
    timer: TimerKey,
    task: Rc<Task>,
    is_due: bool,
    has_fired: bool,
}

/// The model of one waiter.
struct Waiter {
    object: usize,
    at: WaitPoint,
    /// The enqueued task. The source holds its waker.
    enqueued: Option<Rc<Task>>,
    /// The turn at the previous poll, if the kernel's "not ready" still stands.
    polled: Option<u32>,
    /// Whether the next poll for readiness is told "ready" without a question.
    is_granted: bool,
    pause: Option<Pause>,
    /// Whether an operation of another task ended the pause. The task that paused was woken and has
    /// to poll.
    is_left_over: bool,
}

impl Waiter {
    fn new(object: usize, direction: Direction, id: WaiterId) -> Waiter {
        Waiter {
            object,
            at: WaitPoint { direction, id },
            enqueued: None,
            polled: None,
            is_granted: false,
            pause: None,
            is_left_over: false,
        }
    }

    /// Expects a call of the enqueued waker. Returns whether there was one.
    fn take(&mut self) -> bool {
        let taken = self.enqueued.take();
        if let Some(task) = &taken {
            task.expect_call();
        }
        taken.is_some()
    }

    /// Takes the waiter out of the queue and clears its knowledge.
    fn leave(&mut self) {
        self.enqueued = None;
        self.polled = None;
        self.is_granted = false;
    }
}

/// The rounds of both back-offs, for one direction of an object.
#[derive(Default)]
struct Backoffs {
    refused: Rounds,
    ready: Rounds,
}

#[derive(Default)]
struct ObjectModel {
    backoffs: PerDirection<Backoffs>,
    /// The turn at the latest answer "ready" to a task that asks for readiness.
    answered: PerDirection<Option<u32>>,
    /// The turn at which a read last used the exception for short reads.
    skipped: Option<u32>,
    /// Whether an operation found nothing to read, and no event has come since.
    unready: bool,
}

struct Timer {
    key: TimerKey,
    is_due: bool,
    task: Rc<Task>,
}

struct Model<'a, const ONE_SHOT: bool> {
    real: &'a Engine<Scripted<ONE_SHOT>>,
    targets: [Option<Target<'a, u16>>; OBJECTS],
    objects: [ObjectModel; OBJECTS],
    waiters: Vec<Waiter>,
    timers: Vec<Timer>,
    /// An operation that has found nothing and will wait later.
    begun: Option<(usize, Direction, Snapshot)>,
    tasks: Vec<Rc<Task>>,
    turn: u32,
}

const SOON: Deadline = Deadline::from_nanos(0);
const LATE: Deadline = Deadline::from_nanos(1 << 62);

impl<'a, const ONE_SHOT: bool> Model<'a, ONE_SHOT> {
    fn new(real: &'a Engine<Scripted<ONE_SHOT>>) -> Self {
        Model {
            real,
            targets: [None; OBJECTS],
            objects: Default::default(),
            waiters: Vec::new(),
            timers: Vec::new(),
            begun: None,
            tasks: Vec::new(),
            turn: 0,
        }
    }

    fn step(&mut self, script: &mut Script<'_>) -> Option<()> {
        let what = script.below(20)?;
        let object = script.below(OBJECTS)?;
        let direction = script.direction()?;
        match (what, self.targets[object]) {
            (0, None) => self.insert(object),
            (0, Some(target)) if script.next()? < 64 => self.remove(object, &target),
            (1 | 2, _) => kernel(|it| it.arrive(object, direction)),
            (3, _) => kernel(|it| *it.objects[object].ready.get_mut(direction) = false),
            (4, Some(target)) if !is_ready(object, direction) => {
                let word = target.source.word(direction);
                if script.coin()? {
                    word.note_drained(word.snapshot());
                } else {
                    self.begun = Some((object, direction, word.snapshot()));
                }
            }
            (5, _) => {
                if let Some((object, direction, seen)) = self.begun {
                    let which = self.pick_at(script, object, direction)?;
                    let request = if script.coin()? {
                        Request::Retry(seen)
                    } else {
                        Request::RetryPeek(seen)
                    };
                    self.operate(which, request, script.coin()?);
                }
            }
            (6, Some(target)) => {
                let word = target.source.word(Direction::Read);
                if script.coin()? && !is_ready(object, Direction::Read) {
                    word.note_drained(word.snapshot());
                }
                let seen = word.snapshot();
                if seen.is_drained() {
                    self.skip_read(object, seen, script.coin()?);
                }
            }
            (7, Some(target)) => {
                let id = target.source.lock().state.waiters.add(direction);
                self.waiters.push(Waiter::new(object, direction, id));
            }
            (8, _) if !self.waiters.is_empty() => {
                let which = script.below(self.waiters.len())?;
                self.cancel(which);
            }
            (9..=11, Some(_)) => {
                let which = self.pick_at(script, object, direction)?;
                self.poll(which, Request::Ready, script)?;
            }
            (12, Some(_)) => {
                let which = self.pick_at(script, object, direction)?;
                self.poll(which, Request::Refused, script)?;
            }
            (13, Some(_)) => self.poll_repeatedly(script, object, direction)?,
            (14, _) => self.timer(script)?,
            (15, _) if script.next()? < 32 => {
                let refuses = script.coin()?;
                kernel(|it| {
                    it.refusals += usize::from(refuses);
                    it.unanswered += usize::from(!refuses);
                });
            }
            (16, _) => kernel(|it| {
                let may_refuse = it.objects[object].may_refuse.get_mut(direction);
                *may_refuse = !*may_refuse;
            }),
            (17, Some(target)) => self.change_pause(script, &target, object, direction)?,
            (18, _) => self.turn(),
            (19, _) => kernel(|it| {
                it.after_question = Some(Box::new(move || {
                    kernel(|it| it.arrive(object, direction));
                }));
            }),
            _ => self.settle(),
        }
        Some(())
    }

    fn insert(&mut self, object: usize) {
        self.targets[object] = Some(self.real.insert(object as u16).unwrap());
        self.objects[object] = ObjectModel::default();
        for direction in Direction::BOTH {
            self.waiters
                .push(Waiter::new(object, direction, WaiterId::Shared));
        }
    }

    /// Removes an object. Its wakers are released and not called.
    fn remove(&mut self, object: usize, target: &Target<'a, u16>) {
        self.real.remove(target).unwrap();
        self.targets[object] = None;
        self.begun.take_if(|begun| begun.0 == object);
        self.waiters.retain(|waiter| waiter.object != object);
    }

    fn cancel(&mut self, which: usize) {
        let id = self.waiters[which].at.id;
        if id == WaiterId::Shared {
            return;
        }
        let waiter = self.waiters.swap_remove(which);
        if let Some(target) = &self.targets[waiter.object] {
            self.real.remove_waiter(target, id);
        }
    }

    fn pick_shared(&self, object: usize, direction: Direction) -> usize {
        let is_it = |waiter: &Waiter| {
            waiter.object == object
                && waiter.at.direction == direction
                && waiter.at.id == WaiterId::Shared
        };
        self.waiters.iter().position(is_it).unwrap()
    }

    fn pick_at(
        &self,
        script: &mut Script<'_>,
        object: usize,
        direction: Direction,
    ) -> Option<usize> {
        let is_it = |which: &usize| {
            let waiter = &self.waiters[*which];
            waiter.object == object && waiter.at.direction == direction
        };
        let all: Vec<usize> = (0..self.waiters.len()).filter(is_it).collect();
        Some(all[script.below(all.len())?])
    }

    /// Returns the task that polls, and whether that is the enqueued task. If not, it is a new task
    /// with another waker.
    fn task_for(&mut self, which: usize, keeps_waker: bool) -> (Rc<Task>, bool) {
        match &self.waiters[which].enqueued {
            Some(task) if keeps_waker => (Rc::clone(task), true),
            _ => {
                let task = Task::new();
                self.tasks.push(Rc::clone(&task));
                (task, false)
            }
        }
    }

    /// Polls a waiter as the futures do: first the pause, then the wait.
    fn poll(&mut self, which: usize, request: Request, script: &mut Script<'_>) -> Option<()> {
        let keeps_waker = script.next()? % 4 != 0;
        let turn_before_pause = script.next()? % 4 == 0;
        let (task, is_same) = self.task_for(which, keeps_waker);
        if self.pausing(which, &task) != Pausing::No {
            return Some(());
        }
        if let Some(Waited::Pause(_)) = self.wait_for(which, request, &task, is_same) {
            if turn_before_pause {
                self.turn();
            }
            self.pause(which, task);
        }
        Some(())
    }

    /// Waits for an operation that found nothing as of a snapshot.
    fn operate(&mut self, which: usize, request: Request, keeps_waker: bool) {
        let (task, is_same) = self.task_for(which, keeps_waker);
        if self.pausing(which, &task) != Pausing::No {
            return;
        }
        let waiter = &mut self.waiters[which];
        let target = self.targets[waiter.object].unwrap();
        let turn = self.turn;
        let is_read = waiter.at.direction == Direction::Read;
        let is_armed = target.source.lock().state.armed.read;
        let is_known_unready = is_read && is_armed && self.objects[waiter.object].unready;
        let expected = if is_same && waiter.polled.is_some_and(|polled| turn > polled) {
            Repoll::KeepsWaiting
        } else if waiter.is_granted && is_known_unready {
            Repoll::WaitsAgain
        } else {
            Repoll::Tries
        };
        let repoll = self.real.repoll(&target, waiter.at, &task.waker);
        assert_eq!(
            repoll, expected,
            "a poll tries the operation exactly when the rules require it"
        );
        match repoll {
            Repoll::KeepsWaiting => waiter.polled = Some(turn),
            Repoll::WaitsAgain => {
                assert!(self.real.wait_again(&target, waiter.at.id, &task.waker));
                self.enter(which, &task, is_same);
                self.waiters[which].polled = Some(turn);
            }
            Repoll::Tries => {
                self.wait_for(which, request, &task, is_same);
            }
        }
    }

    /// Waits without a system call after a short read, which is allowed once until a turn has
    /// begun.
    fn skip_read(&mut self, object: usize, seen: Snapshot, keeps_waker: bool) {
        let target = self.targets[object].unwrap();
        let which = self.pick_shared(object, Direction::Read);
        let (task, is_same) = self.task_for(which, keeps_waker);
        let is_armed = target.source.lock().state.armed.read;
        let is_current = target.source.word(Direction::Read).is_current(seen);
        let again = self.objects[object].skipped == Some(self.turn);
        let waits = self.real.wait_after_short_read(&target, seen, &task.waker);
        assert_eq!(waits, is_armed && is_current && !again);
        if waits {
            self.enter(which, &task, is_same);
            self.waiters[which].polled = None;
            self.objects[object].skipped = Some(self.turn);
        }
    }

    /// Asks for readiness, or is refused, many times in a row.
    fn poll_repeatedly(
        &mut self,
        script: &mut Script<'_>,
        object: usize,
        direction: Direction,
    ) -> Option<()> {
        let which = self.pick_at(script, object, direction)?;
        let request = if script.coin()? {
            Request::Ready
        } else {
            Request::Refused
        };
        if script.coin()? {
            kernel(|it| {
                it.arrive(object, direction);
                *it.objects[object].may_refuse.get_mut(direction) = true;
            });
        }
        for _ in 0..script.next()? {
            let (task, is_same) = self.task_for(which, true);
            if self.pausing(which, &task) != Pausing::No {
                break;
            }
            if let Some(Waited::Pause(_)) = self.wait_for(which, request, &task, is_same) {
                self.pause(which, task);
                break;
            }
            self.check();
        }
        Some(())
    }

    /// Waits, and compares the answer and the number of questions with the model.
    fn wait_for(
        &mut self,
        which: usize,
        request: Request,
        task: &Rc<Task>,
        is_same: bool,
    ) -> Option<Waited> {
        let waiter = &self.waiters[which];
        let (object, at, direction) = (waiter.object, waiter.at, waiter.at.direction);
        let target = self.targets[object].unwrap();
        let word = target.source.word(direction);
        // `Some(..)` if the waiter is not enqueued.
        let unneeded = match request {
            Request::Retry(seen) | Request::RetryPeek(seen) => {
                (!word.is_current(seen)).then_some(Waited::TryAgain)
            }
            Request::Refused => None,
            Request::Ready => waiter.is_granted.then_some(Waited::Ready),
        };
        let keeps = is_same && waiter.polled.is_some_and(|polled| self.turn > polled);
        let asks = match request {
            Request::Refused => true,
            Request::Ready => !keeps,
            Request::Retry(_) | Request::RetryPeek(_) => false,
        };
        let is_ready = is_ready(object, direction);
        let (questions, refusals) = kernel(|it| (it.questions, it.refusals));
        let waited = self.real.wait_for(&target, at, request, &task.waker);
        let asked = kernel(|it| it.questions) - questions;
        if let Some(expected) = unneeded {
            assert_eq!((waited.unwrap(), asked), (expected, 0));
            if expected == Waited::Ready {
                self.waiters[which].leave();
            }
            return Some(expected);
        }
        self.enter(which, task, is_same);
        if kernel(|it| it.refusals) < refusals {
            assert!(waited.is_err() && asked == 0);
            self.fail(object);
            return None;
        }
        assert_eq!(
            asked,
            usize::from(asks),
            "the kernel is asked exactly when the rule says so"
        );
        let Ok(waited) = waited else {
            assert!(asks);
            self.waiters[which].leave();
            return None;
        };
        let expected = if asks {
            self.answer(which, request, is_ready)
        } else {
            self.keep(which, request, keeps);
            Waited::Enqueued
        };
        assert_eq!(waited, expected);
        Some(waited)
    }

    /// Makes a task the enqueued one.
    fn enter(&mut self, which: usize, task: &Rc<Task>, is_same: bool) {
        let waiter = &mut self.waiters[which];
        let former = waiter.enqueued.replace(Rc::clone(task));
        waiter.is_granted = false;
        waiter.is_left_over = false;
        if let Some(former) = former.filter(|_| !is_same && waiter.at.id == WaiterId::Shared) {
            // The former task is displaced, so its waker is called.
            former.expect_call();
        }
    }

    /// Waits, or keeps waiting, without a question.
    fn keep(&mut self, which: usize, request: Request, keeps: bool) {
        let waiter = &mut self.waiters[which];
        let dated = match request {
            Request::Retry(_) | Request::RetryPeek(_) => waiter.at.id != WaiterId::Shared,
            Request::Refused | Request::Ready => keeps,
        };
        waiter.polled = dated.then_some(self.turn);
        let found_nothing = matches!(request, Request::Retry(_)) && dated;
        let (object, is_read) = (waiter.object, waiter.at.direction == Direction::Read);
        self.objects[object].unready |= found_nothing && is_read;
    }

    /// Applies the kernel's answer to the model. Returns what the task is told.
    fn answer(&mut self, which: usize, request: Request, is_ready: bool) -> Waited {
        let turn = self.turn;
        let waiter = &mut self.waiters[which];
        let (object, direction) = (waiter.object, waiter.at.direction);
        let model = &mut self.objects[object];
        let backoffs = model.backoffs.get_mut(direction);
        if !is_ready {
            backoffs.refused.reset();
            backoffs.ready.reset();
            waiter.polled = Some(turn);
            return Waited::Enqueued;
        }
        if !matches!(request, Request::Ready) {
            waiter.leave();
            return match backoffs.refused.next(FOR_REFUSED) {
                Step::Proceed => Waited::TryAgain,
                Step::Yield => Waited::Yield,
                Step::Pause(pause) => Waited::Pause(pause),
            };
        }
        if *model.answered.get(direction) != Some(turn) {
            backoffs.ready.turn_began(FOR_READY);
        }
        *model.answered.get_mut(direction) = Some(turn);
        let may_refuse = kernel(|it| *it.objects[object].may_refuse.get(direction));
        match backoffs.ready.next(FOR_READY) {
            Step::Proceed => {
                waiter.leave();
                Waited::Ready
            }
            Step::Pause(pause) if may_refuse => {
                waiter.leave();
                Waited::Pause(pause)
            }
            step => {
                if step != Step::Yield {
                    backoffs.ready.keep_yielding(FOR_READY);
                }
                waiter.leave();
                waiter.is_granted = true;
                Waited::Yield
            }
        }
    }

    /// Schedules the timer that ends the pause of a task.
    fn pause(&mut self, which: usize, task: Rc<Task>) {
        let waiter = &mut self.waiters[which];
        let target = self.targets[waiter.object].unwrap();
        let (timer, _) = self.real.timers.insert(LATE, task.waker.clone()).unwrap();
        self.real.set_pause(&target, waiter.at, timer);
        let pause = Pause {
            timer,
            task,
            is_due: false,
            has_fired: false,
        };
        let former = waiter.pause.replace(pause);
        if let Some(former) = former.filter(|former| !former.has_fired) {
            // Another task that already pauses as the shared waiter is displaced.
            if waiter.at.id == WaiterId::Shared {
                former.task.expect_call();
            }
        }
    }

    /// Polls the pause of a waiter, if it may have one.
    fn pausing(&mut self, which: usize, task: &Rc<Task>) -> Pausing {
        let waiter = &mut self.waiters[which];
        let target = self.targets[waiter.object].unwrap();
        let word = target.source.word(waiter.at.direction);
        if !word.snapshot().is_contradicted() {
            return Pausing::No;
        }
        let pausing = self.real.pausing(&target, waiter.at, &task.waker);
        let expected = match &mut waiter.pause {
            None => Pausing::No,
            Some(pause) if pause.has_fired => Pausing::Over,
            Some(pause) => {
                let former = std::mem::replace(&mut pause.task, Rc::clone(task));
                if waiter.at.id == WaiterId::Shared && !Rc::ptr_eq(&former, task) {
                    former.expect_call();
                }
                Pausing::Yes
            }
        };
        assert_eq!(pausing, expected);
        if expected != Pausing::Yes {
            waiter.pause = None;
        }
        pausing
    }

    /// Ends a pause: its timer becomes due, or an operation succeeds.
    fn change_pause(
        &mut self,
        script: &mut Script<'_>,
        target: &Target<'a, u16>,
        object: usize,
        direction: Direction,
    ) -> Option<()> {
        let which = self.pick_at(script, object, direction)?;
        let waiter = &mut self.waiters[which];
        if script.coin()? {
            self.real.forgive(target, waiter.at);
            let pause = waiter.pause.take().filter(|pause| !pause.has_fired);
            if let Some(pause) = pause.filter(|_| waiter.at.id == WaiterId::Shared) {
                pause.task.expect_call();
                waiter.is_left_over = true;
            }
            let backoffs = self.objects[object].backoffs.get_mut(direction);
            backoffs.refused.reset();
        } else if let Some(pause) = waiter.pause.as_mut().filter(|pause| !pause.has_fired) {
            assert!(self.real.timers.reset(pause.timer, SOON).is_some());
            pause.is_due = true;
        }
        Some(())
    }

    fn timer(&mut self, script: &mut Script<'_>) -> Option<()> {
        let is_due = script.coin()?;
        let deadline = if is_due { SOON } else { LATE };
        let what = script.below(3)?;
        if what == 0 || self.timers.is_empty() {
            let task = Task::new();
            self.tasks.push(Rc::clone(&task));
            let (key, _) = self
                .real
                .timers
                .insert(deadline, task.waker.clone())
                .unwrap();
            self.timers.push(Timer { key, is_due, task });
            return Some(());
        }
        let which = script.below(self.timers.len())?;
        let key = self.timers[which].key;
        if what == 1 {
            assert!(self.real.timers.reset(key, deadline).is_some());
            self.timers[which].is_due = is_due;
        } else {
            assert!(self.real.timers.remove(key).is_some());
            self.timers.swap_remove(which);
        }
        Some(())
    }

    /// Wakes all tasks of an object to try again, because a change of its interest was refused.
    fn fail(&mut self, object: usize) {
        self.objects[object].unready = false;
        for waiter in self.waiters.iter_mut().filter(|it| it.object == object) {
            if waiter.take() {
                waiter.polled = None;
            }
        }
    }

    fn turn(&mut self) {
        kernel(|it| {
            it.reported.clear();
            it.refused.clear();
        });
        let mut batch = WakeBatch::default();
        let mut events = Engine::<Scripted<ONE_SHOT>>::buffer();
        self.real.turn(None, &mut events, &mut batch);
        batch.run();
        self.turn += 1;
        let (reported, refused) = kernel(|it| (it.reported.clone(), it.refused.clone()));
        for (object, direction) in reported {
            self.objects[object].unready &= direction == Direction::Write;
            let here = |it: &&mut Waiter| it.object == object && it.at.direction == direction;
            for waiter in self.waiters.iter_mut().filter(here) {
                if waiter.take() {
                    // The event is newer than the kernel's "not ready".
                    waiter.is_granted = waiter.polled.take().is_some();
                }
            }
        }
        for object in refused {
            self.fail(object);
        }
        for pause in self.waiters.iter_mut().filter_map(|it| it.pause.as_mut()) {
            if pause.is_due && !pause.has_fired {
                pause.has_fired = true;
                pause.task.expect_call();
            }
        }
        self.timers.retain(|timer| {
            if timer.is_due {
                timer.task.expect_call();
            }
            !timer.is_due
        });
        self.check();
    }

    /// Checks that each waker was called as often as expected, and is released if it is not needed.
    fn check(&mut self) {
        let pauses = self.waiters.iter().filter_map(|it| it.pause.as_ref());
        let held: Vec<&Rc<Task>> = pauses
            .filter(|pause| !pause.has_fired)
            .map(|pause| &pause.task)
            .chain(self.waiters.iter().filter_map(|it| it.enqueued.as_ref()))
            .chain(self.timers.iter().map(|timer| &timer.task))
            .collect();
        for task in &self.tasks {
            assert_eq!(
                task.calls.count(),
                task.expected.get(),
                "number of calls of a waker"
            );
            let is_held = held.iter().any(|it| Rc::ptr_eq(it, task));
            assert!(is_held || task.is_released(), "an unneeded waker is kept");
        }
        // A task with a released waker cannot be called again.
        self.tasks.retain(|task| !task.is_released());
    }

    /// Performs turns until there is nothing left to report.
    fn settle(&mut self) {
        let mut turns = 0;
        while turns == 0 || kernel(|it| it.has_news()) {
            self.turn();
            turns += 1;
            assert!(turns < 20, "the reactor does not come to rest");
        }
        let will_end = |it: &Waiter| it.pause.as_ref().is_some_and(|pause| !pause.has_fired);
        let waits = |it: &&Waiter| {
            let has_to_poll = it.is_left_over;
            it.enqueued.is_some() && !has_to_poll && !will_end(it)
        };
        for waiter in self.waiters.iter().filter(waits) {
            let is_ready = is_ready(waiter.object, waiter.at.direction);
            assert!(!is_ready, "a task waits for an object that is ready");
        }
    }
}

fn is_ready(object: usize, direction: Direction) -> bool {
    kernel(|it| *it.objects[object].ready.get(direction))
}
