//! Random walks on small geometries, compared with plain trees after each: what every step reports, every entry of
//! every table, the leaf of every page, and all counts.

use proptest::prelude::*;
use vmaplens::model::Extent;
use vmaplens::model::page_table::{
    ArchRules, Collision, EntryKind, Family, GEOMETRIES, Geometry, Level, MapError, Mapped, ModMask, PageTables,
    Propagation, SyncKind, SyncRule, TablesTouched,
};
use vmaplens::policy::{Release, arch_rules};

use super::naive::{Done, Naive};

const PAGE: u64 = 4096;

const fn level(name: &'static str, shift: u32, entries: u64, preallocated: bool) -> Level {
    Level { name, shift, entries, preallocated }
}

const fn geometry(title: &'static str, levels: &'static [Level]) -> Geometry {
    Geometry { family: Family::Unknown, title, levels, page_size: PAGE, table_bytes: PAGE }
}

/// Two to five levels, small enough to look at every page; tables of 128 entries need two words.
const SMALL: [Geometry; 5] = [
    geometry("two levels", &[level("PGD", 14, 32, true), level("PTE", 12, 4, false)]),
    geometry("wide", &[level("PGD", 19, 4, true), level("PTE", 12, 128, false)]),
    geometry("three", &[level("PGD", 16, 8, true), level("PMD", 14, 4, false), level("PTE", 12, 4, false)]),
    geometry(
        "four, one from boot",
        &[level("PGD", 19, 2, true), level("PUD", 17, 4, true), level("PMD", 15, 4, false), level("PTE", 12, 8, false)],
    ),
    geometry(
        "five",
        &[
            level("PGD", 20, 2, true),
            level("P4D", 18, 4, false),
            level("PUD", 16, 4, false),
            level("PMD", 14, 4, false),
            level("PTE", 12, 4, false),
        ],
    ),
];

#[derive(Debug, Clone)]
enum Act {
    Pages,
    Range { phys: u64, max_shift: u32 },
    Unmap,
    Until { page: u64 },
    Scarce { n_tables: u64 },
}

#[derive(Debug, Clone)]
struct Step {
    act: Act,
    /// In pages, wrapped to the space.
    start: u64,
    pages: u64,
}

fn step() -> impl Strategy<Value = Step> {
    let act = prop_oneof![
        4 => Just(Act::Pages),
        // Mostly well aligned, both ways.
        4 => (0_u64..4, 0_u32..9, 12_u32..22).prop_map(|(n, bits, max_shift)| Act::Range { phys: n << bits, max_shift }),
        6 => Just(Act::Unmap),
        1 => (0_u64..8).prop_map(|page| Act::Until { page }),
        1 => (0_u64..6).prop_map(|n_tables| Act::Scarce { n_tables }),
    ];
    let place = prop_oneof![
        2 => (0_u64..512, 1_u64..12),
        2 => (0_u64..64, 1_u64..9).prop_map(|(start, pages)| (start * 8, pages * 8)),
        1 => (0_u64..16, 0_u64..3).prop_map(|(start, pages)| (start * 32, 32 << pages)),
        1 => (0_u64..512, 1_u64..400),
    ];
    (act, place).prop_map(|(act, (start, pages))| Step { act, start, pages })
}

fn rules(geometry: &'static Geometry, collision: Collision, contiguous: bool) -> ArchRules {
    ArchRules {
        huge_pud: true,
        huge_pmd: true,
        contiguous_shift: contiguous.then_some(13),
        propagation: Propagation::Sync(SyncRule { mask: ModMask::PMD, kind: SyncKind::CopyPmd }),
        collision,
        ..arch_rules(geometry, Release::new(6, 12))
    }
}

