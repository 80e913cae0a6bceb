//! The trace that grows: what is told of it, going between it and the readings, staying and following.

use super::super::action::Action;
use super::super::app::{App, MapNeed};
use super::super::followed::State;
use super::super::lanes::Lanes;
use super::super::msg::Effect;
use super::super::pane::Arrangement;
use super::super::time::TimeScale;
use super::super::tracing::{Look, Told};
use super::{actions, arrive, time};
use crate::replay::Replay;
use crate::view::text;
use crate::view::tree::TreePan;

/// Takes in what is told of the trace.
pub(super) fn told(app: &mut App, told: Told) {
    if let Some(previous) = &mut app.previous {
        // A lesson is open over it.
        return self::told(previous, told);
    }
    app.dirty = true;
    let Some(followed) = &mut app.followed else { return };
    match told {
        Told::Possible(Ok(())) if followed.state == State::Unknown => followed.state = State::Off,
        Told::Possible(Ok(())) => {}
        Told::Possible(Err(why)) => followed.state = State::Impossible(why),
        Told::Begun(Ok(())) => followed.state = State::Running,
        Told::Begun(Err(why)) => {
            // It may be possible another time.
            followed.state = State::Ended(why.clone());
            app.say(format!("nothing is traced: {why}"));
        }
        Told::Looked { look, cost, every } => {
            (followed.cost, followed.every) = (cost, every);
            looked(app, *look);
        }
    }
}

fn looked(app: &mut App, look: Look) {
    let Some(followed) = &mut app.followed else { return };
    let Look { replay, lost, trouble, ended } = look;
    (followed.lost, followed.trouble) = (lost, trouble);
    if let Some(replay) = replay {
        arrived(app, replay);
    }
    if let (Some(why), Some(followed)) = (ended, &mut app.followed) {
        followed.state = State::Ended(why.clone());
        app.say(format!("the trace has ended: {why}"));
    }
}

/// A newer look takes the place of the last one.
fn arrived(app: &mut App, replay: Replay) {
    let (follows, is_busy) = (app.follows(), app.is_busy_with_trace());
    let Some(followed) = &mut app.followed else { return };
    if !followed.is_shown {
        followed.aside = Some(Box::new(replay));
        match app.arrangement {
            Arrangement::Live if followed.comes_up => actions::arrange(app, Arrangement::Step),
            Arrangement::Live => {}
            // Who looks at one of the others has waited for this.
            others => actions::arrange(app, others),
        }
        return;
    }
    if is_busy {
        followed.waiting = Some(Box::new(replay));
        return;
    }
    take_over(app, replay, follows);
}

/// What had to wait, when nothing is in the way any more.
pub(super) fn catch_up(app: &mut App) {
    if app.is_busy_with_trace() {
        return;
    }
    let follows = app.follows();
    if let Some(replay) = app.followed.as_mut().and_then(|followed| followed.waiting.take()) {
        take_over(app, *replay, follows);
    }
}

fn take_over(app: &mut App, replay: Replay, follows: bool) {
    let n = replay.len();
    // The cursor of what comes is at its end; what is on the screen may be elsewhere.
    arrive::exchange(app, replay, if follows { n } else { app.replay.cursor() });
    app.memo.forget();
    if follows {
        time::show_arrived(app);
    }
}

/// Puts on the screen what an arrangement shows: the readings, or the trace if there is one.
pub(super) fn stage(app: &mut App, arrangement: Arrangement) {
    let wants_trace = arrangement != Arrangement::Live;
    let Some(followed) = &mut app.followed else { return };
    // Whoever chooses need not be led.
    followed.comes_up = false;
    if followed.is_shown == wants_trace {
        return;
    }
    let Some(mut other) = followed.aside.take() else { return };
    if let Some(newest) = followed.waiting.take() {
        app.replay = *newest;
    }
    std::mem::swap(&mut app.replay, &mut *other);
    followed.aside = Some(other);
    followed.is_shown = wants_trace;
    if wants_trace && !followed.is_held {
        let n = app.replay.len();
        app.replay.seek(n, usize::MAX);
    }
    if !wants_trace && let Some(reading) = app.live.as_ref().and_then(|live| live.areas()) {
        app.replay = reading;
    }
    anew(app);
}

/// Another subject is on the screen: nothing that was worked out for the last one holds.
fn anew(app: &mut App) {
    app.lanes = Lanes::of(&app.replay);
    app.time = TimeScale::default();
    (app.playing, app.seeking, app.hunting, app.found) = (None, None, None, None);
    (app.pick, app.sub_step, app.panes.events_top) = (None, None, None);
    app.panes.tree_pan = TreePan::default();
    app.memo.forget();
    app.holders.forget();
    app.search.again(&app.replay);
    app.map_need = MapNeed::default();
    app.preparing = true;
}

/// Begins the trace, or ends it.
pub(super) fn begin_or_end(app: &mut App) -> Vec<Effect> {
    let said = match app.followed.as_mut().map(|followed| (followed.is_on(), &mut followed.state)) {
        None => "only vmaplens live, on this machine's own areas, can trace".to_owned(),
        Some((_, State::Impossible(why))) => format!("nothing can be traced here: {why}"),
        Some((_, State::Unknown)) => "what can be traced here is still being found out".to_owned(),
        Some((true, _)) => {
            app.say("ending the trace");
            return vec![Effect::Trace(false)];
        }
        Some((false, state)) => {
            *state = State::Starting;
            let show = app.key(Action::ArrangeStep);
            app.say(format!("tracing: {show} shows it when something has come"));
            return vec![Effect::Trace(true)];
        }
    };
    app.say(said);
    Vec::new()
}

/// What an action does in a trace that grows; `None`: what it does in any other.
pub(super) fn in_trace(app: &mut App, action: Action) -> Option<Vec<Effect>> {
    let follows = app.follows();
    let end = app.key(Action::End);
    let n = app.replay.len();
    let at_end = app.heading() == n;
    let followed = app.followed.as_mut().filter(|followed| followed.is_shown && followed.is_on())?;
    match action {
        Action::Play if follows => {
            followed.is_held = true;
            app.say(format!("the cursor stays at event {}: {end} follows again", text::count(n as u64)));
        }
        Action::Play if followed.is_held && at_end => followed.is_held = false,
        Action::End => {
            followed.is_held = false;
            if at_end {
                app.say("following");
            } else {
                return None;
            }
        }
        _ => return None,
    }
    Some(Vec::new())
}
