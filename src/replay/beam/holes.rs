//! [`Holes`]: the free tree alone, in the kernel's shape, without what an allocator has around it.

use std::cell::Cell;

use crate::log::Window;
use crate::model::search::{Wanted, align_up, find_lowest_match};
use crate::model::{AreaId, Areas, At, Extent, NIL, Request, Seedling, Tree, TreeId, TreeView};
use crate::policy::rules::Rules;

use super::mix;

/// Holes, with the shape of their tree.
#[derive(Debug, Clone, Default)]
pub(super) struct Holes {
    areas: Areas,
    tree: Tree,
    /// Of the shape; 0 after a change.
    hash: Cell<u64>,
}

impl Holes {
    /// A copy of a free tree, shape included.
    pub(super) fn of(view: &TreeView<'_>) -> Self {
        let mut nodes: Vec<Seedling> = Vec::new();
        let mut pending = vec![(view.tree.root, None)];
        while let Some((id, place)) = pending.pop() {
            let Some(extent) = view.areas.extent(id) else { continue };
            let area = view.areas.get(id);
            if let Some((parent, side)) = place {
                let at = nodes.len() as u32;
                let parent: &mut Seedling = &mut nodes[parent];
                parent.child[side] = Some(at);
            }
            let at = nodes.len();
            nodes.push(Seedling { extent, black: area.is_black(), child: [None; 2] });
            pending.push((area.child[1], Some((at, 1))));
            pending.push((area.child[0], Some((at, 0))));
        }
        let mut new = Self::default();
        new.tree = new.areas.plant(&nodes).unwrap_or_default();
        new
    }

    /// Where the tree would place a request: the hole, and the address in it.
    pub(super) fn find(&self, rules: &Rules, page_size: u64, request: &Request) -> Option<(AreaId, u64)> {
        let Request { size, align, window, .. } = *request;
        let length = rules.search_length(request, page_size).0;
        let wanted = Wanted { size, align, vstart: window.vstart, length, moves_vstart: rules.moves_vstart };
        let hole = find_lowest_match(&self.areas, &self.tree, &wanted, &mut ());
        if hole == NIL {
            return None;
        }
        let hole_start = self.areas[hole].start;
        let start = align_up(hole_start.max(window.vstart), align);
        let end = start.checked_add(size)?;
        (hole_start <= start && end <= window.vend).then_some((hole, start))
    }

    /// Cuts a range out of a hole that contains it.
    pub(super) fn carve(&mut self, hole: AreaId, range: Extent) {
        self.hash.set(0);
        self.areas.clip(&mut self.tree, hole, range, &mut At { tree: TreeId::Free, sink: &mut () });
    }

    /// Returns a range. One that overlaps a hole is dropped, as the kernel drops it.
    pub(super) fn give_back(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        self.hash.set(0);
        let id = self.areas.add(start, end);
        let to = &mut At { tree: TreeId::Free, sink: &mut () };
        if self.areas.merge_or_add::<true, ()>(&mut self.tree, id, to).is_err() {
            self.areas.remove(id);
        }
    }

    /// The hole at an address.
    pub(super) fn at(&self, addr: u64) -> Option<(AreaId, Extent)> {
        let id = self.areas.find_containing(&self.tree, addr);
        self.areas.extent(id).map(|extent| (id, extent))
    }

    /// Cuts whatever is free of a range out.
    pub(super) fn carve_all(&mut self, range: Extent) {
        loop {
            let lowest = self.areas.overlapping(&self.tree, range).next();
            let Some((id, part)) = lowest.and_then(|(id, hole)| Some((id, hole.intersection(range)?))) else { return };
            self.carve(id, part);
        }
    }

    /// Where a per-CPU chunk goes: as high as possible, ending at a multiple of its alignment.
    pub(super) fn chunk_place(&self, size: u64, align: u64, window: Window) -> Option<(AreaId, Extent)> {
        let vend = window.vend & !align.wrapping_sub(1);
        let mut id = self.tree.last;
        while id != NIL {
            let hole = &self.areas[id];
            let end = hole.end.min(vend) & !align.wrapping_sub(1);
            if let Some(start) = end.checked_sub(size).filter(|&start| start >= hole.start.max(window.vstart)) {
                return Extent::new(start, end).map(|extent| (id, extent));
            }
            id = hole.prev;
        }
        None
    }

    /// Equal for equal holes in equal trees.
    pub(super) fn hash(&self) -> u64 {
        if self.hash.get() == 0 {
            // Which nodes are whose children follows from the order and, in it, from who is above whom.
            let mut hash = 1;
            let mut id = self.tree.first;
            while id != NIL {
                let area = &self.areas[id];
                let shape = self.areas[area.parent()].start ^ u64::from(area.is_black());
                hash = mix(hash ^ area.start ^ mix(area.end ^ mix(shape)));
                id = area.next;
            }
            self.hash.set(hash | 1);
        }
        self.hash.get()
    }

    /// Memory held, in bytes.
    pub(super) fn heap_bytes(&self) -> u64 {
        self.areas.heap_bytes()
    }
}
