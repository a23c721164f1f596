//! Private reactors: what keeps one occupied, which threads are inside it, and two drivers at once.

use super::explore;
use super::system::{Driver, Gate, Participant, PerExecution, Second, models, spawn_fallback};
use crate::core::clock::Deadline;
use crate::core::presence::{Holders, Presence};
use crate::driver::policy::Policy;
use crate::driver::shell::Turning;
use crate::driver::turn_requests::{CallerId, TurnRequests};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use std::task::Waker;

models! {
    /// Excluded: a task waits that relied on a thread inside, all threads have left, and the fallback
    /// thread does not run.
    last_thread_that_leaves_finds_the_task, 3;
    /// Excluded: the same for a task that is noted while another thread looks for tasks, finds
    /// none, and erases the note.
    note_survives_a_search_that_finds_none, 3;
    /// Excluded: a thread waits for a second reactor inside a call for the first one, the second call
    /// depends on a task of the first reactor, and no thread drives that.
    nested_call_for_another_reactor, 3;
    /// Excluded: a thread waits for a source of another reactor, and no thread drives that reactor.
    wait_across_reactors, 3;
    /// Excluded: a foreign event loop sleeps past a deadline that another thread has set since the
    /// loop was prepared.
    foreign_loop_sees_an_earlier_deadline, 4;
    /// Excluded: a request to end a turn ends neither the call in progress nor the next one, while
    /// another thread may lead.
    request_ends_a_turn, 3;
    /// Excluded: a fallback thread that was displaced inside its wait uses up the expiry that was meant
    /// for the limit of a turn, and the turn does not end.
    displaced_thread_passes_the_limit_of_a_turn_on, 4;
    /// Excluded: a foreign event loop is prepared, which programs the timer later, while a turn with a
    /// limit begins, and the turn does not end.
    prepared_loop_keeps_the_limit_of_a_turn, 4;
    /// Excluded: another thread uses up the notification of a request, and the wait of a foreign event
    /// loop does not end.
    request_ends_the_wait_of_a_loop, 4;
    /// Excluded: the same, for a request that `prepare` has reported to a loop that ignores reports.
    reported_request_ends_the_wait_of_a_loop, 4;
}

/// The threads inside a driver, as `driver::concrete` counts them.
struct Inside<const C: bool, P: 'static> {
    driver: &'static Driver<C, P>,
    presence: Presence,
    /// The task that the searches look for, and the gate that it opens.
    task: usize,
    served: std::sync::Arc<Gate>,
}

impl<const C: bool, P: Policy> Inside<C, P> {
    fn new(driver: &'static Driver<C, P>, task: usize) -> Arc<Self> {
        Arc::new(Inside {
            driver,
            presence: Presence::empty(),
            task,
            served: Gate::new(),
        })
    }

    /// Has the task wait. This thread is inside.
    fn wait(&self) {
        self.presence.note_task();
        let waker = std::sync::Arc::clone(&self.served).into();
        if self.driver.engine.poll(self.task, &waker) {
            waker.wake();
        }
    }

    /// Leaves. Starts the fallback thread if the task waits.
    fn leave(&self) -> Option<thread::JoinHandle<()>> {
        if !self.presence.leave() {
            return None;
        }
        if !self.driver.engine.is_waiting(self.task) {
            self.presence.erase_note();
            return None;
        }
        Some(spawn_fallback(self.driver, &self.served))
    }
}

fn last_thread_that_leaves_finds_the_task<const C: bool, P: Policy>(driver: &'static Driver<C, P>) {
    let inside = Inside::new(driver, 0);
    inside.presence.enter();
    inside.presence.enter();
    let other = Arc::clone(&inside);
    let leaver = thread::spawn(move || other.leave());
    let peer = thread::spawn(move || driver.engine.post(&[0]));
    inside.wait();
    let started = inside.leave();
    inside.served.wait();
    for fallback in [started, leaver.join().unwrap()].into_iter().flatten() {
        fallback.join().unwrap();
    }
    peer.join().unwrap();
}

fn note_survives_a_search_that_finds_none<const C: bool, P: Policy>(driver: &'static Driver<C, P>) {
    let inside = Inside::new(driver, 0);
    // A task that has waited meanwhile is done.
    inside.presence.enter();
    inside.presence.note_task();
    let other = Arc::clone(&inside);
    let searcher = thread::spawn(move || other.leave());
    inside.presence.enter();
    inside.wait();
    driver.engine.post(&[0]);
    let started = inside.leave();
    inside.served.wait();
    for fallback in [started, searcher.join().unwrap()].into_iter().flatten() {
        fallback.join().unwrap();
    }
}

fn nested_call_for_another_reactor<const C: bool, P: Policy>(driver: &'static Driver<C, P>) {
    let second: &'static Driver<true, Second> = PerExecution::get();
    let inside = Inside::new(driver, 0);
    let peer = thread::spawn(move || driver.engine.post(&[0]));
    inside.presence.enter();
    inside.wait();
    let mut nested = Participant::new(second);
    let served = std::sync::Arc::clone(&inside.served);
    // The thread leaves the outer reactor before it waits for the inner one.
    let started = inside.leave();
    nested.block_on(|waker| served.poll(waker));
    nested.retire();
    inside.presence.enter();
    for thread in started.into_iter().chain([peer]) {
        thread.join().unwrap();
    }
}

