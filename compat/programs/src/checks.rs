//! The oracle: what must hold after each step.

use std::time::{Duration, Instant};

use crate::Runtime;
use crate::bench::{Bench, DIRECTIONS, Registration, Step};

impl<R: Runtime> Bench<'_, R> {
    /// Asks the kernel whether each direction with a waiter is ready. If it is, the waiter may
    /// complete.
    pub(crate) fn sample(&mut self) {
        for entry in &mut self.entries {
            for direction in DIRECTIONS {
                let slot = &mut entry.slots[direction as usize];
                let waits = self.futures.iter_mut().filter(|future| {
                    future.object == entry.id
                        && future.outcome.is_none()
                        && future.operation.direction() == direction
                        && !future.seen_ready
                });
                let mut waits = waits.peekable();
                if (slot.registration.is_some() && !slot.seen_ready || waits.peek().is_some())
                    && entry.object.is_ready(direction)
                {
                    slot.seen_ready |= slot.registration.is_some();
                    waits.for_each(|future| future.seen_ready = true);
                }
            }
        }
    }

    /// Gives the reactor a turn. Afterwards, each task that waits for a ready object must have been
    /// woken.
    pub(crate) async fn settle(&mut self) -> Step {
        let owed = self.owed();
        self.turn().await?;
        for (what, registration) in owed {
            let task = registration.task;
            if !self
                .eventually(|bench| bench.wakes(task) > registration.wakes)
                .await?
            {
                return Err(format!("{what}: task {task} waits but was not woken"));
            }
        }
        self.check_budget()
    }

    /// Returns the wake-ups that the library owes.
    fn owed(&self) -> Vec<(String, Registration)> {
        let mut owed = Vec::new();
        let mut owe = |what: &dyn Fn() -> String, registration: Option<Registration>| {
            let unheard =
                |r: &Registration| r.must && !self.is_own(r.task) && self.wakes(r.task) == r.wakes;
            if let Some(registration) = registration.filter(unheard) {
                owed.push((what(), registration));
            }
        };
        for future in &self.futures {
            if future.registration.is_none() {
                continue;
            }
            let direction = future.operation.direction();
            let entry = self.entry_of(future.object);
            let object = &self.entries[entry].object;
            if !self.is_excused(entry, direction) && object.is_ready(direction) {
                let what = || format!("{:?} of {:?}", future.operation, object.kind);
                owe(&what, future.registration);
            }
        }
        for (index, entry) in self.entries.iter().enumerate() {
            for direction in DIRECTIONS {
                let registration = entry.slots[direction as usize].registration;
                if registration.is_some()
                    && !self.is_excused(index, direction)
                    && entry.object.is_ready(direction)
                {
                    let what = || format!("poll of {:?} of {:?}", direction, entry.object.kind);
                    owe(&what, registration);
                }
            }
        }
        for clock in &self.clocks {
            if clock.when.is_some_and(|when| when <= Instant::now()) {
                owe(&|| "a timer".into(), clock.registration);
            }
        }
        owed
    }

    /// Checks that a task was woken if its waker was replaced with that of another task. A thread
    /// of the library may have taken the former waker for an event and be about to call it.
    pub(crate) fn check_displaced(&self, former: Option<Registration>, task: usize) -> Step {
        let Some(former) = former else { return Ok(()) };
        if !former.must || former.task == task || self.is_own(former.task) {
            return Ok(());
        }
        let start = Instant::now();
        while self.wakes(former.task) == former.wakes {
            if !self.has_other_threads() || start.elapsed() > self.lab.patience() {
                return Err(format!(
                    "task {} was displaced but was not woken",
                    former.task
                ));
            }
            std::thread::sleep(Duration::from_micros(50));
        }
        Ok(())
    }

    /// Checks that no task was woken more often than it waited.
    pub(crate) fn check_budget(&self) -> Step {
        for task in 0..self.tasks.len() {
            if self.wakes(task) > self.budget[task] {
                return Err(format!(
                    "task {task} was woken {} times for {} waits",
                    self.wakes(task),
                    self.budget[task]
                ));
            }
        }
        Ok(())
    }

    /// Checks that the library holds no more wakers of a task than the task has waits.
    pub(crate) async fn check_held(&mut self) -> Step {
        if R::PUBLISHED {
            // The timers of the published library release their wakers only in the next turn.
            return Ok(());
        }
        for task in 0..self.tasks.len() {
            let most = self.waits_of(task);
            if self.tasks[task].held() > most
                // The library's thread may be about to drop it.
                && !self.eventually(|bench| bench.tasks[task].held() <= most).await?
            {
                return Err(format!(
                    "{} wakers of task {task} are held for {most} waits",
                    self.tasks[task].held()
                ));
            }
        }
        Ok(())
    }

    fn waits_of(&self, task: usize) -> usize {
        let is_of = |registration: &Option<Registration>| {
            registration.is_some_and(|registration| registration.task == task)
        };
        let futures = self.futures.iter().filter(|f| is_of(&f.registration));
        // An operation that contradicts the kernel may also hold a waker for its pause.
        let futures: usize = futures
            .map(|f| 1 + usize::from(f.operation.is_stubborn()))
            .sum();
        let slots = self.entries.iter().flat_map(|entry| &entry.slots);
        let slots = slots.filter(|slot| is_of(&slot.registration)).count();
        // A timer holds its waker, and the queue holds a copy.
        let clocks = self.clocks.iter().filter(|c| is_of(&c.registration));
        futures + slots + 2 * clocks.count()
    }
}
