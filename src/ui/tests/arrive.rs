//! The rest of a long input arrives: everything stays where it is.

use super::super::loading::Arrived;
use super::*;
use crate::view::Selection;

fn screen(app: &App) -> String {
    frame(app).to_string()
}

/// The interface on the first `n` records.
fn beginning(n: usize) -> App {
    let mut part = log();
    part.events.truncate(n);
    let mut app = app_of(part);
    app.loading = Some(Ok("reading".to_owned()));
    app
}

fn whole() -> Box<Arrived> {
    Box::new(Arrived::All(Replay::open(Arc::new(log()), &Settings::default()).expect("opens")))
}

#[test]
fn cursor_selection_marks_and_scroll_stay() {
    let mut app = beginning(12);
    script(&mut app, "5Gma3.");
    app.selection = Selection::Address(START + 0x4000);
    app.panes.events_top = Some(2);
    app.panes.detail_scroll = 1;
    let before = (app.replay.cursor(), app.selection, format!("{:?}", app.marks), app.panes.events_top, app.focus);
    assert!(screen(&app).contains("of 12 so far"), "{}", screen(&app));
    update(&mut app, Msg::Arrived(whole()));
    assert_eq!(
        before,
        (app.replay.cursor(), app.selection, format!("{:?}", app.marks), app.panes.events_top, app.focus)
    );
    assert_eq!((app.replay.len(), app.panes.detail_scroll, app.loading.clone()), (30, 1, None));
    assert!(screen(&app).contains("event 8 of 30") && !screen(&app).contains("so far"), "{}", screen(&app));
    let mut direct = self::app();
    direct.replay.seek(8, usize::MAX);
    assert_eq!(app.replay.space().digest(), direct.replay.space().digest());
}

#[test]
fn a_place_to_come_is_waited_for_unless_one_moves_or_gives_it_up() {
    for (keys, reached) in [(":goto 25<enter>", 25), ("$", 30), (":goto 50%<enter>", 15), (":goto line 20<enter>", 16)]
    {
        for (then, left_at) in [("", reached), ("<esc>", 2), (".", 3)] {
            let mut app = beginning(12);
            script(&mut app, &format!("2.{keys}"));
            assert_eq!((app.replay.cursor(), app.awaited.is_some()), (2, true), "{keys}");
            script(&mut app, then);
            update(&mut app, Msg::Arrived(whole()));
            assert_eq!((app.replay.cursor(), app.awaited.clone()), (left_at, None), "{keys} {then:?}");
        }
    }
}

#[test]
fn what_arrives_under_a_lesson_waits_there() {
    let mut app = beginning(12);
    script(&mut app, "3.");
    let lesson = crate::lesson::LESSONS[0];
    super::super::lesson::open(&mut app, &lesson);
    assert!(app.previous.is_some(), "a lesson is open");
    update(&mut app, Msg::Loading("resolving 7 %".to_owned()));
    update(&mut app, Msg::Arrived(whole()));
    let previous = app.previous.expect("still");
    assert_eq!((previous.replay.cursor(), previous.replay.len()), (3, 30));
}

#[test]
fn a_rest_that_fails_leaves_the_beginning() {
    let mut app = beginning(12);
    script(&mut app, "3.$");
    let report = color_eyre::eyre::eyre!("the disk \u{1b}[2J is gone");
    update(&mut app, Msg::Arrived(Box::new(Arrived::Failed(report))));
    let page = screen(&app);
    assert!(page.contains("event 3 of 12 so far") && page.contains("the rest cannot be shown"), "{page}");
    assert!(page.contains("only the beginning is there") && !page.contains('\u{1b}'), "{page}");
    script(&mut app, "$");
    assert_eq!(app.replay.cursor(), 12);
}

#[test]
fn the_figures_of_a_read_are_drawn_when_they_change() {
    let mut app = beginning(12);
    app.dirty = false;
    update(&mut app, Msg::Loading("reading".to_owned()));
    assert!(!app.dirty);
    update(&mut app, Msg::Loading("resolving 41 %".to_owned()));
    assert!(app.dirty && screen(&app).contains("resolving 41 %"));
    for (width, height) in [(80, 24), (60, 20), (200, 60)] {
        resize(&mut app, width, height);
        assert!(screen(&app).contains("resolving 41 %"), "{width}x{height}\n{}", screen(&app));
    }
}

/// Holds letters.
#[derive(Debug)]
struct Letters;

impl crate::replay::decisions::Store for Letters {
    fn name(&self) -> String {
        "late.vmaplens.decisions".to_owned()
    }

    fn load(&self, _: u64) -> crate::replay::decisions::Stored {
        crate::replay::decisions::Stored::Bytes(b"letters".to_vec())
    }

    fn is_wanted(&self) -> bool {
        false
    }

    fn save(&self, _: &[u8]) -> Result<(), String> {
        Err("nobody asked".to_owned())
    }
}

#[test]
fn a_file_of_decisions_that_is_none_is_named() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("traces/amd64-612-late-smp4");
    let reading = crate::source::Reading::default();
    let log = crate::source::open(&crate::source::Input::Path(folder), &reading).expect("a capture");
    let settings = Settings { decisions: Some(Arc::new(Letters)), ..Settings::default() };
    let replay = Replay::open(Arc::new(log), &settings).expect("opens");
    let mut app = app();
    update(&mut app, Msg::Arrived(Box::new(Arrived::All(replay))));
    let page = screen(&app);
    assert!(page.contains("late.vmaplens.decisions is not used: it is no file of decisions"), "{page}");
}
