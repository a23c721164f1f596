//! Pending deadlines, shared between threads.
//!
//! # Idea
//!
//! The timers are spread over *shards*. A thread inserts into its own shard, so threads that set and
//! drop timers do not share memory that they write. A shard is a [`queue`] behind a lock, and a copy
//! of its earliest deadline that is read without the lock. A key names its shard, so a timer that is
//! moved to another thread stays in the shard where it was inserted.
//!
//! There are many more shards than processors, because the system may stop a thread that holds a
//! lock. Other threads of the same shard then have to wait in the kernel. The number of a thread names
//! its shard, and up to [`SHARDS`] threads have different numbers (see [`thread_number`]).
//!
//! The thread that waits sleeps until the minimum of the copies. It reads only the copies of the
//! shards that are in use, according to a word with one bit per
//! shard. A bit is never cleared.
//!
//! # Rules
//!
//! * The copy of the earliest deadline is written under the shard's lock. While the lock is free, it
//!   equals the earliest deadline of the queue.
//! * One shard fires its timers by deadline, and equal deadlines in the order of scheduling. Between
//!   shards there is no order.
//! * At most [`LOCKED_AT_ONCE`] timers are expired while a shard's lock is held.
//!
//! # Orderings
//!
//! A thread that moves a shard's earliest deadline forward writes the copy, and then checks whether a
//! thread sleeps. A thread that is about to sleep announces that, and then reads all copies. All four
//! accesses are sequentially consistent, so at least one of the two threads sees the other (see
//! `Shell::earliest_moved` and `Shell::lead`). The same holds for the bit of a shard: it is set, or
//! seen to be set, before the check for a thread that sleeps, and it is read after the announcement.
//! It does not help that another shard has an earlier deadline: that timer may be removed while the
//! copies are read. So the check is made whenever the deadline is the earliest of its *shard*.
//!
//! A copy that moves backward is written with Release. A thread that reads the old value sleeps for a
//! shorter time than necessary.
//!
//! # Sharing a wake-up
//!
//! A lone timer is woken exactly at its deadline. Where deadlines are dense, one wake-up per timer
//! costs three times the CPU time. There the thread sleeps for up to [`WINDOW`] after the earliest
//! deadline and then wakes all timers that are due. Density is read from the first three levels of
//! the heaps, which hold the earliest timers and some others: at least [`DENSE`] of these must be due
//! within the window. The sleep ends at the last of those, so timers with one common deadline do not
//! wait longer than that deadline. Only shards with a timer in the window are locked for that.
//!
//! # Rejected
//!
//! * One queue behind one lock: on two threads, setting and dropping timers reaches 0.4 of the rate
//!   of one thread.
//! * To take all locks before each sleep: each sleep then contends with every thread that sets timers.
//! * As many shards as processors: with 16 threads on two processors, a million timers then cause up to
//!   104 000 system calls for contended locks.

mod entries;
mod nodes;
pub(crate) mod queue;

use crate::core::clock::{AtomicDeadline, Deadline};
use crate::core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::core::sync::{Mutex, write_before_read};
use crate::core::thread_number::thread_number;
use crate::core::wake::WakeBatch;
pub(crate) use entries::TimerKey;
use queue::Queue;
use std::task::Waker;
use std::time::Duration;

/// The longest time by which the wake-up of a timer may be delayed where timers are dense.
const WINDOW: Duration = Duration::from_micros(180);

/// The number of timers within the window, at the top of the heaps, from which timers are dense.
const DENSE: usize = 8;

/// The number of timers that are expired under one lock. Small in tests, so that short scripts take
/// the lock again.
pub(crate) const LOCKED_AT_ONCE: usize = if cfg!(any(test, fuzzing)) { 4 } else { 128 };

/// The number of shards: one per bit of a word. A key has room for the number of each.
pub(crate) const SHARDS: usize = {
    assert!(usize::BITS as usize <= entries::MAX_SHARDS);
    usize::BITS as usize
};

#[derive(Debug)]
pub(crate) struct Timers {
    /// The number of shards is a power of two.
    shards: Box<[Shard]>,
    /// A bit for each shard that has had a timer.
    used: AtomicUsize,
    /// Whether the last call to [`expire`](Timers::expire) left timers that were due.
    backlog: AtomicBool,
}

/// Aligned so that two shards share no cache line, and no pair of lines that is fetched together.
#[derive(Debug)]
#[repr(align(128))]
struct Shard {
    queue: Mutex<Queue>,
    /// A copy of the queue's earliest deadline, or `NEVER`.
    earliest: Earliest,
}

/// Apart from the queue: every turn reads it, and most insertions change only the queue.
#[derive(Debug)]
#[repr(align(64))]
struct Earliest(AtomicDeadline);

