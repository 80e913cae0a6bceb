//! [`Textbook`]: placement rules of the literature, for vmalloc's requests.
//!
//! A rule decides which place of the reusable space a request is given ([`placing::Placing`]). Everything else is the
//! same for all of them: what is in use, what was freed and waits for a purge, and what keeps neighbours apart
//! ([`Layers`]). Space is managed in arenas: the vmalloc range is one, and a window outside it becomes one when the first
//! request names it, so that what modules ask for moves no list or rover of the vmalloc range. A window that is a part
//! of an arena narrows the search in it.

mod as_allocator;
mod buddy;
mod coalescing;
mod fits;
mod free;
mod ground;
mod lists;
mod percpu;
mod placing;
mod random;
mod state;
#[cfg(test)]
mod tests;
mod vmem;

use crate::log::Window;
use crate::model::{Allocator, At, Extent, NIL, Placement, Refusal, Request, Sink, Step, Tree, TreeId, VmapArea};

use super::refuse;
use super::rules::{Guard, Layers, Rule};
use super::setup::Setup;
use coalescing::Coalescing;
use ground::{Ground, Wanted};
use placing::{Opened, Placing};

/// A range that is managed by itself.
#[derive(Debug, Clone)]
struct Arena<P> {
    /// What was asked for, in whole pages; nothing of it belongs to another arena.
    range: Extent,
    /// What of it can be given out; with shared guards a page more.
    managed: Extent,
    placing: P,
}

/// The allocator's whole state.
#[derive(Debug, Clone)]
struct Textbook<P> {
    layers: Layers,
    ground: Ground,
    /// The vmalloc range first, then others as they were asked for.
    arenas: Vec<Arena<P>>,
    busy: Tree,
    lazy: Tree,
    lazy_pages: u64,
    lazy_max_pages: u64,
    busy_bytes: u64,
    /// Requests so far.
    n_requests: u64,
    /// First address that is never given out.
    top: u64,
}

/// The allocator of a rule, with areas that are there already: in use, and freed but not purged.
pub(super) fn build(setup: &Setup, layers: Layers, busy: &[Extent], lazy: &[Extent]) -> Box<dyn Allocator> {
    fn of<P: Placing>(setup: &Setup, layers: Layers, busy: &[Extent], lazy: &[Extent]) -> Box<dyn Allocator> {
        Box::new(Textbook::<P>::new(setup, layers, busy, lazy))
    }
    match layers.rule {
        Rule::FirstFit => of::<Coalescing<fits::Lowest>>(setup, layers, busy, lazy),
        Rule::NextFit => of::<Coalescing<fits::Next>>(setup, layers, busy, lazy),
        Rule::BestFit { .. } | Rule::WorstFit => of::<Coalescing<fits::BySize>>(setup, layers, busy, lazy),
        Rule::Buddy { .. } => of::<buddy::Buddy>(setup, layers, busy, lazy),
        Rule::Tlsf => of::<Coalescing<lists::Tlsf>>(setup, layers, busy, lazy),
        Rule::Vmem { .. } => of::<vmem::Vmem>(setup, layers, busy, lazy),
        Rule::Random => of::<Coalescing<random::Draw>>(setup, layers, busy, lazy),
        Rule::Recorded => of::<Coalescing<fits::Told>>(setup, layers, busy, lazy),
    }
}

impl<P: Placing> Textbook<P> {
    fn new(setup: &Setup, layers: Layers, busy: &[Extent], lazy: &[Extent]) -> Self {
        let mut new = Self {
            layers,
            ground: Ground::new(setup.window, setup.page_size),
            arenas: Vec::new(),
            busy: Tree::default(),
            lazy: Tree::default(),
            lazy_pages: 0,
            lazy_max_pages: setup.lazy_max_pages(),
            busy_bytes: 0,
            n_requests: 0,
            top: setup.top(),
        };
        new.open(setup.window);
        let mut busy = busy.to_vec();
        busy.extend_from_slice(&setup.early);
        for (extent, is_lazy) in Setup::ascending(&busy, lazy) {
            new.carve(extent);
            if is_lazy {
                new.add_lazy(extent, VmapArea::UNBORN, 0);
            } else {
                new.add_busy(extent, VmapArea::UNBORN, 0, &mut ());
            }
        }
        new
    }

