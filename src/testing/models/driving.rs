//! Which thread drives. While a task waits, a thread is inside the reactor's wait or is certain to
//! enter it. If that does not hold, all threads of a model block, and the model fails.

use super::system::{Driver, Gate, Participant, models, spawn_fallback};
use crate::core::clock::Deadline;
use crate::driver::policy::Policy;
use crate::driver::shell::Turning;
use loom::thread;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;

models! {
    /// Excluded: the leader returns from its wait and blocks on another thread, which stands by and
    /// does not take the role.
    leader_blocks_on_a_standby_thread, 4;
    /// Excluded: the same after a second wait, if the leader cancelled the alarm before that wait.
    leader_blocks_after_its_second_wait, 3;
    /// Excluded: three threads wait, the events come in another order, and none of the remaining
    /// threads takes the role. A thread ends once its event has come.
    last_of_three_is_served, 3;
    /// Excluded: the fallback thread uses up a notification for the leader, which took the role
    /// from it while it was inside its wait.
    displaced_thread_passes_the_notification_on, 4;
    /// Excluded: a thread in `block_on` takes the role from the fallback thread and then starts
    /// long-running work, and the fallback thread does not come back for other tasks.
    fallback_thread_comes_back, 3;
    /// Excluded: a thread that gives the reactor turns without waiting starts long-running work,
    /// and leaves a standby thread without an alarm.
    busy_thread_gives_turns, 4;
    /// Excluded: one of three threads misses its event. One call of `block_on` ends, another one
    /// starts long-running work in its future, and the third thread is the fallback thread.
    calls_come_and_go_beside_the_fallback_thread, 2;
    /// Excluded: a turn that panics keeps the role, or does not wake the tasks of the events that
    /// it has fetched. The thread ends its call of `block_on` and does not come back.
    panicking_turn_releases_the_role, 4;
    /// Excluded: the same for the fallback thread, which keeps running.
    panicking_turn_of_the_fallback_thread, 4;
    /// Excluded: a thread that is about to wait does not see a new earliest deadline, and the
    /// deadline does not end its wait either.
    earlier_deadline_meets_a_leader_that_goes_to_sleep, 4;
    /// Excluded: a leader takes the role from the fallback thread inside its wait, fires a timer
    /// and starts long-running work, and the fallback thread does not wake up for the next timer.
    displaced_thread_fires_the_next_timer, 4;
    /// Excluded: a fallback thread that was displaced inside its wait uses up the expiry of the
    /// timer descriptor, and the leader sleeps past its own deadline.
    displaced_thread_passes_the_deadline_on, 4;
}

fn leader_blocks_on_a_standby_thread<const C: bool, P: Policy>(driver: &'static Driver<C, P>) {
    let second = thread::spawn(move || {
        driver.engine.post(&[0]);
        let mut call = Participant::new(driver);
        call.block_on_task(1);
        call.retire();
    });
    let mut call = Participant::new(driver);
    call.block_on_task(0);
    // Still inside the future: the call has not ended.
    driver.engine.post(&[1]);
    second.join().unwrap();
}

fn leader_blocks_after_its_second_wait<const C: bool, P: Policy>(driver: &'static Driver<C, P>) {
    let second = thread::spawn(move || {
        let mut call = Participant::new(driver);
        call.block_on_task(2);
        call.retire();
    });
    let peer = thread::spawn(move || {
        driver.engine.post(&[0]);
        driver.engine.post(&[1]);
    });
    let mut call = Participant::new(driver);
    call.block_on_task(0);
    call.block_on_task(1);
    // Still inside the future: the call has not ended.
    driver.engine.post(&[2]);
    second.join().unwrap();
    peer.join().unwrap();
}

fn last_of_three_is_served<const C: bool, P: Policy>(driver: &'static Driver<C, P>) {
    let threads = [0, 1, 2].map(|task| {
        thread::spawn(move || {
            let mut call = Participant::new(driver);
            call.block_on_task(task);
            call.retire();
        })
    });
    for task in [1, 0, 2] {
        driver.engine.post(&[task]);
    }
    for thread in threads {
        thread.join().unwrap();
    }
}

fn displaced_thread_passes_the_notification_on<const C: bool, P: Policy>(
    driver: &'static Driver<C, P>,
) {
    let mut call = Participant::new(driver);
    let waker = call.waker();
    let fallback = thread::spawn(move || {
        Participant::fallback(driver).lead_once();
    });
    let main = thread::spawn(move || {
        call.block_until_notified();
        // Ends the wait of the fallback thread.
        driver.engine.notify();
    });
    waker.wake();
    main.join().unwrap();
    fallback.join().unwrap();
}

