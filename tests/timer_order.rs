//! A thread wakes the tasks of timers with equal deadlines in the order in which the timers were set.
//! While it calls one waker, another thread may call the rest.

use async_io::{Timer, block_on};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

const TIMERS: usize = 12;

type Log = Arc<Mutex<Vec<(usize, ThreadId)>>>;

/// Writes its number and the calling thread to the log when it is woken.
struct Numbered(usize, Log);

impl Wake for Numbered {
    fn wake(self: Arc<Self>) {
        self.1
            .lock()
            .unwrap()
            .push((self.0, thread::current().id()));
    }
}

struct Tasks {
    log: Log,
    timers: Vec<Timer>,
}

impl Tasks {
    /// Sets timers with the same deadline and polls each in the name of its own task.
    fn new(deadline: Instant) -> Tasks {
        let log = Log::default();
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

    /// Waits until all tasks have been woken, by each thread in this order.
    fn expect_order(self, expected: impl Iterator<Item = usize>) {
        for _ in 0..1000 {
            block_on(Timer::after(Duration::from_millis(5)));
            if self.log.lock().unwrap().len() == TIMERS {
                break;
            }
        }
        let expected: Vec<usize> = expected.collect();
        let rank = |number: usize| expected.iter().position(|it| *it == number);
        let calls = self.log.lock().unwrap().clone();
        assert_eq!(calls.len(), TIMERS, "{calls:?}");
        for (index, (number, thread)) in calls.iter().enumerate() {
            let mut former = calls[..index].iter().filter(|call| call.1 == *thread);
            assert!(former.all(|call| rank(call.0) < rank(*number)), "{calls:?}");
        }
    }
}

#[test]
fn tasks_with_equal_deadlines_are_woken_in_the_order_of_their_polls() {
    let tasks = Tasks::new(Instant::now() + Duration::from_millis(50));
    tasks.expect_order(0..TIMERS);
}

#[test]
fn tasks_are_woken_in_the_order_in_which_their_timers_were_set_again() {
    let mut tasks = Tasks::new(Instant::now() + Duration::from_secs(3600));
    let deadline = Instant::now() + Duration::from_millis(50);
    for timer in tasks.timers.iter_mut().rev() {
        timer.set_at(deadline);
    }
    tasks.expect_order((0..TIMERS).rev());
}

#[test]
fn timer_that_is_set_again_comes_after_those_with_the_same_deadline() {
    let deadline = Instant::now() + Duration::from_millis(100);
    let mut tasks = Tasks::new(deadline);
    tasks.timers[0].set_at(deadline);
    tasks.expect_order((1..TIMERS).chain([0]));
}
