//! `find_vmap_lowest_match`: the lowest hole that fits, found through `subtree_max`.

use super::areas::{AreaId, Areas, LEFT, NIL, RIGHT, VmapArea};
use super::extent::Extent;
use super::rbtree::Tree;
use super::step::{Sink, Step, Turn};

/// What the search is looking for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Bytes of the area.
    pub size: u64,
    /// Alignment, a power of two.
    pub align: u64,
    /// Lowest address allowed.
    pub vstart: u64,
    /// Bytes a subtree must advertise to be entered: `size`, or `size + align - 1`.
    pub length: u64,
    /// Entering a right subtree from above moves `vstart` behind the node (5.17 and later), so that no subtree is
    /// entered twice.
    pub moves_vstart: bool,
}

/// Where `[.., size)` would start in a hole at or above `vstart`; `None` if it does not fit (`is_within_this_va`).
///
/// Arithmetic wraps as the kernel's `unsigned long` does, and a wrapped answer is no answer.
#[inline]
fn start_in(hole: &VmapArea, wanted: &Wanted, vstart: u64) -> Option<u64> {
    let from = hole.start.max(vstart);
    let start = align_up(from, wanted.align);
    let end = start.wrapping_add(wanted.size);
    (end >= start && start >= vstart && end <= hole.end).then_some(start)
}

/// `x` rounded up to a multiple of the power of two `align`, wrapping.
#[inline]
pub fn align_up(x: u64, align: u64) -> u64 {
    x.wrapping_add(align.wrapping_sub(1)) & !align.wrapping_sub(1)
}

/// The hole the kernel takes, or [`NIL`]. Knows nothing of `vend`: the caller compares.
///
/// As `find_vmap_lowest_match`, 5.2 to 7.3. With `length == size` this is the lowest hole that fits; with more it
/// depends on the shape of the tree, which is why the shape is kept.
#[inline(always)]
pub fn find_lowest_match<S: Sink>(areas: &Areas, tree: &Tree, wanted: &Wanted, sink: &mut S) -> AreaId {
    let mut id = tree.root;
    let mut vstart = wanted.vstart;
    while id != NIL {
        let hole = &areas[id];
        let [left, right] = hole.child;
        if hole.max[LEFT] >= wanted.length && vstart < hole.start {
            visited(sink, id, hole, Turn::Left);
            id = left;
            continue;
        }
        if start_in(hole, wanted, vstart).is_some() {
            visited(sink, id, hole, Turn::Fits);
            return id;
        }
        if hole.max[RIGHT] >= wanted.length {
            visited(sink, id, hole, Turn::Right);
            id = right;
            continue;
        }
        visited(sink, id, hole, Turn::Up);
        // Climb. From which side a node is reached does not matter: one reached from its right child is asked again.
        loop {
            id = areas[id].parent();
            if id == NIL {
                return NIL;
            }
            let hole = &areas[id];
            if start_in(hole, wanted, vstart).is_some() {
                visited(sink, id, hole, Turn::Fits);
                return id;
            }
            let right = hole.child[RIGHT];
            if hole.max[RIGHT] >= wanted.length && vstart <= hole.start {
                if wanted.moves_vstart {
                    // Behind the node, so that the subtree already searched is not entered again.
                    vstart = hole.start.wrapping_add(1);
                }
                visited(sink, id, hole, Turn::UpThenRight);
                id = right;
                break;
            }
            visited(sink, id, hole, Turn::Up);
        }
    }
    NIL
}

/// The largest hole inside `[start, end)`, clipped to it; 0 if there is none. Takes as long as the tree is deep: below
/// the node where the two bounds part, every subtree on their inner side lies inside, and `subtree_max` tells its
/// largest hole. Only the nodes on the two ways can reach over a bound.
pub fn largest_hole_in(areas: &Areas, tree: &Tree, start: u64, end: u64) -> u64 {
    let clipped = |hole: &VmapArea| hole.end.min(end).saturating_sub(hole.start.max(start));
    let mut best = 0;
    let mut split = tree.root;
    while split != NIL {
        let hole = &areas[split];
        best = best.max(clipped(hole));
        split = if hole.start < start {
            hole.child[RIGHT]
        } else if end <= hole.start {
            hole.child[LEFT]
        } else {
            break;
        };
    }
    if split == NIL {
        return best;
    }
    for (bound, inner, outer) in [(start, RIGHT, LEFT), (end, LEFT, RIGHT)] {
        let mut id = areas[split].child[outer];
        while id != NIL {
            let hole = &areas[id];
            best = best.max(clipped(hole));
            let is_inside = if outer == LEFT { bound <= hole.start } else { hole.start < bound };
            if is_inside {
                best = best.max(areas[hole.child[inner]].subtree_max());
                id = hole.child[outer];
            } else {
                id = hole.child[inner];
            }
        }
    }
    best
}

fn visited<S: Sink>(sink: &mut S, id: AreaId, hole: &VmapArea, turn: Turn) {
    sink.step(|| Step::Visited {
        hole: id,
        extent: Extent::new(hole.start, hole.end).expect("an area in a tree is never empty"),
        subtree_max: hole.subtree_max(),
        turn,
    });
}

const _: () = assert!(LEFT == 0 && RIGHT == 1, "child pairs destructure as [left, right]");
