//! [`Augmented`]: the allocator of Linux 5.2 to 7.3: one augmented free tree, and from 6.9 on nodes with pools.
//!
//! Up to 6.8 there is one node without pools. Where releases differ, a field of [`Rules`] says so.

mod as_allocator;
mod dump;
mod free;
mod in_hand;
#[cfg(test)]
mod mirror;
mod percpu;
mod pool;
mod purge;
mod start;
mod state;

use crate::log::Window;
use crate::model::rbtree::Link;
use crate::model::search::{Wanted, align_up, find_lowest_match};
use crate::model::{
    AreaId, Areas, At, Extent, Kind, NIL, Placement, Refusal, RefusalReason, Request, Sink, Source, Step, Tree, TreeId,
    VmapArea, fit_of,
};

use super::refuse;
use super::rules::{LazyStore, Rules};
use super::setup::Setup;
use in_hand::InHand;
use pool::Pools;
use purge::PurgePhase;

/// Starts and slots of areas.
type Queue = Vec<(u64, AreaId)>;

/// One `vmap_node`. Up to 6.8 there is exactly one.
#[derive(Debug, Clone, Default)]
struct Node {
    busy: Tree,
    /// A tree, or up to 5.10 only its list, newest first.
    lazy: Tree,
    /// In a bulk run: starts and slots of what is freed since, which is not in `lazy` yet.
    queued: Queue,
    pools: Pools,
    /// How far a purge has got that probes show in parts.
    phase: PurgePhase,
    /// What a purge has in hand of which every step is told.
    in_hand: InHand,
}

/// The allocator's whole state.
#[derive(Debug, Clone)]
pub struct Augmented {
    rules: Rules,
    areas: Areas,
    free: Tree,
    nodes: Vec<Node>,
    window: Window,
    page_size: u64,
    /// The same as a power of two.
    page_shift: u32,
    /// Addresses per step of the address-to-node map, as a power of two.
    zone_shift: u32,
    /// Freed areas are put into their lazy trees when somebody looks, or never, if a purge comes first.
    is_bulk: bool,
    /// First address the allocator never manages: `ULONG_MAX`.
    top: u64,
    lazy_pages: u64,
    lazy_max_pages: u64,
    cpus_online: u32,
    drain_pending: bool,
    busy_areas: u64,
    busy_bytes: u64,
    pooled_areas: u64,
    pooled_bytes: u64,
    /// Bytes of the holes inside the window.
    free_bytes: u64,
    /// Holes that reach into the window.
    holes_inside: u32,
    /// Reused by every purge.
    scratch: Vec<AreaId>,
}

/// As many nodes as the kernel makes at most.
const MAX_NODES: u32 = 128;
/// Pages of an address zone: what the kernel maps to one node after another.
const ZONE_PAGES: u64 = 16;

impl Augmented {
    /// The state after `vmalloc_init`: one hole `[1, ULONG_MAX)` less the early areas.
    pub fn new(setup: &Setup) -> Self {
        let per_node = setup.rules.lazy == LazyStore::PerNode && !setup.is_32_bit;
        let n_nodes = if per_node { setup.cpus_possible.clamp(1, MAX_NODES) } else { 1 };
        let mut new = Self {
            rules: setup.rules,
            areas: remembering(setup.page_size),
            free: Tree::default(),
            nodes: vec![Node::default(); n_nodes as usize],
            window: setup.window,
            page_size: setup.page_size,
            page_shift: setup.page_size.trailing_zeros(),
            zone_shift: (ZONE_PAGES * setup.page_size).trailing_zeros(),
            is_bulk: false,
            top: setup.top(),
            lazy_pages: 0,
            lazy_max_pages: setup.lazy_max_pages(),
            cpus_online: setup.cpus_online,
            drain_pending: false,
            busy_areas: 0,
            busy_bytes: 0,
            pooled_areas: 0,
            pooled_bytes: 0,
            free_bytes: 0,
            holes_inside: 0,
            scratch: Vec::new(),
        };
        let mut cursor = 1;
        for &extent in &setup.early {
            new.add_hole(cursor, extent.start());
            new.add_busy(extent, 0, VmapArea::UNBORN, &mut ());
            cursor = extent.end();
        }
        new.add_hole(cursor, new.top);
        new
    }

