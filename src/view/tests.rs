//! A small replay, and what holds for every pane at every size.

mod divergences;
mod failures;
mod probes;
mod requests;
mod scripts;
mod snapshot;
mod usages;

use std::sync::Arc;

use proptest::prelude::*;

use super::visible::TimeView;
use super::*;
use crate::event::{Addr, Event, EventKind, Nanos};
use crate::log::{Log, Window};
use crate::model::TreeId;
use crate::replay::{Replay, Settings};
use snapshot::{HASHED, REAL, ZEROED, demo_after};

const V: u64 = 0xffff_c900_0000_0000;

/// Adds records to a log; sizes include the guard page.
pub(super) struct Script {
    log: Log,
}

impl Script {
    pub(super) fn new() -> Self {
        let mut log = Log::default();
        log.origin.name = "demo\u{1b}[31m".to_owned();
        log.origin.kernel = Some("6.12.1".to_owned());
        log.origin.cpus_possible = Some(2);
        log.origin.cpus_online = Some(2);
        log.origin.from_boot = Some(true);
        log.origin.vmalloc = Some(Window { vstart: V, vend: 0xffff_e8ff_ffff_ffff });
        Self { log }
    }

    fn push(&mut self, cpu: u16, kind: EventKind) {
        let at = Nanos(1_000_000_000 + self.log.events.len() as u64 * 1_500_000);
        let task = self.log.names.add_task(b"kworker/0:1 \xff\x1b", 11);
        self.log.events.push(Event { at, line: 0, task, cpu, kind });
    }

    pub(super) fn alloc(&mut self, cpu: u16, addr: u64, size: u64, align: u64) {
        let window = self.log.names.add_window(Window { vstart: V, vend: 0xffff_e8ff_ffff_ffff });
        self.push(cpu, EventKind::Alloc { addr: Addr(addr), size, align, window, failed: false });
    }

    pub(super) fn fail(&mut self, size: u64, window: Window) {
        let addr = Addr(window.vend);
        let window = self.log.names.add_window(window);
        self.push(0, EventKind::Alloc { addr, size, align: 1, window, failed: true });
    }

    pub(super) fn alloc_in(&mut self, addr: u64, size: u64, window: Window) {
        let window = self.log.names.add_window(window);
        self.push(0, EventKind::Alloc { addr: Addr(addr), size, align: 1, window, failed: false });
    }

    pub(super) fn free(&mut self, addr: u64, nr_lazy: u64) {
        self.push(0, EventKind::Free { addr: Addr(addr), nr_lazy, nr_lazy_max: 16_384 });
    }

    pub(super) fn purge(&mut self, start: u64, end: u64, num_purged: u32) {
        self.push(0, EventKind::Purge { start: Addr(start), end: Addr(end), num_purged });
    }

    pub(super) fn mark(&mut self, text: &[u8]) {
        let text = self.log.names.add_text(text);
        self.push(0, EventKind::Mark { text });
    }

    pub(super) fn replay(self) -> Replay {
        Replay::open(Arc::new(self.log), &Settings::default()).expect("the log can be replayed")
    }
}

/// Something of everything: aligned requests, frees, a purge, a request in a window that is full, marks, losses, a
/// free of nothing known.
pub(super) fn demo() -> Replay {
    let mut script = Script::new();
    script.mark(b"begin\x07\xe2\x80\xae");
    script.alloc(0, V, 0x5000, 1);
    script.alloc(0, V + 0x8000, 0x5000, 0x4000);
    script.alloc(1, V + 0x5000, 0x2000, 1);
    script.alloc(1, V + 0x10_0000, 0x10_1000, 0x10_0000);
    script.fail(0x4000, Window { vstart: V, vend: V + 0x2000 });
    script.free(V + 0x5000, 2);
    script.free(V + 0x8000, 7);
    script.free(V + 0xdead_0000, 7);
    script.purge(V + 0x5000, V + 0xd000, 2);
    script.push(1, EventKind::Lost { count: 7 });
    script.alloc(0, V + 0x20_1000, 0x20_0000, 1);
    script.purge(u64::MAX, 0, 0);
    script.replay()
}

