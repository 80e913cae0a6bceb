//! [`Vmem`]: an arena of segments in power-of-two lists, searched by instant fit, behind quantum caches.
//!
//! List `i` holds the free segments of `2^i` pages and more, the newest first. A request of `n` pages takes the head of
//! the first list in which everything is long enough; only if there is none it looks at the list its own length belongs
//! to, for the shortest that will do. With an alignment or a window it tries segment after segment.

mod caches;

use std::fmt::Write;

use crate::model::audit::Broken;
use crate::model::{AreaId, Extent, Look, Placement, RuleOrder, Sink, Source, Step};

use super::super::rules::{Layers, Rule};
use super::coalescing::{Coalescing, Index};
use super::ground::{Ground, Wanted};
use super::lists::Lists;
use super::placing::{Opened, Placing};
use caches::Caches;

/// Free segments in lists by power of two.
#[derive(Debug, Clone)]
pub(super) struct Segments {
    lists: Lists,
    page_size: u64,
}

impl Segments {
    /// The list of a segment, plus one; what is shorter than a page is in none that is searched.
    fn class_of(&self, hole: Extent) -> u32 {
        (hole.len_bytes() / self.page_size).checked_ilog2().map_or(0, |order| order + 1)
    }

    /// The shortest segment of one list in which the area fits; of equals the first of the list.
    fn best_of<S: Sink>(&self, class: u32, ground: &Ground, wanted: &Wanted, sink: &mut S) -> Option<(AreaId, u64)> {
        let mut best: Option<(AreaId, u64, Extent)> = None;
        for start in self.lists.of(class) {
            let (id, hole) = ground.hole_starting(start)?;
            let look = match wanted.start_in(hole) {
                None => Look::NoFit,
                Some(place) if best.is_none_or(|(.., best)| hole.len_bytes() < best.len_bytes()) => {
                    best = Some((id, place, hole));
                    continue;
                }
                Some(_) => Look::Worse,
            };
            sink.step(|| Step::Looked { hole, look });
        }
        let (id, place, hole) = best?;
        sink.step(|| Step::Looked { hole, look: Look::Taken });
        Some((id, place))
    }
}

impl Index for Segments {
    fn new(_layers: &Layers, _arena: Extent, page_size: u64) -> Self {
        Self { lists: Lists::default(), page_size }
    }

    fn added(&mut self, hole: Extent) {
        self.lists.add(self.class_of(hole), hole);
    }

    fn removed(&mut self, hole: Extent) {
        self.lists.remove(self.class_of(hole), hole);
    }

    fn find<S: Sink>(&self, ground: &Ground, wanted: &Wanted, sink: &mut S) -> Option<(AreaId, u64)> {
        let own = wanted.pages.ilog2();
        if !wanted.is_whole || ground.page_size < wanted.align {
            sink.step(|| Step::RuleBegun { order: RuleOrder::EachSegment { order: own } });
            return self.lists.first_fit(own + 1, ground, wanted, sink);
        }
        let order = own + u32::from(!wanted.pages.is_power_of_two());
        sink.step(|| Step::RuleBegun { order: RuleOrder::Lists { order } });
        if let Some(found) = self.lists.first_fit(order + 1, ground, wanted, sink) {
            return Some(found);
        }
        sink.step(|| Step::RuleBegun { order: RuleOrder::WholeList { order: own } });
        self.best_of(own + 1, ground, wanted, sink)
    }

    fn write(&self, out: &mut dyn Write) -> std::fmt::Result {
        self.lists.write(out)
    }

    fn audit(&self, holes: &[Extent]) -> Result<(), Broken> {
        self.lists.audit(holes, |hole| self.class_of(hole))
    }

    fn heap_bytes(&self) -> u64 {
        self.lists.heap_bytes()
    }
}

/// One arena with its caches.
#[derive(Debug, Clone)]
pub(super) struct Vmem {
    segments: Coalescing<Segments>,
    caches: Caches,
}

impl Vmem {
    /// Do requests like this go to the caches? Those with an alignment or a window of their own do not.
    fn is_cacheable(&self, ground: &Ground, wanted: &Wanted) -> bool {
        wanted.is_whole && wanted.align <= ground.page_size && wanted.pages <= self.caches.most_pages()
    }