/// What the real one did, as the plain one says it; and where it stopped.
fn outcome(mapped: Result<Mapped, MapError>) -> (Done, Option<u64>) {
    match mapped {
        Ok(mapped) => ((&mapped).into(), None),
        Err(MapError::Busy { addr, done } | MapError::NoPage { addr, done } | MapError::NoTable { addr, done, .. }) => {
            assert_eq!(done.sync.is_some(), done.mod_mask.meets(ModMask::PMD));
            ((&*done).into(), Some(addr))
        }
        Err(other) => panic!("{other}"),
    }
}

fn compare(real: &PageTables, plain: &Naive, n_pages: u64) {
    real.audit().expect("sound");
    let levels = plain.rules.geometry.levels;
    let (mut tables, leaves) = plain.counts();
    for (depth, _) in levels.iter().enumerate().filter(|(_, level)| level.preallocated) {
        tables[depth] = 0;
    }
    assert_eq!((real.tables(), real.leaves()), (tables, leaves));
    assert_eq!(real.table_bytes(), tables.total() * PAGE);
    let mut mapped = 0;
    for addr in (0..n_pages).map(|page| plain.base + page * PAGE) {
        mapped += u64::from(real.is_mapped(addr));
        let leaf = real.leaf_of(addr).map(|leaf| (leaf.depth, leaf.kind));
        let is_leaf = |kind: EntryKind| !matches!(kind, EntryKind::None | EntryKind::Table);
        let of_plain = (0..levels.len()).find_map(|depth| {
            let kind = plain.kinds(depth, addr)?[((addr >> levels[depth].shift) % levels[depth].entries) as usize];
            is_leaf(kind).then_some((depth, kind))
        });
        assert_eq!(leaf, of_plain, "{addr:x}");
    }
    assert_eq!(real.mapped_bytes(), mapped * PAGE);
    for (depth, level) in levels.iter().enumerate() {
        for addr in (0..n_pages * PAGE).step_by((level.entries << level.shift) as usize).map(|at| plain.base + at) {
            assert_eq!(real.slots(depth, addr), plain.kinds(depth, addr), "{depth} {addr:x}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn as_trees_of_arrays(
        which in 0..SMALL.len(),
        at_top in any::<bool>(),
        overwrites in any::<bool>(),
        contiguous in any::<bool>(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let geometry: &'static Geometry = Box::leak(Box::new(SMALL[which]));
        let collision = if overwrites { Collision::WarnsAndOverwrites } else { Collision::Busy };
        let bits = geometry.levels[0].shift + geometry.levels[0].entries.trailing_zeros();
        let n_pages = 1 << (bits - 12);
        let base = if at_top { u64::MAX << bits } else { 5 << bits };
        // The last page of the address space has no end an extent can hold.
        let usable = n_pages - u64::from(at_top);
        let whole = Extent::sized(base, usable * PAGE);
        let rules = rules(geometry, collision, contiguous && !overwrites).with_vmalloc(whole);
        let mut real = PageTables::new(rules);
        let mut plain = Naive::new(rules, base);
        let mut kept = PageTables::new(rules);
        for Step { act, start, pages } in steps {
            let start = start % usable;
            let pages = pages.min(usable - start);
            let extent = Extent::sized(base + start * PAGE, pages * PAGE).expect("an extent");
            let before = real.tables();
            let asked = real.tables_of(extent);
            match act {
                Act::Pages => {
                    let got = outcome(real.map_pages(extent));
                    let expected = plain.map_pages(extent);
                    if expected.1.is_none() {
                        prop_assert_eq!(got.0.new_tables, asked.missing);
                    }
                    prop_assert_eq!(got, expected);
                }
                Act::Range { phys, max_shift } => {
                    prop_assert_eq!(
                        outcome(real.map_range(extent, phys * PAGE, max_shift)),
                        plain.map_range(extent, phys * PAGE, max_shift)
                    );
                }
                Act::Unmap => {
                    let unmapped = real.unmap(extent);
                    prop_assert_eq!(Done::from(&unmapped), plain.unmap(extent));
                    prop_assert_eq!(unmapped.sync.is_some(), unmapped.mod_mask.meets(ModMask::PMD));
                    prop_assert_eq!(real.unmap(extent).leaves.total(), 0);
                    prop_assert_eq!(real.tables(), before, "no table comes or goes");
                }
                Act::Until { page } => {
                    let (_, stopped) = outcome(real.map_pages_until(extent, page));
                    let head = Extent::sized(extent.start(), page.min(pages) * PAGE);
                    let busy = head.and_then(|head| plain.map_pages(head).1);
                    let failed = busy.or_else(|| (page < pages).then(|| extent.start() + page * PAGE));
                    prop_assert_eq!(stopped, failed);
                    // The tables of the page that failed are there, and so it is mapped in both.
                    if let (None, Some(page)) = (busy, failed) {
                        let page = Extent::sized(page, PAGE).expect("an extent");
                        let was_set = real.is_mapped(page.start());
                        let (done, _) = outcome(real.map_pages(page));
                        prop_assert_eq!(done.new_tables.total(), 0);
                        let (_, stopped) = plain.map_pages(page);
                        prop_assert!(stopped.is_none() || was_set);
                    }
                }
                Act::Scarce { n_tables } => {
                    let (done, stopped) = outcome(real.map_pages_with_tables(extent, n_tables));
                    prop_assert!(done.new_tables.total() <= n_tables);
                    prop_assert!(stopped.is_some() || asked.missing.total() <= n_tables);
                    // The rest of the walk makes both alike.
                    let rest = stopped.map_or(extent.end(), |at| at);
                    if let Some(head) = Extent::new(extent.start(), rest) {
                        plain.map_pages(head);
                    }
                    if let Some(page) = stopped.and_then(|at| Extent::sized(at, PAGE)) {
                        let _ = real.map_pages(page);
                        plain.map_pages(page);
                    }
                }
            }
            compare(&real, &plain, n_pages);
            kept.clone_from(&real);
            prop_assert_eq!(kept.leaves(), real.leaves());
        }
        // Everything goes, but for the tables.
        let tables = real.tables();
        let all = Extent::new(base, base.saturating_add(n_pages * PAGE)).expect("an extent");
        real.unmap(all);
        plain.unmap(whole.expect("an extent"));
        prop_assert_eq!((real.leaves().total(), real.tables()), (0, tables));
        compare(&real, &plain, n_pages);
        // A checkpoint is the state of its time.
        kept.audit().expect("sound");
    }

    /// By small pages the count is the one that areas touch.
    #[test]
    fn as_the_blocks_that_areas_touch(
        which in 0..GEOMETRIES.len(),
        areas in prop::collection::vec((0_u64..1 << 20, 1_u64..100_000, any::<bool>()), 1..60),
    ) {
        let geometry = GEOMETRIES[which];
        let bits = geometry.levels[0].shift + geometry.levels[0].entries.trailing_zeros();
        let (base, pages_in_all) = (if bits == 32 { 0 } else { u64::MAX << bits }, (1 << (bits - 1)) / geometry.page_size);
        let mut real = PageTables::new(arch_rules(geometry, Release::new(6, 12)));
        let mut touched = TablesTouched::default();
        for (start, pages, is_small) in areas {
            let pages = (if is_small { pages % 20 + 1 } else { pages }).min(pages_in_all - 2);
            let start = start.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (pages_in_all - pages - 1);
            let addr = base + start * geometry.page_size;
            let area = Extent::sized(addr, (pages + 1) * geometry.page_size).expect("an extent");
            let mapped = Extent::sized(addr, pages * geometry.page_size).expect("an extent");
            touched.map(geometry, area);
            real.unmap(area);
            prop_assert_eq!(real.map_pages(mapped).map(|done| done.leaves.total()), Ok(pages));
            prop_assert_eq!(real.count(), touched.count());
            prop_assert_eq!(real.tables_of(mapped).missing.total(), 0);
        }
        real.audit().expect("sound");
    }
}
