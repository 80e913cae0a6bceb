//! The state a lane begins with, and what requests ask for in it.

use super::changes::{Changes, Guard};
use super::course::{Follows, Places};
use super::demands::{Demands, Id};
use super::gather::in_use;
use crate::model::{AddressSpace, Extent, Request};
use crate::policy::{self, Shape};
use crate::replay::{Machine, Replay};

/// What a lane begins with.
pub(super) struct Start {
    pub(super) space: AddressSpace,
    pub(super) places: Places,
    /// What requests ask for, by shape.
    pub(super) requests: Vec<Request>,
}

/// The state before the first record. A lane that follows the trace begins with the trace's own state. Any other begins with
/// the areas that were in use or lazy then, where they were, and with those that only come to light later: how its free
/// space would have come about is nobody's to know, so its tree is balanced and its pools are empty.
pub(super) fn start(
    replay: &Replay,
    demands: &Demands,
    machine: &Machine,
    changes: &Changes,
    follows: Follows,
) -> Start {
    let mut places = Places::new(demands.n_ids());
    let own = replay.plan().machine;
    if follows != Follows::Itself {
        let space = replay.start().without_memory();
        for id in 0..demands.n_start {
            places.place_at_start(id, demands.older(id).map_or(0, Extent::start));
        }
        return Start { space, places, requests: demands.shapes.clone() };
    }
    let mut areas: Vec<(Id, Extent)> = Vec::new();
    for &(id, extent) in &demands.older {
        let is_apart = id < demands.n_start || !areas.iter().any(|(_, other)| other.overlaps(extent));
        if is_apart {
            areas.push((id, extent));
        }
    }
    areas.sort_by_key(|(_, extent)| extent.start());
    let whole = whole_pages(&areas, own.page_size, machine.page_size);
    for &(id, extent) in &whole {
        places.place_at_start(id, extent.start());
    }
    let busy: Vec<Extent> = whole.iter().map(|&(_, extent)| extent).collect();
    debug_assert!(in_use(replay.start()).len() == demands.n_start as usize);
    let mut lazy = Vec::new();
    let allocator = replay.start().allocator();
    for node in 0..allocator.n_nodes() {
        allocator.visit_lazy(node, &mut |area| lazy.extend(Extent::new(area.start, area.end)));
    }
    let mut setup = machine.setup(Vec::new());
    setup.lazy_max_bytes = changes.lazy_max_bytes;
    let allocator = if lazy.is_empty() && (own.from_boot || demands.is_script) {
        setup.early = busy;
        policy::build(&setup)
    } else {
        lazy.retain(|extent| extent.start().is_multiple_of(machine.page_size));
        policy::from_snapshot(&setup, &busy, &lazy, Shape::default())
    };
    let requests = demands.shapes.iter().map(|request| changed(request, &own, machine, changes)).collect();
    Start { space: AddressSpace::new(allocator, machine.geometry), places, requests }
}

/// Areas as whole pages of another size, ascending. Where two would overlap, the lower one keeps the page; what nothing is
/// left of has no place.
fn whole_pages(areas: &[(Id, Extent)], old: u64, new: u64) -> Vec<(Id, Extent)> {
    if new <= old {
        return areas.to_vec();
    }
    let mut end = 0;
    let mut whole = Vec::with_capacity(areas.len());
    for &(id, extent) in areas {
        let start = (extent.start() & !(new - 1)).max(end);
        let top = extent.end().checked_next_multiple_of(new).unwrap_or(!(new - 1));
        if let Some(extent) = Extent::new(start, top) {
            end = top;
            whole.push((id, extent));
        }
    }
    whole
}

/// What a request asks for on the lane's machine.
fn changed(request: &Request, own: &Machine, machine: &Machine, changes: &Changes) -> Request {
    let window = if request.window == own.window { machine.window } else { request.window };
    let mut size = request.size;
    if machine.page_size != own.page_size && own.page_size < size {
        // One page of it is the guard.
        size = (size - own.page_size).next_multiple_of(machine.page_size).saturating_add(machine.page_size);
    } else if machine.page_size != own.page_size {
        size = size.next_multiple_of(machine.page_size);
    }
    let is_era = machine.policy.layers().is_none();
    if is_era && changes.guard == Some(Guard::None) && machine.page_size < size {
        size -= machine.page_size;
    }
    let align = if request.align <= own.page_size { 1 } else { request.align };
    let align = if machine.page_size == own.page_size { request.align } else { align };
    Request { size, align, window, ..*request }
}
