//! Moving through the trace: steps, jumps, long seeks, playing, marks.

use std::time::Duration;

use super::super::action::Action;
use super::super::app::{App, Playing, Seeking};
use super::super::breaks::{Goal, Reason, Turned};
use super::super::content;
use super::super::keymap::Key;
use super::super::lesson;
use super::super::marks;
use super::super::msg::Effect;
use super::super::search::Wanted;
use super::super::speed::Unit;
use super::{actions, hunt, overlays};
use crate::insight::Way;
use crate::log::Clock;
use crate::replay::{Replay, Seek};
use crate::view::script::{noun, whole};
use crate::view::tree::TreePan;
use crate::view::{Selection, events, text};

/// Says why nothing can be stepped, if the input is a snapshot.
pub(super) fn refuse_without_events(app: &mut App) -> bool {
    if app.replay.is_empty() {
        app.say("this input is a snapshot: it has no events to step through");
    }
    app.replay.is_empty()
}

/// Moves by `by` events from where the cursor is heading.
pub(super) fn step(app: &mut App, by: isize) {
    if refuse_without_events(app) {
        return;
    }
    let from = app.heading();
    let target = from.saturating_add_signed(by).min(app.replay.len());
    app.playing = None;
    if target == from {
        let noun = noun(app.replay.log());
        app.say(if by < 0 { format!("before the first {noun}") } else { format!("this is the last {noun}") });
        return;
    }
    head_for(app, target);
}

/// Jumps to a place: the place before it can be returned to.
pub(super) fn jump(app: &mut App, target: usize) {
    if refuse_without_events(app) {
        return;
    }
    let from = app.spot();
    let n = app.replay.len();
    if n < target {
        let (whole, noun) = (whole(app.replay.log()), noun(app.replay.log()));
        app.say(format!("the {whole} ends at {noun} {}", text::count(n as u64)));
    }
    let target = target.min(n);
    app.playing = None;
    if target != from.cursor {
        app.jumps.leave(from);
        head_for(app, target);
    }
    app.panes.events_top = None;
}

/// Sets out for `target`. What is near is reached at once.
pub(super) fn head_for(app: &mut App, target: usize) {
    app.awaited = None;
    app.hunting = None;
    app.reason = Reason::default();
    app.seeking = Some(Seeking { target, at: app.replay.cursor() });
    go_on(app);
}

/// One turn of a seek.
pub(super) fn go_on(app: &mut App) {
    let Some(Seeking { target, .. }) = app.seeking else { return };
    match app.replay.seek_places(target, app.seek_budget) {
        Seek::Done => {
            app.seeking = None;
            arrived(app);
        }
        Seek::Going { at } => app.seeking = Some(Seeking { target, at }),
    }
}

/// What is behind the areas follows the cursor; when it is there, it gets ready for other places.
pub(super) fn catch_up(app: &mut App) {
    if !app.replay.is_settled() {
        app.dirty |= app.replay.settle(app.seek_budget) == Seek::Done;
    } else if app.preparing {
        app.preparing = app.replay.prepare(app.seek_budget) != Seek::Done;
    }
}

/// Stays where the cursor is.
pub(super) fn forget_target(app: &mut App) {
    if app.seeking.take().is_some() {
        app.say(format!("stopped: still at event {}", app.replay.cursor()));
    }
}

/// The cursor has come to another event by itself. What the user scrolled away stays away.
pub(super) fn show_arrived(app: &mut App) {
    let top = app.panes.events_top;
    arrived(app);
    app.panes.events_top = top;
}

/// What belongs to the event that was left is forgotten; what the user scrolled away comes back into sight.
fn arrived(app: &mut App) {
    app.sub_step = None;
    app.panes.step_scroll = 0;
    app.panes.events_top = None;
    app.pick = None;
    if app.selection == Selection::Follow {
        app.panes.tree_pan = TreePan::default();
        app.panes.detail_scroll = 0;
        app.panes.tables_scroll = 0;
    }
    lesson::arrive(app);
    hunt::say_reason(app);
    app.dirty = true;
}

pub(super) fn play_or_pause(app: &mut App) {
    if app.playing.take().is_some() || refuse_without_events(app) {
        return;
    }
    if app.heading() == app.replay.len() {
        head_for(app, 0);
    }
    app.playing = Some(Playing { last: app.now, owed: 0, run: None });
    app.say(format!("playing {}", app.speed.label()));
}

pub(super) fn exchange_unit(app: &mut App) {
    if app.replay.log().origin.clock != Clock::Nanos && app.speed.unit == Unit::Events {
        app.say("this input has no time in nanoseconds: it plays in events per second");
        return;
    }
    app.speed.exchange();
    if let Some(playing) = &mut app.playing {
        playing.owed = 0;
    }
    app.say(format!("speed: {}", app.speed.label()));
}

/// `:speed …`.
pub(super) fn set_speed(app: &mut App, text: &str) {
    let Some(speed) = app.speed.parse(text) else {
        return app.say(format!("{text:?} is no speed: try 1000/s, 2x or 10ms/s"));
    };
    if app.replay.log().origin.clock != Clock::Nanos && speed.unit == Unit::TraceTime {
        return app.say("this input has no time in nanoseconds: it plays in events per second");
    }
    app.speed = speed;
    if let Some(playing) = &mut app.playing {
        playing.owed = 0;
    }
    app.say(format!("speed: {}", app.speed.label()));
}

