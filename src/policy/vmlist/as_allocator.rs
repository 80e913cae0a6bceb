//! [`VmList`] as an [`Allocator`]. There is no lazy store, no pool and no tree.

use std::fmt::Write;

use crate::log::Window;
use crate::model::audit::Broken;
use crate::model::{
    Allocator, Areas, Extent, Freed, Gauges, HelperOrder, Metrics, Owner, Place, Placement, PurgeKind, Purged, Refusal,
    Request, Steps, TreeId, TreeView, UnknownArea, VmapArea,
};

use super::VmList;

impl Allocator for VmList {
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

    fn purge(&mut self, _kind: PurgeKind, _helpers: HelperOrder, _steps: Option<&mut Steps>) -> Purged {
        Purged::default()
    }

    fn carve_groups(&mut self, _: &[(u64, u64)], _align: u64, _steps: Option<&mut Steps>) -> Option<Vec<Extent>> {
        None
    }

    fn lazy_max_pages(&self) -> u64 {
        0
    }

    fn lazy_pages(&self) -> u64 {
        0
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

    fn tree(&self, _id: TreeId) -> Option<TreeView<'_>> {
        None
    }

    fn visit_holes(&self, visit: &mut dyn FnMut(Extent)) {
        self.gaps.each(&self.areas, &self.list, visit);
    }

    fn visit_busy(&self, node: u32, visit: &mut dyn FnMut(&VmapArea)) {
        if node == 0 {
            self.each().for_each(|id| visit(&self.areas[id]));
        }
    }

    fn visit_lazy(&self, _node: u32, _visit: &mut dyn FnMut(&VmapArea)) {}

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
        let mut all = Vec::new();
        self.visit_busy(0, &mut |area| {
            all.extend(Extent::new(area.start, area.end).filter(|range| range.overlaps(extent)));
        });
        all
    }

    fn lookup(&self, addr: u64) -> Place {
        self.lookup_addr(addr)
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
        self.areas.heap_bytes()
    }

    fn boxed_clone(&self) -> Box<dyn Allocator> {
        Box::new(self.clone())
    }
}