fn wait_across_reactors<const C: bool, P: Policy>(driver: &'static Driver<C, P>) {
    let second: &'static Driver<true, Second> = PerExecution::get();
    let served = Gate::new();
    // A call for the second reactor waits for a source of the first one, which starts the fallback
    // thread of the first.
    let fallback = spawn_fallback(driver, &served);
    let call = thread::spawn(move || {
        let mut call = Participant::new(second);
        call.block_on(|waker| driver.engine.poll(0, waker));
        call.retire();
        Waker::from(served).wake();
    });
    // A call for the first reactor comes and goes.
    let mut own = Participant::new(driver);
    driver.engine.post(&[1]);
    own.block_on_task(1);
    own.retire();
    driver.engine.post(&[0]);
    call.join().unwrap();
    fallback.join().unwrap();
}

fn foreign_loop_sees_an_earlier_deadline<const C: bool, P: Policy>(driver: &'static Driver<C, P>) {
    driver.engine.timers();
    let setter = thread::spawn(move || {
        let timers = driver.engine.timers();
        let deadline = Deadline::from_nanos(5);
        let (_, is_earliest) = timers.insert(deadline, Waker::noop().clone()).unwrap();
        if is_earliest {
            driver.earliest_moved(deadline);
        }
    });
    // As `Driver::prepare` does.
    driver.engine.expect_by(driver.foreign_loop_waits());
    driver.engine.wait_for_descriptor();
    setter.join().unwrap();
}

fn request_ends_a_turn<const C: bool, P: Policy>(driver: &'static Driver<C, P>) {
    let requests = Arc::new(TurnRequests::default());
    let made = Arc::clone(&requests);
    let turn = thread::spawn(move || {
        let mut call = Participant::new(driver);
        call.turn(&requests);
        call.retire();
    });
    let other = thread::spawn(move || {
        let mut call = Participant::new(driver);
        call.block_on_task(0);
        call.retire();
    });
    if !made.make() {
        driver.engine.notify();
    }
    turn.join().unwrap();
    driver.engine.post(&[0]);
    other.join().unwrap();
}

fn displaced_thread_passes_the_limit_of_a_turn_on<const C: bool, P: Policy>(
    driver: &'static Driver<C, P>,
) {
    let fallback = thread::spawn(move || {
        Participant::fallback(driver).lead_once();
    });
    let mut call = Participant::new(driver);
    call.turn_until(Deadline::from_nanos(5));
    call.retire();
    // Ends the wait of the fallback thread, if it has begun after the turn.
    driver.engine.notify();
    fallback.join().unwrap();
}

fn prepared_loop_keeps_the_limit_of_a_turn<const C: bool, P: Policy>(
    driver: &'static Driver<C, P>,
) {
    let turn = thread::spawn(move || {
        let mut call = Participant::new(driver);
        call.turn_until(Deadline::from_nanos(5));
        call.retire();
    });
    // As `Driver::prepare` does, without timers.
    driver.engine.arm(driver.foreign_loop_waits());
    driver.call_back_limited_turns();
    turn.join().unwrap();
}

fn request_ends_the_wait_of_a_loop<const C: bool, P: Policy>(driver: &'static Driver<C, P>) {
    let requests = Arc::new(TurnRequests::default());
    driver.foreign_loop_waits();
    assert!(!requests.prepare(CallerId(1)));
    let made = Arc::clone(&requests);
    let maker = thread::spawn(move || {
        if made.make() {
            driver.engine.notify();
        }
    });
    let helper = thread::spawn(move || take_turn(driver, &requests));
    driver.engine.wait_for_descriptor();
    maker.join().unwrap();
    helper.join().unwrap();
}

fn reported_request_ends_the_wait_of_a_loop<const C: bool, P: Policy>(
    driver: &'static Driver<C, P>,
) {
    let requests = Arc::new(TurnRequests::default());
    driver.foreign_loop_waits();
    if requests.make() {
        driver.engine.notify();
    }
    let shared = Arc::clone(&requests);
    let helper = thread::spawn(move || take_turn(driver, &shared));
    // As `Driver::prepare` does.
    if requests.prepare(CallerId(1)) {
        driver.engine.notify();
    }
    driver.engine.wait_for_descriptor();
    helper.join().unwrap();
}

/// Runs a turn that does not wait, and leaves, as `Driver::leave` does.
fn take_turn<const C: bool, P: Policy>(driver: &'static Driver<C, P>, requests: &TurnRequests) {
    let mut call = Participant::new(driver);
    call.give_turn();
    call.retire();
    if requests.owes_the_loop() {
        driver.engine.notify();
    }
}

/// Excluded: the thread that releases the last holder, and makes the driver vacant, does not see what
/// was done through the other holders.
#[test]
fn last_holder_sees_what_the_others_did() {
    explore("last_holder_sees_what_the_others_did", || {
        let shared = Arc::new((Holders::none(), UnsafeCell::new(())));
        let (holders, _) = &*shared;
        holders.add_handle();
        holders.add_object();
        let other = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let (holders, uses) = &*other;
            // Loom checks that no two threads use the cell without an order.
            uses.with_mut(|_| ());
            holders.remove_object()
        });
        let last_handle = holders.remove_handle();
        assert!(last_handle);
        let was_last = holders.remove_root();
        if was_last {
            shared.1.with_mut(|_| ());
        }
        assert_ne!(was_last, thread.join().unwrap());
    });
}

/// Excluded: the only object is dropped while another one is created through the handle, and the driver
/// becomes vacant although it is in use, or stays occupied for ever.
#[test]
fn object_meets_the_last_object() {
    explore("object_meets_the_last_object", || {
        let holders = Arc::new(Holders::none());
        holders.add_handle();
        holders.add_object();
        let other = Arc::clone(&holders);
        let thread = thread::spawn(move || other.remove_object());
        holders.add_object();
        let last_handle = holders.remove_handle();
        assert!(last_handle && !holders.remove_root());
        let was_last = holders.remove_object();
        assert!(was_last ^ thread.join().unwrap());
    });
}
