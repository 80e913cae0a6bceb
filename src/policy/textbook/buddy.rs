//! [`Buddy`]: blocks of a power of two of pages, naturally aligned, halved and joined again.
//!
//! A block of order `k` has `2^k` pages and an address that is a multiple of its length; its buddy is the other half of
//! the block of the next order. An area without trimming owns its block, and what it does not need is slack:
//!
//! ```text
//!   |######################....|   6 pages in a block of order 3: two are slack, or given back by trimming
//! ```
//!
//! A range of at least [`WHOLE_FROM`] top blocks is rounded inwards to whole ones; a shorter one is cut into the naturally
//! aligned blocks there are, so that nothing of it is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::model::audit::{Broken, compare};
use crate::model::search::align_up;
use crate::model::{Extent, Fit, Look, Merge, Placement, RuleOrder, Sink, Source, Step};

use super::super::rules::{Guard, Layers, Rule};
use super::ground::{Ground, Wanted};
use super::placing::{Opened, Placing};

/// Order of the largest block: 4 GiB with pages of 4 KiB.
const TOP_ORDER: u32 = 20;
/// Top blocks from which on a range is rounded to whole ones: at most an eighth of it is lost.
const WHOLE_FROM: u64 = 16;
/// Top blocks an arena may have: one that is larger has larger ones.
const MAX_TOP_BLOCKS: u64 = 1 << 14;

/// One arena.
#[derive(Debug, Clone)]
pub(super) struct Buddy {
    arena: Extent,
    page_size: u64,
    top: u32,
    guard: Guard,
    trims: bool,
    /// Starts of the free blocks, by order.
    free: Vec<BTreeSet<u64>>,
    /// Blocks that areas own: start to order and to the end of the area.
    owned: BTreeMap<u64, (u32, u64)>,
}

impl Buddy {
    fn bytes(&self, order: u32) -> u64 {
        self.page_size << order
    }

    fn block(&self, start: u64, order: u32) -> Option<Extent> {
        Extent::sized(start, self.bytes(order))
    }

    /// The order a request needs.
    fn order_of(&self, wanted: &Wanted) -> Option<u32> {
        let pages = match self.guard {
            Guard::Outside => (wanted.pages - 1).max(1),
            _ => wanted.pages,
        };
        let order = pages.max(wanted.align / self.page_size).checked_next_power_of_two()?.ilog2();
        (order <= self.top).then_some(order)
    }

    /// The lowest block of `order`, cut out of the lowest block of the smallest order that has one for the window.
    fn lowest(&self, order: u32, wanted: &Wanted) -> Option<(u64, u32, u64)> {
        let bytes = self.bytes(order);
        (order..=self.top).find_map(|from| {
            let reach = wanted.low.saturating_sub(self.bytes(from) - 1);
            self.free[from as usize].range(reach..wanted.high.max(reach)).find_map(|&start| {
                let place = align_up(start.max(wanted.low), bytes);
                let end = place.checked_add(bytes)?;
                (start <= place && end <= wanted.high.min(start + self.bytes(from))).then_some((start, from, place))
            })
        })
    }

    fn add(&mut self, ground: &mut Ground, start: u64, order: u32) {
        if let Some(block) = self.block(start, order) {
            self.free[order as usize].insert(start);
            ground.add_hole(block);
        }
    }

    fn remove(&mut self, ground: &mut Ground, start: u64, order: u32) {
        self.free[order as usize].remove(&start);
        if let Some((id, _)) = ground.hole_starting(start) {
            ground.drop_hole(id);
        }
    }

    /// Order of the free block that starts at an address.
    fn order_at(&self, start: u64) -> Option<u32> {
        (0..=self.top).find(|&order| self.free[order as usize].contains(&start))
    }

    /// A block comes back and is joined with its buddy as long as that is free. Answers what it is part of now.
    fn give_block<S: Sink>(&mut self, ground: &mut Ground, start: u64, order: u32, sink: &mut S) -> (u64, u32) {
        let (mut start, mut order) = (start, order);
        while order < self.top && self.free[order as usize].contains(&(start ^ self.bytes(order))) {
            let buddy = start ^ self.bytes(order);
            self.remove(ground, buddy, order);
            start = start.min(buddy);
            order += 1;
            sink.step(|| Step::Joined { block: self.block(start, order).expect("a block is never empty") });
        }
        self.add(ground, start, order);
        (start, order)
    }

