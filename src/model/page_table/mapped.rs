//! What a walk did: [`Mapped`], [`Unmapped`], [`MapError`], and the stages of a walk for telling it.

use std::fmt;
use std::ops::{Index, IndexMut};

use super::arch::{ArchRules, Propagation, SyncKind, SyncRule};
use crate::model::extent::Extent;

/// Levels of the deepest walk.
pub const MAX_LEVELS: usize = 5;

/// One count per level of a geometry, from the top; levels a geometry does not have stay 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerLevel(pub [u64; MAX_LEVELS]);

impl PerLevel {
    /// Over all levels.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl Index<usize> for PerLevel {
    type Output = u64;

    fn index(&self, depth: usize) -> &u64 {
        &self.0[depth]
    }
}

impl IndexMut<usize> for PerLevel {
    fn index_mut(&mut self, depth: usize) -> &mut u64 {
        &mut self.0[depth]
    }
}

impl std::ops::AddAssign for PerLevel {
    fn add_assign(&mut self, other: Self) {
        for (mine, more) in self.0.iter_mut().zip(other.0) {
            *mine += more;
        }
    }
}

/// `pgtbl_mod_mask`: the levels at which a walk changed an entry.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct ModMask(pub u8);

impl ModMask {
    /// `PGTBL_PGD_MODIFIED`: a P4D table was attached.
    pub const PGD: Self = Self(1);
    /// `PGTBL_P4D_MODIFIED`: a PUD table was attached.
    pub const P4D: Self = Self(2);
    /// `PGTBL_PUD_MODIFIED`: a PMD table was attached, a huge leaf set or cleared.
    pub const PUD: Self = Self(4);
    /// `PGTBL_PMD_MODIFIED`: a PTE table was attached, a huge leaf set or cleared.
    pub const PMD: Self = Self(8);
    /// `PGTBL_PTE_MODIFIED`: entries were written or cleared.
    pub const PTE: Self = Self(16);

    /// The kernel's names, from the top, with their bits.
    pub const NAMES: [(&'static str, Self); MAX_LEVELS] =
        [("PGD", Self::PGD), ("P4D", Self::P4D), ("PUD", Self::PUD), ("PMD", Self::PMD), ("PTE", Self::PTE)];

    /// The bit of an entry that many levels above the lowest. A folded level has no entry of its own, and the entry
    /// above stands for the lowest level folded into it: a new PTE table sets the PMD bit even with two levels.
    pub fn above_pte(levels: usize) -> Self {
        Self(Self::PTE.0 >> levels)
    }

    /// Do both have a bit in common?
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl std::ops::BitOrAssign for ModMask {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Display for ModMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Self::NAMES.iter().filter(|(_, bit)| self.meets(*bit)).map(|(name, _)| *name).collect();
        f.write_str(if names.is_empty() { "0" } else { "" })?;
        f.write_str(&names.join("|"))
    }
}

impl fmt::Debug for ModMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The call of `arch_sync_kernel_mappings` that follows a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sync {
    /// What it does.
    pub kind: SyncKind,
    /// From where to where it goes: the range of the walk, on i386 up to `VMALLOC_END`.
    pub extent: Extent,
    /// Entries it looks at, in every process's table. 0 where only a number is bumped.
    pub n_entries: u64,
}

/// What a mapping did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapped {
    /// What was asked for.
    pub extent: Extent,
    /// Tables allocated, by level of the table.
    pub new_tables: PerLevel,
    /// Tables freed because a huge leaf took their place.
    pub freed_tables: PerLevel,
    /// Entries written as leaves, by level of the entry.
    pub leaves: PerLevel,
    /// PTEs among them that belong to contiguous blocks.
    pub contiguous: u64,
    /// PTEs among them that were set before: the page was mapped twice, in a release that goes on.
    pub overwritten: u64,
    /// `pgtbl_mod_mask`.
    pub mod_mask: ModMask,
    /// The sync that follows, if any.
    pub sync: Option<Sync>,
}

/// What an unmapping did. No table is ever freed by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unmapped {
    /// What was asked for.
    pub extent: Extent,
    /// Leaves cleared, by level of the entry.
    pub leaves: PerLevel,
    /// PTEs among them that belonged to contiguous blocks.
    pub contiguous: u64,
    /// Huge leaves (or contiguous blocks) that the range covered only in part. A huge leaf goes as a whole then, which
    /// is a bug of who asked; of a contiguous block the PTEs in the range go, and the others stay as single pages.
    pub partly_covered: u64,
    /// `pgtbl_mod_mask`.
    pub mod_mask: ModMask,
    /// The sync that follows, if any.
    pub sync: Option<Sync>,
}

