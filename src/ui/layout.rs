//! [`regions`]: where everything is. A pure function of the size and of what is focused, used by drawing, paging and
//! the mouse, so that they cannot disagree.

mod band;
mod wide;

use ratatui::layout::{Position, Rect, Size};

pub(crate) use band::Band;

use super::pane::{Arrangement, PaneId, Subject};
use wide::{charts, compare, holders, live};

/// Below this, one sentence.
pub(crate) const SMALLEST: Size = Size { width: 40, height: 10 };
/// Below this, one pane.
const ONE_PANE: Size = Size { width: 60, height: 16 };
/// From this on, every pane at once.
const ALL_PANES: Size = Size { width: 120, height: 36 };
/// Below this the header takes two lines, where there are lines to spare.
const TWO_LINE_HEADER: u16 = 130;
/// From this on a line can be spared for the header.
const SPARE_LINE: u16 = 12;
/// Rows of the map that are never taken away: a stretch, a hole, the legend.
const LEAST_MAP: u16 = 2;
/// Rows of panes that say little with less, borders included.
const TABLES: u16 = 8;
const DETAIL: u16 = 8;
const FREE: u16 = 6;
/// From this on, three columns.
const THREE_COLUMNS: u16 = 170;

/// A pane on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PaneBox {
    pub(crate) id: PaneId,
    /// With its border.
    pub(crate) outer: Rect,
    /// What its rows fill.
    pub(crate) inner: Rect,
}

impl PaneBox {
    fn bordered(id: PaneId, outer: Rect) -> Self {
        let inner = Rect {
            x: outer.x.saturating_add(1),
            y: outer.y.saturating_add(1),
            width: outer.width.saturating_sub(2),
            height: outer.height.saturating_sub(2),
        };
        Self { id, outer, inner }
    }

    fn bare(id: PaneId, outer: Rect) -> Self {
        Self { id, outer, inner: outer }
    }

    /// Has it a border?
    pub(crate) fn has_border(&self) -> bool {
        self.outer != self.inner
    }
}

/// Where everything is. A part that is not shown has no height.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Regions {
    pub(crate) header: Rect,
    /// Names of the panes, where not all of them are shown.
    pub(crate) tabs: Rect,
    pub(crate) panes: Vec<PaneBox>,
    pub(crate) footer: Rect,
    /// Too small for anything but a sentence.
    pub(crate) too_small: bool,
}

impl Regions {
    /// The box of a pane, if it is shown.
    pub(crate) fn pane(&self, id: PaneId) -> Option<&PaneBox> {
        self.panes.iter().find(|pane| pane.id == id)
    }

    /// The pane under a position.
    pub(crate) fn at(&self, position: Position) -> Option<&PaneBox> {
        self.panes.iter().find(|pane| pane.outer.contains(position))
    }
}

/// Cuts `n` rows off the top of `rest`.
fn top(rest: &mut Rect, n: u16) -> Rect {
    let n = n.min(rest.height);
    let cut = Rect { height: n, ..*rest };
    rest.y += n;
    rest.height -= n;
    cut
}

/// Cuts `n` rows off the bottom of `rest`.
fn bottom(rest: &mut Rect, n: u16) -> Rect {
    let n = n.min(rest.height);
    rest.height -= n;
    Rect { y: rest.y + rest.height, height: n, ..*rest }
}

/// Cuts `n` columns off the left of `rest`.
fn left(rest: &mut Rect, n: u16) -> Rect {
    let n = n.min(rest.width);
    let cut = Rect { width: n, ..*rest };
    rest.x += n;
    rest.width -= n;
    cut
}

/// `percent` of `n`.
fn share(n: u16, percent: u16) -> u16 {
    (u32::from(n) * u32::from(percent) / 100) as u16
}

/// What has to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) focus: PaneId,
    /// The focused pane alone.
    pub(crate) zoom: bool,
    pub(crate) arrangement: Arrangement,
    pub(crate) subject: Subject,
    /// Rows the map can fill: more would be blank.
    pub(crate) map_rows: u16,
    /// Rows of the band of what is read again and again.
    pub(crate) live_rows: u16,
    /// The text of a lesson.
    pub(crate) band: Option<Band>,
}

impl Wanted {
    /// So many rows for the map, borders included, of which it can use what its content needs.
    fn map(self, rows: u16, borders: u16) -> u16 {
        rows.min(self.map_rows.max(LEAST_MAP).saturating_add(borders))
    }
}

