//! [`update`]: the only function that changes an [`App`]. No clock, no files, no terminal: time arrives in
//! [`Msg::Tick`], wishes leave as [`Effect`]s.

mod actions;
mod arrive;
mod explain;
mod followed;
mod goto;
mod hunt;
mod inside;
mod lanes;
mod lists;
mod live;
mod mouse;
mod overlays;
mod time;
mod worth;

use std::time::Duration;

use crossterm::event::KeyEvent;
use ratatui::layout::Size;

pub(crate) use actions::act;

use super::action::Action;
use super::app::{App, Pending};
use super::keymap::{Key, Match};
use super::msg::{Effect, Ended, Msg};

/// How long a single digit waits for another key before it is an action of its own.
const DIGIT_WAITS: Duration = Duration::from_millis(700);
/// More records than any log has: an end for counts.
const MAX_COUNT: usize = u32::MAX as usize;

/// Takes a message in.
pub(crate) fn update(app: &mut App, msg: Msg) -> Vec<Effect> {
    let effects = take(app, msg);
    app.follow_time();
    app.fit_map();
    effects
}

fn take(app: &mut App, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Key(event) => {
            app.dirty = true;
            key(app, event)
        }
        Msg::Mouse(event) => mouse::mouse(app, event),
        Msg::Paste(text) => {
            app.dirty = true;
            overlays::paste(app, &text);
            Vec::new()
        }
        Msg::Resize { width, height } => {
            app.size = Size { width, height };
            app.dirty = true;
            Vec::new()
        }
        Msg::Tick(now) => tick(app, now),
        Msg::MarksSaved(saved) => {
            time::marks_saved(app, saved);
            Vec::new()
        }
        Msg::Exported(told) => {
            match told {
                Ok(name) => app.say(format!("written: {name}")),
                Err(why) => app.say(format!("not written: {why}")),
            }
            Vec::new()
        }
        Msg::Arrived(arrived) => arrive::arrived(app, *arrived),
        Msg::Taken(taken) => {
            live::taken(app, *taken);
            Vec::new()
        }
        Msg::Traced(told) => {
            followed::told(app, *told);
            Vec::new()
        }
        Msg::Loading(words) => {
            arrive::told(app, words);
            Vec::new()
        }
    }
}

fn tick(app: &mut App, now: Duration) -> Vec<Effect> {
    app.now = now;
    if app.message.as_ref().is_some_and(|message| message.until < now) {
        app.message = None;
        app.dirty = true;
    }
    if app.search.is_stale() {
        app.search.refresh(&app.replay);
        overlays::show_match(app);
        overlays::say_count_again(app);
        // The count in the prompt goes on; elsewhere it is not seen.
        app.dirty |= !app.search.is_stale() || !app.overlays.is_empty();
    }
    if app.seeking.is_some() {
        time::go_on(app);
        if let Some(playing) = &mut app.playing {
            // The clock of a playing trace stands still during a seek.
            playing.last = now;
        }
        app.dirty = true;
    } else if app.hunting.is_some() {
        hunt::go_on(app);
    } else if app.playing.is_some() {
        time::play(app, now);
    } else {
        time::catch_up(app);
        followed::catch_up(app);
    }
    if app.seeking.is_none() && super::lanes::wants_time(app) {
        app.lanes.go_on(&app.replay, app.seek_budget);
        app.dirty = true;
    }
    app.rest();
    match app.pending {
        Pending::Count { single: Some(key), since, .. } if since + DIGIT_WAITS < now => {
            app.pending = Pending::Nothing;
            app.dirty = true;
            match app.keymap.lookup(app.focus, &[key]) {
                Match::Action(action) => act(app, action, None),
                Match::Prefix | Match::Nothing => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

fn key(app: &mut App, event: KeyEvent) -> Vec<Effect> {
    let key = Key::from(event);
    // Whatever is open or waited for, this key leaves.
    if app.keymap.lookup(app.focus, &[key]) == Match::Action(Action::Interrupt) {
        return vec![Effect::Quit(Ended::Interrupted)];
    }
    app.message = None;
    if app.overlays.last().is_some() {
        return overlays::key(app, event);
    }
    match std::mem::take(&mut app.pending) {
        Pending::SetMark => return time::set_mark(app, key),
        Pending::GoMark => time::go_mark(app, key.letter()),
        Pending::Count { value, .. } if key.digit().is_some() => {
            let digit = key.digit().unwrap_or(0) as usize;
            let value = value.saturating_mul(10).saturating_add(digit).min(MAX_COUNT);
            app.pending = Pending::Count { value, since: app.now, single: None };
        }
        Pending::Count { .. } if app.keymap.lookup(app.focus, &[key]) == Match::Action(Action::Cancel) => {}
        Pending::Count { value, .. } => return pressed(app, None, key, Some(value)),
        Pending::First(first) => return pressed(app, Some(first), key, None),
        Pending::Nothing => match key.digit() {
            Some(digit) if 0 < digit => {
                let single = (app.keymap.lookup(app.focus, &[key]) != Match::Nothing).then_some(key);
                app.pending = Pending::Count { value: digit as usize, since: app.now, single };
            }
            _ => return pressed(app, None, key, None),
        },
    }
    Vec::new()
}

/// A key that is neither a digit nor an answer: an action, the first of two keys, or nothing.
fn pressed(app: &mut App, first: Option<Key>, key: Key, count: Option<usize>) -> Vec<Effect> {
    let both = first.map(|first| app.keymap.lookup(app.focus, &[first, key]));
    let found = match both {
        Some(Match::Action(action)) => Match::Action(action),
        // Not a pair after all: the second key speaks for itself, unless it only cancels the first.
        _ if first.is_some() && app.keymap.lookup(app.focus, &[key]) == Match::Action(Action::Cancel) => Match::Nothing,
        _ => app.keymap.lookup(app.focus, &[key]),
    };
    match found {
        Match::Action(action) => act(app, action, count),
        Match::Prefix => {
            app.pending = Pending::First(key);
            Vec::new()
        }
        Match::Nothing => Vec::new(),
    }
}
