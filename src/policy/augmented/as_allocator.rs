//! [`Augmented`] as an [`Allocator`]: each call goes to the method that does it, with the caller's steps or with none.

use std::fmt::Write;

use crate::log::Window;
use crate::model::audit::Broken;
use crate::model::bulk::{self, Touched};
use crate::model::search::largest_hole_in;
use crate::model::{
    Allocator, Areas, Bulk, BulkOp, Extent, Freed, Gauges, HelperOrder, Metrics, NIL, Owner, Place, Placement,
    PurgeKind, PurgePart, Purged, Refusal, Request, Steps, TreeId, TreeView, UnknownArea, VmapArea,
};

use super::super::rules::{Drain, LazyStore};
use super::{Augmented, Node};

impl Allocator for Augmented {
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

    #[inline(always)]
    fn alloc(&mut self, request: &Request, born: u32, steps: Option<&mut Steps>) -> Result<Extent, Refusal> {
        with_steps!(steps, sink => self.alloc_with(request, born, sink))
    }

    fn run_bulk(&mut self, ops: &[BulkOp], bulk: &mut Bulk, touched: &mut Touched<'_>) {
        self.is_bulk = true;
        bulk::run(self, ops, bulk, touched);
        self.is_bulk = false;
        self.catch_up();
    }

    fn adopt(&mut self, extent: Extent, owner: Owner, born: u32, steps: Option<&mut Steps>) -> u32 {
        with_steps!(steps, sink => self.adopt_with(extent, owner, born, sink))
    }

    #[inline(always)]
    fn free(&mut self, addr: u64, steps: Option<&mut Steps>) -> Result<Freed, UnknownArea> {
        with_steps!(steps, sink => self.free_with(addr, sink))
    }

    fn purge(&mut self, kind: PurgeKind, helpers: HelperOrder, steps: Option<&mut Steps>) -> Purged {
        with_steps!(steps, sink => self.purge_with(kind, helpers, sink))
    }

    fn purge_part(&mut self, part: PurgePart, steps: Option<&mut Steps>) -> u32 {
        with_steps!(steps, sink => self.purge_part_with(part, sink))
    }

    fn shrink(&mut self, steps: Option<&mut Steps>) -> Option<u32> {
        with_steps!(steps, sink => self.shrink_with(sink))
    }

    fn carve_groups(&mut self, groups: &[(u64, u64)], align: u64, steps: Option<&mut Steps>) -> Option<Vec<Extent>> {
        with_steps!(steps, sink => self.carve_chunks(groups, align, sink))
    }

    fn drain(&mut self, helpers: HelperOrder, steps: Option<&mut Steps>) -> Vec<Purged> {
        with_steps!(steps, sink => self.drain_with(helpers, sink))
    }

    fn drain_pending(&self) -> bool {
        self.drain_pending
    }

    fn set_drain_pending(&mut self, pending: bool) {
        self.drain_pending = pending;
    }

    fn drains_inline(&self) -> bool {
        self.rules.drain == Drain::Inline
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

    fn n_nodes(&self) -> u32 {
        self.nodes.len() as u32
    }

    fn areas(&self) -> &Areas {
        &self.areas
    }

    fn areas_mut(&mut self) -> &mut Areas {
        &mut self.areas
    }

    fn tree(&self, id: TreeId) -> Option<TreeView<'_>> {
        let node = |node: u32| self.nodes.get(node as usize);
        let (tree, augmented) = match id {
            TreeId::Free => (self.free, true),
            TreeId::Busy(n) => (node(n)?.busy, false),
            TreeId::Lazy(n) if self.rules.lazy != LazyStore::Stack => (node(n)?.lazy, false),
            TreeId::Lazy(_) => return None,
        };
        Some(TreeView { areas: &self.areas, tree, augmented })
    }

    fn visit_holes(&self, visit: &mut dyn FnMut(Extent)) {
        let view = TreeView { areas: &self.areas, tree: self.free, augmented: true };
        view.ascending().filter_map(|(id, _)| self.areas.extent(id)).for_each(visit);
    }

    fn visit_pools(&self, visit: &mut dyn FnMut(u32, &VmapArea)) {
        for (node, state) in self.nodes.iter().enumerate() {
            for (_, pool) in state.pools.non_empty() {
                let mut id = pool.head;
                while id != NIL {
                    visit(node as u32, &self.areas[id]);
                    id = self.areas[id].next;
                }
            }
        }
    }

    fn visit_busy(&self, node: u32, visit: &mut dyn FnMut(&VmapArea)) {
        if let Some(view) = self.tree(TreeId::Busy(node)) {
            view.ascending().for_each(|(_, area)| visit(area));
        }
    }

    fn visit_lazy(&self, node: u32, visit: &mut dyn FnMut(&VmapArea)) {
        self.each_lazy().filter(|&(of, _)| of == node).for_each(|(_, id)| visit(&self.areas[id]));
    }

    fn busy_bytes(&self) -> u64 {
        self.busy_bytes
    }

    fn pooled_bytes(&self) -> u64 {
        self.pooled_bytes
    }

    fn free_bytes(&self) -> u64 {
        self.free_bytes
    }

    fn n_holes(&self) -> u32 {
        self.free.len
    }

    fn busy_overlapping(&self, extent: Extent) -> Vec<Extent> {
        let of_node =
            |node: &Node| self.areas.overlapping(&node.busy, extent).map(|(_, range)| range).collect::<Vec<_>>();
        let mut all: Vec<Extent> = self.nodes.iter().flat_map(of_node).collect();
        all.sort_unstable();
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
        largest_hole_in(&self.areas, &self.free, self.window.vstart, self.window.vend)
    }

    fn dump(&self, free_only: bool, out: &mut dyn Write) -> std::fmt::Result {
        self.write_dump(free_only, out)
    }

    fn audit(&self) -> Result<(), Broken> {
        self.audit_all()
    }

    fn heap_bytes(&self) -> u64 {
        let pools: usize = self.nodes.iter().map(|node| node.pools.heap_bytes()).sum();
        self.areas.heap_bytes() + (pools + self.nodes.len() * size_of::<Node>()) as u64
    }

    fn boxed_clone(&self) -> Box<dyn Allocator> {
        Box::new(self.clone())
    }
}
