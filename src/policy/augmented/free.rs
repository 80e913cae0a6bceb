//! Freeing, purging, draining, and forcing a recorded address into the state.

use crate::model::{
    AreaId, At, Extent, Freed, HelperOrder, Kind, Merge, NIL, Owner, PurgeKind, Purged, Sink, Step, Tree, TreeId,
    UnknownArea, VmapArea,
};

use super::super::rules::{Drain, LazyStore, LookupOrder};
use super::Augmented;
use super::purge::PurgePhase;

impl Augmented {
    /// `find_unlink_vmap_area` and `free_vmap_area_noflush`.
    #[inline(always)]
    pub(super) fn free_with<S: Sink>(&mut self, addr: u64, sink: &mut S) -> Result<Freed, UnknownArea> {
        let (node, id) = match self.areas.starting_at(addr, Kind::Busy) {
            NIL => self.find_busy(addr).ok_or(UnknownArea { addr })?,
            id => (self.node_of(addr), id),
        };
        let VmapArea { owner, born, .. } = self.areas[id];
        let extent = self.areas.extent(id).ok_or(UnknownArea { addr })?;
        sink.step(|| Step::BusyRemoved { node, extent });
        self.erase_busy(node, id, sink);
        self.busy_areas -= 1;
        self.busy_bytes -= extent.len_bytes();
        self.lazy_pages += extent.len_bytes() >> self.page_shift;
        let target = match owner {
            0 => self.node_of(extent.start()),
            owner => owner - 1,
        };
        let merge = if self.is_bulk && !S::WANTED && self.rules.lazy != LazyStore::Stack {
            self.nodes[target as usize].queued.push((extent.start(), id));
            Merge::None
        } else {
            self.join_lazy(target, id, sink)
        };
        let (nr_lazy, lazy_max_pages) = (self.lazy_pages, self.lazy_max_pages);
        sink.step(|| Step::LazyAdded { node: target, extent, merge, lazy_pages: nr_lazy, lazy_max_pages });
        let above = nr_lazy > lazy_max_pages;
        let inline = self.rules.drain == Drain::Inline;
        let drain_due = above && !self.drain_pending;
        if above {
            sink.step(|| Step::DrainDue { lazy_pages: nr_lazy, lazy_max_pages, inline });
            self.drain_pending = !inline;
        }
        Ok(Freed { extent, born, nr_lazy, drain_due })
    }

    /// Takes an area out of its busy tree.
    #[inline(always)]
    fn erase_busy<S: Sink>(&mut self, node: u32, id: AreaId, sink: &mut S) {
        let busy = &mut self.nodes[node as usize].busy;
        self.areas.erase::<false, S>(busy, id, &mut At { tree: TreeId::Busy(node), sink });
    }

    /// What was freed in a bulk run and has not been purged joins its lazy store, in the order of the frees.
    pub(super) fn catch_up(&mut self) {
        for node in 0..self.nodes.len() {
            let mut queued = std::mem::take(&mut self.nodes[node].queued);
            for (_, id) in queued.drain(..) {
                self.join_lazy(node as u32, id, &mut ());
            }
            self.nodes[node].queued = queued;
        }
    }

    /// The busy area that contains an address: first in the node of the address, then in the others in turn.
    pub(super) fn find_busy(&self, addr: u64) -> Option<(u32, AreaId)> {
        let n = self.nodes.len() as u32;
        let first = self.node_of(addr);
        (0..n).find_map(|k| {
            let node = match self.rules.lookup {
                LookupOrder::Upwards => (first + k) % n,
                LookupOrder::Downwards => (first + n - k) % n,
            };
            let id = self.areas.find_containing(&self.nodes[node as usize].busy, addr);
            (id != NIL).then_some((node, id))
        })
    }

    pub(super) fn join_lazy<S: Sink>(&mut self, node: u32, id: AreaId, sink: &mut S) -> Merge {
        let to = &mut At { tree: TreeId::Lazy(node), sink };
        let lazy = &mut self.nodes[node as usize].lazy;
        match self.rules.lazy {
            // The policies of the others have allocators of their own.
            LazyStore::Nowhere | LazyStore::InPlace | LazyStore::Ascending | LazyStore::Stack => {
                self.areas[id].prev = NIL;
                self.areas[id].next = lazy.first;
                if lazy.first == NIL {
                    lazy.last = id;
                } else {
                    self.areas[lazy.first].prev = id;
                }
                lazy.first = id;
                lazy.len += 1;
                Merge::None
            }
            LazyStore::MergingTree => {
                self.areas.merge_or_add::<false, S>(lazy, id, to).map_or(Merge::None, |joined| joined.1)
            }
            LazyStore::PerNode => {
                if let Some(link) = self.areas.find_link(lazy, self.areas[id].start, self.areas[id].end) {
                    self.areas.insert::<false, S>(lazy, id, link, to);
                }
                Merge::None
            }
        }
    }

