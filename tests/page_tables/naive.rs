//! Page tables as trees of arrays, walked entry by entry: slow and plain.

use vmaplens::model::Extent;
use vmaplens::model::page_table::{ArchRules, Collision, EntryKind, MAX_LEVELS, Mapped, ModMask, PerLevel, Unmapped};

/// An entry.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    Empty,
    Page,
    Contiguous,
    Huge,
    Table(Vec<Entry>),
}

/// The first page at which a mapping failed.
pub(crate) type Busy = u64;

/// One top table and what hangs from it, at `base`.
#[derive(Debug, Clone)]
pub(crate) struct Naive {
    pub(crate) rules: ArchRules,
    pub(crate) base: u64,
    pub(crate) top: Vec<Entry>,
}

/// What a walk did, in the terms of the real one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) new_tables: PerLevel,
    pub(crate) freed_tables: PerLevel,
    pub(crate) leaves: PerLevel,
    pub(crate) contiguous: u64,
    pub(crate) overwritten: u64,
    pub(crate) partly_covered: u64,
    pub(crate) mask: u8,
}

impl From<&Mapped> for Done {
    fn from(from: &Mapped) -> Self {
        let Mapped { new_tables, freed_tables, leaves, contiguous, overwritten, mod_mask, .. } = *from;
        Self { new_tables, freed_tables, leaves, contiguous, overwritten, partly_covered: 0, mask: mod_mask.0 }
    }
}

impl From<&Unmapped> for Done {
    fn from(from: &Unmapped) -> Self {
        let Unmapped { leaves, contiguous, partly_covered, mod_mask, .. } = *from;
        Self { leaves, contiguous, partly_covered, mask: mod_mask.0, ..Self::default() }
    }
}

impl Entry {
    fn has_leaf(&self) -> bool {
        match self {
            Self::Empty => false,
            Self::Table(entries) => entries.iter().any(Self::has_leaf),
            _ => true,
        }
    }

    fn kind(&self) -> EntryKind {
        match self {
            Self::Empty => EntryKind::None,
            Self::Page => EntryKind::Page,
            Self::Contiguous => EntryKind::Contiguous,
            Self::Huge => EntryKind::Huge,
            Self::Table(_) => EntryKind::Table,
        }
    }

    fn count(&self, depth: usize, tables: &mut PerLevel, leaves: &mut PerLevel) {
        match self {
            Self::Empty => {}
            Self::Table(entries) => {
                tables[depth + 1] += 1;
                for entry in entries {
                    entry.count(depth + 1, tables, leaves);
                }
            }
            _ => leaves[depth] += 1,
        }
    }
}

impl Naive {
    pub(crate) fn new(rules: ArchRules, base: u64) -> Self {
        Self { rules, base, top: table_from_boot(&rules, 0) }
    }

    /// Tables below the top, preallocated ones included, and leaves.
    pub(crate) fn counts(&self) -> (PerLevel, PerLevel) {
        let (mut tables, mut leaves) = Default::default();
        for entry in &self.top {
            entry.count(0, &mut tables, &mut leaves);
        }
        (tables, leaves)
    }

    fn pte(&self) -> usize {
        self.rules.geometry.levels.len() - 1
    }

    fn is_preallocated(&self, depth: usize) -> bool {
        self.rules.preallocates && self.rules.geometry.levels[depth].preallocated
    }

    fn index(&self, depth: usize, addr: u64) -> usize {
        let level = self.rules.geometry.levels[depth];
        ((addr >> level.shift) % level.entries) as usize
    }

    /// The table of a level that a walk of `addr` passes.
    pub(crate) fn table(&self, depth: usize, addr: u64) -> Option<&Vec<Entry>> {
        let mut table = &self.top;
        for upper in 0..depth {
            match &table[self.index(upper, addr)] {
                Entry::Table(lower) => table = lower,
                _ => return None,
            }
        }
        Some(table)
    }

