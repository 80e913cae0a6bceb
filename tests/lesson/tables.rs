//! What the lessons about page tables, their cost and pools say, against the model.

use std::process::Command;

use serde_json::Value;
use vmaplens::model::page_table::{ModMask, X86_64_4};
use vmaplens::model::stage::Note;
use vmaplens::model::{PoolAnswer, Stage, Step};

use super::stops::{Stop, count, stops};

/// `mask PMD|PTE, 24`.
fn mask(stop: &Stop) -> (String, u8) {
    let ModMask(bits) = stop.mapped().mod_mask;
    (format!("ask {}, {bits}", stop.mapped().mod_mask), bits)
}

#[test]
fn from_pgd_to_pte() {
    let stops = stops("page-tables");
    let first = stops[1].mapped();
    let index: Vec<u64> = X86_64_4.walk(first.extent.start()).iter().map(|step| step.index).collect();
    assert_eq!(index, [402, 0, 0, 0], "vector P1");
    stops[1].says(format!("at {:#x}: entry {} of the PGD, then 0, 0 and 0", first.extent.start(), index[0]));
    stops[1].claims("8 KiB for one page", first.new_tables.0 == [0, 0, 1, 1, 0]);
    stops[1].says(format!("mask {}, which is 4 + 8 + 16 = {}", first.mod_mask, mask(&stops[1]).1));
    assert_eq!(mask(&stops[1]).1, 28);
    for (at, bits) in [(2, 16), (3, 24), (4, 8), (8, 4)] {
        let (words, is) = mask(&stops[at]);
        assert_eq!(is, bits, "stop {at}");
        stops[at].says(words);
    }
    let across = stops[3].mapped();
    stops[3].says(format!("starts at {:#x}, one page before", across.extent.start()));
    stops[3].claims("a table of its own", across.new_tables.0 == [0, 0, 0, 1, 0] && across.leaves[3] == 512);
    stops[4].says(format!("at {:#x} a single PMD entry", stops[4].mapped().extent.start()));
    stops[4].claims("No PTE table, no PTE", stops[4].mapped().leaves.0 == [0, 0, 1, 0, 0]);
    stops[5].claims("gets a PTE table", stops[5].mapped().new_tables[3] == 1);
    assert_eq!(stops[5].mapped().extent.start(), stops[4].mapped().extent.start());
    stops[6].claims("detached and freed", stops[6].mapped().freed_tables.0 == [0, 0, 0, 1, 0]);
    assert_eq!(stops[6].tables + 1, stops[5].tables);
    let far = stops[7].mapped();
    stops[7].says(format!("PGD entry {}.", X86_64_4.walk(far.extent.start())[0].index));
    stops[7].claims("It has not", far.sync.is_none() && !far.mod_mask.meets(ModMask::P4D));
    stops[7].says(format!("New are a PMD and a PTE table; mask {} again", mask(&stops[7]).1));
    stops[8].claims("no table at all", stops[8].mapped().new_tables.total() == 0);
    let unmapped = stops[9].unmapped();
    stops[9].claims("Mask PTE", unmapped.mod_mask == ModMask::PTE && unmapped.sync.is_none());
    stops[9].says(format!("its {} PTEs in two tables", unmapped.leaves[3]));
    stops[9].claims("Five tables exist now", stops[9].tables == 5);
}

#[test]
fn synchronised_or_not() {
    let stops = stops("sync-i386");
    let walk = |addr| vmaplens::model::page_table::I386.walk(addr)[0].index;
    let synced = |stop: &Stop| stop.mapped().sync.map(|sync| sync.n_entries);
    stops[1].says(format!("Entry {} of the PGD gets a PTE table", walk(stops[1].mapped().extent.start())));
    stops[1].says(format!("m{}", mask(&stops[1]).0));
    stops[1].says(format!("VMALLOC_END are looked at, {},", synced(&stops[1]).expect("a sync")));
    stops[2].says(format!("m{}", mask(&stops[2]).0));
    stops[2].claims("not in the sync mask", synced(&stops[2]).is_none());
    stops[3].says(format!("entry {} gets a table", walk(stops[3].mapped().extent.end())));
    stops[3].claims("a sync follows again", synced(&stops[3]).is_some());
    stops[3].says(format!(
        "its pages are {}, the entries of the PGD it changed are one",
        count(stops[3].mapped().leaves[1])
    ));
    assert_eq!(stops[3].mapped().new_tables[1], 1);
    stops[4].claims("no sync", stops[4].unmapped().sync.is_none() && stops[4].tables == 2);
    stops[5].claims("get the same place", stops[5].placed() == stops[3].placed());
    stops[5].claims("mask PTE, no sync", stops[5].mapped().mod_mask == ModMask::PTE && synced(&stops[5]).is_none());
    stops[6].says(format!("entry {}, a new table", walk(stops[6].mapped().extent.end())));
    stops[6].says(format!("a sync of the last {} entries", synced(&stops[6]).expect("a sync")));
}

