//! Freeing, purging, and forcing a recorded address into the state.

use crate::model::{AreaId, At, Extent, Freed, Merge, NIL, PurgeKind, Purged, Sink, Step, TreeId, UnknownArea};

use super::super::rules::{Lookup, PurgeOrder};
use super::BusyTree;

impl BusyTree {
    /// `remove_vm_area` and `free_vmap_area_noflush`: the area is flagged and stays where it is.
    pub(super) fn free_with<S: Sink>(&mut self, addr: u64, sink: &mut S) -> Result<Freed, UnknownArea> {
        let id = self.find_busy(addr).ok_or(UnknownArea { addr })?;
        let extent = self.areas.extent(id).ok_or(UnknownArea { addr })?;
        self.make_lazy(id, extent);
        let (lazy_pages, lazy_max_pages) = (self.lazy_pages, self.lazy_max_pages);
        sink.step(|| Step::LazyAdded { node: 0, extent, merge: Merge::None, lazy_pages, lazy_max_pages });
        let drain_due = lazy_pages > lazy_max_pages;
        if drain_due {
            sink.step(|| Step::DrainDue { lazy_pages, lazy_max_pages, inline: true });
        }
        Ok(Freed { extent, born: self.areas[id].born, nr_lazy: lazy_pages, drain_due })
    }

    /// The area in use that an address names.
    fn find_busy(&self, addr: u64) -> Option<AreaId> {
        let id = self.areas.find_containing(&self.tree, addr);
        let area = &self.areas[id];
        let is_named = self.rules.lookup == Lookup::Containing || area.start == addr;
        (id != NIL && is_named && !area.lazy).then_some(id)
    }

    pub(super) fn make_lazy(&mut self, id: AreaId, extent: Extent) {
        self.areas[id].lazy = true;
        self.lazy.push(id);
        self.lazy_pages += extent.len_bytes() / self.page_size;
        self.busy_areas -= 1;
        self.busy_bytes -= extent.len_bytes();
    }

    /// `__purge_vmap_area_lazy`: one flush, then the areas leave the tree one by one.
    pub(super) fn purge_with<S: Sink>(&mut self, kind: PurgeKind, sink: &mut S) -> Purged {
        let pages = self.lazy_pages;
        sink.step(|| Step::PurgeBegun { full: kind == PurgeKind::Full, lazy_pages: pages });
        let mut ids = std::mem::take(&mut self.lazy);
        match self.rules.purge_order {
            PurgeOrder::Ascending => ids.sort_unstable_by_key(|&id| self.areas[id].start),
            PurgeOrder::NewestFirst => ids.reverse(),
        }
        let low = ids.iter().map(|&id| self.areas[id].start).min();
        let flush = low.zip(ids.iter().map(|&id| self.areas[id].end).max());
        if let Some((start, end)) = flush {
            sink.step(|| Step::Flushed { start, end });
        }
        for &id in &ids {
            self.remove(id, sink);
        }
        let num_purged = ids.len() as u32;
        // The vector is kept for what is freed next.
        ids.clear();
        self.lazy = ids;
        self.lazy_pages = 0;
        sink.step(|| Step::PurgeEnded { n_areas: num_purged, lazy_pages: 0 });
        Purged { flush, num_purged, pages }
    }

    /// `__free_vmap_area`: the space can be given out again. If the area lies below the cached one, the search must
    /// not pass over it: the cache moves below it.
    fn remove<S: Sink>(&mut self, id: AreaId, sink: &mut S) {
        let Some(extent) = self.areas.extent(id) else { return };
        let (below, above) = (self.areas[id].prev, self.areas[id].next);
        let cache = self.cached.area;
        if cache != NIL {
            if extent.end() < self.cached.vstart {
                self.cached.area = NIL;
            } else if extent.start() <= self.areas[cache].start {
                self.cached.area = below;
            }
        }
        self.gaps.opening(&self.areas, id);
        let to = &mut At { tree: TreeId::Busy(0), sink };
        self.areas.erase::<false, S>(&mut self.tree, id, to);
        self.areas.remove(id);
        if self.window.vstart < extent.end() && extent.end() <= self.window.vend {
            self.pcpu_hole = self.pcpu_hole.max(extent.end());
        }
        sink.step(|| self.gaps.returned(&self.areas, (below, above), extent));
        if self.cached.area != cache {
            sink.step(|| Step::CacheMoved { to: self.areas.extent(self.cached.area) });
        }
    }

    /// Makes `extent` busy; whatever overlaps it leaves the tree. Answers how many areas in use that were. The cached
    /// hole stays: what a request that was placed elsewhere would have left there is not known.
    pub(super) fn adopt_with<S: Sink>(&mut self, extent: Extent, born: u32, sink: &mut S) -> u32 {
        let mut displaced = 0;
        loop {
            let id = self.areas.first_above(&self.tree, extent.start());
            let Some(range) = self.areas.extent(id).filter(|range| range.overlaps(extent)) else { break };
            if self.areas[id].lazy {
                self.lazy.retain(|&lazy| lazy != id);
                self.lazy_pages = self.lazy_pages.saturating_sub(range.len_bytes() / self.page_size);
            } else {
                self.busy_areas -= 1;
                self.busy_bytes -= range.len_bytes();
                displaced += 1;
                sink.step(|| Step::BusyRemoved { node: 0, extent: range });
            }
            self.remove(id, sink);
        }
        sink.step(|| Step::Adopted { extent });
        self.join(self.last_below(extent.start()), extent, born, sink);
        displaced
    }
}
