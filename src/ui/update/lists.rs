//! Keys of the prompt for a break, of the lists of breaks and of marks, and of the menu of exports.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use super::super::app::App;
use super::super::export::CHOICES;
use super::super::keymap::Key;
use super::super::msg::Effect;
use super::super::overlay::{Overlay, condition};
use super::{hunt, overlays, time};

/// Opens the prompt for a break.
pub(super) fn open_break(app: &mut App) {
    if time::refuse_without_events(app) {
        return;
    }
    app.playing = None;
    app.overlays.push(Overlay::Break { input: Input::default(), recalled: None, error: None });
}

pub(super) fn break_key(app: &mut App, event: KeyEvent) -> Vec<Effect> {
    let Some(Overlay::Break { input, recalled, error }) = app.overlays.last_mut() else { return Vec::new() };
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    match event.code {
        KeyCode::Esc => drop(app.overlays.pop()),
        KeyCode::Backspace if input.value().is_empty() => drop(app.overlays.pop()),
        KeyCode::Enter if input.value().trim().is_empty() => drop(app.overlays.pop()),
        KeyCode::Enter => {
            let text = input.value().to_owned();
            match parsers::condition::parse(&text) {
                Ok(_) => {
                    app.overlays.pop();
                    hunt::set_and_say(app, &text);
                }
                Err(found) => *error = Some(found),
            }
        }
        KeyCode::Up => recall(app, true),
        KeyCode::Char('p') if control => recall(app, true),
        KeyCode::Down => recall(app, false),
        KeyCode::Char('n') if control => recall(app, false),
        KeyCode::Tab => {
            if let Some(text) = condition::completed(input.value()) {
                *input = Input::new(text);
                *error = None;
            }
        }
        _ => {
            if input.handle_event(&Event::Key(event)).is_some_and(|changed| changed.value) {
                *recalled = None;
                *error = None;
            }
        }
    }
    Vec::new()
}

/// Puts an earlier (or later) condition into the prompt.
fn recall(app: &mut App, earlier: bool) {
    let history = &app.breaks.history;
    let Some(Overlay::Break { input, recalled, error }) = app.overlays.last_mut() else { return };
    let at = match (*recalled, earlier) {
        (None, true) => history.len().checked_sub(1),
        (Some(at), true) => Some(at.saturating_sub(1)),
        (Some(at), false) if at + 1 < history.len() => Some(at + 1),
        (_, false) => None,
    };
    let text = at.and_then(|at| history.get(at)).cloned().unwrap_or_default();
    *recalled = at;
    *input = Input::new(text);
    *error = None;
}

/// Text pasted into the prompt.
pub(super) fn paste_break(app: &mut App, clean: &str) {
    if let Some(Overlay::Break { input, recalled, error }) = app.overlays.last_mut() {
        *input = Input::new(format!("{}{clean}", input.value()));
        *recalled = None;
        *error = None;
    }
}

/// Keys of a list with a picked row.
pub(super) fn list_key(app: &mut App, event: KeyEvent) -> Vec<Effect> {
    let (n, is_breaks) = match app.overlays.last() {
        Some(Overlay::Breaks { .. }) => (app.breaks.list.len(), true),
        _ => (app.marks.list().len(), false),
    };
    let Some(Overlay::Breaks { picked } | Overlay::Marks { picked }) = app.overlays.last_mut() else {
        return Vec::new();
    };
    *picked = (*picked).min(n.saturating_sub(1));
    let at = *picked;
    match Key::from(event).letter() {
        Some('j') => *picked = (at + 1).min(n.saturating_sub(1)),
        Some('k') => *picked = at.saturating_sub(1),
        Some('d' | 'x') if is_breaks && at < n => {
            app.breaks.list.remove(at);
            hunt::changed(app);
        }
        Some('d' | 'x') if at < n => {
            app.marks.remove(at);
            return time::save_marks(app);
        }
        Some(' ') if is_breaks => toggle(app, at),
        Some('b') if is_breaks => {
            app.overlays.pop();
            open_break(app);
        }
        Some('q') => drop(app.overlays.pop()),
        _ => match event.code {
            KeyCode::Esc | KeyCode::Backspace => drop(app.overlays.pop()),
            KeyCode::Down => *picked = (at + 1).min(n.saturating_sub(1)),
            KeyCode::Up => *picked = at.saturating_sub(1),
            KeyCode::Home => *picked = 0,
            KeyCode::End => *picked = n.saturating_sub(1),
            KeyCode::Delete if is_breaks && at < n => {
                app.breaks.list.remove(at);
                hunt::changed(app);
            }
            KeyCode::Enter if is_breaks => toggle(app, at),
            KeyCode::Enter => {
                if let Some(&(letter, _)) = app.marks.list().get(at) {
                    app.overlays.pop();
                    time::go_mark(app, Some(letter));
                }
            }
            _ => return overlays::reading(app, event),
        },
    }
    Vec::new()
}

/// Keys of the menu of what can be written.
pub(super) fn export_key(app: &mut App, event: KeyEvent) -> Vec<Effect> {
    let last = CHOICES.len() - 1;
    let Some(Overlay::Export { picked }) = app.overlays.last_mut() else { return Vec::new() };
    let at = (*picked).min(last);
    match (Key::from(event).letter(), event.code) {
        (Some('j'), _) | (_, KeyCode::Down) => *picked = (at + 1).min(last),
        (Some('k'), _) | (_, KeyCode::Up) => *picked = at.saturating_sub(1),
        (_, KeyCode::Home) => *picked = 0,
        (_, KeyCode::End) => *picked = last,
        (Some('q' | 'x'), _) | (_, KeyCode::Esc | KeyCode::Backspace) => drop(app.overlays.pop()),
        (_, KeyCode::Enter) => {
            // What is shown is what was shown before the menu.
            app.overlays.pop();
            return vec![Effect::Export(CHOICES[at])];
        }
        _ => return overlays::reading(app, event),
    }
    Vec::new()
}

fn toggle(app: &mut App, at: usize) {
    if let Some(one) = app.breaks.list.get_mut(at) {
        one.enabled = !one.enabled;
        hunt::changed(app);
    }
}
