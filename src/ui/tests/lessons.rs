//! Lessons: every stop of every one can be read on a small screen, and its keys lead on.

use parsers::ops::notes::SHOWN;

use super::super::content;
use super::super::pane::{PANES, PaneId};
use super::*;
use crate::lesson::{LESSONS, named};
use crate::model::Fit;
use crate::model::step::nth_outside_trees;
use crate::model::step::{Merge, Step};
use crate::view::lesson::{address, notes, told};
use crate::view::{Row, Selection};

/// No text of a lesson is longer.
const MOST_CHARACTERS: usize = 420;

fn lesson(name: &str) -> App {
    app_of(named(name).expect("a lesson").log())
}

/// A script with these notes.
fn noted(text: &str) -> App {
    app_of(Log::of_script(parsers::ops::parse(text.as_bytes()), "my.ops"))
}

#[test]
fn what_a_script_can_show_are_the_panes() {
    let names: Vec<&str> = PANES
        .iter()
        .filter(|pane| {
            !matches!(pane, PaneId::Lesson | PaneId::Charts | PaneId::Compare | PaneId::Live | PaneId::Holders)
        })
        .map(|pane| pane.name())
        .collect();
    assert_eq!(names, SHOWN);
}

#[test]
fn every_stop_can_be_read_on_a_small_screen_and_shows_what_it_names() {
    for lesson in LESSONS {
        let mut app = app_of(lesson.log());
        let log = app.replay.log().clone();
        assert!(log.problems.is_empty(), "{}: {:?}", lesson.name, log.problems);
        resize(&mut app, 80, 24);
        for (at, note) in notes(&log).iter().enumerate() {
            let place = format!("{} op {}", lesson.name, note.op);
            assert_eq!(app.replay.cursor(), note.op, "{place}");
            let text = note.text.join(" ");
            assert!(text.chars().count() <= MOST_CHARACTERS, "{place}: {}", text.chars().count());
            let size = content::size_of(&app, PaneId::Lesson);
            let rows = content::rows(&app, PaneId::Lesson, size);
            assert_eq!(content::hidden(&app, PaneId::Lesson, size, &rows).below, 0, "{place}");
            let shown: String = rows.iter().map(|row| row.text() + " ").collect();
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert!(words(&shown).starts_with(&words(&text)), "{place}: {shown}");
            let regions = app.regions();
            assert!(regions.pane(PaneId::Map).is_some() && regions.panes.len() == 4, "{place}: map, two panes, text");
            for pane in note.show.iter().map(|name| PaneId::named(name).expect("a pane")).take(2) {
                assert!(regions.pane(pane).is_some_and(|pane| 1 < pane.inner.height), "{place}: no {pane:?}");
            }
            assert!(!note.show.is_empty(), "{place} shows nothing in particular");
            let own = |sub: usize| nth_outside_trees(&app.replay.outcome().steps, sub - 1).expect("such a step");
            assert_eq!(app.sub_step, note.sub.map(own), "{place}: no such sub-step");
            assert!(note.at.is_none_or(|at| address(&app.replay, at).is_some()), "{place}: nothing is there");
            // Enter would open the next lesson at the last.
            let is_last = at + 1 == notes(&log).len();
            script(&mut app, if at % 2 == 0 || is_last { "}" } else { "<enter>" });
        }
        script(&mut app, "}");
        assert!(message(&app).starts_with("this was the last stop"), "{}", lesson.name);
    }
}

/// `s` leads through whatever an op did; so does a stop, at whichever step it points some day.
#[test]
fn every_step_of_every_op_can_be_shown() {
    for lesson in LESSONS {
        let mut app = app_of(lesson.log());
        resize(&mut app, 200, 60);
        while app.replay.step() {
            for step in 0..app.replay.outcome().steps.len() {
                app.sub_step = Some(step);
                for pane in [PaneId::Tree, PaneId::Free, PaneId::Tables, PaneId::Detail, PaneId::Step] {
                    let size = Size { width: 80, height: 24 };
                    let rows = content::rows(&app, pane, size);
                    assert!(!rows.is_empty(), "{} op {} step {step}: {pane:?}", lesson.name, app.replay.cursor());
                }
            }
        }
    }
}

