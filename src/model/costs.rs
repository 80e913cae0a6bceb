//! What areas cost: pages, page tables, page arrays, descriptors, and the guard that costs nothing but addresses.
//!
//! A table that several areas map something in is paid for by all of them in equal parts; one that maps nothing in use
//! any more was left behind by areas that are gone. So the parts of all areas and what was left behind are, to the byte,
//! the tables there are.
//!
//! ```text
//!   PTE tables  |   0   |   1   |   2   |   3   |      areas A, B, C
//!               |  AAAAAAAAAAAAAAAAAA  B|C      |      A pays 0 and 1 alone and half of 2, C pays 3
//! ```
//!
//! Areas do not overlap, so only the first and the last table of an area can be shared: the work is in proportion to the
//! areas, not to their pages.

use std::collections::HashMap;
use std::hash::Hash;

use super::memory::Backed;
use super::page_table::{MAX_LEVELS, PageTables, PerLevel};
use super::slab::Kmem;
use super::usage::UsageKind;
use super::{Extent, Memory};

/// What one area, or several together, cost. All in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// Areas.
    pub areas: u64,
    /// Start of the lowest one: an address to show for them.
    pub lowest: Option<u64>,
    /// Addresses, guard included.
    pub virtual_bytes: u64,
    /// Addresses of guard pages: nothing is behind them.
    pub guard_bytes: u64,
    /// Data pages of its own.
    pub data_bytes: u64,
    /// Mapped memory that is somebody else's: `vmap`, `vm_map_ram`, devices.
    pub foreign_bytes: u64,
    /// Page tables: those of its own, and its part of shared ones.
    pub table_bytes: u64,
    /// The page-pointer array, if `kmalloc` gave it: one by `vmalloc` is an area of its own.
    pub array_bytes: u64,
    /// `vm_struct`, `vmap_area` and `vmap_block`, each with what its slab sets aside for it.
    pub descriptor_bytes: u64,
}

impl Sum {
    /// Memory that is in use because of it.
    pub fn physical_bytes(&self) -> u64 {
        self.data_bytes + self.table_bytes + self.array_bytes + self.descriptor_bytes
    }

    /// Memory besides the data.
    pub fn overhead_bytes(&self) -> u64 {
        self.physical_bytes() - self.data_bytes
    }
}

impl std::ops::AddAssign for Sum {
    fn add_assign(&mut self, more: Self) {
        self.areas += more.areas;
        self.lowest = [self.lowest, more.lowest].into_iter().flatten().min();
        self.virtual_bytes += more.virtual_bytes;
        self.guard_bytes += more.guard_bytes;
        self.data_bytes += more.data_bytes;
        self.foreign_bytes += more.foreign_bytes;
        self.table_bytes += more.table_bytes;
        self.array_bytes += more.array_bytes;
        self.descriptor_bytes += more.descriptor_bytes;
    }
}

/// What one area costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AreaCost {
    /// What is behind it.
    pub backed: Backed,
    /// The bytes.
    pub sum: Sum,
    /// Tables that map nothing in use but this area, by level of the table.
    pub own_tables: PerLevel,
    /// Tables it shares with others: two at most by level.
    pub shared_tables: PerLevel,
    /// Areas that share such a table, this one included: of the fuller one if there are two.
    pub sharers: PerLevel,
}

/// What all areas cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Costs {
    /// Each area, ascending.
    pub areas: Vec<AreaCost>,
    /// All of them together.
    pub total: Sum,
    /// Tables there are, by level; those from boot are left out.
    pub tables: PerLevel,
    /// Tables among them that map nothing in use, by level: freed areas left them behind.
    pub left_behind: PerLevel,
    /// Bytes of those.
    pub left_behind_bytes: u64,
}

impl Costs {
    /// Adds up what is behind the areas.
    pub fn of(memory: &Memory) -> Self {
        let tables = memory.tables();
        let mut areas: Vec<AreaCost> = memory.each_backed().map(|backed| priced(memory, backed)).collect();
        areas.sort_unstable_by_key(|area| area.backed.extent);
        let mapped: Vec<Option<Extent>> = areas.iter().map(|area| mapped_part(memory, &area.backed)).collect();
        let there = tables.tables();
        let mut left_behind = there;
        for depth in 1..tables.rules().geometry.levels.len() {
            if !tables.rules().is_preallocated(depth) {
                left_behind[depth] -= share(tables, depth, &mut areas, &mapped);
            }
        }
        let mut total = Sum::default();
        for area in &areas {
            total += area.sum;
        }
        let left_behind_bytes = left_behind.total() * tables.rules().geometry.table_bytes;
        Self { areas, total, tables: there, left_behind, left_behind_bytes }
    }

    /// What the area that starts there costs.
    pub fn at(&self, start: u64) -> Option<&AreaCost> {
        let at = self.areas.binary_search_by_key(&start, |area| area.backed.extent.start()).ok()?;
        self.areas.get(at)
    }

