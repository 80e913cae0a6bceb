//! [`Gaps`]: the holes between areas that are threaded in ascending order, and what a walk over them tells, for the eras
//! that keep no holes.

use crate::log::Window;
use crate::model::audit::{Broken, compare};
use crate::model::{
    AreaId, Areas, Extent, Gauges, Merge, Metrics, NIL, Pass, Refusal, RefusalReason, Sink, Step, Tree, VmapArea,
};

use super::refuse;

/// First address that can belong to a hole, as in the eras with a free tree.
const BOTTOM: u64 = 1;

/// How many holes there are and how long the largest is, kept up to date without a walk where that is possible.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gaps {
    window: Window,
    /// End of the last hole: `ULONG_MAX`.
    top: u64,
    count: u32,
    /// Bytes of the longest hole, cut to the window.
    largest: u64,
    /// No other hole is longer than this.
    others_at_most: u64,
    /// Bytes of all holes, cut to the window.
    free_bytes: u64,
    /// Holes that reach into it.
    holes_inside: u32,
}

impl Gaps {
    /// One hole, from 1 to `top`.
    pub(super) fn new(window: Window, top: u64) -> Self {
        let mut new = Self { window, top, count: 1, largest: 0, others_at_most: 0, free_bytes: 0, holes_inside: 0 };
        new.largest = new.inside(BOTTOM, top);
        new.free_bytes = new.largest;
        new.holes_inside = u32::from(new.largest > 0);
        new
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn largest(&self) -> u64 {
        self.largest
    }

    pub(super) fn free_bytes(&self) -> u64 {
        self.free_bytes
    }

    pub(super) fn top(&self) -> u64 {
        self.top
    }

    /// The hole above `below` and under `above`; [`NIL`] is the edge of the space.
    pub(super) fn between(&self, areas: &Areas, below: AreaId, above: AreaId) -> Option<Extent> {
        let start = if below == NIL { BOTTOM } else { areas[below].end };
        let end = if above == NIL { self.top } else { areas[above].start };
        Extent::new(start, end)
    }

    /// The step for an extent that became free between two neighbours: the hole it is part of now.
    pub(super) fn returned(&self, areas: &Areas, (below, above): (AreaId, AreaId), extent: Extent) -> Step {
        let hole = self.between(areas, below, above).unwrap_or(extent);
        let merge = match (hole.start() < extent.start(), extent.end() < hole.end()) {
            (true, true) => Merge::Both,
            (true, false) => Merge::Previous,
            (false, true) => Merge::Next,
            (false, false) => Merge::None,
        };
        Step::Returned { extent, hole, merge }
    }

    /// Ends a walk at its candidate, which may have wrapped on the way.
    ///
    /// # Errors
    /// `size` bytes from there do not lie between the two neighbours.
    pub(super) fn take<S: Sink>(
        &self,
        areas: &Areas,
        (below, above): (AreaId, AreaId),
        candidate: u64,
        size: u64,
        sink: &mut S,
    ) -> Result<(), Refusal> {
        let Some(placed) = self.fitting(areas, (below, above), candidate, size) else {
            return refuse(RefusalReason::Wraps { candidate }, sink);
        };
        sink.step(|| {
            let hole = self.between(areas, below, above).unwrap_or(placed);
            Step::GapFound { hole, candidate }
        });
        Ok(())
    }

    /// `size` bytes from `start`, if they lie between two neighbours of the list and inside the address space.
    fn fitting(&self, areas: &Areas, (below, above): (AreaId, AreaId), start: u64, size: u64) -> Option<Extent> {
        let placed = Extent::sized(start, size)?;
        // Address 0 can be given out, although no hole begins there.
        let floor = if below == NIL { 0 } else { areas[below].end };
        let ceiling = if above == NIL { self.top } else { areas[above].start };
        (floor <= placed.start() && placed.end() <= ceiling).then_some(placed)
    }

    /// The three holes at an area of the list: below it, above it, and what they would be together without it.
    fn around(&self, areas: &Areas, id: AreaId) -> [Option<Extent>; 3] {
        let (prev, next) = (areas[id].prev, areas[id].next);
        [self.between(areas, prev, id), self.between(areas, id, next), self.between(areas, prev, next)]
    }

    /// Bytes of a hole inside the window.
    fn inside(&self, start: u64, end: u64) -> u64 {
        end.min(self.window.vend).saturating_sub(start.max(self.window.vstart))
    }

    fn bytes(&self, hole: Option<Extent>) -> u64 {
        hole.map_or(0, |hole| self.inside(hole.start(), hole.end()))
    }

    /// `id` has joined the list.
    pub(super) fn filled(&mut self, areas: &Areas, list: &Tree, id: AreaId) {
        let [below, above, whole] = self.around(areas, id);
        self.count += u32::from(below.is_some()) + u32::from(above.is_some());
        self.count -= u32::from(whole.is_some());
        let (below, above, whole) = (self.bytes(below), self.bytes(above), self.bytes(whole));
        self.free_bytes -= whole - (below + above);
        self.holes_inside += u32::from(below > 0) + u32::from(above > 0);
        self.holes_inside -= u32::from(whole > 0);
        if whole < self.largest {
            return;
        }
        if below.max(above) >= self.others_at_most {
            self.largest = below.max(above);
            self.others_at_most = self.others_at_most.max(below.min(above));
        } else {
            self.measure(areas, list);
        }
    }

    /// `id` is about to leave the list.
    pub(super) fn opening(&mut self, areas: &Areas, id: AreaId) {
        let [below, above, whole] = self.around(areas, id);
        self.count += u32::from(whole.is_some());
        self.count -= u32::from(below.is_some()) + u32::from(above.is_some());
        let (below, above, whole) = (self.bytes(below), self.bytes(above), self.bytes(whole));
        self.free_bytes += whole - (below + above);
        self.holes_inside += u32::from(whole > 0);
        self.holes_inside -= u32::from(below > 0) + u32::from(above > 0);
        let parts = below.max(above);
        if whole <= self.largest {
            self.others_at_most = self.others_at_most.max(whole);
            return;
        }
        if parts != self.largest {
            self.others_at_most = self.largest;
        }
        self.largest = whole;
    }

    /// The two longest holes, by walking the list.
    fn measure(&mut self, areas: &Areas, list: &Tree) {
        let (mut largest, mut second) = (0, 0);
        self.each(areas, list, |hole| {
            let bytes = self.inside(hole.start(), hole.end());
            second = second.max(bytes.min(largest));
            largest = largest.max(bytes);
        });
        (self.largest, self.others_at_most) = (largest, second);
    }

    /// Calls `visit` with every hole, ascending.
    pub(super) fn each(&self, areas: &Areas, list: &Tree, mut visit: impl FnMut(Extent)) {
        let mut below = NIL;
        loop {
            let above = if below == NIL { list.first } else { areas[below].next };
            if let Some(hole) = self.between(areas, below, above) {
                visit(hole);
            }
            if above == NIL {
                return;
            }
            below = above;
        }
    }

    /// What a walk over the holes tells, and how far the areas in use reach; counts of areas are the caller's.
    pub(super) fn metrics(&self, areas: &Areas, list: &Tree) -> Metrics {
        let mut metrics = Metrics { largest_hole: self.largest, ..Metrics::default() };
        self.each(areas, list, |hole| {
            let inside = self.inside(hole.start(), hole.end());
            metrics.free_bytes += inside;
            metrics.holes += u64::from(inside > 0);
        });
        let middle = self.window.vstart + self.window.len_bytes() / 2;
        let mut id = list.first;
        while id != NIL && areas[id].start < middle {
            if !areas[id].lazy {
                metrics.span_bytes = areas[id].end.saturating_sub(self.window.vstart);
            }
            id = areas[id].next;
        }
        metrics
    }

    /// What is known of the holes without a walk over the list; the rest is the caller's.
    pub(super) fn gauges(&self) -> Gauges {
        Gauges {
            free_bytes: self.free_bytes,
            holes: self.holes_inside.into(),
            largest_hole: self.largest,
            ..Gauges::default()
        }
    }

    /// Compares what is kept with what a walk finds.
    ///
    /// # Errors
    /// Names the value that is wrong.
    pub(super) fn audit(&self, areas: &Areas, list: &Tree) -> Result<(), Broken> {
        let mut counted = 0;
        self.each(areas, list, |_| counted += 1);
        compare("holes", self.count.into(), counted)?;
        let mut measured = *self;
        measured.measure(areas, list);
        compare("largest hole", self.largest, measured.largest)?;
        let bound = self.others_at_most.max(measured.others_at_most);
        compare("bound of the other holes", self.others_at_most, bound)
    }
}

/// The step for an area the walk has passed.
pub(super) fn passed<S: Sink>(sink: &mut S, area: &VmapArea, from: u64, candidate: u64) {
    sink.step(|| Step::Passed {
        area: Extent::new(area.start, area.end).expect("an area on a list is never empty"),
        why: if area.start < from { Pass::Lower } else { Pass::NoRoom { room: area.start - from } },
        candidate,
    });
}
