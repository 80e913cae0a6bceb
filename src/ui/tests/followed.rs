//! A trace that grows beside the readings of `live`.

use super::live::{live_with, reading, shows, taken};
use super::*;
use crate::ui::followed::{Followed, State};
use crate::ui::pane::{Arrangement, PaneId};
use crate::ui::tracing::{Look, Told};
use crate::view::Selection;

/// The first `n` records of the test trace, as a look hands them out: the cursor at the end.
fn grown(n: usize) -> Replay {
    let mut part = log();
    part.origin.name = "this machine".to_owned();
    part.events.truncate(n);
    let mut replay = Replay::open(Arc::new(part), &Settings::default()).expect("opens");
    replay.seek(n, usize::MAX);
    replay
}

fn tell(app: &mut App, told: Told) {
    update(app, Msg::Traced(Box::new(told)));
}

fn look(app: &mut App, n: usize) {
    let look = Look { replay: Some(grown(n)), lost: 2, ..Look::default() };
    looked(app, look);
}

fn looked(app: &mut App, look: Look) {
    let (cost, every) = (Duration::from_millis(12), Duration::from_secs(1));
    tell(app, Told::Looked { look: Box::new(look), cost, every });
}

/// `live --trace` with its first look at `n` records.
fn tracing(n: usize) -> App {
    let mut app = live_with(3, Some(Followed::new(true)));
    tell(&mut app, Told::Possible(Ok(())));
    shows(&app, "trace starting");
    tell(&mut app, Told::Begun(Ok(())));
    look(&mut app, n);
    app
}

#[test]
fn what_was_asked_for_comes_up_and_is_followed() {
    let mut app = tracing(12);
    assert_eq!((app.arrangement, app.focus), (Arrangement::Step, PaneId::Events));
    shows(&app, "event 12 of 12 so far");
    shows(&app, "following");
    // Readings come meanwhile, and change nothing on the screen.
    update(&mut app, Msg::Taken(Box::new(taken(Ok(reading(9)), 3))));
    shows(&app, "event 12 of 12 so far");
    look(&mut app, 26);
    shows(&app, "event 26 of 26 so far");
    let mut direct = self::app();
    direct.replay.seek(26, usize::MAX);
    assert_eq!(app.replay.space().digest(), direct.replay.space().digest());
    insta::assert_snapshot!("followed_120x40", frame(&app));
    resize(&mut app, 80, 24);
    shows(&app, "following");
    insta::assert_snapshot!("followed_80x24", frame(&app));
}

#[test]
fn who_goes_back_stays_there_until_the_end_is_asked_for() {
    let mut app = tracing(12);
    script(&mut app, ",,");
    shows(&app, "event 10 of 12 so far");
    shows(&app, "paused");
    app.selection = Selection::Address(START + 0x4000);
    look(&mut app, 20);
    shows(&app, "event 10 of 20 so far");
    shows(&app, "paused");
    assert_eq!(app.selection, Selection::Address(START + 0x4000));
    let mut direct = self::app();
    direct.replay.seek(10, usize::MAX);
    assert_eq!(app.replay.space().digest(), direct.replay.space().digest());
    script(&mut app, "$<wait>");
    shows(&app, "event 20 of 20 so far");
    shows(&app, "following");
    look(&mut app, 24);
    shows(&app, "event 24 of 24 so far");
    // Stepping to the end is being there.
    script(&mut app, ",.");
    look(&mut app, 25);
    shows(&app, "event 25 of 25 so far");
}

#[test]
fn space_holds_the_cursor_at_the_end() {
    let mut app = tracing(12);
    script(&mut app, "<space>");
    assert!(message(&app).contains("stays at event 12: $ follows again"), "{}", message(&app));
    look(&mut app, 20);
    shows(&app, "event 12 of 20 so far");
    // From there it plays, as anywhere.
    script(&mut app, "<space>");
    assert!(app.playing.is_some());
    script(&mut app, "<space>");
    assert!(app.playing.is_none());
    script(&mut app, "$<wait>");
    look(&mut app, 30);
    shows(&app, "event 30 of 30 so far");
}