#[test]
fn huge_or_small() {
    let stops = stops("huge-vmalloc");
    let small = stops[1].mapped();
    stops[1].claims("1,024 PTEs in two PTE tables", small.leaves[3] == 1024 && small.new_tables[3] == 2);
    let tried = matches!(stops[2].step(), Step::Stage(Stage::Note(Note::HugeTried { bytes: 0x20_0000, .. })));
    stops[2].claims("4 MiB by 2 is 2 MiB", tried);
    stops[2].says(format!("starts at {:#x}", stops[2].placed().start()));
    let not = matches!(stops[3].step(), Step::Stage(Stage::Note(Note::HugeNotTried { bytes: 0x10_0000 })));
    stops[3].claims("that is 1 MiB, too little", not);
    let fell = |stop: &Stop| matches!(stop.step(), Step::Stage(Stage::Note(Note::HugeFellBack { .. })));
    stops[4].claims("the request starts anew with small pages", fell(&stops[4]));
    let refused = stops[4].steps.iter().filter(|step| matches!(step, Step::Refused { .. })).count();
    let purged = stops[4].steps.iter().filter(|step| matches!(step, Step::PurgeBegun { .. })).count();
    stops[4].claims("finds no place, purges, tries again, fails", refused == 2 && purged == 1);
    stops[4].claims("and fits", !stops[4].placed().start().is_multiple_of(1 << 21));
    stops[5].claims("NULL", fell(&stops[5]) && stops[5].answer.starts_with("NULL"));
    stops[6].claims("clears two PMD entries", stops[6].unmapped().leaves.0 == [0, 0, 2, 0, 0]);
}

#[test]
fn pools() {
    let stops = stops("pools");
    let asked = |stop: &Stop| {
        let asked = stop.steps.iter().find_map(|step| match step {
            Step::PoolAsked { node, pages, answer } => Some((*node, *pages, *answer)),
            _ => None,
        });
        asked.expect("a pool is asked")
    };
    stops[1].claims("node 0. It is empty", asked(&stops[1]) == (0, 2, PoolAnswer::Empty));
    stops[2].claims("in vain too", asked(&stops[2]) == (1, 2, PoolAnswer::Empty));
    stops[2].claims("This one is in node 0", matches!(stops[2].step(), Step::BusyAdded { node: 0, .. }));
    for (stop, in_node) in [(&stops[3], 0), (&stops[4], 1)] {
        let Step::LazyAdded { node, lazy_max_pages: 16_384, .. } = stop.step() else { panic!("lazy") };
        assert_eq!(*node, in_node);
        stop.says(format!("the lazy tree of node {node}"));
    }
    let Step::DrainDue { lazy_pages, inline: false, .. } = stops[5].step() else { panic!("due") };
    stops[5].says(format!("brings the lazy pages to {}", count(*lazy_pages)));
    let pooled: Vec<(u32, u64)> = stops[6]
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Pooled { node, extent } => Some((*node, extent.len_bytes() >> 12)),
            _ => None,
        })
        .collect();
    assert_eq!(pooled, [(0, 2), (0, 33), (1, 2)]);
    stops[6].says("area 1 and the large area's page array to node 0, area 2 to node 1");
    stops[5].says("an area of 33 pages");
    let returned = |step: &Step| matches!(step, Step::Returned { extent, .. } if extent.len_bytes() == 16_385 << 12);
    stops[6].claims("too large and return to the free tree", stops[6].steps.iter().any(returned));
    let PoolAnswer::Hit(hit) = asked(&stops[7]).2 else { panic!("a hit") };
    stops[7].claims("The address is that of area 2", hit == stops[2].placed() && hit == stops[7].placed());
    stops[8].claims("The pool of node 1 is empty now", asked(&stops[8]) == (1, 2, PoolAnswer::Empty));
    stops[8].says(format!("the area at {:#x}", stops[1].placed().start()));
    stops[8].says(format!("the free tree gives {:#x}", stops[8].placed().start()));
    stops[9].claims("257 with the guard", asked(&stops[9]) == (0, 257, PoolAnswer::NoSuchPool));
    stops[10].claims("the pools are emptied", matches!(stops[10].step(), Step::Decayed { left: 0, .. }));
}

