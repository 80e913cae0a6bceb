//! Arrangements with one wide pane: charts, and lanes side by side.

use ratatui::layout::Rect;

use super::{PaneBox, Regions, bottom, left, share};
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