fn fallback_thread_comes_back<const C: bool, P: Policy>(driver: &'static Driver<C, P>) {
    let served = Gate::new();
    assert!(!driver.engine.poll(1, &Arc::clone(&served).into()));
    let fallback = thread::spawn(move || Participant::fallback(driver).drive_until(&served));
    let peer = thread::spawn(move || driver.engine.post(&[0]));
    let mut call = Participant::new(driver);
    call.block_on_task(0);
    peer.join().unwrap();
    // Still inside the future: the call has not ended.
    driver.engine.post(&[1]);
    fallback.join().unwrap();
}

fn busy_thread_gives_turns<const C: bool, P: Policy>(driver: &'static Driver<C, P>) {
    let second = thread::spawn(move || {
        let mut call = Participant::new(driver);
        call.block_on_task(0);
        call.retire();
    });
    let mut call = Participant::new(driver);
    call.give_turn();
    driver.engine.post(&[0]);
    call.give_turn();
    // Still inside the future: the call has not ended.
    second.join().unwrap();
}

fn calls_come_and_go_beside_the_fallback_thread<const C: bool, P: Policy>(
    driver: &'static Driver<C, P>,
) {
    let served = Gate::new();
    assert!(!driver.engine.poll(2, &Arc::clone(&served).into()));
    let fallback = spawn_fallback(driver, &served);
    let first = thread::spawn(move || {
        let mut call = Participant::new(driver);
        call.block_on_task(0);
        call.retire();
    });
    let second = thread::spawn(move || {
        let mut call = Participant::new(driver);
        call.block_on_task(1);
        // Still inside the future: the call has not ended.
        served.wait();
        call.retire();
    });
    for task in [1, 2, 0] {
        driver.engine.post(&[task]);
    }
    for thread in [first, second, fallback] {
        thread.join().unwrap();
    }
}

fn panicking_turn_releases_the_role<const C: bool, P: Policy>(driver: &'static Driver<C, P>) {
    driver.engine.panic_once();
    let threads = [0, 1].map(|task| {
        thread::spawn(move || {
            let mut call = Participant::new(driver);
            let served = catch_unwind(AssertUnwindSafe(|| call.block_on_task(task)));
            call.retire();
            served.is_ok()
        })
    });
    driver.engine.post(&[0]);
    driver.engine.post(&[1]);
    let served = threads.map(|thread| thread.join().unwrap());
    assert!(served[0] || served[1]);
}

fn panicking_turn_of_the_fallback_thread<const C: bool, P: Policy>(driver: &'static Driver<C, P>) {
    driver.engine.panic_once();
    let served = Gate::new();
    assert!(!driver.engine.poll(0, &Arc::clone(&served).into()));
    let peer = thread::spawn(move || driver.engine.post(&[0]));
    Participant::fallback(driver).drive_until(&served);
    peer.join().unwrap();
}

fn earlier_deadline_meets_a_leader_that_goes_to_sleep<const C: bool, P: Policy>(
    driver: &'static Driver<C, P>,
) {
    let timers = driver.engine.timers();
    let mut call = Participant::new(driver);
    let waker = call.waker();
    let leader = thread::spawn(move || call.block_until_notified());
    schedule(driver, Deadline::from_nanos(5), waker);
    leader.join().unwrap();
    assert!(timers.next().is_never());
}

fn displaced_thread_fires_the_next_timer<const C: bool, P: Policy>(driver: &'static Driver<C, P>) {
    driver.engine.timers();
    let served = Gate::new();
    let mut call = Participant::new(driver);
    let waker = call.waker();
    let fallback = spawn_fallback(driver, &served);
    schedule(driver, Deadline::from_nanos(5), waker);
    schedule(driver, Deadline::from_nanos(50), Arc::clone(&served).into());
    call.block_until_notified();
    // Still inside the future: the call has not ended.
    served.wait();
    fallback.join().unwrap();
}

fn displaced_thread_passes_the_deadline_on<const C: bool, P: Policy>(
    driver: &'static Driver<C, P>,
) {
    driver.engine.timers();
    let mut call = Participant::new(driver);
    let waker = call.waker();
    let fallback = thread::spawn(move || {
        Participant::fallback(driver).lead_once();
    });
    let main = thread::spawn(move || {
        call.block_until_notified();
        // Ends the wait of the fallback thread.
        driver.engine.notify();
    });
    schedule(driver, Deadline::from_nanos(5), Waker::noop().clone());
    schedule(driver, Deadline::from_nanos(50), waker);
    main.join().unwrap();
    fallback.join().unwrap();
}

/// Schedules a timer as `Driver::schedule` does.
fn schedule<const C: bool, P: Policy>(
    driver: &'static Driver<C, P>,
    deadline: Deadline,
    waker: Waker,
) {
    let (_, is_earliest) = driver.engine.timers().insert(deadline, waker).unwrap();
    if is_earliest {
        driver.earliest_moved(deadline);
    }
}
