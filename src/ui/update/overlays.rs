//! Keys while something lies over the panes.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use super::super::action::{Action, spec};
use super::super::app::App;
use super::super::content;
use super::super::keymap::{Key, Match};
use super::super::msg::Effect;
use super::super::overlay::{Overlay, help, palette, problems};
use super::super::search::Wanted;
use super::{act, goto, hunt, lanes, lists, time};
use crate::lesson;
use crate::view::events::Query;
use crate::view::script::noun;
use crate::view::{Selection, Target, events};

/// Opens the palette with a text already typed.
pub(super) fn open_palette(app: &mut App, text: &str) {
    app.overlays.push(Overlay::Palette { input: Input::new(text.to_owned()), picked: 0 });
}

/// Opens the search prompt.
pub(super) fn open_search(app: &mut App) {
    if events::len(&app.replay) == 0 {
        app.say("there is nothing to search");
        return;
    }
    let from = app.spot();
    app.playing = None;
    app.overlays.push(Overlay::Search { input: Input::default(), from });
}

/// A key for the topmost overlay.
pub(super) fn key(app: &mut App, event: KeyEvent) -> Vec<Effect> {
    match app.overlays.last() {
        Some(Overlay::Help { .. } | Overlay::Problems { .. } | Overlay::Explain(_)) => reading(app, event),
        Some(Overlay::Palette { .. }) => palette_key(app, event),
        Some(Overlay::Search { .. }) => search_key(app, event),
        Some(Overlay::Break { .. }) => lists::break_key(app, event),
        Some(Overlay::Breaks { .. } | Overlay::Marks { .. }) => lists::list_key(app, event),
        Some(Overlay::Policies { .. }) => lanes::policies_key(app, event),
        Some(Overlay::WhatIf(_)) => lanes::form_key(app, event),
        Some(Overlay::Export { .. }) => lists::export_key(app, event),
        None => Vec::new(),
    }
}

/// Keys of an overlay that is read: the same that move inside a pane.
pub(super) fn reading(app: &mut App, event: KeyEvent) -> Vec<Effect> {
    let part = Key::from(event).digit().filter(|_| matches!(app.overlays.last(), Some(Overlay::Help { .. })));
    if let Some(digit) = part {
        let width = super::super::overlay::inner_size(app.size).width;
        if let Some(row) = help::part(app, width, digit) {
            scroll(app, |_, _| row);
        }
        return Vec::new();
    }
    let Match::Action(action) = app.keymap.lookup(app.focus, &[Key::from(event)]) else {
        // `g g` is two keys; one is enough where nothing else begins with it.
        if event.code == KeyCode::Char('g') {
            scroll(app, |_, _| 0);
        }
        return Vec::new();
    };
    match action {
        Action::Up => scroll(app, |at, _| at.saturating_sub(1)),
        Action::Down => scroll(app, |at, _| at + 1),
        Action::HalfUp => scroll(app, |at, page| at.saturating_sub(page / 2)),
        Action::HalfDown => scroll(app, |at, page| at + page / 2),
        Action::PageUp => scroll(app, usize::saturating_sub),
        Action::PageDown | Action::Play => scroll(app, |at, page| at + page),
        Action::Top => scroll(app, |_, _| 0),
        Action::Bottom => scroll(app, |_, _| usize::MAX / 2),
        Action::Activate => open_problem(app),
        Action::Cancel | Action::Quit => drop(app.overlays.pop()),
        Action::Help if matches!(app.overlays.last(), Some(Overlay::Help { .. })) => drop(app.overlays.pop()),
        Action::Explain | Action::WhyHere if matches!(app.overlays.last(), Some(Overlay::Explain(_))) => {
            drop(app.overlays.pop());
        }
        Action::Problems if matches!(app.overlays.last(), Some(Overlay::Problems { .. })) => drop(app.overlays.pop()),
        Action::Help | Action::Problems | Action::Theme | Action::Redraw | Action::Suspend | Action::Palette => {
            return act(app, action, None);
        }
        _ => {}
    }
    Vec::new()
}

/// Scrolls the topmost overlay; `to` gets the scroll and the rows of a page.
fn scroll(app: &mut App, to: impl Fn(usize, usize) -> usize) {
    let size = super::super::overlay::inner_size(app.size);
    let page = usize::from(size.height);
    let last = match app.overlays.last() {
        Some(Overlay::Help { .. }) => help::rows(app, size.width).len().saturating_sub(page),
        Some(Overlay::Explain(read)) => read.last(app, size),
        // The cursor of the list, not its top row.
        Some(Overlay::Problems { .. }) => app.replay.log().problems.len().saturating_sub(1),
        _ => 0,
    };
    if let Some(
        Overlay::Help { scroll }
        | Overlay::Problems { scroll }
        | Overlay::Explain(super::super::overlay::explain::Read { scroll, .. }),
    ) = app.overlays.last_mut()
    {
        *scroll = to(*scroll, page).min(last);
    }
}