#[test]
fn the_readings_are_one_key_away_and_say_how_the_trace_is() {
    let mut app = tracing(22);
    script(&mut app, "5<wait>");
    shows(&app, "growing · 22 events");
    shows(&app, "2 lost");
    shows(&app, "1 shows, R ends it");
    shows(&app, "all 4 together");
    assert!(app.replay.is_empty(), "the areas of a reading");
    insta::assert_snapshot!("followed_band_120x40", frame(&app));
    resize(&mut app, 80, 24);
    shows(&app, "growing · 22 events");
    insta::assert_snapshot!("followed_band_80x24", frame(&app));
    resize(&mut app, 120, 40);
    // Time is the readings here, and the events there.
    script(&mut app, ",<wait>");
    shows(&app, "reading 2 of 3");
    look(&mut app, 30);
    shows(&app, "growing · 30 events");
    script(&mut app, "1<wait>");
    shows(&app, "event 30 of 30 so far");
    script(&mut app, ",3<wait><wait>");
    shows(&app, "event 29 of 30 so far");
    shows(&app, "task modprobe");
    script(&mut app, "5<wait>1<wait>");
    shows(&app, "event 30 of 30 so far");
}

#[test]
fn a_key_begins_and_ends_it_and_nothing_else_does() {
    let mut app = live_with(3, Some(Followed::new(false)));
    assert!(!frame(&app).to_string().contains("trace off"), "nobody knows yet");
    tell(&mut app, Told::Possible(Ok(())));
    shows(&app, "trace off · R follows the allocator, in a tracefs instance of its own");
    let others = script(&mut app, "1<wait>2<wait>3<wait>4<wait>5<wait><space><space>m,.$^");
    assert!(!others.iter().any(|effect| matches!(effect, Effect::Trace(_))), "{others:?}");
    assert_eq!(script(&mut app, "R"), [Effect::Trace(true)]);
    tell(&mut app, Told::Begun(Ok(())));
    look(&mut app, 10);
    // Nobody is taken away from what is looked at.
    assert_eq!(app.arrangement, Arrangement::Live);
    shows(&app, "growing · 10 events");
    assert_eq!(script(&mut app, "R"), [Effect::Trace(false)]);
    let ended = Some("as asked".to_owned());
    looked(&mut app, Look { replay: Some(grown(12)), ended, ..Look::default() });
    shows(&app, "ended: as asked · 12 events");
    shows(&app, "R begins");
    script(&mut app, "1<wait>");
    shows(&app, "event 12 of 12");
    shows(&app, "ended");
    assert!(!frame(&app).to_string().contains("of 12 so far"));
    assert_eq!(script(&mut app, "R"), [Effect::Trace(true)]);
}

#[test]
fn where_it_cannot_be_had_one_line_says_why() {
    let mut app = live_with(3, Some(Followed::new(false)));
    tell(&mut app, Told::Possible(Err("only root may use tracefs \u{1b}[2J".to_owned())));
    shows(&app, "not here: only root may use tracefs");
    assert!(!frame(&app).to_string().contains('\u{1b}'));
    assert_eq!(script(&mut app, "R"), []);
    assert!(message(&app).starts_with("nothing can be traced here: only root"), "{}", message(&app));
    // A file that somebody writes, and what is read once.
    let mut app = live_with(3, None);
    assert_eq!(script(&mut app, "R"), []);
    assert!(message(&app).starts_with("only vmaplens live"), "{}", message(&app));
}

#[test]
fn what_cannot_be_replayed_yet_is_said_and_goes() {
    let mut app = live_with(3, Some(Followed::new(true)));
    tell(&mut app, Told::Begun(Ok(())));
    looked(&mut app, Look { trouble: Some("no vmalloc events".to_owned()), ..Look::default() });
    shows(&app, "no vmalloc events");
    look(&mut app, 5);
    script(&mut app, "5<wait>");
    assert!(!frame(&app).to_string().contains("no vmalloc events"));
    let state = app.followed.as_ref().map(|followed| followed.state.clone());
    assert_eq!(state, Some(State::Running));
}

#[test]
fn lanes_are_not_begun_again_before_they_are_through() {
    let mut app = tracing(20);
    app.seek_budget = 1;
    script(&mut app, "2<wait>");
    assert!(app.is_busy_with_trace());
    look(&mut app, 25);
    look(&mut app, 30);
    assert_eq!(app.replay.len(), 20);
    app.seek_budget = 4096;
    for _ in 0..1000 {
        let now = app.now + Duration::from_millis(16);
        update(&mut app, Msg::Tick(now));
    }
    assert_eq!((app.replay.len(), app.replay.cursor()), (30, 30));
}

#[test]
fn a_lesson_may_be_open_over_it() {
    let mut app = tracing(12);
    let lesson = crate::lesson::LESSONS[0];
    super::super::lesson::open(&mut app, &lesson);
    look(&mut app, 20);
    let previous = app.previous.expect("a lesson is open");
    assert_eq!((previous.replay.cursor(), previous.replay.len()), (20, 20));
}
