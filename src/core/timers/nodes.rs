//! Memory layout of the heap.
//!
//! The four children of a node share one cache line, so a level of the heap costs one cache miss.
//! The root is stored separately, and the children of node `i` are group `i`.
//!
//! Groups are allocated in chunks of 4 KiB. Growing allocates one chunk and moves no node. A chunk
//! is freed when two chunks behind the last node are unused, so at least [`CHUNK_NODES`] nodes are
//! added or removed between an allocation and the next free. Only the list of chunks is ever
//! copied, at 8 bytes per chunk. It keeps its capacity.
//!
//! A lane without a node holds [`Node::NONE`], which is never due. So code that compares children
//! does not have to know how many there are.

use crate::core::clock::Deadline;

pub(super) const CHILDREN: usize = 4;

/// Number of groups in a chunk. Small in tests, so that short scripts cross the end of a chunk.
const CHUNK_GROUPS: usize = if cfg!(any(test, fuzzing)) { 2 } else { 64 };

/// Number of nodes in a chunk.
const CHUNK_NODES: usize = CHUNK_GROUPS * CHILDREN;

/// Number of bits of a node that name its entry.
pub(super) const ENTRY_BITS: u32 = 26;

/// The exclusive upper limit of [`Node::new`]'s `order`.
pub(super) const ORDER_LIMIT: u64 = 1 << (u64::BITS - ENTRY_BITS);

/// A deadline, its rank among equal deadlines, and the entry of the timer, as one number.
///
/// From the highest bit: 64 bits of deadline, 38 bits of insertion order, 26 bits of entry.
/// Comparing two nodes compares two integers, which takes no branch. Nodes of different timers are
/// never equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Node(u128);

impl Node {
    /// Fills a lane that has no node. Compares as later than every node.
    const NONE: Node = Node(u128::MAX);

    /// Creates a node. `order` must be below [`ORDER_LIMIT`], `entry` must have at most
    /// [`ENTRY_BITS`].
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

type Chunk = [Group; CHUNK_GROUPS];

#[derive(Debug)]
pub(super) struct Nodes {
    root: Node,
    #[allow(clippy::vec_box, reason = "a chunk must not move when the list grows")]
    chunks: Vec<Box<Chunk>>,
    len: usize,
}

impl Default for Nodes {
    fn default() -> Self {
        Nodes {
            root: Node::NONE,
            chunks: Vec::new(),
            len: 0,
        }
    }
}

impl Nodes {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the earliest node, or [`Node::NONE`] if there is no node.
    #[inline]
    pub(super) fn first(&self) -> Node {
        self.root
    }

    #[inline]
    pub(super) fn get(&self, position: usize) -> Node {
        match position.checked_sub(1) {
            None => self.root,
            Some(below) => {
                let group = below / CHILDREN;
                let chunk = &self.chunks[group / CHUNK_GROUPS];
                chunk[group % CHUNK_GROUPS].0[below % CHILDREN]
            }
        }
    }

    #[inline]
    pub(super) fn set(&mut self, position: usize, node: Node) {
        match position.checked_sub(1) {
            None => self.root = node,
            Some(below) => {
                let group = below / CHILDREN;
                let chunk = &mut self.chunks[group / CHUNK_GROUPS];
                chunk[group % CHUNK_GROUPS].0[below % CHILDREN] = node;
            }
        }
    }

    /// Makes room for one more node and returns its position. The caller sets the node.
    #[inline]
    pub(super) fn grow(&mut self) -> usize {
        let position = self.len;
        if position > self.chunks.len() * CHUNK_NODES {
            self.add_chunk();
        }
        self.len += 1;
        position
    }

    #[cold]
    fn add_chunk(&mut self) {
        reserve(&mut self.chunks);
        let chunk = [Group([Node::NONE; CHILDREN]); CHUNK_GROUPS];
        self.chunks.push(Box::new(chunk));
    }

    /// Removes the last node and returns it. There must be one.
    #[inline]
    pub(super) fn pop(&mut self) -> Node {
        self.len -= 1;
        let node = self.get(self.len);
        self.set(self.len, Node::NONE);
        if self.len + 2 * CHUNK_NODES - 1 <= self.chunks.len() * CHUNK_NODES {
            self.remove_chunk();
        }
        node
    }

    #[cold]
    fn remove_chunk(&mut self) {
        self.chunks.pop();
    }

