//! Moving inside a pane. The cursor of a pane is a target among the rows it shows; what it cannot reach is scrolled
//! to.

use super::super::action::Action;
use super::super::app::{App, Pick};
use super::super::charts;
use super::super::content;
use super::super::paint::{self, Hit};
use super::super::pane::PaneId;
use super::{actions, time};
use crate::view::{self, Row, Selection, Target};

/// A direction inside a pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
    Left,
    Right,
}

/// Columns and levels the tree is panned at once.
const PAN: (i32, i32) = (8, 1);

/// No pane but the events has more rows than this; also the end of a count.
const MAX_ROWS: usize = 1 << 20;

/// The address a person means: under the pane's cursor, else the selected one.
pub(super) fn address_in_mind(app: &App) -> Option<u64> {
    match (app.pick.map(|pick| pick.target), app.selection) {
        (Some(Target::Address(address)), _) | (_, Selection::Address(address)) => Some(address),
        _ => None,
    }
}

/// Moves the pane's cursor, or pans.
pub(super) fn walk(app: &mut App, way: Way, count: usize) {
    for _ in 0..count.min(MAX_ROWS) {
        let moved = match (app.focus, way) {
            (PaneId::Step, Way::Up) => walk_sub_step(app, false),
            (PaneId::Step, Way::Down) => walk_sub_step(app, true),
            (PaneId::Charts, Way::Up | Way::Down) => charts::pick(app, way == Way::Down),
            (PaneId::Timeline | PaneId::Charts, _) => column(app, matches!(way, Way::Right | Way::Down)),
            (pane, Way::Up | Way::Down) => vertically(app, pane, way == Way::Down),
            (pane, Way::Left | Way::Right) => sideways(app, pane, way == Way::Right),
        };
        if !moved {
            break;
        }
    }
}

fn shown(app: &App, pane: PaneId) -> (Vec<Row>, Vec<Hit>, Option<Hit>) {
    let size = content::size_of(app, pane);
    let rows = content::rows(app, pane, size);
    let hits = paint::hits(&rows, size.width);
    let picked = content::picked(app.pick, pane, &rows, size.width);
    (rows, hits, picked)
}

fn pick(app: &mut App, pane: PaneId, hit: Hit, x: u16) {
    app.pick = Some(Pick { pane, target: hit.target, x, y: hit.y });
}

/// Where the cursor starts: on the pane's own cursor row, else the first thing in sight.
fn start(rows: &[Row], hits: &[Hit]) -> Option<Hit> {
    let focused = rows.iter().zip(0u16..).find(|(row, _)| row.focused).map(|(_, y)| y);
    let on_focused = hits.iter().filter(|hit| Some(hit.y) == focused).max_by_key(|hit| hit.whole_row);
    on_focused.or_else(|| hits.iter().max_by_key(|hit| (std::cmp::Reverse(hit.y), hit.whole_row))).copied()
}

fn vertically(app: &mut App, pane: PaneId, down: bool) -> bool {
    let (rows, hits, picked) = shown(app, pane);
    let Some(from) = picked.or_else(|| start(&rows, &hits)) else { return scroll_by(app, pane, down, 1) };
    if picked.is_none() && pane != PaneId::Events {
        pick(app, pane, from, from.x);
        return true;
    }
    let x = app.pick.map_or(from.x, |pick| pick.x);
    let ahead = hits.iter().filter(|hit| if down { from.y < hit.y } else { hit.y < from.y });
    let next = ahead.min_by_key(|hit| (hit.y.abs_diff(from.y), !hit.whole_row, hit.distance(x))).copied();
    match next {
        Some(hit) => {
            pick(app, pane, hit, x);
            true
        }
        None if scroll_by(app, pane, down, 1) => {
            // The row that came into sight is the outermost one.
            let (_, hits, _) = shown(app, pane);
            let edge = if down { hits.iter().max_by_key(|hit| (hit.y, hit.whole_row)) } else { hits.first() };
            if let Some(&hit) = edge {
                pick(app, pane, hit, x);
            }
            true
        }
        None => false,
    }
}

