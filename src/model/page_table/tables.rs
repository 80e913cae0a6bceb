//! [`PageTables`]: which tables exist and which entries are set.

use super::arch::ArchRules;
use super::bitmaps::Bitmaps;
use super::mapped::{MAX_LEVELS, PerLevel};
use super::runs::Runs;
use crate::model::extent::Extent;

/// Kernel page tables: which tables exist and which entries are set, not where they point.
///
/// Memory is in proportion to the tables that exist one by one; tables filled or allocated by one large mapping are
/// runs. Walks take and give whole runs of entries: no operation loops over pages.
///
/// ```text
///   PTE table    absent   not in `tables`
///                empty    in `tables`, not in `used`
///                partly   in both, with a bitmap
///                full     in both, with or without a bitmap
/// ```
///
/// Numbers: a *page* is an address by the page size, an *entry* of a level an address by the bytes the entry covers. A
/// table has the number of the entry above that it hangs from.
#[derive(Debug)]
pub struct PageTables {
    pub(super) rules: ArchRules,
    /// Levels of the geometry.
    pub(super) n_levels: usize,
    /// Pages an entry covers, as a power of two, by level.
    pub(super) page_shifts: [u32; MAX_LEVELS],
    pub(super) page_shift: u32,
    /// Levels whose tables exist from boot: they are not in `tables`.
    pub(super) is_preallocated: [bool; MAX_LEVELS],
    /// Tables that exist, by level of the table. The top stays empty: its table is always there.
    pub(super) tables: [Runs; MAX_LEVELS],
    /// Entries that are huge leaves, by level. Never above a table.
    pub(super) huge: [Runs; MAX_LEVELS],
    /// PTE tables with at least one entry set.
    pub(super) used: Runs,
    pub(super) bitmaps: Bitmaps,
    /// Blocks of contiguous PTEs, by their own number. Their PTEs are set like others.
    pub(super) contiguous: Runs,
    /// Leaves set, by level.
    pub(super) leaves: PerLevel,
    /// Blocks handled so far: what a walk costs.
    pub(super) work: u64,
}

impl Clone for PageTables {
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.rules);
        copy.clone_from(self);
        copy
    }

    /// Reuses the memory that is there: checkpoints are taken often.
    fn clone_from(&mut self, source: &Self) {
        self.rules = source.rules;
        self.n_levels = source.n_levels;
        self.page_shifts = source.page_shifts;
        self.page_shift = source.page_shift;
        self.is_preallocated = source.is_preallocated;
        self.tables.clone_from(&source.tables);
        self.huge.clone_from(&source.huge);
        self.used.clone_from(&source.used);
        self.bitmaps.clone_from(&source.bitmaps);
        self.contiguous.clone_from(&source.contiguous);
        self.leaves = source.leaves;
        self.work = source.work;
    }
}

impl PageTables {
    /// The tables after boot: those that exist already are not counted.
    pub fn new(rules: ArchRules) -> Self {
        let levels = rules.geometry.levels;
        let page_shift = rules.geometry.page_size.trailing_zeros();
        let mut page_shifts = [0; MAX_LEVELS];
        let mut is_preallocated = [true; MAX_LEVELS];
        for (depth, level) in levels.iter().enumerate() {
            page_shifts[depth] = level.shift - page_shift;
            is_preallocated[depth] = rules.is_preallocated(depth);
        }
        Self {
            rules,
            n_levels: levels.len(),
            page_shifts,
            page_shift,
            is_preallocated,
            tables: Default::default(),
            huge: Default::default(),
            used: Runs::default(),
            bitmaps: Bitmaps::new(levels.last().map_or(0, |level| level.entries)),
            contiguous: Runs::default(),
            leaves: PerLevel::default(),
            work: 0,
        }
    }

    /// The rules.
    pub fn rules(&self) -> &ArchRules {
        &self.rules
    }

    /// Tables allocated and not freed, by level of the table. Those from boot are not among them.
    pub fn tables(&self) -> PerLevel {
        let mut tables = PerLevel::default();
        for (depth, runs) in self.tables.iter().enumerate() {
            tables[depth] = runs.count();
        }
        tables
    }

    /// Tables allocated and not freed, all levels.
    pub fn count(&self) -> u64 {
        self.tables().total()
    }

    /// Bytes of those tables.
    pub fn table_bytes(&self) -> u64 {
        self.count() * self.rules.geometry.table_bytes
    }

    /// Leaves set, by level of the entry.
    pub fn leaves(&self) -> PerLevel {
        self.leaves
    }

    /// Bytes that are mapped.
    pub fn mapped_bytes(&self) -> u64 {
        let levels = self.rules.geometry.levels.iter().enumerate();
        levels.map(|(depth, level)| self.leaves[depth] << level.shift).sum()
    }

    /// Memory held, in bytes.
    pub fn heap_bytes(&self) -> u64 {
        let runs = self.tables.iter().chain(&self.huge).chain([&self.used, &self.contiguous]);
        runs.map(Runs::heap_bytes).sum::<u64>() + self.bitmaps.heap_bytes()
    }

    /// Runs of tables and entries handled since the start: what the walks have cost, whatever the clock says.
    pub fn work(&self) -> u64 {
        self.work
    }

    /// The pages of an extent, rounded outwards.
    pub(super) fn pages(&self, extent: Extent) -> (u64, u64) {
        (extent.start() >> self.page_shift, ((extent.end() - 1) >> self.page_shift) + 1)
    }

    /// Level of the PTEs.
    pub(super) fn pte(&self) -> usize {
        self.n_levels - 1
    }

    /// Pages a PTE table covers, as a power of two.
    pub(super) fn table_shift(&self) -> u32 {
        self.page_shifts[self.n_levels - 2]
    }

    /// Number of the table of a level that a page's walk passes.
    pub(super) fn table_of(&self, depth: usize, page: u64) -> u64 {
        page >> self.page_shifts[depth - 1]
    }

    /// The first leaf in pages `from..to`: level of its entry and its first page in that range.
    pub(super) fn first_leaf(&self, from: u64, to: u64) -> Option<(usize, u64)> {
        let pte = self.first_pte(from, to).map(|page| (self.pte(), page));
        let huge = self.first_huge(from, to);
        pte.into_iter().chain(huge).min_by_key(|&(_, page)| page)
    }

    /// The first huge leaf in pages `from..to`: level of its entry and its first page in that range.
    pub(super) fn first_huge(&self, from: u64, to: u64) -> Option<(usize, u64)> {
        let of_level = |depth: usize| {
            let shift = self.page_shifts[depth];
            let (entry, _) = self.huge[depth].next_run(from >> shift, (to - 1) >> shift)?;
            Some((depth, (entry << shift).max(from)))
        };
        let levels = (0..self.pte()).filter(|&depth| !self.huge[depth].is_empty());
        levels.filter_map(of_level).min_by_key(|&(_, page)| page)
    }
}
