//! What the lessons about requests and frees say, against the model.

use vmaplens::log::Log;
use vmaplens::model::stage::{BlockEvent, MapFailure, Message, Note};
use vmaplens::model::{Fit, Merge, Pass, Stage, Step};
use vmaplens::replay::{Replay, Settings};

use super::stops::{Stop, count, stops};

fn pages_given(stop: &Stop) -> u64 {
    let given = stop.steps.iter().filter_map(|step| match step {
        Step::Stage(Stage::PagesGiven { pages, .. }) => Some(*pages),
        _ => None,
    });
    given.sum()
}

fn is_before(stop: &Stop, first: impl Fn(&Step) -> bool, second: impl Fn(&Step) -> bool) -> bool {
    let at = |is: &dyn Fn(&Step) -> bool| stop.steps.iter().position(is);
    at(&first).zip(at(&second)).is_some_and(|(first, second)| first < second)
}

fn is_unmapped(step: &Step) -> bool {
    matches!(step, Step::Stage(Stage::Unmapped(_)))
}

#[test]
fn vmlist() {
    let stops = stops("vmlist");
    assert!(matches!(stops[1].step(), Step::Stage(Stage::Note(Note::Guarded { bytes: 8192 }))));
    assert!(stops[1].steps.iter().all(|step| !matches!(step, Step::Passed { .. })), "nothing is searched");
    let Step::Passed { area, why: Pass::NoRoom { room: 0 }, candidate } = stops[2].step() else { panic!("a pass") };
    stops[2].says(format!("fills {:#x} to {:#x}", area.start(), area.end()));
    stops[2].claims("candidate moves to its end", *candidate == area.end());
    stops[2].says(format!("linked in at {:#x}", stops[2].placed().start()));
    let (mapped, geometry) = (stops[3].mapped(), vmaplens::model::page_table::I386);
    stops[3].says(format!("number {},", geometry.walk(mapped.extent.start())[0].index));
    stops[3].claims("has nothing to add", mapped.new_tables.total() == 0 && stops[3].tables == 1);
    let flush = |step: &Step| matches!(step, Step::Stage(Stage::TlbFlushed { .. }));
    stops[4].claims("then one flush_tlb_all()", is_before(&stops[4], is_unmapped, flush));
    stops[4].claims("The PTE table stays", stops[4].tables == 1 && pages_given(&stops[4]) == 2);
    assert!(matches!(stops[5].step(), Step::Passed { why: Pass::NoRoom { room: 12_288 }, .. }));
    stops[5].says(format!("at {:#x}", stops[5].placed().start()));
    let Step::GapFound { hole, candidate } = stops[6].step() else { panic!("a gap") };
    stops[6].claims("exactly the hole", hole.len_bytes() == 12_288 && *candidate == stops[2].placed().start());
    stops[6].says(format!("The area gets {:#x}", stops[6].placed().start()));
    let said = |stop: &Stop, what| match stop.step() {
        Step::Stage(Stage::Note(Note::Said { message, value })) if *message == what => *value,
        step => panic!("not said: {step:?}"),
    };
    let wrong = said(&stops[7], Message::Nonexistent);
    stops[7].says(format!("Trying to vfree() nonexistent vm area ({wrong:08x})"));
    stops[7].claims("nothing has changed", stops[7].steps.len() == 2);
    let mapped = stops[8].mapped();
    stops[8].says(format!("from {:#x} on: {} pages", mapped.extent.start(), count(mapped.leaves[1])));
    stops[8].says(format!("entry of the PGD, {},", geometry.walk(mapped.extent.end())[0].index));
    stops[8].claims("a second PTE table", mapped.new_tables[1] == 1 && stops[8].tables == 2);
    let Step::Stage(Stage::MapFailed { done, why: MapFailure::NoPage { addr } }) = stops[9].step() else {
        panic!("a failure")
    };
    stops[9].claims("before it writes the third PTE", (addr - done.extent.start()) / 4096 == 2 && done.leaves[1] == 2);
    stops[9].claims("two PTEs cleared, two pages freed", pages_given(&stops[9]) == 2);
    stops[9].claims("The caller gets NULL", stops[9].answer.starts_with("NULL"));
    stops[10].says(format!("{} PTEs cleared", count(stops[10].unmapped().leaves[1])));
    stops[10].says(format!("{} pages returned", count(pages_given(&stops[10]))));
    stops[10].claims("Both PTE tables stay, 8 KiB", stops[10].tables == 2);
}

