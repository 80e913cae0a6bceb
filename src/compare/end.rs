//! [`End`]: the last state of a lane in numbers.

use super::score::Score;
use crate::model::rbtree::TreeId;
use crate::model::{AddressSpace, Allocator, NIL};
use crate::replay::Machine;

/// What is asked of the last state, because it takes a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Counts and sums.
    pub metrics: crate::model::Metrics,
    /// Page tables that areas of the trace have needed.
    pub tables: u64,
    /// Nodes on the longest way down the tree that is searched; `None` without a tree.
    pub tree_depth: Option<u64>,
    /// Highest address that a request or an older area below the middle of the window has had, less `vstart`.
    pub footprint: u64,
    /// Requests that have an area in this lane and none in the trace.
    pub served_more: u64,
    /// A hash of the whole state.
    pub digest: u64,
}

/// The end of the highest area in use below the middle of the window: what lies above are per-CPU chunks.
pub(super) fn highest_at_start(space: &AddressSpace, machine: &Machine) -> u64 {
    let middle = machine.window.vstart + machine.window.len_bytes() / 2;
    let areas = super::gather::in_use(space);
    let inside = areas.iter().filter(|area| machine.window.vstart <= area.start() && area.end() <= middle);
    inside.map(|area| area.end()).max().unwrap_or(0)
}

impl End {
    pub(super) fn of(space: &AddressSpace, score: &Score, machine: &Machine, served_more: u64) -> Self {
        Self {
            metrics: space.allocator().metrics(),
            tables: space.n_tables(),
            tree_depth: tree_depth(space.allocator()),
            footprint: score.highest.saturating_sub(machine.window.vstart),
            served_more,
            digest: space.digest(),
        }
    }
}

/// Nodes on the longest way down from the root of the free tree, or where there is none of the deepest tree of areas;
/// `None` in policies without a tree.
fn tree_depth(allocator: &dyn Allocator) -> Option<u64> {
    let ids = || std::iter::once(TreeId::Free).chain((0..allocator.n_nodes()).map(TreeId::Busy));
    let tree = ids().find_map(|id| allocator.tree(id))?;
    let mut deepest = 0;
    let mut open = vec![(tree.tree.root, 1)];
    while let Some((id, depth)) = open.pop() {
        if id != NIL {
            deepest = deepest.max(depth);
            open.extend(tree.areas[id].child.map(|child| (child, depth + 1)));
        }
    }
    Some(deepest)
}
