//! The charts: how did it change? Several metrics over the same stretch of the trace, each with its own scale.
//!
//! Here is what is drawn where, and what it says; the curves themselves are painted by `ui`, from [`Chart::columns`].

use super::line::Line;
use super::series::{Band, SERIES, Series, records_of};
use super::text;
use super::visible::{TimeView, sign_of};
use super::{Role, Row, Scene, Span};

/// Rows a chart has at least, its title included.
const LEAST_ROWS: u16 = 5;
/// Columns a chart has at least where there are several side by side.
const LEAST_COLUMNS: u16 = 64;
/// Columns of the list.
const LIST: u16 = 18;
/// Columns of the values at an axis.
const AXIS: u16 = 10;
/// Below this width there is no list.
const WITH_LIST: u16 = 60;
/// Rows below a column of charts: signs, and what the edges stand for.
const BELOW: u16 = 2;

/// Which charts are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChartChoice {
    /// By place in [`SERIES`].
    pub shown: [bool; SERIES.len()],
    /// The one the cursor of the list is on.
    pub picked: usize,
    /// That one alone.
    pub alone: bool,
}

impl Default for ChartChoice {
    fn default() -> Self {
        Self { shown: [true; SERIES.len()], picked: 0, alone: false }
    }
}

/// A part of the pane, in columns and rows from its top left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// From the left.
    pub x: u16,
    /// From the top.
    pub y: u16,
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

impl Place {
    /// Is a position inside?
    pub fn contains(self, x: u16, y: u16) -> bool {
        (self.x..self.x + self.width).contains(&x) && (self.y..self.y + self.height).contains(&y)
    }
}

/// Where everything is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arranged {
    /// The list of series; without height where there is no room.
    pub list: Place,
    /// Each chart with its title in the first row.
    pub charts: Vec<(Series, Place)>,
    /// Below each column of charts: signs, and what the edges stand for.
    pub below: Vec<Place>,
    /// Charts that are wanted, but have no room.
    pub hidden: usize,
}

impl Arranged {
    /// The curves of a chart: what is left of it below the title and beside the values.
    pub fn plot(chart: Place) -> Place {
        let axis = AXIS.min(chart.width / 3);
        Place { x: chart.x + axis, y: chart.y + 1, width: chart.width - axis, height: chart.height.saturating_sub(1) }
    }
}

/// What is under a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Under {
    /// A row of the list, by place in [`SERIES`].
    Listed(usize),
    /// A moment: records applied. And whose chart it is.
    Moment(usize, Option<Series>),
}

/// Where everything is in a pane of that size.
pub fn arranged(width: u16, height: u16, choice: &ChartChoice) -> Arranged {
    let mut wanted: Vec<Series> = if choice.alone {
        SERIES.get(choice.picked).copied().into_iter().collect()
    } else {
        SERIES.into_iter().zip(choice.shown).filter(|(_, shown)| *shown).map(|(series, _)| series).collect()
    };
    let list_width = if width < WITH_LIST { 0 } else { LIST };
    let list_height = if list_width == 0 { 0 } else { height.min(SERIES.len() as u16) };
    let list = Place { x: 0, y: 0, width: list_width, height: list_height };
    let room =
        Place { x: list_width + u16::from(list_width > 0), y: 0, width: width.saturating_sub(list_width + 1), height };
    if wanted.is_empty() || room.width == 0 || room.height <= BELOW {
        return Arranged { list, hidden: wanted.len(), ..Arranged::default() };
    }
    let rows = ((room.height - BELOW) / LEAST_ROWS).max(1);
    let sides = (room.width / LEAST_COLUMNS).clamp(1, 4).min((wanted.len() as u16).div_ceil(rows)).max(1);
    let fits = usize::from(rows * sides);
    let hidden = wanted.len().saturating_sub(fits);
    // The picked one is among those that have room.
    let picked = SERIES.get(choice.picked).and_then(|picked| wanted.iter().position(|series| series == picked));
    let first = picked.map_or(0, |at| (at + 1).saturating_sub(fits)).min(hidden);
    wanted.drain(..first);
    wanted.truncate(fits);
    let used_rows = (wanted.len() as u16).div_ceil(sides);
    let mut arranged = Arranged { list, hidden, ..Arranged::default() };
    let columns = room.width / sides;
    let heights = room.height - BELOW;
    for (at, series) in (0u16..).zip(wanted) {
        let (side, row) = (at / used_rows, at % used_rows);
        let (top, bottom) = (heights * row / used_rows, heights * (row + 1) / used_rows);
        let gap = u16::from(side + 1 < sides);
        let place = Place { x: room.x + side * columns, y: top, width: columns - gap, height: bottom - top };
        if row == 0 {
            arranged.below.push(Place { y: heights, height: BELOW, ..Arranged::plot(place) });
        }
        arranged.charts.push((series, place));
    }
    arranged
}

