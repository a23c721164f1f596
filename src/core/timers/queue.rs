//! The deadline queue: a pure data structure. It stores wakers and calls none, and it reads no
//! clock.
//!
//! # Structure
//!
//! A heap with four children per node (see [`super::nodes`]) over a table of entries (see
//! [`super::entries`]). An entry knows the position of its node, so a timer is cancelled in place
//! and its waker is released immediately. Most timers are timeouts that never fire, and most are
//! later than the pending ones. Such a node is appended and does not rise, and removing the last
//! node moves nothing. Both take a few instructions.
//!
//! # Order
//!
//! Timers fire by deadline. Timers with equal deadlines fire in the order in which they were
//! scheduled; a reset schedules the timer again. Each node has a number that increases with each
//! scheduling. If the numbers run out, after 2^38, the pending nodes are numbered again from zero.
//!
//! # Invariants
//!
//! * The position of entry `nodes[i].entry` is `i`, for every node. An entry without a node is
//!   either *idle* (its timer has no deadline and keeps its waker) or free.
//! * No node is earlier than its parent.
//! * A key of a timer that has fired or was removed finds nothing.
//!
//! # Rejected
//!
//! * A hierarchical wheel: insertion and removal are O(1), but the exact next deadline is not, and
//!   moving timers between levels causes spurious wake-ups. This queue exists for exact wake-ups.
//! * A balanced tree keyed by (deadline, id): it allocates per node and takes three times the
//!   memory.
//! * Lazy removal: a dropped timer would keep its task alive until its deadline.

use super::entries::{Entries, IDLE, TimerKey};
use super::nodes::{Node, Nodes, ORDER_LIMIT, parent};
use crate::core::clock::Deadline;
use crate::core::wake::WakeBatch;
use std::task::Waker;

/// Timers that are due soon; see [`Queue::near`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Near {
    /// The earliest deadline, even if it is not near, or `NEVER`.
    pub(super) first: Deadline,
    pub(super) count: usize,
    /// The latest deadline of those counted.
    pub(super) last: Deadline,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    nodes: Nodes,
    entries: Entries,
    /// The number of the next node, among nodes of equal deadlines.
    order: u64,
}

impl Queue {
    /// Returns the earliest deadline, or `NEVER`.
    #[inline]
    pub(crate) fn next(&self) -> Deadline {
        self.nodes.first().deadline()
    }

    /// Returns the timers that are due by `end`, among those at the top of the heap.
    pub(super) fn near(&self, end: Deadline) -> Near {
        let mut near = Near {
            first: self.next(),
            count: 0,
            last: Deadline::from_nanos(0),
        };
        if near.first <= end {
            for deadline in self.nodes.top().map(Node::deadline) {
                if deadline <= end && !deadline.is_never() {
                    near.count += 1;
                    near.last = near.last.max(deadline);
                }
            }
        }
        near
    }

    /// Adds a timer. With the deadline `NEVER` it is idle. Returns the waker if the queue is full.
    #[inline]
    pub(crate) fn insert(&mut self, deadline: Deadline, waker: Waker) -> Result<TimerKey, Waker> {
        if self.entries.is_full() {
            return Err(waker);
        }
        if deadline.is_never() {
            return Ok(self.entries.take(waker, IDLE));
        }
        let order = self.next_order();
        let end = self.nodes.grow();
        let key = self.entries.take(waker, end as u32);
        let node = Node::new(deadline, order, key.entry());
        if self.is_before_parent(end, node) {
            self.rise(end, node);
        } else {
            // The common case: the entry already has its position.
            self.nodes.set(end, node);
        }
        Ok(key)
    }

    /// Changes the deadline of a timer, which keeps its waker. Returns false if the timer has
    /// fired.
    pub(crate) fn reset(&mut self, key: TimerKey, deadline: Deadline) -> bool {
        // This may move nodes, so it comes before the position is read.
        let order = self.next_order();
        let Some(position) = self.entries.find(key) else {
            return false;
        };
        let node = Node::new(deadline, order, key.entry());
        match (position, deadline.is_never()) {
            (IDLE, true) => {}
            (IDLE, false) => {
                let end = self.nodes.grow();
                self.settle(end, node);
            }
            (_, true) => {
                self.unlink(position as usize);
                self.entries.set_position(key.entry(), IDLE);
            }
            (_, false) => self.settle(position as usize, node),
        }
        true
    }

    /// Returns whether the timer is pending and has this deadline.
    pub(crate) fn has_deadline(&self, key: TimerKey, deadline: Deadline) -> bool {
        let position = self.entries.find(key).filter(|position| *position != IDLE);
        position.is_some_and(|position| self.nodes.get(position as usize).deadline() == deadline)
    }

