//! Arrangements with one wide pane: charts, lanes side by side, holders, what is read again and again.

use ratatui::layout::Rect;

use super::{PaneBox, Regions, Wanted, bottom, left, share, top};
use crate::ui::pane::PaneId;

/// From so many rows on there is room for events below the charts.
const CHARTS_AND_MORE: u16 = 36;
/// From this width on two panes lie beside each other there.
const BESIDE_EVENTS: u16 = 110;
/// From so many rows on there is room for events below the lanes.
const COMPARE_AND_MORE: u16 = 44;

/// Charts, and below them what the cursor is on, where there is room for it or it has the focus.
pub(super) fn charts(regions: &mut Regions, mut rest: Rect, focus: PaneId) {
    let below = match focus {
        _ if CHARTS_AND_MORE <= rest.height => share(rest.height, 22),
        PaneId::Charts | PaneId::Lesson => 0,
        _ => share(rest.height, 45),
    };
    let mut below = bottom(&mut rest, below);
    regions.panes.push(PaneBox::bordered(PaneId::Charts, rest));
    let first = if matches!(focus, PaneId::Charts | PaneId::Lesson) { PaneId::Events } else { focus };
    if below.height == 0 {
        return;
    }
    if BESIDE_EVENTS <= below.width {
        let columns = share(below.width, 50);
        regions.panes.push(PaneBox::bordered(PaneId::Events, left(&mut below, columns)));
        let second = if first == PaneId::Events { PaneId::Step } else { first };
        regions.panes.push(PaneBox::bordered(second, below));
    } else {
        regions.panes.push(PaneBox::bordered(first, below));
    }
}

/// The lanes, and below them what the cursor is on, where there is room for it or it has the focus.
pub(super) fn compare(regions: &mut Regions, mut rest: Rect, focus: PaneId) {
    let rows = match rest.height {
        ..20 => 1,
        20..40 => 2,
        40.. => 4,
    };
    regions.panes.push(PaneBox::bare(PaneId::Timeline, bottom(&mut rest, rows)));
    let below = match focus {
        PaneId::Events | PaneId::Step => share(rest.height, 45),
        _ if COMPARE_AND_MORE <= rest.height => share(rest.height, 24),
        _ => 0,
    };
    let mut below = bottom(&mut rest, below);
    regions.panes.push(PaneBox::bordered(PaneId::Compare, rest));
    if below.height == 0 {
        return;
    }
    if BESIDE_EVENTS <= below.width {
        let columns = share(below.width, 50);
        regions.panes.push(PaneBox::bordered(PaneId::Events, left(&mut below, columns)));
        regions.panes.push(PaneBox::bordered(PaneId::Step, below));
    } else {
        let first = if focus == PaneId::Step { PaneId::Step } else { PaneId::Events };
        regions.panes.push(PaneBox::bordered(first, below));
    }
}

/// From so many rows on there is room for more than the holders.
const HOLDERS_AND_MORE: u16 = 30;
/// Rows of the map above them.
const MAP_STRIP: u16 = 4;

/// Who holds the space, and below it what is selected, where there is room for it or it has the focus.
pub(super) fn holders(regions: &mut Regions, mut rest: Rect, wanted: Wanted) {
    let focus = wanted.focus;
    let below = match focus {
        _ if HOLDERS_AND_MORE <= rest.height => share(rest.height, 40),
        PaneId::Map | PaneId::Events | PaneId::Detail => share(rest.height, 50),
        _ => 0,
    };
    let mut below = bottom(&mut rest, below);
    regions.panes.push(PaneBox::bordered(PaneId::Holders, rest));
    if below.height == 0 {
        return;
    }
    if HOLDERS_AND_MORE <= below.height + rest.height {
        let rows = wanted.map(if focus == PaneId::Map { share(below.height, 50) } else { MAP_STRIP }, 2) + 2;
        regions.panes.push(PaneBox::bordered(PaneId::Map, top(&mut below, rows)));
    } else if focus == PaneId::Map {
        regions.panes.push(PaneBox::bordered(PaneId::Map, below));
        return;
    }
    if BESIDE_EVENTS <= below.width {
        let columns = share(below.width, 50);
        regions.panes.push(PaneBox::bordered(PaneId::Events, left(&mut below, columns)));
        regions.panes.push(PaneBox::bordered(PaneId::Detail, below));
    } else {
        let id = if focus == PaneId::Events { PaneId::Events } else { PaneId::Detail };
        regions.panes.push(PaneBox::bordered(id, below));
    }
}

/// The band, and below it the holders.
pub(super) fn live(regions: &mut Regions, mut rest: Rect, wanted: Wanted) {
    let rows = wanted.live_rows.min(share(rest.height, 40)).max(2) + 2;
    regions.panes.push(PaneBox::bordered(PaneId::Live, top(&mut rest, rows)));
    holders(regions, rest, wanted);
}