/// The same under the rules of another era.
fn demo_under(policy: &str) -> Replay {
    let log = Arc::new(Log::clone(demo().log()));
    Replay::open(log, &Settings { policy: Some(policy.to_owned()), ..Settings::default() }).expect(policy)
}

pub(super) fn scene<'a>(replay: &'a Replay, glyphs: &'a Glyphs) -> Scene<'a> {
    Scene { replay, selection: Selection::Follow, sub_step: None, glyphs, marks: &[], memo: None }
}

pub(super) fn lines(rows: &[Row]) -> String {
    rows.iter().map(|row| row.text().trim_end().to_owned() + "\n").collect()
}

fn play() -> header::Play {
    header::Play { speed: "4 events/s".to_owned(), message: Some("\u{1b}]0;x\u{7}".to_owned()), ..Default::default() }
}

/// Every pane at one size; the flag says whether the height holds for it.
fn all_panes(scene: &Scene<'_>, width: u16, height: u16, scroll: usize) -> Vec<(&'static str, Vec<Row>)> {
    let zoom = map::MapZoom { level: scroll as u32 % 24, centre: None };
    let filter = events::EventFilter { text: "0".to_owned(), ..Default::default() };
    let moved = i32::try_from(scroll).unwrap_or(0);
    let pan = tree::TreePan { dx: moved * 3 - 9, dy: moved - 4 };
    vec![
        ("map", map::rows(scene, width, height, &map::MapZoom::default())),
        ("map, closer", map::rows(scene, width, height, &zoom)),
        ("events", events::rows(scene, width, height, None, &events::EventFilter::default())),
        ("events, found", events::rows(scene, width, height, Some(scroll), &filter)),
        ("step", step::rows(scene, width, height, scroll)),
        ("tree", tree::rows(scene, width, height, tree::TreePan::default(), TreeId::Free)),
        ("tree, moved", tree::rows(scene, width, height, pan, TreeId::Free)),
        ("busy tree", tree::rows(scene, width, height, pan, TreeId::Busy(0))),
        ("lazy tree", tree::rows(scene, width, height, pan, TreeId::Lazy(1))),
        ("no tree", tree::rows(scene, width, height, pan, TreeId::Busy(77))),
        ("free", free::rows(scene, width, height, scroll, free::FreeOrder::Address)),
        ("free by size", free::rows(scene, width, height, scroll, free::FreeOrder::Size)),
        ("page tables", page_table::rows(scene, width, height, scroll)),
        ("detail", detail::rows(scene, width, height, scroll)),
        ("timeline", timeline::rows(scene, width, height, &TimeView::whole(scene.replay))),
    ]
}

fn check_row(name: &str, row: &Row, width: u16) {
    let text = row.text();
    assert!(text::width(&text) <= usize::from(width), "{name} is wider than {width}: {text:?}");
    assert!(!text.chars().any(char::is_control), "{name} has a control character: {text:?}");
    assert!(!text.contains('\u{202e}'), "{name} turns the writing direction: {text:?}");
}

proptest! {
    #[test]
    fn rows_keep_to_their_pane(
        width in 1_u16..200,
        height in 1_u16..60,
        cursor in 0_usize..22,
        scroll in 0_usize..40,
        sub_step in proptest::option::of(0_usize..12),
        selected in proptest::option::of(prop_oneof![
            (0_u64..0x30).prop_map(|page| V + page * 0x1000),
            (0_u64..0x50).prop_map(|page| 0xf_f000 + page * 0x1000),
            Just(0), Just(u64::MAX), Just(0xffff_e8ff_ffff_f000), any::<u64>(),
        ]),
        ascii in any::<bool>(),
        which in 0_usize..16,
    ) {
        let mut replay = match which {
            0 => snapshot::snapshot(REAL),
            1 => snapshot::snapshot(HASHED),
            2 => snapshot::snapshot(ZEROED),
            3 => demo_after(REAL),
            4 => demo_after(HASHED),
            5 => demo_under("linux-2.4"),
            6 => demo_under("linux-2.6.28"),
            7 => demo_under("linux-2.6.39"),
            8 => probes::probed(),
            9 => demo(),
            era => scripts::script(scripts::ERAS[era - 10], scripts::OPS, Some("wrong\n.\n")),
        };
        replay.seek(cursor, usize::MAX);
        let glyphs = if ascii { &ASCII } else { &UNICODE };
        let selection = selected.map_or(Selection::Follow, Selection::Address);
        let scene = Scene { replay: &replay, selection, sub_step, glyphs, marks: &[], memo: None };
        for (name, rows) in all_panes(&scene, width, height, scroll) {
            prop_assert!(rows.len() <= usize::from(height), "{name}: {} rows of {height}", rows.len());
            for row in &rows {
                check_row(name, row, width);
                prop_assert!(!ascii || row.text().is_ascii(), "{name} is not plain: {:?}", row.text());
            }
        }
        for row in header::rows(&scene, width, &play()) {
            check_row("header", &row, width);
        }
        prop_assert!(timeline::seq_at(&TimeView::whole(&replay), width, scroll as u16 * 5) <= replay.len());
    }
}