fn sideways(app: &mut App, pane: PaneId, right: bool) -> bool {
    let (rows, hits, picked) = shown(app, pane);
    let Some(from) = picked.or_else(|| start(&rows, &hits)) else {
        return pan(app, pane, if right { PAN.0 } else { -PAN.0 }, 0);
    };
    let ahead = hits.iter().filter(|hit| !hit.whole_row && hit.y == from.y && hit.target != from.target);
    let next = if right {
        ahead.filter(|hit| from.whole_row || from.x < hit.x).min_by_key(|hit| hit.x)
    } else {
        ahead.filter(|hit| !from.whole_row && hit.x < from.x).max_by_key(|hit| hit.x)
    };
    match next.copied() {
        Some(hit) => {
            pick(app, pane, hit, hit.x);
            true
        }
        None => pan(app, pane, if right { PAN.0 } else { -PAN.0 }, 0),
    }
}

/// Moves what a pane shows where rows do not scroll.
fn pan(app: &mut App, pane: PaneId, dx: i32, dy: i32) -> bool {
    match pane {
        PaneId::Tree => {
            let pan = &mut app.panes.tree_pan;
            pan.dx = pan.dx.saturating_add(dx);
            pan.dy = pan.dy.saturating_add(dy);
            true
        }
        PaneId::Map => match app.pick.map(|pick| pick.target) {
            Some(Target::Address(address)) if 0 < app.panes.map_zoom.level => {
                let before = app.panes.map_zoom.centre.replace(address);
                before != Some(address)
            }
            _ => false,
        },
        _ => false,
    }
}

/// Scrolls by up to `n` rows; `false` at the end.
pub(super) fn scroll_by(app: &mut App, pane: PaneId, down: bool, n: usize) -> bool {
    match pane {
        PaneId::Tree | PaneId::Map => {
            let dy = PAN.1.saturating_mul(i32::try_from(n).unwrap_or(i32::MAX));
            return pan(app, pane, 0, if down { dy } else { -dy });
        }
        PaneId::Timeline | PaneId::Charts => return false,
        _ => {}
    }
    let from = content::scroll(app, pane);
    let to = if down { furthest(app, pane, from, n) } else { from.saturating_sub(n) };
    if from != to {
        content::set_scroll(app, pane, to);
    }
    from != to
}

/// The furthest scroll from `from`, at most `n` on, that still fills the pane. Views either stop by themselves or
/// leave the rest of the pane empty; both are seen in the rows.
fn furthest(app: &App, pane: PaneId, from: usize, n: usize) -> usize {
    let size = content::size_of(app, pane);
    let height = usize::from(size.height);
    if pane == PaneId::Events {
        let last = view::events::len(&app.replay).saturating_sub(content::events_room(app));
        return from.saturating_add(n).min(last).max(from);
    }
    let rows_at = |scroll| content::rows_at(app, pane, size, scroll);
    let full = |scroll: usize| {
        let rows = rows_at(scroll);
        height <= rows.len() && rows != rows_at(scroll - 1)
    };
    // The rows fill the pane up to some scroll and not after it: halve the way to it.
    let (mut good, mut bad) = (from, from.saturating_add(n).saturating_add(1));
    if full(bad - 1) {
        return bad - 1;
    }
    while 1 < bad - good {
        let middle = good + (bad - good) / 2;
        if full(middle) { good = middle } else { bad = middle }
    }
    good
}

/// A page or a part of it.
pub(super) fn page(app: &mut App, direction: isize, part: u16) {
    let pane = app.focus;
    let rows = usize::from(content::size_of(app, pane).height / part).max(1);
    let down = 0 < direction;
    match pane {
        PaneId::Step | PaneId::Timeline => walk(app, if down { Way::Down } else { Way::Up }, rows),
        _ => {
            let y = app.pick.map(|pick| pick.y);
            if !scroll_by(app, pane, down, rows) {
                walk(app, if down { Way::Down } else { Way::Up }, rows);
            } else if y.is_some() || pane == PaneId::Events {
                repick(app, pane, y);
            }
        }
    }
}