/// Advances a playing trace to what `now` is worth, or to the first break on the way.
pub(super) fn play(app: &mut App, now: Duration) {
    let Some(Playing { last, owed, run }) = app.playing.take() else { return };
    let mut owed = owed.saturating_add(app.speed.worth(now.saturating_sub(last)));
    let from = app.replay.cursor();
    let target = match app.speed.unit {
        Unit::Events => {
            let whole = (owed / 1_000) as usize;
            owed %= 1_000;
            from.saturating_add(whole).min(app.replay.len())
        }
        Unit::TraceTime => reached(&app.replay, from, &mut owed),
    };
    let enabled = app.breaks.enabled();
    let run = run
        .or_else(|| (!enabled.is_empty()).then(|| Box::new(hunt::new(app, Goal::Breaks(enabled), Way::Forward, from))));
    let mut playing = Playing { last: now, owed, run };
    let (target, reason) = match &mut playing.run {
        Some(hunt) => match hunt.turn_to(&app.replay, &mut app.lanes, app.seek_budget, target) {
            Turned::Found(at, reason) => (at, Some(reason)),
            // Looking for breaks takes longer than the speed allows: the trace plays as fast as it can.
            Turned::Going => (hunt.reached().clamp(from, target), None),
            Turned::Ended => (target, None),
        },
        None => (target, None),
    };
    if target != from {
        head_for(app, target);
    }
    match reason {
        Some(reason) => stop_at(app, reason),
        None if target == app.replay.len() => {
            app.say(format!("the end of the {}", whole(app.replay.log())));
            app.dirty = true;
        }
        None => app.playing = Some(playing),
    }
}

/// A break ends the playing.
fn stop_at(app: &mut App, reason: Reason) {
    app.reason = reason;
    if app.seeking.is_none() {
        hunt::say_reason(app);
    }
    app.dirty = true;
}

/// How far `owed` nanoseconds of the trace lead from `from`; what is left over stays owed.
fn reached(replay: &Replay, from: usize, owed: &mut u64) -> usize {
    let events = &replay.log().events;
    let Some(next) = events.get(from) else { return from };
    let mut at = from.checked_sub(1).map_or(next.at.0, |index| events.nth(index).at.0);
    let mut target = from;
    for event in events.range(from..) {
        // Stamps of different CPUs can stand in the wrong order by a little.
        let wait = event.at.0.saturating_sub(at);
        if *owed < wait {
            break;
        }
        *owed -= wait;
        at = at.max(event.at.0);
        target += 1;
    }
    target
}

/// Goes where a row of the events leads: to a record, or to an area of a snapshot.
pub(super) fn show_row(app: &mut App, index: usize) {
    match events::target(&app.replay, index) {
        Some(target) => actions::go_to(app, target),
        None => app.panes.events_top = Some(index),
    }
}

pub(super) fn next_match(app: &mut App, forward: bool) {
    if app.search.text().is_empty() {
        let key = app.key(Action::Search);
        app.say(format!("nothing searched for yet: {key} starts a search"));
        return;
    }
    let from = content::shown_row(app);
    overlays::look_for(app, Wanted { from, forward, preview: false });
}

pub(super) fn set_mark(app: &mut App, key: Key) -> Vec<Effect> {
    let Some(letter) = key.letter().filter(|&letter| marks::is_letter(letter)) else {
        app.say("no mark set: a mark is a letter, a digit or a sign of ASCII");
        return Vec::new();
    };
    let spot = app.spot();
    app.marks.set(letter, spot);
    let back = app.key(Action::GoMark);
    let kept = match &app.marks.unkept {
        Some(why) => format!("; kept for this session only: {why}"),
        None => String::new(),
    };
    app.say(format!("marked {letter}: {back}{letter} returns here{kept}"));
    save_marks(app)
}

/// Asks for the marks to be written down, where they are.
pub(super) fn save_marks(app: &App) -> Vec<Effect> {
    match app.marks.unkept {
        Some(_) => Vec::new(),
        None => vec![Effect::SaveMarks(app.marks.to_text(&app.replay))],
    }
}

/// Says where the marks have been written, or that they could not be.
pub(super) fn marks_saved(app: &mut App, saved: Result<String, String>) {
    app.dirty = true;
    let before = app.message.take().map_or(String::new(), |message| format!("{}; ", message.text));
    match saved {
        Ok(name) => app.say(format!("{before}wrote {name}")),
        Err(why) => {
            app.say(format!("{before}kept for this session only: {why}"));
            app.marks.unkept = Some(why);
        }
    }
}

pub(super) fn go_mark(app: &mut App, letter: Option<char>) {
    let Some(spot) = letter.and_then(|letter| app.marks.get(letter)) else {
        let known = app.marks.letters();
        let known = if known.is_empty() { "none set yet".to_owned() } else { format!("set: {known}") };
        return app.say(format!("no such mark ({known})"));
    };
    jump(app, spot.cursor);
    app.selection = spot.selection;
}
