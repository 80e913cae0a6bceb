//! [`ArchRules`]: what an architecture and a release do with kernel page tables, as data.
//!
//! The function that fills them from a release is `policy::arch_rules`.

use super::mapped::{MAX_LEVELS, ModMask, PerLevel};
use super::{Family, Geometry};
use crate::model::extent::Extent;

/// What a mapping does when an entry is already set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collision {
    /// Says "page already exists" and overwrites (`alloc_area_pte`, 2.4).
    SaysAndOverwrites,
    /// `WARN_ON`, and overwrites (2.6 before the tree of areas).
    WarnsAndOverwrites,
    /// `-EBUSY`: entries written before stay.
    Busy,
}

/// When the entries of a freed area are cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClearsAt {
    /// With the free itself.
    Free,
    /// Only when the lazily freed area is purged.
    Purge,
}

/// How a new kernel entry reaches the top tables of processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// Nothing to do: one kernel table for all, or the tables below the top exist from boot.
    None,
    /// By faults: a process copies the missing entry when it meets it (x86 and i386 before the sync function).
    Faults,
    /// `arch_sync_kernel_mappings`, called by the walk.
    Sync(SyncRule),
}

/// When the sync function follows a walk, and what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncRule {
    /// `ARCH_PAGE_TABLE_SYNC_MASK`.
    pub mask: ModMask,
    /// What is done.
    pub kind: SyncKind,
}

/// What `arch_sync_kernel_mappings` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncKind {
    /// Copies missing top entries to every process, per PGD entry of the range (x86-64).
    CopyPgd,
    /// Copies PMD entries to every process, from the start to `VMALLOC_END`: the end of the range is ignored (i386).
    CopyPmd,
    /// Bumps a sequence number; a task copies the vmalloc part of the table when it sees that (arm).
    BumpSequence,
}

/// How many pages a range flush takes one by one before everything is flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlbRule {
    /// More pages than this flush everything. `None`: a range is always flushed as such.
    pub most_pages: Option<u64>,
}

/// How the TLB is flushed for a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlbFlush {
    /// Page by page.
    Pages(u64),
    /// Everything.
    All,
}

impl TlbRule {
    /// The flush of `extent`, holes included (`flush_tlb_kernel_range`).
    pub fn flush(self, extent: Extent, page_size: u64) -> TlbFlush {
        let pages = extent.len_bytes().div_ceil(page_size);
        match self.most_pages {
            Some(most) if most < pages => TlbFlush::All,
            _ => TlbFlush::Pages(pages),
        }
    }
}

