//! What is in the tables a walk passes: entries in use, areas that share a table.

use super::super::Scene;
use super::super::focus::{Kind, first_above, has_guard, is_per_cpu};
use super::super::within::each_busy;
use crate::model::page_table::WalkStep;
use crate::model::{Extent, NIL, TreeId, VmapArea};

/// Entries of one table that areas in use need.
pub(super) fn used_entries(scene: &Scene<'_>, step: &WalkStep) -> Vec<bool> {
    let space = scene.replay.space();
    let allocator = space.allocator();
    let (shift, n) = (step.level.shift, step.level.entries);
    let mut used = vec![false; n as usize];
    let index = |addr: u64| ((addr - step.table_start) >> shift) as usize;
    let last = step.table_start.saturating_add((n << shift.min(63)).wrapping_sub(1));
    // The top table of a 64-bit space covers more than 64 bits can count: then nothing lies behind it.
    let last = if last < step.table_start || u128::from(n) << shift > u128::from(u64::MAX) { u64::MAX } else { last };
    for node in 0..allocator.n_nodes() {
        let Some(busy) = allocator.tree(TreeId::Busy(node)) else {
            each_busy(space, step.table_start, last, |area| {
                let Some(extent) = Extent::new(area.start, area.end) else { return };
                let mapped = mapped_part(scene, Kind::Busy, area, extent);
                let low = mapped.start().max(step.table_start);
                let high = (mapped.end() - 1).min(last);
                if low <= high {
                    used[index(low)..=index(high)].fill(true);
                }
            });
            continue;
        };
        let mut from = step.table_start;
        loop {
            let id = first_above(busy.areas, &busy.tree, from);
            if id == NIL || last < busy.areas[id].start {
                break;
            }
            let area = &busy.areas[id];
            let Some(extent) = Extent::new(area.start, area.end) else { break };
            let kind = if is_per_cpu(scene, space, area) { Kind::PerCpu } else { Kind::Busy };
            let mapped = mapped_part(scene, kind, area, extent);
            let low = mapped.start().max(step.table_start);
            let high = (mapped.end() - 1).min(last);
            if low <= high {
                used[index(low)..=index(high)].fill(true);
            }
            // On to the first area that reaches beyond the entry just seen.
            let entry_end = (high.max(low) >> shift).checked_add(1).map(|entry| entry << shift);
            match entry_end {
                Some(next) if next > from => from = next.max(extent.end()),
                _ => break,
            }
        }
    }
    used
}

/// The part of an area that is mapped: all but its guard page.
pub(super) fn mapped_part(scene: &Scene<'_>, kind: Kind, area: &VmapArea, extent: Extent) -> Extent {
    let page = scene.replay.space().allocator().page_size();
    if !has_guard(scene, kind, area) {
        return extent;
    }
    Extent::new(extent.start(), extent.end() - page.min(extent.len_bytes())).unwrap_or(extent)
}

/// Areas in use that reach into `[start, end)`.
pub(super) fn areas_in(scene: &Scene<'_>, start: u64, end: u64) -> u64 {
    let mut n = 0;
    each_busy(scene.replay.space(), start, end, |area| n += u64::from(!area.lazy));
    n
}
