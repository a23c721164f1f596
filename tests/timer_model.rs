//! Section 8 of the semantics, as a model: what a timer says and whom it wakes, in random sequences of what can be done with it.
//! `PROPTEST_CASES` says how many.

mod common;

use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use async_io::Timer;
use common::*;
use proptest::prelude::*;

const SOON: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug)]
enum Step {
    /// One of two tasks polls.
    Poll(usize),
    SetSoon,
    SetFar,
    SetPast,
    Clear,
    /// Time goes by until the timer has fired, if it does so soon.
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

/// The timer, and what is known of it.
struct Bench {
    timer: Timer,
    tasks: [(Arc<Hits>, Waker); 2],
    when: Option<Instant>,
    /// The task that has polled it, and has not heard of an event since.
    listener: Option<usize>,
    /// A wake-up that is to come once the timer is due: whose, and how many that task had before.
    owed: Option<(usize, usize)>,
}

impl Bench {
    fn new() -> Self {
        Bench {
            timer: Timer::never(),
            tasks: [hits(), hits()],
            when: None,
            listener: None,
            owed: None,
        }
    }

    fn owe(&mut self) {
        let listener = self.listener.filter(|_| self.when.is_some());
        self.owed = listener.map(|task| (task, self.tasks[task].0.count()));
    }

    fn set(&mut self, when: Instant) {
        self.when = Some(when);
        self.owe();
        self.timer.set_at(when);
    }

    fn poll(&mut self, task: usize) {
        let was_due = self.when.is_some_and(|when| when <= Instant::now());
        let before = self.tasks[task].0.count();
        let polled = poll(&mut self.timer, &self.tasks[task].1);
        match polled {
            std::task::Poll::Ready(event) => {
                assert_eq!(Some(event), self.when);
                assert!(event <= Instant::now(), "early");
                (self.when, self.listener, self.owed) = (None, None, None);
            }
            std::task::Poll::Pending => {
                assert!(!was_due, "due, and not ready");
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
            self.tasks[task].0.wait(before + 1);
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

    /// A timer that is gone has nobody's waker.
    fn end(self) {
        drop(self.timer);
        for (hits, waker) in self.tasks {
            drop(waker);
            let start = Instant::now();
            // The thread that wakes may have one in its hands still.
            while hits.held(0) > 0 {
                assert!(start.elapsed() < STEP, "a waker is left");
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
