//! What `arch_rules` says of architectures and releases, and the levels of every geometry.

use vmaplens::model::Extent;
use vmaplens::model::page_table::{
    ARM, ARM_LPAE, ARM64_4K_39, ARM64_4K_48, ARM64_16K_36, ARM64_16K_48, ARM64_64K_48, ArchRules, ClearsAt, Collision,
    EntryKind, GEOMETRIES, Geometry, I386, I386_PAE, ModMask, NOT_MODELLED, PageTables, Propagation, RISCV_39,
    RISCV_48, SyncKind, SyncRule, TlbFlush, X86_64_4, X86_64_5,
};
use vmaplens::policy::{Release, arch_rules};

fn rules(geometry: &'static Geometry, release: &str) -> ArchRules {
    arch_rules(geometry, Release::parse(release).expect("a release"))
}

fn indices(geometry: &Geometry, addr: u64) -> Vec<u64> {
    geometry.walk(addr).iter().map(|step| step.index).collect()
}

/// P1, P5, P6, P7.
#[test]
fn indices_of_the_vectors() {
    assert_eq!(indices(&X86_64_4, 0xffff_c900_0000_0000), [402, 0, 0, 0]);
    assert_eq!(indices(&I386, 0xf880_0000), [994, 0]);
    assert_eq!(indices(&I386_PAE, 0xf880_0000), [3, 452, 0]);
    assert_eq!(indices(&ARM64_4K_48, 0xffff_8000_8000_0000), [256, 2, 0, 0]);
    assert_eq!(indices(&RISCV_39, 0xffff_ffc6_0000_0000), [280, 0, 0]);
}

/// Index at a level = (address >> shift) mod entries, and a page mapped there shows in exactly these entries.
#[test]
fn every_geometry_maps_where_its_indices_say() {
    for geometry in GEOMETRIES {
        let bits = geometry.levels[0].shift + geometry.levels[0].entries.trailing_zeros();
        let base = if bits == 32 { 0xc880_0000 } else { u64::MAX << (bits - 1) };
        for addr in [base, base + 0x1_2345 * geometry.page_size, base + (1 << (bits - 4)) + 7 * geometry.page_size] {
            let mut tables = PageTables::new(rules(geometry, "6.12"));
            let page = Extent::sized(addr, geometry.page_size).expect("an extent");
            let mapped = tables.map_pages(page).expect("free");
            let preallocated = geometry.levels.iter().filter(|level| level.preallocated).count();
            assert_eq!(mapped.new_tables.total() as usize, geometry.levels.len() - preallocated, "{}", geometry.title);
            for (depth, level) in geometry.levels.iter().enumerate() {
                let slots = tables.slots(depth, addr).expect("a table on the way");
                assert_eq!(slots.len() as u64, level.entries);
                let set: Vec<usize> = (0..slots.len()).filter(|&index| slots[index] != EntryKind::None).collect();
                assert_eq!(
                    set,
                    [((addr >> level.shift) % level.entries) as usize],
                    "{} {}",
                    geometry.title,
                    level.name
                );
            }
            let leaf = tables.leaf_of(addr + geometry.page_size - 1).expect("mapped");
            assert_eq!((leaf.extent, leaf.depth), (page, geometry.levels.len() - 1));
            tables.audit().expect("sound");
        }
    }
}

