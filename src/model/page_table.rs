//! Page-table geometry, the walk of one address, and the tables areas have needed.
//!
//! Nothing here changes an address; it says what an address costs.

mod arch;
mod aside;
mod audit;
mod bitmaps;
mod clear;
mod geometry;
mod mapped;
mod ptes;
mod queries;
mod runs;
mod tables;
mod walk;

pub use arch::{ArchRules, ClearsAt, Collision, Propagation, SyncKind, SyncRule, TlbFlush, TlbRule, WalkNames};
pub use audit::TablesBroken;
pub use geometry::{
    ARM, ARM_LPAE, ARM64_4K_39, ARM64_4K_48, ARM64_4K_52, ARM64_16K_36, ARM64_16K_47, ARM64_16K_48, ARM64_16K_52,
    ARM64_64K_42, ARM64_64K_48, ARM64_64K_52, GEOMETRIES, Hints, I386, I386_PAE, NOT_MODELLED, RISCV_39, RISCV_48,
    RISCV_57, X86_64_4, X86_64_5, geometry_named, geometry_names, geometry_of,
};
pub use mapped::{MAX_LEVELS, MapError, Mapped, ModMask, PerLevel, Sync, Unmapped, WalkStage};
pub use queries::{EntryKind, ExtentTables, Leaf};
pub use tables::PageTables;

use super::extent::Extent;

/// Architectures that share rules for mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// 32-bit x86, with and without PAE.
    I386,
    /// x86-64.
    X86,
    /// 32-bit arm.
    Arm,
    /// arm64.
    Arm64,
    /// 64-bit riscv.
    Riscv,
    /// Anything else: not modelled.
    Unknown,
}

/// One level of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// The kernel's name: PGD, P4D, PUD, PMD, PTE.
    pub name: &'static str,
    /// Bytes one entry covers, as a power of two.
    pub shift: u32,
    /// Entries in a table.
    pub entries: u64,
    /// Its tables for the vmalloc range exist from boot on.
    pub preallocated: bool,
}

/// How an architecture translates addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Whose rules apply.
    pub family: Family,
    /// Name for people.
    pub title: &'static str,
    /// Levels from the top.
    pub levels: &'static [Level],
    /// Bytes of a page.
    pub page_size: u64,
    /// Bytes of a table.
    pub table_bytes: u64,
}

/// One level of the walk of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalkStep {
    /// The level.
    pub level: Level,
    /// Index of the entry in its table.
    pub index: u64,
    /// First address the entry covers.
    pub entry_start: u64,
    /// First address the whole table covers.
    pub table_start: u64,
}

impl Geometry {
    /// The entries a walk of `addr` passes, from the top.
    pub fn walk(&self, addr: u64) -> Vec<WalkStep> {
        let step = |level: &Level| {
            let entry_start = addr >> level.shift << level.shift;
            let table_shift = level.shift + level.entries.trailing_zeros();
            let table_start = if table_shift >= 64 { 0 } else { addr >> table_shift << table_shift };
            WalkStep { level: *level, index: (addr >> level.shift) & (level.entries - 1), entry_start, table_start }
        };
        self.levels.iter().map(step).collect()
    }
}

/// Numbers of the blocks of `1 << shift` bytes that an extent touches.
fn blocks(extent: Extent, shift: u32) -> std::ops::RangeInclusive<u64> {
    extent.start() >> shift..=(extent.end() - 1) >> shift
}

/// The tables that areas have needed so far. Tables are never freed when a mapping goes (`vunmap_range` keeps them), so
/// the set only grows.
#[derive(Debug, Clone, Default)]
pub struct TablesTouched {
    /// Per level that is not preallocated, from the top.
    levels: Vec<BlockRuns>,
    /// Addresses, first and last, that need no further table at any level: most areas lie there.
    warm: Option<(u64, u64)>,
}

