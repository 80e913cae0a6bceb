//! Insertion: `rb_link_node`, `rb_insert_color` and `rb_insert_augmented`.

use super::{AreaId, Areas, At, Kind, LEFT, Link, NIL, Sink, Tree, TreeStep};

impl Areas {
    /// Hangs `id` at `link`, balances, and keeps `subtree_max` if `AUGMENTED` (`link_va`).
    pub(crate) fn insert<const AUGMENTED: bool, S: Sink>(
        &mut self,
        tree: &mut Tree,
        id: AreaId,
        link: Link,
        to: &mut At<'_, S>,
    ) {
        let Link { parent, side } = link;
        to.step(|| TreeStep::Linked { node: self.node(id), parent: self.node(parent), side });
        tree.len += 1;
        let area = &mut self[id];
        area.child = [NIL; 2];
        area.parent_colour = parent << 1;
        if AUGMENTED {
            area.max = [0; 2];
            area.kind = Kind::Free;
        }
        let (start, end) = (area.start, area.end);
        if AUGMENTED {
            self.note(id, start, end);
        }
        if parent == NIL {
            (tree.root, tree.first, tree.last) = (id, id, id);
            let area = &mut self[id];
            (area.prev, area.next) = (NIL, NIL);
            self.set_colour(id, true, to);
            return;
        }
        self.thread(tree, id, link);
        self[parent].child[side] = id;
        if AUGMENTED {
            self.raise_max(link, end - start, to);
        }
        if !self[parent].is_black() {
            self.balance_insert::<AUGMENTED, S>(tree, id, parent, to);
        }
    }

    /// Joins the list beside the parent: a left child directly before it, a right child directly after it.
    fn thread(&mut self, tree: &mut Tree, id: AreaId, Link { parent, side }: Link) {
        let above = &mut self[parent];
        let (prev, next) = if side == LEFT {
            (std::mem::replace(&mut above.prev, id), parent)
        } else {
            (parent, std::mem::replace(&mut above.next, id))
        };
        let area = &mut self[id];
        (area.prev, area.next) = (prev, next);
        if prev == NIL {
            tree.first = id;
        } else if side == LEFT {
            self[prev].next = id;
        }
        if next == NIL {
            tree.last = id;
        } else if side != LEFT {
            self[next].prev = id;
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