    /// `drain_vmap_area_work`.
    pub(super) fn drain_with<S: Sink>(&mut self, helpers: HelperOrder, sink: &mut S) -> Vec<Purged> {
        let mut purges = Vec::new();
        if !std::mem::take(&mut self.drain_pending) {
            return purges;
        }
        loop {
            purges.push(self.purge_with(PurgeKind::Partial, helpers, sink));
            if self.rules.drain != Drain::WorkLoop || self.lazy_pages <= self.lazy_max_pages {
                return purges;
            }
        }
    }

    /// Makes `extent` busy: whatever overlaps it is dropped, its rest becomes free, then the range is cut out.
    pub(super) fn adopt_with<S: Sink>(&mut self, extent: Extent, owner: Owner, born: u32, sink: &mut S) -> u32 {
        // The ranges tile the space: what lies wholly in one hole overlaps nothing else.
        let hole = match self.areas.starting_at(extent.start(), Kind::Free) {
            NIL => self.areas.find_containing(&self.free, extent.start()),
            hole => hole,
        };
        let is_free = self.areas.extent(hole).is_some_and(|hole| hole.contains(extent));
        let is_carved = is_free && self.carve(hole, extent, sink).is_some();
        let displaced = if is_carved { 0 } else { self.evict(extent, sink) };
        while !is_carved && let Some(hole) = self.overlapping(&self.free, extent) {
            let Some(piece) = self.areas.extent(hole).and_then(|range| range.intersection(extent)) else { break };
            if self.carve(hole, piece, sink).is_none() {
                break;
            }
        }
        sink.step(|| Step::Adopted { extent });
        let code = match owner {
            Owner::Node(node) if self.nodes.len() > 1 => node % self.nodes.len() as u32 + 1,
            _ => 0,
        };
        self.add_busy(extent, code, born, sink);
        displaced
    }

    /// Makes everything free that overlaps `extent`; answers how many areas in use that were.
    fn evict<S: Sink>(&mut self, extent: Extent, sink: &mut S) -> u32 {
        let mut displaced = 0;
        for node in 0..self.nodes.len() {
            while let Some(id) = self.overlapping(&self.nodes[node].busy, extent) {
                self.erase_busy(node as u32, id, sink);
                self.busy_areas -= 1;
                self.busy_bytes -= self.areas[id].len_bytes();
                displaced += 1;
                self.give_back(id, sink);
            }
            while let Some(id) = self.overlapping_lazy(node, extent, sink) {
                self.lazy_pages = self.lazy_pages.saturating_sub(self.areas[id].len_bytes() / self.page_size);
                self.give_back(id, sink);
            }
            self.evict_in_hand(node, extent, sink);
        }
        for (node, id) in self.pooled_overlapping(extent) {
            self.leave_pool(node, id);
            self.give_back(id, sink);
        }
        displaced
    }

    /// Any area of a tree that overlaps `extent`.
    fn overlapping(&self, tree: &Tree, extent: Extent) -> Option<AreaId> {
        let mut id = tree.root;
        while id != NIL {
            let area = &self.areas[id];
            let [left, right] = area.child;
            id = if extent.end() <= area.start {
                left
            } else if area.end <= extent.start() {
                right
            } else {
                return Some(id);
            };
        }
        None
    }

    /// Takes a lazy area that overlaps `extent` out of a node's store.
    fn overlapping_lazy<S: Sink>(&mut self, node: usize, extent: Extent, sink: &mut S) -> Option<AreaId> {
        if self.rules.lazy != LazyStore::Stack {
            let to = &mut At { tree: TreeId::Lazy(node as u32), sink };
            let state = &self.nodes[node];
            if let Some(id) = self.overlapping(&state.lazy, extent) {
                self.areas.erase::<false, S>(&mut self.nodes[node].lazy, id, to);
                return Some(id);
            }
            let PurgePhase::Detached(mut list) = state.phase else { return None };
            let id = self.overlapping(&list, extent)?;
            self.areas.erase::<false, S>(&mut list, id, to);
            self.nodes[node].phase = PurgePhase::Detached(list);
            return Some(id);
        }
        let lazy = &mut self.nodes[node].lazy;
        let mut id = lazy.first;
        while id != NIL && !self.areas.extent(id).is_some_and(|range| range.overlaps(extent)) {
            id = self.areas[id].next;
        }
        if id == NIL {
            return None;
        }
        let (prev, next) = (self.areas[id].prev, self.areas[id].next);
        match prev {
            NIL => lazy.first = next,
            _ => self.areas[prev].next = next,
        }
        match next {
            NIL => lazy.last = prev,
            _ => self.areas[next].prev = prev,
        }
        lazy.len -= 1;
        Some(id)
    }
}
