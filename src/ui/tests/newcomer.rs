//! What a person sees who has never seen it before: nothing is cut off in silence, and what is meant is said.

use super::super::layout::regions;
use super::super::overlay::help;
use super::super::pane::PaneId;
use super::*;
use crate::log::FileProblem;

fn screen(app: &App) -> String {
    frame(app).to_string()
}

#[test]
fn a_goto_beyond_the_end_says_where_the_end_is() {
    for keys in [":goto 99<enter>", "99G", ":+99<enter>"] {
        let mut app = app();
        script(&mut app, keys);
        assert_eq!((app.replay.cursor(), message(&app)), (30, "the trace ends at event 30"), "{keys}");
        script(&mut app, keys);
        assert_eq!((app.replay.cursor(), message(&app)), (30, "the trace ends at event 30"), "{keys} again");
    }
    let mut app = app();
    script(&mut app, ":goto end<enter>");
    assert_eq!((app.replay.cursor(), message(&app)), (30, ""));
}

#[test]
fn a_line_of_the_input_leads_to_its_event_or_says_why_not() {
    let cases = [
        (":line 14<enter>", "line 14 is event 10"),
        (":line 2<enter>", "line 2 is no event: event 1, in line 5, is the next one"),
        (":goto line 99<enter>", "no event stands at or behind line 99: the last one is in line 34"),
        (":line x<enter>", "\"x\" is no line: try line 17"),
    ];
    for (keys, expected) in cases {
        let mut app = app();
        script(&mut app, keys);
        assert_eq!(message(&app), expected, "{keys}");
    }
}

#[test]
fn what_is_not_there_is_said() {
    let cases = [
        ("D", "no inferred or adopted allocation after this event"),
        ("gD", "no inferred or adopted allocation before this event"),
        ("$gf", "no failed allocation after this event"),
        ("$}", "no failure, divergence, purge, mark or loss of records after this event"),
    ];
    for (keys, expected) in cases {
        let mut app = app();
        script(&mut app, keys);
        assert_eq!(message(&app), expected, "{keys}");
    }
}

#[test]
fn a_pinned_selection_is_said_and_can_be_let_go() {
    for (width, height) in [(120, 40), (80, 24), (60, 16), (40, 10)] {
        let mut app = app();
        resize(&mut app, width, height);
        script(&mut app, "3G");
        assert!(!screen(&app).contains("unpin"), "{width}x{height}");
        script(&mut app, ":goto 0xffffc90000002000<enter>");
        assert!(screen(&app).contains("Backspace unpin"), "{width}x{height}\n{}", screen(&app));
        script(&mut app, "<backspace>");
        assert!(!screen(&app).contains("unpin"), "{width}x{height}");
    }
    let mut app = app();
    script(&mut app, "3G:goto 0xffffc90000002000<enter>");
    assert!(screen(&app).contains("detail (pinned)"), "{}", screen(&app));
}

#[test]
fn the_header_keeps_the_name_and_the_trust() {
    let mut app = app();
    script(&mut app, "3G");
    for (width, height, words) in
        [(60, 16, ["thirty", "\u{2248} 0", "\u{2717} 0"]), (40, 10, ["event 3 of 30", "\u{2248} 0", "\u{2717} 0"])]
    {
        resize(&mut app, width, height);
        let screen = screen(&app);
        let head: String = screen.lines().take(2).collect();
        for word in words {
            assert!(head.contains(word), "{word} at {width}x{height}\n{screen}");
        }
    }
}