    /// Replaces the waker and returns the former one. Returns the new one if the timer has fired.
    pub(crate) fn set_waker(
        &mut self,
        key: TimerKey,
        waker: Waker,
    ) -> Result<Option<Waker>, Waker> {
        match self.entries.find(key) {
            Some(_) => Ok(self.entries.waker_mut(key.entry()).replace(waker)),
            None if mutation!("waker_of_a_fired_timer_is_swallowed") => Ok(Some(waker)),
            None => Err(waker),
        }
    }

    /// Returns whether the condition holds for the waker of any timer, pending or idle.
    pub(crate) fn any_waker(&self, condition: impl FnMut(&Waker) -> bool) -> bool {
        self.entries.any_waker(condition)
    }

    /// Returns whether the timer has neither fired nor been removed.
    pub(crate) fn is_pending(&self, key: TimerKey) -> bool {
        self.entries.find(key).is_some()
    }

    /// Removes a timer. The caller drops the returned waker outside of all locks.
    #[inline]
    pub(crate) fn remove(&mut self, key: TimerKey) -> Option<Waker> {
        let position = self.entries.find(key)?;
        let waker = self.entries.release(key.entry());
        if position != IDLE {
            self.unlink(position as usize);
        }
        waker
    }

    /// Moves the wakers of at most `limit` timers that are due to the batch, in the order of
    /// firing. Returns how many.
    pub(super) fn expire(&mut self, now: Deadline, limit: usize, batch: &mut WakeBatch) -> usize {
        for count in 0..limit {
            let first = self.nodes.first();
            if first.deadline() > now || first.deadline().is_never() {
                return count;
            }
            self.unlink(0);
            if let Some(waker) = self.entries.release(first.entry()) {
                batch.push(waker);
            }
        }
        limit
    }

    /// Returns a number that is higher than those of all nodes.
    #[inline]
    fn next_order(&mut self) -> u64 {
        if self.order == ORDER_LIMIT {
            self.renumber();
        }
        self.order += 1;
        self.order - 1
    }

    /// Numbers all nodes from zero and keeps their order.
    ///
    /// Takes O(n log n), once in 2^38 schedulings.
    #[cold]
    fn renumber(&mut self) {
        let mut nodes: Vec<Node> = self.nodes.iter().collect();
        nodes.sort_unstable();
        self.order = nodes.len() as u64;
        // A sorted list is a heap.
        for (position, node) in nodes.into_iter().enumerate() {
            let node = Node::new(node.deadline(), position as u64, node.entry());
            self.place(position, node);
        }
    }

    /// Removes the node at `position` from the heap. The caller updates the entry.
    #[inline]
    fn unlink(&mut self, position: usize) {
        let last = self.nodes.pop();
        if position < self.nodes.len() {
            self.settle(position, last);
        }
    }

    /// Puts a node in the place of another one and restores the order of the heap.
    fn settle(&mut self, position: usize, node: Node) {
        if self.is_before_parent(position, node) {
            self.rise(position, node);
        } else {
            self.sink(position, node);
        }
    }

    /// Returns whether a node must not stay at `position`, because its parent is later.
    #[inline]
    fn is_before_parent(&self, position: usize, node: Node) -> bool {
        position > 0 && node < self.nodes.get(parent(position))
    }

    /// Moves a node up from `position`. The parent of that position must be later than the node.
    fn rise(&mut self, mut position: usize, node: Node) {
        loop {
            let above = parent(position);
            self.place(position, self.nodes.get(above));
            position = above;
            if !self.is_before_parent(position, node) {
                break;
            }
        }
        self.place(position, node);
    }

    /// Moves a node down from `position` to where no child is earlier.
    fn sink(&mut self, mut position: usize, node: Node) {
        loop {
            let (child, below) = self.nodes.first_child(position);
            if node < below {
                break;
            }
            self.place(position, below);
            position = child;
        }
        self.place(position, node);
    }

    #[inline]
    fn place(&mut self, position: usize, node: Node) {
        self.nodes.set(position, node);
        self.entries.set_position(node.entry(), position as u32);
    }

    /// Limits the number of timers to the entries in this many chunks. Returns that number.
    #[cfg(test)]
    pub(super) fn limit_chunks(&mut self, limit: usize) -> usize {
        self.entries.limit_chunks(limit)
    }

    /// Returns the number of allocated chunks of all tables.
    #[cfg(all(test, not(async_io_loom)))]
    pub(super) fn count_chunks(&self) -> usize {
        self.nodes.count_chunks() + self.entries.count_chunks()
    }
}

#[cfg(all(test, not(async_io_loom)))]
mod tests;
