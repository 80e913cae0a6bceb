//! Readings as they come, and looking back at earlier ones.

use super::super::app::{App, MapNeed};
use super::super::live::Taken;
use super::super::msg::Effect;
use crate::replay::Replay;
use crate::view::live::ago;
use crate::view::text;

/// Takes a reading in; what is looked at changes only if the newest is followed.
pub(super) fn taken(app: &mut App, mut taken: Taken) {
    app.dirty = true;
    let replay = std::mem::replace(&mut taken.replay, Err(String::new()));
    let Some(live) = &mut app.live else { return };
    match replay {
        Ok(replay) => {
            live.push(&replay, &taken);
            if live.follows() && !app.shows_trace() {
                show(app, replay);
            }
        }
        Err(why) => live.fail(why),
    }
}

/// Puts the areas of a reading on the screen; what is selected stays so.
fn show(app: &mut App, replay: Replay) {
    app.replay = replay;
    app.memo.forget();
    app.search.again(&app.replay);
    app.map_need = MapNeed::default();
    app.preparing = true;
}

/// Looks at a reading so many later, or earlier.
pub(super) fn step(app: &mut App, by: isize) {
    let Some(live) = &app.live else { return };
    let target = live.shown().saturating_add_signed(by);
    look_at(app, target);
}

/// Looks at a reading, by its number from 0.
pub(super) fn look_at(app: &mut App, number: usize) {
    let Some(live) = &mut app.live else { return };
    if !live.look_at(number) {
        let end = if live.follows() { "this is the newest reading" } else { "this is the first reading that is kept" };
        return app.say(end);
    }
    match live.areas() {
        Some(replay) => show(app, replay),
        None => app.say("the areas of that reading are no longer kept: the sums are"),
    }
}

/// Stops reading, or goes on.
pub(super) fn pause(app: &mut App) -> Vec<Effect> {
    let Some(live) = &mut app.live else { return Vec::new() };
    live.paused = !live.paused;
    vec![Effect::Hold(live.paused)]
}

/// Counts growth from the reading that is looked at; once more at the same one: from the first.
pub(super) fn mark(app: &mut App) {
    let Some(live) = &mut app.live else { return };
    let shown = live.shown();
    live.base = if live.base == Some(shown) { None } else { Some(shown) };
    let said = match live.base {
        Some(base) => {
            let newest = live.time(live.len().saturating_sub(1)).unwrap_or_default();
            let before = newest.saturating_sub(live.time(base).unwrap_or_default());
            let reading = text::count(base as u64 + 1);
            if before.is_zero() {
                format!("growth is counted from reading {reading}, this one, on")
            } else {
                format!("growth is counted from reading {reading} on, {} ago", ago(before))
            }
        }
        None => "growth is counted from the first reading on".to_owned(),
    };
    app.say(said);
}
