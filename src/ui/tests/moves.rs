//! What keys and the mouse do.

use super::super::msg::{Effect, Ended};
use super::super::overlay::Overlay;
use super::super::pane::PaneId;
use super::*;
use crate::view::Selection;

fn cursor_after(keys: &str) -> usize {
    let mut app = app();
    script(&mut app, keys);
    app.replay.cursor()
}

#[test]
fn steps_counts_and_jumps_go_where_they_say() {
    let cases = [
        ("...", 3),
        ("<right><right>,", 1),
        (">", 10),
        (">><lt>", 10),
        (",", 0),
        ("5.", 5),
        ("12G", 12),
        ("99G", 30),
        ("$", 30),
        ("$.", 30),
        ("$^", 0),
        // Worth seeing: the mark #11, the purge #20, the failure #21; shown after they are applied.
        ("}", 12),
        ("}}", 21),
        ("}}}", 22),
        ("$}", 30),
        ("$}{", 22),
        ("gf", 22),
        ("11GF", 3),
        ("gf", 22),
        ("gfgF", 22),
        ("$gF", 22),
        ("D", 0),
        ("P", 21),
        ("$gP", 21),
        (":next-failure<enter>", 22),
        // The first record is in line 5.
        (":line 14<enter>", 10),
        (":goto line 14<enter>", 10),
        (":line 1<enter>", 1),
        (":line 900<enter>", 0),
        (":goto 50%<enter>", 15),
        (":goto +7<enter>:goto -2<enter>", 5),
        ("10G:goto +1ms<enter>", 20),
        (":goto 1.0005s<enter>", 6),
        (":17<enter>", 17),
        (":goto nowhere<enter>", 0),
        ("10Gma20G'a", 10),
        ("10G20Gu", 10),
        ("10G20Guu<ctrl-r>", 10),
        ("10G20Guu<ctrl-r><ctrl-r>", 20),
    ];
    for (keys, expected) in cases {
        assert_eq!(cursor_after(keys), expected, "{keys}");
    }
}

#[test]
fn a_digit_alone_waits_and_then_is_a_key_of_its_own() {
    let mut app = app();
    script(&mut app, "z1");
    assert!(app.zoom, "still waiting");
    script(&mut app, "<wait>");
    assert!(!app.zoom, "1 is the arrangement");
    assert_eq!(app.replay.cursor(), 0);
}

#[test]
fn playing_goes_at_its_speed_and_stops_at_the_end() {
    let mut app = app();
    script(&mut app, "<space><wait>");
    let at = app.replay.cursor();
    assert!((10..=11).contains(&at), "10 events a second: {at}");
    script(&mut app, "<space><wait>");
    assert_eq!(app.replay.cursor(), at, "paused");
    script(&mut app, "]<space><wait><wait>");
    assert_eq!(app.replay.cursor(), 30);
    assert!(app.playing.is_none());
    assert_eq!(message(&app), "the end of the trace");
}

#[test]
fn playing_in_trace_time_keeps_the_pauses() {
    let mut app = app();
    // 10 us of the trace a second; events are 100 us apart.
    script(&mut app, "T[[[[[[<space><wait><wait><wait>");
    assert_eq!(app.speed.label(), "10 us of the trace/s");
    assert_eq!(app.replay.cursor(), 1, "the first event is due at once, the second after ten seconds");
    for _ in 0..8 {
        script(&mut app, "<wait>");
    }
    assert_eq!(app.replay.cursor(), 2);
}

#[test]
fn search_counts_moves_and_escape_restores() {
    let mut app = app();
    script(&mut app, "3G/free");
    assert_eq!(app.replay.cursor(), 11, "the first match is shown while typing");
    assert_eq!(app.search.count(Some(10)), "1/5");
    script(&mut app, "<esc>");
    assert_eq!(app.replay.cursor(), 3);
    script(&mut app, "/free<enter>n");
    assert_eq!(app.replay.cursor(), 13);
    assert_eq!(message(&app), "match 2/5 for \"free\"");
    script(&mut app, "NN");
    assert_eq!(app.replay.cursor(), 19, "round the start");
    script(&mut app, "u");
    assert_eq!(app.replay.cursor(), 11);
    script(&mut app, "/nothing like it<enter>");
    assert_eq!(app.replay.cursor(), 11);
    assert!(message(&app).starts_with("no event matches"));
}