/// The wheel over an overlay.
pub(super) fn wheel(app: &mut App, down: bool, rows: usize) {
    scroll(app, |at, _| if down { at + rows } else { at.saturating_sub(rows) });
    if let Some(
        Overlay::Palette { picked, .. }
        | Overlay::Breaks { picked }
        | Overlay::Marks { picked }
        | Overlay::Export { picked },
    ) = app.overlays.last_mut()
    {
        *picked = if down { *picked + 1 } else { picked.saturating_sub(1) };
    }
}

/// Enter on a damaged record: the first event at or behind its line.
fn open_problem(app: &mut App) {
    let Some(&Overlay::Problems { scroll }) = app.overlays.last() else { return };
    let Some(line) = app.replay.log().problems.get(scroll).map(problems::line) else { return };
    let found = app.replay.log().events.iter().position(|event| line <= event.line);
    match found.filter(|_| 0 < line) {
        Some(index) => {
            app.overlays.pop();
            time::jump(app, index + 1);
            app.say(format!("the first event at or behind line {line}"));
        }
        None => app.say("no event stands at or behind that line"),
    }
}

fn palette_key(app: &mut App, event: KeyEvent) -> Vec<Effect> {
    let entries = match app.overlays.last() {
        Some(Overlay::Palette { input, .. }) => palette::entries(app, input.value()),
        _ => Vec::new(),
    };
    let page = palette::list_rows(app.size, 1, entries.len());
    let Some(Overlay::Palette { input, picked }) = app.overlays.last_mut() else { return Vec::new() };
    let last = entries.len().saturating_sub(1);
    *picked = (*picked).min(last);
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    match event.code {
        KeyCode::Esc => drop(app.overlays.pop()),
        KeyCode::Backspace if input.value().is_empty() => drop(app.overlays.pop()),
        KeyCode::PageUp => *picked = picked.saturating_sub(page),
        KeyCode::PageDown => *picked = (*picked + page).min(last),
        KeyCode::Home => *picked = 0,
        KeyCode::End => *picked = last,
        KeyCode::Up => *picked = picked.saturating_sub(1),
        KeyCode::Char('p') if control => *picked = picked.saturating_sub(1),
        KeyCode::Down => *picked = (*picked + 1).min(last),
        KeyCode::Char('n') if control => *picked = (*picked + 1).min(last),
        KeyCode::Tab => {
            if let Some(entry) = entries.get(*picked) {
                let space = if entry.arguments.is_empty() { "" } else { " " };
                *input = Input::new(format!("{}{space}", entry.name));
                *picked = 0;
            }
        }
        KeyCode::Enter => {
            let line = input.value().trim().to_owned();
            let entry = entries.get(*picked).map(|entry| (entry.action, entry.arguments.is_empty(), entry.name));
            app.overlays.pop();
            return run(app, &line, entry);
        }
        _ => {
            if input.handle_event(&Event::Key(event)).is_some_and(|changed| changed.value) {
                *picked = 0;
            }
        }
    }
    Vec::new()
}

