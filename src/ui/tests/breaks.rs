//! Breaks, marks and what touches the selection, as keys reach them.

use super::super::marks::{Marks, Stored};
use super::super::overlay::Overlay;
use super::*;
use crate::view::Selection;

fn screen(app: &App) -> String {
    frame(app).to_string()
}

#[test]
fn a_break_is_found_forwards_and_backwards_and_says_why() {
    let mut app = app();
    script(&mut app, "c");
    assert_eq!(message(&app), "no break is set: b sets one");
    script(&mut app, "bfailed<enter>");
    assert_eq!(message(&app), "break on failed: c runs there, C back");
    script(&mut app, "c");
    assert_eq!((app.replay.cursor(), message(&app)), (22, "failed: event 22 is a failed allocation"));
    script(&mut app, "c");
    assert_eq!((app.replay.cursor(), message(&app)), (22, "at no event after this one: failed"));
    script(&mut app, "$C");
    assert_eq!(app.replay.cursor(), 22);
    script(&mut app, "u");
    assert_eq!(app.replay.cursor(), 30, "a run is a jump");
}

#[test]
fn states_are_found_from_both_ends_and_their_values_told() {
    let mut app = app();
    script(&mut app, ":break busy >= 40K<enter>c");
    assert_eq!((app.replay.cursor(), message(&app)), (5, "busy >= 40K: busy 40 KiB, was 32 KiB"));
    script(&mut app, "$C");
    assert_eq!(app.replay.cursor(), 5);
    script(&mut app, "^:break lazy > 4 or kind mark<enter>c");
    assert_eq!(app.replay.cursor(), 5, "the first break of both");
    script(&mut app, "c");
    assert_eq!(app.replay.cursor(), 12, "the mark");
    script(&mut app, "cC");
    assert_eq!(app.replay.cursor(), 12, "there and back");
}

#[test]
fn a_mistake_is_pointed_at_and_the_prompt_stays() {
    let mut app = app();
    for (width, height) in [(120, 40), (80, 24)] {
        resize(&mut app, width, height);
        script(&mut app, "blargest_hol <lt> 2M<enter>");
        let page = screen(&app);
        let text = find(&app, "largest_hol <");
        let caret = find(&app, "^^^^^^^^^^^");
        assert_eq!((caret.0, caret.1), (text.0, text.1 + 1), "{page}");
        assert!(page.contains("nothing is called largest_hol; near: largest_hole"), "{page}");
        script(&mut app, "<esc>");
        assert!(app.overlays.is_empty() && app.breaks.list.is_empty());
    }
    script(&mut app, ":break sze > 1<enter>");
    assert_eq!(message(&app), "nothing is called sze; near: size");
}

#[test]
fn the_prompt_completes_and_recalls_what_was_typed() {
    let mut app = app();
    script(&mut app, "bfrag<tab>> 0.5<enter>blazy > 3<enter>");
    let texts: Vec<String> = app.breaks.list.iter().map(|one| one.condition.to_string()).collect();
    assert_eq!(texts, ["fragmentation > 0.5", "lazy > 3"]);
    script(&mut app, "b<ctrl-p><ctrl-p>");
    match app.overlays.last() {
        Some(Overlay::Break { input, .. }) => assert_eq!(input.value(), "fragmentation > 0.5"),
        other => panic!("{other:?}"),
    }
    assert!(screen(&app).contains("Not true here"), "{}", screen(&app));
    script(&mut app, "<enter>");
    assert_eq!(app.breaks.list.len(), 2, "the same break is set once");
}

#[test]
fn breaks_are_listed_switched_off_and_deleted() {
    let mut app = app();
    script(&mut app, "bfailed<enter>bkind mark<enter>B");
    let page = screen(&app);
    assert!(page.contains("on   failed") && page.contains("on   mark"), "{page}");
    script(&mut app, "j<space>");
    assert!(screen(&app).contains("off  mark"), "{}", screen(&app));
    script(&mut app, "<esc>c");
    assert_eq!(app.replay.cursor(), 22, "the mark is passed by");
    script(&mut app, "Bkd<esc>^c");
    assert_eq!(message(&app), "every break is off: B lists them");
}

#[test]
fn playing_stops_at_a_break() {
    let mut app = app();
    script(&mut app, ":break kind mark<enter>:speed 100000/s<enter><space><wait>");
    assert_eq!(app.replay.cursor(), 12);
    assert!(app.playing.is_none());
    assert_eq!(message(&app), "mark: event 12 is a mark");
    script(&mut app, "<space><wait>");
    assert_eq!(app.replay.cursor(), 30, "and goes on from there");
    script(&mut app, ":speed 2x<enter>");
    assert_eq!(message(&app), "speed: 2 s of the trace/s");
    script(&mut app, ":speed warp<enter>");
    assert_eq!(message(&app), "\"warp\" is no speed: try 1000/s, 2x or 10ms/s");
}

#[test]
fn a_long_run_goes_on_between_keys_and_escape_forgets_it() {
    let mut log = log();
    let mark = log.events.nth(11);
    let failed = log.events.nth(21);
    log.events = vec![mark; 5_000].into();
    log.events.push(failed);
    let mut app = app_of(log);
    app.seek_budget = 100;
    script(&mut app, "3G:break failures > 0<enter>c");
    assert!(app.hunting.is_some());
    assert_eq!(app.replay.cursor(), 3);
    assert!(screen(&app).contains("looking on: "), "{}", screen(&app));
    script(&mut app, "<esc>");
    assert!(app.hunting.is_none());
    assert!(message(&app).ends_with("still at event 3"), "{}", message(&app));
    app.seek_budget = 100_000;
    script(&mut app, "c<wait><wait>");
    assert_eq!((app.replay.cursor(), message(&app)), (5_001, "failures > 0: failures 1, was 0"));
}