/// Where everything is on a screen of that size.
pub(crate) fn regions(size: Size, wanted: Wanted) -> Regions {
    let Wanted { focus, zoom, subject, .. } = wanted;
    let mut regions = Regions::default();
    if size.width < SMALLEST.width || size.height < SMALLEST.height {
        regions.too_small = true;
        return regions;
    }
    let mut rest = Rect { x: 0, y: 0, width: size.width, height: size.height };
    // Very narrow ones need the second line whatever it costs: what can be trusted would not be said.
    let spare = SPARE_LINE <= size.height || size.width < ONE_PANE.width;
    let header_rows = if size.width < TWO_LINE_HEADER && spare { 2 } else { 1 };
    regions.header = top(&mut rest, header_rows);
    regions.footer = bottom(&mut rest, 1);
    let is_read = focus == PaneId::Lesson && (zoom || size.width < ONE_PANE.width);
    let band = wanted.band.filter(|_| !is_read);
    if let Some(band) = band {
        band.cut(&mut regions, &mut rest);
    }
    let single = match band {
        Some(_) => size.width < band::PAIR || rest.height < band::BESIDE,
        None => size.width < ONE_PANE.width || size.height < ONE_PANE.height,
    };
    if zoom || single {
        let focus = match band {
            Some(band) if focus == PaneId::Lesson => band.show[0],
            _ => focus,
        };
        regions.tabs = top(&mut rest, 1);
        regions.panes.push(PaneBox::bordered(focus, rest));
        return regions;
    }
    match wanted.arrangement {
        Arrangement::Charts => {
            charts(&mut regions, rest, focus);
            return regions;
        }
        Arrangement::Compare => {
            compare(&mut regions, rest, focus);
            return regions;
        }
        Arrangement::Holders => {
            holders(&mut regions, rest, wanted);
            return regions;
        }
        Arrangement::Live => {
            live(&mut regions, rest, wanted);
            return regions;
        }
        Arrangement::Step => {}
    }
    let free = rest.height + regions.header.height + regions.footer.height;
    let all = ALL_PANES.width <= size.width && ALL_PANES.height <= free;
    match (subject, all) {
        (Subject::Trace | Subject::Lesson, true) => all_panes(&mut regions, rest, wanted),
        (Subject::Trace, false) => some_panes(&mut regions, rest, wanted),
        (Subject::Lesson, false) => band::panes(&mut regions, rest, wanted),
        (Subject::Snapshot, true) => all_of_snapshot(&mut regions, rest, wanted),
        (Subject::Snapshot, false) => some_of_snapshot(&mut regions, rest, wanted),
    }
    regions
}

/// A map strip, the focused pane and its partners, a timeline strip.
fn some_panes(regions: &mut Regions, mut rest: Rect, wanted: Wanted) {
    let focus = wanted.focus;
    let tall = rest.height >= 20;
    let map_rows = match (focus, tall) {
        (PaneId::Map, _) => rest.height / 3,
        (_, true) if 40 <= rest.height => 5,
        (_, true) => 3,
        (_, false) => 2,
    };
    regions.panes.push(PaneBox::bare(PaneId::Map, top(&mut rest, wanted.map(map_rows, 0))));
    let timeline_rows = match (focus, tall) {
        (PaneId::Timeline, _) => (rest.height / 4).clamp(2, 6),
        (_, true) if 40 <= rest.height => 4,
        (_, true) => 2,
        (_, false) => 1,
    };
    regions.panes.push(PaneBox::bare(PaneId::Timeline, bottom(&mut rest, timeline_rows)));
    regions.tabs = top(&mut rest, 1);
    let (first, second, beside) = pair(focus);
    if 30 <= rest.height {
        // Room for two pairs: what happened above, what is focused below.
        let rows = share(rest.height, 45);
        let above = top(&mut rest, rows);
        two(regions, above, PaneId::Events, PaneId::Step, true);
        let first = if matches!(focus, PaneId::Free | PaneId::Tables) { focus } else { PaneId::Tree };
        two(regions, rest, first, PaneId::Detail, focus == PaneId::Free);
    } else if 120 <= rest.width {
        let third = match focus {
            PaneId::Tree | PaneId::Free | PaneId::Tables | PaneId::Detail => focus,
            _ => PaneId::Tree,
        };
        let columns = share(rest.width, 30);
        regions.panes.push(PaneBox::bordered(PaneId::Events, left(&mut rest, columns)));
        let columns = share(rest.width, 40);
        regions.panes.push(PaneBox::bordered(PaneId::Step, left(&mut rest, columns)));
        regions.panes.push(PaneBox::bordered(third, rest));
    } else {
        two(regions, rest, first, second, beside && 80 <= rest.width);
    }
}

