//! The walks that map: by small pages, and a physical range.

use super::arch::Collision;
use super::mapped::{MapError, Mapped, ModMask, sync_of};
use super::tables::PageTables;
use crate::model::extent::Extent;

/// A walk that stopped before this page, because it is mapped already.
#[derive(Clone, Copy)]
struct BusyPage(u64);

/// What a range mapping passes down.
#[derive(Clone, Copy)]
struct Target {
    /// Physical page less virtual page.
    delta: u64,
    /// Largest leaf, as a power of two of bytes.
    max_shift: u32,
}

impl PageTables {
    /// Maps every page of `extent` (the guard is not part of it), allocating tables as needed: `vmap_pages_range` and
    /// `vmap_small_pages_range`, `map_vm_area`, `vmalloc_area_pages`.
    ///
    /// # Errors
    /// [`MapError::Busy`] where a page is mapped and the release refuses that: what was written before stays.
    /// [`MapError::Unaligned`] and [`MapError::Beyond`] before anything is done.
    pub fn map_pages(&mut self, extent: Extent) -> Result<Mapped, MapError> {
        let (from, to) = self.checked_pages(extent)?;
        let mut done = Mapped::nothing(extent);
        if self.n_levels == 0 {
            return Ok(done);
        }
        if self.map_in_one_table(from, to) {
            self.count_ptes(to - from, 0, &mut done);
            done.sync = sync_of(&self.rules, done.mod_mask, extent);
            return Ok(done);
        }
        let ended = self.map_small(from, to, &mut done);
        self.finish(done, ended)
    }

    /// As [`Self::map_pages`], but the page with that index (from 0) could not be allocated. Its tables are there, its
    /// entry is not written, and the ones before stay (`alloc_area_pte`, `vmap_pte_range`).
    ///
    /// # Errors
    /// [`MapError::NoPage`] unless the extent has fewer pages, and those of [`Self::map_pages`].
    pub fn map_pages_until(&mut self, extent: Extent, failing_page: u64) -> Result<Mapped, MapError> {
        let (from, to) = self.checked_pages(extent)?;
        if self.n_levels == 0 || to - from <= failing_page {
            return self.map_pages(extent);
        }
        let mut done = Mapped::nothing(extent);
        let page = from + failing_page;
        if let Err(busy) = self.map_small(from, page, &mut done) {
            return self.finish(done, Err(busy));
        }
        if self.stopper(page, page + 1).is_some() {
            return self.finish(done, Err(BusyPage(page)));
        }
        self.add_tables(self.pte(), page, page + 1, &mut done);
        let done = Box::new(self.finish(done, Ok(()))?);
        Err(MapError::NoPage { addr: page << self.page_shift, done })
    }