/// 64 or 65 PUD tables, 50 or 51 P4D tables, by whether the base is aligned to a top entry. KASLR moves it by 1 GiB.
#[test]
fn tables_from_boot() {
    let boot = |geometry: &'static Geometry, start: u64, end: u64| {
        rules(geometry, "6.12").with_vmalloc(Extent::new(start, end)).boot_tables().total()
    };
    assert_eq!(boot(&X86_64_4, 0xffff_c900_0000_0000, 0xffff_e8ff_ffff_ffff), 64);
    assert_eq!(boot(&X86_64_4, 0xffff_a1c0_4000_0000, 0xffff_c1c0_3fff_ffff), 65);
    assert_eq!(boot(&X86_64_5, 0xffa0_0000_0000_0000, 0xffd1_ffff_ffff_ffff), 50);
    assert_eq!(boot(&X86_64_5, 0xff43_0000_4000_0000, 0xff75_0000_3fff_ffff), 51);
    assert_eq!(boot(&RISCV_39, 0xffff_ffc6_0000_0000, 0xffff_ffd6_0000_0000), 64);
    assert_eq!(boot(&I386_PAE, 0xf880_0000, 0xfdff_e000), 1);
    assert_eq!(boot(&ARM64_4K_48, 0xffff_8000_8000_0000, 0xffff_fdff_bf80_0000), 0);
    assert_eq!(rules(&X86_64_4, "6.12").boot_tables().total(), 0, "the base is not known");
    let old = rules(&X86_64_4, "4.19").with_vmalloc(Extent::sized(0xffff_c900_0000_0000, 32 << 40));
    assert_eq!(old.boot_tables().total(), 0, "faults do it");
}

#[test]
fn which_levels_may_be_huge() {
    let huge = |geometry, release| {
        let rules: ArchRules = rules(geometry, release);
        (rules.huge_pud, rules.huge_pmd, rules.contiguous_shift, rules.huge_vmalloc)
    };
    assert_eq!(huge(&X86_64_4, "4.0"), (false, false, None, false));
    assert_eq!(huge(&X86_64_4, "5.10"), (true, true, None, false));
    assert_eq!(huge(&X86_64_5, "6.1"), (true, true, None, true));
    assert_eq!(huge(&I386_PAE, "6.1"), (false, true, None, false));
    assert_eq!(huge(&I386, "6.1"), (false, false, None, false));
    assert_eq!(huge(&ARM_LPAE, "7.3"), (false, false, None, false));
    assert_eq!(huge(&ARM64_4K_48, "6.1"), (true, true, None, true));
    assert_eq!(huge(&ARM64_16K_48, "6.12"), (false, true, None, true));
    assert_eq!(huge(&ARM64_4K_39, "7.3"), (true, true, Some(16), true));
    assert_eq!(huge(&ARM64_64K_48, "7.3"), (false, true, Some(21), true));
    assert_eq!(huge(&RISCV_39, "6.12"), (false, true, None, true));
    assert_eq!(huge(&RISCV_48, "6.12"), (true, true, None, true));
    assert_eq!(huge(&RISCV_48, "6.1"), (false, false, None, false));

    let order = |geometry, release| rules(geometry, release).ioremap_max_order;
    assert_eq!([order(&X86_64_4, "3.10"), order(&X86_64_4, "6.1"), order(&I386_PAE, "6.1")], [19, 30, 21]);
    assert_eq!([order(&I386, "6.1"), order(&ARM, "5.10"), order(&ARM64_4K_48, "6.1")], [22, 24, 30]);
    assert_eq!([order(&ARM64_64K_48, "6.1"), order(&RISCV_39, "6.1"), order(&RISCV_39, "7.3")], [29, 19, 30]);
    // A folded PMD is the top entry.
    assert_eq!((order(&ARM64_16K_36, "6.1"), rules(&ARM64_16K_36, "6.1").largest_shift()), (25, 25));
    assert_eq!(rules(&NOT_MODELLED, "6.1").largest_shift(), 12);
}

