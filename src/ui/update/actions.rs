//! [`act`]: what each action does. The work is in the neighbouring modules.

use super::super::action::Action;
use super::super::app::{App, Pending};
use super::super::jumps::Spot;
use super::super::msg::{Effect, Ended};
use super::super::overlay::Overlay;
use super::super::pane::{Arrangement, PaneId, Subject};
use super::super::{charts, lesson};
use super::{explain, followed, goto, hunt, inside, lanes, lists, live, overlays, time, worth};
use crate::event::EventKind;
use crate::insight::Way;
use crate::model::TreeId;
use crate::view::free::FreeOrder;
use crate::view::map::MapZoom;
use crate::view::tree::TreePan;
use crate::view::{Selection, Target};

/// Levels of the map at once: each halves what a cell stands for, and from the whole range to a page it is far.
const MAP_STEP: i32 = 2;
/// As far in as the map goes: one cell for each page is reached long before.
const MAX_MAP_LEVEL: u32 = 40;

/// Carries out an action; `count` is the number typed before it.
pub(crate) fn act(app: &mut App, action: Action, count: Option<usize>) -> Vec<Effect> {
    let signed = count.unwrap_or(1).cast_signed();
    let live = app.readings().is_some().then(|| in_live(app, action, signed)).flatten();
    let own = live.or_else(|| followed::in_trace(app, action));
    own.unwrap_or_else(|| carry_out(app, action, count))
}

fn carry_out(app: &mut App, action: Action, count: Option<usize>) -> Vec<Effect> {
    let many = count.unwrap_or(1);
    let signed = many.cast_signed();
    match action {
        Action::Forward => time::step(app, signed),
        Action::Back => time::step(app, -signed),
        Action::ForwardTen => time::step(app, 10 * signed),
        Action::BackTen => time::step(app, -10 * signed),
        Action::Play => time::play_or_pause(app),
        Action::Faster => change_speed(app, signed),
        Action::Slower => change_speed(app, -signed),
        Action::SpeedUnit => time::exchange_unit(app),
        Action::NextInteresting => next_interesting(app, true),
        Action::PreviousInteresting => next_interesting(app, false),
        Action::NextFailure => worth::go(app, worth::What::Failure, true),
        Action::PreviousFailure => worth::go(app, worth::What::Failure, false),
        Action::NextDivergence => worth::go(app, worth::What::Divergence, true),
        Action::PreviousDivergence => worth::go(app, worth::What::Divergence, false),
        Action::NextPurge => worth::go(app, worth::What::Purge, true),
        Action::PreviousPurge => worth::go(app, worth::What::Purge, false),
        Action::NextTouching => hunt::touching(app, Way::Forward),
        Action::PreviousTouching => hunt::touching(app, Way::Back),
        Action::Break => lists::open_break(app),
        Action::Breaks => app.overlays.push(Overlay::Breaks { picked: 0 }),
        Action::Run => hunt::run(app, Way::Forward),
        Action::RunBack => hunt::run(app, Way::Back),
        Action::Speed => overlays::open_palette(app, "speed "),
        Action::Start => time::jump(app, 0),
        Action::End => goto::go(app, "end"),
        Action::Goto => overlays::open_palette(app, "goto "),
        Action::Line => overlays::open_palette(app, "line "),
        Action::SubForward => inside::sub_step(app, true),
        Action::SubBack => inside::sub_step(app, false),
        Action::Explain => explain::failure(app),
        Action::WhyHere => explain::why_here(app),
        Action::Search => overlays::open_search(app),
        Action::SearchNext => time::next_match(app, true),
        Action::SearchPrevious => time::next_match(app, false),
        Action::SetMark => app.pending = Pending::SetMark,
        Action::GoMark => app.pending = Pending::GoMark,
        Action::Export => app.overlays.push(Overlay::Export { picked: 0 }),
        Action::Marks => app.overlays.push(Overlay::Marks { picked: 0 }),
        Action::JumpBack => travel(app, true),
        Action::JumpForward => travel(app, false),
        Action::Up => inside::walk(app, inside::Way::Up, many),
        Action::Down => inside::walk(app, inside::Way::Down, many),
        Action::Left => inside::walk(app, inside::Way::Left, many),
        Action::Right => inside::walk(app, inside::Way::Right, many),
        Action::Top => inside::end(app, false),
        Action::Bottom => match count {
            Some(target) => time::jump(app, target),
            None => inside::end(app, true),
        },
        Action::HalfUp => inside::page(app, -1, 2),
        Action::HalfDown => inside::page(app, 1, 2),
        Action::PageUp => inside::page(app, -1, 1),
        Action::PageDown => inside::page(app, 1, 1),
        Action::Activate => activate(app),
        Action::Follow => follow(app),
        Action::MapIn => map_zoom(app, MAP_STEP),
        Action::MapOut => map_zoom(app, -MAP_STEP),
        Action::MapWhole => app.panes.map_zoom = MapZoom::default(),
        Action::TimeIn => app.zoom_time(app.replay.cursor(), true),
        Action::TimeOut => app.zoom_time(app.replay.cursor(), false),
        Action::TimeWhole => app.whole_time(),
        Action::FreeOrder => exchange_order(app),
        Action::TreeNext => next_tree(app),
        Action::NextPane => focus(app, app.focus.next(1, app.focusable())),
        Action::PreviousPane => focus(app, app.focus.next(-1, app.focusable())),
        Action::Zoom => app.zoom = !app.zoom,
        Action::ArrangeStep => arrange(app, Arrangement::Step),
        Action::ArrangeCompare => arrange(app, Arrangement::Compare),
        Action::ArrangeHolders => arrange(app, Arrangement::Holders),
        Action::ArrangeCharts => arrange(app, Arrangement::Charts),
        Action::ArrangeLive => arrange(app, Arrangement::Live),
        Action::Trace => return followed::begin_or_end(app),
        Action::HoldersBy | Action::HoldersOrder | Action::HoldersOrderBack | Action::HoldersFilter => {
            of_holders(app, action);
        }
        Action::Policies => lanes::open_policies(app),
        Action::WhatIf => lanes::open_form(app),
        Action::Parting => lanes::go_to_parting(app),
        Action::NextMetric => app.lanes.next_metric(1),
        Action::PreviousMetric => app.lanes.next_metric(-1),
        Action::ChartToggle => charts::toggle(app),
        Action::ChartAlone => app.charts.alone = !app.charts.alone,
        Action::Palette => overlays::open_palette(app, ""),
        Action::Lesson => overlays::open_palette(app, "lesson "),
        Action::Help => app.overlays.push(Overlay::Help { scroll: 0 }),
        Action::Problems => app.overlays.push(Overlay::Problems { scroll: 0 }),
        Action::Theme => app.theme.light = !app.theme.light,
        Action::Cancel => cancel(app),
        Action::Copy => return copy(app),
        Action::Redraw => return vec![Effect::Redraw],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Quit if lesson::leave(app) => {}
        Action::Quit => return vec![Effect::Quit(Ended::Quit)],
        Action::Interrupt => return vec![Effect::Quit(Ended::Interrupted)],
    }
    Vec::new()
}