#[test]
fn three_levels() {
    let stops = stops("vmlist-pae");
    let walk = |addr| vmaplens::model::page_table::I386_PAE.walk(addr);
    let mapped = stops[1].mapped();
    let (low, high) = (walk(mapped.extent.start()), walk(mapped.extent.end() - 1));
    stops[1].says(format!("PGD entry {}", low[0].index));
    stops[1].says(format!("PMD entries {} and {}", low[1].index, high[1].index));
    stops[1].claims("two PTE tables are allocated", mapped.new_tables.0 == [0, 0, 2, 0, 0]);
    stops[2].says(format!("First fit gives {:#x}", stops[2].placed().start()));
    stops[2].says(format!("PMD entry {}", walk(stops[2].placed().start())[1].index));
    stops[2].claims("a PTE table of its own", stops[2].mapped().new_tables[2] == 1);
    let Step::Stage(Stage::MapFailed { done, why: MapFailure::NoTable { addr, .. } }) = stops[3].step() else {
        panic!("a failure")
    };
    stops[3].says(format!("from {:#x} on", done.extent.start()));
    let blocks = ((done.extent.end() - 1) >> 21) - (done.extent.start() >> 21) + 1;
    stops[3].claims("five blocks of 2 MiB", blocks == 5);
    stops[3].says(format!("At {addr:#x} pte_alloc() fails"));
    stops[3].says(format!("{} PTEs written", count(done.leaves[2])));
    stops[3].claims("The two new tables stay", done.new_tables[2] == 2 && stops[3].tables == stops[2].tables + 2);
    stops[4].claims("the same address", stops[4].placed().start() == done.extent.start());
    stops[4].claims("two are new", stops[4].mapped().new_tables[2] == 2);
    stops[4].claims("seven PTE tables now, 28 KiB", stops[4].tables == 7);
    stops[5].says(format!("{} PTEs are cleared", count(stops[5].unmapped().leaves[2])));
    stops[5].claims("two PTE tables are empty now and stay", stops[5].tables == 7);
    stops[6].claims("no table is allocated", stops[6].mapped().new_tables.total() == 0);
    stops[6].says(format!("{} PTEs are written", stops[6].mapped().leaves[2]));
    assert_eq!(stops[6].placed().start(), mapped.extent.start());
    stops[7].says(format!("PMD entry {}", walk(stops[7].placed().start())[1].index));
    let takes = |step: &Step| matches!(step, Step::Stage(Stage::PagesTaken { .. }));
    stops[7].claims("No page is allocated", !stops[7].steps.iter().any(takes));
    stops[8].says(format!("{} PTEs cleared", count(stops[8].unmapped().leaves[2])));
    stops[8].claims("seven tables as before", stops[8].tables == 7);
}

