//! Lessons in the interface: what a stop directs, which keys go on, and how another lesson is opened.

use std::sync::Arc;

use unicode_width::UnicodeWidthStr;

use super::action::Action;
use super::app::App;
use super::marks::Marks;
use super::pane::{PaneId, Subject};
use crate::lesson::Lesson;
use crate::model::step::nth_outside_trees;
use crate::replay::{Replay, Settings};
use crate::view::lesson::{address, near, next_lesson, told};
use crate::view::tree::TreePan;
use crate::view::{Selection, lesson as view};

/// Panes that fill up what a stop does not name.
const USUAL: [PaneId; 4] = [PaneId::Step, PaneId::Tree, PaneId::Events, PaneId::Detail];

/// The three panes that matter most at the cursor; strips are on the screen anyway.
pub(crate) fn shown(app: &App) -> [PaneId; 3] {
    let named = told(app.replay.log(), app.heading()).into_iter().flat_map(|note| &note.show);
    let named = named.filter_map(|name| PaneId::named(name)).filter(|pane| !pane.is_strip());
    let mut panes = Vec::with_capacity(8);
    for pane in named.chain(USUAL) {
        if !panes.contains(&pane) {
            panes.push(pane);
        }
    }
    [panes[0], panes[1], panes[2]]
}

/// Does what the note at the cursor directs, if one stands there.
pub(crate) fn arrive(app: &mut App) {
    if app.subject() != Subject::Lesson {
        return;
    }
    let log = Arc::clone(app.replay.log());
    let Some(note) = told(&log, app.replay.cursor()) else { return };
    if app.panes.told != Some(note.op) {
        app.panes.told = Some(note.op);
        app.panes.lesson_scroll = 0;
    }
    if note.op != app.replay.cursor() || app.playing.is_some() {
        return;
    }
    if let Some(pane) = note.show.first().and_then(|name| PaneId::named(name)) {
        app.focus = pane;
        app.pick = None;
    }
    let steps = &app.replay.outcome().steps;
    app.sub_step = note.sub.and_then(|sub| nth_outside_trees(steps, sub - 1));
    // What an earlier stop has pinned goes again; what the user has pinned stays.
    let own = std::mem::take(&mut app.panes.pinned_by_stop) == Some(app.selection);
    let wanted = note.at.and_then(|at| address(&app.replay, at)).map(Selection::Address);
    if wanted.is_some() || own {
        app.panes.pinned_by_stop = wanted;
        app.selection = wanted.unwrap_or_default();
        app.panes.tree_pan = TreePan::default();
        app.panes.detail_scroll = 0;
        app.panes.tables_scroll = 0;
    }
}

/// Where `}` and `{` go; the error says why nowhere.
pub(crate) fn stop(app: &App, forward: bool) -> Result<usize, String> {
    let log = app.replay.log();
    match (near(log, app.heading(), forward), next_lesson(log)) {
        (Some(note), _) => Ok(note.op),
        (None, Some(next)) if forward => {
            Err(format!("this was the last stop: {} opens the next lesson, {}", app.key(Action::Activate), next.name))
        }
        (None, _) if forward => Err("this was the last stop".to_owned()),
        (None, _) => Err("this is the first stop".to_owned()),
    }
}

/// What Enter opens while nothing is picked: behind the last stop, the next lesson.
pub(crate) fn lesson_behind(app: &App) -> Option<&'static Lesson> {
    let log = app.replay.log();
    next_lesson(log).filter(|_| near(log, app.heading(), true).is_none())
}

/// Does Enter go on to the next stop rather than open what is picked?
pub(crate) fn takes_enter(app: &App) -> bool {
    app.subject() == Subject::Lesson && app.pick.is_none()
}

/// The word of an action in the footer, where a lesson gives it another meaning; empty: none.
pub(crate) fn word(app: &App, action: Action) -> Option<&'static str> {
    match action {
        _ if app.subject() != Subject::Lesson => None,
        Action::NextInteresting => Some("next stop"),
        // The lower border of the lesson names it.
        Action::Activate if takes_enter(app) => Some(""),
        _ => None,
    }
}

/// A key in the lower border of the lesson.
#[derive(Debug, Clone)]
pub(crate) struct Hint {
    /// From the left edge of the border.
    pub(crate) x: u16,
    pub(crate) width: u16,
    pub(crate) action: Action,
    pub(crate) key: String,
    pub(crate) word: String,
}

/// The keys that go on, as far as there is room for them.
pub(crate) fn hints(app: &App, width: u16) -> Vec<Hint> {
    let mut hints: Vec<Hint> = Vec::new();
    let mut x = 3;
    let mut add = |action, key: String, word: String| {
        let columns = (key.width() + 1 + word.width()) as u16;
        if x + columns + 2 < width {
            hints.push(Hint { x, width: columns, action, key, word });
            x += columns + 3;
        }
    };
    let enter = if takes_enter(app) { app.key(Action::Activate) } else { String::new() };
    if stop(app, true).is_ok() {
        let key = app.key(Action::NextInteresting);
        let both = if enter.is_empty() { key } else { format!("{key} {enter}") };
        add(Action::NextInteresting, both, "next stop".to_owned());
    } else if let Some(next) = lesson_behind(app).filter(|_| !enter.is_empty()) {
        add(Action::Activate, enter, format!("next lesson, {}", next.name));
    }
    if stop(app, false).is_ok() {
        add(Action::PreviousInteresting, app.key(Action::PreviousInteresting), "previous".to_owned());
    }
    hints
}

/// Opens a lesson. What was open before, unless it is a lesson too, comes back when the lesson is left.
pub(crate) fn open(app: &mut App, lesson: &Lesson) {
    let replay = match Replay::open(Arc::new(lesson.log()), &Settings::default()) {
        Ok(replay) => replay,
        Err(error) => return app.say(error.to_string()),
    };
    let mut fresh = App::new(replay, app.size, app.keymap.clone(), app.theme, app.glyphs);
    fresh.now = app.now;
    fresh.marks = Marks::unkept("a lesson is part of the program");
    let mut old = std::mem::replace(app, fresh);
    let is_lesson = old.replay.log().script.as_ref().is_some_and(|script| script.lesson.is_some());
    app.previous = if is_lesson { old.previous.take() } else { Some(Box::new(old)) };
    if app.previous.is_some() {
        let key = app.key(Action::Quit);
        app.say(format!("{key} returns to what was open"));
    }
}

/// Leaves a lesson that was opened over something else; `false` if there is nothing to return to.
pub(crate) fn leave(app: &mut App) -> bool {
    let Some(previous) = app.previous.take() else { return false };
    let lesson = std::mem::replace(app, *previous);
    (app.size, app.now, app.theme) = (lesson.size, lesson.now, lesson.theme);
    app.playing = None;
    app.dirty = true;
    true
}

/// Measures the longest text, if the width has changed since.
pub(crate) fn fit(app: &mut App) {
    let width = app.size.width.saturating_sub(2);
    if app.subject() == Subject::Lesson && app.lesson_need.is_none_or(|(known, _)| known != width) {
        app.lesson_need = Some((width, view::rows_needed(&app.scene(), width)));
    }
}
