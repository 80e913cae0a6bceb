//! Requests in the panes: every stage a line in the words of its release, tables and detail following the stages.

use super::scripts::script;
use super::*;
use crate::model::{Stage, Step as ModelStep};

/// Requests of every sort, most of which go well.
const REQUESTS: &str = "vmalloc 1 4096\nvmalloc 2 1048576\nvmalloc 3 4194304\nvmalloc_huge 4 4194304\nvmap 5 16\n\
    ioremap 6 0xfed00000 8192\nmap_ram 8 4\nmap_ram 9 8\nunmap_ram 8\nmap_ram 10 100\nvfree 2 irq\nvfree 1 irq\n\
    deferred 0\nvfree @0xf8800010\nvfree @0xf8800000\nvfree 3\nvfree 4\nvmalloc 11 99999999999999\npurge\n\
    vmalloc 12 20000 fail=pages:2\nvmalloc 13 20000 fail=array\nvmalloc 14 20000 fail=tables:0\n\
    vmalloc 15 20000 fail=descriptor\npcpu 16 0:65536 131072:65536\naliases\ninit\nvmalloc_32 17 8192\n";
/// Release, architecture, range.
const MACHINES: [(&str, &str, &str); 9] = [
    ("2.4.22", "i386", "0xf8800000 0xfdffe000"),
    ("2.4.27", "i386-pae", "0xf8800000 0xfdffe000"),
    ("2.6.11", "i386", "0xf8800000 0xfdffe000"),
    ("2.6.32", "x86-64", "0xffffc90000000000 0xffffe8ffffffffff"),
    ("4.19", "x86-64", "0xffffc90000000000 0xffffe8ffffffffff"),
    ("5.10", "arm64", "0xffff800010000000 0xfffffdffbfff0000"),
    ("6.1", "i386", "0xf8800000 0xfdffe000"),
    ("6.12", "x86-64", "0xffffc90000000000 0xffffe8ffffffffff"),
    ("7.3", "arm64", "0xffff800080000000 0xfffffdffbf800000"),
];

fn machine(which: usize) -> Replay {
    let (era, arch, range) = MACHINES[which];
    script(era, &format!("arch {arch}\nrange {range}\nram 1073741824\n{REQUESTS}"), None)
}

fn at(replay: &mut Replay, op: usize, sub_step: Option<usize>) -> Scene<'_> {
    replay.seek(op, usize::MAX);
    Scene { sub_step, ..scene(replay, &UNICODE) }
}

fn step_text(replay: &mut Replay, op: usize) -> String {
    lines(&step::rows(&at(replay, op, None), 200, 100, 0))
}

fn tables_text(scene: &Scene<'_>) -> String {
    lines(&page_table::rows(scene, 200, 60, 0))
}

/// The first step that maps.
fn mapping(replay: &Replay) -> usize {
    let steps = &replay.outcome().steps;
    steps.iter().position(|step| matches!(step, ModelStep::Stage(Stage::Mapped(_)))).expect("something is mapped")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Every stage of every release, at every width.
    #[test]
    fn requests_keep_to_their_pane(
        which in 0_usize..MACHINES.len(),
        op in 1_usize..27,
        width in 1_u16..200,
        height in 1_u16..60,
        sub_step in proptest::option::of(0_usize..40),
        ascii in any::<bool>(),
    ) {
        let mut replay = machine(which);
        replay.seek(op, usize::MAX);
        let glyphs = if ascii { &ASCII } else { &UNICODE };
        let scene = Scene { replay: &replay, selection: Selection::Follow, sub_step, glyphs, marks: &[], memo: None };
        for (name, rows) in all_panes(&scene, width, height, 0) {
            prop_assert!(rows.len() <= usize::from(height), "{name}");
            for row in &rows {
                check_row(name, row, width);
                prop_assert!(!ascii || row.text().is_ascii(), "{name} is not plain: {:?}", row.text());
            }
        }
    }
}

#[test]
fn every_stage_is_a_line() {
    for (which, machine_of) in MACHINES.iter().enumerate() {
        let mut replay = machine(which);
        for op in 1..=replay.len() {
            let told = step_text(&mut replay, op);
            let stages = replay.outcome().steps.iter().filter(|step| matches!(step, ModelStep::Stage(_))).count();
            let numbered = |line: &&str| {
                let line = line.trim_start_matches(['▸', ' ']);
                line.split(' ').next().is_some_and(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()))
            };
            let shown: Vec<&str> = told.lines().filter(numbered).collect();
            assert!(stages <= shown.len(), "{machine_of:?} op {op}: {stages} stages\n{told}");
            // A number with nothing behind it says nothing.
            assert!(shown.iter().all(|line| line.trim().contains(' ')), "{machine_of:?} op {op}\n{told}");
        }
    }
}

