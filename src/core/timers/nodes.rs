//! The nodes of the heap: where they lie in memory.
//!
//! The four children of a node share one cache line: a level of the heap costs one access to memory, not two. The root
//! lies by itself, and the children of node `i` are group `i`. Lanes without a node say "never", so nobody asks how many
//! children there are.

use crate::core::clock::Deadline;

pub(super) const CHILDREN: usize = 4;

#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) deadline: Deadline,
    pub(super) entry: u32,
}

const NONE: Node = Node {
    deadline: Deadline::NEVER,
    entry: u32::MAX,
};

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
            root: NONE,
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
            self.groups.push(Group([NONE; CHILDREN]));
        }
        self.len += 1;
        position
    }

    /// Takes the last one away; there must be one.
    pub(super) fn pop(&mut self) -> Node {
        self.len -= 1;
        let node = self.get(self.len);
        self.set(self.len, NONE);
        if self.len > 0 && (self.len - 1) % CHILDREN == 0 {
            self.groups.pop();
        }
        node
    }

    /// The earliest child, and its position. Where there is none, it is never due.
    #[inline]
    pub(super) fn first_child(&self, position: usize) -> (usize, Node) {
        let Some(Group(children)) = self.groups.get(position) else {
            return (0, NONE);
        };
        // Without branches: which child is the earliest cannot be predicted.
        let earlier = |one: usize, other: usize| {
            if children[other].deadline < children[one].deadline {
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

    #[cfg(test)]
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
