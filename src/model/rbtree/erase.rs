//! Removal: `rb_erase` and `rb_erase_augmented`.

use super::{AreaId, Areas, At, Kind, LEFT, NIL, RIGHT, Sink, Tree, TreeStep, VmapArea};

impl Areas {
    /// Takes `id` out of the tree and its list (`unlink_va`). The slot stays.
    #[inline]
    pub(crate) fn erase<const AUGMENTED: bool, S: Sink>(&mut self, tree: &mut Tree, id: AreaId, to: &mut At<'_, S>) {
        tree.len -= 1;
        let area = &mut self[id];
        area.kind = Kind::Other;
        let VmapArea { child: [left, right], parent_colour, prev, next, .. } = *area;
        self.unlist(tree, prev, next);
        if left != NIL && right != NIL {
            return self.erase_between::<AUGMENTED, S>(tree, id, to);
        }
        // A single child is red and childless: it takes the place and the colour.
        let parent = parent_colour >> 1;
        let child = left | right;
        to.step(|| TreeStep::Unlinked { node: self.node(id), child: self.node(child) });
        let side = self.replace(tree, id, parent, child);
        if child != NIL {
            self[child].parent_colour = parent_colour;
            if AUGMENTED {
                self.propagate(child, to);
            }
            return;
        }
        if parent == NIL {
            return;
        }
        if AUGMENTED {
            self.lower_max(parent, side, 0, to);
        }
        if parent_colour & 1 == 1 {
            self.balance_erase::<AUGMENTED, S>(tree, parent, side, to);
        }
    }

    /// Two children: the in-order successor takes the place and the colour.
    fn erase_between<const AUGMENTED: bool, S: Sink>(&mut self, tree: &mut Tree, id: AreaId, to: &mut At<'_, S>) {
        let VmapArea { child: [left, right], max, parent_colour, next: heir, .. } = self[id];
        to.step(|| TreeStep::Replaced { node: self.node(id), heir: self.node(heir) });
        let VmapArea { child: [_, orphan], max: [_, orphan_max], parent_colour: heir_was, .. } = self[heir];
        let (short, short_side) = if heir == right {
            (heir, RIGHT)
        } else {
            let above = heir_was >> 1;
            self[above].child[LEFT] = orphan;
            if AUGMENTED {
                self[above].max[LEFT] = orphan_max;
            }
            self.set_parent(right, heir);
            (above, LEFT)
        };
        self.set_parent(left, heir);
        self.replace(tree, id, parent_colour >> 1, heir);
        let area = &mut self[heir];
        area.child[LEFT] = left;
        area.parent_colour = parent_colour;
        if AUGMENTED {
            area.max[LEFT] = max[LEFT];
        }
        if heir != right {
            area.child[RIGHT] = right;
            if AUGMENTED {
                area.max[RIGHT] = max[RIGHT];
            }
        }
        if orphan != NIL {
            self[orphan].parent_colour = (short << 1) | 1;
        }
        if AUGMENTED {
            if short != heir {
                self.propagate(short, to);
            }
            self.propagate(heir, to);
        }
        if orphan == NIL && heir_was & 1 == 1 {
            self.balance_erase::<AUGMENTED, S>(tree, short, short_side, to);
        }
    }

    /// What hangs below `parent` on `side` has changed.
    fn lower_max<S: Sink>(&mut self, parent: AreaId, side: usize, max: u64, to: &mut At<'_, S>) {
        if self[parent].max[side] != max {
            self[parent].max[side] = max;
            self.propagate(parent, to);
        }
    }

    /// `____rb_erase_color`: the paths through `parent`'s child on `side` are one black node short.
    fn balance_erase<const AUGMENTED: bool, S: Sink>(
        &mut self,
        tree: &mut Tree,
        mut parent: AreaId,
        mut side: usize,
        to: &mut At<'_, S>,
    ) {
        loop {
            let mut sibling = self[parent].child[1 - side];
            if !self[sibling].is_black() {
                self.rotate::<AUGMENTED, S>(tree, parent, side, to);
                self.set_colour(sibling, true, to);
                self.set_colour(parent, false, to);
                sibling = self[parent].child[1 - side];
            }
            let children = self[sibling].child;
            let (near, mut far) = (children[side], children[1 - side]);
            if far == NIL || self[far].is_black() {
                if near == NIL || self[near].is_black() {
                    self.set_colour(sibling, false, to);
                    let VmapArea { parent_colour, .. } = self[parent];
                    let grand = parent_colour >> 1;
                    if parent_colour & 1 == 0 || grand == NIL {
                        return self.set_colour(parent, true, to);
                    }
                    side = self.side_of(parent, grand);
                    parent = grand;
                    continue;
                }
                self.rotate::<AUGMENTED, S>(tree, sibling, 1 - side, to);
                far = sibling;
                sibling = near;
            }
            let black = self[parent].is_black();
            self.rotate::<AUGMENTED, S>(tree, parent, side, to);
            self.set_colour(sibling, black, to);
            self.set_colour(parent, true, to);
            self.set_colour(far, true, to);
            return;
        }
    }
}
