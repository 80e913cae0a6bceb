//! Keys of the comparison: the list of policies, the form, the first place where lanes parted.

use crossterm::event::{Event, KeyCode, KeyEvent};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use super::super::app::App;
use super::super::keymap::Key;
use super::super::lanes::parting;
use super::super::msg::Effect;
use super::super::overlay::Overlay;
use super::super::overlay::lanes::{Form, changed};
use super::{hunt, overlays, time};
use crate::compare::{CHANGES, LaneSpec};
use crate::policy::POLICIES;

/// Opens the list of policies.
pub(super) fn open_policies(app: &mut App) {
    if !time::refuse_without_events(app) {
        app.overlays.push(Overlay::Policies { picked: 0 });
    }
}

/// Opens the form.
pub(super) fn open_form(app: &mut App) {
    if !time::refuse_without_events(app) {
        let form = Form { picked: 0, lane: None, input: None, error: None };
        app.overlays.push(Overlay::WhatIf(form));
    }
}

/// Goes where the lanes parted first.
pub(super) fn go_to_parting(app: &mut App) {
    match parting(app) {
        Ok(target) => time::jump(app, target),
        Err(why) => app.say(why),
    }
}

/// Keys of the list of policies.
pub(super) fn policies_key(app: &mut App, event: KeyEvent) -> Vec<Effect> {
    let Some(Overlay::Policies { picked }) = app.overlays.last_mut() else { return Vec::new() };
    let last = POLICIES.len() - 1;
    *picked = (*picked).min(last);
    let at = *picked;
    match (event.code, Key::from(event).letter()) {
        (KeyCode::Down, _) | (_, Some('j')) => *picked = (at + 1).min(last),
        (KeyCode::Up, _) | (_, Some('k')) => *picked = at.saturating_sub(1),
        (KeyCode::Home, _) => *picked = 0,
        (KeyCode::End, _) => *picked = last,
        (KeyCode::Enter, _) | (_, Some(' ')) => {
            if let Err(why) = app.lanes.toggle(&app.replay, POLICIES[at].id) {
                app.say(why);
            }
            hunt::again(app);
        }
        (_, Some(digit @ '1'..='4')) => {
            let place = digit as usize - '1' as usize;
            if let Err(error) = app.lanes.set(&app.replay, place, LaneSpec::of(POLICIES[at].id)) {
                app.say(error.to_string());
            }
            hunt::again(app);
        }
        (KeyCode::Esc | KeyCode::Backspace, _) | (_, Some('q' | 'p')) => drop(app.overlays.pop()),
        _ => return overlays::reading(app, event),
    }
    Vec::new()
}

/// Keys of the form.
pub(super) fn form_key(app: &mut App, event: KeyEvent) -> Vec<Effect> {
    let Some(Overlay::WhatIf(form)) = app.overlays.last() else { return Vec::new() };
    let mut form = form.clone();
    if form.input.is_some() {
        typed(app, &mut form, event);
    } else {
        let n_lanes = app.lanes.specs().len();
        match (event.code, Key::from(event).letter()) {
            (KeyCode::Down, _) | (_, Some('j')) => form.picked = (form.picked + 1).min(CHANGES.len() - 1),
            (KeyCode::Up, _) | (_, Some('k')) => form.picked = form.picked.saturating_sub(1),
            (KeyCode::Tab, _) => {
                form.lane = match form.lane {
                    None => Some(0),
                    Some(lane) if lane + 1 < n_lanes => Some(lane + 1),
                    Some(_) => None,
                };
            }
            (KeyCode::Enter, _) => {
                let value = changed(app, &form, CHANGES[form.picked].word).unwrap_or_default();
                form.input = Some(Input::new(value));
                form.error = None;
            }
            (KeyCode::Delete, _) | (_, Some('d')) => apply(app, &mut form, ""),
            (KeyCode::Esc | KeyCode::Backspace, _) | (_, Some('q')) => {
                app.overlays.pop();
                return Vec::new();
            }
            _ => return overlays::reading(app, event),
        }
    }
    if let Some(Overlay::WhatIf(old)) = app.overlays.last_mut() {
        *old = form;
    }
    Vec::new()
}

/// A key while a value is typed.
fn typed(app: &mut App, form: &mut Form, event: KeyEvent) {
    let Some(input) = &mut form.input else { return };
    match event.code {
        KeyCode::Esc => (form.input, form.error) = (None, None),
        KeyCode::Enter => {
            let value = input.value().trim().to_owned();
            apply(app, form, &value);
        }
        _ => {
            if input.handle_event(&Event::Key(event)).is_some_and(|changed| changed.value) {
                form.error = None;
            }
        }
    }
}

/// Changes the lanes; what makes no sense stays in the form with the reason.
fn apply(app: &mut App, form: &mut Form, value: &str) {
    match app.lanes.change(&app.replay, form.lane, CHANGES[form.picked].word, value) {
        Ok(()) => {
            (form.input, form.error) = (None, None);
            hunt::again(app);
        }
        Err(why) => form.error = Some(why),
    }
}