    fn add_hole(&mut self, start: u64, end: u64) {
        if start < end
            && let Some(link) = self.areas.find_link(&self.free, start, end)
        {
            let id = self.areas.add(start, end);
            let to = &mut At { tree: TreeId::Free, sink: &mut () };
            self.areas.insert::<true, ()>(&mut self.free, id, link, to);
            self.free_bytes += self.inside(start, end);
            self.holes_inside += self.is_inside(start, end);
        }
    }

    /// Bytes of a range inside the window.
    #[inline(always)]
    fn inside(&self, start: u64, end: u64) -> u64 {
        end.min(self.window.vend).saturating_sub(start.max(self.window.vstart))
    }

    /// 1 for a hole that reaches into the window, else 0.
    #[inline(always)]
    fn is_inside(&self, start: u64, end: u64) -> u32 {
        u32::from(self.inside(start, end) > 0)
    }

    /// Node whose busy tree holds an address (`addr_to_node`).
    #[inline(always)]
    fn node_of(&self, addr: u64) -> u32 {
        let (zone, n_nodes) = (addr >> self.zone_shift, self.nodes.len() as u64);
        match n_nodes {
            1 => 0,
            _ if n_nodes.is_power_of_two() => (zone & (n_nodes - 1)) as u32,
            _ => (zone % n_nodes) as u32,
        }
    }

    /// May the request use pools, and does its area go back to one?
    #[inline(always)]
    fn is_poolable(&self, request: &Request) -> bool {
        self.nodes.len() > 1 && request.window == self.window
    }

    #[inline(always)]
    fn place_with<S: Sink>(&self, request: &Request, sink: &mut S) -> Result<Placement, Refusal> {
        if let Some(placement) = self.ask_pool(request, sink) {
            return Ok(placement);
        }
        let (hole, start) = self.search_tree(request, sink)?;
        Ok(Placement { start, source: Source::Tree { hole } })
    }

    /// `__alloc_vmap_area`, up to where it clips: the hole, and the address in it.
    #[inline(always)]
    fn search_tree<S: Sink>(&self, request: &Request, sink: &mut S) -> Result<(AreaId, u64), Refusal> {
        let Request { size, align, window, .. } = *request;
        let (length, why) = self.rules.search_length(request, self.page_size);
        let vstart = window.vstart;
        sink.step(|| Step::SearchBegun { length, why, vstart });
        let wanted = Wanted { size, align, vstart, length, moves_vstart: self.rules.moves_vstart };
        let hole = find_lowest_match(&self.areas, &self.free, &wanted, sink);
        if hole == NIL {
            return refuse(RefusalReason::NoHole, sink);
        }
        let hole_start = self.areas[hole].start;
        let start = align_up(hole_start.max(vstart), align);
        match start.checked_add(size) {
            // An alignment that wraps to the first address leads out of the hole: the kernel warns and gives up.
            Some(end) if hole_start <= start && end <= window.vend => Ok((hole, start)),
            _ => refuse(RefusalReason::BehindWindow { would_be: start }, sink),
        }
    }

    #[inline(always)]
    fn settle_with<S: Sink>(
        &mut self,
        request: &Request,
        answer: Result<Placement, Refusal>,
        born: u32,
        sink: &mut S,
    ) -> Option<Extent> {
        let owner = if self.is_poolable(request) { self.cpu_node(request.cpu) + 1 } else { 0 };
        match answer {
            Ok(Placement { start, source: Source::Pool { node, area } }) => {
                self.leave_pool(node, area);
                self.areas[area].owner = owner;
                self.areas[area].born = born;
                let extent = Extent::sized(start, request.size)?;
                self.join_busy(area, extent, sink);
                Some(extent)
            }
            Ok(Placement { start, source: Source::Tree { hole } }) => {
                self.rotate_pool(request);
                let extent = Extent::sized(start, request.size)?;
                self.carve(hole, extent, sink)?;
                self.add_busy(extent, owner, born, sink);
                Some(extent)
            }
            // A gap is not of this era.
            Ok(Placement { source: Source::Gap { .. }, .. }) | Err(_) => {
                self.rotate_pool(request);
                None
            }
        }
    }

