//! What each pane shows: the views' rows, with the pane's own scroll. Drawing, the mouse and a pane's cursor all ask
//! here.

use ratatui::layout::Size;

use super::app::{App, Pick};
use super::paint::{self, Hit};
use super::pane::PaneId;
use super::{charts, holders, lanes, live};
use crate::view::{self, Role, Row, Selection, Span, Target};

/// The rows of a pane.
pub(crate) fn rows(app: &App, id: PaneId, size: Size) -> Vec<Row> {
    let scroll = match id {
        PaneId::Events => app.panes.events_top.unwrap_or(0),
        _ => scroll(app, id),
    };
    rows_at(app, id, size, scroll)
}

/// The rows of a pane, were it scrolled to `scroll`. The map, the tree and the timeline do not scroll by rows.
pub(crate) fn rows_at(app: &App, id: PaneId, size: Size, scroll: usize) -> Vec<Row> {
    let scene = app.scene();
    let Size { width, height } = size;
    if width == 0 || height == 0 {
        return Vec::new();
    }
    match id {
        PaneId::Map => {
            let zoom = app.panes.map_zoom;
            let key = ((width, height), zoom, app.selection, app.replay.len(), app.glyphs.ascii);
            app.memo.map(key, || view::map::rows(&scene, width, height, &zoom))
        }
        PaneId::Events => {
            let top = app.panes.events_top.map(|_| scroll);
            view::events::rows(&scene, width, height, top, app.search.filter())
        }
        PaneId::Step => view::step::rows(&scene, width, height, scroll),
        PaneId::Tree => view::tree::rows(&scene, width, height, app.panes.tree_pan, app.panes.tree),
        PaneId::Free => view::free::rows(&scene, width, height, scroll, app.panes.free_order),
        PaneId::Tables => view::page_table::rows(&scene, width, height, scroll),
        PaneId::Detail => view::detail::rows(&scene, width, height, scroll),
        PaneId::Timeline => view::timeline::rows(&scene, width, height, &app.time_view()),
        // Its curves are no rows.
        PaneId::Charts => Vec::new(),
        PaneId::Compare => lanes::rows(app, size, scroll),
        PaneId::Live => live::rows(app, size),
        PaneId::Holders => holders::rows(app, size, scroll),
        PaneId::Lesson => view::lesson::rows(&scene, width, height, scroll),
    }
}

/// Heights of the map that are tried: each costs as much as drawing it.
const TRIED: usize = 2;

/// Rows the map fills in a pane of that size; one is kept for the carets under what an event changes, so that the map
/// does not grow with the first of them.
pub(crate) fn map_rows(app: &App, size: Size) -> u16 {
    let rows = rows_at(app, PaneId::Map, size, 0);
    if rows.len() == usize::from(size.height) {
        return size.height;
    }
    let up = app.glyphs.up;
    let is_caret = |row: &Row| row.spans.iter().any(|span| span.text.trim_start().starts_with(up));
    // The sign at the start of a row marks it as changed; alone in a row it is a caret.
    let carets = rows.iter().filter(|row| is_caret(row) && row.target.is_none()).count();
    let spare = usize::from(carets == 0 && 6 <= size.height && !app.replay.is_empty());
    // The map may look from further away where it has less room: as much as it takes to look the same.
    let same = |height: &u16| rows_at(app, PaneId::Map, Size { height: *height, ..size }, 0) == rows;
    let least = (rows.len() + spare) as u16;
    (least..size.height).take(TRIED).find(same).unwrap_or(size.height)
}

/// Rows above and below what a pane shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Hidden {
    pub(crate) above: usize,
    pub(crate) below: usize,
    /// There may be still more below.
    pub(crate) at_least: bool,
}

/// Holes looked at beyond those in sight: a long list is not built to be counted.
const AHEAD: u16 = 200;

/// Rows of the holders that do not scroll: heading and sum.
const HOLDER_HEAD: usize = 2;

/// What a pane cannot show of its content.
pub(crate) fn hidden(app: &App, id: PaneId, size: Size, shown: &[Row]) -> Hidden {
    let more = |height, scroll| rows_at(app, id, Size { height, ..size }, scroll);
    match id {
        PaneId::Step | PaneId::Tables | PaneId::Detail | PaneId::Lesson => {
            let all = more(u16::MAX, 0);
            // The step pane scrolls by itself to the shown sub-step: what it shows is looked for.
            let at = all.windows(shown.len().max(1)).position(|rows| rows == shown);
            let above = at.unwrap_or(0);
            Hidden { above, below: all.len().saturating_sub(above + shown.len()), at_least: false }
        }
        PaneId::Free => {
            let scroll = scroll(app, id);
            let ahead = more(size.height.saturating_add(AHEAD), scroll);
            let below = ahead.len().saturating_sub(shown.len().max(usize::from(size.height)));
            Hidden { above: scroll, below, at_least: below == usize::from(AHEAD) }
        }
        PaneId::Compare => {
            let above = app.lanes.scroll;
            let below = lanes::count(app, size).saturating_sub(above + shown.len());
            Hidden { above, below, at_least: false }
        }
        PaneId::Holders => {
            let above = app.holders.scroll;
            let sums = shown.len().min(HOLDER_HEAD);
            let below = holders::count(app).saturating_sub(above + shown.len() - sums);
            Hidden { above, below, at_least: false }
        }
        PaneId::Map | PaneId::Events | PaneId::Tree | PaneId::Timeline | PaneId::Charts | PaneId::Live => {
            Hidden::default()
        }
    }
}

