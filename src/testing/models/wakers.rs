//! A waker that blocks until a later waker of the same batch is called. Another thread, or a call
//! of `block_on` inside the waker, calls the later one.

use super::system::{Blocks, Driver, Gate, Participant, models, spawn_fallback};
use crate::driver::policy::Policy;
use loom::thread;
use std::sync::Arc;
use std::task::{Wake, Waker};

models! {
    /// Excluded: an idle thread does not take over the wakers of a leader that blocks in one of
    /// them.
    blocking_waker_meets_an_idle_thread, 2;
    /// Excluded: the fallback thread does not take over those wakers.
    blocking_waker_meets_the_fallback_thread, 3;
    /// Excluded: a call of `block_on` inside a waker waits forever for a later waker of its own
    /// batch.
    nested_call_waits_for_its_batch, 3;
    /// Excluded: the same, while another thread may take over the later waker.
    nested_call_meets_an_idle_thread, 2;
    /// Excluded: the leader and a fallback thread that was displaced inside its wait both have
    /// wakers to call, and a waker that is left is not taken over.
    two_threads_have_wakers, 3;
}

/// The tasks of the two wakers. The first waker blocks, and the second opens the gate.
const BATCH: [usize; 2] = [0, 1];

fn register<const C: bool, P: Policy>(
    driver: &'static Driver<C, P>,
    first: Waker,
    gate: &Arc<Gate>,
) {
    assert!(!driver.engine.poll(0, &first));
    assert!(!driver.engine.poll(1, &Arc::clone(gate).into()));
}

/// Posts the batch while two threads wait, each for a task of its own.
fn post_to_two_calls<const C: bool, P: Policy>(driver: &'static Driver<C, P>, gate: &Gate) {
    let threads = [2, 3].map(|task| {
        thread::spawn(move || {
            let mut call = Participant::new(driver);
            call.block_on_task(task);
            call.retire();
        })
    });
    driver.engine.post(&BATCH);
    gate.wait();
    driver.engine.post(&[2, 3]);
    for thread in threads {
        thread.join().unwrap();
    }
}

fn blocking_waker_meets_an_idle_thread<const C: bool, P: Policy>(driver: &'static Driver<C, P>) {
    let gate = Gate::new();
    register(driver, Arc::new(Blocks(Arc::clone(&gate))).into(), &gate);
    post_to_two_calls(driver, &gate);
}

fn blocking_waker_meets_the_fallback_thread<const C: bool, P: Policy>(
    driver: &'static Driver<C, P>,
) {
    let gate = Gate::new();
    register(driver, Arc::new(Blocks(Arc::clone(&gate))).into(), &gate);
    let fallback = spawn_fallback(driver, &gate);
    let call = thread::spawn(move || {
        let mut call = Participant::new(driver);
        call.block_on_task(2);
        call.retire();
    });
    driver.engine.post(&BATCH);
    gate.wait();
    driver.engine.post(&[2]);
    call.join().unwrap();
    fallback.join().unwrap();
}

/// A waker that calls `block_on` until the gate is open.
struct Nests<const C: bool, P: 'static> {
    driver: &'static Driver<C, P>,
    gate: Arc<Gate>,
}

impl<const C: bool, P: Policy> Wake for Nests<C, P> {
    fn wake(self: Arc<Self>) {
        let mut call = Participant::new(self.driver);
        call.block_on(|waker| self.gate.poll(waker));
        call.retire();
    }
}

fn nested_call_waits_for_its_batch<const C: bool, P: Policy>(driver: &'static Driver<C, P>) {
    let gate = Gate::new();
    let first = Nests {
        driver,
        gate: Arc::clone(&gate),
    };
    register(driver, Arc::new(first).into(), &gate);
    let peer = thread::spawn(move || driver.engine.post(&BATCH));
    let mut call = Participant::new(driver);
    call.block_on(|waker| gate.poll(waker));
    call.retire();
    peer.join().unwrap();
}

fn nested_call_meets_an_idle_thread<const C: bool, P: Policy>(driver: &'static Driver<C, P>) {
    let gate = Gate::new();
    let first = Nests {
        driver,
        gate: Arc::clone(&gate),
    };
    register(driver, Arc::new(first).into(), &gate);
    post_to_two_calls(driver, &gate);
}

fn two_threads_have_wakers<const C: bool, P: Policy>(driver: &'static Driver<C, P>) {
    let gate = Gate::new();
    register(driver, Arc::new(Blocks(Arc::clone(&gate))).into(), &gate);
    for task in [2, 3] {
        assert!(!driver.engine.poll(task, Waker::noop()));
    }
    let fallback = spawn_fallback(driver, &gate);
    let peer = thread::spawn(move || {
        driver.engine.post(&BATCH);
        driver.engine.post(&[2, 3]);
    });
    let mut call = Participant::new(driver);
    call.block_on(|waker| gate.poll(waker));
    call.retire();
    peer.join().unwrap();
    fallback.join().unwrap();
}