    /// As [`Self::map_pages`], but only `n_tables` tables can be allocated. Tables that were stay.
    ///
    /// # Errors
    /// [`MapError::NoTable`] if more are needed, and those of [`Self::map_pages`].
    pub fn map_pages_with_tables(&mut self, extent: Extent, n_tables: u64) -> Result<Mapped, MapError> {
        let (from, to) = self.checked_pages(extent)?;
        if self.n_levels == 0 || self.missing_tables(from, to) <= n_tables {
            return self.map_pages(extent);
        }
        // The first PTE table that goes beyond what there is. All before it can be mapped.
        let shift = self.table_shift();
        let (mut low, mut high) = (from >> shift, (to - 1) >> shift);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.missing_tables(from, (middle + 1) << shift) <= n_tables { low = middle + 1 } else { high = middle }
        }
        let page = from.max(low << shift);
        let mut done = Mapped::nothing(extent);
        if let Err(busy) = self.map_small(from, page, &mut done) {
            return self.finish(done, Err(busy));
        }
        if self.stopper(page, page + 1).is_some() {
            return self.finish(done, Err(BusyPage(page)));
        }
        for depth in 1..self.n_levels {
            let missing = !self.is_preallocated[depth] && !self.tables[depth].contains(self.table_of(depth, page));
            if missing && done.new_tables.total() == n_tables {
                let done = Box::new(self.finish(done, Ok(()))?);
                let level = self.rules.geometry.levels[depth].name;
                return Err(MapError::NoTable { addr: page << self.page_shift, level, done });
            }
            self.add_tables(depth, page, page + 1, &mut done);
        }
        self.map_small(page, to, &mut done)
            .map_or_else(|busy| self.finish(done, Err(busy)), |()| self.finish(done, Ok(())))
    }

    /// Maps a physical range, with huge leaves where both addresses and the rest of the range allow it and the release
    /// has them: `vmap_range_noflush`, `ioremap_page_range`; once per block for a huge `vmalloc`. `max_shift` is the
    /// largest leaf asked for, as a power of two of bytes. Tables below a new huge leaf are freed if nothing is mapped
    /// through them; else the walk descends.
    ///
    /// # Errors
    /// As [`Self::map_pages`], and [`MapError::Physical`].
    pub fn map_range(&mut self, extent: Extent, phys: u64, max_shift: u32) -> Result<Mapped, MapError> {
        let (from, to) = self.checked_pages(extent)?;
        let is_aligned = phys & (self.rules.geometry.page_size - 1) == 0;
        if !is_aligned || phys.checked_add(extent.len_bytes()).is_none() {
            return Err(MapError::Physical { extent, phys });
        }
        let mut done = Mapped::nothing(extent);
        if self.n_levels == 0 {
            return Ok(done);
        }
        // Physical less virtual may wrap: only its low bits count.
        let target = Target { delta: (phys >> self.page_shift).wrapping_sub(from), max_shift };
        let ended = self.map_level(0, from, to, target, &mut done);
        self.finish(done, ended)
    }

    /// The pages of an extent that can be mapped.
    fn checked_pages(&self, extent: Extent) -> Result<(u64, u64), MapError> {
        let geometry = self.rules.geometry;
        let (start, last) = (extent.start(), extent.end() - 1);
        if (start | extent.end()) & (geometry.page_size - 1) != 0 {
            return Err(MapError::Unaligned { extent, page_size: geometry.page_size });
        }
        if let Some(top) = geometry.levels.first() {
            let bits = top.shift + top.entries.trailing_zeros();
            let space = |addr: u64| addr.checked_shr(bits).unwrap_or(0);
            let is_above_32_bit = bits == u32::BITS && space(start) != 0;
            if space(start) != space(last) || is_above_32_bit {
                return Err(MapError::Beyond { extent, title: geometry.title });
            }
        }
        Ok(self.pages(extent))
    }

    fn finish(&self, mut done: Mapped, ended: Result<(), BusyPage>) -> Result<Mapped, MapError> {
        done.sync = sync_of(&self.rules, done.mod_mask, done.extent);
        match ended {
            Ok(()) => Ok(done),
            Err(BusyPage(page)) => Err(MapError::Busy { addr: page << self.page_shift, done: Box::new(done) }),
        }
    }

    /// The first page of `from..to` at which a mapping by small pages stops. Releases that overwrite stop at a huge
    /// leaf only, which none of them has.
    fn stopper(&self, from: u64, to: u64) -> Option<u64> {
        let leaf =
            if self.rules.collision == Collision::Busy { self.first_leaf(from, to) } else { self.first_huge(from, to) };
        leaf.map(|(_, page)| page)
    }

    /// Maps pages `from..to`, which may be none, up to the first that is mapped.
    fn map_small(&mut self, from: u64, to: u64, done: &mut Mapped) -> Result<(), BusyPage> {
        if to <= from {
            return Ok(());
        }
        let stop = self.stopper(from, to);
        let end = stop.unwrap_or(to);
        if from < end {
            self.add_tables(self.pte(), from, end, done);
            let overwritten = self.set_ptes(from, end);
            self.count_ptes(end - from, overwritten, done);
        }
        stop.map_or(Ok(()), |page| Err(BusyPage(page)))
    }

    /// Nearly every area: a few pages of a table that has others. There is no need to look at the tables above.
    #[inline]
    fn map_in_one_table(&mut self, from: u64, to: u64) -> bool {
        let shift = self.table_shift();
        let table = from >> shift;
        if (to - 1) >> shift != table {
            return false;
        }
        let Some(slot) = self.bitmaps.find(table) else { return false };
        let (low, high) = ((from - (table << shift)) as usize, (to - (table << shift)) as usize);
        let is_free = self.bitmaps.first_set(slot, low, high).is_none();
        if is_free {
            self.bitmaps.set(slot, low, high);
        }
        is_free
    }

    #[inline]
    fn count_ptes(&mut self, written: u64, overwritten: u64, done: &mut Mapped) {
        let pte = self.pte();
        self.work += 1;
        done.leaves[pte] += written;
        done.overwritten += overwritten;
        done.mod_mask |= ModMask::PTE;
        self.leaves[pte] += written - overwritten;
    }

    /// Maps pages `from..to` by entries of level `depth` and below.
    fn map_level(
        &mut self,
        depth: usize,
        from: u64,
        to: u64,
        target: Target,
        done: &mut Mapped,
    ) -> Result<(), BusyPage> {
        if to <= from {
            return Ok(());
        }
        if depth == self.pte() {
            return self.map_ptes(from, to, target, done);
        }
        let size = 1 << self.page_shifts[depth];
        let may_be_huge = self.rules.may_be_huge(depth)
            && self.rules.geometry.levels[depth].shift <= target.max_shift
            && target.delta & (size - 1) == 0
            && !self.is_preallocated[depth + 1];
        let (first, end) = (from.next_multiple_of(size), to & !(size - 1));
        if !may_be_huge || end <= first {
            return self.map_level(depth + 1, from, to, target, done);
        }
        self.map_level(depth + 1, from, first, target, done)?;
        let mut page = first;
        while page < end {
            // Whole entries up to the first that has something mapped below it, or is a leaf.
            let leaf = self.first_leaf(page, end);
            let clear_to = leaf.map_or(end, |(_, at)| at & !(size - 1));
            if page < clear_to {
                self.set_huge(depth, page, clear_to, done);
            }
            page = clear_to;
            if let Some((leaf_depth, at)) = leaf {
                if leaf_depth <= depth {
                    return Err(BusyPage(at));
                }
                self.map_level(depth + 1, page, page + size, target, done)?;
                page += size;
            }
        }
        self.map_level(depth + 1, end, to, target, done)
    }

    /// Maps by PTEs, in contiguous blocks where the release sets them.
    fn map_ptes(&mut self, from: u64, to: u64, target: Target, done: &mut Mapped) -> Result<(), BusyPage> {
        let ended = self.map_small(from, to, done);
        let Some(shift) = self.rules.contiguous_shift.filter(|&shift| shift <= target.max_shift) else { return ended };
        let size = 1 << (shift - self.page_shift);
        let written_to = ended.as_ref().map_or_else(|busy| busy.0, |()| to);
        let (first, end) = (from.next_multiple_of(size), written_to & !(size - 1));
        if first < end && target.delta & (size - 1) == 0 {
            self.contiguous.add(first / size, end / size - 1);
            done.contiguous += end - first;
        }
        ended
    }

    /// Makes the tables of levels 1 to `depth` exist for pages `from..to`. Tables hang from tables: if all of a level
    /// are there, so are those above.
    fn add_tables(&mut self, depth: usize, from: u64, to: u64, done: &mut Mapped) {
        for depth in (1..=depth).rev().filter(|&depth| !self.is_preallocated[depth]) {
            let (first, last) = (self.table_of(depth, from), self.table_of(depth, to - 1));
            self.work += 1;
            let added = self.tables[depth].add(first, last);
            if added == 0 {
                return;
            }
            done.new_tables[depth] += added;
            done.mod_mask |= ModMask::above_pte(self.n_levels - depth);
        }
    }

    /// Tables that small pages `from..to` need and that do not exist.
    fn missing_tables(&self, from: u64, to: u64) -> u64 {
        let levels = (1..self.n_levels).filter(|&depth| !self.is_preallocated[depth]);
        let missing = levels.map(|depth| {
            let (first, last) = (self.table_of(depth, from), self.table_of(depth, to - 1));
            last - first + 1 - self.tables[depth].count_in(first, last)
        });
        missing.sum()
    }

    /// Makes entries of pages `from..to`, which have no leaf below, huge leaves.
    fn set_huge(&mut self, depth: usize, from: u64, to: u64, done: &mut Mapped) {
        for lower in depth + 1..self.n_levels {
            let (first, last) = (self.table_of(lower, from), self.table_of(lower, to - 1));
            done.freed_tables[lower] += self.tables[lower].remove(first, last);
            self.work += 1;
        }
        self.add_tables(depth, from, to, done);
        let shift = self.page_shifts[depth];
        let added = self.huge[depth].add(from >> shift, (to - 1) >> shift);
        done.leaves[depth] += added;
        self.leaves[depth] += added;
        done.mod_mask |= ModMask::above_pte(self.pte() - depth);
    }
}