impl Shard {
    fn new() -> Self {
        Shard {
            queue: Mutex::new(Queue::default()),
            earliest: Earliest(AtomicDeadline::new(Deadline::NEVER)),
        }
    }

    #[inline]
    fn earliest(&self) -> Deadline {
        // SeqCst: see the documentation of the module.
        self.earliest.0.load(Ordering::SeqCst)
    }

    /// Copies the earliest deadline of the queue, which has been changed.
    #[inline]
    fn publish(&self, queue: &Queue) {
        let (next, published) = (queue.next(), self.earliest.0.load(Ordering::Relaxed));
        if next < published {
            self.earliest.0.store(next, Ordering::SeqCst);
        } else if next > published {
            self.earliest.0.store(next, Ordering::Release);
        }
    }
}

impl Timers {
    /// Creates timers in so many shards: a power of two, at most [`SHARDS`].
    pub(crate) fn new(shards: usize) -> Self {
        debug_assert!(shards.is_power_of_two() && shards <= SHARDS);
        Timers {
            shards: (0..shards).map(|_| Shard::new()).collect(),
            used: AtomicUsize::new(0),
            backlog: AtomicBool::new(false),
        }
    }

    /// Returns the earliest deadline, or `NEVER`.
    #[inline]
    pub(crate) fn next(&self) -> Deadline {
        write_before_read();
        let earliest = self.used().map(Shard::earliest);
        earliest.min().unwrap_or(Deadline::NEVER)
    }

    /// Returns the shards that have had a timer.
    #[inline]
    fn used(&self) -> impl Iterator<Item = &Shard> {
        self.used_from(0).map(|number| &self.shards[number])
    }

    /// Returns the numbers of the shards that have had a timer, in turn from this number on.
    #[inline]
    fn used_from(&self, first: usize) -> impl Iterator<Item = usize> + use<> {
        // SeqCst: see the documentation of the module.
        let used = self.used.load(Ordering::SeqCst);
        let mut left = used.rotate_right(first as u32);
        std::iter::from_fn(move || {
            let offset = left.trailing_zeros();
            left &= left.wrapping_sub(1);
            (offset < usize::BITS).then_some((first + offset as usize) % SHARDS)
        })
    }

    /// Records that a shard is used.
    #[inline]
    fn use_shard(&self, number: usize) {
        // SeqCst in both: see the documentation of the module.
        if self.used.load(Ordering::SeqCst) & (1 << number) == 0 {
            self.used.fetch_or(1 << number, Ordering::SeqCst);
        }
    }

    /// Returns the time at which a thread that goes to sleep should wake up. This is the earliest
    /// deadline, or a little later if many deadlines follow it closely.
    pub(crate) fn wake_up_time(&self) -> Deadline {
        let first = self.next();
        // Relaxed: a thread that has just taken over may delay timers by the window.
        if first.is_never() || self.backlog.load(Ordering::Relaxed) {
            return first;
        }
        let end = first.plus(WINDOW);
        let (mut first, mut count, mut last) = (Deadline::NEVER, 0, Deadline::from_nanos(0));
        for shard in self.used() {
            let earliest = shard.earliest();
            if earliest > end {
                first = first.min(earliest);
                continue;
            }
            let near = shard.queue.lock().near(end);
            first = first.min(near.first);
            count += near.count;
            last = last.max(near.last);
        }
        // An earlier deadline may have come since `end` was computed.
        if count < DENSE || last > first.plus(WINDOW) {
            first
        } else {
            last
        }
    }

    /// Adds a timer. Returns its key, and whether no deadline of its shard is earlier.
    ///
    /// With the deadline `NEVER` the timer is idle until it is reset. Returns the waker if there
    /// are too many timers.
    #[inline]
    pub(crate) fn insert(
        &self,
        deadline: Deadline,
        waker: Waker,
    ) -> Result<(TimerKey, bool), Waker> {
        self.insert_in(thread_number(), deadline, waker)
    }

    /// Adds a timer to this shard, or to the next one that is not full.
    #[inline]
    pub(crate) fn insert_in(
        &self,
        preferred: usize,
        deadline: Deadline,
        waker: Waker,
    ) -> Result<(TimerKey, bool), Waker> {
        let number = preferred & (self.shards.len() - 1);
        self.try_insert(number, deadline, waker)
            .or_else(|unused| self.insert_elsewhere(number, deadline, unused))
    }

    /// Adds a timer to another shard than this one, which is full.
    #[cold]
    fn insert_elsewhere(
        &self,
        full: usize,
        deadline: Deadline,
        mut waker: Waker,
    ) -> Result<(TimerKey, bool), Waker> {
        if mutation!("full_shard_refuses") {
            return Err(waker);
        }
        for offset in 1..self.shards.len() {
            let number = (full + offset) & (self.shards.len() - 1);
            match self.try_insert(number, deadline, waker) {
                Err(unused) => waker = unused,
                inserted => return inserted,
            }
        }
        Err(waker)
    }