#[test]
fn the_life_of_what_is_selected_is_walked_both_ways() {
    let mut app = app();
    // The third area: placed as #3, freed as #11, purged as #21.
    script(&mut app, "3Gff");
    assert_eq!((app.replay.cursor(), app.selection), (21, Selection::Address(START + 0x4000)));
    script(&mut app, "FF");
    assert_eq!(app.replay.cursor(), 3);
    script(&mut app, "f");
    assert_eq!(app.replay.cursor(), 11);
}

#[test]
fn a_search_takes_conditions_and_addresses() {
    let cases = [
        ("/size > 1T<enter>", 22, "match 1/1 for \"size > 1T\""),
        ("/size = 16K<enter>", 23, "match 1/8 for \"size = 16K\""),
        ("/task modprobe and kind free<enter>", 0, "no event matches \"task modprobe and kind free\""),
        ("/task systemd and kind free<enter>", 11, "match 1/5 for \"task systemd and kind free\""),
        // Placed, freed, purged.
        ("/0xffffc90000004800<enter>", 3, "match 1/3 for \"0xffffc90000004800\""),
        ("/0xffffc90000004800<enter>n", 11, "match 2/3 for \"0xffffc90000004800\""),
        ("/0xffffc90000004800<enter>nn", 21, "match 3/3 for \"0xffffc90000004800\""),
        ("/lazy > 3<enter>", 0, "no event matches \"lazy > 3\" (lazy is of states: a break runs there)"),
    ];
    for (keys, cursor, expected) in cases {
        let mut app = app();
        script(&mut app, keys);
        assert_eq!((app.replay.cursor(), message(&app)), (cursor, expected), "{keys}");
    }
}

fn saved(effects: &[Effect]) -> String {
    match effects {
        [Effect::SaveMarks(text)] => text.clone(),
        other => panic!("{other:?}"),
    }
}

fn kept() -> App {
    let mut app = app();
    app.open_marks(Stored::Nothing);
    app
}

#[test]
fn marks_are_shown_written_and_read_again() {
    let mut app = kept();
    assert!(script(&mut app, "10G").is_empty(), "nothing is written unless a mark is set");
    let text = saved(&script(&mut app, "mx"));
    update(&mut app, Msg::MarksSaved(Ok("thirty.vmaplens.toml".to_owned())));
    assert_eq!(message(&app), "marked x: 'x returns here; wrote thirty.vmaplens.toml");
    let page = screen(&app);
    assert!(page.contains("✓x"), "{page}");
    script(&mut app, "M");
    assert!(screen(&app).contains("x  event 10  1.000900 s  alloc 8 KiB"), "{}", screen(&app));

    let name = || "t".to_owned();
    let mut again = super::app();
    again.open_marks(Stored::Text { name: name(), text: text.clone() });
    assert!(again.message.is_none());
    script(&mut again, "'x");
    assert_eq!(again.replay.cursor(), 10);
    script(&mut again, "M");
    let effects = script(&mut again, "d");
    assert!(!saved(&effects).contains("letter"), "deleted there too");

    let cases = [
        (text.replace("events = 30", "events = 31"), "t is not used: its marks are of another trace, of 31 events"),
        (text.replace("version = 1", "version = 2"), "t is not used: it has version 2, this program knows 1"),
        (text.replace("[[mark]]", "[[mark]]\nrun = \"rm\""), "t is not used: line 10 is not that of a file of marks"),
        ("\u{1b}[2J".to_owned(), "t is not used: line 1 is not that of a file of marks"),
        ("a = 1".to_owned(), "t is not used: it is no file of marks"),
        (text.replace("event = 10", "event = 11"), "1 mark is left out of t: no such event, or another stamp"),
        (text.replace("event = 10", "event = 99"), "1 mark is left out of t: no such event, or another stamp"),
        (text.replace("\"x\"", "\"\\u001b\""), "1 mark is left out of t: no such event, or another stamp"),
    ];
    for (text, expected) in cases {
        let mut app = super::app();
        app.open_marks(Stored::Text { name: name(), text: text.clone() });
        assert_eq!(message(&app), expected, "{text}");
        let is_refused = expected.contains("not used");
        // What is not understood is not overwritten.
        assert_eq!(script(&mut app, "ma").is_empty(), is_refused, "{text}");
    }
}

#[test]
fn marks_of_what_is_no_file_last_for_the_session_and_say_so() {
    let mut app = app();
    app.open_marks(Stored::Nowhere("standard input is no file".to_owned()));
    assert!(script(&mut app, "5Gma").is_empty());
    assert_eq!(message(&app), "marked a: 'a returns here; kept for this session only: standard input is no file");
    let mut app = kept();
    script(&mut app, "5Gma");
    update(&mut app, Msg::MarksSaved(Err("no space".to_owned())));
    assert!(message(&app).ends_with("kept for this session only: no space"), "{}", message(&app));
    assert!(script(&mut app, "mb").is_empty());
    script(&mut app, "mé");
    assert!(message(&app).starts_with("no mark set"));
}

#[test]
fn any_text_of_marks_is_survived() {
    let app = app();
    let mut dice = 1_u64;
    let mut marks = Marks::default();
    marks.set('a', app.spot());
    let text = marks.to_text(&app.replay);
    for _ in 0..400 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut bytes = text.clone().into_bytes();
        let at = (dice >> 33) as usize % bytes.len();
        bytes[at] = (dice >> 20) as u8;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (marks, _) = Marks::load(Stored::Text { name: "t".to_owned(), text }, &app.replay);
        assert!(marks.list().len() <= 1);
    }
}
