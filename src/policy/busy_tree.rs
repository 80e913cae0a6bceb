//! [`BusyTree`]: the allocator of Linux 2.6.28 to 5.1: one red-black tree of areas, holes only between them.
//!
//! A freed area stays in the tree, flagged, and keeps its space until the purge. Where releases differ, a field of
//! [`BusyTreeRules`] says so: up to 2.6.38 a page stays free behind each area, from 2.6.39 on the search begins at the
//! area placed last.

mod as_allocator;
mod free;
mod percpu;
mod search;
mod state;

use crate::log::Window;
use crate::model::{
    AreaId, Areas, At, Extent, NIL, Placement, Refusal, Request, Sink, Source, Step, Tree, TreeId, VmapArea,
};

use super::gaps::Gaps;
use super::rules::{BusyTreeRules, FreeSpace};
use super::setup::Setup;

/// What one search leaves for the next (2.6.39 and later).
#[derive(Debug, Clone, Copy, Default)]
struct CachedHole {
    /// The area placed last, or the one below what was removed since (`free_vmap_cache`).
    area: AreaId,
    /// Bytes of the longest hole passed since the last rewind (`cached_hole_size`).
    hole: u64,
    /// Start of the window of the last request (`cached_vstart`).
    vstart: u64,
    /// Alignment of the last request (`cached_align`).
    align: u64,
}

/// The allocator's whole state.
#[derive(Debug, Clone)]
pub struct BusyTree {
    rules: BusyTreeRules,
    areas: Areas,
    /// Areas in use and lazily freed ones.
    tree: Tree,
    gaps: Gaps,
    cached: CachedHole,
    /// Highest address below which a chunk may be (`vmap_area_pcpu_hole`).
    pcpu_hole: u64,
    window: Window,
    page_size: u64,
    /// Lazily freed areas, the newest last.
    lazy: Vec<AreaId>,
    lazy_pages: u64,
    lazy_max_pages: u64,
    busy_areas: u64,
    busy_bytes: u64,
}

impl BusyTree {
    /// The state after `vmalloc_init`: the early areas, and nothing else.
    pub fn new(setup: &Setup) -> Self {
        let FreeSpace::BusyTree(rules) = setup.rules.free_space else {
            unreachable!("a release with another allocator");
        };
        let mut new = Self {
            rules,
            areas: Areas::default(),
            tree: Tree::default(),
            gaps: Gaps::new(setup.window, setup.top()),
            cached: CachedHole::default(),
            pcpu_hole: setup.window.vend,
            window: setup.window,
            page_size: setup.page_size,
            lazy: Vec::new(),
            lazy_pages: 0,
            lazy_max_pages: setup.lazy_max_pages(),
            busy_areas: 0,
            busy_bytes: 0,
        };
        for (extent, _) in Setup::ascending(&setup.early, &[]) {
            new.join(new.tree.last, extent, VmapArea::UNBORN, &mut ());
        }
        new
    }

    /// The state a snapshot shows. The tree is built in ascending order and nothing is cached.
    pub fn from_snapshot(setup: &Setup, busy: &[Extent], lazy: &[Extent]) -> Self {
        let mut new = Self::new(&Setup { early: Vec::new(), ..setup.clone() });
        for (extent, is_lazy) in Setup::ascending(busy, lazy) {
            let id = new.join(new.tree.last, extent, VmapArea::UNBORN, &mut ());
            if is_lazy {
                // The limit is not asked: the snapshot was taken with these areas already waiting.
                new.make_lazy(id, extent);
            }
        }
        new
    }

    /// Cuts a sum to a machine word, as `unsigned long` does.
    fn word(&self, value: u64) -> u64 {
        value & self.gaps.top()
    }

    fn place_with<S: Sink>(&self, request: &Request, sink: &mut S) -> Result<Placement, Refusal> {
        let mut cached = self.cached;
        let (start, below) = self.search(request, &mut cached, sink)?;
        Ok(Placement { start, source: Source::Gap { below, cached_hole: cached.hole } })
    }

    fn settle_with<S: Sink>(
        &mut self,
        request: &Request,
        answer: Result<Placement, Refusal>,
        born: u32,
        sink: &mut S,
    ) -> Option<Extent> {
        let Ok(Placement { start, source: Source::Gap { below, cached_hole } }) = answer else {
            // A search without success moves what is cached too.
            let mut cached = self.cached;
            let _ = self.search(request, &mut cached, &mut ());
            self.cached = cached;
            return None;
        };
        let extent = Extent::sized(start, request.size)?;
        let area = self.join(below, extent, born, sink);
        if self.rules.cached_hole {
            let Request { align, window, .. } = *request;
            self.cached = CachedHole { area, hole: cached_hole, vstart: window.vstart, align };
        }
        Some(extent)
    }

    /// `__insert_vmap_area`, directly above `below`, where the search or a walk has left off.
    fn join<S: Sink>(&mut self, below: AreaId, extent: Extent, born: u32, sink: &mut S) -> AreaId {
        let link = self.areas.link_behind(&self.tree, below);
        let id = self.areas.add(extent.start(), extent.end());
        self.areas[id].born = born;
        sink.step(|| Step::BusyAdded { node: 0, extent });
        let to = &mut At { tree: TreeId::Busy(0), sink };
        self.areas.insert::<false, S>(&mut self.tree, id, link, to);
        self.gaps.filled(&self.areas, &self.tree, id);
        self.busy_areas += 1;
        self.busy_bytes += extent.len_bytes();
        id
    }

    /// The highest area that ends at or below `addr`, or [`NIL`].
    fn last_below(&self, addr: u64) -> AreaId {
        match self.areas.first_above(&self.tree, addr) {
            NIL => self.tree.last,
            above => self.areas[above].prev,
        }
    }
}
