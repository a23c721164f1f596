//! The deadline queue. Pure: it holds wakers and runs none, and it reads no clock.
//!
//! # Idea
//!
//! A heap with four children per node, of 16-byte nodes (deadline, entry; see [`super::nodes`]), over a table of entries
//! (waker, generation) and a table of positions, which is apart because moving a node down the heap changes a position per
//! level: a million of them are 4 MB. An entry knows where its node is, so a timer is cancelled in place and gives its waker back at
//! once. Most timers are timeouts that never fire, set later than most that are pending: such a node is appended and
//! does not rise, and cancelling the last node moves nothing. Both are a few instructions.
//!
//! # Order
//!
//! Timers fire by deadline. Timers with equal deadlines fire in the order in which they were scheduled; a
//! reset schedules the timer again. Each node has a number that increases with each scheduling. If the
//! numbers run out, after 2^38, the pending nodes are numbered again from zero.
//!
//! # Rules
//!
//! * `positions[nodes[i].entry()] == i` for every node; an entry without a node is *parked* (it keeps its waker for
//!   a deadline to come) or free.
//! * A key names an entry and its generation; the generation changes when the entry is freed. A key of a timer that has
//!   fired is simply not found.
//!
//! # Sharing a wake-up
//!
//! A lone timer is woken exactly at its deadline. Where neighbours are dense, waking each by itself costs three times the
//! CPU time: there the thread sleeps on for up to [`WINDOW`] after the earliest, and wakes all that are due by then. Whether
//! they are dense is read off the top of the heap, the first three levels, which hold the earliest timers with some others: at
//! least [`DENSE`] of these must be due within the window. The sleep ends at the last of those, so that timers with one
//! common deadline do not wait for others that never come.
//!
//! # Rejected
//!
//! * A hierarchical wheel: insertion and removal are O(1), but the exact next deadline is not, and moving timers down the
//!   levels means waking up for nothing. Exact wake-ups are what this queue is for.
//! * A balanced tree keyed by (deadline, id): allocates per node, and three times the memory.
//! * Lazy removal: a dropped timer would keep its task alive until its deadline.

use super::nodes::{Node, Nodes, ORDER_LIMIT, parent};
use crate::core::clock::Deadline;
use crate::core::wake::WakeBatch;
use std::task::Waker;
use std::time::Duration;

/// How much later than its deadline a timer may be woken where timers are dense.
const WINDOW: Duration = Duration::from_micros(180);

/// That many timers within the window, as far as the top of the heap shows, are dense.
const DENSE: usize = 8;

/// An entry that has no node.
const PARKED: u32 = u32::MAX;

/// A name for one pending timer that is not given again to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerKey {
    entry: u32,
    generation: u32,
}

#[derive(Debug)]
struct Entry {
    /// `None` while the entry is free.
    waker: Option<Waker>,
    generation: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    nodes: Nodes,
    entries: Vec<Entry>,
    /// Where the node of each entry is; `PARKED` without one.
    positions: Vec<u32>,
    free: Vec<u32>,
    /// The number of the next node, among nodes of equal deadlines.
    order: u64,
    /// Timers that were due have been left for the next time.
    backlog: bool,
}

impl Queue {
    /// The earliest deadline.
    #[inline]
    pub(crate) fn next(&self) -> Deadline {
        self.nodes.first().deadline()
    }

    /// When a thread that sleeps should come back: at the earliest deadline, or a little later where many follow.
    pub(crate) fn wake_up_time(&self) -> Deadline {
        let first = self.next();
        let end = first.plus(WINDOW);
        if self.backlog || self.nodes.len() < DENSE {
            return first;
        }
        let top = self.nodes.top().map(Node::deadline);
        let near = top.filter(|&deadline| deadline <= end && !deadline.is_never());
        let (count, last) = near.fold((0, first), |(count, last), deadline| {
            (count + 1, last.max(deadline))
        });
        if count < DENSE { first } else { last }
    }

    /// Adds a timer. `NEVER` parks it.
    pub(crate) fn insert(&mut self, deadline: Deadline, waker: Waker) -> TimerKey {
        let entry = match self.free.pop() {
            Some(entry) => entry,
            None => {
                self.entries.push(Entry {
                    waker: None,
                    generation: 0,
                });
                self.positions.push(PARKED);
                // More than 2^32 timers would need 176 GiB; the last entry would be shared then, not out of bounds.
                u32::try_from(self.entries.len() - 1).unwrap_or(PARKED)
            }
        };
        self.entries[entry as usize].waker = Some(waker);
        if !deadline.is_never() {
            self.append(deadline, entry);
        }
        TimerKey {
            entry,
            generation: self.entries[entry as usize].generation,
        }
    }

