//! Steps on timers, with a model of each timer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::Runtime;
use crate::bench::{Bench, Registration, Setting, Step, pick};
use crate::script::When;
use crate::tasks::{Log, logged, logging_waker};

const SOON: Duration = Duration::from_micros(200);
const FAR: Duration = Duration::from_secs(3600);
const TIMERS: usize = 2;

/// A timer, with what the interpreter knows about it.
pub(crate) struct Clock<R: Runtime> {
    timer: R::Timer,
    pub(crate) when: Option<Instant>,
    /// The task that polled the timer and has not seen an event since. Its `must` says whether the
    /// task must be woken: a timer that was polled without a deadline may or may not keep the
    /// waker.
    pub(crate) registration: Option<Registration>,
}

fn instant(when: When) -> Option<Instant> {
    let now = Instant::now();
    match when {
        When::Now => Some(now),
        When::Soon => Some(now + SOON),
        When::Far => Some(now + FAR),
        When::Never => None,
    }
}

impl<R: Runtime> Bench<'_, R> {
    pub(crate) fn new_timer(&mut self, when: When) {
        if self.clocks.len() == TIMERS {
            return;
        }
        let when = instant(when);
        self.clocks.push(Clock {
            timer: when.map_or_else(R::timer_never, R::timer_at),
            when,
            registration: None,
        });
    }

    pub(crate) fn set_timer(&mut self, timer: u8, when: When) {
        let Some(index) = pick(timer, self.clocks.len()) else {
            return;
        };
        let Some(when) = instant(when) else {
            return self.clear_timer(timer);
        };
        let clock = &mut self.clocks[index];
        if let Some(registration) = &mut clock.registration {
            registration.wakes = self.tasks[registration.task].wakes();
            // The task is woken for the new deadline without another poll.
            self.budget[registration.task] += 1;
        }
        clock.when = Some(when);
        R::timer_set_at(&mut clock.timer, when);
    }

    pub(crate) fn clear_timer(&mut self, timer: u8) {
        if let Some(index) = pick(timer, self.clocks.len()) {
            let clock = &mut self.clocks[index];
            clock.when = None;
            R::timer_clear(&mut clock.timer);
        }
    }

    pub(crate) fn poll_timer(&mut self, timer: u8, task: usize) -> Step {
        let Some(index) = pick(timer, self.clocks.len()) else {
            return Ok(());
        };
        let waker = self.waker(task);
        let wakes = self.wakes(task);
        let clock = &mut self.clocks[index];
        let was_due = clock.when.is_some_and(|when| when <= Instant::now());
        let poll = Pin::new(&mut clock.timer).poll(&mut Context::from_waker(&waker));
        match poll {
            Poll::Ready(event) => {
                if Some(event) != clock.when {
                    return Err(format!("a timer for {:?} returned {event:?}", clock.when));
                }
                if event > Instant::now() {
                    return Err("a timer fired early".into());
                }
                (clock.when, clock.registration) = (None, None);
                self.explain_early_wake(task);
            }
            Poll::Pending if was_due => return Err("a timer is due but not ready".into()),
            Poll::Pending => {
                let former = clock.registration;
                let has_deadline = clock.when.is_some();
                let must = has_deadline || !R::PUBLISHED && former.is_some_and(|r| r.must);
                let registration = self.register(former, task, wakes, must);
                self.clocks[index].registration = registration;
            }
        }
        let clock = &self.clocks[index];
        if R::timer_will_fire(&clock.timer) != clock.when.is_some() {
            return Err("will_fire() returned the wrong value".into());
        }
        Ok(())
    }

    /// Checks that a thread fires timers with one deadline in the order in which they were
    /// scheduled. `set_at` schedules a timer again.
    pub(crate) async fn equal_timers(&mut self, byte: u8) -> Step {
        if self.lab.setting == Setting::Alone {
            return Ok(());
        }
        let count = 2 + usize::from(byte % 6);
        let log = Log::default();
        let when = Instant::now() + SOON;
        let mut timers: Vec<R::Timer> = (0..count).map(|_| R::timer_at(when)).collect();
        for (number, timer) in timers.iter_mut().enumerate() {
            let waker = logging_waker(&log, number);
            let poll = Pin::new(timer).poll(&mut Context::from_waker(&waker));
            if poll.is_ready() {
                return Ok(());
            }
        }
        let mut expected: Vec<usize> = (0..count).collect();
        if byte & 0x80 != 0 {
            R::timer_set_at(&mut timers[0], when);
            expected.rotate_left(1);
        }
        if Instant::now() >= when {
            // Some timers may have fired before the others were scheduled.
            return Ok(());
        }
        let fired = |_: &Self| logged(&log).len() >= count;
        if !self.eventually(fired).await? {
            return Err(format!(
                "only {:?} of {count} timers have fired",
                logged(&log)
            ));
        }
        // While one thread calls the first waker, another thread may call the rest.
        let rank = |number: usize| expected.iter().position(|it| *it == number);
        let calls = logged(&log);
        let in_order = calls.iter().enumerate().all(|(index, (number, thread))| {
            let mut former = calls[..index].iter().filter(|call| call.1 == *thread);
            former.all(|call| rank(call.0) < rank(*number))
        });
        if calls.len() != count || !in_order {
            return Err(format!(
                "timers with one deadline fired in the order {calls:?}, not {expected:?}"
            ));
        }
        Ok(())
    }
}
