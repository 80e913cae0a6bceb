//! [`BusyTree`] as an [`Allocator`]: each call goes to the method that does it, with the caller's steps or with none.

use std::fmt::Write;

use crate::log::Window;
use crate::model::audit::Broken;
use crate::model::{
    Allocator, AreaId, Areas, CachedHole, Extent, Freed, Gauges, HelperOrder, Metrics, Owner, Place, Placement,
    PurgeKind, Purged, Refusal, Request, Steps, TreeId, TreeView, UnknownArea, VmapArea,
};

use super::BusyTree;

impl Allocator for BusyTree {
    fn place(&self, request: &Request, steps: Option<&mut Steps>) -> Result<Placement, Refusal> {
        with_steps!(steps, sink => self.place_with(request, sink))
    }

    fn settle(
        &mut self,
        request: &Request,
        answer: Result<Placement, Refusal>,
        born: u32,
        steps: Option<&mut Steps>,
    ) -> Option<Extent> {
        with_steps!(steps, sink => self.settle_with(request, answer, born, sink))
    }

    fn adopt(&mut self, extent: Extent, _owner: Owner, born: u32, steps: Option<&mut Steps>) -> u32 {
        with_steps!(steps, sink => self.adopt_with(extent, born, sink))
    }

    fn free(&mut self, addr: u64, steps: Option<&mut Steps>) -> Result<Freed, UnknownArea> {
        with_steps!(steps, sink => self.free_with(addr, sink))
    }

    fn purge(&mut self, kind: PurgeKind, _helpers: HelperOrder, steps: Option<&mut Steps>) -> Purged {
        with_steps!(steps, sink => self.purge_with(kind, sink))
    }

    fn carve_groups(&mut self, groups: &[(u64, u64)], align: u64, steps: Option<&mut Steps>) -> Option<Vec<Extent>> {
        with_steps!(steps, sink => self.carve_chunks(groups, align, sink))
    }

    fn lazy_max_pages(&self) -> u64 {
        self.lazy_max_pages
    }

    fn lazy_pages(&self) -> u64 {
        self.lazy_pages
    }

    fn window(&self) -> Window {
        self.window
    }

    fn page_size(&self) -> u64 {
        self.page_size
    }

    fn areas(&self) -> &Areas {
        &self.areas
    }

    fn areas_mut(&mut self) -> &mut Areas {
        &mut self.areas
    }

    fn tree(&self, id: TreeId) -> Option<TreeView<'_>> {
        (id == TreeId::Busy(0)).then(|| self.view())
    }

    fn visit_holes(&self, visit: &mut dyn FnMut(Extent)) {
        self.gaps.each(&self.areas, &self.tree, visit);
    }

    fn visit_busy(&self, node: u32, visit: &mut dyn FnMut(&VmapArea)) {
        if node == 0 {
            self.view().ascending().filter(|(_, area)| !area.lazy).for_each(|(_, area)| visit(area));
        }
    }

    fn visit_lazy(&self, node: u32, visit: &mut dyn FnMut(&VmapArea)) {
        if node == 0 {
            self.each_lazy(visit);
        }
    }

    fn busy_bytes(&self) -> u64 {
        self.busy_bytes
    }

    fn free_bytes(&self) -> u64 {
        self.gaps.free_bytes()
    }

    fn n_holes(&self) -> u32 {
        self.gaps.count()
    }

    fn busy_overlapping(&self, extent: Extent) -> Vec<Extent> {
        let all = self.areas.overlapping(&self.tree, extent);
        all.filter(|&(id, _)| !self.areas[id].lazy).map(|(_, range)| range).collect()
    }

    fn lookup(&self, addr: u64) -> Place {
        self.lookup_addr(addr)
    }

    fn cached_hole(&self) -> Option<CachedHole> {
        let super::CachedHole { area, hole, vstart, align } = self.cached;
        self.rules.cached_hole.then(|| CachedHole { behind: self.areas.extent(area), hole, vstart, align })
    }

    fn metrics(&self) -> Metrics {
        self.count_metrics()
    }

    fn gauges(&self) -> Gauges {
        self.read_gauges()
    }

    fn largest_hole(&self) -> u64 {
        self.gaps.largest()
    }

    fn dump(&self, free_only: bool, out: &mut dyn Write) -> std::fmt::Result {
        self.write_dump(free_only, out)
    }

    fn audit(&self) -> Result<(), Broken> {
        self.audit_all()
    }

    fn heap_bytes(&self) -> u64 {
        self.areas.heap_bytes() + (self.lazy.capacity() * size_of::<AreaId>()) as u64
    }

    fn boxed_clone(&self) -> Box<dyn Allocator> {
        Box::new(self.clone())
    }
}