    /// Returns the earliest child and its position. Returns [`Node::NONE`] if there is no child.
    #[inline]
    pub(super) fn first_child(&self, position: usize) -> (usize, Node) {
        let Some(chunk) = self.chunks.get(position / CHUNK_GROUPS) else {
            return (0, Node::NONE);
        };
        let Group(children) = &chunk[position % CHUNK_GROUPS];
        // No branches, because which child is the earliest cannot be predicted.
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

    /// Returns the lanes of the first three levels. Lanes without a node are never due.
    pub(super) fn top(&self) -> impl Iterator<Item = Node> {
        let groups = self.chunks.iter().flat_map(|chunk| chunk.iter());
        let groups = groups.take(1 + CHILDREN);
        std::iter::once(self.root).chain(groups.flat_map(|group| group.0))
    }

    /// Returns all nodes in the order of their positions.
    pub(super) fn iter(&self) -> impl Iterator<Item = Node> {
        (0..self.len).map(|position| self.get(position))
    }

    /// Returns the number of allocated chunks.
    #[cfg(all(test, not(async_io_loom)))]
    pub(super) fn count_chunks(&self) -> usize {
        self.chunks.len()
    }
}

/// Makes room for one more chunk in a list of chunks.
///
/// A list of chunks never shrinks. If it grew a little at a time, it could end up behind many
/// chunks, and keep the allocator from returning their memory to the system. So it grows once
/// beyond a small size, to a size for which allocators commonly ask the system.
pub(super) fn reserve<T>(list: &mut Vec<T>) {
    const SMALL: usize = 64;
    const LARGE: usize = 128 * 1024;
    if list.len() == list.capacity() {
        let target = match list.len() {
            0 => SMALL / 16,
            len if len < SMALL => SMALL,
            len => (2 * len).max(LARGE / size_of::<T>()),
        };
        list.reserve_exact(target - list.len());
    }
}

pub(super) fn parent(position: usize) -> usize {
    (position - 1) / CHILDREN
}

#[cfg(all(test, not(async_io_loom)))]
mod tests {
    use super::*;

    fn node(entry: u32) -> Node {
        Node::new(Deadline::from_nanos(5), 7, entry)
    }

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
    fn chunks_are_added_when_needed_and_one_unused_chunk_is_kept() {
        let mut nodes = Nodes::default();
        let max = 5 * CHUNK_NODES;
        for len in 1..=max {
            assert_eq!(nodes.grow(), len - 1);
            nodes.set(len - 1, node(len as u32));
            assert_eq!(nodes.chunks.len(), (len - 1).div_ceil(CHUNK_NODES));
        }
        assert!(nodes.iter().map(Node::entry).eq(1..=max as u32));
        for len in (0..max).rev() {
            assert_eq!(nodes.pop(), node(len as u32 + 1));
            let used = len.saturating_sub(1).div_ceil(CHUNK_NODES);
            assert!((used..=used + 1).contains(&nodes.chunks.len()));
        }
        assert_eq!(nodes.chunks.len(), 1);
        assert_eq!(nodes.first(), Node::NONE);
    }

    #[test]
    fn lanes_without_a_node_are_never_due() {
        let mut nodes = Nodes::default();
        let count = (1 + CHILDREN + CHILDREN * CHILDREN).max(2 * CHUNK_NODES);
        for position in 0..count {
            nodes.grow();
            nodes.set(position, node(0));
        }
        assert_eq!(nodes.top().count(), 1 + CHILDREN + CHILDREN * CHILDREN);
        for _ in 1..count {
            nodes.pop();
        }
        assert_eq!(nodes.top().filter(|it| *it != Node::NONE).count(), 1);
        assert_eq!(nodes.first_child(0).1, Node::NONE);
        assert_eq!(nodes.first_child(10 * CHUNK_NODES).1, Node::NONE);
    }

    #[test]
    fn oscillation_around_the_end_of_a_chunk_keeps_the_chunk() {
        let mut nodes = Nodes::default();
        for _ in 0..=CHUNK_NODES {
            nodes.grow();
        }
        nodes.grow();
        let chunk: *const Chunk = &*nodes.chunks[1];
        for _ in 0..10 {
            nodes.pop();
            nodes.pop();
            nodes.grow();
            nodes.grow();
            assert!(std::ptr::eq(&*nodes.chunks[1], chunk));
        }
    }
}
