//! The footer: what can be pressed now, what was said, what is being typed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthStr;

use super::action::{ACTIONS, Action, Place, Section, Spec, spec};
use super::app::{App, Pending};
use super::content;
use super::followed;
use super::layout::Regions;
use super::lesson;
use super::live;
use super::overlay::Overlay;
use super::paint;
use crate::event::EventKind;
use crate::policy::rules::FreeSpace;
use crate::view::events::Query;
use crate::view::{Role, Selection, Span};

/// What a search finds, as there is room for it.
const SEARCHED: [&str; 3] = [
    "any word of a row, an address, size > 1M, task NAME, caller xfs_*, kind free and cpu 1",
    "any word, an address, size > 1M, caller xfs_*",
    "any word of a row",
];

/// A key and its word in the footer.
#[derive(Debug, Clone)]
pub(crate) struct Hint {
    pub(crate) x: u16,
    pub(crate) width: u16,
    pub(crate) action: Action,
    key: String,
    word: &'static str,
}

/// The footer's hints: those of the focused pane first, then as many as fit; help and quit always.
pub(crate) fn hints(app: &App, width: u16) -> Vec<Hint> {
    const ALWAYS: [Action; 2] = [Action::Help, Action::Quit];
    let hint = |spec: &Spec| {
        let key = app.keymap.label(spec.action);
        let live = app.readings().and_then(|_| live::word(spec.action));
        let live = live.or_else(|| followed::word(app, spec.action));
        let word = live.or_else(|| lesson::word(app, spec.action)).unwrap_or(spec.hint);
        let columns = (key.width() + 1 + word.width()) as u16;
        let is_shown = !key.is_empty() && !word.is_empty();
        is_shown.then_some(Hint { x: 0, width: columns, action: spec.action, key, word })
    };
    // A snapshot has no time to move through.
    let useful = |spec: &&Spec| {
        !app.replay.is_empty()
            || !matches!(spec.section, Section::Time | Section::Inside)
            || app.readings().is_some() && live::word(spec.action).is_some()
    };
    let pinned = app.selection != Selection::Follow;
    // Elsewhere it only goes on to the next failure.
    let has_failed = app.replay.current().is_some_and(|(_, event)| {
        matches!(event.kind, EventKind::Alloc { failed: true, .. } | EventKind::Report { size: 1.., .. })
    });
    // To 2.6.27 there is a list and no tree; from 2.6.28 to 5.1 one tree holds everything.
    let has_trees = app.replay.plan().machine.policy.rules.free_space == FreeSpace::FreeTree;
    let shown = ACTIONS.iter().filter(|spec| !spec.hint.is_empty() && !ALWAYS.contains(&spec.action)).filter(useful);
    let (own, rest): (Vec<_>, Vec<_>) = shown
        .filter(|spec| matches!(spec.place, Place::Anywhere) || spec.place == Place::Pane(app.focus))
        .filter(|spec| pinned || !spec.needs_pin())
        .filter(|spec| has_trees || spec.action != Action::TreeNext)
        .filter(|spec| has_failed || spec.action != Action::Explain)
        .partition(|spec| spec.place != Place::Anywhere || spec.needs_pin() || spec.action == Action::Explain);
    let always: Vec<Hint> = ALWAYS.iter().filter_map(|&action| hint(super::action::spec(action))).collect();
    let reserved: u16 = always.iter().map(|hint| hint.width + 2).sum();
    let mut x = 1;
    let mut hints = Vec::new();
    for mut one in own.into_iter().chain(rest).filter_map(hint) {
        if width < x + one.width + 2 + reserved {
            continue;
        }
        one.x = x;
        x += one.width + 2;
        hints.push(one);
    }
    for mut one in always {
        one.x = x;
        x += one.width + 2;
        hints.push(one);
    }
    hints
}

pub(crate) fn footer(app: &App, buffer: &mut Buffer, regions: &Regions) {
    let area = regions.footer;
    let mut spans = vec![Span::new(" ", Role::Text)];
    if let Some(Overlay::Search { input, from }) = app.overlays.last() {
        let moved = app.spot() != *from;
        let shown = content::shown_row(app).filter(|_| moved);
        let right = match app.search.text() {
            text if Query::doubt(text).is_some() => &Query::doubt(text).unwrap_or_default(),
            "" => SEARCHED.iter().find(|words| words.width() + 12 <= usize::from(area.width)).copied().unwrap_or(""),
            _ => &app.search.count(shown),
        };
        prompt(app, buffer, area, "/", input, right);
        return;
    }
    match (&app.pending, &app.message) {
        (Pending::Count { value, .. }, _) => {
            let key = app.key(Action::Bottom);
            spans.push(Span::new(format!("{value}"), Role::Key));
            spans.push(Span::new(format!("   {key} goes to event {value}, another key repeats"), Role::Text));
        }
        (Pending::First(key), _) => {
            spans.push(Span::new(format!("{} and", key.label()), Role::Key));
            for (second, action) in app.keymap.after(*key) {
                spans.push(Span::new(format!("  {}", second.label()), Role::Key));
                spans.push(Span::new(format!(" {}", spec(action).name), Role::Muted));
            }
        }
        (Pending::SetMark, _) => spans.push(Span::new("mark this place: press a letter", Role::Key)),
        (Pending::GoMark, _) => {
            let known = app.marks.letters();
            let known = if known.is_empty() { "none set yet".to_owned() } else { known };
            spans.push(Span::new(format!("go to a mark: press its letter ({known})"), Role::Key));
        }
        (Pending::Nothing, Some(message)) => spans.push(Span::new(message.text.as_str(), Role::Title)),
        (Pending::Nothing, None) => {
            spans.clear();
            let mut x = 0;
            for hint in hints(app, area.width) {
                spans.push(Span::new(" ".repeat(usize::from(hint.x - x)), Role::Text));
                spans.push(Span::new(hint.key, Role::Key));
                spans.push(Span::new(format!(" {}", hint.word), Role::Muted));
                x = hint.x + hint.width;
            }
        }
    }
    paint::spans(buffer, area, &spans, app.theme, app.glyphs);
}

/// A line of input: what for, the text with its cursor, and a word at the right end.
pub(crate) fn prompt(app: &App, buffer: &mut Buffer, area: Rect, sign: &str, input: &tui_input::Input, right: &str) {
    let room = area.width.saturating_sub(3 + right.width() as u16 + 2);
    let skip = input.visual_scroll(usize::from(room).saturating_sub(1));
    let style = app.theme.style(Role::Text);
    buffer.set_stringn(area.x, area.y, format!(" {sign}"), 2, app.theme.style(Role::Key));
    let shown: String = input.value().chars().skip(skip).collect();
    buffer.set_stringn(area.x + 2, area.y, &shown, usize::from(room), style);
    let cursor = area.x + 2 + (input.visual_cursor().saturating_sub(skip) as u16).min(room.saturating_sub(1));
    if area.x <= cursor && cursor < area.right() {
        buffer[(cursor, area.y)].set_style(Style::new().add_modifier(Modifier::REVERSED));
    }
    let at = area.right().saturating_sub(right.width() as u16 + 1).max(area.x);
    buffer.set_stringn(at, area.y, right, usize::from(area.right() - at), app.theme.style(Role::Number));
}