/// What is under a position of the pane.
pub fn under(view: &TimeView<'_>, arranged: &Arranged, x: u16, y: u16) -> Option<Under> {
    if arranged.list.contains(x, y) {
        return Some(Under::Listed(y.into()));
    }
    let moment = |place: Place| {
        let column = x.checked_sub(place.x).filter(|column| *column < place.width)?;
        let (column, columns) = (usize::from(column), usize::from(place.width));
        if column + 1 == columns {
            return Some(view.visible.to);
        }
        Some(view.visible.lasting(column, columns).start)
    };
    let chart = arranged.charts.iter().find(|(_, place)| place.contains(x, y));
    if let Some(&(series, place)) = chart {
        return moment(Arranged::plot(place)).map(|at| Under::Moment(at, Some(series)));
    }
    let below = arranged.below.iter().find(|place| place.contains(x, y))?;
    moment(*below).map(|at| Under::Moment(at, None))
}

/// A chart without its curves.
#[derive(Debug, Clone)]
pub struct Chart {
    /// Name, value at the cursor, extremes of what is in sight.
    pub title: Row,
    /// What the curves are drawn in.
    pub role: Role,
    /// The value at the lower edge and at the upper one.
    pub scale: (u64, u64),
    /// The same in words.
    pub ends: (String, String),
    /// A line not to be crossed.
    pub limit: Option<u64>,
    /// Each dot column with its extremes, from the left.
    pub columns: Vec<Option<Band>>,
}

/// Beyond this part of the highest value the lowest is where the axis begins: else the curve would be a line.
const NARROW_BAND: u64 = 2;

/// A chart of `width` columns whose plot is `dots` dots wide.
pub fn chart(scene: &Scene<'_>, view: &TimeView<'_>, series: Series, width: u16, dots: usize) -> Chart {
    let shown = view.visible;
    let columns: Vec<Option<Band>> = (0..dots).map(|column| series.band(scene, shown.lasting(column, dots))).collect();
    let min = columns.iter().flatten().map(|band| band.min).min().unwrap_or(0);
    let max = columns.iter().flatten().map(|band| band.max).max().unwrap_or(0);
    let limit = series.limit(scene);
    let top = max.max(limit.unwrap_or(0)).max(1);
    let bottom = if top - min < top / NARROW_BAND && min < top && limit.is_none() { min } else { 0 };
    let now = series.words(scene, series.now(scene));
    let mut line = Line::new(width, scene.glyphs).strong(series.name(), series.role()).gap(1);
    line = line.strong(now, Role::Number);
    let known = columns.iter().any(Option::is_some);
    let band = if !known {
        "  not known yet".to_owned()
    } else if series == Series::Failures {
        format!(" so far, {} in sight", text::count(series_total(scene, view)))
    } else {
        let (low, high) = (series.short(scene, min), series.short(scene, max));
        let apart = (low == high && min < max).then(|| format!(", apart by {}", series.words(scene, max - min)));
        format!("  {low} to {high} in sight{}", apart.unwrap_or_default())
    };
    line = line.put(band, Role::Muted);
    if let Some(limit) = limit {
        let crossed = max > limit;
        let words = format!("{} limit {}", if crossed { ", above the" } else { "," }, text::count(limit));
        line = line.put(words, if crossed { Role::Warn } else { Role::Muted });
    }
    let meaning = format!("  {} {}", scene.glyphs.dot, series.meaning());
    if text::width(&meaning) <= line.room() {
        line = line.put(meaning, Role::Muted);
    }
    // Where nothing ever was there is no scale.
    let upper = if max == 0 && limit.is_none() { String::new() } else { series.short(scene, top) };
    let ends = (series.short(scene, bottom), upper);
    Chart { title: line.done(), role: series.role(), scale: (bottom, top), ends, limit, columns }
}

/// Failures in sight.
fn series_total(scene: &Scene<'_>, view: &TimeView<'_>) -> u64 {
    let states = view.visible.from..view.visible.to + 1;
    Series::Failures.band(scene, states).map_or(0, |band| band.max)
}