    pub(crate) fn kinds(&self, depth: usize, addr: u64) -> Option<Vec<EntryKind>> {
        Some(self.table(depth, addr)?.iter().map(Entry::kind).collect())
    }

    /// The entry of a level, its tables allocated.
    fn entry(&mut self, depth: usize, addr: u64, done: &mut Done) -> Result<&mut Entry, ()> {
        let indices: Vec<usize> = (0..=depth).map(|upper| self.index(upper, addr)).collect();
        let levels = self.rules.geometry.levels;
        let counted: Vec<bool> = (0..=depth).map(|upper| !self.is_preallocated(upper)).collect();
        let mut table = &mut self.top;
        for upper in 0..depth {
            let entry = &mut table[indices[upper]];
            if matches!(entry, Entry::Empty) {
                *entry = Entry::Table(vec![Entry::Empty; levels[upper + 1].entries as usize]);
                if counted[upper + 1] {
                    done.new_tables[upper + 1] += 1;
                    done.mask |= bit(levels.len(), upper);
                }
            }
            match entry {
                Entry::Table(lower) => table = lower,
                _ => return Err(()),
            }
        }
        Ok(&mut table[indices[depth]])
    }

    /// Maps page by page.
    pub(crate) fn map_pages(&mut self, extent: Extent) -> (Done, Option<Busy>) {
        let mut done = Done::default();
        let busy = self.map_ptes(extent.start(), extent.end(), None, &mut done);
        (done, busy)
    }

    fn map_ptes(&mut self, start: u64, end: u64, target: Option<(u64, u32)>, done: &mut Done) -> Option<Busy> {
        let page = self.rules.geometry.page_size;
        let (pte, overwrites) = (self.pte(), self.rules.collision != Collision::Busy);
        let n_levels = pte + 1;
        let mut addr = start;
        while addr < end {
            let block = self.rules.contiguous_shift.filter(|&shift| {
                let size = 1_u64 << shift;
                let phys = target.map_or(1, |(delta, _)| addr.wrapping_add(delta));
                target.is_some_and(|(_, max)| shift <= max)
                    && size <= end - addr
                    && addr.is_multiple_of(size)
                    && phys.is_multiple_of(size)
            });
            let n_pages = block.map_or(1, |shift| (1 << shift) / page);
            // A block counts as one only if all of it could be written.
            for at in (0..n_pages).map(|index| addr + index * page) {
                let mut tables = Done::default();
                let Ok(entry) = self.entry(pte, at, &mut tables) else { return Some(at) };
                let was_set = !matches!(entry, Entry::Empty);
                if was_set && !overwrites {
                    return Some(at);
                }
                *entry = Entry::Page;
                done.new_tables += tables.new_tables;
                done.overwritten += u64::from(was_set);
                done.leaves[pte] += 1;
                done.mask |= tables.mask | bit(n_levels, pte);
            }
            if block.is_some() {
                for at in (0..n_pages).map(|index| addr + index * page) {
                    let entry = self.entry(pte, at, done).expect("just written");
                    *entry = Entry::Contiguous;
                }
                done.contiguous += n_pages;
            }
            addr += n_pages * page;
        }
        None
    }

    /// Maps a physical range by the six rules, entry by entry.
    pub(crate) fn map_range(&mut self, extent: Extent, phys: u64, max_shift: u32) -> (Done, Option<Busy>) {
        let mut done = Done::default();
        let delta = phys.wrapping_sub(extent.start());
        let busy = self.map_level(0, extent.start(), extent.end(), (delta, max_shift), &mut done);
        (done, busy)
    }