/// `page_table_pages` that `vmaplens replay FILE --json` gives of a script.
fn page_table_pages(name: &str) -> u64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vmaplens"));
    let file = format!("traces/lessons/{name}.ops");
    command.args(["replay", &file, "--json"]).current_dir(env!("CARGO_MANIFEST_DIR")).env_clear();
    let output = command.output().expect("the binary runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    report["metrics"]["page_table_pages"].as_u64().expect("a number")
}

/// Bytes that each of the areas is asked for with.
fn sizes(name: &str) -> Vec<u64> {
    let lesson = vmaplens::lesson::named(name).expect(name);
    let sizes = lesson.text.lines().filter_map(|line| line.strip_prefix("vmalloc "));
    sizes.map(|rest| rest.split(' ').nth(1).expect("a size").parse().expect("a number")).collect()
}

#[test]
fn the_same_areas_cost_several_times_as_many_tables_at_random_addresses() {
    let [packed, spread] = ["first-fit", "random-addresses"].map(page_table_pages);
    assert_eq!((packed, spread), (3, 36));
    assert!(4 * packed < spread);
    let [sizes, same] = ["first-fit", "random-addresses"].map(sizes);
    assert_eq!((sizes.len(), &sizes), (17, &same));

    let (first, random) = (stops("first-fit"), stops("random-addresses"));
    let bytes: u64 = sizes.iter().sum();
    first[0].says(format!("in all {} KiB in {} pages", count(bytes >> 10), bytes >> 12));
    random[0].says(format!("{} pages", bytes >> 12));
    first[6].says(format!("{} areas, {} pages, three tables: {} KiB", sizes.len(), bytes >> 12, 4 * packed));
    first[6].claims("half a percent", (4..=6).contains(&(packed * 4096 * 1000 / bytes)));
    random[6].says(format!("{spread} tables, {} KiB, where first fit needed three, {} KiB", 4 * spread, 4 * packed));
    random[6].claims("twelve times as many", spread == 12 * packed);

    first[1].claims("8 KiB of tables", first[1].tables == 2);
    first[2].claims("Nothing is added but two PTEs", first[2].mapped().leaves[3] == 2 && first[2].tables == 2);
    first[3].claims("still the two tables", first[3].tables == 2);
    first[4].claims("no table of its own", first[4].mapped().new_tables.total() == 0);
    first[4].claims("256 pages", first[4].mapped().leaves[3] == 256);
    first[5].claims("the third table in all", first[5].mapped().new_tables[3] == 1 && first[5].tables == 3);
    random[1].says(format!("at {:#x}", random[1].placed().start()));
    random[2].claims("two tables more", random[2].mapped().new_tables.total() == 2);
    random[3].says(format!("Eight areas, {} tables", random[3].tables));
    random[4].claims("two PTE tables besides its PMD table", random[4].mapped().new_tables.0 == [0, 0, 1, 2, 0]);
    random[5].says(format!("two tables more: {} now", random[5].tables));
    random[5].claims("17 PMD tables and 19 PTE tables", random[5].tables == 36);
}

#[test]
fn kmalloc_or_vmalloc() {
    let stops = stops("kmalloc-or-vmalloc");
    let word = |stop: &Stop, key: &str| {
        let answer = stop.answer.trim_end();
        let value = answer.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("no {key} in {answer:?}")).to_owned()
    };
    stops[1].claims("the class kmalloc-128", word(&stops[1], "kmalloc") == "kmalloc-128:128");
    stops[1].claims("serves 32 of them", 4096 / 128 == 32);
    stops[2].claims("a block of order 2", word(&stops[2], "kmalloc") == "order-2:16384");
    stops[2].claims("three single pages", word(&stops[2], "vmalloc") == "pages:12288");
    stops[3].claims("order 10", word(&stops[3], "kmalloc") == "order-10:4194304");
    stops[3].claims("KMALLOC_MAX_SIZE", word(&stops[3], "kmalloc_limit") == "4194304");
    stops[4].claims("kmalloc() refuses", word(&stops[4], "kmalloc") == "refused");
    stops[4].claims("", word(&stops[4], "vmalloc") == "pages:4198400");
    stops[5].claims("a PMD and a PTE table", stops[5].tables == 2 && stops[5].mapped().new_tables.total() == 2);
    let bytes = |stop: &Stop, key: &str| word(stop, key).parse::<u64>().expect("bytes");
    stops[6].claims("three times as much", bytes(&stops[6], "total") / bytes(&stops[6], "data") == 3);
    stops[6].claims("two page tables are its own", bytes(&stops[6], "tables") == 2 * 4096);
    stops[8].claims("each area pays half", bytes(&stops[8], "tables") == 4096);
}