#[test]
fn how_entries_spread() {
    let of = |geometry, release| rules(geometry, release).propagation;
    let sync = |mask, kind| Propagation::Sync(SyncRule { mask, kind });
    assert_eq!(of(&X86_64_4, "5.7"), Propagation::Faults);
    assert_eq!(of(&I386, "2.4.22"), Propagation::Faults);
    assert_eq!(of(&X86_64_4, "5.10"), Propagation::None);
    assert_eq!(of(&X86_64_4, "6.1"), sync(ModMask::P4D, SyncKind::CopyPgd));
    assert_eq!(of(&X86_64_5, "7.3"), sync(ModMask::PGD, SyncKind::CopyPgd));
    assert_eq!(of(&I386, "5.10"), sync(ModMask::PMD, SyncKind::CopyPmd));
    assert_eq!(of(&I386_PAE, "6.1"), Propagation::None);
    assert_eq!(of(&ARM, "6.1"), sync(ModMask::PMD, SyncKind::BumpSequence));
    assert_eq!(of(&ARM64_4K_48, "7.3"), Propagation::None);
    let first = |release| rules(&X86_64_4, release).purge_sync;
    let all = Some("vmalloc_sync_all");
    assert_eq!([first("5.2"), first("5.3"), first("5.4"), first("5.8")], [None, all, all, None]);
    assert_eq!(first("5.7"), Some("vmalloc_sync_unmappings"));
}

/// P9, and the other thresholds.
#[test]
fn a_wide_flush_takes_everything() {
    let base = 0xffff_c900_0000_0000;
    let flush = |geometry, pages: u64| {
        let rules: ArchRules = rules(geometry, "6.12");
        rules.tlb.flush(Extent::sized(base, pages * 4096).expect("an extent"), 4096)
    };
    assert_eq!([flush(&X86_64_4, 33), flush(&X86_64_4, 34)], [TlbFlush::Pages(33), TlbFlush::All]);
    assert_eq!(flush(&X86_64_4, 0x1002), TlbFlush::All);
    assert_eq!([flush(&ARM64_4K_48, 511), flush(&ARM64_4K_48, 512)], [TlbFlush::Pages(511), TlbFlush::All]);
    let old = rules(&I386, "2.4.22").tlb;
    assert_eq!(old.flush(Extent::sized(base, 4096).expect("an extent"), 4096), TlbFlush::All);
}

#[test]
fn each_generation_has_its_way() {
    let of = |release| {
        let rules = rules(&X86_64_4, release);
        (rules.collision, rules.clears_at)
    };
    assert_eq!(of("2.4.22"), (Collision::SaysAndOverwrites, ClearsAt::Free));
    assert_eq!(of("2.6.11"), (Collision::WarnsAndOverwrites, ClearsAt::Free));
    assert_eq!(of("2.6.32"), (Collision::Busy, ClearsAt::Purge));
    assert_eq!(of("3.10"), (Collision::Busy, ClearsAt::Free));
    assert_eq!(of("6.12"), (Collision::Busy, ClearsAt::Free));
}

/// Where levels are fewer, the folded ones look at the top entries once more, and each table is attached by the level
/// whose bit it sets.
#[test]
fn a_walk_is_told_level_by_level() {
    let mut tables = PageTables::new(rules(&X86_64_4, "6.12"));
    let extent = Extent::sized(0xffff_c900_001f_f000, 0x20_0000).expect("an extent");
    let mapped = tables.map_pages(extent).expect("free");
    let stages: Vec<_> = mapped.stages(tables.rules()).collect();
    assert_eq!(stages.iter().map(|stage| stage.level).collect::<Vec<_>>(), ["PGD", "P4D", "PUD", "PMD", "PTE"]);
    assert_eq!(stages.iter().map(|stage| stage.new_tables).collect::<Vec<_>>(), [0, 0, 1, 2, 0]);
    assert_eq!(stages.iter().map(|stage| stage.n_entries).collect::<Vec<_>>(), [1, 1, 1, 2, 512]);
    assert_eq!((stages[1].is_folded, stages[1].depth, stages[4].leaves), (true, 0, 512));
    assert_eq!(stages[3].function, Some("vmap_pages_pmd_range"));
    assert_eq!((stages[3].first, stages[3].last), (0xffff_c900_0000_0000, 0xffff_c900_0020_0000));
    assert_eq!(
        PageTables::new(rules(&NOT_MODELLED, "6.12")).map_pages(extent).map(|m| m.stages(tables.rules()).count()),
        Ok(5)
    );
}
