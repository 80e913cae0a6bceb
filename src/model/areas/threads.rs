//! What follows from the children of a tree's nodes: parents, neighbours, the largest hole below.

use super::{AreaId, Kind, LEFT, NIL, RIGHT, VmapArea};

/// Writes parents, neighbours and the largest hole below to every area that is in a tree ([`Kind::Free`] or
/// [`Kind::Busy`]), as its trees' children say. Colours stay.
pub(super) fn thread(slots: &mut [VmapArea]) {
    for at in 0..slots.len() {
        let area = &slots[at];
        if area.kind == Kind::Other {
            continue;
        }
        for child in area.child {
            if child != NIL {
                let child = &mut slots[child as usize];
                child.parent_colour = child.parent_colour & 1 | (at as u32) << 1;
            }
        }
    }
    for at in 0..slots.len() {
        if slots[at].kind != Kind::Other && slots[at].parent() == NIL {
            thread_tree(slots, at as AreaId);
        }
    }
}

/// The same for one tree, whose parents are there.
fn thread_tree(slots: &mut [VmapArea], root: AreaId) {
    let mut last = NIL;
    let mut id = lowest(slots, root);
    loop {
        slots[id as usize].prev = last;
        if last != NIL {
            slots[last as usize].next = id;
        }
        last = id;
        let right = slots[id as usize].child[RIGHT];
        if right != NIL {
            id = lowest(slots, right);
            continue;
        }
        // Up, until one is left from its left side: that is the next.
        loop {
            let (parent, max) = (slots[id as usize].parent(), slots[id as usize].subtree_max());
            if parent == NIL {
                slots[last as usize].next = NIL;
                return;
            }
            let above = &mut slots[parent as usize];
            let side = usize::from(above.child[RIGHT] == id);
            if above.kind == Kind::Free {
                above.max[side] = max;
            }
            id = parent;
            if side == LEFT {
                break;
            }
        }
    }
}

/// The first node below `id`.
fn lowest(slots: &[VmapArea], mut id: AreaId) -> AreaId {
    loop {
        match slots[id as usize].child[LEFT] {
            NIL => return id,
            left => id = left,
        }
    }
}
