//! Timers with equal deadlines wake their tasks in the order in which the timers were set, as long
//! as a single thread calls the wakers. Here no thread is inside `block_on`.

mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_io::Timer;
use support::*;

const TIMERS: usize = 12;

struct Tasks {
    log: Arc<Mutex<Vec<usize>>>,
    timers: Vec<Timer>,
}

impl Tasks {
    /// Creates timers with the same deadline and polls each with the waker of its own task.
    fn new(deadline: Instant) -> Tasks {
        let log = Arc::new(Mutex::new(Vec::new()));
        let timers = (0..TIMERS).map(|number| {
            let woken = log.clone();
            let waker = waker_fn(move || woken.lock().unwrap().push(number));
            let mut timer = Timer::at(deadline);
            assert!(poll(&mut timer, &waker).is_pending());
            timer
        });
        let timers = timers.collect();
        Tasks { log, timers }
    }

    /// Waits until all tasks have been woken and returns the order.
    fn order(self) -> Vec<usize> {
        until("all tasks are woken", || {
            self.log.lock().unwrap().len() >= TIMERS
        });
        let log = self.log.lock().unwrap();
        log.clone()
    }
}

#[test]
fn tasks_with_equal_deadlines_are_woken_in_the_order_of_their_polls() {
    let tasks = Tasks::new(Instant::now() + Duration::from_millis(50));
    assert!(tasks.order().into_iter().eq(0..TIMERS));
}

#[test]
fn tasks_are_woken_in_the_order_in_which_their_timers_were_set_again() {
    let mut tasks = Tasks::new(Instant::now() + HOUR);
    let deadline = Instant::now() + Duration::from_millis(50);
    for timer in tasks.timers.iter_mut().rev() {
        timer.set_at(deadline);
    }
    assert!(tasks.order().into_iter().eq((0..TIMERS).rev()));
}

#[test]
fn timer_that_is_set_again_comes_after_those_with_the_same_deadline() {
    let deadline = Instant::now() + Duration::from_millis(100);
    let mut tasks = Tasks::new(deadline);
    tasks.timers[0].set_at(deadline);
    let expected = (1..TIMERS).chain([0]);
    assert!(tasks.order().into_iter().eq(expected));
}