#[test]
fn a_pane_with_more_rows_says_how_many() {
    let mut app = app();
    resize(&mut app, 80, 24);
    script(&mut app, "21G");
    let more = |app: &App| {
        let text = screen(app);
        text.lines().filter(|line| line.contains(" more ")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(more(&app).len(), 1, "the steps go on\n{}", screen(&app));
    assert!(more(&app)[0].contains('\u{25bc}') && !more(&app)[0].contains('\u{25b2}'));
    script(&mut app, "<tab>G");
    let last = screen(&app);
    assert!(more(&app).is_empty() && last.contains(" \u{25b2} "), "the last step is in sight\n{last}");
}

#[test]
fn the_map_takes_no_row_it_leaves_blank() {
    let mut app = app();
    for height in [36, 40, 50, 60] {
        resize(&mut app, 120, height);
        for _ in 0..app.replay.len() {
            script(&mut app, ".");
            let map = *app.regions().pane(PaneId::Map).expect("shown");
            let rows = super::super::content::rows(&app, PaneId::Map, map.inner.as_size());
            let blank = usize::from(map.inner.height).saturating_sub(rows.len());
            assert!(blank <= 1, "{blank} blank rows at {height}: {}", screen(&app));
        }
        script(&mut app, "^");
    }
    let regions = regions(Size { width: 120, height: 40 }, app.wanted());
    for (pane, rows) in [(PaneId::Tables, 6), (PaneId::Detail, 6), (PaneId::Free, 4), (PaneId::Tree, 5)] {
        let inner = regions.pane(pane).expect("shown").inner;
        assert!(rows <= inner.height, "{pane:?} has {} rows", inner.height);
    }
}

#[test]
fn digits_jump_in_the_help() {
    let mut app = app();
    resize(&mut app, 80, 24);
    script(&mut app, "?");
    assert!(screen(&app).contains("1 this pane \u{b7} 2 moving \u{b7} 3 signs \u{b7} 4 words"));
    for (digit, first) in [("2", "Through the trace"), ("3", "Signs"), ("4", "Words"), ("1", "1 this pane")] {
        script(&mut app, digit);
        let row = screen(&app).lines().nth(1).map(str::to_owned).unwrap_or_default();
        assert!(row.contains(first), "{digit}: {row}");
    }
    let rows = help::rows(&app, 200);
    assert!(rows.iter().any(|row| row.text().contains("(while map has the focus)")));
}

#[test]
fn the_palette_is_walked_by_pages_and_tells_the_picked_row_in_full() {
    let mut app = app();
    resize(&mut app, 80, 24);
    script(&mut app, ":<end>");
    assert!(screen(&app).contains("quit at once (Ctrl-c)"), "{}", screen(&app));
    script(&mut app, "<home><pagedown>");
    let page = screen(&app);
    assert!(page.contains(" more ") && page.contains(" \u{25b2} "), "{page}");
    script(&mut app, "<home>");
    assert!(screen(&app).contains("one event forward (a count before it: that many) (. or Right)"), "{}", screen(&app));
    resize(&mut app, 40, 10);
    script(&mut app, "goto");
    assert!(screen(&app).contains("0xADDRESS"), "{}", screen(&app));
}

#[test]
fn an_unharmed_input_may_still_be_incomplete() {
    let mut log = log();
    let name = log.names.add_text(b"sched_switch");
    log.events.update(11, |event| event.kind = EventKind::Other { name });
    log.events.update(12, |event| event.kind = EventKind::Lost { count: 7 });
    log.origin.overwritten = 3;
    let mut app = app_of(log);
    script(&mut app, "!");
    let page = screen(&app);
    for words in [
        "No line of the input was damaged.",
        "1 record of another kind is kept but not replayed.",
        "The kernel dropped 7 records at 1 place",
        "3 records were overwritten",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    assert_eq!(app.replay.log().problems, Vec::<FileProblem>::new());
}

#[test]
fn a_search_of_many_records_counts_between_keys() {
    let mut log = log();
    let (alloc, mark) = (log.events.nth(0), log.events.nth(11));
    log.events = vec![mark; 80_000].into();
    log.events.edit(|events| events.insert(1, alloc));
    let mut app = app_of(log);
    script(&mut app, "/half");
    assert_eq!(app.replay.cursor(), 1, "the first match is shown at once");
    assert!(screen(&app).contains("counting... 16383"), "{}", screen(&app));
    script(&mut app, "<enter>");
    assert!(message(&app).starts_with("match counting... "), "{}", message(&app));
    script(&mut app, "n");
    assert_eq!(app.replay.cursor(), 3, "the next one is found without counting");
    script(&mut app, "<wait><wait><wait><wait><wait><wait>n");
    assert_eq!((app.replay.cursor(), message(&app)), (4, "match 3/80000 for \"half\""));
}

#[test]
fn the_first_of_two_keys_says_what_can_follow() {
    let mut app = app();
    script(&mut app, "g");
    assert!(screen(&app).contains("g and  g top  f next-failure  F previous-failure"), "{}", screen(&app));
}

#[test]
fn the_search_says_what_it_finds() {
    let mut app = app();
    script(&mut app, "/");
    assert!(screen(&app).contains("caller xfs_*, kind free and cpu 1"), "{}", screen(&app));
    resize(&mut app, 40, 10);
    assert!(screen(&app).contains("any word"), "{}", screen(&app));
    for (word, cursor, expected) in [("failed", 22, "match 1/1"), ("exact", 1, "match 1/")] {
        let mut app = super::app();
        script(&mut app, &format!("/{word}<enter>"));
        assert_eq!(app.replay.cursor(), cursor, "{word}");
        assert!(message(&app).starts_with(expected), "{word}: {}", message(&app));
    }
}
