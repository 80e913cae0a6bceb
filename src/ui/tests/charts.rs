//! The charts and the stretch of the trace they share with the timeline.

use super::super::pane::PaneId;
use super::*;
use crate::view::visible::Visible;

#[test]
fn charts_on_a_small_screen() {
    let mut app = app();
    resize(&mut app, 80, 24);
    script(&mut app, "21G4<wait>");
    insta::assert_snapshot!(frame(&app));
}

#[test]
fn charts_on_a_wide_screen_of_plain_characters() {
    let mut app = plain();
    script(&mut app, "21G4<wait>");
    insta::assert_snapshot!(frame(&app));
}

#[test]
fn the_picked_chart_is_hidden_shown_and_seen_alone() {
    let mut app = app();
    resize(&mut app, 80, 24);
    script(&mut app, "4<wait>j<space>");
    let screen = frame(&app).to_string();
    assert!(screen.contains("[ ] lazy pages") && !screen.contains("lazy pages 0"), "{screen}");
    script(&mut app, "<enter>z");
    let screen = frame(&app).to_string();
    assert!(screen.contains("[x] lazy pages") && screen.contains("[ ] busy"), "{screen}");
    assert!(screen.contains("limit 16,384"), "{screen}");
    script(&mut app, "z1<wait>");
    assert_eq!((app.focus, app.charts.alone), (PaneId::Events, false));
}

#[test]
fn the_stretch_follows_the_cursor_and_both_show_the_same() {
    let mut app = app();
    script(&mut app, "4<wait>15G+");
    assert_eq!(app.time_visible(), Visible { from: 7, to: 23 }, "sixteen records at least");
    script(&mut app, "30G");
    let shown = app.time_visible();
    assert_eq!((shown.len(), shown.to), (16, 30));
    let screen = frame(&app).to_string();
    assert!(screen.contains("charts  events 15–30 of 30"), "{screen}");
    script(&mut app, "1<wait>");
    let screen = frame(&app).to_string();
    assert!(screen.contains("timeline  events 15–30 of 30"), "{screen}");
    resize(&mut app, 80, 24);
    let screen = frame(&app).to_string();
    assert!(screen.contains("15–30 of 30"), "a strip tells it too: {screen}");
    script(&mut app, "0");
    assert_eq!(app.time_visible(), Visible { from: 0, to: 30 });
}

#[test]
fn the_mouse_seeks_zooms_and_chooses() {
    let mut app = app();
    script(&mut app, "4<wait>");
    let (x, y) = find(&app, "[x] holes");
    click(&mut app, x, y);
    assert!(find(&app, "[ ] holes") == (x, y));
    let (first, below) = find(&app, "event 1");
    click(&mut app, first + 40, below - 3);
    let there = app.replay.cursor();
    assert!(0 < there && there < 30, "{there}");
    mouse(&mut app, MouseEventKind::Drag(MouseButton::Left), first + 60, below - 3);
    assert!(there < app.replay.cursor());
    mouse(&mut app, MouseEventKind::ScrollUp, first + 60, below - 3);
    assert_eq!(app.time_visible().len(), 16);
    script(&mut app, "u");
    assert_eq!(app.replay.cursor(), 0, "a drag is one jump");
}

#[test]
fn marks_are_signs_of_the_timeline() {
    let mut app = app();
    script(&mut app, "4<wait>9Gmk20G");
    let screen = frame(&app).to_string();
    let signs = screen.lines().find(|line| line.contains('◆')).expect("a row of signs");
    assert!(signs.contains('k'), "{screen}");
}
