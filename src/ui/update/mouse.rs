//! The mouse: a click focuses a pane and goes where it points, the wheel scrolls what is under it, the timeline can be
//! dragged.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::super::app::{App, Pick};
use super::super::layout::PaneBox;
use super::super::msg::Effect;
use super::super::overlay::Overlay;
use super::super::pane::PaneId;
use super::super::{charts, content, lesson, paint};
use super::super::{draw, footer};
use super::{act, actions, inside, overlays, time};
use crate::view;
use crate::view::charts::Under;
use crate::view::series::SERIES;

/// Rows a turn of the wheel scrolls.
const WHEEL_ROWS: usize = 3;

pub(super) fn mouse(app: &mut App, event: MouseEvent) -> Vec<Effect> {
    let at = Position { x: event.column, y: event.row };
    let wheel = match event.kind {
        MouseEventKind::ScrollUp => Some(false),
        MouseEventKind::ScrollDown => Some(true),
        MouseEventKind::Down(MouseButton::Left) => None,
        MouseEventKind::Drag(MouseButton::Left) => {
            drag(app, at);
            return Vec::new();
        }
        _ => return Vec::new(),
    };
    app.dirty = true;
    match (app.overlays.last(), wheel) {
        (Some(_), Some(down)) => overlays::wheel(app, down, WHEEL_ROWS),
        // A click beside an overlay closes it, but for the prompts, where text would be lost.
        (
            Some(
                Overlay::Help { .. }
                | Overlay::Problems { .. }
                | Overlay::Explain(_)
                | Overlay::Breaks { .. }
                | Overlay::Marks { .. }
                | Overlay::Policies { .. }
                | Overlay::Export { .. },
            ),
            None,
        ) => {
            app.overlays.pop();
        }
        (Some(_), None) => {}
        (None, Some(down)) => turn(app, at, down),
        (None, None) => return click(app, at),
    }
    Vec::new()
}

/// The wheel over a pane.
fn turn(app: &mut App, at: Position, down: bool) {
    let Some(pane) = app.regions().at(at).copied() else { return };
    match pane.id {
        PaneId::Timeline => {
            let around = state_under(app, &pane, at);
            app.zoom_time(around, !down);
        }
        PaneId::Charts => {
            let around = match charts::under(app, &pane, at) {
                Some(Under::Moment(around, _)) => around,
                _ => app.replay.cursor(),
            };
            app.zoom_time(around, !down);
        }
        PaneId::Map => {
            let action = if down { super::Action::MapOut } else { super::Action::MapIn };
            actions::focus(app, PaneId::Map);
            app.pick = under(app, &pane, at).or(app.pick);
            act(app, action, None);
        }
        id => {
            inside::scroll_by(app, id, down, WHEEL_ROWS);
        }
    }
}

fn click(app: &mut App, at: Position) -> Vec<Effect> {
    let regions = app.regions();
    if regions.footer.contains(at) {
        let hints = footer::hints(app, regions.footer.width);
        let column = at.x - regions.footer.x;
        let hit = hints.iter().find(|hint| hint.x <= column && column < hint.x + hint.width);
        return hit.map_or_else(Vec::new, |hint| act(app, hint.action, None));
    }
    if regions.tabs.contains(at) {
        let tabs = draw::tabs(app, regions.tabs.width);
        let column = at.x - regions.tabs.x;
        if let Some(tab) = tabs.iter().find(|tab| tab.x <= column && column < tab.x + tab.width) {
            actions::focus(app, tab.pane);
        }
        return Vec::new();
    }
    let Some(pane) = regions.at(at).copied() else { return Vec::new() };
    if pane.id == PaneId::Lesson && at.y + 1 == pane.outer.bottom() {
        let hints = lesson::hints(app, pane.outer.width);
        let column = at.x - pane.outer.x;
        let hit = hints.iter().find(|hint| hint.x <= column && column < hint.x + hint.width);
        return hit.map_or_else(Vec::new, |hint| act(app, hint.action, None));
    }
    actions::focus(app, pane.id);
    if pane.id == PaneId::Timeline {
        seek_to(app, &pane, at);
        return Vec::new();
    }
    match charts::under(app, &pane, at) {
        Some(Under::Listed(row)) => {
            app.charts.picked = row.min(SERIES.len() - 1);
            charts::toggle(app);
        }
        Some(Under::Moment(target, series)) => {
            let picked = series.and_then(|series| SERIES.iter().position(|other| *other == series));
            app.charts.picked = picked.unwrap_or(app.charts.picked);
            time::jump(app, target);
        }
        None => {}
    }
    if let Some(pick) = under(app, &pane, at) {
        app.pick = Some(pick);
        actions::go_to(app, pick.target);
    }
    Vec::new()
}

/// What is under the pointer. The layout may have changed with the focus: what was clicked on is what counts.
fn under(app: &App, pane: &PaneBox, at: Position) -> Option<Pick> {
    if !pane.inner.contains(at) {
        return None;
    }
    let size = pane.inner.as_size();
    let (x, y) = (at.x - pane.inner.x, at.y - pane.inner.y);
    let hits = paint::hits(&content::rows(app, pane.id, size), size.width);
    let hit = hits.into_iter().find(|hit| hit.y == y && hit.x <= x && x < hit.x + hit.width)?;
    Some(Pick { pane: pane.id, target: hit.target, x, y })
}

/// A drag that started anywhere seeks while it is over the timeline or a chart.
fn drag(app: &mut App, at: Position) {
    if !app.overlays.is_empty() {
        return;
    }
    let Some(pane) = app.regions().at(at).copied() else { return };
    let target = match (pane.id, charts::under(app, &pane, at)) {
        (PaneId::Timeline, _) => state_under(app, &pane, at),
        (_, Some(Under::Moment(target, _))) => target,
        _ => return,
    };
    app.dirty = true;
    // The place to return to is the one before the drag, which the click has noted.
    if target != app.heading() {
        app.playing = None;
        time::head_for(app, target);
    }
}

/// Seeks to what is under the pointer.
fn seek_to(app: &mut App, pane: &PaneBox, at: Position) {
    let target = state_under(app, pane, at);
    time::jump(app, target);
}

/// Records applied at a column of the timeline.
fn state_under(app: &App, pane: &PaneBox, at: Position) -> usize {
    let column = at.x.saturating_sub(pane.inner.x).min(pane.inner.width.saturating_sub(1));
    view::timeline::seq_at(&app.time_view(), pane.inner.width, column)
}