#[test]
fn a_search_is_explained() {
    let mut replay = demo();
    replay.seek(3, usize::MAX);
    let text = lines(&step::rows(&scene(&replay, &UNICODE), 200, 20, 0));
    assert!(text.contains("asks for 20 KiB, aligned to 16 KiB"), "{text}");
    assert!(text.contains("36,863 bytes = 20,480 + 16,384 - 1"), "{text}");
    assert!(text.contains("✓ exact"), "{text}");
    assert!(text.contains("NE_FIT_TYPE"), "{text}");
}

#[test]
fn a_failure_says_by_how_much() {
    let mut replay = demo();
    replay.seek(6, usize::MAX);
    let scene = scene(&replay, &UNICODE);
    let steps = lines(&step::rows(&scene, 200, 20, 0));
    assert!(steps.contains("no place"), "{steps}");
    assert!(steps.contains("behind the window"), "{steps}");
    assert!(steps.contains("nothing is free inside the window"), "{steps}");
    let detail = lines(&detail::rows(&scene, 80, 10, 0));
    assert!(detail.contains("request  16 KiB by") && detail.contains("no address"), "{detail}");
    let holes = lines(&free::rows(&scene, 100, 12, 0, free::FreeOrder::Address));
    assert!(holes.contains("nothing is free in its window"), "{holes}");
}

#[test]
fn the_map_of_32_tib_with_little_in_use_is_readable() {
    let mut replay = demo();
    replay.seek(5, usize::MAX);
    let scene = scene(&replay, &UNICODE);
    let text = lines(&map::rows(&scene, 100, 12, &map::MapZoom::default()));
    assert!(text.contains("31.9 TiB free"), "{text}");
    assert!(text.contains("0xffffc90000000000"), "{text}");
    assert!(text.contains("a cell"), "{text}");
    assert!(text.contains("▲"), "{text}");
}

#[test]
fn the_current_record_is_marked_and_found() {
    let mut replay = demo();
    replay.seek(2, usize::MAX);
    let scene = scene(&replay, &UNICODE);
    let rows = events::rows(&scene, 100, 10, None, &events::EventFilter::default());
    let focused: Vec<_> = rows.iter().filter(|row| row.focused).collect();
    assert_eq!(focused.len(), 1);
    assert_eq!(focused[0].target, Some(Target::Event(Seq(1))));
    assert!(focused[0].text().starts_with('▸'), "{}", focused[0].text());
    assert_eq!(events::find(&replay, "purge", 0, true), Some(9));
    assert_eq!(events::find(&replay, "purge", 9, false), Some(12));
    assert_eq!(events::find(&replay, "KWORKER", 0, true), None, "capitals count if there are some");
    assert_eq!(events::find(&replay, "20 kib", 1, true), Some(2));
    assert_eq!(events::count(&replay, "kworker"), 13);
    assert_eq!(events::count(&replay, "lost"), 1);
    assert_eq!(events::count(&replay, ""), 0);
}

#[test]
fn the_drawn_tree_shows_the_way_of_the_search() {
    let mut replay = demo();
    replay.seek(5, usize::MAX);
    let scene = scene(&replay, &UNICODE);
    let text = lines(&tree::rows(&scene, 120, 14, tree::TreePan::default(), TreeId::Free));
    assert!(text.contains("┴") || text.contains("┘") || text.contains("└"), "{text}");
    assert!(text.contains('▸'), "{text}");
    assert!(text.contains("changed"), "{text}");
}

