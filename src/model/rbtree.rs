//! The kernel's red-black tree over [`Areas`], plain or augmented with `subtree_max`.
//!
//! Shape, colours and rotations are the kernel's, because above page alignment the shape decides the answer. Left and
//! right are indices, so each case is written once.

use super::areas::{AreaId, Areas, LEFT, NIL, RIGHT, VmapArea};

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
    parent: AreaId,
    side: usize,
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

    /// Hangs `id` at `link`, balances, and keeps `subtree_max` if `AUGMENTED` (`link_va`).
    pub fn insert<const AUGMENTED: bool>(&mut self, tree: &mut Tree, id: AreaId, link: Link) {
        self.thread(tree, id, link);
        let size = self[id].len_bytes();
        let area = &mut self[id];
        area.child = [NIL; 2];
        area.parent_colour = link.parent << 1;
        area.subtree_max = if AUGMENTED { size } else { 0 };
        if link.parent == NIL {
            tree.root = id;
        } else {
            self[link.parent].child[link.side] = id;
            if AUGMENTED {
                self.raise_max(link.parent, size);
            }
        }
        tree.len += 1;
        self.balance_insert::<AUGMENTED>(tree, id);
    }

    /// Takes `id` out of the tree and its list (`unlink_va`). The slot stays.
    pub fn erase<const AUGMENTED: bool>(&mut self, tree: &mut Tree, id: AreaId) {
        self.unthread(tree, id);
        tree.len -= 1;
        let VmapArea { child: [left, right], parent_colour, subtree_max, .. } = self[id];
        let parent = parent_colour >> 1;
        if left == NIL || right == NIL {
            // A single child is red and childless: it takes the place and the colour.
            let child = if left == NIL { right } else { left };
            let side = self.replace(tree, id, parent, child);
            if child != NIL {
                self[child].parent_colour = parent_colour;
            }
            if AUGMENTED {
                self.propagate(parent);
            }
            if child == NIL && parent_colour & 1 == 1 && parent != NIL {
                self.balance_erase::<AUGMENTED>(tree, parent, side);
            }
            return;
        }
        // Two children: the in-order successor takes the place and the colour.
        let mut heir = right;
        while self[heir].child[LEFT] != NIL {
            heir = self[heir].child[LEFT];
        }
        let orphan = self[heir].child[RIGHT];
        let heir_was_black = self[heir].is_black();
        let (short, short_side) = if heir == right {
            (heir, RIGHT)
        } else {
            let above = self[heir].parent();
            self[above].child[LEFT] = orphan;
            self[heir].child[RIGHT] = right;
            self.set_parent(right, heir);
            (above, LEFT)
        };
        self[heir].child[LEFT] = left;
        self.set_parent(left, heir);
        self.replace(tree, id, parent, heir);
        self[heir].parent_colour = parent_colour;
        if orphan != NIL {
            self[orphan].parent_colour = (short << 1) | 1;
        }
        if AUGMENTED {
            self[heir].subtree_max = subtree_max;
            if short != heir {
                self.propagate_below(short, heir);
            }
            self.propagate(heir);
        }
        if orphan == NIL && heir_was_black {
            self.balance_erase::<AUGMENTED>(tree, short, short_side);
        }
    }

    /// Recomputes `subtree_max` from `id` upwards until a stored value is already right
    /// (`augment_tree_propagate_from`).
    pub fn propagate(&mut self, id: AreaId) {
        self.propagate_below(id, NIL);
    }

    /// What `subtree_max` of a node must be.
    pub fn computed_max(&self, id: AreaId) -> u64 {
        let area = &self[id];
        let [left, right] = area.child;
        area.len_bytes().max(self[left].subtree_max).max(self[right].subtree_max)
    }

    fn propagate_below(&mut self, mut id: AreaId, stop: AreaId) {
        while id != stop {
            let max = self.computed_max(id);
            if self[id].subtree_max == max {
                break;
            }
            self[id].subtree_max = max;
            id = self[id].parent();
        }
    }

    /// A new node below can only raise the value, so its ancestors need no recomputation.
    fn raise_max(&mut self, mut id: AreaId, size: u64) {
        while id != NIL && self[id].subtree_max < size {
            self[id].subtree_max = size;
            id = self[id].parent();
        }
    }

    /// Joins the list beside the parent: a left child directly before it, a right child directly after it.
    fn thread(&mut self, tree: &mut Tree, id: AreaId, link: Link) {
        let prev = if link.side == LEFT { self[link.parent].prev } else { link.parent };
        self.thread_behind(tree, id, prev);
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
    pub fn unthread(&mut self, tree: &mut Tree, id: AreaId) {
        let VmapArea { prev, next, .. } = self[id];
        if prev == NIL {
            tree.first = next;
        } else {
            self[prev].next = next;
        }
        if next == NIL {
            tree.last = prev;
        } else {
            self[next].prev = prev;
        }
    }

    fn set_parent(&mut self, id: AreaId, parent: AreaId) {
        let colour = self[id].parent_colour & 1;
        self[id].parent_colour = (parent << 1) | colour;
    }

    fn set_black(&mut self, id: AreaId) {
        self[id].parent_colour |= 1;
    }

    fn set_red(&mut self, id: AreaId) {
        self[id].parent_colour &= !1;
    }

    /// Which child of `parent` is `id`?
    fn side_of(&self, id: AreaId, parent: AreaId) -> usize {
        usize::from(self[parent].child[RIGHT] == id)
    }

    /// Puts `new` where `old` hangs below `parent`; answers the side. The links of `new` itself are the caller's.
    fn replace(&mut self, tree: &mut Tree, old: AreaId, parent: AreaId, new: AreaId) -> usize {
        if parent == NIL {
            tree.root = new;
            return LEFT;
        }
        let side = self.side_of(old, parent);
        self[parent].child[side] = new;
        side
    }

    /// Turns `id` down towards `side`; its other child comes up and takes its `subtree_max`.
    ///
    /// ```text
    ///     id                 up
    ///    /  \               /  \
    ///   a    up    side=   id   c
    ///       /  \   LEFT   /  \
    ///      b    c        a    b
    /// ```
    fn rotate<const AUGMENTED: bool>(&mut self, tree: &mut Tree, id: AreaId, side: usize) -> AreaId {
        let up = self[id].child[1 - side];
        let between = self[up].child[side];
        let parent = self[id].parent();
        self[id].child[1 - side] = between;
        if between != NIL {
            self.set_parent(between, id);
        }
        self.replace(tree, id, parent, up);
        self.set_parent(up, parent);
        self[up].child[side] = id;
        self.set_parent(id, up);
        if AUGMENTED {
            self[up].subtree_max = self[id].subtree_max;
            self[id].subtree_max = self.computed_max(id);
        }
        up
    }

    fn balance_insert<const AUGMENTED: bool>(&mut self, tree: &mut Tree, mut id: AreaId) {
        loop {
            let mut parent = self[id].parent();
            if parent == NIL {
                self.set_black(id);
                return;
            }
            if self[parent].is_black() {
                return;
            }
            let grand = self[parent].parent();
            let side = self.side_of(parent, grand);
            let uncle = self[grand].child[1 - side];
            if uncle != NIL && !self[uncle].is_black() {
                self.set_black(parent);
                self.set_black(uncle);
                self.set_red(grand);
                id = grand;
                continue;
            }
            if self.side_of(id, parent) != side {
                parent = self.rotate::<AUGMENTED>(tree, parent, side);
            }
            self.set_black(parent);
            self.set_red(grand);
            self.rotate::<AUGMENTED>(tree, grand, 1 - side);
            return;
        }
    }

    /// The paths through `parent`'s child on `side` are one black node short.
    fn balance_erase<const AUGMENTED: bool>(&mut self, tree: &mut Tree, mut parent: AreaId, mut side: usize) {
        loop {
            let mut sibling = self[parent].child[1 - side];
            if !self[sibling].is_black() {
                self.rotate::<AUGMENTED>(tree, parent, side);
                self.set_black(sibling);
                self.set_red(parent);
                sibling = self[parent].child[1 - side];
            }
            let near = self[sibling].child[side];
            let mut far = self[sibling].child[1 - side];
            if self[far].is_black() {
                if self[near].is_black() {
                    self.set_red(sibling);
                    let grand = self[parent].parent();
                    if !self[parent].is_black() || grand == NIL {
                        self.set_black(parent);
                        return;
                    }
                    side = self.side_of(parent, grand);
                    parent = grand;
                    continue;
                }
                self.rotate::<AUGMENTED>(tree, sibling, 1 - side);
                far = sibling;
                sibling = near;
            }
            let colour = self[parent].parent_colour & 1;
            self.rotate::<AUGMENTED>(tree, parent, side);
            self[sibling].parent_colour = (self[sibling].parent_colour & !1) | colour;
            self.set_black(parent);
            self.set_black(far);
            return;
        }
    }
}
