//! Entries of areas: mapped with the tables they need, cleared again.

use super::ops::tell;
use super::{Backed, Mapping, Memory, MemoryAnswer};
use crate::model::extent::Extent;
use crate::model::frames::{FrameRun, PageStrategy, ZoneKind};
use crate::model::page_table::{MapError, Mapped};
use crate::model::stage::{Fault, MapFailure, Stage};
use crate::model::step::Steps;

impl Memory {
    /// As a request does it: without frames for the tables it stops.
    pub(super) fn map_within(
        &mut self,
        backed: &mut Backed,
        extent: Extent,
        mapping: Mapping,
        fault: Option<Fault>,
        steps: &mut Option<&mut Steps>,
    ) -> MemoryAnswer {
        let missing = self.tables.tables_of(extent).missing.total();
        let most = match fault {
            _ if missing == 0 => 0,
            Some(Fault::Tables(n)) => self.tables_to_be_had().min(n.into()),
            _ => self.tables_to_be_had(),
        };
        let fault = match fault {
            Some(Fault::Pages(_)) => fault,
            _ if missing <= most => None,
            _ => Some(Fault::Tables(u32::try_from(most).unwrap_or(u32::MAX))),
        };
        let answer = self.map(backed, extent, mapping, fault, steps);
        backed.usage.pages = backed.mapped_pages;
        answer
    }

    /// Pages behind the entries that were written.
    fn pages_of(&self, done: &Mapped) -> u64 {
        let levels = self.arch.geometry.levels;
        let page_shift = u32::from(self.page_shift());
        levels.iter().enumerate().map(|(depth, level)| done.leaves[depth] << (level.shift - page_shift)).sum()
    }

    /// Writes the entries, and takes frames for the tables they need.
    pub(super) fn map(
        &mut self,
        backed: &mut Backed,
        extent: Extent,
        mapping: Mapping,
        fault: Option<Fault>,
        steps: &mut Option<&mut Steps>,
    ) -> MemoryAnswer {
        let result = match (mapping, fault) {
            (Mapping::Small, Some(Fault::Pages(at))) => self.tables.map_pages_until(extent, at.into()),
            (Mapping::Small, Some(Fault::Tables(n))) => self.tables.map_pages_with_tables(extent, n.into()),
            (Mapping::Small, _) => self.tables.map_pages(extent),
            (Mapping::Device { .. } | Mapping::Huge { .. }, Some(Fault::Tables(most))) => {
                self.map_large_with_tables(backed, extent, mapping, most.into())
            }
            (Mapping::Device { .. } | Mapping::Huge { .. }, _) => self.map_large(backed, extent, mapping),
        };
        let pages = extent.len_bytes() / self.page_size();
        match result {
            Ok(mapped) => {
                self.note_mapped(backed, pages, mapping, &mapped);
                tell(steps, || Stage::Mapped(mapped));
                answer(&mapped, true)
            }
            Err(error) => {
                let done = error.done().copied().unwrap_or_else(|| Mapped::nothing(extent));
                self.note_mapped(backed, self.pages_of(&done), mapping, &done);
                tell(steps, || Stage::MapFailed { done, why: failure(&error) });
                answer(&done, false)
            }
        }
    }

    /// By the largest entries that fit.
    fn map_large(&mut self, backed: &Backed, extent: Extent, mapping: Mapping) -> Result<Mapped, MapError> {
        match mapping {
            Mapping::Device { phys } => self.tables.map_range(extent, phys, self.arch.largest_shift()),
            Mapping::Huge { shift } => self.map_huge(backed, extent, shift),
            Mapping::Small => self.tables.map_pages(extent),
        }
    }

    /// The same with so many new tables at most. How many it needs is known when it is done: it is tried on a copy, and
    /// where they are too few the walk stops at once.
    fn map_large_with_tables(
        &mut self,
        backed: &Backed,
        extent: Extent,
        mapping: Mapping,
        most: u64,
    ) -> Result<Mapped, MapError> {
        let before = self.tables.clone();
        let result = self.map_large(backed, extent, mapping);
        let done = match &result {
            Ok(done) => Some(done),
            Err(error) => error.done(),
        };
        let Some(lacking) = done.filter(|done| most < done.new_tables.total()).map(|done| done.new_tables) else {
            return result;
        };
        self.tables = before;
        let levels = self.arch.geometry.levels;
        let level = (0..levels.len()).find(|&depth| lacking[depth] > 0).map_or("", |depth| levels[depth].name);
        Err(MapError::NoTable { addr: extent.start(), level, done: Box::new(Mapped::nothing(extent)) })
    }

