//! [`Summary`]: what one `/proc/vmallocinfo` adds up to, by caller, module, kind and NUMA node.

use std::collections::BTreeMap;

use crate::log::baseline::Flags;
use crate::log::{Baseline, BaselineArea, BaselineState, Log};

/// Sums over some areas. Sizes come from a file and may be anything: sums saturate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// How many.
    pub areas: u64,
    /// Address space, guard pages included.
    pub virtual_bytes: u64,
    /// Data pages, where the rows name them.
    pub pages: u64,
}

/// Areas that have a caller, a module and a kind in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group<'a> {
    /// The caller's symbol; `None` for rows that name none (`vm_map_ram`, lazily freed areas).
    pub caller: Option<&'a str>,
    /// Its module; `None` for the kernel itself.
    pub module: Option<&'a str>,
    /// One of [`BaselineArea::kind`]; empty in totals by module.
    pub kind: &'static str,
    /// The sums.
    pub totals: Totals,
}

/// Pages on one NUMA node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeRow {
    /// The NUMA node.
    pub node: u16,
    /// Areas with pages there.
    pub areas: u64,
    /// Pages there, as the kernel counts them.
    pub pages: u64,
}

/// A snapshot in numbers. Every list is in descending order of address space; equal ones by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary<'a> {
    /// All rows, lazily freed areas included.
    pub totals: Totals,
    /// The part of it that is freed but not purged yet.
    pub unpurged: Totals,
    /// Address space spent on guard pages of areas in use.
    pub guard_bytes: u64,
    /// By caller, module and kind.
    pub by_caller: Vec<Group<'a>>,
    /// By kind.
    pub by_kind: Vec<Group<'a>>,
    /// By module of the caller.
    pub by_module: Vec<Group<'a>>,
    /// By NUMA node, ascending; empty if the kernel is not a NUMA one.
    pub by_node: Vec<NodeRow>,
}

/// Page sizes that kernels with `vmallocinfo` are built with, most common first.
const PAGE_SIZES: [u64; 4] = [4096, 65536, 16384, 8192];

/// What groups are made of.
type Key<'a> = (Option<&'a str>, Option<&'a str>, &'static str);

/// Adds up a snapshot.
pub fn summarize(baseline: &Baseline, page_size: u64) -> Summary<'_> {
    let mut totals = Totals::default();
    let mut unpurged = Totals::default();
    let mut guard_bytes = 0_u64;
    let mut callers: BTreeMap<Key<'_>, Totals> = BTreeMap::new();
    let mut kinds: BTreeMap<Key<'_>, Totals> = BTreeMap::new();
    let mut modules: BTreeMap<Key<'_>, Totals> = BTreeMap::new();
    let mut nodes: BTreeMap<u16, NodeRow> = BTreeMap::new();
    for area in &baseline.areas {
        let caller = Some(area.caller.as_str()).filter(|caller| !caller.is_empty());
        let module = area.module.as_deref();
        totals.add(area);
        callers.entry((caller, module, area.kind())).or_default().add(area);
        kinds.entry((None, None, area.kind())).or_default().add(area);
        modules.entry((None, module, "")).or_default().add(area);
        if area.state == BaselineState::Unpurged {
            unpurged.add(area);
        } else if has_guard(area, page_size) {
            guard_bytes = guard_bytes.saturating_add(page_size);
        }
        for &(node, pages) in &area.nodes {
            let row = nodes.entry(node).or_insert(NodeRow { node, areas: 0, pages: 0 });
            row.areas += 1;
            row.pages = row.pages.saturating_add(pages);
        }
    }
    Summary {
        totals,
        unpurged,
        guard_bytes,
        by_caller: groups(callers),
        by_kind: groups(kinds),
        by_module: groups(modules),
        by_node: nodes.into_values().collect(),
    }
}

/// The page size that the rows themselves tell: an area has its data pages and one guard page. 4096 if none tells.
pub fn guess_page_size(baseline: &Baseline) -> u64 {
    let fits = |page_size: u64| {
        let whole = |area: &&BaselineArea| {
            let pages = area.pages.checked_add(1).filter(|_| 0 < area.pages);
            pages.and_then(|pages| pages.checked_mul(page_size)) == Some(area.size)
        };
        baseline.areas.iter().filter(whole).count()
    };
    // The first of equal ones, and the last of `max_by_key`, hence backwards.
    PAGE_SIZES.into_iter().rev().max_by_key(|&page_size| fits(page_size)).unwrap_or(4096)
}

/// The page size of a snapshot: what the input says, else what its rows tell.
pub fn page_size_of(log: &Log, snapshot: &Baseline) -> u64 {
    log.origin.page_size.unwrap_or_else(|| guess_page_size(snapshot))
}

