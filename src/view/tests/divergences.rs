//! A record the model had placed elsewhere: both placements, the cause and what would have decided it, in every pane.

use super::*;
use crate::replay::{Cause, Timing, Verdict};

/// The last area lies where one was that is lazily freed: a purge no record announces.
fn parted() -> Replay {
    let mut script = Script::new();
    script.alloc(0, V, 0x5000, 1);
    script.alloc(0, V + 0x5000, 0x3000, 1);
    script.free(V, 5);
    script.alloc(0, V, 0x4000, 1);
    let mut replay = script.replay();
    replay.seek(4, usize::MAX);
    replay
}

/// No search gives the second area its address.
fn disbelieved() -> Replay {
    let mut script = Script::new();
    script.alloc(0, V, 0x5000, 1);
    script.alloc(0, V + 0x2_0000, 0x2000, 1);
    let mut replay = script.replay();
    replay.seek(2, usize::MAX);
    replay
}

#[test]
fn both_placements_stand_in_every_pane() {
    let replay = parted();
    let Verdict::Adopted(cause) = replay.verdict(Seq(3)) else { panic!("{:?}", replay.verdict(Seq(3))) };
    for glyphs in [&UNICODE, &ASCII] {
        let scene = scene(&replay, glyphs);
        let wide = |rows: Vec<Row>| lines(&rows);
        let detail = wide(detail::rows(&scene, 160, 30, 0));
        for told in ["recorded 0xffffc90000000000", "model    0xffffc90000008000", cause.because(), cause.decided_by()]
        {
            assert!(detail.contains(told), "{told}: {detail}");
        }
        let steps = wide(step::rows(&scene, 160, 30, 0));
        assert!(steps.contains(&format!("would be decided by: {}", cause.decided_by())), "{steps}");
        let events = wide(events::rows(&scene, 120, 12, None, &events::EventFilter::default()));
        assert!(events.contains(&format!("{} model", glyphs.unlike)), "{events}");
        let map = wide(map::rows(&scene, 80, 10, &map::MapZoom::default()));
        assert!(map.lines().next().is_some_and(|cells| cells.contains(glyphs.unlike)), "{map}");
        assert!(map.contains(&format!("{} model", glyphs.unlike)), "{map}");
    }
}

#[test]
fn a_record_that_is_not_believed_is_marked_itself() {
    let replay = disbelieved();
    assert_eq!(replay.verdict(Seq(1)), Verdict::Adopted(Cause::Impossible));
    let map = lines(&map::rows(&scene(&replay, &UNICODE), 80, 10, &map::MapZoom::default()));
    assert!(map.contains("≠ record") && map.lines().next().is_some_and(|cells| cells.contains('≠')), "{map}");
}

#[test]
fn an_exact_record_has_one_placement() {
    let mut replay = parted();
    replay.seek(1, usize::MAX);
    let scene = scene(&replay, &UNICODE);
    let map = lines(&map::rows(&scene, 80, 10, &map::MapZoom::default()));
    let detail = lines(&detail::rows(&scene, 160, 30, 0));
    assert!(!map.contains(UNICODE.unlike), "{map}");
    assert!(!detail.contains("recorded") && !detail.contains("decided"), "{detail}");
}

/// A trace that starts late, with nothing that says what was in use.
fn late() -> Replay {
    let mut script = Script::new();
    script.log.origin.from_boot = Some(false);
    script.alloc(0, V, 0x5000, 1);
    script.alloc(0, V + 0x2_0000, 0x2000, 1);
    let mut replay = script.replay();
    replay.seek(2, usize::MAX);
    replay
}

#[test]
fn what_the_search_passed_by_is_no_area() {
    let replay = late();
    let following = scene(&replay, &UNICODE);
    assert_eq!(focus::focus_address(&following), Some(V + 0x2_0000), "the record, not what it taught");
    let steps = lines(&step::rows(&following, 160, 30, 0));
    assert!(steps.contains("older than the trace: 108 KiB"), "{steps}");
    assert_eq!(steps.matches("the recorded address").count(), 1, "{steps}");
    let map = lines(&map::rows(&following, 100, 10, &map::MapZoom::default()));
    assert!(map.contains(UNICODE.unseen) && map.contains("unseen"), "{map}");
    let there = Scene { selection: Selection::Address(V + 0x8000), ..scene(&replay, &UNICODE) };
    let detail = lines(&detail::rows(&there, 160, 30, 0));
    assert!(detail.contains("no record shows them") && !detail.contains("guard"), "{detail}");
    let title: String = detail::title(&there).iter().map(|span| span.text.as_str()).collect();
    assert!(title.contains("unseen stretch 108 KiB"), "{title}");
}

#[test]
fn rules_of_another_era_are_what_decides() {
    let mut script = Script::new();
    script.alloc(0, V, 0x5000, 1);
    script.alloc(0, V + 0x5000, 0x3000, 1);
    let log = Arc::new(script.log);
    let settings = Settings { policy: Some("linux-2.6.32".to_owned()), ..Settings::default() };
    let mut replay = Replay::open(log, &settings).expect("the log can be replayed");
    replay.seek(2, usize::MAX);
    let steps = lines(&step::rows(&scene(&replay, &UNICODE), 160, 30, 0));
    assert!(steps.contains("would be decided by: the kernel's own rules"), "{steps}");
}

#[test]
fn a_pool_that_was_missed_is_not_called_not_eligible() {
    let mut script = Script::new();
    // Both nodes' pools have an area of the size that is asked for next, and neither gives it.
    script.alloc(0, V, 0x2000, 1);
    script.alloc(1, V + 0x2000, 0x2000, 1);
    script.alloc(0, V + 0x4000, 0x2000, 1);
    script.free(V, 2);
    script.free(V + 0x2000, 4);
    script.purge(V, V + 0x4000, 2);
    script.alloc(0, V + 0x6000, 0x2000, 1);
    let mut replay = script.replay();
    replay.seek(7, usize::MAX);
    assert_eq!(replay.verdict(Seq(6)), Verdict::Inferred(Timing::PoolMissed));
    let steps = lines(&step::rows(&scene(&replay, &UNICODE), 160, 30, 0));
    assert!(steps.contains("the pool was empty at that moment") && !steps.contains("only a first attempt"), "{steps}");
}