    /// Tables there is memory for. They are not made of high memory.
    fn tables_to_be_had(&self) -> u64 {
        let low = self.frames.zones().into_iter().filter(|zone| zone.kind <= ZoneKind::Normal);
        low.map(|zone| zone.free_pages).sum::<u64>().saturating_sub(self.counted_pages) / self.pages_of_table()
    }

    fn pages_of_table(&self) -> u64 {
        self.arch.geometry.table_bytes.div_ceil(self.page_size()).max(1)
    }

    /// Each block by itself, with the frames that belong to it. What has no frames of its own, as in a trace, is one
    /// walk: there can be more of it than anybody would wait for.
    fn map_huge(&mut self, backed: &Backed, extent: Extent, shift: u8) -> Result<Mapped, MapError> {
        let page_shift = self.page_shift();
        let (step, mut at) = (1_u64 << shift, extent.start());
        let mut all = Mapped::nothing(extent);
        let mut frames = self.runs.iter(backed.runs).flat_map(|run| {
            let per_block = 1_u64 << (shift - page_shift);
            (0..run.n / per_block).map(move |block| run.first + block * per_block)
        });
        loop {
            let frame = frames.next();
            let left = extent.end() - at;
            let Some(part) = Extent::sized(at, if frame.is_some() { step.min(left) } else { left }) else { break };
            match self.tables.map_range(part, frame.map_or(0, |frame| frame << page_shift), shift.into()) {
                Ok(mapped) => all.add(&mapped),
                Err(error) => {
                    all.add(error.done().unwrap_or(&Mapped::nothing(part)));
                    return Err(error.with_done(all));
                }
            }
            at = part.end();
        }
        Ok(all)
    }

    fn note_mapped(&mut self, backed: &mut Backed, pages: u64, mapping: Mapping, mapped: &Mapped) {
        if mapped.new_tables.total() + mapped.freed_tables.total() > 0 {
            self.take_table_frames(mapped);
        }
        backed.mapped_pages = pages;
        match mapping {
            Mapping::Device { phys } => backed.usage.phys = Some(phys),
            Mapping::Huge { shift } => backed.usage.page_shift = shift,
            Mapping::Small => {}
        }
    }

    /// The frames of new tables, and of those that went.
    fn take_table_frames(&mut self, mapped: &Mapped) {
        let pages_of_one = self.pages_of_table();
        let new = mapped.new_tables.total();
        if new > 0 {
            let pages = new * pages_of_one;
            let (limit, how) = (ZoneKind::Normal, PageStrategy::Single);
            let told = self.frames.alloc_bulk(pages, limit, how, &mut self.table_frames);
            // Only a trace can have mapped what the model has no memory for.
            self.missing_pages += pages - told.got;
        }
        let mut freed = mapped.freed_tables.total() * pages_of_one;
        while freed > 0
            && let Some(last) = self.table_frames.last_mut()
        {
            let n = freed.min(last.n);
            let run = FrameRun { first: last.end() - n, n };
            last.n -= n;
            if last.n == 0 {
                self.table_frames.pop();
            }
            freed -= n;
            let given = self.frames.free(run);
            debug_assert!(given.is_ok(), "frames of page tables are in use");
        }
    }

    pub(super) fn unmap(&mut self, extent: Extent, steps: &mut Option<&mut Steps>) {
        let unmapped = self.tables.unmap(extent);
        tell(steps, || Stage::Unmapped(unmapped));
    }
}

fn answer(mapped: &Mapped, whole: bool) -> MemoryAnswer {
    let new_tables = u32::try_from(mapped.new_tables.total()).unwrap_or(u32::MAX);
    MemoryAnswer::Mapped { whole, new_tables, mod_mask: mapped.mod_mask, syncs: mapped.sync.is_some() }
}

fn failure(error: &MapError) -> MapFailure {
    match *error {
        MapError::Busy { addr, .. } => MapFailure::Busy { addr },
        MapError::NoPage { addr, .. } => MapFailure::NoPage { addr },
        MapError::NoTable { addr, level, .. } => MapFailure::NoTable { addr, level },
        _ => MapFailure::BadRange,
    }
}