/// The sub-steps that the stops of a lesson point at.
fn pointed_at(name: &str) -> Vec<Step> {
    let mut app = lesson(name);
    let mut steps = Vec::new();
    for note in notes(&app.replay.log().clone()).iter().skip(1) {
        script(&mut app, "}");
        let own = app.replay.outcome().steps.iter().filter(|step| !step.is_in_tree());
        steps.extend(note.sub.and_then(|sub| own.copied().nth(sub - 1)));
    }
    steps
}

#[test]
fn what_the_texts_promise_happens_where_they_point() {
    let fits = pointed_at("init").into_iter().filter_map(|step| match step {
        Step::Clipped { fit, .. } => Some(fit),
        _ => None,
    });
    let [left, right, none, full] = [Fit::LeftEdge, Fit::RightEdge, Fit::NoEdge, Fit::Full];
    assert_eq!(fits.collect::<Vec<_>>(), [left, right, none, full, left, none]);
    let steps = pointed_at("merge-and-purge");
    let is_flush = |step: &Step| matches!(step, Step::Flushed { start, end } if end - start == 0x10000);
    assert!(steps.iter().any(is_flush), "one flush over 64 KiB: {steps:?}");
    assert!(steps.iter().any(|step| matches!(step, Step::DrainDue { lazy_pages: 8196, inline: false, .. })));
    let merges = steps.into_iter().filter_map(|step| match step {
        Step::Returned { merge, .. } => Some(merge),
        _ => None,
    });
    assert_eq!(merges.collect::<Vec<_>>(), [Merge::Next, Merge::Previous, Merge::Both, Merge::Both, Merge::Both]);
}

#[test]
fn a_stop_on_a_small_screen() {
    let mut app = lesson("merge-and-purge");
    resize(&mut app, 80, 24);
    script(&mut app, "}}}}");
    insta::assert_snapshot!(frame(&app));
}

#[test]
fn a_stop_on_a_wide_screen() {
    let mut app = lesson("merge-and-purge");
    script(&mut app, "}}}}");
    insta::assert_snapshot!(frame(&app));
}

#[test]
fn stops_are_left_and_returned_to_by_single_ops_too() {
    let mut app = lesson("merge-and-purge");
    resize(&mut app, 80, 24);
    script(&mut app, "}}");
    assert_eq!(app.replay.cursor(), 7);
    script(&mut app, ".");
    find(&app, "stop 2 of 10, 1 op past it");
    script(&mut app, "s");
    assert_eq!(app.sub_step, Some(0));
    script(&mut app, "{");
    assert_eq!(app.replay.cursor(), 7, "the stop that is told comes first");
    script(&mut app, "..");
    assert_eq!((app.replay.cursor(), app.sub_step), (9, Some(4)), "a stop reached op by op directs as well");
    script(&mut app, "^{");
    assert_eq!((app.replay.cursor(), message(&app)), (0, "this is the first stop"));
}

#[test]
fn enter_opens_what_is_picked_and_goes_on_otherwise() {
    let mut app = lesson("merge-and-purge");
    script(&mut app, "<enter>");
    assert_eq!(app.replay.cursor(), 6);
    app.focus = PaneId::Events;
    script(&mut app, "kk<enter>");
    assert_eq!(app.replay.cursor(), 4, "two rows up");
}

#[test]
fn the_keys_in_the_border_can_be_clicked() {
    let mut app = lesson("init");
    resize(&mut app, 80, 24);
    let (x, y) = find(&app, "} Enter next stop");
    click(&mut app, x, y);
    click(&mut app, x + 9, y);
    assert_eq!(app.replay.cursor(), 2);
    let (x, y) = find(&app, "{ previous");
    click(&mut app, x + 3, y);
    assert_eq!(app.replay.cursor(), 1);
    click(&mut app, x, y - 3);
    assert_eq!(app.focus, PaneId::Lesson, "the text itself only takes the focus");
}