/// What is asked of the holders.
fn of_holders(app: &mut App, action: Action) {
    match action {
        Action::HoldersBy => app.holders.next_by(!app.replay.is_empty()),
        Action::HoldersOrder => app.holders.next_order(1),
        Action::HoldersOrderBack => app.holders.next_order(-1),
        _ => overlays::open_palette(app, "filter "),
    }
}

/// What an action does where the input is read again and again: time is its readings. `None`: what it does elsewhere.
fn in_live(app: &mut App, action: Action, signed: isize) -> Option<Vec<Effect>> {
    match action {
        Action::Forward => live::step(app, signed),
        Action::Back => live::step(app, -signed),
        Action::ForwardTen => live::step(app, 10 * signed),
        Action::BackTen => live::step(app, -10 * signed),
        Action::Start => live::look_at(app, 0),
        Action::End => live::look_at(app, usize::MAX),
        Action::SetMark => live::mark(app),
        Action::Play => return Some(live::pause(app)),
        _ => return None,
    }
    Some(Vec::new())
}

/// Of a lesson from stop to stop, elsewhere from one event worth seeing to the next.
fn next_interesting(app: &mut App, forward: bool) {
    if app.subject() != Subject::Lesson {
        return worth::go(app, worth::What::Anything, forward);
    }
    match lesson::stop(app, forward) {
        Ok(target) => time::jump(app, target),
        Err(why) => app.say(why),
    }
}

/// Enter: what is picked; where nothing is, a lesson goes on.
fn activate(app: &mut App) {
    if !lesson::takes_enter(app) {
        return inside::activate(app);
    }
    match lesson::lesson_behind(app) {
        Some(next) => lesson::open(app, next),
        None => next_interesting(app, true),
    }
}

/// Goes where a target leads, as Enter and a click do.
pub(super) fn go_to(app: &mut App, target: Target) {
    match target {
        Target::Event(seq) => time::jump(app, seq.index() + 1),
        Target::Address(address) => select(app, Selection::Address(address)),
        Target::Step(at) => inside::show_sub_step(app, Some(at)),
    }
}

/// Selects, and notes the place before.
pub(super) fn select(app: &mut App, selection: Selection) {
    if app.selection != selection {
        let from = app.spot();
        app.jumps.leave(from);
        app.selection = selection;
        app.panes.tree_pan = TreePan::default();
        app.panes.detail_scroll = 0;
        app.panes.tables_scroll = 0;
    }
}

