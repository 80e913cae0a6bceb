//! [`TreeStep`]: what happens inside a red-black tree, link by link.

use super::super::areas::AreaId;
use super::super::rbtree::TreeId;
use super::{Sink, Step};

/// A node of a tree, as it is at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeNode {
    /// The area; [`super::super::NIL`]: none.
    pub id: AreaId,
    /// Where it starts.
    pub start: u64,
    /// Where it ends.
    pub end: u64,
}

/// One thing a tree did. In order they are all that changes its shape and its colours: whoever does the same to a copy has
/// the same tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeStep {
    /// `merge_or_add_vmap_area` looked at both neighbours, to see whether the range touches one.
    Siblings {
        /// The next lower node.
        below: TreeNode,
        /// The next higher node (`get_va_next_sibling`).
        above: TreeNode,
    },
    /// `va_clip` cuts from the middle: a spare node (`ne_fit_preload_node`) takes the lower rest.
    Spare {
        /// Where the rest starts.
        start: u64,
        /// Where it ends.
        end: u64,
        /// The hole, which keeps the upper rest.
        hole: TreeNode,
    },
    /// `rb_link_node`: hung below its parent, red.
    Linked {
        /// The new node.
        node: TreeNode,
        /// What it hangs from; none: it is the root.
        parent: TreeNode,
        /// 0 left, 1 right.
        side: usize,
    },
    /// `__rb_insert`, `____rb_erase_color`: a node has another colour.
    Recoloured {
        /// The node.
        node: TreeNode,
        /// Black now, else red.
        black: bool,
    },
    /// `__rb_rotate_set_parents`: a child takes the place of its parent.
    Rotated {
        /// The parent, which goes down.
        down: TreeNode,
        /// The child, which comes up.
        up: TreeNode,
        /// Where the parent goes: 0 left, 1 right.
        side: usize,
    },
    /// `__rb_erase_augmented`: a node with at most one child leaves; the child takes its place and its colour.
    Unlinked {
        /// The node.
        node: TreeNode,
        /// The child, if it has one.
        child: TreeNode,
    },
    /// `__rb_erase_augmented`: a node with two children leaves; its successor takes its place and its colour, and the
    /// successor's right child the place of the successor.
    Replaced {
        /// The node.
        node: TreeNode,
        /// Its successor.
        heir: TreeNode,
    },
    /// `augment_tree_propagate_from` has another `subtree_max_size` for a node.
    Propagated {
        /// The node.
        node: TreeNode,
        /// Before, in bytes.
        old: u64,
        /// Now, in bytes.
        new: u64,
    },
    /// `augment_tree_propagate_from` stops: the value of this node is right already, and so are those above.
    Settled {
        /// The node.
        node: TreeNode,
        /// The value, in bytes.
        max: u64,
    },
}

/// A sink for the steps of one tree.
#[derive(Debug)]
pub struct At<'a, S> {
    /// The tree.
    pub tree: TreeId,
    /// Where its steps go.
    pub sink: &'a mut S,
}

impl<S: Sink> At<'_, S> {
    /// Takes the step that `make` describes, if steps are wanted.
    #[inline]
    pub fn step(&mut self, make: impl FnOnce() -> TreeStep) {
        let tree = self.tree;
        self.sink.step(|| Step::Tree { tree, what: make() });
    }
}

impl TreeStep {
    /// The node it is about.
    pub fn node(&self) -> TreeNode {
        match *self {
            Self::Siblings { below: node, .. }
            | Self::Spare { hole: node, .. }
            | Self::Linked { node, .. }
            | Self::Recoloured { node, .. }
            | Self::Rotated { up: node, .. }
            | Self::Unlinked { node, .. }
            | Self::Replaced { heir: node, .. }
            | Self::Propagated { node, .. }
            | Self::Settled { node, .. } => node,
        }
    }

    /// Every node that it leaves in the tree, ascending.
    pub fn nodes(&self) -> impl Iterator<Item = TreeNode> {
        let (first, second) = match *self {
            Self::Siblings { below, above } => (below, Some(above)),
            Self::Linked { node, parent, .. } => (node, Some(parent)),
            Self::Rotated { down, up, .. } => (up, Some(down)),
            Self::Unlinked { child, .. } => (child, None),
            ref other => (other.node(), None),
        };
        let mut pair = [Some(first), second];
        pair.sort_by_key(|node| node.map(|node| node.start));
        pair.into_iter().flatten().filter(|node| node.id != super::super::areas::NIL)
    }
}