/// The focused pane's pair where only two fit, and whether they read better side by side than one over the other.
fn pair(focus: PaneId) -> (PaneId, PaneId, bool) {
    match focus {
        PaneId::Tree => (PaneId::Tree, PaneId::Step, false),
        PaneId::Free => (PaneId::Free, PaneId::Detail, true),
        PaneId::Tables => (PaneId::Tables, PaneId::Detail, false),
        PaneId::Detail | PaneId::Map => (PaneId::Events, PaneId::Detail, true),
        _ => (PaneId::Events, PaneId::Step, true),
    }
}

fn two(regions: &mut Regions, mut rest: Rect, first: PaneId, second: PaneId, beside: bool) {
    let cut = if beside {
        let columns = share(rest.width, 55);
        left(&mut rest, columns)
    } else {
        let rows = share(rest.height, 60);
        top(&mut rest, rows)
    };
    regions.panes.push(PaneBox::bordered(first, cut));
    regions.panes.push(PaneBox::bordered(second, rest));
}

/// Every pane at once: the map above, the timeline below, columns between. Left what happens, right what it touches.
fn all_panes(regions: &mut Regions, mut rest: Rect, wanted: Wanted) {
    let map_rows = wanted.map(share(rest.height, 24).clamp(9, 14), 2);
    regions.panes.push(PaneBox::bordered(PaneId::Map, top(&mut rest, map_rows)));
    let timeline_rows = (rest.height / 7).clamp(5, 8);
    regions.panes.push(PaneBox::bordered(PaneId::Timeline, bottom(&mut rest, timeline_rows)));
    let wide = THREE_COLUMNS <= rest.width;
    let columns = if wide { share(rest.width, 27).max(48) } else { share(rest.width, 43) };
    let mut column = left(&mut rest, columns);
    if wide {
        let rows = share(column.height, 52);
        regions.panes.push(PaneBox::bordered(PaneId::Events, top(&mut column, rows)));
        regions.panes.push(PaneBox::bordered(PaneId::Step, column));
        let columns = share(rest.width, 52);
        let mut column = left(&mut rest, columns);
        let rows = share(column.height, 64);
        regions.panes.push(PaneBox::bordered(PaneId::Tree, top(&mut column, rows)));
        regions.panes.push(PaneBox::bordered(PaneId::Free, column));
        let rows = share(rest.height, 45);
        regions.panes.push(PaneBox::bordered(PaneId::Tables, top(&mut rest, rows)));
        regions.panes.push(PaneBox::bordered(PaneId::Detail, rest));
    } else {
        let rows = share(column.height, 24).max(FREE);
        let free = bottom(&mut column, rows);
        let rows = share(column.height, 44);
        regions.panes.push(PaneBox::bordered(PaneId::Events, top(&mut column, rows)));
        regions.panes.push(PaneBox::bordered(PaneId::Step, column));
        regions.panes.push(PaneBox::bordered(PaneId::Free, free));
        let height = rest.height;
        let detail = bottom(&mut rest, share(height, 32).clamp(DETAIL, 14));
        let tables = bottom(&mut rest, share(height, 30).clamp(TABLES, 12));
        regions.panes.push(PaneBox::bordered(PaneId::Tree, rest));
        regions.panes.push(PaneBox::bordered(PaneId::Tables, tables));
        regions.panes.push(PaneBox::bordered(PaneId::Detail, detail));
    }
}

/// A snapshot on a large screen: the map above, two columns below.
fn all_of_snapshot(regions: &mut Regions, mut rest: Rect, wanted: Wanted) {
    let rows = wanted.map(share(rest.height, 34), 2);
    regions.panes.push(PaneBox::bordered(PaneId::Map, top(&mut rest, rows)));
    let columns = share(rest.width, 50);
    let mut column = left(&mut rest, columns);
    let rows = share(column.height, 62);
    regions.panes.push(PaneBox::bordered(PaneId::Events, top(&mut column, rows)));
    regions.panes.push(PaneBox::bordered(PaneId::Free, column));
    let rows = share(rest.height, 40);
    regions.panes.push(PaneBox::bordered(PaneId::Tree, top(&mut rest, rows)));
    let rows = share(rest.height, 50);
    regions.panes.push(PaneBox::bordered(PaneId::Tables, top(&mut rest, rows)));
    regions.panes.push(PaneBox::bordered(PaneId::Detail, rest));
}