    /// Whole pages of a window.
    fn pages_of(&self, window: Window) -> Option<Extent> {
        let page = self.ground.page_size;
        let start = window.vstart.max(page).checked_add(page - 1)? & !(page - 1);
        Extent::new(start, window.vend.min(self.top) & !(page - 1))
    }

    /// The parts of a window that belong to no arena, ascending.
    fn unmanaged(&self, window: Window) -> Vec<Extent> {
        let Some(range) = self.pages_of(window) else { return Vec::new() };
        let mut parts = vec![range];
        for arena in &self.arenas {
            let (start, end) = (arena.range.start(), arena.range.end().max(arena.managed.end()));
            let cut = |part: Extent| {
                let below = Extent::new(part.start(), part.end().min(start));
                let above = Extent::new(part.start().max(end), part.end());
                [below, above].into_iter().flatten()
            };
            parts = parts.into_iter().flat_map(cut).collect();
        }
        parts
    }

    /// Is some of the window in no arena yet? Most windows are that of an arena, and then nothing has to be cut up.
    fn is_unmanaged(&self, window: Window) -> bool {
        let Some(range) = self.pages_of(window) else { return false };
        !self.arenas.iter().any(|arena| arena.range.contains(range)) && !self.unmanaged(window).is_empty()
    }

    /// Makes arenas of what of a window belongs to none.
    fn open(&mut self, window: Window) {
        for range in self.unmanaged(window) {
            let page = self.ground.page_size;
            let wanted = match self.layers.guard {
                // The last area needs no guard page of its own.
                Guard::Shared => self.with_a_page_more(range, page),
                _ => range,
            };
            let Some(Opened { arena: managed, mut placing }) = P::open(&self.layers, wanted, &mut self.ground) else {
                continue;
            };
            for tree in [self.busy, self.lazy] {
                let taken: Vec<Extent> =
                    self.ground.areas.overlapping(&tree, managed).map(|(_, extent)| extent).collect();
                for extent in taken {
                    placing.carve(&mut self.ground, extent);
                }
            }
            self.arenas.push(Arena { range, managed, placing });
        }
    }

    /// The range and a page behind it, if that is nobody's.
    fn with_a_page_more(&self, range: Extent, page: u64) -> Extent {
        let longer = range.end().checked_add(page).and_then(|end| Extent::new(range.start(), end));
        longer
            .filter(|longer| longer.end() <= self.top)
            .filter(|longer| self.arenas.iter().all(|arena| !arena.managed.overlaps(*longer)))
            .unwrap_or(range)
    }

    /// Bytes of the area of a request: the guard rule decides whether its last page is part of it.
    fn area_bytes(&self, request: &Request) -> u64 {
        match self.layers.guard {
            Guard::None if self.ground.page_size < request.size => request.size - self.ground.page_size,
            _ => request.size,
        }
    }

    /// A request, as one arena sees it; `None` if its window does not reach into it.
    fn wanted(&self, request: &Request, arena: &Arena<P>) -> Option<Wanted> {
        let page = self.ground.page_size;
        let size = self.area_bytes(request);
        let managed = arena.managed;
        let (end, limit) = match self.layers.guard {
            // What has no guard page cannot share one.
            Guard::Shared if page < size => (request.window.vend.saturating_add(page), managed.end()),
            _ => (request.window.vend, managed.end().min(arena.range.end())),
        };
        let (low, high) = (request.window.vstart.max(managed.start()), end.min(limit));
        (size > 0 && request.align.is_power_of_two() && low < high).then_some(Wanted {
            size,
            pages: size.div_ceil(page),
            align: request.align.max(page),
            low,
            high,
            is_whole: low == managed.start() && high == limit,
            cpu: request.cpu,
            nth: self.n_requests,
        })
    }