#[test]
fn the_selection_stays_while_next_touching_walks_its_life() {
    let mut app = app();
    script(&mut app, "3G");
    script(&mut app, "f");
    assert_eq!((app.replay.cursor(), app.selection), (11, Selection::Address(START + 0x4000)), "its free");
    script(&mut app, "f");
    assert_eq!(app.replay.cursor(), 21, "its purge");
    script(&mut app, "<backspace>");
    assert_eq!(app.selection, Selection::Follow);
    script(&mut app, "u");
    assert_eq!(app.selection, Selection::Address(START + 0x4000));
}

#[test]
fn copying_says_what_was_copied() {
    let mut app = app();
    let effects = script(&mut app, "2Gy");
    assert_eq!(effects, [Effect::Copy("0xffffc90000002000".to_owned())]);
    assert_eq!(message(&app), "copied 0xffffc90000002000");
}

#[test]
fn the_events_cursor_walks_and_enter_goes_there() {
    let mut app = app();
    script(&mut app, "10Gjj");
    assert_eq!(app.replay.cursor(), 10, "walking does not move through time");
    script(&mut app, "<enter>");
    assert_eq!(app.replay.cursor(), 12);
    script(&mut app, "gg<enter>");
    assert_eq!(app.replay.cursor(), 1);
    script(&mut app, "G<enter>");
    assert_eq!(app.replay.cursor(), 30);
    script(&mut app, "gg<pagedown><esc>");
    assert!(app.panes.events_top.is_none(), "Esc follows the cursor again");
}

#[test]
fn sub_steps_walk_from_the_first_to_the_last_and_back() {
    let mut app = app();
    script(&mut app, "3G");
    let n = app.replay.outcome().steps.len();
    assert!(1 < n, "an allocation has steps");
    script(&mut app, "s");
    assert_eq!(app.sub_step, Some(0));
    script(&mut app, "sS");
    assert_eq!(app.sub_step, Some(0));
    script(&mut app, &"s".repeat(n + 3));
    assert_eq!(app.sub_step, Some(n - 1));
    assert!(message(&app).starts_with("this was the last of"));
    script(&mut app, ".");
    assert_eq!(app.sub_step, None, "another event is shown as a whole");
}

#[test]
fn quit_closes_first_escape_never_quits_and_interrupt_always_does() {
    let mut app = app();
    assert!(script(&mut app, "?").is_empty());
    assert!(script(&mut app, "q").is_empty(), "q closes the help");
    assert!(app.overlays.is_empty());
    assert!(script(&mut app, "<esc><esc><esc>").is_empty());
    assert_eq!(script(&mut app, "q"), [Effect::Quit(Ended::Quit)]);
    for open in ["", "?", ":", "/", "!", "m", "g", "12"] {
        let keys = format!("{open}<ctrl-c>");
        assert_eq!(script(&mut super::app(), &keys), [Effect::Quit(Ended::Interrupted)], "{keys}");
    }
}