/// Blocks that have a table, as runs `first..=last`, ascending, neither overlapping nor touching. An area of many GiB
/// is one run, not a loop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct BlockRuns {
    runs: Vec<(u64, u64)>,
}

impl BlockRuns {
    /// Adds blocks; answers the run they are part of now.
    fn add(&mut self, first: u64, last: u64) -> (u64, u64) {
        // Runs that overlap or touch the new one become part of it.
        let from = self.runs.partition_point(|&(_, end)| end < first && first - end > 1);
        let to = self.runs.partition_point(|&(start, _)| start <= last || start - last == 1);
        if let [(start, end)] = self.runs[from..to]
            && start <= first
            && last <= end
        {
            return (start, end);
        }
        let joined = self.runs[from..to].iter().fold((first, last), |(a, b), &(start, end)| (a.min(start), b.max(end)));
        self.runs.splice(from..to, [joined]);
        joined
    }

    fn count(&self) -> u64 {
        self.runs.iter().map(|(first, last)| last - first + 1).sum()
    }
}

impl TablesTouched {
    /// Notes the tables a mapping of `extent` needs. The last page is left out: nearly always it is the guard.
    #[inline]
    pub fn map(&mut self, geometry: &Geometry, extent: Extent) {
        if self.warm.is_none_or(|(first, last)| extent.start() < first || last < extent.end() - 1) {
            self.map_cold(geometry, extent);
        }
    }

    #[inline(never)]
    fn map_cold(&mut self, geometry: &Geometry, extent: Extent) {
        let without_guard = Extent::new(extent.start(), extent.end().saturating_sub(geometry.page_size));
        let mapped = without_guard.unwrap_or(extent);
        let below_top = geometry.levels.windows(2).filter(|pair| !pair[1].preallocated);
        for (depth, pair) in below_top.enumerate() {
            if self.levels.len() <= depth {
                self.levels.push(BlockRuns::default());
            }
            let shift = pair[0].shift;
            let touched = blocks(mapped, shift);
            let (first, last) = self.levels[depth].add(*touched.start(), *touched.end());
            // The last level is the finest: what has its tables there has those above.
            self.warm = Some((first << shift, (last << shift) | ((1 << shift) - 1)));
        }
    }

    /// Tables needed so far, all levels.
    pub fn count(&self) -> u64 {
        self.levels.iter().map(BlockRuns::count).sum()
    }