    /// One allocation: the search, and what it leads to.
    #[inline(always)]
    fn alloc_with<S: Sink>(&mut self, request: &Request, born: u32, sink: &mut S) -> Result<Extent, Refusal> {
        if self.nodes.len() > 1 {
            let answer = self.place_with(request, sink);
            return match (self.settle_with(request, answer, born, sink), answer) {
                (Some(extent), _) => Ok(extent),
                (None, Err(refusal)) => Err(refusal),
                (None, Ok(_)) => unreachable!("a placement settles into an area"),
            };
        }
        let (hole, start) = self.search_tree(request, sink)?;
        match Extent::sized(start, request.size) {
            Some(extent) if self.carve(hole, extent, sink).is_some() => {
                self.add_busy(extent, 0, born, sink);
                Ok(extent)
            }
            _ => unreachable!("a hole that was found holds the area"),
        }
    }

    #[inline(always)]
    fn carve<S: Sink>(&mut self, hole: AreaId, placed: Extent, sink: &mut S) -> Option<()> {
        let before = self.areas.extent(hole)?;
        if S::WANTED {
            // Said before it is done: what the tree does follows from it.
            let fit = fit_of(before, placed)?;
            sink.step(|| Step::Clipped { hole: before, placed, fit });
        }
        self.areas.clip(&mut self.free, hole, placed, &mut At { tree: TreeId::Free, sink })?;
        self.free_bytes -= self.inside(placed.start(), placed.end());
        self.holes_inside +=
            self.is_inside(before.start(), placed.start()) + self.is_inside(placed.end(), before.end());
        self.holes_inside -= self.is_inside(before.start(), before.end());
        Some(())
    }

    #[inline(always)]
    fn add_busy<S: Sink>(&mut self, extent: Extent, owner: u32, born: u32, sink: &mut S) {
        let (start, end) = (extent.start(), extent.end());
        let area = VmapArea { start, end, owner, born, kind: Kind::Busy, ..VmapArea::default() };
        // The kernel warns and drops an area that overlaps one in use.
        let Some((node, link)) = self.busy_link(extent) else { return };
        self.count_busy(node, extent, sink);
        let to = &mut At { tree: TreeId::Busy(node), sink };
        self.areas.insert_new::<false, S>(&mut self.nodes[node as usize].busy, area, link, to);
    }

    /// `insert_vmap_area`.
    fn join_busy<S: Sink>(&mut self, id: AreaId, extent: Extent, sink: &mut S) {
        // The kernel warns and drops the area; so do we, but its slot is not lost.
        let Some((node, link)) = self.busy_link(extent) else { return self.areas.remove(id) };
        self.areas[id].kind = Kind::Busy;
        self.count_busy(node, extent, sink);
        let to = &mut At { tree: TreeId::Busy(node), sink };
        self.areas.insert::<false, S>(&mut self.nodes[node as usize].busy, id, link, to);
    }

    #[inline(always)]
    fn count_busy<S: Sink>(&mut self, node: u32, extent: Extent, sink: &mut S) {
        self.busy_areas += 1;
        self.busy_bytes += extent.len_bytes();
        sink.step(|| Step::BusyAdded { node, extent });
    }

    /// The node whose busy tree an area joins, and where; `None` if it overlaps one.
    #[inline(always)]
    fn busy_link(&self, extent: Extent) -> Option<(u32, Link)> {
        let node = self.node_of(extent.start());
        let busy = &self.nodes[node as usize].busy;
        let (below, above) = if busy.root == NIL { (NIL, NIL) } else { self.busy_neighbours(node, extent) };
        Some((node, self.areas.link_beside(busy, (extent.start(), extent.end()), below, above)?))
    }

    /// The areas of a node's busy tree that touch `extent` from below or from above, the first that is remembered.
    #[inline(always)]
    fn busy_neighbours(&self, node: u32, extent: Extent) -> (AreaId, AreaId) {
        let is_of_node = |id: AreaId| self.nodes.len() == 1 || self.node_of(self.areas[id].start) == node;
        let of_node = |id: AreaId| if id != NIL && is_of_node(id) { id } else { NIL };
        match of_node(self.areas.ending_at(extent.start(), Kind::Busy)) {
            NIL => (NIL, of_node(self.areas.starting_at(extent.end(), Kind::Busy))),
            below => (below, NIL),
        }
    }
}

/// An arena that remembers where areas are.
fn remembering(page_size: u64) -> Areas {
    let mut areas = Areas::default();
    areas.remember(page_size);
    areas
}
