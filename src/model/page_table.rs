//! Page-table geometry, the walk of one address, and the tables areas have needed.
//!
//! Nothing here changes an address; it says what an address costs.

use super::extent::Extent;

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
    /// Name for people.
    pub title: &'static str,
    /// Levels from the top.
    pub levels: &'static [Level],
    /// Bytes of a page.
    pub page_size: u64,
    /// Bytes of a table.
    pub table_bytes: u64,
}

const fn level(name: &'static str, shift: u32, preallocated: bool) -> Level {
    Level { name, shift, entries: 512, preallocated }
}

/// x86-64 with four levels. The PUD tables of the vmalloc range are allocated at boot.
pub const X86_64_4: Geometry = Geometry {
    title: "x86-64, 4 levels",
    levels: &[level("PGD", 39, true), level("PUD", 30, true), level("PMD", 21, false), level("PTE", 12, false)],
    page_size: 4096,
    table_bytes: 4096,
};

/// x86-64 with five levels. The P4D tables of the vmalloc range are allocated at boot.
pub const X86_64_5: Geometry = Geometry {
    title: "x86-64, 5 levels",
    levels: &[
        level("PGD", 48, true),
        level("P4D", 39, true),
        level("PUD", 30, false),
        level("PMD", 21, false),
        level("PTE", 12, false),
    ],
    page_size: 4096,
    table_bytes: 4096,
};

/// arm64 with 4 KiB pages and 48-bit addresses.
pub const ARM64_4K_48: Geometry = Geometry {
    title: "arm64, 4 KiB pages, 48 bits",
    levels: &[level("PGD", 39, true), level("PUD", 30, false), level("PMD", 21, false), level("PTE", 12, false)],
    page_size: 4096,
    table_bytes: 4096,
};

/// i386 without PAE: two levels.
pub const I386: Geometry = Geometry {
    title: "i386, 2 levels",
    levels: &[
        Level { name: "PGD", shift: 22, entries: 1024, preallocated: true },
        Level { name: "PTE", shift: 12, entries: 1024, preallocated: false },
    ],
    page_size: 4096,
    table_bytes: 4096,
};

/// 32-bit arm with large physical addresses: three levels.
pub const ARM_LPAE: Geometry = Geometry {
    title: "arm, LPAE, 3 levels",
    levels: &[
        Level { name: "PGD", shift: 30, entries: 4, preallocated: true },
        level("PMD", 21, false),
        level("PTE", 12, false),
    ],
    page_size: 4096,
    table_bytes: 4096,
};

/// An architecture or page size whose tables are not modelled: no levels, no counts, rather than wrong ones.
pub const NOT_MODELLED: Geometry =
    Geometry { title: "page tables not modelled", levels: &[], page_size: 4096, table_bytes: 4096 };

/// The geometry of a capture by its architecture, paging levels and page size; x86-64 with four levels where it does
/// not say.
pub fn geometry_of(arch: Option<&str>, levels: Option<u32>, page_size: u64, vstart: u64) -> &'static Geometry {
    if page_size != 4096 {
        return &NOT_MODELLED;
    }
    match (arch, levels) {
        (Some("i386" | "i686"), _) => &I386,
        (Some("arm" | "armhf"), _) => &ARM_LPAE,
        (Some("arm64" | "aarch64"), _) => &ARM64_4K_48,
        (Some(other), _) if !matches!(other, "amd64" | "x86_64") => &NOT_MODELLED,
        (_, Some(5)) => &X86_64_5,
        (None, None) if u32::try_from(vstart).is_ok() => &I386,
        // Five-level kernel addresses lie below the four-level canonical half.
        (_, None) if vstart < 0xffff_8000_0000_0000 => &X86_64_5,
        _ => &X86_64_4,
    }
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

    /// Tables of each level (the top excluded) that mapping `extent` touches, from the top: name and count.
    pub fn tables_for(&self, extent: Extent) -> Vec<(&'static str, u64)> {
        let pairs = self.levels.windows(2);
        pairs.map(|pair| (pair[1].name, blocks(extent, pair[0].shift).count() as u64)).collect()
    }
}

/// Numbers of the blocks of `1 << shift` bytes that an extent touches.
fn blocks(extent: Extent, shift: u32) -> std::ops::RangeInclusive<u64> {
    extent.start() >> shift..=(extent.end() - 1) >> shift
}

/// The tables that areas have needed so far. Tables are never freed when a mapping goes (`vunmap_range` keeps them), so
/// the set only grows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TablesTouched {
    /// Per level that is not preallocated, from the top.
    levels: Vec<BlockRuns>,
}

/// Blocks that have a table, as runs `first..=last`, ascending, neither overlapping nor touching. An area of many GiB
/// is one run, not a loop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct BlockRuns {
    runs: Vec<(u64, u64)>,
}

impl BlockRuns {
    fn add(&mut self, first: u64, last: u64) {
        // Runs that overlap or touch the new one become part of it.
        let from = self.runs.partition_point(|&(_, end)| end < first && first - end > 1);
        let to = self.runs.partition_point(|&(start, _)| start <= last || start - last == 1);
        if let [(start, end)] = self.runs[from..to]
            && start <= first
            && last <= end
        {
            return;
        }
        let joined = self.runs[from..to].iter().fold((first, last), |(a, b), &(start, end)| (a.min(start), b.max(end)));
        self.runs.splice(from..to, [joined]);
    }

    fn count(&self) -> u64 {
        self.runs.iter().map(|(first, last)| last - first + 1).sum()
    }
}

impl TablesTouched {
    /// Notes the tables a mapping of `extent` needs. The last page is left out: nearly always it is the guard.
    pub fn map(&mut self, geometry: &Geometry, extent: Extent) {
        let without_guard = Extent::new(extent.start(), extent.end().saturating_sub(geometry.page_size));
        let mapped = without_guard.unwrap_or(extent);
        let below_top = geometry.levels.windows(2).filter(|pair| !pair[1].preallocated);
        for (depth, pair) in below_top.enumerate() {
            if self.levels.len() <= depth {
                self.levels.push(BlockRuns::default());
            }
            let touched = blocks(mapped, pair[0].shift);
            self.levels[depth].add(*touched.start(), *touched.end());
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
