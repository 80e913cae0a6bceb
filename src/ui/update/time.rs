//! Moving through the trace: steps, jumps, long seeks, playing, marks.

use std::time::Duration;

use super::super::action::Action;
use super::super::app::{App, Playing, Seeking};
use super::super::content;
use super::super::keymap::Key;
use super::super::lesson;
use super::super::speed::Unit;
use super::actions;
use crate::event::{EventKind, ScriptOp};
use crate::log::Clock;
use crate::model::{Extent, Place};
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
    app.dirty = true;
}

pub(super) fn play_or_pause(app: &mut App) {
    if app.playing.take().is_some() || refuse_without_events(app) {
        return;
    }
    if app.heading() == app.replay.len() {
        head_for(app, 0);
    }
    app.playing = Some(Playing { last: app.now, owed: 0 });
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

/// Advances a playing trace to what `now` is worth.
pub(super) fn play(app: &mut App, now: Duration) {
    let Some(Playing { last, owed }) = app.playing else { return };
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
    app.playing = Some(Playing { last: now, owed });
    if target != from {
        head_for(app, target);
    }
    if target == app.replay.len() {
        app.playing = None;
        app.say(format!("the end of the {}", whole(app.replay.log())));
        app.dirty = true;
    }
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

/// The extent people mean by the selection: the area or hole at an address, or what the current event is about.
fn extent_in_mind(app: &App) -> Option<Extent> {
    let at = |address| extent_at(&app.replay, address);
    match app.selection {
        Selection::Address(address) => at(address),
        Selection::Follow => match app.replay.current()?.1.kind {
            EventKind::Alloc { addr, size, failed: false, .. } => Extent::sized(addr.0, size),
            EventKind::Free { addr, .. } => at(addr.0),
            EventKind::Unasked { addr, end } | EventKind::FreeProbe { addr, end } => {
                Extent::new(addr.0, end.0).or_else(|| at(addr.0))
            }
            EventKind::Purge { start, end, .. } => Extent::new(start.0, end.0),
            _ => None,
        },
    }
}

/// What lies at an address; at least the byte itself.
fn extent_at(replay: &Replay, address: u64) -> Option<Extent> {
    let allocator = replay.space().allocator();
    match allocator.lookup(address) {
        Place::Busy { area, .. } | Place::Lazy { area, .. } | Place::Pooled { area, .. } => {
            let area = &allocator.areas()[area];
            Extent::new(area.start, area.end)
        }
        Place::Free { .. } | Place::Unknown => Extent::sized(address, 1),
    }
}

/// Does a record change anything inside `extent`? A purge does if something of it was lazy.
fn touches(kind: &EventKind, extent: Extent, lazy: bool) -> bool {
    let overlaps = |other: Option<Extent>| other.is_some_and(|other| other.overlaps(extent));
    match *kind {
        EventKind::Alloc { addr, size, failed: false, .. } => overlaps(Extent::sized(addr.0, size)),
        EventKind::Unasked { addr, end } => overlaps(Extent::new(addr.0, end.0)),
        EventKind::Free { addr, .. } | EventKind::FreeProbe { addr, .. } => extent.contains_addr(addr.0),
        EventKind::Purge { start, end, .. } => lazy && overlaps(Extent::new(start.0, end.0)),
        EventKind::PurgeReturn { purged } => lazy && purged != Some(false),
        // A drain takes everything that is lazy.
        EventKind::Script(ScriptOp::Work) => lazy,
        _ => false,
    }
}

pub(super) fn next_touching(app: &mut App) {
    if refuse_without_events(app) {
        return;
    }
    let Some(extent) = extent_in_mind(app) else {
        let noun = noun(app.replay.log());
        app.say(format!("nothing is selected: this {noun} names no address"));
        return;
    };
    let lazy = matches!(app.replay.space().allocator().lookup(extent.start()), Place::Lazy { .. });
    let from = app.replay.cursor();
    let events = &app.replay.log().events;
    match events.range(from..).position(|event| touches(&event.kind, extent, lazy)) {
        Some(ahead) => {
            // The thing stays selected while the cursor moves on, so that `f` can be pressed again.
            if app.selection == Selection::Follow {
                actions::select(app, Selection::Address(extent.start()));
            }
            jump(app, from + ahead + 1);
        }
        None => {
            let noun = noun(app.replay.log());
            app.say(format!("no later {noun} uses 0x{:016x}", extent.start()));
        }
    }
}

/// Goes where a row of the events leads: to a record, or to an area of a snapshot.
pub(super) fn show_row(app: &mut App, index: usize) {
    match events::target(&app.replay, index) {
        Some(target) => actions::go_to(app, target),
        None => app.panes.events_top = Some(index),
    }
}

pub(super) fn next_match(app: &mut App, forward: bool) {
    app.search.refresh(&app.replay);
    if app.search.text().is_empty() {
        let key = app.key(Action::Search);
        app.say(format!("nothing searched for yet: {key} starts a search"));
        return;
    }
    match app.search.near(&app.replay, content::shown_row(app), forward) {
        Some(index) => {
            show_row(app, index);
            app.say(format!("match {} for {:?}", app.search.count(Some(index)), app.search.text()));
        }
        None => {
            let noun = noun(app.replay.log());
            app.say(format!("no {noun} matches {:?}", app.search.text()));
        }
    }
}

pub(super) fn set_mark(app: &mut App, key: Key) {
    match key.letter() {
        Some(letter) => {
            app.marks.insert(letter, app.spot());
            let back = app.key(Action::GoMark);
            app.say(format!("marked as {letter}: {back}{letter} returns here"));
        }
        None => app.say("no mark set"),
    }
}

pub(super) fn go_mark(app: &mut App, key: Key) {
    let Some(spot) = key.letter().and_then(|letter| app.marks.get(&letter).copied()) else {
        let known: String = app.marks.keys().copied().collect();
        let known = if known.is_empty() { "none set yet".to_owned() } else { format!("set: {known}") };
        app.say(format!("no such mark ({known})"));
        return;
    };
    jump(app, spot.cursor);
    app.selection = spot.selection;
}
