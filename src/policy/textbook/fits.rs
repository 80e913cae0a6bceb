//! First fit, next fit, best fit, worst fit, and no rule at all.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::model::audit::{Broken, compare};
use crate::model::{AreaId, Extent, Look, RefusalReason, RuleOrder, Sink, Step};

use super::super::rules::{End, Layers, Rule};
use super::coalescing::Index;
use super::ground::{Ground, Wanted};

/// The lowest hole that fits.
#[derive(Debug, Clone)]
pub(super) struct Lowest;

impl Index for Lowest {
    fn new(_layers: &Layers, _arena: Extent, _page_size: u64) -> Self {
        Self
    }

    fn find<S: Sink>(&self, ground: &Ground, wanted: &Wanted, sink: &mut S) -> Option<(AreaId, u64)> {
        sink.step(|| Step::RuleBegun { order: RuleOrder::Upwards });
        ground.lowest_fit(wanted, u64::MAX, sink)
    }
}

/// The lowest hole that fits above the rover, then the lowest one.
///
/// The rover is where the area placed last ended. What comes back around it moves it down to the start of the hole.
#[derive(Debug, Clone)]
pub(super) struct Next {
    rover: u64,
    arena: Extent,
}

impl Index for Next {
    fn new(_layers: &Layers, arena: Extent, _page_size: u64) -> Self {
        Self { rover: arena.start(), arena }
    }

    fn find<S: Sink>(&self, ground: &Ground, wanted: &Wanted, sink: &mut S) -> Option<(AreaId, u64)> {
        let rover = self.rover;
        sink.step(|| Step::RuleBegun { order: RuleOrder::FromRover { rover } });
        let above = Wanted { low: wanted.low.max(rover), ..*wanted };
        if let Some(found) = ground.lowest_fit(&above, u64::MAX, sink) {
            return Some(found);
        }
        if rover <= wanted.low {
            return None;
        }
        sink.step(|| Step::RuleBegun { order: RuleOrder::Wrapped { rover } });
        ground.lowest_fit(wanted, rover, sink)
    }

    fn placed<S: Sink>(&mut self, area: Extent, _sink: &mut S) {
        self.rover = area.end();
    }

    fn merged<S: Sink>(&mut self, hole: Extent, sink: &mut S) {
        if hole.start() < self.rover && self.rover < hole.end() {
            self.rover = hole.start();
            sink.step(|| Step::RoverMoved { to: self.rover });
        }
    }

    fn write(&self, out: &mut dyn Write) -> std::fmt::Result {
        writeln!(out, "R {:x}", self.rover)
    }

    fn audit(&self, _holes: &[Extent]) -> Result<(), Broken> {
        let is_inside = self.arena.start() <= self.rover && self.rover <= self.arena.end();
        compare("rovers inside their arena", u64::from(is_inside), 1)
    }
}

/// Holes by length: the shortest or the longest first, of equals the lowest.
#[derive(Debug, Clone)]
pub(super) struct BySize {
    /// Rank and start.
    holes: BTreeSet<(u64, u64)>,
    longest: bool,
    end: End,
}

impl BySize {
    /// What comes first has the smallest rank.
    fn rank(&self, bytes: u64) -> u64 {
        if self.longest { !bytes } else { bytes }
    }

    fn key(&self, hole: Extent) -> (u64, u64) {
        (self.rank(hole.len_bytes()), hole.start())
    }

    fn start_in(&self, wanted: &Wanted, hole: Extent) -> Option<u64> {
        match self.end {
            End::Low => wanted.start_in(hole),
            End::High => wanted.highest_in(hole),
        }
    }

    /// The holes that reach over an end of the window: what counts of them is the part inside.
    fn clipped(ground: &Ground, wanted: &Wanted) -> Vec<Extent> {
        let at = |addr| ground.hole_at(addr).map(|(_, hole)| hole);
        let mut found: Vec<Extent> = [at(wanted.low), wanted.high.checked_sub(1).and_then(at)]
            .into_iter()
            .flatten()
            .filter(|hole| hole.start() < wanted.low || wanted.high < hole.end())
            .collect();
        found.dedup();
        found
    }

