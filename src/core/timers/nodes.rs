//! The nodes of the heap: where they lie in memory.
//!
//! The four children of a node share one cache line: a level of the heap costs one access to memory, not two. The root
//! lies by itself, and the children of node `i` are group `i`. Lanes without a node say "never", so nobody asks how many
//! children there are.

use crate::core::clock::Deadline;

pub(super) const CHILDREN: usize = 4;

/// Number of bits of a node that name its entry.
pub(super) const ENTRY_BITS: u32 = 26;

/// The exclusive upper limit of [`Node::new`]'s `order`.
pub(super) const ORDER_LIMIT: u64 = 1 << (u64::BITS - ENTRY_BITS);

/// A deadline, its rank among equal deadlines, and the entry of the timer, as one number.
///
/// From the highest bit: 64 bits of deadline, 38 bits of insertion order, 26 bits of entry. Comparing two
/// nodes compares two integers, which takes no branch. Nodes of different timers are never equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Node(u128);

impl Node {
    /// Fills a lane that has no node. Compares as later than every node.
    const NONE: Node = Node(u128::MAX);

    /// Creates a node. `order` must be below [`ORDER_LIMIT`], `entry` must have at most [`ENTRY_BITS`].
    #[inline]
    pub(super) fn new(deadline: Deadline, order: u64, entry: u32) -> Self {
        debug_assert!(order < ORDER_LIMIT && entry >> ENTRY_BITS == 0);
        let below = (order << ENTRY_BITS) | u64::from(entry);
        Node((u128::from(deadline.as_nanos()) << u64::BITS) | u128::from(below))
    }

    #[inline]
    pub(super) fn deadline(self) -> Deadline {
        Deadline::from_nanos((self.0 >> u64::BITS) as u64)
    }

    #[inline]
    pub(super) fn entry(self) -> u32 {
        self.0 as u32 & ((1 << ENTRY_BITS) - 1)
    }
}

#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Group([Node; CHILDREN]);

#[derive(Debug)]
pub(super) struct Nodes {
    root: Node,
    groups: Vec<Group>,
    len: usize,
}

impl Default for Nodes {
    fn default() -> Self {
        Nodes {
            root: Node::NONE,
            groups: Vec::new(),
            len: 0,
        }
    }
}

impl Nodes {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The earliest node; without a node one that is never due.
    #[inline]
    pub(super) fn first(&self) -> Node {
        self.root
    }

    #[inline]
    pub(super) fn get(&self, position: usize) -> Node {
        match position.checked_sub(1) {
            None => self.root,
            Some(below) => self.groups[below / CHILDREN].0[below % CHILDREN],
        }
    }

    #[inline]
    pub(super) fn set(&mut self, position: usize, node: Node) {
        match position.checked_sub(1) {
            None => self.root = node,
            Some(below) => self.groups[below / CHILDREN].0[below % CHILDREN] = node,
        }
    }

    /// Makes room for one more at the end. Its place holds nothing yet.
    pub(super) fn grow(&mut self) -> usize {
        let position = self.len;
        if position > 0 && (position - 1) / CHILDREN == self.groups.len() {
            self.groups.push(Group([Node::NONE; CHILDREN]));
        }
        self.len += 1;
        position
    }

    /// Takes the last one away; there must be one.
    pub(super) fn pop(&mut self) -> Node {
        self.len -= 1;
        let node = self.get(self.len);
        self.set(self.len, Node::NONE);
        if self.len > 0 && (self.len - 1) % CHILDREN == 0 {
            self.groups.pop();
        }
        node
    }

    /// The earliest child, and its position. Where there is none, it is never due.
    #[inline]
    pub(super) fn first_child(&self, position: usize) -> (usize, Node) {
        let Some(Group(children)) = self.groups.get(position) else {
            return (0, Node::NONE);
        };
        // Without branches: which child is the earliest cannot be predicted.
        let earlier = |one: usize, other: usize| {
            if children[other] < children[one] {
                other
            } else {
                one
            }
        };
        let lane = earlier(earlier(0, 1), earlier(2, 3));
        (position * CHILDREN + 1 + lane, children[lane])
    }

    /// The nodes of the first three levels, and maybe places without a node, which are never due.
    pub(super) fn top(&self) -> impl Iterator<Item = Node> {
        let groups = self.groups.iter().take(1 + CHILDREN);
        std::iter::once(self.root).chain(groups.flat_map(|group| group.0))
    }

    /// Returns all nodes in the order of their positions.
    pub(super) fn iter(&self) -> impl Iterator<Item = Node> {
        (0..self.len).map(|position| self.get(position))
    }
}

pub(super) fn parent(position: usize) -> usize {
    (position - 1) / CHILDREN
}

#[cfg(all(test, not(async_io_loom)))]
mod tests {
    use super::*;

    #[test]
    fn nodes_compare_by_deadline_then_by_order() {
        let (early, late) = (Deadline::from_nanos(1), Deadline::from_nanos(u64::MAX - 1));
        let last_entry = (1 << ENTRY_BITS) - 1;
        let ascending = [
            Node::new(early, 0, last_entry),
            Node::new(early, 1, 0),
            Node::new(early, ORDER_LIMIT - 1, 0),
            Node::new(late, 0, 3),
            Node::new(late, ORDER_LIMIT - 1, last_entry),
            Node::NONE,
        ];
        assert!(ascending.is_sorted_by(|one, other| one < other));
        assert_eq!(ascending[0].deadline(), early);
        assert_eq!(ascending[4].deadline(), late);
        assert_eq!(ascending[4].entry(), last_entry);
        assert_eq!(ascending[3].entry(), 3);
        assert!(Node::NONE.deadline().is_never());
        assert_eq!(size_of::<Group>(), 64);
    }

    #[test]
    fn groups_are_made_when_needed_and_not_kept() {
        let mut nodes = Nodes::default();
        for len in 1..50 {
            assert_eq!(nodes.grow(), len - 1);
            assert_eq!(nodes.groups.len(), (len - 1).div_ceil(CHILDREN));
        }
        let levels = 1 + CHILDREN + CHILDREN * CHILDREN;
        assert_eq!(nodes.top().count(), levels);
        for len in (0..49usize).rev() {
            nodes.pop();
            assert_eq!(nodes.groups.len(), len.saturating_sub(1).div_ceil(CHILDREN));
        }
    }
}
