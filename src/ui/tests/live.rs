//! Arrangements 3 and 5: who holds the space, and what is read again and again.

use super::*;
use crate::insight::holders::GroupBy;
use crate::log::InputKind;
use crate::ui::followed::Followed;
use crate::ui::live::{Live, Taken};
use crate::view::holders::HeldOrder;

/// A reading with so many stacks, of which a leak has one more each time.
pub(super) fn reading(n: usize) -> Replay {
    let mut text = String::from(
        "0xffffc90000000000-0xffffc90000005000   20480 irq_init+0x1/0x2 pages=4 vmalloc N0=3 N1=1\n\
         0xffffc90000005000-0xffffc90000007000    8192 hpet_enable+0x9e/0x500 phys=0x00000000fed00000 ioremap\n\
         0xffffffffc0000000-0xffffffffc0005000   20480 load_module+0x1/0x2 [nf_tables] pages=4 vmalloc N0=4\n",
    );
    for leak in 0..n as u64 {
        let start = 0xffff_c900_0010_0000 + leak * 0x5000;
        let end = start + 0x5000;
        text.extend([format!("0x{start:016x}-0x{end:016x}   20480 leak+0x1/0x2 [bad] pages=4 vmalloc N0=4\n")]);
    }
    let mut log = Log::default();
    log.origin.name = "vmallocinfo".to_owned();
    log.origin.kind = InputKind::Snapshot;
    log.origin.arch = Some("x86_64".to_owned());
    log.before = Some(crate::source::snapshot::read("vmallocinfo", text.as_bytes(), &mut log.problems).expect("areas"));
    Replay::open(Arc::new(log), &Settings::default()).expect("the snapshot can be shown")
}

pub(super) fn taken(replay: Result<Replay, String>, n: usize) -> Taken {
    let at = Duration::from_secs(2 * n as u64);
    Taken { replay, at, cost: Duration::from_millis(3), every: Duration::from_secs(2) }
}

/// So many readings, the first at once.
fn live(n: usize) -> App {
    live_with(n, None)
}

/// The same beside a trace.
pub(super) fn live_with(n: usize, followed: Option<Followed>) -> App {
    let first = reading(1);
    let mut live = Live::new(Duration::from_secs(2), Settings::default());
    live.push(&first, &taken(Err(String::new()), 0));
    let theme = Theme { depth: Depth::True, light: false };
    let keymap = Keymap::new(None).expect("the built-in keys are right");
    let mut app = App::new(first, Size { width: 120, height: 40 }, keymap, theme, &UNICODE);
    app.go_live(live, followed);
    for at in 1..n {
        update(&mut app, Msg::Taken(Box::new(taken(Ok(reading(1 + at)), at))));
    }
    app
}

pub(super) fn shows(app: &App, text: &str) {
    let screen = frame(app).to_string();
    assert!(screen.contains(text), "no {text:?} on\n{screen}");
}

#[test]
fn a_leak_is_seen() {
    let app = live(12);
    shows(&app, "live · reading 12 of 12 · every 2 s");
    shows(&app, "leak [bad]");
    shows(&app, "grows steadily");
    shows(&app, "+220 KiB");
    shows(&app, "growth since the first reading");
    insta::assert_snapshot!("live_120x40", frame(&app));
    let mut app = live(12);
    resize(&mut app, 80, 24);
    insta::assert_snapshot!("live_80x24", frame(&app));
    app.glyphs = &ASCII;
    app.theme.depth = Depth::None;
    insta::assert_snapshot!("live_ascii", frame(&app));
}

