//! Timers with equal deadlines wake their tasks in the order in which the timers were set, as long
//! as a single thread calls the wakers. Here no thread is inside `block_on`.

use async_io::Timer;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

const TIMERS: usize = 12;

/// Writes its number to the log when it is woken.
struct Numbered(usize, Arc<Mutex<Vec<usize>>>);

impl Wake for Numbered {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push(self.0);
    }
}

struct Tasks {
    log: Arc<Mutex<Vec<usize>>>,
    timers: Vec<Timer>,
}

impl Tasks {
    /// Creates timers with the same deadline and polls each with the waker of its own task.
    fn new(deadline: Instant) -> Tasks {
        let log = Arc::new(Mutex::new(Vec::new()));
        let timers = (0..TIMERS).map(|number| {
            let waker = Waker::from(Arc::new(Numbered(number, log.clone())));
            let mut timer = Timer::at(deadline);
            let poll = Future::poll(Pin::new(&mut timer), &mut Context::from_waker(&waker));
            assert_eq!(poll, Poll::Pending);
            timer
        });
        let timers = timers.collect();
        Tasks { log, timers }
    }

    /// Waits until all tasks have been woken and returns the order.
    fn order(self) -> Vec<usize> {
        for _ in 0..1000 {
            thread::sleep(Duration::from_millis(5));
            if self.log.lock().unwrap().len() == TIMERS {
                break;
            }
        }
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
    let mut tasks = Tasks::new(Instant::now() + Duration::from_secs(3600));
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