    /// Memory held, in bytes.
    pub fn heap_bytes(&self) -> u64 {
        self.levels.iter().map(|level| level.runs.capacity() as u64 * 16).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indices(geometry: &Geometry, addr: u64) -> Vec<u64> {
        geometry.walk(addr).iter().map(|step| step.index).collect()
    }

    #[test]
    fn walks_of_known_addresses() {
        assert_eq!(indices(&X86_64_4, 0xffff_c900_0000_0000), [402, 0, 0, 0]);
        assert_eq!(indices(&I386, 0xf880_0000), [994, 0]);
        assert_eq!(indices(&ARM64_4K_48, 0xffff_8000_8000_0000), [256, 2, 0, 0]);
        assert_eq!(indices(&X86_64_5, 0xffa0_0000_0000_0000), [416, 0, 0, 0, 0]);
        assert_eq!(indices(&I386_PAE, 0xf880_0000), [3, 452, 0]);
        assert_eq!(indices(&RISCV_39, 0xffff_ffc6_0000_0000), [280, 0, 0]);
    }

    /// The levels of a geometry split the address without gap or overlap, from the page up.
    #[test]
    fn levels_fit_together() {
        for geometry in GEOMETRIES {
            let last = geometry.levels.last().expect("levels");
            assert_eq!(1 << last.shift, geometry.page_size, "{}", geometry.title);
            for pair in geometry.levels.windows(2) {
                assert_eq!(pair[0].shift, pair[1].shift + pair[1].entries.trailing_zeros(), "{}", geometry.title);
            }
        }
    }

    #[test]
    fn machines_are_told_by_what_a_capture_says() {
        let title = |arch, kernel, levels, page_size, vstart| {
            geometry_of(&Hints { arch, kernel, levels, page_size, vstart }).title
        };
        assert_eq!(title(Some("armhf"), Some("6.12.107+deb13-armmp"), None, 4096, 0xf080_0000), ARM.title);
        assert_eq!(title(Some("armhf"), Some("6.12.107+deb13-armmp-lpae"), None, 4096, 0xf080_0000), ARM_LPAE.title);
        assert_eq!(title(Some("i386"), Some("6.1.0-37-686-pae"), None, 4096, 0xf73f_e000), I386_PAE.title);
        assert_eq!(title(Some("arm64"), None, None, 4096, 0xffff_8000_8000_0000), ARM64_4K_48.title);
        assert_eq!(title(Some("arm64"), None, None, 4096, 0xffff_ffc0_8000_0000), ARM64_4K_39.title);
        assert_eq!(title(Some("aarch64"), None, None, 16_384, 0xffff_c000_8000_0000), ARM64_16K_47.title);
        assert_eq!(title(Some("arm64"), None, None, 65_536, 0xffff_8000_8000_0000), ARM64_64K_48.title);
        assert_eq!(title(Some("riscv64"), None, None, 4096, 0xffff_ffc6_0000_0000), RISCV_39.title);
        assert_eq!(title(Some("riscv64"), None, None, 4096, 0xffff_8f80_0000_0000), RISCV_48.title);
        assert_eq!(title(Some("riscv64"), None, None, 4096, 0xff20_0000_0000_0000), RISCV_57.title);
        assert_eq!(title(Some("s390x"), None, None, 4096, 0x0000_8000_0000_0000), NOT_MODELLED.title);
        assert_eq!(title(Some("amd64"), None, None, 16_384, 0xffff_c900_0000_0000), NOT_MODELLED.title);
        assert_eq!(title(None, None, None, 4096, 0xffff_c900_0000_0000), X86_64_4.title);
        assert_eq!(title(None, None, None, 4096, 0xffa0_0000_0000_0000), X86_64_5.title);
    }

    #[test]
    fn the_first_page_needs_two_tables_and_its_neighbour_none() {
        let mut tables = TablesTouched::default();
        tables.map(&X86_64_4, Extent::sized(0xffff_c900_0000_0000, 0x2000).expect("extent"));
        assert_eq!(tables.count(), 2);
        tables.map(&X86_64_4, Extent::sized(0xffff_c900_0000_2000, 0x2000).expect("extent"));
        assert_eq!(tables.count(), 2);
        // 512 pages that straddle a 2 MiB border need a second PTE table.
        tables.map(&X86_64_4, Extent::sized(0xffff_c900_001f_f000, 0x20_1000).expect("extent"));
        assert_eq!(tables.count(), 3);
        // 32 TiB at once: 2^24 PTE tables and 2^15 PMD tables, and no loop over them.
        tables.map(&X86_64_4, Extent::sized(0xffff_c900_0000_0000, 32 << 40).expect("extent"));
        assert_eq!(tables.count(), (1 << 24) + (1 << 15));
    }

    #[test]
    fn runs_join_where_they_meet() {
        let mut runs = BlockRuns::default();
        for (first, last) in [(10, 12), (20, 22), (14, 14), (13, 13), (0, u64::MAX - 1)] {
            runs.add(first, last);
            assert!(runs.runs.windows(2).all(|pair| pair[1].0 > pair[0].1 + 1), "{runs:?}");
        }
        assert_eq!(runs.runs, [(0, u64::MAX - 1)]);
        let mut runs = BlockRuns::default();
        runs.add(10, 12);
        runs.add(20, 22);
        assert_eq!(runs.count(), 6);
        runs.add(12, 20);
        assert_eq!(runs.runs, [(10, 22)]);
    }
}
