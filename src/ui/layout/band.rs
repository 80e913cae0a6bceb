//! A lesson on the screen: its text at the bottom, above it what the text is about.

use ratatui::layout::Rect;

use super::{PaneBox, PaneId, Regions, Wanted, bottom, left, share, top};

/// Rows besides the text that are left for two panes: a map strip, names, the panes.
pub(super) const BESIDE: u16 = 9;
/// Below this there is one pane beside the text.
pub(super) const PAIR: u16 = 80;
/// From this on there are three: a tree wants 50 columns to be drawn as one.
const THREE: u16 = 150;

/// The text of a lesson, and what goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Band {
    /// Rows of its longest text.
    pub(crate) rows: u16,
    /// What matters most at this place; none of them a strip.
    pub(crate) show: [PaneId; 3],
}

impl Band {
    /// Takes the text's rows off the bottom, at most half of them.
    pub(super) fn cut(self, regions: &mut Regions, rest: &mut Rect) {
        let rows = (self.rows + 2).min((rest.height / 2).max(3));
        regions.panes.push(PaneBox::bordered(PaneId::Lesson, bottom(rest, rows)));
    }
}

/// Beside the text: a map strip, and next to each other what the stop wants to be seen.
pub(super) fn panes(regions: &mut Regions, mut rest: Rect, wanted: Wanted) {
    let focus = wanted.focus;
    let tall = 20 <= rest.height;
    let map_rows = match (focus, tall) {
        (PaneId::Map, _) => rest.height / 3,
        (_, true) => 3,
        (_, false) => 2,
    };
    regions.panes.push(PaneBox::bare(PaneId::Map, top(&mut rest, wanted.map(map_rows, 0))));
    if tall || focus == PaneId::Timeline {
        regions.panes.push(PaneBox::bare(PaneId::Timeline, bottom(&mut rest, 2)));
    }
    regions.tabs = top(&mut rest, 1);
    let mut show = wanted.band.map_or([PaneId::Step, PaneId::Tree, PaneId::Events], |band| band.show);
    let show = if THREE <= rest.width { &mut show[..] } else { &mut show[..2] };
    if let Some(last) = show.iter().position(|&pane| pane == focus).map_or(show.last_mut(), |_| None)
        && !focus.is_strip()
    {
        *last = focus;
    }
    let mut columns = show.len() as u16;
    for &pane in show.iter() {
        // The first one matters most.
        let percent = if columns == 1 || pane != show[0] { 100 / columns } else { 100 / columns + 3 };
        let width = share(rest.width, percent);
        let width = if columns == 1 { rest.width } else { width };
        regions.panes.push(PaneBox::bordered(pane, left(&mut rest, width)));
        columns -= 1;
    }
}
