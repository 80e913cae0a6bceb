//! The kernel's red-black tree over [`Areas`], plain or augmented with `subtree_max`.
//!
//! A node keeps the `subtree_max` of its children beside them, not its own: what a search or an update needs to know of a
//! node stands in one cache line, and siblings are not touched.
//!
//! Shape, colours and rotations are the kernel's, because above page alignment the shape decides the answer. Left and
//! right are indices, so each case is written once.

mod erase;
mod insert;

use super::areas::{AreaId, Areas, Kind, LEFT, NIL, RIGHT, VmapArea};
use super::step::{At, Sink, TreeNode, TreeStep};

/// A tree over areas of an arena, and the ascending list the kernel threads through the same nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tree {
    /// Root, or [`NIL`].
    pub root: AreaId,
    /// Area with the lowest address, or [`NIL`].
    pub first: AreaId,
    /// Area with the highest address, or [`NIL`].
    pub last: AreaId,
    /// Number of areas.
    pub len: u32,
}

/// Names a tree of an allocator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TreeId {
    /// The global free tree.
    Free,
    /// The busy tree of a node.
    Busy(u32),
    /// The lazily freed areas of a node.
    Lazy(u32),
}

/// A tree together with the arena it lives in.
#[derive(Debug, Clone, Copy)]
pub struct TreeView<'a> {
    /// The arena.
    pub areas: &'a Areas,
    /// The tree.
    pub tree: Tree,
    /// Is `subtree_max` kept?
    pub augmented: bool,
}

impl<'a> TreeView<'a> {
    /// The areas in ascending order.
    pub fn ascending(&self) -> impl Iterator<Item = (AreaId, &'a VmapArea)> + use<'a> {
        let areas = self.areas;
        let mut id = self.tree.first;
        std::iter::from_fn(move || {
            let area = (id != NIL).then(|| (id, &areas[id]))?;
            id = area.1.next;
            Some(area)
        })
    }
}

/// Where a new area hangs: its parent and the side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    pub(super) parent: AreaId,
    pub(super) side: usize,
}

impl Areas {
    /// Where `[start, end)` would hang in `tree`, as `find_va_links`; `None` if it overlaps an area of the tree.
    pub fn find_link(&self, tree: &Tree, start: u64, end: u64) -> Option<Link> {
        let mut link = Link { parent: NIL, side: LEFT };
        let mut id = tree.root;
        while id != NIL {
            let area = &self[id];
            let side = if end <= area.start {
                LEFT
            } else if area.end <= start {
                RIGHT
            } else {
                return None;
            };
            link = Link { parent: id, side };
            id = area.child[side];
        }
        Some(link)
    }

    /// The same, asked after a neighbour: `below` ends where the range begins, or `above` begins where it ends; `NIL` if
    /// not known. The place in the order decides the place in the tree, so nothing has to be searched.
    #[inline]
    pub(crate) fn link_beside(
        &self,
        tree: &Tree,
        (start, end): (u64, u64),
        below: AreaId,
        above: AreaId,
    ) -> Option<Link> {
        let (below, above) = match (below, above) {
            _ if tree.root == NIL => return Some(Link { parent: NIL, side: LEFT }),
            (NIL, NIL) => return self.find_link(tree, start, end),
            (NIL, above) => (self[above].prev, above),
            (below, _) => (below, self[below].next),
        };
        let is_apart = (below == NIL || self[below].end <= start) && (above == NIL || end <= self[above].start);
        is_apart.then(|| match below {
            NIL => Link { parent: above, side: LEFT },
            _ if self[below].child[RIGHT] == NIL => Link { parent: below, side: RIGHT },
            _ => Link { parent: above, side: LEFT },
        })
    }

    /// Where an area would hang that lies directly behind `below` or, if that is [`NIL`], below everything else.
    pub fn link_behind(&self, tree: &Tree, below: AreaId) -> Link {
        match below {
            NIL => Link { parent: tree.first, side: LEFT },
            _ if self[below].child[RIGHT] == NIL => Link { parent: below, side: RIGHT },
            _ => Link { parent: self[below].next, side: LEFT },
        }
    }

    /// The lowest area of `tree` that ends above `addr`, or [`NIL`].
    pub fn first_above(&self, tree: &Tree, addr: u64) -> AreaId {
        let (mut id, mut best) = (tree.root, NIL);
        while id != NIL {
            let area = &self[id];
            let [left, right] = area.child;
            (best, id) = if addr < area.end { (id, left) } else { (best, right) };
        }
        best
    }

    /// The area of `tree` that contains `addr`, or [`NIL`].
    pub fn find_containing(&self, tree: &Tree, addr: u64) -> AreaId {
        let mut id = tree.root;
        while id != NIL {
            let area = &self[id];
            id = if addr < area.start {
                area.child[LEFT]
            } else if area.end <= addr {
                area.child[RIGHT]
            } else {
                return id;
            };
        }
        NIL
    }

    /// The next area above the place of `link`: the kernel's `get_va_next_sibling`.
    pub(super) fn next_above(&self, link: Link) -> AreaId {
        if link.side == LEFT { link.parent } else { self[link.parent].next }
    }

