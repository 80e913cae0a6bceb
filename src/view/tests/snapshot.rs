//! Snapshots: with addresses, with hashes, with zeros, alone and before a trace.

use super::*;

pub(super) const REAL: &str = "\
0xffffc90000000000-0xffffc90000005000   20480 irq_init\x1b+0x1/0x2 pages=4 vmalloc N0=3 N1=1
0xffffc90000005000-0xffffc90000007000    8192 hpet_enable+0x9e/0x500 phys=0x00000000fed00000 ioremap
0xffffc90000010000-0xffffc90000015000   20480 load_module+0x1/0x2 [nf_tables] pages=4 vmalloc N0=4
0xffffe8ffffc00000-0xffffe8ffffe00000 2097152 pcpu_get_vm_areas+0x0/0x2 vmalloc
0xffffc90000007000-0xffffc90000008000    4096 unpurged vm_area
";
pub(super) const HASHED: &str = "\
0x00000000aaaaaaa1-0x00000000bbbbbbb2   20480 irq_init+0x1/0x2 pages=4 vmalloc N0=4
0x00000000bbbbbbb2-0x00000000ccccccc3    8192 hpet_enable+0x9e/0x500 phys=0x00000000fed00000 ioremap
0x00000000ddddddd4-0x00000000eeeeeee5   20480 load_module+0x1/0x2 [nf_tables] pages=4 vmalloc N0=4
0x00000000ccccccc3-0x0000000033333338    4096 unpurged vm_area
";
pub(super) const ZEROED: &str = "\
0x0000000000000000-0x0000000000000000   20480 irq_init+0x1/0x2 pages=4 vmalloc N0=4
0x0000000000000000-0x0000000000000000    8192 hpet_enable+0x9e/0x500 phys=0x00000000fed00000 ioremap
";

/// A log that is one snapshot.
pub(super) fn snapshot(text: &str) -> Replay {
    let mut log = Log::default();
    log.origin.name = "vmallocinfo".to_owned();
    log.before = Some(crate::source::snapshot::read("vmallocinfo", text.as_bytes(), &mut log.problems).expect("areas"));
    Replay::open(Arc::new(log), &Settings::default()).expect("the snapshot can be shown")
}

/// The demo with a snapshot before it, not from boot.
pub(super) fn demo_after(text: &str) -> Replay {
    let mut log = Log::clone(demo().log());
    log.origin.from_boot = Some(false);
    log.before = Some(crate::source::snapshot::read("vmallocinfo", text.as_bytes(), &mut log.problems).expect("areas"));
    Replay::open(Arc::new(log), &Settings::default()).expect("the log can be replayed")
}

#[test]
fn a_snapshot_without_addresses_never_claims_that_nothing_is_in_use() {
    for (text, word) in [(HASHED, "hashed"), (ZEROED, "hidden")] {
        let replay = snapshot(text);
        let scene = scene(&replay, &UNICODE);
        let mut all: Vec<(&str, String)> =
            all_panes(&scene, 120, 20, 0).into_iter().map(|(name, rows)| (name, lines(&rows))).collect();
        all.push(("header", lines(&header::rows(&scene, 120, &header::Play::default()))));
        for (name, shown) in &all {
            assert!(!shown.contains("TiB") && !shown.contains("0 areas"), "{name}: {shown}");
        }
        let find = |wanted: &str| all.iter().find(|(name, _)| *name == wanted).map(|(_, shown)| shown.as_str());
        for name in ["map", "tree", "free", "page tables", "detail"] {
            let shown = find(name).unwrap_or_default();
            assert!(shown.contains(word) && shown.contains("kptr_restrict=1"), "{name}: {shown}");
        }
        assert!(find("header").is_some_and(|shown| shown.contains(&format!("addresses {word}"))));
    }
    let replay = snapshot(HASHED);
    let shown = lines(&detail::rows(&scene(&replay, &UNICODE), 120, 20, 0));
    assert!(shown.contains("2 of touching areas") && shown.contains("the longest has 3 areas"), "{shown}");
    assert!(shown.contains("load_module [nf_tables]"), "{shown}");
}

#[test]
fn a_snapshot_lists_its_areas_in_the_order_of_the_file() {
    let replay = snapshot(REAL);
    let mut scene = scene(&replay, &UNICODE);
    scene.selection = Selection::Address(V + 0x1_2000);
    let none = events::EventFilter::default();
    let rows = events::rows(&scene, 120, 10, None, &none);
    let shown = lines(&rows);
    assert!(shown.contains("load_module [nf_tables]") && shown.contains("N0=3 N1=1"), "{shown}");
    assert!(rows[5].text().contains("unpurged") && rows[5].text().contains('▒'), "{shown}");
    let focused: Vec<_> = rows.iter().filter(|row| row.focused).collect();
    assert_eq!(focused.len(), 1, "{shown}");
    assert_eq!(focused[0].target, Some(Target::Address(V + 0x1_0000)));
    assert_eq!(events::len(&replay), 5);
    assert_eq!(events::find(&replay, "nf_tables", 0, true), Some(2));
    assert_eq!(events::find(&replay, "unpurged", 0, true), Some(4));
    assert_eq!(events::find(&replay, "0xffffc90000005", 3, true), Some(0), "its end is there");
    assert_eq!(events::count(&replay, "20 kib"), 2);
    assert_eq!(events::target(&replay, 1), Some(Target::Address(V + 0x5000)));
    let title: String = events::title(&scene).iter().map(|span| span.text.as_str()).collect();
    assert!(title.starts_with("areas  5 rows") && title.contains("order of the file"), "{title}");
}

#[test]
fn rows_without_addresses_are_numbered_and_go_nowhere() {
    let replay = snapshot(HASHED);
    let rows = events::rows(&scene(&replay, &UNICODE), 100, 10, None, &events::EventFilter::default());
    assert!(rows.iter().all(|row| row.target.is_none()));
    assert!(rows[1].text().trim_start().starts_with("1 "), "{}", rows[1].text());
    assert!(!lines(&rows).contains("aaaaaaa1"));
    assert_eq!(events::count(&replay, "aaaaaaa1"), 0, "a hash is not an address");
    assert_eq!(events::find(&replay, "hpet", 0, true), Some(1));
    assert_eq!(events::target(&replay, 1), None);
}

#[test]
fn a_trace_that_starts_empty_says_so() {
    let replay = demo_after(HASHED);
    let header = header::rows(&scene(&replay, &UNICODE), 160, &header::Play::default());
    assert!(header[0].text().contains("starts empty: addresses hashed"), "{}", header[0].text());
    let replay = demo_after(REAL);
    let tree = |replay: &Replay| -> String {
        tree::title(&scene(replay, &UNICODE), TreeId::Free).iter().map(|span| span.text.as_str()).collect()
    };
    assert!(tree(&replay).contains("shape guessed from the snapshot"), "{}", tree(&replay));
    assert!(!tree(&demo()).contains("guessed"));
}
