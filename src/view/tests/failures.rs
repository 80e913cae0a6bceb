//! Failed attempts, what repaired them, and purges whose range is not the allocator's.

use super::*;

const SMALL: Window = Window { vstart: V, vend: V + 0x10_0000 };

/// A window that is full of lazy areas: the first attempt fails, the purge makes room, the second one is placed.
fn repaired() -> Replay {
    let mut script = Script::new();
    for n in 0..4 {
        script.alloc(0, V + n * 0x4_0000, 0x4_0000, 1);
    }
    script.free(V, 64);
    script.free(V + 0x4_0000, 128);
    script.fail(0x8_0000, SMALL);
    script.purge(0xffff_8880_0000_0000, V + 0x8_0000, 2);
    script.alloc_in(V, 0x8_0000, SMALL);
    script.fail(0x8_0000, SMALL);
    script.purge(u64::MAX, 0, 0);
    script.fail(0x8_0000, SMALL);
    script.replay()
}

fn at(replay: &mut Replay, cursor: usize) -> (String, String) {
    replay.seek(cursor, usize::MAX);
    let scene = scene(replay, &UNICODE);
    (lines(&step::rows(&scene, 160, 30, 0)), lines(&detail::rows(&scene, 160, 30, 0)))
}

#[test]
fn an_attempt_that_was_repaired_says_how() {
    let mut replay = repaired();
    let (steps, detail) = at(&mut replay, 7);
    for shown in [&steps, &detail] {
        assert!(shown.contains("512 KiB lazily freed, all of it in the window: the purge that follows"), "{shown}");
        assert!(shown.contains("purged in event 8; tried again in event 9: placed at …000000"), "{shown}");
    }
    let second = steps.lines().nth(1).unwrap_or_default();
    assert!(second.starts_with("no place from 0xffffc90000000000 to 0xffffc90000100000, 1 MiB: "), "{steps}");
    assert!(detail.contains("no address at this attempt"), "{detail}");
    let (steps, _) = at(&mut replay, 9);
    assert!(steps.contains("from 0xffffc90000000000 to 0xffffc90000100000"), "{steps}");
    assert!(steps.contains("second attempt: the first one, event 7, found no place before the purge"), "{steps}");
}

#[test]
fn an_attempt_that_was_not_repaired_says_so() {
    let mut replay = repaired();
    let (steps, detail) = at(&mut replay, 10);
    assert!(steps.contains("tried again in event 12: failed again"), "{steps}");
    assert!(detail.contains("nothing was lazily freed"), "{detail}");
    let (steps, _) = at(&mut replay, 12);
    assert!(steps.contains("the second attempt, after event 10 and a purge: the request has failed"), "{steps}");
}

#[test]
fn a_widened_purge_is_about_its_lowest_area() {
    let mut replay = repaired();
    let (steps, detail) = at(&mut replay, 8);
    assert_eq!(focus_address(&scene(&replay, &UNICODE)), Some(V));
    assert!(steps.contains("flushed 0xffff888000000000 to 0xffffc90000080000"), "{steps}");
    assert!(steps.contains("the caller widened it"), "{steps}");
    assert!(detail.contains("512 KiB of it inside the vmalloc range"), "{detail}");
    let list = lines(&events::rows(&scene(&replay, &UNICODE), 120, 20, None, &events::EventFilter::default()));
    assert!(list.contains("widened") && !list.contains("ffff8880"), "{list}");
}

#[test]
fn a_search_in_vain_is_drawn_where_it_ended() {
    let mut replay = repaired();
    replay.seek(7, usize::MAX);
    let scene = scene(&replay, &UNICODE);
    let title: String = tree::title(&scene, TreeId::Free).iter().map(|span| span.text.as_str()).collect();
    assert!(title.ends_with("before"), "{title}");
    let shown = lines(&tree::rows(&scene, 120, 14, tree::TreePan::default(), TreeId::Free));
    assert!(shown.contains('▸') && shown.contains("searched"), "{shown}");
}

#[test]
fn words_of_verdicts_are_found() {
    let replay = repaired();
    let n = |text| events::count(&replay, text);
    assert_eq!((n("failed"), n("purge")), (3, 2));
    let tally = replay.plan().tally(replay.len());
    assert_eq!(n("exact"), tally.exact as usize);
    assert_eq!((n("EXACT"), n("ex")), (0, 0));
    let mut script = Script::new();
    script.alloc(0, V + 0x7000, 0x2000, 1);
    let replay = script.replay();
    let adopted = events::count(&replay, "adopted") + events::count(&replay, "inferred");
    assert_eq!(adopted, 1, "{:?}", replay.verdict(Seq(0)));
    let causes = ["unexplained", "concurrent", "passed-over", "impossible"];
    assert_eq!(causes.map(|cause| events::count(&replay, cause)).iter().sum::<usize>(), 1);
}

#[test]
fn numbers_of_events_stand_beside_them() {
    let mut replay = repaired();
    replay.seek(9, usize::MAX);
    let scene = scene(&replay, &UNICODE);
    let rows = events::rows(&scene, 70, 10, None, &events::EventFilter::default());
    assert!(rows[0].text().contains("event"), "{}", lines(&rows));
    let here = rows.iter().find(|row| row.focused).map(Row::text).unwrap_or_default();
    assert!(here.trim_start_matches(['▸', '✓', '≈', ' ']).starts_with("9 "), "{here}");
}

#[test]
fn a_snapshot_has_no_colours() {
    let replay = snapshot::snapshot(REAL);
    let scene = scene(&replay, &UNICODE);
    let shown = lines(&tree::rows(&scene, 120, 14, tree::TreePan::default(), TreeId::Free));
    assert!(!shown.contains('●') && !shown.contains('○') && !shown.contains('↥'), "{shown}");
}
