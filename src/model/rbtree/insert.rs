//! Insertion: `rb_link_node`, `rb_insert_color` and `rb_insert_augmented`.

use super::{AreaId, Areas, At, Kind, LEFT, Link, NIL, Sink, Tree, TreeStep, VmapArea};

impl Areas {
    /// Hangs `id` at `link`, balances, and keeps `subtree_max` if `AUGMENTED` (`link_va`).
    pub(crate) fn insert<const AUGMENTED: bool, S: Sink>(
        &mut self,
        tree: &mut Tree,
        id: AreaId,
        link: Link,
        to: &mut At<'_, S>,
    ) {
        let area = self[id];
        self.hang::<AUGMENTED, S>(tree, id, area, link, to);
    }

    /// The same of an area that has no slot yet.
    #[inline]
    pub(crate) fn insert_new<const AUGMENTED: bool, S: Sink>(
        &mut self,
        tree: &mut Tree,
        area: VmapArea,
        link: Link,
        to: &mut At<'_, S>,
    ) -> AreaId {
        let id = self.take_slot();
        self.hang::<AUGMENTED, S>(tree, id, area, link, to);
        id
    }

    /// Writes `area` to its slot, links and all. A left child stands directly before its parent in the list, a right
    /// child directly after it.
    #[inline]
    fn hang<const AUGMENTED: bool, S: Sink>(
        &mut self,
        tree: &mut Tree,
        id: AreaId,
        mut area: VmapArea,
        link: Link,
        to: &mut At<'_, S>,
    ) {
        let Link { parent, side } = link;
        tree.len += 1;
        area.child = [NIL; 2];
        if AUGMENTED {
            area.max = [0; 2];
            area.kind = Kind::Free;
        }
        if AUGMENTED || area.kind == Kind::Busy {
            self.note(id, area.start, area.end);
        }
        if parent == NIL {
            (tree.root, tree.first, tree.last) = (id, id, id);
            (area.prev, area.next, area.parent_colour) = (NIL, NIL, u32::from(!S::WANTED));
            self[id] = area;
            to.step(|| TreeStep::Linked { node: self.node(id), parent: self.node(NIL), side });
            return self.set_colour(id, true, to);
        }
        area.parent_colour = parent << 1;
        let above = &mut self[parent];
        above.child[side] = id;
        let is_below_red = !above.is_black();
        if side == LEFT {
            (area.prev, area.next) = (std::mem::replace(&mut above.prev, id), parent);
            match area.prev {
                NIL => tree.first = id,
                prev => self[prev].next = id,
            }
        } else {
            (area.prev, area.next) = (parent, std::mem::replace(&mut above.next, id));
            match area.next {
                NIL => tree.last = id,
                next => self[next].prev = id,
            }
        }
        self[id] = area;
        to.step(|| TreeStep::Linked { node: self.node(id), parent: self.node(parent), side });
        if AUGMENTED {
            self.raise_max(link, area.len_bytes(), to);
        }
        if is_below_red {
            self.balance_insert::<AUGMENTED, S>(tree, id, parent, to);
        }
    }

    /// A new node below can only raise the value, so its ancestors need no recomputation.
    fn raise_max<S: Sink>(&mut self, link: Link, size: u64, to: &mut At<'_, S>) {
        let Link { mut parent, mut side } = link;
        loop {
            let old = self[parent].max[side];
            if size <= old {
                to.step(|| TreeStep::Settled { node: self.node(parent), max: old });
                return;
            }
            let before = self.subtree_max(parent);
            self[parent].max[side] = size;
            if before < size {
                to.step(|| TreeStep::Propagated { node: self.node(parent), old: before, new: size });
            }
            let above = self[parent].parent();
            if above == NIL {
                return;
            }
            side = self.side_of(parent, above);
            parent = above;
        }
    }

    /// `__rb_insert`: a red node below a red one.
    fn balance_insert<const AUGMENTED: bool, S: Sink>(
        &mut self,
        tree: &mut Tree,
        mut id: AreaId,
        mut parent: AreaId,
        to: &mut At<'_, S>,
    ) {
        loop {
            // A red node is no root.
            let grand = self[parent].parent();
            let children = self[grand].child;
            let side = usize::from(children[1] == parent);
            let uncle = children[1 - side];
            if uncle != NIL && !self[uncle].is_black() {
                self.set_colour(parent, true, to);
                self.set_colour(uncle, true, to);
                self.set_colour(grand, false, to);
                id = grand;
                parent = self[id].parent();
                if parent == NIL {
                    return self.set_colour(id, true, to);
                }
                if self[parent].is_black() {
                    return;
                }
                continue;
            }
            if self[parent].child[side] != id {
                parent = self.rotate::<AUGMENTED, S>(tree, parent, side, to);
            }
            self.set_colour(parent, true, to);
            self.set_colour(grand, false, to);
            self.rotate::<AUGMENTED, S>(tree, grand, 1 - side, to);
            return;
        }
    }
}