    /// The request of a slab, for a request of an object.
    fn slab_wanted(&self, ground: &Ground, wanted: &Wanted) -> Wanted {
        let pages = self.caches.slab_pages();
        Wanted { size: pages * ground.page_size, pages, ..*wanted }
    }
}

impl Placing for Vmem {
    fn open(layers: &Layers, arena: Extent, ground: &mut Ground) -> Option<Opened<Self>> {
        let Opened { arena, placing: segments } = Coalescing::open(layers, arena, ground)?;
        let cached_pages = match layers.rule {
            Rule::Vmem { cached_pages } => cached_pages,
            _ => 0,
        };
        let caches = Caches::new(cached_pages.into(), ground.page_size);
        Some(Opened { arena, placing: Self { segments, caches } })
    }

    fn find<S: Sink>(&self, ground: &Ground, wanted: &Wanted, sink: &mut S) -> Option<Placement> {
        if !self.is_cacheable(ground, wanted) {
            return self.segments.find(ground, wanted, sink);
        }
        let (cpu, pages) = (wanted.cpu, wanted.pages);
        let answer = self.caches.peek(cpu, pages);
        sink.step(|| Step::CacheAsked { cpu, pages, answer });
        if let Some(object) = answer.object() {
            let area = ground.areas.find_containing(&ground.cached, object.start());
            return Some(Placement { start: object.start(), source: Source::Pool { node: cpu, area } });
        }
        let slab = self.segments.find(ground, &self.slab_wanted(ground, wanted), sink);
        // An arena without room for a slab serves the request itself.
        slab.or_else(|| self.segments.find(ground, wanted, sink))
    }

    fn take<S: Sink>(
        &mut self,
        ground: &mut Ground,
        wanted: &Wanted,
        found: Placement,
        sink: &mut S,
    ) -> Option<Extent> {
        if !self.is_cacheable(ground, wanted) {
            return self.segments.take(ground, wanted, found, sink);
        }
        if let Source::Pool { node, .. } = found.source {
            return self.caches.take(ground, node, wanted.pages);
        }
        let slab_wanted = self.slab_wanted(ground, wanted);
        let hole = match found.source {
            Source::Tree { hole } => ground.areas.extent(hole)?,
            _ => return None,
        };
        if hole.len_bytes() < slab_wanted.size {
            return self.segments.take(ground, wanted, found, sink);
        }
        let slab = self.segments.take(ground, &slab_wanted, found, sink)?;
        self.caches.add_slab(ground, slab, wanted.pages);
        self.caches.take(ground, wanted.cpu, wanted.pages)
    }

    fn give<S: Sink>(&mut self, ground: &mut Ground, extent: Extent, owner: u32, sink: &mut S) {
        if self.caches.give(ground, extent, owner.saturating_sub(1)) {
            sink.step(|| Step::Pooled { node: owner.saturating_sub(1), extent });
        } else {
            self.segments.give(ground, extent, owner, sink);
        }
    }

    fn carve(&mut self, ground: &mut Ground, extent: Extent) {
        for range in self.caches.dissolve(ground, extent) {
            self.segments.join(ground, range, &mut ());
        }
        self.segments.carve(ground, extent);
    }

    fn reap<S: Sink>(&mut self, ground: &mut Ground, sink: &mut S) -> Option<u32> {
        let (n_objects, slabs) = self.caches.reap(ground);
        for slab in slabs {
            self.segments.join(ground, slab, sink);
        }
        Some(n_objects)
    }

    fn visit_cached(&self, ground: &Ground, visit: &mut dyn FnMut(u32, Extent)) {
        self.caches.visit(ground, visit);
    }

    fn write(&self, ground: &Ground, out: &mut dyn Write) -> std::fmt::Result {
        self.segments.write(ground, out)?;
        self.caches.write(out)
    }

    fn audit(&self, ground: &Ground) -> Result<(), Broken> {
        self.segments.audit(ground)?;
        self.caches.audit(ground)
    }

    fn heap_bytes(&self) -> u64 {
        self.segments.heap_bytes() + self.caches.heap_bytes()
    }
}
