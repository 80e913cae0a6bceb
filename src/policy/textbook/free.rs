//! Freeing, purging, and forcing a recorded address into the state.

use crate::model::{
    AreaId, At, Extent, Freed, Merge, NIL, PurgeKind, Purged, Sink, Step, Tree, TreeId, UnknownArea, VmapArea,
};

use super::super::rules::Reuse;
use super::Textbook;
use super::placing::Placing;

impl<P: Placing> Textbook<P> {
    /// The area leaves what is in use: it waits for the purge, or can be given out at once.
    pub(super) fn free_with<S: Sink>(&mut self, addr: u64, sink: &mut S) -> Result<Freed, UnknownArea> {
        let id = self.ground.areas.find_containing(&self.busy, addr);
        let VmapArea { born, owner, .. } = self.ground.areas[id];
        let extent = self.drop_busy(id, sink).ok_or(UnknownArea { addr })?;
        if self.layers.reuse == Reuse::Immediate {
            self.give_back(extent, owner, sink);
            return Ok(Freed { extent, born, nr_lazy: 0, drain_due: false });
        }
        self.add_lazy(extent, born, owner);
        let (lazy_pages, lazy_max_pages) = (self.lazy_pages, self.lazy_max_pages);
        sink.step(|| Step::LazyAdded { node: 0, extent, merge: Merge::None, lazy_pages, lazy_max_pages });
        let drain_due = lazy_pages > lazy_max_pages;
        if drain_due {
            sink.step(|| Step::DrainDue { lazy_pages, lazy_max_pages, inline: true });
        }
        Ok(Freed { extent, born, nr_lazy: lazy_pages, drain_due })
    }

    fn drop_busy<S: Sink>(&mut self, id: AreaId, sink: &mut S) -> Option<Extent> {
        let extent = self.ground.areas.extent(id)?;
        sink.step(|| Step::BusyRemoved { node: 0, extent });
        let to = &mut At { tree: TreeId::Busy(0), sink: &mut () };
        self.ground.areas.erase::<false, ()>(&mut self.busy, id, to);
        self.ground.areas.remove(id);
        self.busy_bytes -= extent.len_bytes();
        Some(extent)
    }

    pub(super) fn add_lazy(&mut self, extent: Extent, born: u32, owner: u32) {
        let areas = &mut self.ground.areas;
        let Some(link) = areas.find_link(&self.lazy, extent.start(), extent.end()) else { return };
        let id = areas.add(extent.start(), extent.end());
        (areas[id].born, areas[id].owner, areas[id].lazy) = (born, owner, true);
        areas.insert::<false, ()>(&mut self.lazy, id, link, &mut At { tree: TreeId::Lazy(0), sink: &mut () });
        self.lazy_pages += extent.len_bytes() / self.ground.page_size;
    }

    fn drop_lazy(&mut self, id: AreaId) -> Option<Extent> {
        let extent = self.ground.areas.extent(id)?;
        let to = &mut At { tree: TreeId::Lazy(0), sink: &mut () };
        self.ground.areas.erase::<false, ()>(&mut self.lazy, id, to);
        self.ground.areas.remove(id);
        self.lazy_pages -= extent.len_bytes() / self.ground.page_size;
        Some(extent)
    }

    /// One flush, then everything lazy comes back in ascending order; a full purge empties the caches as well.
    pub(super) fn purge_with<S: Sink>(&mut self, kind: PurgeKind, sink: &mut S) -> Purged {
        let pages = self.lazy_pages;
        sink.step(|| Step::PurgeBegun { full: kind == PurgeKind::Full, lazy_pages: pages });
        let end_of = |id| self.ground.areas.extent(id).map(Extent::end);
        let first = self.ground.areas.extent(self.lazy.first).map(Extent::start);
        let flush = first.zip(end_of(self.lazy.last));
        if let Some((start, end)) = flush {
            sink.step(|| Step::Flushed { start, end });
        }
        let mut num_purged = 0;
        while self.lazy.first != NIL {
            let id = self.lazy.first;
            let owner = self.ground.areas[id].owner;
            let Some(extent) = self.drop_lazy(id) else { break };
            self.give_back(extent, owner, sink);
            num_purged += 1;
        }
        if kind == PurgeKind::Full {
            self.reap_with(sink);
        }
        sink.step(|| Step::PurgeEnded { n_areas: num_purged, lazy_pages: self.lazy_pages });
        Purged { flush, num_purged, pages }
    }

    /// Empties the caches; `None` if there are none.
    pub(super) fn reap_with<S: Sink>(&mut self, sink: &mut S) -> Option<u32> {
        let mut reaped = None;
        for arena in &mut self.arenas {
            if let Some(n) = arena.placing.reap(&mut self.ground, sink) {
                reaped = Some(reaped.unwrap_or(0) + n);
            }
        }
        if let Some(n_areas) = reaped.filter(|&n| n > 0) {
            sink.step(|| Step::Shrunk { n_areas });
        }
        reaped
    }

    /// Makes `extent` busy; areas that overlap it go, their rest becomes free. Answers how many of them were in use.
    pub(super) fn adopt_with<S: Sink>(&mut self, extent: Extent, owner: u32, born: u32, sink: &mut S) -> u32 {
        let mut displaced = 0;
        while let Some(id) = self.overlapping(&self.busy, extent) {
            let owner = self.ground.areas[id].owner;
            let Some(gone) = self.drop_busy(id, sink) else { break };
            self.give_back(gone, owner, sink);
            displaced += 1;
        }
        while let Some(id) = self.overlapping(&self.lazy, extent) {
            let owner = self.ground.areas[id].owner;
            let Some(gone) = self.drop_lazy(id) else { break };
            self.give_back(gone, owner, sink);
        }
        self.carve(extent);
        sink.step(|| Step::Adopted { extent });
        self.add_busy(extent, born, owner, sink);
        displaced
    }

    fn overlapping(&self, tree: &Tree, extent: Extent) -> Option<AreaId> {
        self.ground.areas.overlapping(tree, extent).next().map(|(id, _)| id)
    }
}