/// Runs what was typed: a command with its argument, else the picked entry.
fn run(app: &mut App, line: &str, entry: Option<(Action, bool, &'static str)>) -> Vec<Effect> {
    let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let argument = argument.trim();
    // A bare number or distance is a place to go to.
    if !line.is_empty() && super::super::action::named(name).is_none() && goto::parse(line).is_some() {
        goto::go(app, line);
        return Vec::new();
    }
    let Some((action, plain, known)) = entry else {
        if let Some(near) = lesson::nearest(argument).filter(|_| name == spec(Action::Lesson).name) {
            return nothing(app, format!("no lesson is called {argument:?}; nearest: {}", near.name));
        }
        return nothing(app, format!("no action is called {line:?}"));
    };
    if name == known && !argument.is_empty() && plain {
        return nothing(app, format!("{known} takes nothing behind it"));
    }
    match action {
        Action::Goto if argument.is_empty() || name != known => open_palette(app, "goto "),
        Action::Goto => goto::go(app, argument),
        Action::Line if argument.is_empty() || name != known => open_palette(app, "line "),
        Action::Line => goto::line(app, argument),
        Action::Break if argument.is_empty() || name != known => lists::open_break(app),
        Action::Break => hunt::set_and_say(app, argument),
        Action::Speed if argument.is_empty() || name != known => open_palette(app, "speed "),
        Action::Speed => time::set_speed(app, argument),
        Action::Theme => match argument {
            "dark" => app.theme.light = false,
            "light" => app.theme.light = true,
            "" => return act(app, action, None),
            other => app.say(format!("no theme is called {other:?}: dark or light")),
        },
        Action::HoldersFilter => {
            argument.clone_into(&mut app.holders.filter);
            app.holders.scroll = 0;
        }
        Action::Lesson => match lesson::named(known) {
            Some(lesson) => super::super::lesson::open(app, lesson),
            None => open_palette(app, "lesson "),
        },
        Action::Palette => {}
        _ => return act(app, action, None),
    }
    Vec::new()
}

/// Says why nothing is done.
fn nothing(app: &mut App, why: String) -> Vec<Effect> {
    app.say(why);
    Vec::new()
}

fn search_key(app: &mut App, event: KeyEvent) -> Vec<Effect> {
    let Some(Overlay::Search { input, from }) = app.overlays.last_mut() else { return Vec::new() };
    let from = *from;
    match event.code {
        KeyCode::Enter => {
            let text = input.value().to_owned();
            app.overlays.pop();
            app.search.set(&text, &app.replay);
            restore(app, from);
            if !text.is_empty() {
                look_for(app, Wanted { from: from.cursor.checked_sub(1), forward: true, preview: false });
            }
        }
        KeyCode::Esc => {
            app.overlays.pop();
            app.search.set("", &app.replay);
            restore(app, from);
        }
        _ => {
            if input.handle_event(&Event::Key(event)).is_some_and(|changed| changed.value) {
                let text = input.value().to_owned();
                typed(app, &text);
            }
        }
    }
    Vec::new()
}

/// Another text stands in the prompt.
fn typed(app: &mut App, text: &str) {
    let Some(&Overlay::Search { from, .. }) = app.overlays.last() else { return };
    app.search.set(text, &app.replay);
    if text.is_empty() {
        restore(app, from);
    } else {
        app.search.wanted = Some(Wanted { from: from.cursor.checked_sub(1), forward: true, preview: true });
    }
}

fn restore(app: &mut App, from: super::super::jumps::Spot) {
    if app.heading() != from.cursor {
        time::head_for(app, from.cursor);
    }
    app.selection = from.selection;
}

/// Goes to a match, at once if it is known already.
pub(super) fn look_for(app: &mut App, wanted: Wanted) {
    app.search.wanted = Some(wanted);
    app.search.refresh(&app.replay);
    show_match(app);
    if app.search.wanted.is_some() {
        app.say(format!("looking for {:?}", app.search.text()));
    }
}

/// Shows the match somebody waits for, once it is known.
pub(super) fn show_match(app: &mut App) {
    let Some((wanted, found)) = app.search.arrived() else { return };
    app.dirty = true;
    if !wanted.preview {
        return go_to_match(app, found);
    }
    // While the prompt is open: the first match from where the search began.
    let Some(&Overlay::Search { from, .. }) = app.overlays.last() else { return };
    match found {
        Some(index) if app.replay.is_empty() => {
            if let Some(Target::Address(address)) = events::target(&app.replay, index) {
                app.selection = Selection::Address(address);
            }
        }
        Some(index) if app.heading() != index + 1 => time::head_for(app, index + 1),
        Some(_) => {}
        None => restore(app, from),
    }
    if app.selection != Selection::Follow {
        app.panes.events_top = None;
    }
}

/// Once all matches are counted: what was said of the present one is said again with their number.
pub(super) fn say_count_again(app: &mut App) {
    let is_counted = !app.search.is_stale();
    let is_of_match = app.message.as_ref().is_some_and(|message| message.text.starts_with("match counting"));
    if is_counted && is_of_match {
        say_match(app, content::shown_row(app));
    }
}

fn say_match(app: &mut App, row: Option<usize>) {
    app.say(format!("match {} for {:?}", app.search.count(row), app.search.text()));
}

fn go_to_match(app: &mut App, found: Option<usize>) {
    let text = app.search.text().to_owned();
    match found {
        Some(index) => {
            time::show_row(app, index);
            say_match(app, Some(index));
        }
        None => {
            let doubt = Query::doubt(&text).map_or(String::new(), |doubt| format!(" ({doubt})"));
            app.say(format!("no {} matches {text:?}{doubt}", noun(app.replay.log())));
        }
    }
}

/// Pasted text goes into a prompt, without what is not text; elsewhere it is not keys.
pub(super) fn paste(app: &mut App, text: &str) {
    let clean: String = text.chars().filter(|letter| !letter.is_control()).take(256).collect();
    match app.overlays.last_mut() {
        Some(Overlay::Palette { input, picked }) => {
            *input = Input::new(format!("{}{clean}", input.value()));
            *picked = 0;
        }
        Some(Overlay::Search { input, .. }) => {
            *input = Input::new(format!("{}{clean}", input.value()));
            let text = input.value().to_owned();
            typed(app, &text);
        }
        Some(Overlay::Break { .. }) => lists::paste_break(app, &clean),
        _ => app.say("pasted text is taken by prompts only"),
    }
}
