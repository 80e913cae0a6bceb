//! The order of the stages of a request and of its free, release by release.

use vmaplens::model::stage::{Note, Stage};
use vmaplens::model::step::Step;

use super::{I386, X86, replay};

/// One word for each stage of op `op` (from 1), as it is carried out.
fn stages(text: &str, op: usize) -> Vec<&'static str> {
    let mut replay = replay(text);
    replay.seek(op, usize::MAX);
    replay.outcome().steps.iter().filter_map(word).collect()
}

fn word(step: &Step) -> Option<&'static str> {
    Some(match step {
        Step::Stage(Stage::Note(note)) => match note {
            Note::Called { .. } => "called",
            Note::SizeChecked { .. } => "checked",
            Note::SizeRounded { .. } => "rounded",
            Note::IoremapAligned { .. } => "aligned",
            Note::Guarded { .. } => "guard",
            Note::ObjectTaken(object) => match object {
                vmaplens::model::stage::Object::VmStruct => "vm_struct",
                vmaplens::model::stage::Object::VmapArea => "vmap_area",
                vmaplens::model::stage::Object::VmapBlock => "vmap_block",
            },
            Note::ObjectGiven(_) => "object given",
            Note::HugeTried { .. } => "huge",
            Note::HugeFellBack { .. } => "fell back",
            Note::ArrayNested { .. } => "nested",
            Note::Initialized => "initialized",
            Note::Returned { .. } => "returned",
            Note::Undone { .. } => "undone",
            Note::Failed => "failed",
            _ => "other",
        },
        Step::Stage(stage) => match stage {
            Stage::Bound { .. } => "bound",
            Stage::ArrayTaken { .. } => "array",
            Stage::ArrayGiven { .. } => "array given",
            Stage::PagesTaken { .. } => "pages",
            Stage::PagesGiven { .. } => "pages given",
            Stage::Mapped(_) => "mapped",
            Stage::Unmapped(_) => "unmapped",
            Stage::TlbFlushed { .. } => "flushed",
            Stage::Deferred { .. } => "deferred",
            _ => "other stage",
        },
        Step::BusyAdded { .. } => "placed",
        Step::BusyRemoved { .. } => "unlinked",
        Step::LazyAdded { .. } => "lazy",
        _ => return None,
    })
}

#[test]
fn vmalloc_by_release() {
    let ops = "vmalloc 1 5000\n";
    let of = |era: &str, machine: &str| stages(&format!("era {era}\n{machine}{ops}"), 1);
    let list = ["called", "rounded", "checked", "vm_struct", "guard", "placed", "bound"];
    let end = ["pages", "mapped", "returned"];
    assert_eq!(of("2.4.22", I386), [&list[..], &end].concat());
    assert_eq!(of("2.6.11", I386), [&list[..], &["array"], &end].concat());
    let tree = ["called", "rounded", "checked", "guard", "vm_struct", "vmap_area", "placed", "bound", "array"];
    assert_eq!(of("2.6.28", X86), [&tree[..], &end].concat());
    let marked = ["pages", "mapped", "initialized", "returned"];
    for era in ["2.6.32", "3.10", "4.19", "5.4", "5.10"] {
        assert_eq!(of(era, X86), [&tree[..], &marked].concat(), "{era}");
    }
    // From 5.14 on the size is compared as it is given, and rounded with the area.
    let later = ["called", "checked", "rounded", "guard", "vm_struct", "vmap_area", "placed", "bound", "array"];
    for era in ["5.19", "6.1", "6.8", "6.12", "6.19", "7.3"] {
        assert_eq!(of(era, X86), [&later[..], &marked].concat(), "{era}");
    }
}

#[test]
fn ioremap_by_release() {
    let of = |era: &str, machine: &str| stages(&format!("era {era}\n{machine}ioremap 1 0xfed00000 8192\n"), 1);
    assert_eq!(of("2.4.22", I386), ["called", "vm_struct", "guard", "placed", "bound", "mapped", "returned"]);
    assert_eq!(
        of("2.6.11", I386),
        ["called", "aligned", "vm_struct", "guard", "placed", "bound", "mapped", "returned"]
    );
    for era in ["3.10", "4.19", "5.10", "6.12", "7.3"] {
        let want = ["called", "aligned", "guard", "vm_struct", "vmap_area", "placed", "bound", "mapped", "returned"];
        assert_eq!(of(era, X86), want, "{era}");
    }
}

#[test]
fn vfree_by_release() {
    let of = |era: &str, machine: &str| stages(&format!("era {era}\n{machine}vmalloc 1 5000\nvfree 1\n"), 2);
    // The list: entries and TLB under the lock, before (2.6) or after (2.4) it is unlinked.
    assert_eq!(of("2.4.22", I386), ["called", "unlinked", "unmapped", "flushed", "pages given", "object given"]);
    assert_eq!(
        of("2.6.11", I386),
        ["called", "unmapped", "flushed", "unlinked", "pages given", "array given", "object given"]
    );
    // Lazily freed areas stay in the tree, and to 3.9 mapped.
    assert_eq!(of("2.6.32", X86), ["called", "lazy", "pages given", "array given", "object given"]);
    for era in ["3.10", "4.19"] {
        assert_eq!(of(era, X86), ["called", "unmapped", "lazy", "pages given", "array given", "object given"], "{era}");
    }
    let back = ["lazy", "pages given", "array given", "object given"];
    for era in ["5.4", "5.10", "6.1", "6.2"] {
        assert_eq!(of(era, X86), [&["called", "unmapped", "unlinked"][..], &back].concat(), "{era}");
    }
    for era in ["6.3", "6.8", "6.12", "7.3"] {
        assert_eq!(of(era, X86), [&["called", "unlinked", "unmapped"][..], &back].concat(), "{era}");
    }
}

/// The array of more than a page of pointers is an area right behind the first, there before any data page; its area
/// goes after the data area.
#[test]
fn a_long_page_array_is_an_area_of_its_own() {
    for (era, machine, most, base) in [
        ("2.6.11", I386, 1024_u64, 0xf880_0000_u64),
        ("4.19", X86, 512, super::V),
        ("5.10", X86, 512, super::V),
        ("6.12", X86, 512, super::V),
        ("7.3", X86, 512, super::V),
    ] {
        let text = |pages: u64| format!("era {era}\n{machine}vmalloc 1 {}\nvfree 1\n", pages * 4096);
        assert!(!stages(&text(most), 1).contains(&"nested"), "{era}");
        let made = stages(&text(most + 1), 1);
        let at = |word: &str| made.iter().position(|have| *have == word);
        assert!(at("nested") < at("pages") && at("bound") < at("nested"), "{era}: {made:?}");
        assert_eq!(made.iter().filter(|word| **word == "bound").count(), 2, "{era}");
        let (run, _) = super::run(&format!("era {era}\n{machine}vmalloc 1 {}\n", (most + 1) * 4096));
        let array = base + (most + 2) * 4096;
        assert!(run.is_in_use(base) && run.is_in_use(array), "{era}");
        assert_eq!(run.space().memory().and_then(|memory| memory.backed(base)).and_then(|b| b.nested), Some(array));
        let freed = stages(&text(most + 1), 2);
        let gone: Vec<_> = freed.iter().filter(|word| ["called", "pages given"].contains(word)).collect();
        assert_eq!(gone, [&"called", &"pages given", &"called", &"pages given"], "{era}: {freed:?}");
    }
}