    /// Recomputes `subtree_max` from `id` upwards until a stored value is already right
    /// (`augment_tree_propagate_from`).
    #[inline]
    pub(super) fn propagate<S: Sink>(&mut self, id: AreaId, to: &mut At<'_, S>) {
        let (mut id, mut max) = (id, self.subtree_max(id));
        loop {
            let parent = self[id].parent();
            if parent == NIL {
                return;
            }
            let side = self.side_of(id, parent);
            let old = self[parent].max[side];
            if old == max {
                to.step(|| TreeStep::Settled { node: self.node(id), max });
                return;
            }
            to.step(|| TreeStep::Propagated { node: self.node(id), old, new: max });
            self[parent].max[side] = max;
            (id, max) = (parent, self.subtree_max(parent));
        }
    }

    /// What a node has to keep of a child.
    pub(super) fn max_of_child(&self, child: AreaId) -> u64 {
        if child == NIL { 0 } else { self.subtree_max(child) }
    }

    /// `subtree_max` of a node: the largest hole below it and itself, in bytes.
    pub fn subtree_max(&self, id: AreaId) -> u64 {
        self[id].subtree_max()
    }

    /// Puts `id` into the list of `tree` alone, behind `prev` or, if that is [`NIL`], before everything else.
    pub fn thread_behind(&mut self, tree: &mut Tree, id: AreaId, prev: AreaId) {
        let next = if prev == NIL { tree.first } else { self[prev].next };
        self[id].prev = prev;
        self[id].next = next;
        if prev == NIL {
            tree.first = id;
        } else {
            self[prev].next = id;
        }
        if next == NIL {
            tree.last = id;
        } else {
            self[next].prev = id;
        }
    }

    /// Takes `id` out of the list of `tree` alone.
    #[inline]
    pub fn unthread(&mut self, tree: &mut Tree, id: AreaId) {
        let VmapArea { prev, next, .. } = self[id];
        self.unlist(tree, prev, next);
    }

    /// Makes neighbours of what is before and behind an area.
    #[inline]
    fn unlist(&mut self, tree: &mut Tree, prev: AreaId, next: AreaId) {
        match prev {
            NIL => tree.first = next,
            prev => self[prev].next = next,
        }
        match next {
            NIL => tree.last = prev,
            next => self[next].prev = prev,
        }
    }

    /// A node, for a step.
    pub(super) fn node(&self, id: AreaId) -> TreeNode {
        TreeNode { id, start: self[id].start, end: self[id].end }
    }

    fn set_parent(&mut self, id: AreaId, parent: AreaId) {
        let area = &mut self[id];
        area.parent_colour = (parent << 1) | (area.parent_colour & 1);
    }

    /// `rb_set_black`, `rb_set_red`.
    fn set_colour<S: Sink>(&mut self, id: AreaId, black: bool, to: &mut At<'_, S>) {
        let area = &mut self[id];
        let old = area.parent_colour;
        area.parent_colour = (old & !1) | u32::from(black);
        if S::WANTED && old != area.parent_colour {
            to.step(|| TreeStep::Recoloured { node: self.node(id), black });
        }
    }

    /// Which child of `parent` is `id`?
    fn side_of(&self, id: AreaId, parent: AreaId) -> usize {
        usize::from(self[parent].child[RIGHT] == id)
    }

    /// Puts `new` where `old` hangs below `parent`; answers the side. The links of `new` itself are the caller's.
    #[inline]
    fn replace(&mut self, tree: &mut Tree, old: AreaId, parent: AreaId, new: AreaId) -> usize {
        if parent == NIL {
            tree.root = new;
            return LEFT;
        }
        let area = &mut self[parent];
        let side = usize::from(area.child[RIGHT] == old);
        area.child[side] = new;
        side
    }

    /// Turns `id` down towards `side`; its other child comes up. What hangs below their parent stays the same.
    ///
    /// ```text
    ///     id                 up
    ///    /  \               /  \
    ///   a    up    side=   id   c
    ///       /  \   LEFT   /  \
    ///      b    c        a    b
    /// ```
    fn rotate<const AUGMENTED: bool, S: Sink>(
        &mut self,
        tree: &mut Tree,
        id: AreaId,
        side: usize,
        to: &mut At<'_, S>,
    ) -> AreaId {
        let VmapArea { child, parent_colour, .. } = self[id];
        let (up, parent) = (child[1 - side], parent_colour >> 1);
        to.step(|| TreeStep::Rotated { down: self.node(id), up: self.node(up), side });
        let upper = &mut self[up];
        let (between, between_max) = (upper.child[side], upper.max[side]);
        upper.child[side] = id;
        upper.parent_colour = (parent << 1) | (upper.parent_colour & 1);
        let area = &mut self[id];
        area.child[1 - side] = between;
        area.parent_colour = (up << 1) | (parent_colour & 1);
        if AUGMENTED {
            area.max[1 - side] = between_max;
            self[up].max[side] = self.subtree_max(id);
        }
        if between != NIL {
            self.set_parent(between, id);
        }
        self.replace(tree, id, parent, up);
        up
    }
}