#[test]
fn from_vmalloc_to_the_mapped_page() {
    let stops = stops("vmalloc-arm64");
    let Step::Stage(Stage::Note(Note::SizeChecked { pages, ram_pages })) = stops[1].step() else { panic!("a check") };
    stops[1].says(format!("rounds up to {pages} pages"));
    stops[1].says(format!("here {}:", count(*ram_pages)));
    let Step::Stage(Stage::Note(Note::Guarded { bytes })) = stops[2].step() else { panic!("a guard") };
    stops[2].says(format!("{} KiB of addresses for 16 KiB", bytes >> 10));
    stops[3].claims("LE_FIT_TYPE", matches!(stops[3].step(), Step::Clipped { fit: Fit::LeftEdge, .. }));
    let Step::Stage(Stage::ArrayTaken { bytes, .. }) = stops[4].step() else { panic!("an array") };
    stops[4].says(format!("16 pages, 8 bytes each, {bytes} bytes"));
    let Step::Stage(Stage::PagesTaken { told, .. }) = stops[5].step() else { panic!("pages") };
    stops[5].claims("one at a time: alloc_page() eight times", told.single_calls == 8 && told.bulk_calls == 0);
    let mapped = stops[6].mapped();
    let index: Vec<u64> =
        vmaplens::model::page_table::ARM64_4K_48.walk(mapped.extent.start()).iter().map(|step| step.index).collect();
    assert_eq!(index, [256, 2, 0, 0], "vector P6");
    let [pgd, pud, pmd, pte] = index[..] else { panic!("four levels") };
    stops[6].says(format!("{:#x} is entry {pgd} of the PGD, {pud} of the PUD", mapped.extent.start()));
    stops[6].says(format!("{pmd} of the PMD, {pte} of the PTE table"));
    stops[6].claims("writes four PTEs", mapped.leaves[3] == 4 && mapped.new_tables.0 == [0, 0, 1, 1, 0]);
    let nested = matches!(stops[7].step(), Step::Stage(Stage::Note(Note::ArrayNested { bytes: 8192 })));
    stops[7].claims("their pointers need 8 KiB", nested);
    stops[7].says(format!("{} pages", count(4 << 20 >> 12)));
    let leaves = |step: &Step| matches!(step, Step::BusyRemoved { .. });
    stops[8].claims("The PTEs are cleared first", is_before(&stops[8], is_unmapped, leaves));
    let Step::LazyAdded { lazy_pages, lazy_max_pages, .. } = stops[8].step() else { panic!("lazy") };
    stops[8].says(format!("counts its {lazy_pages} pages"));
    stops[9].says(format!("to {:#x}", stops[9].placed().start()));
    assert_ne!(stops[9].placed().start(), stops[3].placed().start());
    let Step::Flushed { start, end } = stops[10].step() else { panic!("a flush") };
    stops[10].says(format!("from {start:#x} to {end:#x}"));
    let returned: Vec<u64> = stops[10]
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Returned { extent, .. } => Some(extent.start()),
            _ => None,
        })
        .collect();
    stops[10].claims("merges the three ranges", returned.len() == 3);
    stops[10].claims("the one freed last first", returned[2] == stops[3].placed().start());
    stops[10].says(format!("{} with two CPUs", count(*lazy_max_pages)));
    stops[11].claims("the one area 3 had", stops[11].placed() == stops[3].placed());
    stops[11].claims("nothing but four PTEs", stops[11].mapped().leaves[3] == 4 && stops[11].tables == 7);
}

#[test]
fn deferred_lists() {
    let stops = stops("vfree-interrupt");
    let waits = |stop: &Stop| match stop.step() {
        Step::Stage(Stage::Deferred { cpu, waiting, .. }) => (*cpu, *waiting),
        step => panic!("does not wait: {step:?}"),
    };
    stops[2].claims("The list was empty", waits(&stops[2]) == (0, 1));
    stops[2].claims("The area is still mapped and in the busy tree", stops[2].steps.len() == 2);
    stops[3].claims("The list was not empty", waits(&stops[3]) == (0, 2));
    stops[4].claims("one address waits here, two on CPU 0", waits(&stops[4]) == (1, 1));
    assert_eq!(waits(&stops[5]), (0, 3));
    stops[6].says(format!("to {:#x}", stops[6].placed().start()));
    let takes = |stop: &Stop| -> Vec<u64> {
        let taken = stop.steps.iter().filter_map(|step| match step {
            Step::Stage(Stage::DeferredRun { addr, .. }) => Some((addr & 0xffff) / 0x3000 + 1),
            _ => None,
        });
        taken.collect()
    };
    stops[7].claims("area 4, then 2, then 1", takes(&stops[7]) == [4, 2, 1]);
    assert!(matches!(stops[7].step(), Step::Stage(Stage::DeferredRun { .. })));
    let Step::LazyAdded { merge: Merge::Both, lazy_pages, .. } = stops[8].step() else { panic!("fused") };
    stops[8].says(format!("four areas, {lazy_pages} pages, are one lazy range"));
    assert_eq!(takes(&stops[8]), [3]);
    assert_eq!(waits(&stops[9]), (0, 1));
    let bad = |step: &Step| matches!(step, Step::Stage(Stage::Note(Note::Said { message: Message::BadAddress, .. })));
    stops[10].claims("\"Trying to vfree() bad address\"", bad(stops[10].step()));
    stops[10].claims("Area 5 stays in use", !stops[10].steps.iter().any(is_unmapped));
    let returned = matches!(stops[11].step(), Step::Returned { extent, .. } if extent.len_bytes() == 12 << 12);
    stops[11].claims("A purge returns the lazy range", returned);
}

