//! Two tasks that use one object, and what happens while one of them is inside a system call.

use super::Calls;
use super::scripted::{Kernel, Scripted, kernel};
use crate::core::clock::Deadline;
use crate::core::source::Direction;
use crate::core::source::state::Request;
use crate::core::source::waiters::WaiterId;
use crate::core::timers::TimerKey;
use crate::core::wake::WakeBatch;
use crate::driver::shell::Turning;
use crate::engine::waiting::{Pausing, WaitPoint, Waited};
use crate::engine::{Engine, Target};
use std::sync::Mutex;
use std::task::{RawWaker, RawWakerVTable, Waker};

type Real = Engine<Scripted<false>>;

const READER: WaitPoint = WaitPoint {
    direction: Direction::Read,
    id: WaiterId::Shared,
};

const SOON: Deadline = Deadline::from_nanos(0);
const LATE: Deadline = Deadline::from_nanos(1 << 62);

/// Creates a reactor with one object. The closures of the kernel are `'static`, so the reactor is
/// never dropped. The list shows a leak checker that this is on purpose.
fn reactor() -> (&'static Real, Target<'static, u16>) {
    kernel(|it| *it = Kernel::new(false));
    static KEPT: Mutex<Vec<&Real>> = Mutex::new(Vec::new());
    let real: &Real = Box::leak(Box::new(Engine::new(1)));
    KEPT.lock().unwrap().push(real);
    (real, real.insert(0).unwrap())
}

fn ask(real: &Real, target: &Target<'_, u16>, waker: &Waker) -> Waited {
    real.wait_for(target, READER, Request::Ready, waker)
        .unwrap()
}

fn turn(real: &Real) {
    let (mut events, mut batch) = (Real::buffer(), WakeBatch::default());
    real.turn(None, &mut events, &mut batch);
    batch.run();
}

fn set_ready(ready: bool) {
    kernel(|it| *it.objects[0].ready.get_mut(Direction::Read) = ready);
}

#[test]
fn event_that_is_fetched_before_the_answer_does_not_mean_ready() {
    let (real, target) = reactor();
    let calls = Calls::new();
    // Data arrives and is reported, and another task takes it, before the kernel is asked.
    kernel(|it| it.arrive(0, Direction::Read));
    set_ready(false);
    assert_eq!(ask(real, &target, &calls.waker()), Waited::Enqueued);
    turn(real);
    assert_eq!(ask(real, &target, &calls.waker()), Waited::Enqueued);
    assert_eq!(kernel(|it| it.questions), 1);
}

#[test]
fn event_during_a_question_wakes_the_task() {
    let (real, target) = reactor();
    let calls = Calls::new();
    kernel(|it| {
        it.after_question = Some(Box::new(move || {
            kernel(|it| it.arrive(0, Direction::Read));
            turn(real);
        }));
    });
    assert_eq!(ask(real, &target, &calls.waker()), Waited::Enqueued);
    assert_eq!(calls.count(), 1);
    assert_eq!(ask(real, &target, &calls.waker()), Waited::Ready);
}

#[test]
fn refused_task_that_an_event_wakes_does_not_yield() {
    let (real, target) = reactor();
    let calls = Calls::new();
    let refused = || real.wait_for(&target, READER, Request::Refused, &calls.waker());
    set_ready(true);
    // Fetches the event that the registration causes.
    turn(real);
    assert_eq!(refused().unwrap(), Waited::TryAgain);
    kernel(|it| {
        it.after_question = Some(Box::new(move || {
            kernel(|it| it.arrive(0, Direction::Read));
            turn(real);
        }));
    });
    assert_eq!(refused().unwrap(), Waited::Enqueued);
    assert_eq!(calls.count(), 1);
    assert_eq!(refused().unwrap(), Waited::Yield);
}

/// Asks for readiness until the reactor suspects that the object refuses operations.
fn ask_until_suspicion(real: &Real, target: &Target<'_, u16>, waker: &Waker) {
    for round in 0..64 {
        let expected = if round < 4 {
            Waited::Ready
        } else {
            Waited::Yield
        };
        assert_eq!(ask(real, target, waker), expected);
        if expected == Waited::Yield {
            assert_eq!(ask(real, target, waker), Waited::Ready);
        }
    }
}

#[test]
fn pause_does_not_displace_a_task_that_waits() {
    let (real, target) = reactor();
    let (first, second) = (Calls::new(), Calls::new());
    set_ready(true);
    kernel(|it| *it.objects[0].may_refuse.get_mut(Direction::Read) = true);
    ask_until_suspicion(real, &target, &first.waker());
    let waits = second.waker();
    kernel(|it| {
        it.after_suspicion = Some(Box::new(move || {
            set_ready(false);
            assert_eq!(ask(real, &target, &waits), Waited::Enqueued);
        }));
    });
    let waited = ask(real, &target, &first.waker());
    assert!(matches!(waited, Waited::Pause(_)), "{waited:?}");
    assert_eq!(second.count(), 0);
    kernel(|it| it.arrive(0, Direction::Read));
    turn(real);
    assert_eq!(second.count(), 1);
}

