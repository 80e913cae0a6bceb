//! `e` and `w`: explanations, opened over the panes.

use super::super::action::Action;
use super::super::app::App;
use super::super::overlay::Overlay;
use super::super::overlay::explain::{Read, Told};
use super::{inside, worth};
use crate::event::EventKind;
use crate::insight::explain::{Moment, explain, of_message, why_here_aside};
use crate::model::Request;
use crate::view::focus_address;

fn open(app: &mut App, told: Told) {
    app.playing = None;
    app.overlays.push(Overlay::Explain(Read::new(told)));
}

/// Why the request of the current event failed; where none failed, on to the next that did.
pub(super) fn failure(app: &mut App) {
    if app.replay.is_empty() {
        return app.say("a list of areas has no failure in it: vmaplens explain FILE --size N asks for a place");
    }
    let kind = app.replay.current().map(|(_, event)| event.kind);
    let told = match kind {
        Some(EventKind::Alloc { failed: true, .. }) => {
            Moment::of_current(&app.replay).and_then(|moment| moment.explained(&app.replay))
        }
        Some(EventKind::Report { size: 1.., .. }) => of_report(app),
        _ => None,
    };
    if let Some(told) = told {
        return open(app, Told::Failure(Box::new(told)));
    }
    let before = app.heading();
    worth::go(app, worth::What::Failure, true);
    if app.heading() != before {
        let key = app.key(Action::Explain);
        app.say(format!("no failure there: this is the next one, {key} explains it"));
    }
}

/// What a message of the kernel's log asks of the state it stands in.
fn of_report(app: &App) -> Option<crate::insight::explain::Explanation> {
    let moment = Moment::of_current(&app.replay)?;
    let ground = moment.ground(&app.replay);
    let asked = of_message(app.replay.log(), moment.seq, &ground, None, None)?;
    let request = Request { size: asked.size, align: asked.align, window: asked.window, cpu: 0, first_attempt: true };
    let searched = request.check(ground.page_size).is_ok().then(|| moment.search(&request));
    Some(explain(&ground, asked, searched.as_ref()))
}

/// Why the selected area, else the one of the current event, lies where it lies.
pub(super) fn why_here(app: &mut App) {
    let Some(addr) = inside::address_in_mind(app).or_else(|| focus_address(&app.scene())) else {
        return app.say("no area is selected: select one in the map, or go to an event that places one");
    };
    match why_here_aside(&mut app.replay, addr) {
        Some((told, _)) => open(app, Told::Here(Box::new(told))),
        None => app.say("nothing in use lies there: what is free has no reason to lie where it lies"),
    }
}