    fn place_with<S: Sink>(&self, request: &Request, sink: &mut S) -> Result<Placement, Refusal> {
        if self.is_unmanaged(request.window) {
            // Once for each window: what it opens is not there yet, and a question must not change the state.
            let mut with_arena = self.clone();
            with_arena.open(request.window);
            return with_arena.search(request, sink);
        }
        self.search(request, sink)
    }

    fn search<S: Sink>(&self, request: &Request, sink: &mut S) -> Result<Placement, Refusal> {
        let found = self.arenas.iter().find_map(|arena| {
            let wanted = self.wanted(request, arena)?;
            arena.placing.find(&self.ground, &wanted, sink)
        });
        found.map_or_else(|| refuse(P::REFUSAL, sink), Ok)
    }

    fn settle_with<S: Sink>(
        &mut self,
        request: &Request,
        answer: Result<Placement, Refusal>,
        born: u32,
        sink: &mut S,
    ) -> Option<Extent> {
        self.open(request.window);
        let taken = answer.ok().and_then(|found| self.take(request, found, sink));
        self.n_requests += 1;
        let extent = taken?;
        self.add_busy(extent, born, request.cpu + 1, sink);
        Some(extent)
    }

    /// Takes what a search found out of the free space; answers the area.
    fn take<S: Sink>(&mut self, request: &Request, found: Placement, sink: &mut S) -> Option<Extent> {
        let at = self.arenas.iter().position(|arena| arena.managed.contains_addr(found.start))?;
        let wanted = self.wanted(request, &self.arenas[at])?;
        let arena = &mut self.arenas[at];
        let taken = arena.placing.take(&mut self.ground, &wanted, found, sink)?;
        // The last shared guard page is not there.
        Extent::new(taken.start(), taken.end().min(arena.range.end()))
    }

    /// An area comes back to where it was taken from.
    fn give_back<S: Sink>(&mut self, extent: Extent, owner: u32, sink: &mut S) {
        for arena in &mut self.arenas {
            let Some(part) = extent.intersection(arena.managed) else { continue };
            // With its guard page, where that was left out at the end.
            let last = arena.range.end();
            let is_guard = part.end() == last
                && last < arena.managed.end()
                && [self.ground.free, self.ground.cached, self.busy, self.lazy]
                    .iter()
                    .all(|tree| self.ground.areas.find_containing(tree, last) == NIL);
            let end = if is_guard { arena.managed.end() } else { part.end() };
            if let Some(part) = Extent::new(part.start(), end) {
                arena.placing.give(&mut self.ground, part, owner, sink);
            }
        }
    }

    /// Whatever is free of a range is not any more.
    fn carve(&mut self, extent: Extent) {
        for arena in &mut self.arenas {
            let Some(part) = extent.intersection(arena.managed) else { continue };
            let reaches_end = part.end() == arena.range.end();
            let end = if reaches_end { arena.managed.end().max(part.end()) } else { part.end() };
            if let Some(part) = Extent::new(part.start(), end) {
                arena.placing.carve(&mut self.ground, part);
            }
        }
    }

    fn add_busy<S: Sink>(&mut self, extent: Extent, born: u32, owner: u32, sink: &mut S) {
        let ground = &mut self.ground;
        let Some(link) = ground.areas.find_link(&self.busy, extent.start(), extent.end()) else { return };
        let id = ground.areas.add(extent.start(), extent.end());
        ground.areas[id].born = born;
        ground.areas[id].owner = owner;
        sink.step(|| Step::BusyAdded { node: 0, extent });
        ground.areas.insert::<false, ()>(&mut self.busy, id, link, &mut At { tree: TreeId::Busy(0), sink: &mut () });
        self.busy_bytes += extent.len_bytes();
    }
}