/// The list: which charts are shown, and their values at the cursor.
pub fn list(scene: &Scene<'_>, choice: &ChartChoice) -> Vec<Row> {
    let glyphs = scene.glyphs;
    let row = |(at, series): (usize, Series)| {
        let shown = if choice.alone { at == choice.picked } else { choice.shown[at] };
        let picked = at == choice.picked;
        let mut line = Line::new(LIST, glyphs)
            .left(if picked { glyphs.cursor.to_string() } else { String::new() }, 1, Role::Key)
            .put(if shown { "[x] " } else { "[ ] " }, Role::Muted);
        line.span(Span { strong: picked, ..Span::new(series.name(), if shown { series.role() } else { Role::Muted }) });
        line.focused(picked).done()
    };
    SERIES.into_iter().enumerate().map(row).collect()
}

/// Below the charts: what happened where, and what the edges stand for.
pub fn below(scene: &Scene<'_>, view: &TimeView<'_>, width: u16) -> [Row; 2] {
    let columns = usize::from(width);
    let cursor = view.visible.column(scene.replay.cursor(), columns);
    let mut signs = Line::new(columns, scene.glyphs);
    for column in 0..columns {
        let states = view.visible.states(column, columns);
        let sign = sign_of(scene, view, &records_of(&states)).filter(|_| !states.is_empty());
        let (glyph, role) = match sign {
            Some(sign) => sign,
            None if cursor == Some(column) => (scene.glyphs.up, Role::Key),
            None => (' ', Role::Text),
        };
        signs.span(Span { selected: cursor == Some(column), ..Span::new(glyph.to_string(), role) });
    }
    [signs.done(), edges(scene, view, columns)]
}

/// The first and the last record in sight, with their times.
fn edges(scene: &Scene<'_>, view: &TimeView<'_>, columns: usize) -> Row {
    let replay = scene.replay;
    let log = replay.log();
    let edge = |records: usize| {
        let number = text::count(records as u64);
        let at = records.max(1) - 1;
        let event = log.get(crate::event::Seq(at as u32));
        let time = event.map(|event| text::time(log, event.at)).unwrap_or_default();
        if time.is_empty() { number } else { format!("{number}  {time}") }
    };
    let noun = super::script::noun(log);
    let (first, last) = (format!("{noun} {}", edge(view.visible.from + 1)), edge(view.visible.to));
    let mut line = Line::new(columns, scene.glyphs).put(first, Role::Muted);
    let room = line.room();
    if text::width(&last) < room {
        line = line.right(last, room, Role::Muted);
    }
    line.done()
}

/// The title: which stretch, and how many charts have no room.
pub fn title(scene: &Scene<'_>, view: &TimeView<'_>, arranged: &Arranged) -> Vec<Span> {
    let mut spans = vec![Span::new("charts", Role::Title)];
    let all = || format!("all of {}", text::plural(scene.replay.len() as u64, "event", "events"));
    spans.push(Span::new(format!("  {}", view.visible.told(scene).unwrap_or_else(all)), Role::Number));
    if arranged.hidden > 0 {
        let words = format!(" {} {} more have no room", scene.glyphs.dot, arranged.hidden);
        spans.push(Span::new(words, Role::Warn));
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_never_overlap_nor_leave_the_pane_and_the_picked_one_is_shown() {
        for (width, height) in (0_u16..220).step_by(7).flat_map(|width| (0_u16..70).map(move |height| (width, height)))
        {
            for (picked, series) in SERIES.iter().enumerate() {
                let choice = ChartChoice { picked, ..ChartChoice::default() };
                let shown = arranged(width, height, &choice);
                let all: Vec<Place> =
                    shown.charts.iter().map(|(_, place)| *place).chain(shown.below.iter().copied()).collect();
                for (at, place) in all.iter().enumerate() {
                    assert!(place.x + place.width <= width && place.y + place.height <= height, "{place:?}");
                    for x in place.x..place.x + place.width {
                        let twice = all[..at].iter().any(|other| other.contains(x, place.y));
                        assert!(!twice && !shown.list.contains(x, place.y), "{width}x{height}: {place:?}");
                    }
                }
                let is_shown = shown.charts.iter().any(|(other, _)| other == series);
                assert!(is_shown || shown.charts.is_empty(), "{width}x{height}: {picked}");
                assert_eq!(shown.charts.len() + shown.hidden, SERIES.len());
            }
        }
    }

    #[test]
    fn small_screens_have_three_charts_and_large_ones_eight() {
        let shown = |width, height| arranged(width, height, &ChartChoice::default()).charts.len();
        assert_eq!(shown(78, 19), 3);
        assert_eq!(shown(198, 44), 8);
    }
}