/// The title of a pane's border.
pub(crate) fn title(app: &App, id: PaneId) -> Vec<Span> {
    let mut spans = own_title(app, id);
    if matches!(id, PaneId::Detail | PaneId::Tables) && app.selection != Selection::Follow {
        // In front: the end of a long title is cut off.
        spans.insert(1.min(spans.len()), Span::new(" (pinned)", Role::Key));
    }
    spans
}

fn own_title(app: &App, id: PaneId) -> Vec<Span> {
    let scene = app.scene();
    match id {
        PaneId::Map => view::map::title(&scene),
        PaneId::Events => view::events::title(&scene),
        PaneId::Step => view::step::title(&scene),
        PaneId::Tree => view::tree::title(&scene, app.panes.tree),
        PaneId::Free => view::free::title(&scene),
        PaneId::Tables => view::page_table::title(&scene),
        PaneId::Detail => view::detail::title(&scene),
        PaneId::Timeline => view::timeline::title(&scene, &app.time_view()),
        PaneId::Charts => {
            let arranged = charts::arranged(app, size_of(app, id));
            view::charts::title(&scene, &app.time_view(), &arranged)
        }
        PaneId::Compare => lanes::title(app),
        PaneId::Live => live::title(app),
        PaneId::Holders => holders::title(app),
        PaneId::Lesson => view::lesson::title(&scene),
    }
}

/// The pane's own scroll, in rows.
pub(crate) fn scroll(app: &App, id: PaneId) -> usize {
    match id {
        PaneId::Events => events_top(app),
        PaneId::Step => app.panes.step_scroll,
        PaneId::Free => app.panes.free_scroll,
        PaneId::Tables => app.panes.tables_scroll,
        PaneId::Detail => app.panes.detail_scroll,
        PaneId::Lesson => app.panes.lesson_scroll,
        PaneId::Compare => app.lanes.scroll,
        PaneId::Holders => app.holders.scroll,
        PaneId::Map | PaneId::Tree | PaneId::Timeline | PaneId::Charts | PaneId::Live => 0,
    }
}

/// Sets the pane's own scroll.
pub(crate) fn set_scroll(app: &mut App, id: PaneId, to: usize) {
    match id {
        PaneId::Events => app.panes.events_top = Some(to.min(view::events::len(&app.replay).saturating_sub(1))),
        PaneId::Step => app.panes.step_scroll = to,
        PaneId::Free => app.panes.free_scroll = to,
        PaneId::Tables => app.panes.tables_scroll = to,
        PaneId::Detail => app.panes.detail_scroll = to,
        PaneId::Lesson => app.panes.lesson_scroll = to,
        PaneId::Compare => app.lanes.scroll = to,
        PaneId::Holders => app.holders.scroll = to,
        PaneId::Map | PaneId::Tree | PaneId::Timeline | PaneId::Charts | PaneId::Live => {}
    }
}

/// The record in the first row of the events, wherever it came from.
fn events_top(app: &App) -> usize {
    if let Some(top) = app.panes.events_top {
        return top;
    }
    let size = size_of(app, PaneId::Events);
    let rows = rows_at(app, PaneId::Events, size, 0);
    rows.iter().find_map(|row| row.target).and_then(|target| index_of(app, target)).unwrap_or(0)
}

/// Which row of the whole list leads to a target.
pub(crate) fn index_of(app: &App, target: Target) -> Option<usize> {
    match target {
        Target::Event(seq) => Some(seq.index()),
        // The areas of a snapshot.
        _ => (0..view::events::len(&app.replay)).find(|&at| view::events::target(&app.replay, at) == Some(target)),
    }
}

/// The row of the list that is looked at: the current event, or the selected area of a snapshot.
pub(crate) fn shown_row(app: &App) -> Option<usize> {
    match (app.replay.is_empty(), app.selection) {
        (false, _) => app.heading().checked_sub(1),
        (true, Selection::Address(address)) => index_of(app, Target::Address(address)),
        (true, Selection::Follow) => app.panes.events_top,
    }
}

/// Records the events pane has room for now: its heading is no record.
pub(crate) fn events_room(app: &App) -> usize {
    let rows = rows(app, PaneId::Events, size_of(app, PaneId::Events));
    rows.iter().filter(|row| row.target.is_some()).count()
}

/// The size a pane's rows have now.
pub(crate) fn size_of(app: &App, id: PaneId) -> Size {
    app.regions().pane(id).map_or(Size::ZERO, |shown| shown.inner.as_size())
}

/// What the cursor of a pane is on, if the rows still have it: the same target, as near as possible to where it was.
pub(crate) fn picked(pick: Option<Pick>, id: PaneId, rows: &[Row], width: u16) -> Option<Hit> {
    let pick = pick.filter(|pick| pick.pane == id)?;
    let same = paint::hits(rows, width).into_iter().filter(|hit| hit.target == pick.target);
    same.min_by_key(|hit| (!hit.whole_row, hit.y.abs_diff(pick.y), hit.distance(pick.x)))
}
