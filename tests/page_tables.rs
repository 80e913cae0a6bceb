//! Kernel page tables: the worked vectors of each architecture, errors, and what large mappings cost; and, from a
//! second direction, random walks against plain trees of arrays.

#![expect(clippy::panic, reason = "a test says what broke")]

#[path = "page_tables/naive.rs"]
mod naive;
#[path = "page_tables/random.rs"]
mod random;
#[path = "page_tables/rules.rs"]
mod rules;

use vmaplens::model::Extent;
use vmaplens::model::page_table::{
    EntryKind, Geometry, I386, I386_PAE, MapError, ModMask, PageTables, PerLevel, SyncKind, TablesTouched, X86_64_4,
    X86_64_5,
};
use vmaplens::policy::{Release, arch_rules};

const BASE: u64 = 0xffff_c900_0000_0000;
const S: u64 = 0xf880_0000;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

fn sized(start: u64, size: u64) -> Extent {
    Extent::sized(start, size).expect("an extent")
}

fn tables(geometry: &'static Geometry, release: &str) -> PageTables {
    PageTables::new(arch_rules(geometry, Release::parse(release).expect("a release")))
}

fn per_level(counts: &[u64]) -> PerLevel {
    let mut levels = PerLevel::default();
    levels.0[..counts.len()].copy_from_slice(counts);
    levels
}

/// P1, P2: the first page needs a PMD and a PTE table, its neighbour nothing.
#[test]
fn the_first_page_and_its_neighbour() {
    let mut tables = tables(&X86_64_4, "6.12");
    assert_eq!(tables.tables_of(sized(BASE, 0x1000)).missing, per_level(&[0, 0, 1, 1]));
    let first = tables.map_pages(sized(BASE, 0x1000)).expect("free");
    assert_eq!(first.new_tables, per_level(&[0, 0, 1, 1]));
    assert_eq!((tables.table_bytes(), first.mod_mask), (8192, ModMask(28)));
    assert_eq!(first.sync, None, "the PUD tables are there from boot");
    let second = tables.map_pages(sized(BASE + 0x2000, 0x1000)).expect("free");
    assert_eq!((second.new_tables.total(), second.mod_mask), (0, ModMask::PTE));
    assert_eq!(second.mod_mask.to_string(), "PTE");
    let of_second = tables.tables_of(sized(BASE + 0x2000, 0x1000));
    assert_eq!((of_second.needed, of_second.shared), (per_level(&[0, 0, 1, 1]), per_level(&[0, 0, 1, 1])));
    // Freeing clears and keeps the tables: nobody shares them any more.
    let cleared = tables.unmap(sized(BASE, 0x2000));
    assert_eq!((cleared.leaves[3], cleared.mod_mask), (1, ModMask::PTE));
    assert_eq!(tables.tables_of(sized(BASE + 0x2000, 0x1000)).shared.total(), 0);
    assert_eq!(tables.count(), 2);
}

/// P3: 512 pages that straddle a border.
#[test]
fn an_area_across_a_border_needs_two_tables() {
    let mut tables = tables(&X86_64_4, "6.12");
    let mapped = tables.map_pages(sized(0xffff_c900_001f_f000, 2 * MIB)).expect("free");
    assert_eq!(mapped.new_tables, per_level(&[0, 0, 1, 2]));
    assert!(tables.has_table(3, BASE) && tables.has_table(3, BASE + 2 * MIB) && !tables.has_table(3, BASE + 4 * MIB));
    let slots = tables.slots(3, BASE).expect("a table");
    assert_eq!(slots.iter().filter(|kind| **kind == EntryKind::Page).count(), 1);
    assert_eq!(slots[511], EntryKind::Page);
    assert_eq!(tables.slots(2, BASE).expect("a table")[..3], [EntryKind::Table, EntryKind::Table, EntryKind::None]);
}