    /// The costs by whatever `holder` says of an area, the most memory first.
    pub fn by<K: Eq + Hash + Ord + Clone>(&self, holder: impl Fn(&AreaCost) -> K) -> Vec<(K, Sum)> {
        let mut sums: HashMap<K, Sum> = HashMap::new();
        for area in &self.areas {
            *sums.entry(holder(area)).or_default() += area.sum;
        }
        let mut sums: Vec<(K, Sum)> = sums.into_iter().collect();
        sums.sort_by(|(a, x), (b, y)| y.physical_bytes().cmp(&x.physical_bytes()).then_with(|| a.cmp(b)));
        sums
    }
}

/// The bytes of an area without its tables.
fn priced(memory: &Memory, backed: &Backed) -> AreaCost {
    let page_size = memory.arch().geometry.page_size;
    let extent = backed.extent;
    let mapped = mapped_bytes(memory, backed);
    let has_guard =
        matches!(backed.usage.kind, UsageKind::Vmalloc | UsageKind::PageArray | UsageKind::Vmap | UsageKind::Ioremap);
    let is_own = backed.usage.kind.owns_pages();
    let in_slab = |object: Option<Kmem>| object.map_or(0, |object| memory.slabs().kmem_bytes(object));
    let sum = Sum {
        areas: 1,
        lowest: Some(extent.start()),
        virtual_bytes: extent.len_bytes(),
        guard_bytes: if has_guard { page_size.min(extent.len_bytes() - mapped) } else { 0 },
        data_bytes: backed.data_pages * page_size,
        foreign_bytes: if is_own { 0 } else { mapped },
        table_bytes: 0,
        array_bytes: in_slab(backed.array),
        descriptor_bytes: in_slab(backed.descriptor) + memory.range_bytes(),
    };
    let none = PerLevel::default();
    AreaCost { backed: *backed, sum, own_tables: none, shared_tables: none, sharers: none }
}

/// Bytes from the start of an area on where entries may be.
fn mapped_bytes(memory: &Memory, backed: &Backed) -> u64 {
    let bytes = backed.mapped_pages.saturating_mul(memory.arch().geometry.page_size);
    let whole = backed.extent.len_bytes();
    match backed.usage.kind {
        UsageKind::Early | UsageKind::Reserved => 0,
        // Pages come and go.
        UsageKind::PerCpu => whole,
        UsageKind::VmapBlock => {
            let block = memory.blocks().holding(backed.extent.start());
            block.map_or(0, |block| u64::from(block.used()) * memory.arch().geometry.page_size).min(whole)
        }
        _ => bytes.min(whole),
    }
}

/// The part of an area in which entries are; `None` if there is none.
fn mapped_part(memory: &Memory, backed: &Backed) -> Option<Extent> {
    let part = match backed.usage.kind {
        UsageKind::VmapBlock => Some(backed.extent),
        _ => Extent::sized(backed.extent.start(), mapped_bytes(memory, backed)),
    };
    part.filter(|&part| memory.tables().maps_any(part))
}

/// Shares the tables of one level out; answers how many there were to share.
fn share(tables: &PageTables, depth: usize, areas: &mut [AreaCost], mapped: &[Option<Extent>]) -> u64 {
    debug_assert!(0 < depth && depth < MAX_LEVELS, "the top table hangs from no entry");
    let shift = tables.rules().geometry.levels[depth - 1].shift;
    let bytes = tables.rules().geometry.table_bytes;
    let mut n_shared_out = 0;
    // Area and table, both ascending.
    let mut uses: Vec<(usize, u64)> = Vec::with_capacity(areas.len());
    let mut known = None;
    let mut exists = |table: u64| match known {
        Some((last, exists)) if last == table => exists,
        _ => {
            let exists = tables.has_table(depth, table << shift);
            known = Some((table, exists));
            exists
        }
    };
    for (index, part) in mapped.iter().enumerate() {
        let Some(part) = *part else { continue };
        let (first, last) = (part.start() >> shift, (part.end() - 1) >> shift);
        if first == last {
            uses.extend(exists(first).then_some((index, first)));
            continue;
        }
        let edges = [Extent::new(part.start(), (first + 1) << shift), Extent::new(last << shift, part.end())];
        let in_use = edges.map(|edge| edge.is_some_and(|edge| tables.maps_any(edge)));
        uses.extend((in_use[0] && exists(first)).then_some((index, first)));
        if let Some(middle) = Extent::new((first + 1) << shift, last << shift) {
            let of_middle = tables.tables_of(middle);
            let n = of_middle.needed[depth] - of_middle.missing[depth];
            areas[index].own_tables[depth] += n;
            areas[index].sum.table_bytes += n * bytes;
            n_shared_out += n;
        }
        uses.extend((in_use[1] && exists(last)).then_some((index, last)));
    }
    for users in uses.chunk_by(|a, b| a.1 == b.1) {
        let n = users.len() as u64;
        n_shared_out += 1;
        for (rank, &(index, _)) in (0..).zip(users) {
            let area = &mut areas[index];
            // What does not divide goes to the lowest, a byte each.
            area.sum.table_bytes += bytes / n + u64::from(rank < bytes % n);
            if n == 1 {
                area.own_tables[depth] += 1;
            } else {
                area.shared_tables[depth] += 1;
                area.sharers[depth] = area.sharers[depth].max(n);
            }
        }
    }
    n_shared_out
}

#[cfg(test)]
mod tests;
