//! Pending deadlines: the pure [`queue`], and the wrapper that shares it between threads.
//!
//! The wrapper is a lock and a flag. The flag lets a turn of the reactor skip an empty queue
//! without taking the lock.
//!
//! # Orderings
//!
//! An inserting thread sets the flag, under the lock, before it checks whether a thread sleeps. A
//! thread that is about to sleep announces that before it reads the flag. Both are sequentially
//! consistent, so at least one of the two threads sees the other (see `Shell::earliest_moved` and
//! `Shell::lead`).

mod entries;
mod nodes;
pub(crate) mod queue;

use crate::core::clock::Deadline;
use crate::core::sync::atomic::{AtomicBool, Ordering};
use crate::core::sync::{Mutex, write_before_read};
use crate::core::wake::WakeBatch;
pub(crate) use entries::TimerKey;
use queue::Queue;
use std::task::Waker;

#[derive(Debug)]
pub(crate) struct Timers {
    queue: Mutex<Queue>,
    /// Whether a timer has a deadline. Written under the lock.
    pending: AtomicBool,
}

impl Timers {
    pub(crate) fn new() -> Self {
        Timers {
            queue: Mutex::new(Queue::default()),
            pending: AtomicBool::new(false),
        }
    }

    /// Returns the earliest deadline, or `NEVER`.
    #[inline]
    pub(crate) fn next(&self) -> Deadline {
        // SeqCst: see the documentation of the module.
        write_before_read();
        if self.pending.load(Ordering::SeqCst) {
            self.queue.lock().next()
        } else {
            Deadline::NEVER
        }
    }

    /// Returns the time at which a thread that goes to sleep should wake up; see [`queue`].
    pub(crate) fn wake_up_time(&self) -> Deadline {
        // SeqCst: see the documentation of the module.
        write_before_read();
        if self.pending.load(Ordering::SeqCst) {
            self.queue.lock().wake_up_time()
        } else {
            Deadline::NEVER
        }
    }

    /// Adds a timer. Returns its key, and whether no deadline is earlier.
    ///
    /// With the deadline `NEVER` the timer is idle until it is reset. Returns the waker if there
    /// are too many timers.
    #[inline]
    pub(crate) fn insert(
        &self,
        deadline: Deadline,
        waker: Waker,
    ) -> Result<(TimerKey, bool), Waker> {
        let mut queue = self.queue.lock();
        let key = queue.insert(deadline, waker)?;
        let earliest = queue.next() == deadline;
        self.publish(&queue);
        Ok((key, earliest))
    }

    /// Changes the deadline of a timer. Returns whether no deadline is earlier, or `None` if the
    /// timer has fired.
    ///
    /// Among timers with the same deadline, the timer fires last.
    pub(crate) fn reset(&self, key: TimerKey, deadline: Deadline) -> Option<bool> {
        let mut queue = self.queue.lock();
        let found = queue.reset(key, deadline);
        let earliest = queue.next() == deadline;
        if !mutation!("reset_is_not_published") {
            self.publish(&queue);
        }
        let found = found || mutation!("fired_timer_counts_as_reset") && !earliest;
        found.then_some(earliest)
    }

    /// Returns whether a timer is pending and has this deadline.
    pub(crate) fn has_deadline(&self, key: TimerKey, deadline: Deadline) -> bool {
        self.queue.lock().has_deadline(key, deadline)
    }

    /// Replaces the waker and returns the former one. Returns the new one if the timer has fired.
    pub(crate) fn set_waker(&self, key: TimerKey, waker: Waker) -> Result<Option<Waker>, Waker> {
        self.queue.lock().set_waker(key, waker)
    }

    /// Returns whether the timer has neither fired nor been removed. It may be idle.
    pub(crate) fn is_pending(&self, key: TimerKey) -> bool {
        self.queue.lock().is_pending(key)
    }

    /// Removes a timer and returns its waker, or `None` if the timer has fired.
    #[inline]
    pub(crate) fn remove(&self, key: TimerKey) -> Option<Waker> {
        let mut queue = self.queue.lock();
        let waker = queue.remove(key);
        self.publish(&queue);
        waker
    }

    /// Moves the wakers of at most `limit` timers that are due to the batch, in the order of
    /// firing.
    pub(crate) fn expire(&self, now: Deadline, limit: usize, batch: &mut WakeBatch) {
        let mut queue = self.queue.lock();
        queue.expire(now, limit, batch);
        self.publish(&queue);
    }

    #[inline]
    fn publish(&self, queue: &Queue) {
        let pending = !queue.next().is_never();
        // A store is a full barrier, which is expensive. The flag rarely changes.
        if pending != self.pending.load(Ordering::Relaxed) {
            self.pending.store(pending, Ordering::SeqCst);
        }
    }
}
