//! Steps that wait.

use std::future::poll_fn;
use std::io::Write;
use std::pin::pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use crate::bench::{Bench, Registration, Setting, Step, pick};
use crate::{Io, Runtime};

/// The number of yields of a slow task during which waiters must be woken. Each poll of the task
/// takes a millisecond or more. Waiters are expected to be woken within ten milliseconds.
const YIELDS: usize = 40;

impl<R: Runtime> Bench<'_, R> {
    /// Waits for a future of the library. Fails if the task is not woken.
    pub(crate) async fn wait<F: Future>(
        &mut self,
        what: &str,
        future: F,
    ) -> Result<F::Output, String> {
        for future in &mut self.futures {
            future.unanswered = 0;
        }
        for entry in &mut self.entries {
            entry.slots.iter_mut().for_each(|slot| slot.unanswered = 0);
        }
        let lab = self.lab;
        let mut future = pin!(future);
        let mut watches = false;
        let guarded = poll_fn(move |cx: &mut Context<'_>| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                lab.guard.done();
                return Poll::Ready(Ok(output));
            }
            if watches && lab.guard.has_ended() {
                return Poll::Ready(Err(format!("hangs: {what}")));
            }
            if !watches {
                watches = true;
                lab.guard.watch(lab.patience(), cx.waker());
            }
            Poll::Pending
        });
        match lab.setting {
            Setting::Between => R::block_on(guarded),
            _ => guarded.await,
        }
    }

    /// Waits for an event of the sentinel, so that all earlier events have been delivered.
    pub(crate) async fn turn(&mut self) -> Step {
        let (sentinel, mut peer) = (&self.lab.sentinel.0, &self.lab.sentinel.1);
        let mut readable = pin!(R::readable(sentinel));
        let mut rung = false;
        let event = poll_fn(move |cx| {
            let poll = readable.as_mut().poll(cx);
            if poll.is_pending() && !rung {
                rung = true;
                return match peer.write(&[1]) {
                    Ok(_) => Poll::Pending,
                    Err(error) => Poll::Ready(Err(error)),
                };
            }
            poll
        });
        self.wait("a turn", event)
            .await?
            .map_err(|error| format!("a turn failed: {error}"))?;
        let _ = R::inner(sentinel).take(&mut [0; 8]);
        Ok(())
    }

    pub(crate) async fn sleep(&mut self) -> Step {
        let timer = R::timer_at(Instant::now() + Duration::from_micros(250));
        self.wait("a timer", timer).await.map(drop)
    }

    /// Gives the reactor turns until a condition holds. Returns `false` if it does not hold in
    /// time.
    pub(crate) async fn eventually(
        &mut self,
        mut condition: impl FnMut(&Self) -> bool,
    ) -> Result<bool, String> {
        if condition(self) {
            return Ok(true);
        }
        let start = Instant::now();
        while start.elapsed() < self.lab.patience() {
            self.turn().await?;
            if condition(self) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits until anything wakes the task that runs the program.
    async fn silence(&mut self) -> Step {
        let mut polls = 0;
        let woken = poll_fn(|_| {
            polls += 1;
            if polls == 1 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        });
        self.wait("the wake-up of the task that runs the program", woken)
            .await
    }

    /// Polls a future with the waker of the task that runs the program, makes the object ready, and
    /// waits for the wake-up while nothing else happens.
    pub(crate) async fn hear(&mut self, future: u8) -> Step {
        let Some(index) = pick(future, self.futures.len()) else {
            return Ok(());
        };
        let direction = self.futures[index].operation.direction();
        let entry = self.entry_of(self.futures[index].object);
        let hears = self.lab.setting != Setting::Between && !self.is_excused(entry, direction);
        if hears {
            self.poll_future(index, 0, 1)?;
        }
        // What the peer does must not depend on what the library does.
        self.entries[entry].object.make_ready(direction);
        self.sample();
        for _ in 0..10 {
            let object = &self.entries[entry].object;
            let waits = self.futures[index].outcome.is_none() && object.is_ready(direction);
            if !hears || !waits {
                return Ok(());
            }
            self.silence().await?;
            self.poll_future(index, 0, 1)?;
        }
        Err("an operation is pending after ten wake-ups, but the kernel reports readiness".into())
    }

    /// Polls a future for another task, makes its object ready, and then keeps the thread busy with
    /// a task that yields.
    pub(crate) async fn slow_yield(&mut self, future: u8) -> Step {
        let Some(index) = pick(future, self.futures.len()) else {
            return Ok(());
        };
        let task = 1;
        if self.lab.setting != Setting::Alone {
            self.poll_future(index, task, 1)?;
        }
        let waiting = &self.futures[index];
        let (id, direction) = (waiting.object, waiting.operation.direction());
        let registration = waiting.registration;
        let entry = self.entry_of(id);
        let excused = self.is_excused(entry, direction);
        let object = &mut self.entries[entry].object;
        object.make_ready(direction);
        let is_ready = object.is_ready(direction);
        self.sample();
        let waits = |r: &Registration| {
            r.task == task && self.wakes(r.task) == r.wakes && is_ready && !excused
        };
        let Some(registration) = registration.filter(waits) else {
            return Ok(());
        };
        self.lab.count("SlowYield with a waiter");
        let mut yields = 0;
        let before = registration.wakes;
        let task = self.tasks[registration.task].counter();
        let woken = poll_fn(move |cx| {
            if task() > before || yields == YIELDS {
                return Poll::Ready(yields);
            }
            yields += 1;
            thread::sleep(Duration::from_millis(1));
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        if self.wait("a task that yields", woken).await? == YIELDS {
            return Err(format!(
                "a waiter was not woken during {YIELDS} yields of a millisecond each"
            ));
        }
        Ok(())
    }

    /// Ends a program. Every operation that can complete must complete, no data may be lost, and no
    /// waker may be kept.
    pub(crate) async fn finish(&mut self) -> Step {
        self.trace.ends = true;
        self.settle().await?;
        self.complete_all().await?;
        self.drain_all()?;
        self.trace.wakes = [0, 1, 2].map(|task| self.wakes(task));
        self.check_budget()?;
        self.futures.clear();
        self.clocks.clear();
        self.entries.clear();
        self.own = std::task::Waker::noop().clone();
        let released = |bench: &Self| bench.tasks.iter().all(|task| task.held() == 0);
        if !self.eventually(released).await? {
            return Err("the library holds a waker after everything was dropped".into());
        }
        Ok(())
    }

    /// Polls the futures of woken tasks, as an executor does, until every operation that the kernel
    /// calls ready has completed.
    async fn complete_all(&mut self) -> Step {
        let start = Instant::now();
        let mut index = 0;
        while index < self.futures.len() {
            let future = &self.futures[index];
            let (id, operation) = (future.object, future.operation);
            let entry = self.entry_of(id);
            let object = &self.entries[entry].object;
            let waits = future.outcome.is_none()
                && !object.contradicts
                && object.is_ready(operation.direction());
            let Some(registration) = future.registration.filter(|_| waits) else {
                index += 1;
                continue;
            };
            let task = registration.task;
            if self.is_own(task) || self.wakes(task) > registration.wakes {
                self.poll_future(index, task, 1)?;
            }
            if self.futures[index].outcome.is_none() {
                if start.elapsed() > self.lab.patience() {
                    return Err(format!(
                        "{operation:?} is ready, but its task was not woken"
                    ));
                }
                if operation.is_stubborn() {
                    self.sleep().await?;
                }
                self.turn().await?;
            }
        }
        Ok(())
    }

    /// Reads the remaining data without the library. Everything that the peers have sent must have
    /// arrived.
    fn drain_all(&mut self) -> Step {
        for index in 0..self.entries.len() {
            while matches!(self.take_directly(index)?, Ok(1..)) {}
            let object = &self.entries[index].object;
            let lost = object.received.get() != object.peer_sent.get()
                || object.kind.listens() && object.queued > 0;
            if lost && !object.lossy && !object.contradicts && object.kind.reads() {
                return Err(format!(
                    "{:?}: {} of {} bytes arrived, {} connections are missing",
                    object.kind,
                    object.received.get(),
                    object.peer_sent.get(),
                    object.queued
                ));
            }
            self.trace.received.push(object.received.get());
        }
        Ok(())
    }
}