/// Whether the last page of an area is a guard page.
///
/// Every descriptor made by `__get_vm_area_node` has one, and such areas have a kind word. Without are: per-CPU
/// areas, `vm_map_ram`, what an architecture registers before the allocator is up (the kernel's own image: `vmap`
/// with a physical address; ARM's `iotable_init`), and areas whose pages fill them.
fn has_guard(area: &BaselineArea, page_size: u64) -> bool {
    let data_bytes = area.pages.saturating_mul(page_size);
    area.state == BaselineState::Busy
        && area.flags != Flags::default()
        && area.kind() != "per-CPU"
        && !area.is_early()
        && data_bytes.max(page_size) < area.size
}

impl Totals {
    fn add(&mut self, area: &BaselineArea) {
        self.areas += 1;
        self.virtual_bytes = self.virtual_bytes.saturating_add(area.size);
        self.pages = self.pages.saturating_add(area.pages);
    }

    /// Adds the sums of others.
    pub(crate) fn join(&mut self, other: &Self) {
        self.areas = self.areas.saturating_add(other.areas);
        self.virtual_bytes = self.virtual_bytes.saturating_add(other.virtual_bytes);
        self.pages = self.pages.saturating_add(other.pages);
    }
}

/// Largest first; the map's order breaks ties, so that the same file gives the same list.
fn groups(map: BTreeMap<Key<'_>, Totals>) -> Vec<Group<'_>> {
    let group = |((caller, module, kind), totals)| Group { caller, module, kind, totals };
    let mut groups: Vec<_> = map.into_iter().map(group).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.totals.virtual_bytes));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Pointers;

    fn baseline(areas: Vec<BaselineArea>) -> Baseline {
        Baseline { areas, pointers: Pointers::Real }
    }

    fn vmalloc(caller: &str, size: u64, pages: u64) -> BaselineArea {
        BaselineArea {
            line: 1,
            start: 0,
            end: size,
            size,
            caller: caller.to_owned(),
            caller_full: String::new(),
            module: None,
            pages,
            phys: None,
            flags: Flags::VMALLOC,
            nodes: vec![(0, pages)],
            state: BaselineState::Busy,
            repaired: false,
        }
    }

    #[test]
    fn callers_are_ordered_by_address_space_and_then_by_name() {
        let snapshot = baseline(vec![
            vmalloc("b", 8192, 1),
            vmalloc("a", 8192, 1),
            vmalloc("stack", 20480, 4),
            vmalloc("stack", 20480, 4),
        ]);
        let summary = summarize(&snapshot, 4096);
        let seen: Vec<_> = summary.by_caller.iter().map(|g| (g.caller, g.totals.areas, g.totals.pages)).collect();
        assert_eq!(seen, [(Some("stack"), 2, 8), (Some("a"), 1, 1), (Some("b"), 1, 1)]);
        assert_eq!(summary.totals, Totals { areas: 4, virtual_bytes: 57344, pages: 10 });
        assert_eq!(summary.guard_bytes, 4 * 4096);
        assert_eq!(summary.by_node, [NodeRow { node: 0, areas: 4, pages: 10 }]);
    }

    #[test]
    fn guard_pages_are_counted_where_there_are_any() {
        let guarded = |area: BaselineArea| has_guard(&area, 4096);
        let base = || vmalloc("x", 8192, 1);
        assert!(guarded(base()));
        assert!(guarded(BaselineArea { pages: 0, flags: Flags::IOREMAP, ..base() }));
        assert!(!guarded(BaselineArea { pages: 2, ..base() }), "the pages fill it");
        assert!(!guarded(BaselineArea { caller: "pcpu_get_vm_areas".into(), pages: 0, ..base() }));
        assert!(!guarded(BaselineArea { flags: Flags::VMAP, phys: Some(0x4000_0000), pages: 0, ..base() }));
        assert!(!guarded(BaselineArea { state: BaselineState::VmMapRam, flags: Flags::default(), ..base() }));
    }

    #[test]
    fn the_page_size_shows_in_the_rows() {
        assert_eq!(guess_page_size(&baseline(vec![vmalloc("a", 8192, 1), vmalloc("b", 20480, 4)])), 4096);
        assert_eq!(guess_page_size(&baseline(vec![vmalloc("a", 131_072, 1), vmalloc("b", 65536, 0)])), 65536);
        assert_eq!(guess_page_size(&baseline(vec![])), 4096);
    }

    #[test]
    fn sums_of_hostile_sizes_saturate() {
        let snapshot = baseline(vec![vmalloc("a", u64::MAX, u64::MAX), vmalloc("a", u64::MAX, u64::MAX)]);
        assert_eq!(summarize(&snapshot, 4096).totals.virtual_bytes, u64::MAX);
    }
}
