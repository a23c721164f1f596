//! Compares a timer with a model: its results and the tasks that it wakes, in random sequences of
//! operations. `PROPTEST_CASES` sets the number of sequences.

mod support;

use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use async_io::Timer;
use proptest::prelude::*;
use support::*;

const SOON: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug)]
enum Step {
    /// One of two tasks polls the timer.
    Poll(usize),
    SetSoon,
    SetFar,
    SetPast,
    Clear,
    /// Waits until the timer has fired, if it is due soon.
    Pass,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..2usize).prop_map(Step::Poll),
        2 => Just(Step::SetSoon),
        1 => Just(Step::SetFar),
        1 => Just(Step::SetPast),
        1 => Just(Step::Clear),
        3 => Just(Step::Pass),
    ]
}

/// A timer and its expected state.
struct Bench {
    timer: Timer,
    tasks: [(Arc<Counter>, Waker); 2],
    when: Option<Instant>,
    /// The task that polled the timer last and has not received an event since.
    listener: Option<usize>,
    /// The wake-up that is due at the deadline: the task, and how often it had been woken before.
    owed: Option<(usize, usize)>,
}

impl Bench {
    fn new() -> Self {
        Bench {
            timer: Timer::never(),
            tasks: [Counter::new(), Counter::new()],
            when: None,
            listener: None,
            owed: None,
        }
    }

    fn owe(&mut self) {
        let listener = self.listener.filter(|_| self.when.is_some());
        self.owed = listener.map(|task| (task, self.tasks[task].0.wakes()));
    }

    fn set(&mut self, when: Instant) {
        self.when = Some(when);
        self.owe();
        self.timer.set_at(when);
    }

    fn poll(&mut self, task: usize) {
        let was_due = self.when.is_some_and(|when| when <= Instant::now());
        let before = self.tasks[task].0.wakes();
        let polled = poll(&mut self.timer, &self.tasks[task].1);
        match polled {
            std::task::Poll::Ready(event) => {
                assert_eq!(Some(event), self.when);
                assert!(event <= Instant::now(), "early");
                (self.when, self.listener, self.owed) = (None, None, None);
            }
            std::task::Poll::Pending => {
                assert!(!was_due, "due but not ready");
                if self.when.is_some() {
                    self.listener = Some(task);
                    self.owed = Some((task, before));
                } else {
                    self.listener = self.listener.map(|_| task);
                }
            }
        }
        assert_eq!(self.timer.will_fire(), self.when.is_some());
    }

    fn pass(&mut self) {
        let Some(when) = self.when.filter(|&when| when <= Instant::now() + SOON) else {
            return;
        };
        if let Some((task, before)) = self.owed.take() {
            self.tasks[task].0.wait_for(before + 1);
        }
        std::thread::sleep(when.saturating_duration_since(Instant::now()));
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Poll(task) => self.poll(task),
            Step::SetSoon => self.set(Instant::now() + SOON),
            Step::SetFar => self.set(Instant::now() + HOUR),
            Step::SetPast => self.set(Instant::now()),
            Step::Clear => {
                (self.when, self.owed) = (None, None);
                self.timer.clear();
            }
            Step::Pass => self.pass(),
        }
    }

    /// Drops the timer and checks that it releases all wakers.
    fn end(self) {
        drop(self.timer);
        for (counter, waker) in self.tasks {
            drop(waker);
            let start = Instant::now();
            // The thread that calls the waker may still hold a copy.
            while counter.held(0) > 0 {
                assert!(start.elapsed() < STEP, "a waker is still held");
                std::thread::yield_now();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn timers_do_as_the_model_says(steps in proptest::collection::vec(step(), 1..30)) {
        let mut bench = Bench::new();
        for step in steps {
            bench.take(step);
        }
        bench.end();
    }
}