/// P4: a huge area takes no PTE table, and frees one that is there and empty.
#[test]
fn a_huge_leaf_takes_the_place_of_an_empty_table() {
    let at = BASE + 2 * MIB;
    let mut fresh = tables(&X86_64_4, "6.12");
    let mapped = fresh.map_range(sized(at, 2 * MIB), 8 * GIB, 21).expect("free");
    assert_eq!((mapped.new_tables, mapped.leaves), (per_level(&[0, 0, 1]), per_level(&[0, 0, 1])));
    assert!(mapped.mod_mask.meets(ModMask::PMD) && !mapped.mod_mask.meets(ModMask::PTE));

    let mut reused = tables(&X86_64_4, "6.12");
    reused.map_pages(sized(at, 0x3000)).expect("free");
    reused.unmap(sized(at, 0x4000));
    assert_eq!(reused.count(), 2);
    let mapped = reused.map_range(sized(at, 2 * MIB), 8 * GIB, 21).expect("free");
    assert_eq!((mapped.freed_tables, reused.count()), (per_level(&[0, 0, 0, 1]), 1));
    assert_eq!(reused.entry(2, at), EntryKind::Huge);
    // Guard and all, it goes as one, and a page in its place needs a table again.
    let cleared = reused.unmap(sized(at, 2 * MIB + 0x1000));
    assert_eq!((cleared.leaves, cleared.mod_mask), (per_level(&[0, 0, 1]), ModMask::PMD));
    assert_eq!(reused.map_pages(sized(at, 0x1000)).expect("free").new_tables, per_level(&[0, 0, 0, 1]));

    // A page in the way, and the walk descends: all by small pages, up to the one that is taken.
    let mut shared = tables(&X86_64_4, "6.12");
    shared.map_pages(sized(at + MIB, 0x1000)).expect("free");
    match shared.map_range(sized(at, 2 * MIB), 8 * GIB, 21) {
        Err(MapError::Busy { addr, done }) => assert_eq!((addr, done.leaves[3]), (at + MIB, 256)),
        other => panic!("{other:?}"),
    }
    shared.audit().expect("sound");
}

/// P8: an `ioremap` of 1 GiB is one PUD entry; the guard behind it is not mapped.
#[test]
fn a_gibibyte_of_device_memory_is_one_entry() {
    let mut tables = tables(&X86_64_4, "6.12");
    assert_eq!((tables.rules().ioremap_max_order, tables.rules().largest_shift()), (30, 30));
    let mapped = tables.map_range(sized(BASE, GIB), 64 * GIB, 30).expect("free");
    assert_eq!((mapped.leaves, mapped.new_tables.total()), (per_level(&[0, 1]), 0));
    assert_eq!((mapped.mod_mask, tables.mapped_bytes()), (ModMask::PUD, GIB));
    // Physically askew by a page: nothing but PTEs; by 2 MiB: PMD leaves.
    assert_eq!(tables.unmap(sized(BASE, GIB + 0x1000)).leaves, per_level(&[0, 1]));
    let askew = tables.map_range(sized(BASE, GIB), 64 * GIB + 0x1000, 30).expect("free");
    assert_eq!(askew.leaves, per_level(&[0, 0, 0, 1 << 18]));
    tables.unmap(sized(BASE, GIB));
    let by_pmd = tables.map_range(sized(BASE, GIB), 64 * GIB + 2 * MIB, 30).expect("free");
    assert_eq!((by_pmd.leaves, by_pmd.freed_tables), (per_level(&[0, 0, 512]), per_level(&[0, 0, 0, 512])));
    // `nohugeiomap`.
    tables.unmap(sized(BASE, GIB));
    assert_eq!(tables.map_range(sized(BASE, GIB), 64 * GIB, 12).expect("free").leaves[3], 1 << 18);
}

/// The page-table lines of the vectors of 2.4: the pad page needs no table.
#[test]
fn four_mebibytes_in_2_4() {
    for (geometry, n_tables) in [(&I386, 1), (&I386_PAE, 2)] {
        let mut tables = tables(geometry, "2.4.22");
        let mapped = tables.map_pages(sized(S, 4 * MIB)).expect("free");
        assert_eq!((mapped.new_tables.total(), mapped.sync), (n_tables, None), "{}", geometry.title);
        let names: Vec<_> = mapped.stages(tables.rules()).map(|stage| stage.function.expect("a name")).collect();
        assert_eq!(names, ["vmalloc_area_pages", "alloc_area_pmd", "alloc_area_pte"]);
        let attached: Vec<_> = mapped.stages(tables.rules()).map(|stage| stage.new_tables).collect();
        assert_eq!(attached, [0, n_tables, 0]);
        let cleared = tables.unmap(sized(S, 4 * MIB + 0x1000));
        assert_eq!((cleared.leaves.total(), tables.count()), (1024, n_tables));
        let names: Vec<_> = cleared.stages(tables.rules()).map(|stage| stage.function.expect("a name")).collect();
        assert_eq!(names, ["vmfree_area_pages", "free_area_pmd", "free_area_pte"]);
    }
}