#[test]
fn stages_are_told_in_the_words_of_the_release() {
    let told = step_text(&mut machine(7), 2);
    for words in [
        "vmalloc 1 MiB = 256 pages",
        "__vmalloc_node_range 256 pages, the machine has 262,144",
        "__get_vm_area_node + 4 KiB guard = 1,028 KiB",
        "setup_vmalloc_vm VM_ALLOC|VM_UNINITIALIZED (0x22)",
        "__vmalloc_area_node array of 2 KiB by kmalloc (kmalloc-2k)",
        "vm_area_alloc_pages 256 pages: 3 bulk calls, 0 singles",
        "vmap_pages_range 256 PTEs; no new table; mask PTE (0x10), no sync",
        "clear_vm_uninitialized_flag",
        "vmalloc returns 0xffffc90000002000",
    ] {
        assert!(told.contains(words), "no {words:?} in\n{told}");
    }
    let told = step_text(&mut machine(0), 1);
    for words in
        ["get_vm_area + 4 KiB guard = 8 KiB", "alloc_area_pte 1 page: 1 single", "__vmalloc_area_pages 1 PTE; 1 new"]
    {
        assert!(told.contains(words), "no {words:?} in\n{told}");
    }
    assert!(!told.contains("mask"), "there was none in 2.4\n{told}");
}

#[test]
fn the_kernel_is_quoted_as_its_machine_prints() {
    assert!(step_text(&mut machine(0), 14).contains("Trying to vfree() bad address (f8800010)"));
    let late = step_text(&mut machine(7), 14);
    assert!(late.contains("Trying to vfree() bad address (00000000f8800010); the log shows a hash"), "{late}");
}

#[test]
fn tables_follow_the_stages() {
    let mut replay = machine(7);
    replay.seek(1, usize::MAX);
    let maps = mapping(&replay);
    let before = tables_text(&at(&mut replay, 1, Some(maps - 1)));
    assert!(
        before.contains("Not mapped yet") && before.contains("About to come: 1 new PMD table, 1 new PTE table"),
        "{before}"
    );
    assert!(before.contains("no table: nothing near it was ever mapped"), "{before}");
    let now = tables_text(&at(&mut replay, 1, Some(maps)));
    assert!(now.contains("Just now: 1 new PMD table, 1 new PTE table, 8 KiB; 1 PTE written"), "{now}");
    assert!(now.contains("pgtbl_mod_mask PUD|PMD|PTE (0x1c); no sync, P4D not in the mask"), "{now}");
    assert!(now.contains("1 page of 512"), "{now}");
    let walk = lines(&step::rows(&at(&mut replay, 1, Some(maps)), 120, 100, 0));
    assert!(walk.contains("PMD vmap_pages_pmd_range entry 0; 1 new PTE table"), "{walk}");
    let after = tables_text(&at(&mut replay, 1, Some(maps + 1)));
    assert!(after.contains("In this step so far"), "{after}");
}

/// i386 with two levels copies from the area to the end of the range.
#[test]
fn a_sync_says_what_it_does_and_how_far() {
    let told = tables_text(&at(&mut machine(6), 1, None));
    let words = "arch_sync_kernel_mappings up to VMALLOC_END copies 22 PMD entries to every process";
    assert!(told.contains(words), "{told}");
    assert!(told.contains("From 0xf8800000 to 0xfdffe000."), "{told}");
    let never = tables_text(&at(&mut machine(5), 1, None));
    assert!(never.contains("no sync, ever: one kernel table serves all"), "{never}");
    let faults = tables_text(&at(&mut machine(3), 1, None));
    assert!(faults.contains("processes copy new entries when they fault"), "{faults}");
}

#[test]
fn huge_entries_and_costs_are_told_apart() {
    let told = tables_text(&at(&mut machine(7), 4, None));
    assert!(told.contains("2 huge of 512") || told.contains(", 2 huge"), "{told}");
    assert!(told.contains("guard 4 KiB of addresses only") && told.contains("Cost by caller"), "{told}");
    let detail = lines(&detail::rows(&at(&mut machine(7), 4, None), 160, 60, 0));
    for words in [
        "by huge PMD entries of 2 MiB",
        "VM_ALLOC|VM_ALLOW_HUGE_VMAP (0x402)",
        "an area of its own at",
        "blocks by order",
    ] {
        assert!(detail.contains(words), "no {words:?} in\n{detail}");
    }
}

#[test]
fn what_waits_and_what_is_in_a_block_is_shown() {
    let detail = |op| lines(&detail::rows(&at(&mut machine(7), op, None), 160, 60, 0));
    assert!(detail(12).contains("waits in the list of CPU 0"), "{}", detail(12));
    assert!(detail(12).contains("waits for vfree, list of CPU 0; the newest is taken first"), "{}", detail(12));
    assert!(detail(9).contains("8 pages in use, 4 dirty, 1,012 never taken of 1,024 pages"), "{}", detail(9));
}

/// It had a place, and lacked memory: the map must not say that there was no place.
#[test]
fn a_request_that_gives_its_place_back_says_so() {
    for (which, op) in [(0, 20), (4, 20), (7, 20), (7, 21)] {
        let mut replay = machine(which);
        let summary = map::event_summary(&at(&mut replay, op, None));
        assert!(summary.ends_with(" given back: no memory"), "machine {which}: {summary}");
    }
    let mut replay = machine(7);
    let told = lines(&detail::rows(&at(&mut replay, 20, None), 160, 60, 0));
    assert!(told.contains("in the same op: the request failed and gave it back"), "{told}");
    assert!(!told.contains("no guard page"), "{told}");
}