/// The introduction of that lesson says which releases stop the machine instead.
#[test]
fn before_3_10_an_interrupt_must_not_free() {
    stops("vfree-interrupt")[0].says("From 2.6.28 to 3.9 vfree() in an interrupt was a BUG");
    for (era, is_bug) in [("2.6.28", true), ("2.6.32", true), ("3.9", true), ("3.10", false), ("6.1", false)] {
        let text = format!("era {era}\nvmalloc 1 4096\nvfree 1 irq\n");
        let log = Log::of_script(parsers::ops::parse(text.as_bytes()), "two ops");
        let mut replay = Replay::open(log.into(), &Settings::default()).expect(era);
        while replay.step() {}
        let bug =
            |step: &Step| matches!(step, Step::Stage(Stage::Note(Note::Said { message: Message::InInterrupt, .. })));
        assert_eq!(replay.outcome().steps.iter().any(bug), is_bug, "{era}");
    }
}

#[test]
fn blocks() {
    let stops = stops("map-ram");
    let event = |stop: &Stop| match stop.step() {
        Step::Stage(Stage::Block { event, .. }) => *event,
        step => panic!("no block: {step:?}"),
    };
    let BlockEvent::Taken { first: 0, pages: 4, free } = event(&stops[1]) else { panic!("four for three") };
    stops[1].says(format!("four pages are taken for three, and {free} are left"));
    stops[1].claims("aligned to 1 MiB", stops[1].placed().start().is_multiple_of(1 << 20));
    assert_eq!(stops[1].placed().len_bytes(), 1 << 20);
    let BlockEvent::Taken { first, .. } = event(&stops[2]) else { panic!("taken") };
    stops[2].says(format!("at page {first}."));
    let searches = |step: &Step| matches!(step, Step::SearchBegun { .. });
    stops[2].claims("No search any more", !stops[2].steps.iter().any(searches));
    stops[3].claims("CPU 1 has a block of its own", stops[3].placed() != stops[1].placed());
    stops[4].says(format!("{} KiB exactly", stops[4].placed().len_bytes() >> 10));
    let dirty = |stop: &Stop| match event(stop) {
        BlockEvent::Dirtied { dirty, .. } => dirty,
        event => panic!("not dirty: {event:?}"),
    };
    stops[5].claims("counts four pages as dirty", dirty(&stops[5]) == 4 && stops[5].unmapped().leaves[3] == 3);
    let BlockEvent::Taken { first, free, .. } = event(&stops[6]) else { panic!("taken") };
    stops[6].says(format!("goes to page {first}, behind all others. {free} pages"));
    let Step::Stage(Stage::Note(Note::BlockPassed { free, .. })) = stops[7].step() else { panic!("passed by") };
    stops[7].says(format!("has {free} pages left"));
    stops[7].says(format!("a second one, at {:#x}", stops[7].placed().start()));
    stops[8].claims("With nothing left it leaves the list", event(&stops[8]) == BlockEvent::Exhausted);
    stops[9].claims("256 of 256 pages are dirty", event(&stops[9]) == BlockEvent::Freed { fragmented: false });
    let BlockEvent::Dirtied { dirty, .. } = event(&stops[10]) else { panic!("dirty") };
    stops[10].says(format!("{} free pages and {dirty} dirty ones", 256 - dirty));
    stops[11].claims("releases fragmented blocks", event(&stops[11]) == BlockEvent::Freed { fragmented: true });
    let stays = stops[7].placed().start();
    let goes = |step: &Step| matches!(step, Step::BusyRemoved { extent, .. } if extent.start() == stays);
    stops[11].claims("has a mapping in use and stays", !stops[11].steps.iter().any(goes));
    let flushes = stops[11].steps.iter().filter(|step| matches!(step, Step::Flushed { .. })).count();
    stops[11].claims("with one flush", flushes == 1);
}