/// A mapping that did not come about. Whatever was written before stays: the caller's free clears it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// The range does not begin and end at a page.
    #[error("cannot map {extent}: it does not begin and end at a page of {page_size} bytes")]
    Unaligned {
        /// The range.
        extent: Extent,
        /// Bytes in a page.
        page_size: u64,
    },
    /// The range is more than one top table can translate.
    #[error("cannot map {extent}: it goes beyond the addresses of {title}")]
    Beyond {
        /// The range.
        extent: Extent,
        /// The geometry's name.
        title: &'static str,
    },
    /// The physical range does not begin at a page or leaves the address space.
    #[error("cannot map {extent} to physical 0x{phys:x}")]
    Physical {
        /// The range.
        extent: Extent,
        /// Where it should begin.
        phys: u64,
    },
    /// `-EBUSY`: an entry is already set.
    #[error("0x{addr:016x} is already mapped")]
    Busy {
        /// The page.
        addr: u64,
        /// What was done before.
        done: Box<Mapped>,
    },
    /// `-ENOMEM`: a page was missing; its entry is not written.
    #[error("no page for 0x{addr:016x}")]
    NoPage {
        /// The page.
        addr: u64,
        /// What was done before.
        done: Box<Mapped>,
    },
    /// `-ENOMEM`: a table could not be allocated.
    #[error("no {level} table for 0x{addr:016x}")]
    NoTable {
        /// The page it was for.
        addr: u64,
        /// Level of the table.
        level: &'static str,
        /// What was done before.
        done: Box<Mapped>,
    },
}

impl MapError {
    /// The same error after more was done.
    #[must_use]
    pub(in crate::model) fn with_done(mut self, all: Mapped) -> Self {
        if let Self::Busy { done, .. } | Self::NoPage { done, .. } | Self::NoTable { done, .. } = &mut self {
            **done = all;
        }
        self
    }

    /// What was done before the error, if anything can have been.
    pub fn done(&self) -> Option<&Mapped> {
        match self {
            Self::Busy { done, .. } | Self::NoPage { done, .. } | Self::NoTable { done, .. } => Some(done),
            Self::Unaligned { .. } | Self::Beyond { .. } | Self::Physical { .. } => None,
        }
    }
}

/// One level of a walk, for telling it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalkStage {
    /// The kernel's name of the level.
    pub level: &'static str,
    /// Level of the geometry whose entries are looked at, from the top.
    pub depth: usize,
    /// The level is folded away: its entries are those of the top once more.
    pub is_folded: bool,
    /// The function, in the words of the release; `None` where it has none for this level.
    pub function: Option<&'static str>,
    /// Start of the first entry looked at.
    pub first: u64,
    /// Start of the last entry looked at.
    pub last: u64,
    /// Entries looked at.
    pub n_entries: u64,
    /// Tables of the level below that were allocated here and attached to entries of this level.
    pub new_tables: u64,
    /// Leaves written or cleared at this level.
    pub leaves: u64,
}

impl Mapped {
    /// Adds what a further walk did; the extent stays.
    pub(in crate::model) fn add(&mut self, more: &Self) {
        self.new_tables += more.new_tables;
        self.freed_tables += more.freed_tables;
        self.leaves += more.leaves;
        self.contiguous += more.contiguous;
        self.overwritten += more.overwritten;
        self.mod_mask |= more.mod_mask;
        self.sync = more.sync.or(self.sync);
    }

