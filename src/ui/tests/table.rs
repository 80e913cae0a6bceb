//! The table of actions is what help, footer, palette and keys are made of: nothing may be missing from any of them.

use super::super::action::{ACTIONS, Place};
use super::super::keymap::{Keymap, KeymapError};
use super::super::overlay::{help, palette};
use super::super::pane::PANES;
use super::*;

#[test]
fn every_action_has_a_title_and_can_be_reached_by_key_and_by_name() {
    let app = app();
    for spec in ACTIONS {
        assert!(!spec.title.is_empty() && !spec.name.contains(' '), "{spec:?}");
        let keys = app.keymap.labels(spec.action);
        assert!(!keys.is_empty() || !spec.arguments.is_empty(), "{} has neither a key nor an argument", spec.name);
        assert_eq!(ACTIONS.iter().filter(|other| other.name == spec.name).count(), 1, "{} twice", spec.name);
    }
}

#[test]
fn every_action_is_in_the_help_and_in_the_palette_where_it_applies() {
    let mut app = app();
    for &pane in PANES {
        app.focus = pane;
        let help: Vec<String> = help::rows(&app, 200).iter().map(crate::view::Row::text).collect();
        let names: Vec<&str> = palette::entries(&app, "").iter().map(|entry| entry.name).collect();
        for spec in ACTIONS {
            assert!(help.iter().any(|line| line.contains(spec.title)), "{} not in the help of {pane:?}", spec.name);
            let applies = spec.place == Place::Anywhere || spec.place == Place::Pane(pane);
            assert_eq!(names.contains(&spec.name), applies, "{} in the palette of {pane:?}", spec.name);
        }
    }
}

#[test]
fn every_character_of_the_panes_is_explained() {
    let app = app();
    let help: String = help::rows(&app, 200).iter().map(crate::view::Row::text).collect();
    let glyphs = app.glyphs;
    let shown = [glyphs.busy, glyphs.lazy, glyphs.pooled, glyphs.free, glyphs.per_cpu, glyphs.guard, glyphs.cursor];
    let more = [glyphs.node_black, glyphs.node_red, glyphs.exact, glyphs.inferred, glyphs.adopted, glyphs.failure];
    let rest = [glyphs.purge, glyphs.lost, glyphs.mark, glyphs.up, glyphs.ellipsis, glyphs.max, glyphs.path];
    assert!(help.contains("/  events: what was searched for"), "the sign of a match is explained");
    for glyph in shown.into_iter().chain(more).chain(rest) {
        assert!(help.contains(glyph), "{glyph} is not explained");
    }
}

#[test]
fn rows_of_a_user_replace_and_remove() {
    let user = "keys = [\n { on = \"x\", run = \"forward\" },\n { on = \"q\", run = \"none\" },\n]";
    let mut app = app();
    app.keymap = Keymap::new(Some(user)).expect("right");
    script(&mut app, "xx");
    assert_eq!(app.replay.cursor(), 2);
    assert!(script(&mut app, "q").is_empty());
}

#[test]
fn a_wrong_row_is_named_with_its_line() {
    let cases = [
        (
            "keys = [\n { on = \"x\", run = \"foward\" },\n]",
            "line 2: no action is called \"foward\"; near: forward, forward-ten, jump-forward",
        ),
        (
            "keys = [{ on = \"hyper-x\", run = \"back\" }]",
            "line 1: \"hyper-x\" is no key; keys look like \"x\", \"ctrl-d\", \"pageup\", \"g g\"",
        ),
        (
            "keys = [{ on = \"x\", run = \"back\", where = \"sky\" }]",
            "line 1: no pane is called \"sky\"; panes: events, step, tree, free, tables, detail, map, timeline, charts, compare, live, holders, lesson",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(Keymap::new(Some(text)).expect_err("wrong").to_string(), expected);
    }
    assert!(matches!(Keymap::new(Some("keys = 3")), Err(KeymapError::Toml(_))));
}