    /// Gives a pending or parked timer another deadline; it keeps its waker. False if the key is too old.
    pub(crate) fn reset(&mut self, key: TimerKey, deadline: Deadline) -> bool {
        if self.find(key).is_none() {
            return false;
        }
        // Before the position is read: this may move nodes.
        let order = self.next_order();
        let node = Node::new(deadline, order, key.entry);
        let position = self.positions[key.entry as usize];
        match (position, deadline.is_never()) {
            (PARKED, true) => {}
            (PARKED, false) => {
                let end = self.nodes.grow();
                self.rise(end, node);
            }
            (_, true) => self.unlink(position as usize),
            (_, false) => self.settle(position as usize, node),
        }
        true
    }

    /// Replaces the waker and returns the old one; gives the new one back if the key is too old.
    pub(crate) fn set_waker(
        &mut self,
        key: TimerKey,
        waker: Waker,
    ) -> Result<Option<Waker>, Waker> {
        match self.find(key) {
            Some(entry) => Ok(entry.waker.replace(waker)),
            None => Err(waker),
        }
    }

    /// Returns true if the timer has neither fired nor been removed.
    pub(crate) fn is_pending(&mut self, key: TimerKey) -> bool {
        self.find(key).is_some()
    }

    /// Takes a timer out; the waker is for the caller to drop, outside of all locks.
    pub(crate) fn remove(&mut self, key: TimerKey) -> Option<Waker> {
        self.find(key)?;
        let position = self.positions[key.entry as usize];
        if position != PARKED {
            self.unlink(position as usize);
        }
        self.release(key.entry)
    }

    /// Moves the wakers of at most `limit` timers that are due to the batch, earliest first.
    pub(crate) fn expire(&mut self, now: Deadline, limit: usize, batch: &mut WakeBatch) {
        self.backlog = false;
        for _ in 0..limit {
            let first = self.nodes.first();
            if first.deadline() > now || first.deadline().is_never() {
                return;
            }
            self.unlink(0);
            if let Some(waker) = self.release(first.entry()) {
                batch.push(waker);
            }
        }
        self.backlog = self.next() <= now;
    }

    /// All wakers that are waiting for a deadline.
    pub(crate) fn wakers(&self) -> impl Iterator<Item = &Waker> {
        let entries = self.entries.iter().zip(&self.positions);
        entries
            .filter(|(_, position)| **position != PARKED)
            .filter_map(|(entry, _)| entry.waker.as_ref())
    }

    fn find(&mut self, key: TimerKey) -> Option<&mut Entry> {
        self.entries
            .get_mut(key.entry as usize)
            .filter(|entry| entry.generation == key.generation && entry.waker.is_some())
    }

    fn release(&mut self, index: u32) -> Option<Waker> {
        let entry = &mut self.entries[index as usize];
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(index);
        entry.waker.take()
    }

    fn append(&mut self, deadline: Deadline, entry: u32) {
        let node = Node::new(deadline, self.next_order(), entry);
        let end = self.nodes.grow();
        self.rise(end, node);
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

    /// Takes the node at `position` out of the heap and parks its entry.
    fn unlink(&mut self, position: usize) {
        let entry = self.nodes.get(position).entry();
        self.positions[entry as usize] = PARKED;
        let last = self.nodes.pop();
        if position < self.nodes.len() {
            self.settle(position, last);
        }
    }

    /// Puts a node where another one was, and restores the order around it.
    fn settle(&mut self, position: usize, node: Node) {
        if position > 0 && node < self.nodes.get(parent(position)) {
            self.rise(position, node);
        } else {
            self.sink(position, node);
        }
    }

    fn rise(&mut self, mut position: usize, node: Node) {
        while position > 0 {
            let above = self.nodes.get(parent(position));
            if above < node {
                break;
            }
            self.place(position, above);
            position = parent(position);
        }
        self.place(position, node);
    }

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

    fn place(&mut self, position: usize, node: Node) {
        self.nodes.set(position, node);
        self.positions[node.entry() as usize] = position as u32;
    }
}

#[cfg(all(test, not(async_io_loom)))]
#[path = "queue_tests.rs"]
mod tests;
