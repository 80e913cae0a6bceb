//! How the model's last state compares with what the kernel itself said at the end.

use std::collections::BTreeSet;

use parsers::allocator_state::{AllocatorState, TreeLine};

use crate::log::Standing;
use crate::model::{AddressSpace, NIL, TreeId, TreeView, VmapArea};

/// `vmallocinfo.after` against the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AfterCheck {
    /// Rows of the snapshot, lazily freed ones included.
    pub areas_recorded: usize,
    /// Areas of the model, lazily freed ones included.
    pub areas_model: usize,
    /// In the snapshot, not in the model.
    pub missing: usize,
    /// In the model, not in the snapshot.
    pub extra: usize,
}

/// `allocator-state.after` against the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateCheck {
    /// Same holes, one by one.
    pub free_equal: bool,
    /// Holes of the kernel.
    pub free_recorded: usize,
    /// Holes of the model.
    pub free_model: usize,
    /// Same pools, in the same order.
    pub pools_equal: bool,
    /// Same lazily freed ranges by node.
    pub lazy_equal: bool,
    /// Same areas in use by node.
    pub busy_equal: bool,
    /// The free tree has the same shape, colours and `subtree_max_size`; `None` where the capture does not show it.
    pub tree_equal: Option<bool>,
}

/// Compares with a snapshot as it stands at the end of its read ([`crate::log::Log::settled`]). Lazy areas that touch count
/// as one: from 5.10 to 6.8 the kernel joins them, and whether that had happened when a row was read is not to be seen.
pub fn check_after(space: &AddressSpace, after: &[Standing]) -> AfterCheck {
    let allocator = space.allocator();
    let mut model = Vec::new();
    for node in 0..allocator.n_nodes() {
        let mut add = |area: &VmapArea, is_lazy| model.push(Standing { start: area.start, end: area.end, is_lazy });
        allocator.visit_busy(node, &mut |area| add(area, false));
        allocator.visit_lazy(node, &mut |area| add(area, true));
    }
    let (recorded, modelled) = (joined(after), joined(&model));
    AfterCheck {
        areas_recorded: after.len(),
        areas_model: model.len(),
        missing: recorded.difference(&modelled).count(),
        extra: modelled.difference(&recorded).count(),
    }
}

/// Areas by their bounds, lazy ones that touch as one.
fn joined(areas: &[Standing]) -> BTreeSet<(u64, u64)> {
    let mut lazy: Vec<(u64, u64)> =
        areas.iter().filter(|area| area.is_lazy).map(|area| (area.start, area.end)).collect();
    lazy.sort_unstable();
    lazy.dedup_by(|next, before| {
        let touches = next.0 == before.1;
        before.1 = if touches { next.1 } else { before.1 };
        touches
    });
    let busy = areas.iter().filter(|area| !area.is_lazy).map(|area| (area.start, area.end));
    busy.chain(lazy).collect()
}

/// Compares with the kernel's own state.
pub fn check_state(space: &AddressSpace, truth: &AllocatorState) -> StateCheck {
    let allocator = space.allocator();
    let mut free: Vec<(u64, u64)> = Vec::new();
    allocator.visit_holes(&mut |hole| free.push((hole.start(), hole.end())));
    let mut truth_free = truth.free.clone();
    truth_free.sort_unstable();
    let mut busy = BTreeSet::new();
    let mut lazy = BTreeSet::new();
    for node in 0..allocator.n_nodes() {
        allocator.visit_busy(node, &mut |area| {
            busy.insert((node, area.start, area.end));
        });
        allocator.visit_lazy(node, &mut |area| {
            lazy.insert((node, area.start, area.end));
        });
    }
    let mut pools: Vec<(u32, u64, u64)> = Vec::new();
    allocator.visit_pools(&mut |node, area| pools.push((node, area.len_bytes() / allocator.page_size(), area.start)));
    let owned = |list: &[parsers::allocator_state::Owned]| -> BTreeSet<(u32, u64, u64)> {
        list.iter().map(|area| (area.node.unwrap_or(0), area.start, area.end)).collect()
    };
    StateCheck {
        free_equal: free == truth_free,
        free_recorded: truth_free.len(),
        free_model: free.len(),
        pools_equal: pools == truth_pools(truth),
        lazy_equal: lazy == owned(&truth.lazy),
        busy_equal: busy == owned(&truth.busy),
        tree_equal: (!truth.tree.is_empty())
            .then(|| allocator.tree(TreeId::Free).is_some_and(|view| preorder(view) == truth.tree)),
    }
}

/// The nodes of a tree as the kernel's own state lists them: node, left subtree, right subtree.
fn preorder(view: TreeView<'_>) -> Vec<TreeLine> {
    let mut lines = Vec::with_capacity(view.tree.len as usize);
    let mut stack = vec![(view.tree.root, 0)];
    while let Some((id, depth)) = stack.pop() {
        if id == NIL {
            continue;
        }
        let area = &view.areas[id];
        let VmapArea { start, end, .. } = *area;
        lines.push(TreeLine { depth, black: area.is_black(), start, end, subtree_max: area.subtree_max() });
        let [left, right] = area.child;
        stack.extend([(right, depth + 1), (left, depth + 1)]);
    }
    lines
}

fn truth_pools(truth: &AllocatorState) -> Vec<(u32, u64, u64)> {
    let mut pools: Vec<_> = truth.pools.iter().filter(|pool| !pool.areas.is_empty()).collect();
    pools.sort_by_key(|pool| (pool.node, pool.pages));
    pools
        .into_iter()
        .flat_map(|pool| pool.areas.iter().map(|&(start, _)| (pool.node, u64::from(pool.pages), start)))
        .collect()
}