#[test]
fn task_that_enqueues_itself_during_a_question_is_not_forgotten() {
    let (real, target) = reactor();
    let (first, second) = (Calls::new(), Calls::new());
    set_ready(true);
    for _ in 0..4 {
        assert_eq!(ask(real, &target, &first.waker()), Waited::Ready);
    }
    let waits = second.waker();
    kernel(|it| {
        it.after_question = Some(Box::new(move || {
            let seen = target.source.word(Direction::Read).snapshot();
            let waited = real.wait_for(&target, READER, Request::Retry(seen), &waits);
            assert_eq!(waited.unwrap(), Waited::Enqueued);
        }));
    });
    assert_eq!(ask(real, &target, &first.waker()), Waited::Yield);
    // The second task has displaced the first one, which polls again because it yields.
    let before = second.count();
    ask(real, &target, &first.waker());
    let is_waiting = target.source.lock().state.waiters.any(Direction::Read);
    assert!(is_waiting || second.count() > before, "its waker is lost");
}

/// Returns a waker that does not equal its clones: `will_wake` may return `false` for wakers of the
/// same task.
#[allow(unsafe_code)]
fn unlike_its_clones() -> Waker {
    const fn table(clone: unsafe fn(*const ()) -> RawWaker) -> RawWakerVTable {
        unsafe fn ignore(_data: *const ()) {}
        RawWakerVTable::new(clone, ignore, ignore, ignore)
    }
    unsafe fn clone(_data: *const ()) -> RawWaker {
        static CLONED: RawWakerVTable = table(clone);
        RawWaker::new(std::ptr::null(), &CLONED)
    }
    static ORIGINAL: RawWakerVTable = table(clone);
    let raw = RawWaker::new(std::ptr::null(), &ORIGINAL);
    // SAFETY: the functions of the table use no data, so they meet the contract of a waker.
    unsafe { Waker::from_raw(raw) }
}

#[test]
fn waker_that_differs_from_its_clones_is_not_left_waiting() {
    let (real, target) = reactor();
    let waker = unlike_its_clones();
    assert!(!waker.will_wake(&waker.clone()));
    set_ready(true);
    for _ in 0..20 {
        assert_ne!(ask(real, &target, &waker), Waited::Enqueued);
    }
}

#[test]
fn task_that_pauses_as_the_shared_waiter_is_woken_if_another_one_pauses() {
    let (real, target) = reactor();
    let (first, second) = (Calls::new(), Calls::new());
    let pause = |calls: &std::sync::Arc<Calls>| {
        let (timer, _) = real.timers.insert(LATE, calls.waker()).unwrap();
        real.set_pause(&target, READER, timer);
        timer
    };
    let timer = pause(&first);
    assert_eq!(first.count(), 0);
    pause(&second);
    assert_eq!((first.count(), second.count()), (1, 0));
    assert!(!real.timers.is_pending(timer));
}

/// Makes a task pause as the shared waiter although the object is ready.
fn pause(real: &'static Real, target: &Target<'_, u16>, waker: &Waker) -> TimerKey {
    set_ready(true);
    kernel(|it| *it.objects[0].may_refuse.get_mut(Direction::Read) = true);
    // Fetches the event that the registration causes.
    turn(real);
    ask_until_suspicion(real, target, waker);
    let waited = ask(real, target, waker);
    assert!(matches!(waited, Waited::Pause(_)), "{waited:?}");
    let (timer, _) = real.timers.insert(LATE, waker.clone()).unwrap();
    real.set_pause(target, READER, timer);
    timer
}

#[test]
fn success_of_another_task_does_not_end_a_pause_for_good() {
    let (real, target) = reactor();
    let calls = Calls::new();
    let waker = calls.waker();
    pause(real, &target, &waker);
    turn(real);
    // Another task reads, and leaves data behind.
    real.forgive(&target, READER);
    assert_eq!(calls.count(), 1);
    assert_eq!(kernel(|it| it.questions), 65);
    ask(real, &target, &waker);
    assert_eq!(kernel(|it| it.questions), 66);
}

#[test]
fn pause_that_another_task_finds_over_is_over_for_both() {
    let (real, target) = reactor();
    let (first, second) = (Calls::new(), Calls::new());
    let waker = first.waker();
    let timer = pause(real, &target, &waker);
    assert!(real.timers.reset(timer, SOON).is_some());
    turn(real);
    assert_eq!(first.count(), 1);
    let pausing = real.pausing(&target, READER, &second.waker());
    assert_eq!(pausing, Pausing::Over);
    assert_eq!(real.pausing(&target, READER, &waker), Pausing::No);
    assert_ne!(ask(real, &target, &waker), Waited::Enqueued);
}

#[test]
fn pause_ends_although_another_waiter_has_succeeded() {
    let (real, target) = reactor();
    let calls = Calls::new();
    let waker = calls.waker();
    let timer = pause(real, &target, &waker);
    // A future with a waiter of its own reads, and leaves data behind.
    let id = target.source.lock().state.waiters.add(Direction::Read);
    real.forgive(&target, WaitPoint { id, ..READER });
    assert!(real.timers.reset(timer, SOON).is_some());
    turn(real);
    assert_eq!(calls.count(), 1);
    // No operation is contradicted any more, so the task does not check for a pause.
    let word = target.source.word(Direction::Read);
    assert!(!word.snapshot().is_contradicted());
    assert_ne!(ask(real, &target, &waker), Waited::Enqueued);
}
