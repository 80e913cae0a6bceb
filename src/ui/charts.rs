//! The charts on the screen: rows of words from the view, curves by ratatui's canvas.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};
use ratatui::style::Modifier;
use ratatui::symbols::Marker;
use ratatui::text::Line as Text;
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::{Canvas, Line};

use super::app::App;
use super::layout::PaneBox;
use super::paint;
use super::pane::PaneId;
use crate::view::Role;
use crate::view::charts::{self, Arranged, Chart, Place, Under};
use crate::view::series::{Band, SERIES};

/// Dots of a character of braille: columns and rows.
const DOTS: (u16, u16) = (2, 4);

/// Where everything is.
pub(crate) fn arranged(app: &App, size: Size) -> Arranged {
    charts::arranged(size.width, size.height, &app.charts)
}

/// Puts the charts into `area`.
pub(crate) fn draw(app: &App, buffer: &mut Buffer, area: Rect) {
    let arranged = arranged(app, area.as_size());
    let scene = app.scene();
    let view = app.time_view();
    let rect = |place: Place| {
        let all = Rect { x: area.x + place.x, y: area.y + place.y, width: place.width, height: place.height };
        all.intersection(area)
    };
    if arranged.list.height > 0 {
        let rows = charts::list(&scene, &app.charts);
        paint::rows(buffer, rect(arranged.list), &rows, None, app.theme, app.glyphs);
    }
    for &(series, place) in &arranged.charts {
        let plot = Arranged::plot(place);
        let dots = if app.glyphs.ascii { plot.width } else { plot.width * DOTS.0 };
        let chart = charts::chart(&scene, &view, series, place.width, dots.into());
        let head = Rect { height: 1, ..rect(place) };
        paint::rows(buffer, head, std::slice::from_ref(&chart.title), None, app.theme, app.glyphs);
        axis(app, buffer, rect(place), &chart);
        curve(app, buffer, rect(plot), &chart);
        cursor(app, buffer, rect(plot));
    }
    for &place in &arranged.below {
        let rows = charts::below(&scene, &view, place.width);
        paint::rows(buffer, rect(place), &rows, None, app.theme, app.glyphs);
    }
    if arranged.charts.is_empty() {
        let words = if app.charts.shown.contains(&true) { "no room for a chart" } else { "no chart is chosen" };
        let at = Rect { x: area.x + arranged.list.width, width: area.width - arranged.list.width, ..area };
        let row = paint::words(&[(" ", Role::Text), (words, Role::Muted)]);
        paint::rows(buffer, at, &[row], None, app.theme, app.glyphs);
    }
}

/// The values at the upper and at the lower edge, and the line between them and the curves.
fn axis(app: &App, buffer: &mut Buffer, place: Rect, chart: &Chart) {
    let plot = Arranged::plot(Place { x: place.x, y: place.y, width: place.width, height: place.height });
    let width = plot.x - place.x;
    if width < 2 || plot.height == 0 {
        return;
    }
    let muted = app.theme.style(Role::Muted);
    let mut write = |y: u16, words: &str| {
        let words = crate::view::text::clip(words, usize::from(width - 1), app.glyphs);
        let columns = crate::view::text::width(&words) as u16;
        buffer.set_string(plot.x - 1 - columns.min(width - 1), y, words.as_ref(), muted);
    };
    write(plot.y, &chart.ends.1);
    if plot.height > 1 {
        write(plot.y + plot.height - 1, &chart.ends.0);
    }
    for y in plot.y..plot.y + plot.height {
        buffer.set_string(plot.x - 1, y, app.glyphs.tree[1].to_string(), muted);
    }
}

/// The band between the lowest and the highest value of each column of dots, and the limit.
fn curve(app: &App, buffer: &mut Buffer, plot: Rect, chart: &Chart) {
    if plot.is_empty() {
        return;
    }
    let (low, high) = chart.scale;
    let rows = if app.glyphs.ascii { plot.height } else { plot.height * DOTS.1 };
    let dots = chart.columns.len() as u16;
    // In dots from the bottom, so that equal values are on one line whatever the scale.
    let dot = |value: u64| {
        let above = u128::from(value.clamp(low, high) - low) * u128::from(rows - 1);
        (above / u128::from((high - low).max(1))) as f64
    };
    let style = app.theme.style(chart.role);
    let color = style.fg.unwrap_or_default();
    let limit = chart.limit.filter(|&limit| low < limit);
    let limit_color = app.theme.style(Role::Warn).fg.unwrap_or_default();
    let marker = if app.glyphs.ascii { Marker::Custom(app.glyphs.busy) } else { Marker::Braille };
    let canvas = Canvas::default()
        .marker(marker)
        .x_bounds([0.0, f64::from(dots.max(2) - 1)])
        .y_bounds([0.0, f64::from(rows.max(2) - 1)])
        .paint(|context| {
            for (x, band) in chart.columns.iter().enumerate() {
                let Some(Band { min, max }) = *band else { continue };
                let x = x as f64;
                context.draw(&Line::new(x, dot(min), x, dot(max), color));
            }
            if let Some(limit) = limit {
                context.layer();
                if app.glyphs.ascii {
                    let dashes: String = std::iter::repeat_n("- ", usize::from(plot.width / 2)).collect();
                    context.print(0.0, dot(limit), Text::styled(dashes, limit_color));
                } else {
                    for x in (0..dots).filter(|x| x % 4 < 2) {
                        let x = f64::from(x);
                        context.draw(&Line::new(x, dot(limit), x, dot(limit), limit_color));
                    }
                }
            }
        });
    canvas.render(plot, buffer);
}

/// The cursor: a line where there is nothing else, and what there is reversed.
fn cursor(app: &App, buffer: &mut Buffer, plot: Rect) {
    let column = app.time_view().visible.column(app.replay.cursor(), plot.width.into());
    let Some(x) = column.map(|column| plot.x + column as u16) else { return };
    let style = app.theme.style(Role::Key);
    for y in plot.y..plot.bottom() {
        if let Some(cell) = buffer.cell_mut(Position { x, y }) {
            let is_blank = matches!(cell.symbol(), " " | "\u{2800}");
            if is_blank {
                cell.set_char(app.glyphs.tree[1]).set_style(style);
            } else {
                cell.set_style(style.add_modifier(Modifier::REVERSED));
            }
        }
    }
}

/// What is under a position of the screen.
pub(crate) fn under(app: &App, pane: &PaneBox, at: Position) -> Option<Under> {
    if pane.id != PaneId::Charts || !pane.inner.contains(at) {
        return None;
    }
    let arranged = arranged(app, pane.inner.as_size());
    charts::under(&app.time_view(), &arranged, at.x - pane.inner.x, at.y - pane.inner.y)
}

/// Shows or hides the picked chart.
pub(crate) fn toggle(app: &mut App) {
    let at = app.charts.picked;
    if app.charts.alone {
        app.charts.alone = false;
        return;
    }
    if let Some(shown) = app.charts.shown.get_mut(at) {
        *shown = !*shown;
    }
}

/// Moves the cursor of the list; `false` at its ends.
pub(crate) fn pick(app: &mut App, down: bool) -> bool {
    let at = app.charts.picked;
    let to = if down { (at + 1).min(SERIES.len() - 1) } else { at.saturating_sub(1) };
    app.charts.picked = to;
    to != at
}
