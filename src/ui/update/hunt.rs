//! Running to where something becomes true: breaks, and what touches the selection. A run looks on between frames; the
//! cursor stays where it is until something is found, so Esc only has to forget the run.

use super::super::action::Action;
use super::super::app::App;
use super::super::breaks::{Breaks, Goal, Hunt, Reason, Refused, Turned};
use super::super::pane::Arrangement;
use super::{actions, time};
use crate::insight::Way;
use crate::view::script::noun;
use crate::view::{Selection, breaks, focus_address};

/// Sets a condition; on a mistake answers what to say.
pub(super) fn set(list: &mut Breaks, text: &str) -> Result<String, String> {
    match list.add(text) {
        Ok(one) => Ok(format!("break on {}", one.condition)),
        Err(Refused::Wrong(error)) => Err(error.to_string()),
        Err(Refused::TooMany) => Err("too many breaks: delete one first".to_owned()),
    }
}

/// `:break …`: sets a condition, and says how to run.
pub(super) fn set_and_say(app: &mut App, text: &str) {
    match set(&mut app.breaks, text) {
        Ok(said) => {
            let (run, back) = (app.key(Action::Run), app.key(Action::RunBack));
            app.say(format!("{said}: {run} runs there, {back} back"));
            changed(app);
        }
        Err(why) => app.say(why),
    }
}

/// The list has changed: what was found before does not go on.
pub(super) fn changed(app: &mut App) {
    app.found = None;
    if let Some(playing) = &mut app.playing {
        playing.run = None;
    }
}

/// Runs to where an enabled break becomes true.
pub(super) fn run(app: &mut App, way: Way) {
    if time::refuse_without_events(app) {
        return;
    }
    let enabled = app.breaks.enabled();
    if enabled.is_empty() {
        let why = if app.breaks.list.is_empty() {
            format!("no break is set: {} sets one", app.key(Action::Break))
        } else {
            format!("every break is off: {} lists them", app.key(Action::Breaks))
        };
        return app.say(why);
    }
    set_out(app, Goal::Breaks(enabled), way);
}

/// Goes to the next or previous record that touches the selection, or what the current record is about.
pub(super) fn touching(app: &mut App, way: Way) {
    if time::refuse_without_events(app) {
        return;
    }
    let Some(address) = focus_address(&app.scene()) else {
        let noun = noun(app.replay.log());
        return app.say(format!("nothing is selected: this {noun} names no address"));
    };
    set_out(app, Goal::Touching(address), way);
}

fn set_out(app: &mut App, goal: Goal, way: Way) {
    app.playing = None;
    let from = app.heading();
    // Whoever goes on from where the last run ended need not look for the way there again.
    let resumed = match app.found.take() {
        Some((hunt, at)) if hunt.goal == goal && hunt.way() == way && at == from => Some(hunt),
        _ => None,
    };
    app.hunting = Some(match resumed {
        Some(hunt) => hunt,
        None => new(app, goal, way, from),
    });
    go_on(app);
}

/// A run: where lanes are compared, a break holds in each of them.
pub(super) fn new(app: &App, goal: Goal, way: Way, from: usize) -> Hunt {
    let n_lanes = (app.arrangement == Arrangement::Compare).then(|| app.lanes.specs().len());
    goal.hunt(&app.replay, way, from, n_lanes)
}

/// The rest of a long input has come, or other lanes have: what is looked for is looked for in that.
pub(super) fn again(app: &mut App) {
    changed(app);
    if let Some(hunt) = app.hunting.take() {
        let way = hunt.way();
        app.hunting = Some(new(app, hunt.goal, way, app.heading()));
    }
}

/// One turn of a run.
pub(super) fn go_on(app: &mut App) {
    let Some(hunt) = &mut app.hunting else { return };
    app.dirty = true;
    match hunt.turn_to(&app.replay, &mut app.lanes, app.seek_budget, usize::MAX) {
        Turned::Going => {}
        Turned::Found(at, reason) => {
            if let Some(hunt) = app.hunting.take() {
                found(app, hunt, at, reason);
            }
        }
        Turned::Ended => {
            if let Some(hunt) = app.hunting.take() {
                nowhere(app, &hunt);
            }
        }
    }
}

fn found(app: &mut App, hunt: Hunt, at: usize, reason: Reason) {
    if let Goal::Touching(address) = hunt.goal {
        // The thing stays selected while the cursor moves on, so that the key can be pressed again.
        if app.selection == Selection::Follow {
            actions::select(app, Selection::Address(address));
        }
    }
    app.found = Some((hunt, at));
    time::jump(app, at);
    app.reason = reason;
    // A far place is reached later, and says why then.
    if app.seeking.is_none() {
        say_reason(app);
    }
}

/// Says why a run stopped here.
pub(super) fn say_reason(app: &mut App) {
    let Reason { conditions, lanes } = std::mem::take(&mut app.reason);
    let Some(first) = conditions.first() else { return };
    let more = if conditions.len() > 1 { format!(" (and {} more)", conditions.len() - 1) } else { String::new() };
    app.say(match &lanes[..] {
        [] => format!("{first}{more}: {}", breaks::why(&app.replay, first)),
        lanes if lanes.len() == app.lanes.specs().len() => format!("{first}{more}: in every lane"),
        lanes => format!("{first}{more}: in lane {}", lanes.join(", ")),
    });
}

fn nowhere(app: &mut App, hunt: &Hunt) {
    let noun = noun(app.replay.log());
    let is_forward = hunt.way() == Way::Forward;
    let said = match &hunt.goal {
        Goal::Touching(address) => {
            let side = if is_forward { "later" } else { "earlier" };
            format!("no {side} {noun} uses 0x{address:016x}")
        }
        goal @ Goal::Breaks(_) => {
            let side = if is_forward { "after" } else { "before" };
            let lanes = if hunt.is_in_lanes() { " in any lane" } else { "" };
            format!("at no {noun} {side} this one{lanes}: {}", goal.words())
        }
    };
    let so_far = match app.loading {
        Some(Ok(_)) if is_forward => " so far: the rest is still being read",
        _ => "",
    };
    app.say(format!("{said}{so_far}"));
}

/// Forgets the run; `false` if there is none.
pub(super) fn stop(app: &mut App) -> bool {
    let Some(hunt) = app.hunting.take() else { return false };
    let (done, all) = hunt.progress(&app.replay);
    let noun = noun(app.replay.log());
    let way = if hunt.way() == Way::Forward { "on" } else { "back" };
    let share = done.saturating_mul(100).checked_div(all).unwrap_or(0);
    app.say(format!("stopped after {share} % of the way {way}: still at {noun} {}", app.replay.cursor()));
    true
}