/// A second mapping of a page, as each generation takes it.
#[test]
fn mapping_twice_is_an_error_or_said_and_done() {
    for release in ["2.4.22", "2.6.11"] {
        let mut tables = tables(&I386, release);
        tables.map_pages(sized(S + 0x2000, 0x2000)).expect("free");
        let again = tables.map_pages(sized(S, 0x8000)).expect("they go on");
        assert_eq!((again.leaves[1], again.overwritten, tables.leaves()[1]), (8, 2, 8));
    }
    let mut tables = tables(&X86_64_4, "6.1");
    tables.map_pages(sized(BASE + 0x2000, 0x2000)).expect("free");
    let error = tables.map_pages(sized(BASE, 0x8000)).expect_err("taken");
    assert_eq!(error.to_string(), "0xffffc90000002000 is already mapped");
    assert_eq!(error.done().map(|done| done.leaves[3]), Some(2));
    assert!(tables.is_mapped(BASE + 0x1000) && !tables.is_mapped(BASE + 0x4000));
    assert_eq!(tables.leaves()[3], 4);
    tables.audit().expect("sound");
}

#[test]
fn what_fails_half_way_stays() {
    let mut tables = tables(&I386, "2.4.22");
    let error = tables.map_pages_until(sized(S + 0x3f_e000, 0x8000), 4).expect_err("no page");
    assert!(matches!(error, MapError::NoPage { addr, .. } if addr == S + 0x40_2000), "{error}");
    assert_eq!((tables.leaves()[1], tables.count()), (4, 2));
    // The first page of a block fails after its table was allocated.
    let error = tables.map_pages_until(sized(S + 0x7f_f000, 0x8000), 1).expect_err("no page");
    assert_eq!(error.done().map(|done| (done.leaves[1], done.new_tables.total())), Some((1, 1)));
    assert_eq!(tables.unmap(sized(S, 0x100_0000)).leaves[1], 5);
    assert_eq!(tables.map_pages_until(sized(S, 0x8000), 8).expect("all are there").leaves[1], 8);

    let mut tables = self::tables(&X86_64_4, "6.12");
    let error = tables.map_pages_with_tables(sized(BASE + 0x1f_f000, 6 * MIB), 3).expect_err("no table");
    assert_eq!(error.to_string(), "no PTE table for 0xffffc90000400000");
    assert_eq!(error.done().map(|done| (done.leaves[3], done.new_tables.total())), Some((513, 3)));
    let error = tables.map_pages_with_tables(sized(BASE + GIB, 0x1000), 1).expect_err("no table");
    assert_eq!((error.to_string().as_str(), tables.count()), ("no PTE table for 0xffffc90040000000", 4));
    assert!(tables.map_pages_with_tables(sized(BASE + GIB, 0x1000), 1).is_ok());
    tables.audit().expect("sound");
}

#[test]
fn the_top_of_the_address_space() {
    let top = u64::MAX - 0xfff;
    let mut tables = tables(&X86_64_4, "6.12");
    let below = sized(top - 0x1000, 0x1000);
    assert_eq!(tables.map_pages(below).expect("free").leaves[3], 1);
    let last = Extent::new(top, u64::MAX).expect("an extent");
    assert_eq!(tables.map_pages(last), Err(MapError::Unaligned { extent: last, page_size: 4096 }));
    assert_eq!(tables.map_range(last, 0, 30).map(|_| ()), Err(MapError::Unaligned { extent: last, page_size: 4096 }));
    assert_eq!(tables.unmap(last).leaves.total(), 0);
    assert!(!tables.is_mapped(u64::MAX));
    assert_eq!(tables.slots(0, u64::MAX).expect("the top table")[511], EntryKind::Table);
    assert_eq!(tables.unmap(Extent::new(BASE, u64::MAX).expect("an extent")).leaves.total(), 1);
    let physical = tables.map_range(below, u64::MAX - 0xfff, 30);
    assert!(matches!(physical, Err(MapError::Physical { .. })), "{physical:?}");
    let around = sized(0x7fff_0000_0000, 0xffff_0000_0000_0000);
    assert!(matches!(tables.map_pages(around), Err(MapError::Beyond { .. })));
    let mut small = self::tables(&I386, "2.4.22");
    assert_eq!(small.map_pages(sized(0xffff_e000, 0x2000)).expect("up to 4 GiB").leaves[1], 2);
    assert!(matches!(small.map_pages(sized(0xffff_e000, 0x3000)), Err(MapError::Beyond { .. })));
    assert!(matches!(small.map_pages(sized(1 << 32, 0x1000)), Err(MapError::Beyond { .. })));
}