/// A snapshot on a smaller one: the map, the focused pane and its partner.
fn some_of_snapshot(regions: &mut Regions, mut rest: Rect, wanted: Wanted) {
    let focus = wanted.focus;
    let rows = if focus == PaneId::Map { rest.height / 2 } else { rest.height / 4 };
    regions.panes.push(PaneBox::bare(PaneId::Map, top(&mut rest, wanted.map(rows, 0))));
    regions.tabs = top(&mut rest, 1);
    let (first, beside) = match focus {
        PaneId::Tree | PaneId::Tables => (focus, false),
        PaneId::Free => (PaneId::Free, true),
        _ => (PaneId::Events, true),
    };
    two(regions, rest, first, PaneId::Detail, beside && 80 <= rest.width);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_part(regions: &Regions) -> Vec<Rect> {
        let mut parts = vec![regions.header, regions.tabs, regions.footer];
        parts.extend(regions.panes.iter().map(|pane| pane.outer));
        parts.retain(|part| !part.is_empty());
        parts
    }

    #[test]
    fn parts_never_overlap_nor_leave_the_screen_and_the_focus_is_shown() {
        for (width, height) in (1..=300).flat_map(|width| (1..=300).map(move |height| (width, height))) {
            let charts = Arrangement::Charts.panes(Subject::Trace).iter().map(|&focus| (focus, Subject::Trace));
            let trace = Subject::Trace.panes().iter().map(|&focus| (focus, Subject::Trace));
            let snapshot = Subject::Snapshot.panes().iter().map(|&focus| (focus, Subject::Snapshot));
            let lesson = Subject::Lesson.panes().iter().map(|&focus| (focus, Subject::Lesson));
            let all = trace.chain(snapshot).chain(lesson).map(|(focus, subject)| (focus, subject, Arrangement::Step));
            let all = all.chain(charts.map(|(focus, subject)| (focus, subject, Arrangement::Charts)));
            let lanes = Arrangement::Compare.panes(Subject::Trace).iter();
            let all = all.chain(lanes.map(|&focus| (focus, Subject::Trace, Arrangement::Compare)));
            let holders = Arrangement::Holders.panes(Subject::Trace).iter();
            let all = all.chain(holders.map(|&focus| (focus, Subject::Trace, Arrangement::Holders)));
            let live = Arrangement::Live.panes(Subject::Snapshot).iter();
            let all = all.chain(live.map(|&focus| (focus, Subject::Snapshot, Arrangement::Live)));
            for ((focus, subject, arrangement), zoom) in all.zip([false, false, false, true].into_iter().cycle()) {
                let band = Band { rows: 1 + width % 9, show: [PaneId::Tables, PaneId::Step, PaneId::Free] };
                let band = Some(band).filter(|_| subject == Subject::Lesson);
                let wanted = Wanted { focus, zoom, arrangement, subject, map_rows: height / 7, live_rows: 6, band };
                let regions = regions(Size { width, height }, wanted);
                let screen = Rect { x: 0, y: 0, width, height };
                let parts = every_part(&regions);
                for (at, part) in parts.iter().enumerate() {
                    assert_eq!(screen.intersection(*part), *part, "{width}x{height} {focus:?} leaves the screen");
                    for other in &parts[..at] {
                        assert!(!part.intersects(*other), "{width}x{height} {focus:?}: {part:?} over {other:?}");
                    }
                }
                assert!(regions.too_small || regions.pane(focus).is_some(), "{width}x{height} {focus:?} not shown");
            }
        }
    }

    #[test]
    fn a_large_screen_is_covered_and_shows_every_pane() {
        let sizes = [Size { width: 120, height: 40 }, Size { width: 200, height: 60 }];
        let subjects = [Subject::Trace, Subject::Snapshot];
        for (size, subject) in sizes.into_iter().flat_map(|size| subjects.map(|subject| (size, subject))) {
            let arrangement = Arrangement::Step;
            let wanted =
                Wanted { focus: PaneId::Map, zoom: false, arrangement, subject, map_rows: 5, live_rows: 0, band: None };
            let regions = regions(size, wanted);
            assert_eq!(regions.panes.len(), subject.panes().len());
            let covered: u32 = every_part(&regions).iter().map(|part| part.area()).sum();
            assert_eq!(covered, u32::from(size.width) * u32::from(size.height));
            assert!(regions.panes.iter().all(|pane| 3 <= pane.inner.height), "{regions:?}");
        }
    }
}