#[test]
fn behind_the_last_stop_the_next_lesson_opens_and_leaving_it_returns() {
    let mut app = app();
    script(&mut app, "5G:lesson ini<enter>");
    assert_eq!(app.replay.log().origin.name, "lesson init");
    script(&mut app, "$");
    find(&app, "Enter next lesson, merge-and-purge");
    find(&app, "This is the end. Next lesson: merge-and-purge.");
    script(&mut app, "<enter>");
    assert_eq!((app.replay.log().origin.name.as_str(), app.replay.cursor()), ("lesson merge-and-purge", 0));
    assert!(script(&mut app, "q").is_empty(), "the trace comes back");
    assert_eq!((app.replay.log().origin.name.as_str(), app.replay.cursor()), ("thirty", 5));
    script(&mut app, ":merge-and<enter>");
    assert_eq!(app.replay.log().origin.name, "lesson merge-and-purge");
    script(&mut app, "q:lesson purgatory<enter>");
    assert!(message(&app).starts_with("no lesson is called \"purgatory\"; nearest: "), "{}", message(&app));
    assert_eq!(script(&mut app, "q").len(), 1, "nothing is left to return to");
}

#[test]
fn a_pin_of_a_stop_goes_with_it_and_one_of_the_user_stays() {
    let text = "era 6.12\n#> One.\n#@ at 0\n#@ show detail\na 0 4096\n#> Two.\na 1 4096\n#> Three.\n#@ at 0x1000\na 2 4096\n\
                #> Four.\na 3 4096\n#> Five.\na 4 4096\n";
    let mut app = noted(text);
    let start = |app: &App| app.replay.plan().machine.window.vstart;
    script(&mut app, "}");
    assert_eq!((app.selection, app.focus), (Selection::Address(start(&app)), PaneId::Detail));
    script(&mut app, "}");
    assert_eq!(app.selection, Selection::Follow);
    script(&mut app, "}");
    assert_eq!(app.selection, Selection::Address(0x1000));
    script(&mut app, "}:goto 0x2000<enter>}");
    assert_eq!(app.selection, Selection::Address(0x2000), "what the user pinned");
}

#[test]
fn a_long_text_scrolls_and_says_so() {
    let words = (0..300).map(|n| format!("word{n}")).collect::<Vec<_>>().join(" ");
    let text = format!("era 6.12\n#> {words}\n#>\n#> The \u{1b}[2J last.\na 0 4096\n#> Two.\na 1 4096\n");
    let mut app = noted(&text);
    resize(&mut app, 80, 24);
    find(&app, "The notes of this script begin further on.");
    script(&mut app, "}");
    let border = frame(&app).to_string().lines().nth(22).map(str::to_owned).unwrap_or_default();
    assert!(border.contains(" more ─╯") && border.contains("next stop"), "{border}");
    app.focus = PaneId::Lesson;
    script(&mut app, "G");
    find(&app, "  The ");
    script(&mut app, "}");
    find(&app, "Two.");
    let rows = content::rows(&app, PaneId::Lesson, Size { width: 78, height: 9 });
    assert_eq!(rows.first().map(Row::text).as_deref(), Some("Two."), "the next text begins at its top");
}

#[test]
fn a_lesson_of_plain_characters_at_every_size() {
    let mut app = lesson("init");
    app.theme.depth = Depth::None;
    app.glyphs = &ASCII;
    script(&mut app, "}}");
    for (width, height) in [(40, 10), (40, 12), (60, 16), (79, 24), (80, 24), (120, 40), (200, 60)] {
        resize(&mut app, width, height);
        let backend = frame(&app);
        assert!(backend.buffer().content().iter().all(|cell| cell.symbol().is_ascii()), "{width}x{height}\n{backend}");
        find(&app, "lesson  stop 2 of 8");
        find(&app, "The first request");
    }
}

#[test]
fn scripts_without_notes_have_no_lesson() {
    let app = noted("era 6.12\na 0 4096\n");
    assert!(app.regions().pane(PaneId::Lesson).is_none());
    assert!(told(app.replay.log(), 1).is_none());
    assert!(!app.subject().panes().contains(&PaneId::Lesson));
}