#[test]
fn readings_are_walked_like_a_trace() {
    let mut app = live(12);
    script(&mut app, ",,");
    shows(&app, "earlier, 4 s ago · reading 10 of 12");
    shows(&app, "all 4 together");
    // What comes meanwhile is kept, and does not move what is looked at.
    update(&mut app, Msg::Taken(Box::new(taken(Ok(reading(13)), 12))));
    shows(&app, "earlier, 6 s ago · reading 10 of 13");
    script(&mut app, "^");
    shows(&app, "reading 1 of 13");
    script(&mut app, ",");
    assert_eq!(message(&app), "this is the first reading that is kept");
    script(&mut app, "<esc>$");
    shows(&app, "live · reading 13 of 13");
    // The areas are those of the reading.
    assert_eq!(app.replay.log().before.as_ref().map(|before| before.areas.len()), Some(16));
    script(&mut app, "<lt>");
    assert_eq!(app.replay.log().before.as_ref().map(|before| before.areas.len()), Some(6));
}

#[test]
fn growth_is_counted_from_a_reading_that_is_marked() {
    let mut app = live(12);
    script(&mut app, ",,m");
    assert_eq!(message(&app), "growth is counted from reading 10 on, 4 s ago");
    script(&mut app, "$");
    shows(&app, "growth since reading 10 (4 s before)");
    shows(&app, "+40 KiB");
    script(&mut app, ",,m");
    assert_eq!(message(&app), "growth is counted from the first reading on");
}

#[test]
fn pausing_asks_not_to_read() {
    let mut app = live(3);
    assert_eq!(script(&mut app, "<space>"), [Effect::Hold(true)]);
    shows(&app, "paused");
    assert_eq!(script(&mut app, "<space>"), [Effect::Hold(false)]);
    update(&mut app, Msg::Taken(Box::new(taken(Err("permission denied".to_owned()), 3))));
    shows(&app, "not read: permission denied");
    update(&mut app, Msg::Taken(Box::new(taken(Ok(reading(4)), 4))));
    assert!(!frame(&app).to_string().contains("not read"));
}

#[test]
fn many_readings_are_forgotten_oldest_first() {
    let mut live = Live::new(Duration::from_secs(2), Settings::default());
    let replay = reading(1);
    for at in 0..12_000 {
        live.push(&replay, &taken(Err(String::new()), at));
    }
    assert_eq!(live.len(), 12_000);
    assert!(0 < live.first() && live.first() <= 2000, "{}", live.first());
    assert!(live.look_at(0));
    assert_eq!(live.shown(), live.first());
}

#[test]
fn holders_are_sorted_grouped_and_filtered() {
    let mut app = live(12);
    script(&mut app, "v");
    assert_eq!(app.holders.by, GroupBy::Module);
    shows(&app, "(the kernel itself)");
    script(&mut app, "vv");
    assert_eq!(app.holders.by, GroupBy::Caller, "a snapshot names no tasks");
    script(&mut app, "oo");
    assert_eq!(app.holders.order, HeldOrder::Growth);
    shows(&app, "growth▼");
    script(&mut app, "O");
    assert_eq!(app.holders.order, HeldOrder::Physical);
    script(&mut app, "/LEAK<enter>");
    shows(&app, "all 1 together");
    script(&mut app, ":filter<enter>");
    shows(&app, "all 4 together");
    script(&mut app, "/nobody<enter>");
    shows(&app, "no name has that in it");
}

#[test]
fn holders_of_a_trace_follow_the_cursor() {
    let mut app = app();
    script(&mut app, "10G3<wait><wait>");
    shows(&app, "task systemd");
    shows(&app, "all 2 together");
    shows(&app, "80 KiB");
    script(&mut app, "vvv<wait>");
    assert_eq!(app.holders.by, GroupBy::Task);
    shows(&app, "by task");
    insta::assert_snapshot!("holders_120x40", frame(&app));
    script(&mut app, "^<wait>");
    shows(&app, "nothing is held");
    script(&mut app, "5<wait>");
    assert!(message(&app).contains("vmaplens live"), "{}", message(&app));
    script(&mut app, "6<wait>");
    shows(&app, "No line of the input was damaged.");
}

#[test]
fn holders_of_a_snapshot_need_no_addresses() {
    let mut app = live(3);
    app.live = None;
    script(&mut app, "1<wait>3<wait>");
    shows(&app, "leak [bad]");
    shows(&app, "all 4 together");
}