/// Puts the cursor on what stands now where it stood.
fn repick(app: &mut App, pane: PaneId, y: Option<u16>) {
    let (_, hits, _) = shown(app, pane);
    let x = app.pick.map_or(0, |pick| pick.x);
    let near = hits.iter().min_by_key(|hit| (hit.y.abs_diff(y.unwrap_or(0)), !hit.whole_row, hit.distance(x)));
    if let Some(&hit) = near {
        pick(app, pane, hit, x);
    }
}

/// To the top or the bottom.
pub(super) fn end(app: &mut App, bottom: bool) {
    let pane = app.focus;
    match pane {
        PaneId::Timeline | PaneId::Charts => return time::jump(app, if bottom { app.replay.len() } else { 0 }),
        PaneId::Step => {
            let last = app.replay.outcome().steps.len().checked_sub(1);
            return show_sub_step(app, if bottom { last } else { last.map(|_| 0) });
        }
        PaneId::Tree | PaneId::Map => {}
        _ if bottom => {
            scroll_by(app, pane, true, app.replay.len().max(MAX_ROWS));
        }
        _ => content::set_scroll(app, pane, 0),
    }
    let (_, hits, _) = shown(app, pane);
    let edge = if bottom {
        hits.iter().max_by_key(|hit| (hit.y, hit.whole_row))
    } else {
        hits.iter().min_by_key(|hit| (hit.y, !hit.whole_row))
    };
    if let Some(&hit) = edge {
        pick(app, pane, hit, hit.x);
    }
}

/// Enter: goes where the pane's cursor points.
pub(super) fn activate(app: &mut App) {
    let (rows, hits, picked) = shown(app, app.focus);
    match picked.or_else(|| start(&rows, &hits)) {
        Some(hit) => {
            actions::go_to(app, hit.target);
            app.dirty = true;
        }
        None => app.say("nothing to open here"),
    }
}

/// One column of the timeline or of the charts.
fn column(app: &mut App, right: bool) -> bool {
    let here = app.heading();
    let stops = column_starts(app);
    let stops = stops.into_iter();
    let next = if right { stops.filter(|&at| here < at).min() } else { stops.filter(|&at| at < here).max() };
    match next {
        Some(target) => time::step(app, target.cast_signed() - here.cast_signed()),
        None => return false,
    }
    true
}

/// Where the columns of the focused pane begin, in records applied.
fn column_starts(app: &App) -> Vec<usize> {
    let view = app.time_view();
    let size = content::size_of(app, app.focus);
    if app.focus == PaneId::Charts {
        let below = charts::arranged(app, size).below;
        let width = below.first().map_or(0, |place| usize::from(place.width));
        let starts = (0..width).map(|column| view.visible.lasting(column, width).start);
        return starts.chain([view.visible.to]).collect();
    }
    (0..size.width).map(|column| view::timeline::seq_at(&view, size.width, column)).collect()
}

/// `s` and `S`.
pub(super) fn sub_step(app: &mut App, forward: bool) {
    walk_sub_step(app, forward);
}

fn walk_sub_step(app: &mut App, forward: bool) -> bool {
    let n = app.replay.outcome().steps.len();
    if n == 0 {
        app.say("nothing happened inside: no event is shown, or it changed nothing");
        return false;
    }
    let to = match (app.sub_step, forward) {
        (None, true) => Some(0),
        (None, false) => Some(n - 1),
        (Some(at), true) if at + 1 < n => Some(at + 1),
        (Some(_), true) => {
            let key = app.key(Action::Forward);
            app.say(format!("this was the last of {n}: {key} goes to the next event"));
            return false;
        }
        (Some(at), false) => at.checked_sub(1),
    };
    show_sub_step(app, to);
    true
}

/// Shows one sub-step, or the event as a whole. The step pane keeps the shown one in sight by itself.
pub(super) fn show_sub_step(app: &mut App, at: Option<usize>) {
    app.sub_step = at;
    app.panes.step_scroll = 0;
    app.dirty = true;
}
