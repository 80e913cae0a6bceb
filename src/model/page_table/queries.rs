//! Questions to [`PageTables`]: entries of a table, the leaf of an address, what an extent needs and shares.

use super::mapped::PerLevel;
use super::tables::PageTables;
use crate::model::extent::Extent;

/// What an entry of a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// Nothing.
    None,
    /// A table of the level below.
    Table,
    /// A huge leaf.
    Huge,
    /// A page.
    Page,
    /// A page of a block of contiguous entries.
    Contiguous,
}

/// The leaf that maps an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// Level of the entry, from the top.
    pub depth: usize,
    /// What it is: never `None` and never `Table`.
    pub kind: EntryKind,
    /// What it maps; of a contiguous block all of it.
    pub extent: Extent,
}

/// Tables that an extent touches, by level of the table. Those from boot are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExtentTables {
    /// All that small pages over the whole extent need.
    pub needed: PerLevel,
    /// Those among them that do not exist: what a mapping would allocate.
    pub missing: PerLevel,
    /// Those that exist and also map something outside the extent.
    pub shared: PerLevel,
}

impl PageTables {
    /// Is the address mapped?
    pub fn is_mapped(&self, addr: u64) -> bool {
        self.leaf_of(addr).is_some()
    }

    /// Is anything in the extent mapped?
    pub fn maps_any(&self, extent: Extent) -> bool {
        if self.n_levels == 0 {
            return false;
        }
        let (from, to) = self.pages(extent);
        self.first_leaf(from, to).is_some()
    }

    /// The leaf that maps an address.
    pub fn leaf_of(&self, addr: u64) -> Option<Leaf> {
        if self.n_levels == 0 {
            return None;
        }
        let page = addr >> self.page_shift;
        let (depth, _) = self.first_leaf(page, page + 1)?;
        let level = self.rules.geometry.levels[depth];
        let (kind, shift) = match self.rules.contiguous_shift {
            _ if depth < self.pte() => (EntryKind::Huge, level.shift),
            Some(shift) if self.contiguous.contains(addr >> shift) => (EntryKind::Contiguous, shift),
            _ => (EntryKind::Page, level.shift),
        };
        // The last leaf of the address space ends where no extent can: one byte less stands for it.
        let start = addr >> shift << shift;
        let extent = Extent::new(start, start.saturating_add(1 << shift))?;
        Some(Leaf { depth, kind, extent })
    }

    /// Does the table of a level that a walk of `addr` passes exist? One from boot does within the vmalloc range, and
    /// where something below it does.
    pub fn has_table(&self, depth: usize, addr: u64) -> bool {
        if self.n_levels <= depth {
            return false;
        }
        if depth == 0 {
            return true;
        }
        let page = addr >> self.page_shift;
        if !self.is_preallocated[depth] {
            return self.tables[depth].contains(self.table_of(depth, page));
        }
        let shift = self.page_shifts[depth - 1];
        let (from, to) = (page >> shift << shift, ((page >> shift) + 1) << shift);
        let block = |addr: u64| addr >> self.page_shift >> shift;
        let is_from_boot = self
            .rules
            .preallocated_range()
            .is_some_and(|range| (block(range.start())..=block(range.end() - 1)).contains(&(page >> shift)));
        is_from_boot || self.has_tables_below(depth, from, to) || self.first_leaf(from, to).is_some()
    }

    fn has_tables_below(&self, depth: usize, from: u64, to: u64) -> bool {
        (depth + 1..self.n_levels).any(|lower| {
            self.tables[lower].next_run(self.table_of(lower, from), self.table_of(lower, to - 1)).is_some()
        })
    }

    /// What each entry holds of the table of a level that a walk of `addr` passes, in order. `None` if there is no
    /// such table.
    pub fn slots(&self, depth: usize, addr: u64) -> Option<Vec<EntryKind>> {
        if !self.has_table(depth, addr) {
            return None;
        }
        let level = self.rules.geometry.levels[depth];
        let first = (addr >> level.shift) & !(level.entries - 1);
        Some((first..=first + (level.entries - 1)).map(|entry| self.entry(depth, entry << level.shift)).collect())
    }

    /// What the entry of a level that a walk of `addr` passes holds.
    pub fn entry(&self, depth: usize, addr: u64) -> EntryKind {
        if self.n_levels <= depth {
            return EntryKind::None;
        }
        let level = self.rules.geometry.levels[depth];
        if depth == self.pte() {
            return self.leaf_of(addr).filter(|leaf| leaf.depth == depth).map_or(EntryKind::None, |leaf| leaf.kind);
        }
        match self.huge[depth].contains(addr >> level.shift) {
            true => EntryKind::Huge,
            false if self.has_table(depth + 1, addr) => EntryKind::Table,
            false => EntryKind::None,
        }
    }

    /// The tables an extent touches, and whom it shares them with. Changes nothing.
    pub fn tables_of(&self, extent: Extent) -> ExtentTables {
        let mut found = ExtentTables::default();
        if self.n_levels == 0 {
            return found;
        }
        let (from, to) = self.pages(extent);
        for depth in (1..self.n_levels).filter(|&depth| !self.is_preallocated[depth]) {
            let (first, last) = (self.table_of(depth, from), self.table_of(depth, to - 1));
            let existing = self.tables[depth].count_in(first, last);
            found.needed[depth] = last - first + 1;
            found.missing[depth] = last - first + 1 - existing;
            // Tables in the middle map nothing but the extent.
            let shift = self.page_shifts[depth - 1];
            let has_leaf = |from: u64, to: u64| from < to && self.first_leaf(from, to).is_some();
            let below = has_leaf(first << shift, from);
            let above = has_leaf(to, (last + 1) << shift);
            let below = below && self.tables[depth].contains(first);
            let above = above && self.tables[depth].contains(last);
            found.shared[depth] =
                if first == last { u64::from(below || above) } else { u64::from(below) + u64::from(above) };
        }
        found
    }
}
