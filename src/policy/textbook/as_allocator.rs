//! [`Textbook`] as an [`Allocator`]: each call goes to the method that does it, with the caller's steps or with none.

use std::fmt::Write;

use crate::log::Window;
use crate::model::audit::Broken;
use crate::model::search::largest_hole_in;
use crate::model::{
    Allocator, Areas, Extent, Freed, Gauges, HelperOrder, Metrics, Owner, Place, Placement, PurgeKind, Purged, Refusal,
    Request, Steps, TreeId, TreeView, UnknownArea, VmapArea,
};

use super::super::rules::Rule;
use super::Textbook;
use super::placing::Placing;

impl<P: Placing> Allocator for Textbook<P> {
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

    fn adopt(&mut self, extent: Extent, owner: Owner, born: u32, steps: Option<&mut Steps>) -> u32 {
        let owner = match owner {
            Owner::Node(cpu) => cpu.saturating_add(1),
            Owner::Nobody => 0,
        };
        with_steps!(steps, sink => self.adopt_with(extent, owner, born, sink))
    }

    fn free(&mut self, addr: u64, steps: Option<&mut Steps>) -> Result<Freed, UnknownArea> {
        with_steps!(steps, sink => self.free_with(addr, sink))
    }

    fn purge(&mut self, kind: PurgeKind, _helpers: HelperOrder, steps: Option<&mut Steps>) -> Purged {
        with_steps!(steps, sink => self.purge_with(kind, sink))
    }

    fn shrink(&mut self, steps: Option<&mut Steps>) -> Option<u32> {
        with_steps!(steps, sink => self.reap_with(sink))
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
        self.ground.window
    }

    fn page_size(&self) -> u64 {
        self.ground.page_size
    }

    fn has_pools(&self) -> bool {
        matches!(self.layers.rule, Rule::Vmem { cached_pages: 1.. })
    }

    fn areas(&self) -> &Areas {
        &self.ground.areas
    }

    fn areas_mut(&mut self) -> &mut Areas {
        &mut self.ground.areas
    }

    fn tree(&self, id: TreeId) -> Option<TreeView<'_>> {
        match id {
            TreeId::Free => Some(self.ground.free_view()),
            TreeId::Busy(0) => Some(self.view(self.busy)),
            TreeId::Lazy(0) => Some(self.view(self.lazy)),
            TreeId::Busy(_) | TreeId::Lazy(_) => None,
        }
    }

    fn visit_holes(&self, visit: &mut dyn FnMut(Extent)) {
        self.ground.holes().filter_map(|hole| self.shown(hole)).for_each(visit);
    }

    fn visit_pools(&self, visit: &mut dyn FnMut(u32, &VmapArea)) {
        for arena in &self.arenas {
            arena.placing.visit_cached(&self.ground, &mut |cpu, extent| {
                let (start, end) = (extent.start(), extent.end());
                visit(cpu, &VmapArea { start, end, owner: cpu + 1, ..VmapArea::default() });
            });
        }
    }

    fn visit_busy(&self, node: u32, visit: &mut dyn FnMut(&VmapArea)) {
        if node == 0 {
            self.view(self.busy).ascending().for_each(|(_, area)| visit(area));
        }
    }

    fn busy_overlapping(&self, extent: Extent) -> Vec<Extent> {
        self.ground.areas.overlapping(&self.busy, extent).map(|(_, range)| range).collect()
    }

    fn visit_lazy(&self, node: u32, visit: &mut dyn FnMut(&VmapArea)) {
        if node == 0 {
            self.view(self.lazy).ascending().for_each(|(_, area)| visit(area));
        }
    }

    fn busy_bytes(&self) -> u64 {
        self.busy_bytes
    }

    fn pooled_bytes(&self) -> u64 {
        self.ground.cached_bytes
    }

    fn free_bytes(&self) -> u64 {
        self.ground.free_bytes
    }

    fn n_holes(&self) -> u32 {
        self.ground.free.len - self.n_hidden()
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
        largest_hole_in(&self.ground.areas, &self.ground.free, self.ground.window.vstart, self.ground.window.vend)
    }

    fn dump(&self, free_only: bool, out: &mut dyn Write) -> std::fmt::Result {
        self.write_dump(free_only, out)
    }

    fn audit(&self) -> Result<(), Broken> {
        self.audit_all()
    }

    fn heap_bytes(&self) -> u64 {
        let arenas: u64 = self.arenas.iter().map(|arena| arena.placing.heap_bytes()).sum();
        self.ground.areas.heap_bytes() + arenas
    }

    fn boxed_clone(&self) -> Box<dyn Allocator> {
        Box::new(self.clone())
    }
}