#[test]
fn typing_in_a_prompt_is_text() {
    let mut app = app();
    assert!(script(&mut app, "/q?z").is_empty());
    match app.overlays.last() {
        Some(Overlay::Search { input, .. }) => assert_eq!(input.value(), "q?z"),
        other => panic!("{other:?}"),
    }
    update(&mut app, Msg::Paste("\u{1b}[31m\nx".to_owned()));
    match app.overlays.last() {
        Some(Overlay::Search { input, .. }) => assert_eq!(input.value(), "q?z[31mx", "control characters are dropped"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn commands_take_arguments_and_refuse_wrong_ones() {
    let mut app = app();
    script(&mut app, ":theme light<enter>");
    assert!(app.theme.light);
    script(&mut app, ":theme mauve<enter>");
    assert!(app.theme.light && message(&app).contains("mauve"));
    script(&mut app, ":zoom 3<enter>");
    assert_eq!(message(&app), "zoom takes nothing behind it");
    script(&mut app, ":zm<enter>");
    assert!(app.zoom, "letters in order are enough");
    assert_eq!(script(&mut app, ":quit<enter>"), [Effect::Quit(Ended::Quit)]);
}

#[test]
fn tab_goes_round_every_pane_and_zoom_shows_one() {
    let mut app = app();
    let mut seen = vec![app.focus];
    loop {
        script(&mut app, "<tab>");
        if seen.contains(&app.focus) {
            break;
        }
        seen.push(app.focus);
    }
    assert_eq!(seen.len(), app.subject().panes().len());
    script(&mut app, "<shift-tab>z");
    assert_eq!(app.focus, PaneId::Timeline);
    assert_eq!(app.regions().panes.len(), 1);
}

#[test]
fn a_click_focuses_and_goes_to_what_is_under_it() {
    let mut app = app();
    script(&mut app, "5G");
    let pane = *app.regions().pane(PaneId::Step).expect("shown");
    click(&mut app, pane.inner.x, pane.outer.y);
    assert_eq!(app.focus, PaneId::Step);
    let (x, y) = find(&app, "1.000600");
    click(&mut app, x, y);
    assert_eq!((app.focus, app.replay.cursor()), (PaneId::Events, 7));
    let before = app.panes.events_top;
    mouse(&mut app, MouseEventKind::ScrollDown, x, y);
    assert_ne!(app.panes.events_top, before, "the wheel scrolls");
    assert_eq!(app.replay.cursor(), 7);
    let (x, y) = find(&app, "? help");
    click(&mut app, x, y);
    assert!(matches!(app.overlays.last(), Some(Overlay::Help { .. })), "the footer's words can be clicked");
}

#[test]
fn a_snapshot_can_be_looked_at_but_not_stepped() {
    use crate::log::{Baseline, Pointers};
    let mut log = log();
    log.events.truncate(0);
    let area = crate::log::BaselineArea {
        line: 1,
        start: START,
        end: START + 0x3000,
        size: 0x3000,
        caller: "bpf_prog_alloc".to_owned(),
        caller_full: "bpf_prog_alloc+0x2f/0xb0".to_owned(),
        module: None,
        pages: 2,
        phys: None,
        flags: crate::log::baseline::Flags::VMALLOC,
        nodes: Vec::new(),
        state: crate::log::BaselineState::Busy,
        repaired: false,
    };
    log.before = Some(Baseline { areas: vec![area], pointers: Pointers::Real });
    let mut app = app_of(log);
    assert_eq!(app.focus, PaneId::Map);
    assert!(!frame(&app).to_string().contains("Space play"), "no hint leads nowhere");
    for keys in [".", ",", "}", "f", "<space>", "5G", "$"] {
        script(&mut app, keys);
        assert_eq!(message(&app), "this input is a snapshot: it has no events to step through", "{keys}");
    }
    script(&mut app, "/bpf<enter>");
    assert_eq!((app.selection, message(&app)), (Selection::Address(START), "match 1/1 for \"bpf\""));
    script(&mut app, "<backspace>n");
    assert_eq!(app.selection, Selection::Address(START), "the areas are searched");
    script(&mut app, ":goto 0xffffc90000001000<enter>");
    assert_eq!(app.selection, Selection::Address(START + 0x1000));
    script(&mut app, "<shift-tab>z");
    find(&app, "bpf_prog_alloc");
}

#[test]
fn no_key_and_no_size_breaks_anything() {
    let mut app = app();
    let keys = "jklhggGz<tab>.s?jG<ctrl-d>q:gotu<esc>!jq/al<enter>nNf<enter>o+-0<wait>T]]}}{uS<backspace>'x,<lt>";
    for round in 0..24u16 {
        resize(&mut app, 10 + round * 9, 4 + (round * 7) % 60);
        script(&mut app, keys);
        app.overlays.clear();
        frame(&app);
    }
}

#[test]
fn a_long_seek_goes_on_between_keys_and_escape_forgets_it() {
    let mut log = log();
    let mark = log.events.nth(11);
    log.events = vec![mark; 2_000].into();
    let mut app = app_of(log);
    app.seek_budget = 100;
    script(&mut app, "3G:goto 1500<enter>");
    assert!(app.seeking.is_some_and(|seeking| seeking.target == 1_500 && 0 < seeking.at));
    assert_eq!(app.replay.cursor(), 3, "the screen shows the old place until the new one is reached");
    script(&mut app, "<esc>");
    assert_eq!((app.replay.cursor(), app.seeking), (3, None));
    assert_eq!(message(&app), "stopped: still at event 3");
    script(&mut app, "1500G.");
    assert_eq!(app.heading(), 1_501, "a step counts from where the seek leads");
    script(&mut app, &"<wait>".repeat(15));
    assert_eq!((app.replay.cursor(), app.seeking), (1_501, None));
}

#[test]
fn escape_drops_a_count() {
    let mut app = app();
    script(&mut app, "12<esc>.");
    assert_eq!(app.replay.cursor(), 1);
}