#[test]
fn the_walk_of_an_address_names_levels_and_tables() {
    let mut replay = demo();
    replay.seek(2, usize::MAX);
    let text = lines(&page_table::rows(&scene(&replay, &UNICODE), 100, 12, 0));
    assert!(text.contains("PGD   402"), "{text}");
    assert!(text.contains("This event: 1 new PMD table, 1 new PTE table, 8 KiB"), "{text}");
}

#[test]
fn detail_tells_birth_and_end() {
    let mut replay = demo();
    replay.seek(4, usize::MAX);
    let text = lines(&detail::rows(&scene(&replay, &UNICODE), 100, 20, 0));
    assert!(text.contains("born     event 4"), "{text}");
    assert!(text.contains("freed    event 7"), "{text}");
    assert!(text.contains("4 KiB guard"), "{text}");
}

#[test]
fn nothing_yet_is_a_sentence() {
    let replay = demo();
    let scene = scene(&replay, &UNICODE);
    assert!(lines(&step::rows(&scene, 80, 5, 0)).contains("press . to step forward"));
    assert!(lines(&detail::rows(&scene, 80, 5, 0)).contains("Nothing selected"));
    assert!(header::rows(&scene, 120, &header::Play::default())[0].text().contains("event 0 of 13"));
}

#[test]
fn seeking_by_the_timeline_covers_the_whole_log() {
    let replay = demo();
    let scene = scene(&replay, &UNICODE);
    assert_eq!(timeline::seq_at(&TimeView::whole(&replay), 100, 0), 0);
    assert_eq!(timeline::seq_at(&TimeView::whole(&replay), 100, 99), 13);
    assert_eq!(timeline::rows(&scene, 100, 3, &TimeView::whole(&replay)).len(), 3);
}

#[test]
fn a_failure_in_a_narrow_window_is_told_by_its_window() {
    let mut replay = demo();
    replay.seek(6, usize::MAX);
    let scene = scene(&replay, &UNICODE);
    let shown = lines(&map::rows(&scene, 100, 12, &map::MapZoom::default()));
    assert!(shown.starts_with(" window of the request of 8 KiB: 0 B free"), "{shown}");
    let shown = lines(&detail::rows(&scene, 100, 20, 0));
    assert!(shown.contains("8 KiB busy in 1 area"), "{shown}");
    assert!(shown.contains("held by  task kworker"), "{shown}");
}

#[test]
fn holes_below_the_window_come_last_and_are_counted() {
    let mut script = Script::new();
    // Too large for the pools.
    let unit = 0x20_0000;
    for n in 0..8 {
        script.alloc(0, V + n * unit, unit, 1);
    }
    for n in [1, 3] {
        script.free(V + n * unit, 512);
    }
    script.purge(V + unit, V + 4 * unit, 2);
    script.fail(2 * unit, Window { vstart: V + 5 * unit, vend: V + 6 * unit });
    let mut replay = script.replay();
    replay.seek(12, usize::MAX);
    let scene = scene(&replay, &UNICODE);
    let rows = free::rows(&scene, 100, 8, 0, free::FreeOrder::Address);
    let shown = lines(&rows);
    assert!(shown.contains("3 holes below the window, at the end of this list"), "{shown}");
    let last = lines(&free::rows(&scene, 100, 8, 40, free::FreeOrder::Address));
    assert!(last.contains("below the window"), "{last}");
}

#[test]
fn a_marker_and_a_loss_are_told_in_full() {
    let mut replay = demo();
    replay.seek(1, usize::MAX);
    let shown = lines(&detail::rows(&scene(&replay, &UNICODE), 100, 10, 0));
    assert!(shown.contains("mark     begin") && shown.contains("mark 1 of 1"), "{shown}");
    replay.seek(11, usize::MAX);
    let shown = lines(&detail::rows(&scene(&replay, &UNICODE), 100, 10, 0));
    assert!(shown.contains("7 records") && shown.contains("in use"), "{shown}");
}