/// The functions of a walk by level, in the words of a release. Index 0 is the PTE level, then PMD, PUD, P4D, PGD;
/// `None` where the release has no function for a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalkNames {
    /// Maps by small pages.
    pub map: [Option<&'static str>; MAX_LEVELS],
    /// Maps a range of physical addresses (`ioremap`, huge vmalloc).
    pub map_range: [Option<&'static str>; MAX_LEVELS],
    /// Clears.
    pub unmap: [Option<&'static str>; MAX_LEVELS],
}

/// What an architecture and a release do with kernel page tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchRules {
    /// The levels.
    pub geometry: &'static Geometry,
    /// The vmalloc range: where tables exist from boot, and how far i386 syncs. `None`: not known.
    pub vmalloc: Option<Extent>,
    /// A PUD entry may be a leaf.
    pub huge_pud: bool,
    /// A PMD entry may be a leaf.
    pub huge_pmd: bool,
    /// Bytes of a block of contiguous PTEs, as a power of two, where range mappings set them.
    pub contiguous_shift: Option<u32>,
    /// `vmalloc` itself may use huge leaves (`HAVE_ARCH_HUGE_VMALLOC`).
    pub huge_vmalloc: bool,
    /// `IOREMAP_MAX_ORDER`: largest alignment of an `ioremap`, as a power of two of bytes.
    pub ioremap_max_order: u32,
    /// How new entries reach other page tables.
    pub propagation: Propagation,
    /// The function a purge calls first to sync the whole range, where a release does.
    pub purge_sync: Option<&'static str>,
    /// Tables of the levels a geometry calls preallocated do exist from boot.
    pub preallocates: bool,
    /// How a range is flushed.
    pub tlb: TlbRule,
    /// What a second mapping of a page does.
    pub collision: Collision,
    /// When entries are cleared.
    pub clears_at: ClearsAt,
    /// The functions of the walk.
    pub names: &'static WalkNames,
}

impl ArchRules {
    /// The same rules with the vmalloc range of a machine.
    #[must_use]
    pub fn with_vmalloc(self, vmalloc: Option<Extent>) -> Self {
        Self { vmalloc, ..self }
    }

    /// May an entry whose leaf covers `1 << shift` bytes be a huge leaf? PMD and PUD are told by their place from the
    /// bottom: a folded level is the entry of the level above.
    pub fn may_be_huge(&self, depth: usize) -> bool {
        match self.geometry.levels.len().checked_sub(depth + 1) {
            Some(1) => self.huge_pmd,
            Some(2) => self.huge_pud,
            _ => false,
        }
    }

    /// Largest leaf a range mapping may use, as a power of two of bytes: what `ioremap` passes as its limit unless the
    /// kernel was started with `nohugeiomap`, which makes it `PAGE_SHIFT`.
    pub fn largest_shift(&self) -> u32 {
        let huge = (0..self.geometry.levels.len()).find(|&depth| self.may_be_huge(depth));
        let page = self.geometry.page_size.trailing_zeros();
        let contiguous = self.contiguous_shift.unwrap_or(page);
        huge.map_or(contiguous, |depth| self.geometry.levels[depth].shift)
    }

    /// The entries a huge `vmalloc` of `bytes` tries, as a power of two of bytes: PMD entries from a PMD's worth on
    /// (`arch_vmap_pmd_supported`), else a block of contiguous PTEs where there is one, else pages.
    pub fn vmalloc_shift(&self, bytes: u64) -> u32 {
        let page = self.geometry.page_size.trailing_zeros();
        let above_pte = self.geometry.levels.len().checked_sub(2).map(|depth| self.geometry.levels[depth].shift);
        let pmd = above_pte.filter(|_| self.huge_pmd);
        let fits = |shift: &u32| bytes.checked_shr(*shift).is_some_and(|blocks| blocks > 0);
        pmd.filter(fits).or(self.contiguous_shift.filter(fits)).unwrap_or(page)
    }

    /// Tables that exist from boot for the vmalloc range, by level: one per entry of the level above, over the whole
    /// range the architecture reserves. 64 or 65 on x86-64 with four levels, 50 or 51 with five, by whether the base
    /// is aligned to a top entry. Zero where the range is not known.
    pub fn boot_tables(&self) -> PerLevel {
        let mut tables = PerLevel::default();
        let (Some(range), true) = (self.preallocated_range(), self.preallocates) else { return tables };
        for (depth, pair) in self.geometry.levels.windows(2).enumerate() {
            if pair[1].preallocated {
                tables[depth + 1] = ((range.end() - 1) >> pair[0].shift) - (range.start() >> pair[0].shift) + 1;
            }
        }
        tables
    }

    /// What is preallocated for. x86-64 takes the nominal size of the range, whatever its end is set to.
    pub(super) fn preallocated_range(&self) -> Option<Extent> {
        let vmalloc = self.vmalloc?;
        let nominal = match (self.geometry.family, self.geometry.levels.len()) {
            (Family::X86, 4) => 32 << 40,
            (Family::X86, 5) => 12_800 << 40,
            _ => return Some(vmalloc),
        };
        Some(Extent::sized(vmalloc.start(), nominal).unwrap_or(vmalloc))
    }

    /// Do tables of that depth exist without anybody's doing?
    pub fn is_preallocated(&self, depth: usize) -> bool {
        depth == 0 || (self.preallocates && self.geometry.levels[depth].preallocated)
    }
}
