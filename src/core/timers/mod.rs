//! Pending deadlines: the pure [`queue`], and the shell that shares it between threads.
//!
//! The shell is a lock and one flag. The flag lets a turn of the reactor pass by an empty queue without the lock; it is
//! set, under the lock, before the inserting thread asks whether somebody sleeps, and a thread that is about to sleep
//! says so before it reads the flag. Both are sequentially consistent, so one of the two sees the other
//! (see `Driver::insert_timer` and `Driver::lead`).

mod nodes;
pub(crate) mod queue;

use crate::core::clock::Deadline;
use crate::core::sync::atomic::{AtomicBool, Ordering};
use crate::core::sync::{Mutex, write_before_read};
use crate::core::wake::WakeBatch;
use queue::Queue;
pub(crate) use queue::TimerKey;
use std::task::Waker;

#[derive(Debug)]
pub(crate) struct Timers {
    queue: Mutex<Queue>,
    /// Whether a deadline is pending. Written under the lock.
    pending: AtomicBool,
}

impl Timers {
    pub(crate) fn new() -> Self {
        Timers {
            queue: Mutex::new(Queue::default()),
            pending: AtomicBool::new(false),
        }
    }

    /// The earliest deadline.
    #[inline]
    pub(crate) fn next(&self) -> Deadline {
        // SeqCst: see the head of the file.
        write_before_read();
        if self.pending.load(Ordering::SeqCst) {
            self.queue.lock().next()
        } else {
            Deadline::NEVER
        }
    }

    /// When a thread that goes to sleep should come back: see [`queue`].
    pub(crate) fn wake_up_time(&self) -> Deadline {
        // SeqCst: see the head of the file.
        write_before_read();
        if self.pending.load(Ordering::SeqCst) {
            self.queue.lock().wake_up_time()
        } else {
            Deadline::NEVER
        }
    }

    /// Adds a timer; also says whether it is the earliest now.
    pub(crate) fn insert(&self, deadline: Deadline, waker: Waker) -> (TimerKey, bool) {
        let mut queue = self.queue.lock();
        let key = queue.insert(deadline, waker);
        let earliest = queue.next() == deadline;
        self.publish(&queue);
        (key, earliest)
    }

    /// Gives a timer another deadline. `None` if it has fired, else whether it is the earliest now.
    pub(crate) fn reset(&self, key: TimerKey, deadline: Deadline) -> Option<bool> {
        let mut queue = self.queue.lock();
        let found = queue.reset(key, deadline);
        let earliest = queue.next() == deadline;
        self.publish(&queue);
        found.then_some(earliest)
    }

    /// Replaces the waker and returns the old one; gives the new one back if the timer has fired.
    pub(crate) fn set_waker(&self, key: TimerKey, waker: Waker) -> Result<Option<Waker>, Waker> {
        self.queue.lock().set_waker(key, waker)
    }

    /// Returns true if the timer has neither fired nor been removed. It may be idle.
    #[allow(dead_code, reason = "for the driver")]
    pub(crate) fn is_pending(&self, key: TimerKey) -> bool {
        self.queue.lock().is_pending(key)
    }

    pub(crate) fn remove(&self, key: TimerKey) -> Option<Waker> {
        let mut queue = self.queue.lock();
        let waker = queue.remove(key);
        self.publish(&queue);
        waker
    }

    pub(crate) fn expire(&self, now: Deadline, limit: usize, batch: &mut WakeBatch) {
        let mut queue = self.queue.lock();
        queue.expire(now, limit, batch);
        self.publish(&queue);
    }

    /// Whether a waker that satisfies the condition waits for a deadline.
    pub(crate) fn waits_with(&self, condition: &mut dyn FnMut(&Waker) -> bool) -> bool {
        self.queue.lock().wakers().any(condition)
    }

    fn publish(&self, queue: &Queue) {
        let pending = !queue.next().is_never();
        // A store costs a full barrier, a load nothing: the flag seldom changes.
        if pending != self.pending.load(Ordering::Relaxed) {
            self.pending.store(pending, Ordering::SeqCst);
        }
    }
}
