//! [`Coalescing`]: holes that are always as long as they can be, and an [`Index`] that chooses among them.

use std::fmt::{Debug, Write};

use crate::model::audit::Broken;
use crate::model::{AreaId, Extent, Merge, Placement, RefusalReason, Sink, Source, Step, fit_of};

use super::super::rules::Layers;
use super::ground::{Ground, Wanted};
use super::placing::{Opened, Placing};

/// How a rule finds the hole it takes. It is told of every hole that comes and goes.
pub(super) trait Index: Debug + Clone + Send + Sync + 'static {
    /// What a request without a place is told.
    const REFUSAL: RefusalReason = RefusalReason::NoHole;

    fn new(layers: &Layers, arena: Extent, page_size: u64) -> Self;

    fn added(&mut self, _hole: Extent) {}

    fn removed(&mut self, _hole: Extent) {}

    /// The hole it takes, and where in it. Changes nothing.
    fn find<S: Sink>(&self, ground: &Ground, wanted: &Wanted, sink: &mut S) -> Option<(AreaId, u64)>;

    /// An area was placed.
    fn placed<S: Sink>(&mut self, _area: Extent, _sink: &mut S) {}

    /// Something came back and is part of `hole` now.
    fn merged<S: Sink>(&mut self, _hole: Extent, _sink: &mut S) {}

    /// What decides beyond the holes themselves.
    fn write(&self, _out: &mut dyn Write) -> std::fmt::Result {
        Ok(())
    }

    /// Recomputes what it keeps from the holes of its arena.
    fn audit(&self, _holes: &[Extent]) -> Result<(), Broken> {
        Ok(())
    }

    fn heap_bytes(&self) -> u64 {
        0
    }
}

/// One arena.
#[derive(Debug, Clone)]
pub(super) struct Coalescing<I> {
    pub(super) index: I,
    arena: Extent,
}

impl<I: Index> Coalescing<I> {
    fn add(&mut self, ground: &mut Ground, start: u64, end: u64) {
        if let Some(hole) = Extent::new(start, end) {
            ground.add_hole(hole);
            self.index.added(hole);
        }
    }

    fn drop(&mut self, ground: &mut Ground, id: AreaId) -> Option<Extent> {
        let hole = ground.drop_hole(id)?;
        self.index.removed(hole);
        Some(hole)
    }

    /// Cuts a range out of a hole; what is left comes back, first the lower part, then the upper.
    fn cut(&mut self, ground: &mut Ground, id: AreaId, placed: Extent) -> Option<Extent> {
        let hole = self.drop(ground, id)?;
        self.add(ground, hole.start(), placed.start());
        self.add(ground, placed.end(), hole.end());
        Some(hole)
    }

    /// A range comes back, joined with the holes it touches.
    pub(super) fn join<S: Sink>(&mut self, ground: &mut Ground, extent: Extent, sink: &mut S) {
        let below = ground.hole_ending(extent.start()).filter(|(_, hole)| self.arena.contains(*hole));
        let above = ground.hole_starting(extent.end()).filter(|(_, hole)| self.arena.contains(*hole));
        let (mut start, mut end) = (extent.start(), extent.end());
        if let Some((id, hole)) = below {
            start = hole.start();
            self.drop(ground, id);
        }
        if let Some((id, hole)) = above {
            end = hole.end();
            self.drop(ground, id);
        }
        self.add(ground, start, end);
        let Some(hole) = Extent::new(start, end) else { return };
        let merge = match (below, above) {
            (None, None) => Merge::None,
            (None, Some(_)) => Merge::Next,
            (Some(_), None) => Merge::Previous,
            (Some(_), Some(_)) => Merge::Both,
        };
        sink.step(|| Step::Returned { extent, hole, merge });
        self.index.merged(hole, sink);
    }
}

impl<I: Index> Placing for Coalescing<I> {
    const REFUSAL: RefusalReason = I::REFUSAL;

    fn open(layers: &Layers, arena: Extent, ground: &mut Ground) -> Option<Opened<Self>> {
        let index = I::new(layers, arena, ground.page_size);
        let mut new = Self { index, arena };
        new.add(ground, arena.start(), arena.end());
        Some(Opened { arena, placing: new })
    }

    fn find<S: Sink>(&self, ground: &Ground, wanted: &Wanted, sink: &mut S) -> Option<Placement> {
        let (hole, start) = self.index.find(ground, wanted, sink)?;
        Some(Placement { start, source: Source::Tree { hole } })
    }

    fn take<S: Sink>(
        &mut self,
        ground: &mut Ground,
        wanted: &Wanted,
        found: Placement,
        sink: &mut S,
    ) -> Option<Extent> {
        let Source::Tree { hole } = found.source else { return None };
        let placed = Extent::sized(found.start, wanted.size)?;
        let before = ground.areas.extent(hole)?;
        let fit = fit_of(before, placed)?;
        sink.step(|| Step::Clipped { hole: before, placed, fit });
        self.cut(ground, hole, placed)?;
        self.index.placed(placed, sink);
        Some(placed)
    }

    fn give<S: Sink>(&mut self, ground: &mut Ground, extent: Extent, _owner: u32, sink: &mut S) {
        self.join(ground, extent, sink);
    }

    fn carve(&mut self, ground: &mut Ground, extent: Extent) {
        loop {
            let Some((id, hole)) = ground.holes_in(extent).find(|(_, hole)| self.arena.contains(*hole)) else { return };
            let Some(part) = hole.intersection(extent) else { return };
            self.cut(ground, id, part);
        }
    }

    fn write(&self, _ground: &Ground, out: &mut dyn Write) -> std::fmt::Result {
        self.index.write(out)
    }

    fn audit(&self, ground: &Ground) -> Result<(), Broken> {
        let holes: Vec<Extent> = ground.holes_in(self.arena).map(|(_, hole)| hole).collect();
        if let Some(pair) = holes.windows(2).find(|pair| pair[0].end() == pair[1].start()) {
            return Err(Broken::Unmerged { at: pair[1].start() });
        }
        self.index.audit(&holes)
    }

    fn heap_bytes(&self) -> u64 {
        self.index.heap_bytes()
    }
}