    fn map_level(&mut self, depth: usize, start: u64, end: u64, target: (u64, u32), done: &mut Done) -> Option<Busy> {
        if depth == self.pte() {
            return self.map_ptes(start, end, Some(target), done);
        }
        let (shift, n_levels) = (self.rules.geometry.levels[depth].shift, self.pte() + 1);
        let size = 1_u64 << shift;
        let mut addr = start;
        while addr < end {
            let next = addr + (end - addr).min(size - addr % size);
            let fits = self.rules.may_be_huge(depth)
                && shift <= target.1
                && next - addr == size
                && addr.is_multiple_of(size)
                && addr.wrapping_add(target.0).is_multiple_of(size)
                && !self.is_preallocated(depth + 1);
            // Looked at without allocating anything.
            let there = self.table(depth, addr).map(|table| table[self.index(depth, addr)].clone());
            let takes = fits && there.as_ref().is_none_or(|entry| !entry.has_leaf());
            if let Some(Entry::Huge) = there {
                return Some(addr);
            }
            if takes {
                if let Some(entry) = &there {
                    let (mut tables, mut leaves) = Default::default();
                    entry.count(depth, &mut tables, &mut leaves);
                    done.freed_tables += tables;
                }
                let Ok(entry) = self.entry(depth, addr, done) else { return Some(addr) };
                *entry = Entry::Huge;
                done.leaves[depth] += 1;
                done.mask |= bit(n_levels, depth);
            } else if let Some(busy) = self.map_level(depth + 1, addr, next, target, done) {
                return Some(busy);
            }
            addr = next;
        }
        None
    }

    /// Clears page by page; a huge leaf goes as a whole.
    pub(crate) fn unmap(&mut self, extent: Extent) -> Done {
        let mut done = Done::default();
        let (page, levels) = (self.rules.geometry.page_size, self.rules.geometry.levels);
        let covers = |start: u64, size: u64| extent.start() <= start && start + (size - 1) < extent.end();
        let mut cut_blocks = Vec::new();
        let mut addr = extent.start();
        while addr < extent.end() {
            for depth in 0..levels.len() {
                let index = self.index(depth, addr);
                let size = 1 << levels[depth].shift;
                let Some(kind) = self.table(depth, addr).map(|table| table[index].kind()) else { break };
                match kind {
                    EntryKind::None | EntryKind::Table => continue,
                    EntryKind::Huge => done.partly_covered += u64::from(!covers(addr / size * size, size)),
                    EntryKind::Page => {}
                    EntryKind::Contiguous => {
                        done.contiguous += 1;
                        let size = 1_u64 << self.rules.contiguous_shift.expect("a block");
                        let start = addr / size * size;
                        if !covers(start, size) && !cut_blocks.contains(&start) {
                            cut_blocks.push(start);
                        }
                    }
                }
                *self.entry(depth, addr, &mut Done::default()).expect("it is there") = Entry::Empty;
                done.leaves[depth] += 1;
                done.mask |= bit(levels.len(), depth);
            }
            addr += page;
        }
        done.partly_covered += cut_blocks.len() as u64;
        for start in cut_blocks {
            let size = 1_u64 << self.rules.contiguous_shift.expect("a block");
            for at in (start..start + size).step_by(page as usize) {
                let entry = self.entry(self.pte(), at, &mut Done::default()).expect("it is there");
                if matches!(entry, Entry::Contiguous) {
                    *entry = Entry::Page;
                }
            }
        }
        done
    }
}

/// A new table of a level, with the tables below it that exist from boot.
fn table_from_boot(rules: &ArchRules, depth: usize) -> Vec<Entry> {
    let levels = rules.geometry.levels;
    let has_lower = rules.preallocates && levels.get(depth + 1).is_some_and(|level| level.preallocated);
    let entry = || if has_lower { Entry::Table(table_from_boot(rules, depth + 1)) } else { Entry::Empty };
    (0..levels[depth].entries).map(|_| entry()).collect()
}

/// The bit of an entry of a level, counted from the lowest.
fn bit(n_levels: usize, depth: usize) -> u8 {
    ModMask::NAMES[MAX_LEVELS - (n_levels - depth)].1.0
}