    /// The first hole in rank order that lies wholly inside the window and fits, if its rank is below `limit`.
    fn first_inside<S: Sink>(&self, wanted: &Wanted, limit: (u64, u64), sink: &mut S) -> Option<((u64, u64), Extent)> {
        let from = if self.longest { (0, 0) } else { (wanted.size, 0) };
        for &(rank, start) in self.holes.range(from..limit) {
            let bytes = if self.longest { !rank } else { rank };
            if bytes < wanted.size {
                return None;
            }
            let Some(hole) = Extent::sized(start, bytes) else { continue };
            if start < wanted.low || wanted.high < hole.end() {
                // Of another window, or judged before.
                continue;
            }
            if self.start_in(wanted, hole).is_some() {
                return Some(((rank, start), hole));
            }
            sink.step(|| Step::Looked { hole, look: Look::NoFit });
        }
        None
    }
}

impl Index for BySize {
    fn new(layers: &Layers, _arena: Extent, _page_size: u64) -> Self {
        let end = match layers.rule {
            Rule::BestFit { end } => end,
            _ => End::Low,
        };
        Self { holes: BTreeSet::new(), longest: layers.rule == Rule::WorstFit, end }
    }

    fn added(&mut self, hole: Extent) {
        self.holes.insert(self.key(hole));
    }

    fn removed(&mut self, hole: Extent) {
        self.holes.remove(&self.key(hole));
    }

    fn find<S: Sink>(&self, ground: &Ground, wanted: &Wanted, sink: &mut S) -> Option<(AreaId, u64)> {
        let order = if self.longest { RuleOrder::Longest } else { RuleOrder::Shortest };
        sink.step(|| Step::RuleBegun { order });
        let mut best: Option<((u64, u64), Extent)> = None;
        for hole in Self::clipped(ground, wanted) {
            let Some(part) = wanted.clip(hole).filter(|&part| self.start_in(wanted, part).is_some()) else {
                sink.step(|| Step::Looked { hole, look: Look::NoFit });
                continue;
            };
            let key = self.key(part);
            let is_better = best.is_none_or(|(best, _)| key < best);
            let loser = if is_better { best.replace((key, hole)).map(|(_, hole)| hole) } else { Some(hole) };
            if let Some(hole) = loser {
                sink.step(|| Step::Looked { hole, look: Look::Worse });
            }
        }
        let limit = best.map_or((u64::MAX, u64::MAX), |(key, _)| key);
        if let Some(inside) = self.first_inside(wanted, limit, sink)
            && let Some((_, hole)) = best.replace(inside)
        {
            sink.step(|| Step::Looked { hole, look: Look::Worse });
        }
        let (_, hole) = best?;
        sink.step(|| Step::Looked { hole, look: Look::Taken });
        let (id, _) = ground.hole_at(hole.start())?;
        Some((id, self.start_in(wanted, hole)?))
    }

    fn audit(&self, holes: &[Extent]) -> Result<(), Broken> {
        let again: BTreeSet<(u64, u64)> = holes.iter().map(|&hole| self.key(hole)).collect();
        compare("holes by length", self.holes.len() as u64, again.len() as u64)?;
        compare("holes by length that are holes", self.holes.intersection(&again).count() as u64, again.len() as u64)
    }

    fn heap_bytes(&self) -> u64 {
        // A node of such a set is at least half full.
        (self.holes.len() * size_of::<(u64, u64)>() * 3 / 2) as u64
    }
}

/// No rule: areas lie where the trace says, and the rest is kept like in first fit.
#[derive(Debug, Clone)]
pub(super) struct Told;

impl Index for Told {
    const REFUSAL: RefusalReason = RefusalReason::NotRecorded;

    fn new(_layers: &Layers, _arena: Extent, _page_size: u64) -> Self {
        Self
    }

    fn find<S: Sink>(&self, _ground: &Ground, _wanted: &Wanted, _sink: &mut S) -> Option<(AreaId, u64)> {
        None
    }
}
