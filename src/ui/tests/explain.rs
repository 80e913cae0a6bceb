//! `e` and `w`: explanations over the panes.

use std::path::PathBuf;

use super::super::overlay::Overlay;
use super::*;
use crate::source::{Input, Reading, open_log};
use crate::view::Selection;

/// A 32-bit machine whose range is nearly used up.
fn exhausted() -> App {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("traces/i386-65-exhaust-smp1");
    let log = open_log(&Input::Path(path), &Reading::default()).expect("the capture opens");
    let mut app = app_of(log);
    app.theme.depth = Depth::None;
    resize(&mut app, 80, 24);
    app
}

fn is_open(app: &App) -> bool {
    matches!(app.overlays.last(), Some(Overlay::Explain(_)))
}

#[test]
fn a_failure_is_explained_where_it_happened() {
    let mut app = exhausted();
    script(&mut app, "2694G<wait><wait>e");
    assert!(is_open(&app), "{}", message(&app));
    insta::assert_snapshot!("explain_failure", frame(&app));
    script(&mut app, "G");
    insta::assert_snapshot!("explain_failure_end", frame(&app));
    script(&mut app, "gg<esc>");
    assert!(!is_open(&app));
    // The same key closes it as well.
    script(&mut app, "ee");
    assert!(!is_open(&app));
}

#[test]
fn where_nothing_failed_the_next_failure_is_gone_to() {
    let mut app = app();
    script(&mut app, "e<wait>");
    assert_eq!((app.replay.cursor(), is_open(&app)), (22, false));
    assert_eq!(message(&app), "no failure there: this is the next one, e explains it");
    script(&mut app, "e");
    assert!(is_open(&app));
    let screen = frame(&app).to_string();
    assert!(screen.contains("It cannot fit"), "{screen}");
    script(&mut app, "<esc>.e");
    assert_eq!((app.replay.cursor(), is_open(&app)), (23, false));
    assert_eq!(message(&app), "no failed allocation after this event");
}

#[test]
fn an_area_says_why_it_lies_there_and_the_cursor_stays() {
    let mut app = exhausted();
    script(&mut app, "2600G<wait><wait>");
    let before = (app.replay.cursor(), app.replay.space().digest());
    let mut areas = Vec::new();
    app.replay.space().allocator().visit_busy(0, &mut |area| areas.push(area.start));
    app.selection = Selection::Address(areas[areas.len() / 2] + 0x100);
    script(&mut app, "w");
    assert!(is_open(&app), "{}", message(&app));
    insta::assert_snapshot!("why_here", frame(&app));
    script(&mut app, "w");
    assert_eq!((app.replay.cursor(), app.replay.space().digest()), before);
}

#[test]
fn what_is_free_has_no_reason() {
    let mut app = app();
    app.selection = Selection::Address(START + (1 << 40));
    script(&mut app, "w");
    assert_eq!(message(&app), "nothing in use lies there: what is free has no reason to lie where it lies");
    script(&mut app, "<backspace>^w");
    assert!(message(&app).starts_with("no area is selected"), "{}", message(&app));
}

#[test]
fn no_row_of_an_explanation_is_cut_at_any_width() {
    let mut app = exhausted();
    script(&mut app, "2694G<wait><wait>e");
    let Some(Overlay::Explain(read)) = app.overlays.last().cloned() else { panic!("{}", message(&app)) };
    for width in [60, 76, 100] {
        for row in read.rows(&app, width) {
            let text = row.text();
            assert!(crate::view::text::width(&text) <= usize::from(width), "{text}");
            assert!(!text.ends_with(app.glyphs.ellipsis), "{text}");
        }
    }
}
