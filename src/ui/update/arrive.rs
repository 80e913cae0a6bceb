//! More of a long input arrives: it takes the place of what is there, and everything stays where it was.

use super::super::app::{App, MapNeed, Seeking};
use super::super::loading::Arrived;
use super::super::msg::Effect;
use super::goto::{self, Goto};
use super::{hunt, time};
use crate::replay::Replay;
use crate::view::script::noun;
use crate::view::text;

/// Takes in what has arrived.
pub(super) fn arrived(app: &mut App, arrived: Arrived) -> Vec<Effect> {
    if let Some(previous) = &mut app.previous {
        // A lesson is open over the input.
        return self::arrived(previous, arrived);
    }
    app.dirty = true;
    let mut effects = Vec::new();
    match arrived {
        Arrived::Part(replay) => exchange(app, replay, app.replay.cursor()),
        Arrived::All(replay) => {
            app.loading = None;
            exchange(app, replay, app.replay.cursor());
            effects = marks(app);
            app.say_kept();
            let noun = noun(app.replay.log());
            let said = app.message.take().map_or(String::new(), |message| format!("; {}", message.text));
            app.say(format!("all {} {noun}s are there{said}", text::count(app.replay.len() as u64)));
        }
        Arrived::Failed(report) => {
            app.awaited = None;
            app.loading = Some(Err("only the beginning is there".to_owned()));
            app.say(format!("the rest cannot be shown: {report}"));
        }
    }
    if let Some(text) = app.awaited.take() {
        match goto::parse(&text) {
            Some(goto) if is_to_come(app, &goto) => app.awaited = Some(text),
            _ => goto::go(app, &text),
        }
    }
    effects
}

/// The marks that were written down, and those that were set while the rest was read: these are written down now.
fn marks(app: &mut App) -> Vec<Effect> {
    let Some(stored) = app.stored.take() else { return Vec::new() };
    let own = std::mem::take(&mut app.marks);
    app.message = None;
    app.open_marks(stored);
    for &(letter, spot) in own.list() {
        app.marks.set(letter, spot);
    }
    if own.list().is_empty() { Vec::new() } else { time::save_marks(app) }
}

/// Takes in how far the rest is.
pub(super) fn told(app: &mut App, words: String) {
    if let Some(previous) = &mut app.previous {
        return told(previous, words);
    }
    if let Some(Ok(known)) = &mut app.loading
        && *known != words
    {
        *known = words;
        app.dirty = true;
    }
}

/// Is that a place of the input that may not be read yet?
pub(super) fn is_to_come(app: &App, goto: &Goto) -> bool {
    if !matches!(app.loading, Some(Ok(_))) {
        return false;
    }
    let log = app.replay.log();
    let (n, here) = (app.replay.len(), app.heading());
    let last = log.events.last();
    let stamp = |index: usize| log.events.get(index).map_or(0, |event| event.at.0);
    match *goto {
        Goto::Event(target) => n < target,
        Goto::Events(by) => n < here.saturating_add_signed(by),
        Goto::End | Goto::Share(_) => true,
        Goto::Line(line) => last.is_none_or(|last| last.line < line),
        Goto::Moment(at) => last.is_none_or(|last| last.at.0 <= at),
        Goto::Nanos(by) => {
            let at = stamp(here.saturating_sub(1)).saturating_add_signed(by);
            last.is_none_or(|last| last.at.0 <= at)
        }
        Goto::Address(_) => false,
    }
}

/// Another replay of the same input, with at least the records of the one before; the cursor goes to `cursor`.
pub(super) fn exchange(app: &mut App, mut replay: Replay, cursor: usize) {
    let cursor = cursor.min(replay.len());
    replay.seek(cursor, usize::MAX);
    app.replay = replay;
    // A run has states of the replay that is gone.
    (app.hunting, app.found) = (None, None);
    app.preparing = true;
    app.lanes.begin_again();
    app.holders.forget();
    if let Some(Seeking { target, .. }) = app.seeking {
        app.seeking = Some(Seeking { target: target.min(app.replay.len()), at: cursor });
    }
    let steps = app.replay.outcome().steps.len();
    app.sub_step = app.sub_step.filter(|&at| at < steps);
    app.search.again(&app.replay);
    hunt::again(app);
    app.map_need = MapNeed::default();
}