    /// The naturally aligned blocks of a range, from its low end; of a page that is not wholly inside nothing.
    fn pieces(&self, start: u64, end: u64) -> impl Iterator<Item = (u64, u32)> + use<> {
        let (page, top) = (self.page_size, self.top);
        let mut at = align_up(start, page);
        let end = end & !(page - 1);
        std::iter::from_fn(move || {
            let left = end.checked_sub(at).filter(|&left| page <= left)?;
            let natural = (at / page).trailing_zeros();
            let order = natural.min((left / page).ilog2()).min(top);
            let piece = (at, order);
            at += page << order;
            Some(piece)
        })
    }

    fn give_range<S: Sink>(&mut self, ground: &mut Ground, start: u64, end: u64, sink: &mut S) -> Option<(u64, u32)> {
        let mut last = None;
        for (start, order) in self.pieces(start, end) {
            last = Some(self.give_block(ground, start, order, sink));
        }
        last
    }
}

impl Placing for Buddy {
    fn open(layers: &Layers, arena: Extent, ground: &mut Ground) -> Option<Opened<Self>> {
        let page_size = ground.page_size;
        let pages = ground.pages(arena);
        let mut top = TOP_ORDER;
        while MAX_TOP_BLOCKS < pages >> top {
            top += 1;
        }
        let unit = if WHOLE_FROM <= pages >> top { page_size << top } else { page_size };
        let start = arena.start().checked_add(unit - 1)? & !(unit - 1);
        let arena = Extent::new(start, arena.end() & !(unit - 1))?;
        let mut new = Self {
            arena,
            page_size,
            top,
            guard: layers.guard,
            trims: layers.rule == Rule::Buddy { trims: true },
            free: vec![BTreeSet::new(); top as usize + 1],
            owned: BTreeMap::new(),
        };
        for (start, order) in new.pieces(arena.start(), arena.end()) {
            new.add(ground, start, order);
        }
        Some(Opened { arena, placing: new })
    }

    fn find<S: Sink>(&self, ground: &Ground, wanted: &Wanted, sink: &mut S) -> Option<Placement> {
        let order = self.order_of(wanted)?;
        sink.step(|| Step::RuleBegun { order: RuleOrder::Blocks { order } });
        let (block, _, place) = self.lowest(order, wanted)?;
        let (hole, extent) = ground.hole_starting(block)?;
        sink.step(|| Step::Looked { hole: extent, look: Look::Taken });
        Some(Placement { start: place, source: Source::Tree { hole } })
    }

    fn take<S: Sink>(
        &mut self,
        ground: &mut Ground,
        wanted: &Wanted,
        found: Placement,
        sink: &mut S,
    ) -> Option<Extent> {
        let order = self.order_of(wanted)?;
        let (mut start, mut from, place) = self.lowest(order, wanted).filter(|&(.., place)| place == found.start)?;
        self.remove(ground, start, from);
        while order < from {
            sink.step(|| Step::Halved { block: self.block(start, from).expect("a block is never empty") });
            from -= 1;
            let upper = start + self.bytes(from);
            if place < upper {
                self.add(ground, upper, from);
            } else {
                self.add(ground, start, from);
                start = upper;
            }
        }
        let hole = self.block(place, order)?;
        let placed = Extent::sized(place, wanted.size.min(hole.len_bytes()))?;
        let fit = if placed == hole { Fit::Full } else { Fit::LeftEdge };
        sink.step(|| Step::Clipped { hole, placed, fit });
        if self.trims {
            self.give_range(ground, placed.end(), hole.end(), sink);
        } else {
            self.owned.insert(place, (order, placed.end()));
        }
        Some(placed)
    }

