//! What lies in a part of the address space: bytes by state, the largest hole, who holds most.

use std::collections::HashMap;

use super::focus::{first_above, is_per_cpu};
use super::script::is_script;
use super::usage::usage_of;
use super::{Scene, text};
use crate::event::Seq;
use crate::log::Window;
use crate::model::search::largest_hole_in;
use crate::model::{AddressSpace, Extent, NIL, Tree, TreeId, VmapArea};

/// Areas looked at for the holders; more would cost more than a frame.
const MAX_HELD: usize = 50_000;

/// Calls `visit` with the areas of a tree that reach into `[start, end)`.
pub(crate) fn each_in(space: &AddressSpace, tree: &Tree, start: u64, end: u64, mut visit: impl FnMut(&VmapArea)) {
    let areas = space.allocator().areas();
    let mut id = first_above(areas, tree, start);
    while id != NIL && areas[id].start < end {
        visit(&areas[id]);
        id = areas[id].next;
    }
}

/// Calls `visit` with what reaches into `[start, end)` of the areas in use, and of the eras that keep them in the same
/// tree of the lazily freed ones, which say so themselves.
pub(crate) fn each_busy(space: &AddressSpace, start: u64, end: u64, mut visit: impl FnMut(&VmapArea)) {
    let allocator = space.allocator();
    for node in 0..allocator.n_nodes() {
        match allocator.tree(TreeId::Busy(node)) {
            Some(busy) => each_in(space, &busy.tree, start, end, &mut visit),
            None => allocator.visit_busy(node, &mut |area| {
                if area.start < end && start < area.end {
                    visit(area);
                }
            }),
        }
    }
}

/// Calls `visit` with the holes that reach into `[start, end)`, ascending.
pub(crate) fn each_hole(space: &AddressSpace, start: u64, end: u64, mut visit: impl FnMut(Extent)) {
    let allocator = space.allocator();
    match allocator.tree(TreeId::Free) {
        Some(free) => each_in(space, &free.tree, start, end, |hole| {
            if let Some(hole) = Extent::new(hole.start, hole.end) {
                visit(hole);
            }
        }),
        None => allocator.visit_holes(&mut |hole| {
            if hole.start() < end && start < hole.end() {
                visit(hole);
            }
        }),
    }
}

/// The largest hole inside a window, in bytes.
pub(crate) fn largest_hole(space: &AddressSpace, window: Window) -> u64 {
    let allocator = space.allocator();
    match (allocator.tree(TreeId::Free), Extent::new(window.vstart, window.vend)) {
        (Some(free), _) => largest_hole_in(free.areas, &free.tree, window.vstart, window.vend),
        (None, Some(window)) => {
            let mut largest = 0;
            each_hole(space, window.start(), window.end(), |hole| {
                largest = largest.max(hole.intersection(window).map_or(0, Extent::len_bytes));
            });
            largest
        }
        (None, None) => 0,
    }
}

/// Does the era keep lazily freed areas in no order, so that they are told by what they are not?
pub(crate) fn is_lazy_the_rest(space: &AddressSpace) -> bool {
    let allocator = space.allocator();
    allocator.tree(TreeId::Lazy(0)).is_none() && allocator.tree(TreeId::Free).is_some()
}

/// Bytes by state; of areas and holes at the edges the part inside.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Within {
    /// Areas in use.
    pub(crate) areas: u64,
    /// Bytes in use.
    pub(crate) busy: u64,
    /// Bytes freed, not purged.
    pub(crate) lazy: u64,
    /// Bytes parked in pools.
    pub(crate) pooled: u64,
    /// Holes.
    pub(crate) holes: u64,
    /// Bytes of holes.
    pub(crate) free: u64,
    /// The largest hole, as far as it lies inside.
    pub(crate) largest: Option<Extent>,
}

/// Adds up what lies in `part`.
pub(crate) fn within(space: &AddressSpace, part: Extent) -> Within {
    let allocator = space.allocator();
    let (start, end) = (part.start(), part.end());
    let inside = |area: &VmapArea| Extent::new(area.start.max(start), area.end.min(end));
    let bytes = |area: &VmapArea| inside(area).map_or(0, Extent::len_bytes);
    let mut sums = Within::default();
    each_busy(space, start, end, |area| {
        if area.lazy {
            sums.lazy += bytes(area);
        } else {
            sums.areas += 1;
            sums.busy += bytes(area);
        }
    });
    for node in 0..allocator.n_nodes() {
        if let Some(lazy) = allocator.tree(TreeId::Lazy(node)) {
            each_in(space, &lazy.tree, start, end, |area| sums.lazy += bytes(area));
        }
    }
    allocator.visit_pools(&mut |_, area| sums.pooled += bytes(area));
    each_hole(space, start, end, |hole| {
        let Some(hole) = hole.intersection(part) else { return };
        sums.holes += 1;
        sums.free += hole.len_bytes();
        let larger = |hole: &Extent| sums.largest.is_none_or(|known| known.len_bytes() < hole.len_bytes());
        sums.largest = Some(hole).filter(larger).or(sums.largest);
    });
    // From 5.2 to 5.10 the lazy store is an unordered list: what is neither busy nor free is lazy.
    if is_lazy_the_rest(space) {
        sums.lazy = part.len_bytes().saturating_sub(sums.busy + sums.pooled + sums.free);
    }
    sums
}

/// Who holds areas in a part, and how much.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    /// The caller, where a stack or a snapshot names one, else the task that allocated them.
    pub(crate) name: String,
    /// Bytes.
    pub(crate) bytes: u64,
    /// Areas.
    pub(crate) areas: u64,
}

/// The holders of areas in `part`, most bytes first. Tasks of one name count as one.
pub(crate) fn holders(scene: &Scene<'_>, space: &AddressSpace, part: Extent) -> Vec<Holder> {
    let log = scene.replay.log();
    let usages = scene.replay.usages();
    let mut held: HashMap<String, Holder> = HashMap::new();
    let mut left = MAX_HELD;
    each_busy(space, part.start(), part.end(), |area| {
        if left == 0 || area.lazy {
            return;
        }
        left -= 1;
        let born = log.get(Seq(area.born)).filter(|_| area.born != VmapArea::UNBORN);
        let caller = || usages.caller_name(usage_of(scene, area)?.caller);
        let name = match (born, caller()) {
            (Some(_), _) if is_script(log) => "this script".to_owned(),
            (None, _) if is_script(log) => "early areas".to_owned(),
            (_, Some(caller)) => caller.to_owned(),
            (Some(event), None) => text::holder(log.names.task(event.task)),
            (None, _) if is_per_cpu(scene, space, area) => "per-CPU chunks".to_owned(),
            (None, _) => "older than the trace".to_owned(),
        };
        let bytes = area.end.min(part.end()) - area.start.max(part.start());
        let holder = held.entry(name.clone()).or_insert(Holder { name, bytes: 0, areas: 0 });
        holder.bytes += bytes;
        holder.areas += 1;
    });
    let mut holders: Vec<Holder> = held.into_values().collect();
    holders.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    holders
}
