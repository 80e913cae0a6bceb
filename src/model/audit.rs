//! The second direction: everything derived is recomputed and compared.

use super::areas::{AreaId, Areas, LEFT, NIL, RIGHT};
use super::rbtree::{Tree, TreeView};

/// What does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An augmented value is not the maximum below its node.
    #[error("subtree_max of 0x{start:016x} is {stored}, recomputed {computed}")]
    SubtreeMax {
        /// Start of the node.
        start: u64,
        /// Value in the node.
        stored: u64,
        /// Value by recomputation.
        computed: u64,
    },
    /// A red-black rule is broken.
    #[error("red-black rule broken at 0x{start:016x}: {rule}")]
    RedBlack {
        /// Start of the node.
        start: u64,
        /// The rule.
        rule: &'static str,
    },
    /// The list does not thread the tree's nodes in ascending order.
    #[error("the list is out of step with the tree at 0x{start:016x}")]
    List {
        /// Start of the node.
        start: u64,
    },
    /// Two holes touch: they should have been merged.
    #[error("two holes touch at 0x{at:016x}")]
    Unmerged {
        /// Where they touch.
        at: u64,
    },
    /// Busy, lazy, pooled and free do not tile the space.
    #[error("the space is not tiled at 0x{at:016x}: {what}")]
    Tiling {
        /// Where.
        at: u64,
        /// Gap or overlap.
        what: &'static str,
    },
    /// A counter differs from what it counts.
    #[error("{name} is {stored}, counted {counted}")]
    Counter {
        /// Its name.
        name: &'static str,
        /// Stored value.
        stored: u64,
        /// Value by counting.
        counted: u64,
    },
}

/// Checks shape, colours, list and augmented values of a tree.
///
/// # Errors
/// Names the first rule that does not hold.
pub fn check_tree(view: TreeView<'_>) -> Result<(), Broken> {
    let TreeView { areas, tree, augmented } = view;
    if tree.root != NIL && !areas[tree.root].is_black() {
        return Err(Broken::RedBlack { start: areas[tree.root].start, rule: "the root is black" });
    }
    let mut in_order = Vec::new();
    check_below(areas, tree.root, augmented, &mut in_order)?;
    check_list(areas, &tree, &in_order)
}

/// Answers the black height. Depth is bounded by twice the logarithm of the tree's size as long as the colour rules
/// hold, and the first breach ends the descent.
fn check_below(areas: &Areas, id: AreaId, augmented: bool, in_order: &mut Vec<AreaId>) -> Result<u32, Broken> {
    if id == NIL {
        return Ok(0);
    }
    let area = &areas[id];
    let start = area.start;
    for child in area.child {
        if child != NIL && areas[child].parent() != id {
            return Err(Broken::RedBlack { start, rule: "a child knows its parent" });
        }
        if child != NIL && !area.is_black() && !areas[child].is_black() {
            return Err(Broken::RedBlack { start, rule: "a red node has black children" });
        }
    }
    let left = check_below(areas, area.child[LEFT], augmented, in_order)?;
    in_order.push(id);
    let right = check_below(areas, area.child[RIGHT], augmented, in_order)?;
    if left != right {
        return Err(Broken::RedBlack { start, rule: "all paths have the same number of black nodes" });
    }
    for side in [LEFT, RIGHT] {
        // By recursion each child's own value is right, and so what it should be here.
        let (stored, computed) = (area.max[side], areas.max_of_child(area.child[side]));
        if augmented && stored != computed {
            return Err(Broken::SubtreeMax { start, stored, computed });
        }
    }
    Ok(left + u32::from(area.is_black()))
}

fn check_list(areas: &Areas, tree: &Tree, in_order: &[AreaId]) -> Result<(), Broken> {
    let mut id = tree.first;
    let mut previous = NIL;
    for &expected in in_order {
        let start = areas[expected].start;
        if id != expected || areas[id].prev != previous || areas[id].start >= areas[id].end {
            return Err(Broken::List { start });
        }
        if previous != NIL && areas[previous].end > start {
            return Err(Broken::List { start });
        }
        previous = id;
        id = areas[id].next;
    }
    if id != NIL || tree.last != previous {
        return Err(Broken::List { start: areas[previous].start });
    }
    compare("tree length", u64::from(tree.len), in_order.len() as u64)
}

/// Compares a counter with what it counts.
///
/// # Errors
/// They differ.
pub fn compare(name: &'static str, stored: u64, counted: u64) -> Result<(), Broken> {
    if stored == counted { Ok(()) } else { Err(Broken::Counter { name, stored, counted }) }
}