    #[inline]
    fn try_insert(
        &self,
        number: usize,
        deadline: Deadline,
        waker: Waker,
    ) -> Result<(TimerKey, bool), Waker> {
        if !mutation!("used_shard_is_not_recorded") {
            self.use_shard(number);
        }
        let shard = &self.shards[number];
        let mut queue = shard.queue.lock();
        let key = queue.insert(deadline, waker)?;
        let mut earliest = queue.next() == deadline;
        shard.publish(&queue);
        if mutation!("earlier_deadline_of_another_shard_suffices") {
            earliest &= self.next() >= deadline;
        }
        Ok((key.in_shard(number), earliest))
    }

    /// Changes the deadline of a timer. Returns whether no deadline of its shard is earlier, or
    /// `None` if the timer has fired.
    ///
    /// Among timers of its shard with the same deadline, the timer fires last.
    pub(crate) fn reset(&self, key: TimerKey, deadline: Deadline) -> Option<bool> {
        let shard = self.shard(key);
        let mut queue = shard.queue.lock();
        let found = queue.reset(key, deadline);
        let earliest = queue.next() == deadline;
        if !mutation!("reset_is_not_published") {
            shard.publish(&queue);
        }
        let found = found || mutation!("fired_timer_counts_as_reset") && !earliest;
        found.then_some(earliest)
    }

    /// Returns whether a timer is pending and has this deadline.
    pub(crate) fn has_deadline(&self, key: TimerKey, deadline: Deadline) -> bool {
        self.shard(key).queue.lock().has_deadline(key, deadline)
    }

    /// Replaces the waker and returns the former one. Returns the new one if the timer has fired.
    pub(crate) fn set_waker(&self, key: TimerKey, waker: Waker) -> Result<Option<Waker>, Waker> {
        self.shard(key).queue.lock().set_waker(key, waker)
    }

    /// Returns whether the timer has neither fired nor been removed. It may be idle.
    pub(crate) fn is_pending(&self, key: TimerKey) -> bool {
        self.shard(key).queue.lock().is_pending(key)
    }

    /// Returns whether the condition holds for the waker of any timer, pending or idle. It is called
    /// under a lock.
    pub(crate) fn any_waker(&self, condition: impl Fn(&Waker) -> bool) -> bool {
        let mut used = self.used();
        used.any(|shard| shard.queue.lock().any_waker(&condition))
    }

    /// Removes a timer and returns its waker, or `None` if the timer has fired.
    #[inline]
    pub(crate) fn remove(&self, key: TimerKey) -> Option<Waker> {
        let shard = if mutation!("timer_is_removed_from_the_first_shard") {
            &self.shards[0]
        } else {
            self.shard(key)
        };
        let mut queue = shard.queue.lock();
        let waker = queue.remove(key);
        shard.publish(&queue);
        waker
    }

    /// Moves the wakers of at most `limit` timers that are due to the batch. The shard with the
    /// earliest deadline comes first, and the others follow in turn.
    pub(crate) fn expire(&self, now: Deadline, limit: usize, batch: &mut WakeBatch) {
        let mut left = limit;
        let mut due = self.earliest_due(now);
        while let Some(number) = due {
            if left == 0 {
                break;
            }
            let shard = &self.shards[number];
            let mut queue = shard.queue.lock();
            left -= queue.expire(now, left.min(LOCKED_AT_ONCE), batch);
            shard.publish(&queue);
            drop(queue);
            due = self.next_due(number, now);
        }
        self.backlog.store(due.is_some(), Ordering::Relaxed);
    }

    /// Returns the shard with the earliest deadline, if that is due.
    fn earliest_due(&self, now: Deadline) -> Option<usize> {
        let used = self.used_from(0);
        let earliest = used.map(|number| (self.shards[number].earliest(), number));
        let (deadline, number) = earliest.min()?;
        is_due(deadline, now).then_some(number)
    }

    /// Returns the next shard after this one with a deadline that is due.
    fn next_due(&self, number: usize, now: Deadline) -> Option<usize> {
        let mut used = self.used_from(number + 1);
        used.find(|number| is_due(self.shards[*number].earliest(), now))
    }

    /// Lets a shard have no room for another timer.
    #[cfg(all(test, async_io_loom))]
    pub(crate) fn fill(&self, shard: usize) {
        self.shards[shard].queue.lock().limit_chunks(0);
    }

    #[inline]
    fn shard(&self, key: TimerKey) -> &Shard {
        &self.shards[key.shard() & (self.shards.len() - 1)]
    }
}

fn is_due(deadline: Deadline, now: Deadline) -> bool {
    deadline <= now && !deadline.is_never()
}

#[cfg(all(test, not(async_io_loom)))]
mod tests;