#[test]
fn a_sync_goes_where_each_architecture_sends_it() {
    let vmalloc = Extent::new(S, 0xfdff_e000);
    let mut i386 = PageTables::new(arch_rules(&I386, Release::new(6, 1)).with_vmalloc(vmalloc));
    let sync = i386.map_pages(sized(S, 0x1000)).expect("free").sync.expect("a new PTE table");
    // The end is ignored: up to VMALLOC_END, by PMD, which is the top entry here.
    assert_eq!((sync.kind, sync.extent, sync.n_entries), (SyncKind::CopyPmd, vmalloc.expect("a range"), 22));
    assert_eq!(i386.map_pages(sized(S + 0x2000, 0x1000)).expect("free").sync, None);
    let mut five = tables(&X86_64_5, "7.3");
    assert_eq!(five.map_pages(sized(0xffa0_0000_0000_0000, 0x1000)).expect("free").sync, None);
    // Without tables from boot, a new PUD table has to reach every process, per PGD entry.
    let mut rules = arch_rules(&X86_64_4, Release::new(6, 12));
    rules.preallocates = false;
    let mut four = PageTables::new(rules);
    let sync = four.map_pages(sized(BASE + 511 * GIB, 2 * GIB)).expect("free").sync.expect("two PUD tables");
    assert_eq!((sync.kind, sync.n_entries, four.tables()[1]), (SyncKind::CopyPgd, 2, 2));
}

/// Large mappings are runs: neither time nor memory goes by pages.
#[test]
fn thirty_two_tebibytes_at_once() {
    let mut tables = tables(&X86_64_4, "6.12");
    let all = sized(BASE, 32 * TIB);
    let mapped = tables.map_pages(all).expect("free");
    assert_eq!(mapped.new_tables, per_level(&[0, 0, 1 << 15, 1 << 24]));
    assert_eq!(mapped.leaves[3], 1 << 33);
    tables.unmap(sized(BASE + 5 * TIB + 0x3000, 0x1000));
    assert!(!tables.is_mapped(BASE + 5 * TIB + 0x3fff) && tables.is_mapped(BASE + 5 * TIB + 0x4000));
    assert_eq!(tables.unmap(all).leaves[3], (1 << 33) - 1);
    let mapped = tables.map_range(all, 0, 30).expect("free");
    assert_eq!((mapped.leaves[1], tables.count()), (1 << 15, 0));
    assert!(tables.work() < 100 && tables.heap_bytes() < 16 << 10, "{} {}", tables.work(), tables.heap_bytes());
    tables.audit().expect("sound");

    let mut tables = self::tables(&X86_64_4, "6.12");
    let before = tables.work();
    tables.map_pages(sized(BASE + 0x5000, GIB)).expect("free");
    assert_eq!(tables.unmap(sized(BASE + 0x5000, GIB + 0x1000)).leaves[3], 1 << 18);
    assert!(tables.work() - before < 512);
}

/// As many areas as a busy machine has, spread over the whole range in no order: a table each.
#[test]
fn a_hundred_thousand_areas() {
    let mut tables = tables(&X86_64_4, "6.12");
    let mut touched = TablesTouched::default();
    // The multiplier is odd: each area has a place of its own.
    let place = |index: u64| BASE + (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40 << 21);
    for index in 0..100_000 {
        let guarded = sized(place(index), 0x5000);
        touched.map(&X86_64_4, guarded);
        let _ = tables.unmap(guarded);
        tables.map_pages(sized(place(index), 0x4000)).expect("free");
    }
    assert_eq!(tables.count(), touched.count());
    assert!(90_000 < tables.count());
    let per_table = tables.heap_bytes() / tables.count();
    assert!(per_table < 256, "{per_table} bytes for a table");
    tables.audit().expect("sound");
    for index in 0..100_000 {
        tables.unmap(sized(place(index), 0x5000));
    }
    assert_eq!((tables.leaves().total(), tables.count()), (0, touched.count()));
    tables.audit().expect("sound");
}