/// Moves the focus; the cursor of the pane left behind is forgotten.
pub(super) fn focus(app: &mut App, pane: PaneId) {
    if app.focus != pane {
        app.focus = pane;
        app.pick = None;
    }
}

/// Arranges the panes another way; the focus stays where it can.
pub(super) fn arrange(app: &mut App, arrangement: Arrangement) {
    followed::stage(app, arrangement);
    if matches!(arrangement, Arrangement::Compare | Arrangement::Charts) && app.replay.is_empty() {
        return app.say("this input is a snapshot: nothing changes in it");
    }
    if arrangement == Arrangement::Live && app.live.is_none() {
        return app.say("this input is read once: vmaplens live reads this machine again and again");
    }
    app.zoom = false;
    let was = std::mem::replace(&mut app.arrangement, arrangement);
    if (was == Arrangement::Compare) != (arrangement == Arrangement::Compare) {
        // Breaks hold in every lane there, and in the trace elsewhere.
        hunt::again(app);
    }
    match arrangement {
        Arrangement::Compare => focus(app, PaneId::Compare),
        Arrangement::Charts => focus(app, PaneId::Charts),
        Arrangement::Holders | Arrangement::Live => focus(app, PaneId::Holders),
        Arrangement::Step if !app.focusable().contains(&app.focus) => focus(app, PaneId::Events),
        Arrangement::Step => {}
    }
}

fn follow(app: &mut App) {
    app.pick = None;
    app.panes.events_top = None;
    app.panes.tree_pan = TreePan::default();
    select(app, Selection::Follow);
}

/// One thing at a time, the most recent first; never quits.
fn cancel(app: &mut App) {
    if app.awaited.take().is_some() {
        app.say("the cursor stays where it is");
    } else if app.seeking.is_some() {
        time::forget_target(app);
    } else if hunt::stop(app) {
    } else if app.playing.is_some() {
        app.playing = None;
    } else if app.sub_step.is_some() {
        inside::show_sub_step(app, None);
    } else if app.pick.is_some() || app.panes.events_top.is_some() {
        app.pick = None;
        app.panes.events_top = None;
    } else if !app.search.text().is_empty() {
        app.search.set("", &app.replay);
    } else {
        follow(app);
    }
}

fn travel(app: &mut App, back: bool) {
    let from = app.spot();
    let to = if back { app.jumps.back(from) } else { app.jumps.forward(from) };
    match to {
        Some(Spot { cursor, selection }) => {
            app.selection = selection;
            time::head_for(app, cursor);
        }
        None if back => app.say("no earlier place"),
        None => app.say("no later place"),
    }
}

fn change_speed(app: &mut App, by: isize) {
    app.speed.change(by);
    app.say(format!("speed: {}", app.speed.label()));
}

fn map_zoom(app: &mut App, by: i32) {
    let level = app.panes.map_zoom.level.saturating_add_signed(by).min(MAX_MAP_LEVEL);
    let centre = match (level, inside::address_in_mind(app)) {
        (0, _) => None,
        (_, Some(address)) => Some(address),
        (_, None) => app.panes.map_zoom.centre,
    };
    app.panes.map_zoom = MapZoom { level, centre };
}

fn exchange_order(app: &mut App) {
    app.panes.free_order = match app.panes.free_order {
        FreeOrder::Address => FreeOrder::Size,
        FreeOrder::Size => FreeOrder::Address,
    };
    app.panes.free_scroll = 0;
}

/// Free, then the busy and the lazy tree of each node, where the era has them.
fn next_tree(app: &mut App) {
    let allocator = app.replay.space().allocator();
    let nodes = allocator.n_nodes();
    let mut trees = vec![TreeId::Free];
    trees.extend((0..nodes).flat_map(|node| [TreeId::Busy(node), TreeId::Lazy(node)]));
    trees.retain(|&id| allocator.tree(id).is_some());
    let at = trees.iter().position(|&id| id == app.panes.tree).map_or(0, |at| at + 1);
    app.panes.tree = trees.get(at).copied().unwrap_or(TreeId::Free);
    app.panes.tree_pan = TreePan::default();
    app.pick = None;
}

fn copy(app: &mut App) -> Vec<Effect> {
    let address = inside::address_in_mind(app).or_else(|| {
        let (_, event) = app.replay.current()?;
        match event.kind {
            EventKind::Alloc { addr, .. }
            | EventKind::Unasked { addr, .. }
            | EventKind::Free { addr, .. }
            | EventKind::FreeProbe { addr, .. } => Some(addr.0),
            EventKind::Purge { start, .. } => Some(start.0),
            _ => None,
        }
    });
    let Some(address) = address else {
        app.say("nothing to copy: no address is selected");
        return Vec::new();
    };
    let text = format!("0x{address:016x}");
    app.say(format!("copied {text}"));
    vec![Effect::Copy(text)]
}