    pub(in crate::model) fn nothing(extent: Extent) -> Self {
        Self {
            extent,
            new_tables: PerLevel::default(),
            freed_tables: PerLevel::default(),
            leaves: PerLevel::default(),
            contiguous: 0,
            overwritten: 0,
            mod_mask: ModMask::default(),
            sync: None,
        }
    }

    /// The walk, level by level from the top, of a mapping by small pages.
    pub fn stages(&self, rules: &ArchRules) -> impl Iterator<Item = WalkStage> {
        stages(rules, &rules.names.map, self.extent, self.new_tables, self.leaves)
    }

    /// The walk, level by level from the top, of a mapping of a physical range.
    pub fn range_stages(&self, rules: &ArchRules) -> impl Iterator<Item = WalkStage> {
        stages(rules, &rules.names.map_range, self.extent, self.new_tables, self.leaves)
    }
}

impl Unmapped {
    pub(super) fn nothing(extent: Extent) -> Self {
        let leaves = PerLevel::default();
        Self { extent, leaves, contiguous: 0, partly_covered: 0, mod_mask: ModMask::default(), sync: None }
    }

    /// The walk, level by level from the top.
    pub fn stages(&self, rules: &ArchRules) -> impl Iterator<Item = WalkStage> {
        stages(rules, &rules.names.unmap, self.extent, PerLevel::default(), self.leaves)
    }
}

fn stages(
    rules: &ArchRules,
    names: &'static [Option<&'static str>; MAX_LEVELS],
    extent: Extent,
    new_tables: PerLevel,
    leaves: PerLevel,
) -> impl Iterator<Item = WalkStage> + use<> {
    let levels = rules.geometry.levels;
    let n_levels = levels.len();
    // From the PGD down, named from the bottom up: a level that is folded away looks at the top entries once more.
    (0..if n_levels == 0 { 0 } else { MAX_LEVELS }).rev().filter_map(move |height| {
        let depth = (n_levels - 1).saturating_sub(height);
        let is_own = height + depth + 1 == n_levels;
        let is_top = height == MAX_LEVELS - 1;
        let is_folded = depth == 0 && !is_top;
        if is_folded && names[height].is_none() {
            return None;
        }
        let shift = levels[depth].shift;
        let (first, last) = (extent.start() >> shift, (extent.end() - 1) >> shift);
        Some(WalkStage {
            level: ModMask::NAMES[MAX_LEVELS - 1 - height].0,
            depth,
            is_folded,
            function: names[height],
            first: first << shift,
            last: last << shift,
            n_entries: last - first + 1,
            new_tables: if is_own && depth + 1 < n_levels { new_tables[depth + 1] } else { 0 },
            leaves: if is_own { leaves[depth] } else { 0 },
        })
    })
}

/// The sync that a walk over `extent` is followed by.
pub(super) fn sync_of(rules: &ArchRules, mod_mask: ModMask, extent: Extent) -> Option<Sync> {
    let Propagation::Sync(SyncRule { mask, kind }) = rules.propagation else { return None };
    if !mod_mask.meets(mask) {
        return None;
    }
    let levels = rules.geometry.levels;
    let extent = match (kind, rules.vmalloc) {
        (SyncKind::CopyPmd, Some(vmalloc)) => Extent::new(extent.start(), vmalloc.end())?,
        // The function is called, and does nothing outside the vmalloc range.
        (SyncKind::BumpSequence, Some(vmalloc)) if !vmalloc.overlaps(extent) => return None,
        _ => extent,
    };
    let shift = match kind {
        SyncKind::CopyPgd => levels[0].shift,
        SyncKind::CopyPmd => levels[levels.len() - 2].shift,
        SyncKind::BumpSequence => return Some(Sync { kind, extent, n_entries: 0 }),
    };
    let n_entries = ((extent.end() - 1) >> shift) - (extent.start() >> shift) + 1;
    Some(Sync { kind, extent, n_entries })
}