    fn give<S: Sink>(&mut self, ground: &mut Ground, extent: Extent, _owner: u32, sink: &mut S) {
        let joined = match self.owned.remove(&extent.start()) {
            Some((order, _)) => Some(self.give_block(ground, extent.start(), order, sink)),
            None => {
                let inside = extent.intersection(self.arena);
                inside.and_then(|inside| self.give_range(ground, inside.start(), inside.end(), sink))
            }
        };
        let Some(hole) = joined.and_then(|(start, order)| self.block(start, order)) else { return };
        let merge = match (hole.start() < extent.start(), extent.end() < hole.end()) {
            (false, false) => Merge::None,
            (false, true) => Merge::Next,
            (true, false) => Merge::Previous,
            (true, true) => Merge::Both,
        };
        sink.step(|| Step::Returned { extent, hole, merge });
    }

    fn carve(&mut self, ground: &mut Ground, extent: Extent) {
        // Blocks that areas own, as far as the range takes of their slack.
        let below = self.owned.range(..extent.end()).rev();
        let reached: Vec<(u64, u32, u64)> = below
            .take_while(|&(&start, _)| extent.start() < start.saturating_add(self.bytes(self.top)))
            .filter(|&(&start, &(order, _))| extent.start() < start + self.bytes(order))
            .map(|(&start, &(order, end))| (start, order, end))
            .collect();
        for (start, order, end) in reached {
            self.owned.remove(&start);
            let limit = start + self.bytes(order);
            // What is left of the slack comes back at once, as if it had been trimmed.
            self.give_range(ground, end, limit.min(extent.start() & !(self.page_size - 1)), &mut ());
            self.give_range(ground, end.max(extent.end()), limit, &mut ());
        }
        loop {
            let Some((_, hole)) = ground.holes_in(extent).find(|(_, hole)| self.arena.contains(*hole)) else { return };
            let Some(order) = self.order_at(hole.start()) else { return };
            self.remove(ground, hole.start(), order);
            for (from, to) in [(hole.start(), extent.start()), (extent.end(), hole.end())] {
                for (start, order) in self.pieces(from.max(hole.start()), to.min(hole.end())) {
                    self.add(ground, start, order);
                }
            }
        }
    }

    fn visit_slack(&self, visit: &mut dyn FnMut(Extent)) {
        for (&start, &(order, end)) in &self.owned {
            if let Some(slack) = Extent::new(end, start + self.bytes(order)) {
                visit(slack);
            }
        }
    }

    fn write(&self, _ground: &Ground, out: &mut dyn Write) -> std::fmt::Result {
        for (start, (order, _)) in &self.owned {
            writeln!(out, "o {start:x} {order}")?;
        }
        Ok(())
    }

    fn audit(&self, ground: &Ground) -> Result<(), Broken> {
        let holes: Vec<Extent> = ground.holes_in(self.arena).map(|(_, hole)| hole).collect();
        let listed: u64 = self.free.iter().map(|list| list.len() as u64).sum();
        compare("free blocks", listed, holes.len() as u64)?;
        for hole in holes {
            let (start, pages) = (hole.start(), ground.pages(hole));
            let is_block = pages.is_power_of_two() && start.is_multiple_of(hole.len_bytes());
            compare("holes that are blocks", u64::from(is_block), 1)?;
            let order = pages.ilog2();
            let is_listed = self.free.get(order as usize).is_some_and(|list| list.contains(&start));
            compare("free blocks in the list of their order", u64::from(is_listed), 1)?;
            let has_free_buddy = order < self.top && self.free[order as usize].contains(&(start ^ self.bytes(order)));
            if has_free_buddy {
                return Err(Broken::Unmerged { at: start });
            }
        }
        for (&start, &(order, end)) in &self.owned {
            let is_whole = start.is_multiple_of(self.bytes(order)) && end <= start + self.bytes(order) && start < end;
            compare("blocks of areas that are blocks", u64::from(is_whole), 1)?;
        }
        Ok(())
    }

    fn heap_bytes(&self) -> u64 {
        // A node of such a set is at least half full.
        let listed: usize = self.free.iter().map(BTreeSet::len).sum();
        ((listed * 8 + self.owned.len() * size_of::<(u64, u32, u64)>()) * 3 / 2) as u64
    }
}
