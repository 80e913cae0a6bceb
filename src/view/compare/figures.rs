//! Figures of all lanes, and how each differs from the first: at the cursor, and over the whole trace.

use super::super::line::Line;
use super::super::{Role, Row, Scene, text};
use super::curves::short;
use super::{CURVES, LABEL, Lanes, name, series, sign};
use crate::compare::{Counts, Lane, METRICS, MetricRow, Value};
use crate::replay::Metric;

/// Columns of a lane at least: a size and a difference.
const LEAST: usize = 14;

/// The rows of both tables.
pub(super) fn rows(scene: &Scene<'_>, lanes: &Lanes<'_>, width: usize) -> Vec<Row> {
    let n = lanes.list().len().max(1);
    let columns = (width.saturating_sub(LABEL + 1) / n).clamp(LEAST, 34);
    let mut rows = vec![heading(scene, lanes, "at the cursor", (width, columns))];
    for metric in CURVES {
        rows.push(at_cursor(scene, lanes, metric, (width, columns)));
    }
    rows.push(Row::default());
    if lanes.list().iter().all(Lane::is_through) {
        rows.push(heading(scene, lanes, "whole trace", (width, columns)));
        rows.extend(METRICS.iter().map(|row| of_trace(scene, lanes, row, (width, columns))));
    } else {
        let words = "figures over the whole trace follow when every lane is through";
        rows.push(Line::new(width, scene.glyphs).gap(1).put(words, Role::Muted).done());
    }
    rows
}

fn heading(scene: &Scene<'_>, lanes: &Lanes<'_>, what: &str, (width, columns): (usize, usize)) -> Row {
    let mut line = Line::new(width, scene.glyphs).gap(1).left(what, LABEL - 1, Role::Title);
    for (at, lane) in lanes.list().iter().enumerate() {
        let end = line.used() + columns;
        line = line.strong(sign(at), Role::Key).gap(1).left(name(lane), columns.saturating_sub(3), Role::Text).to(end);
    }
    line.done()
}

fn at_cursor(scene: &Scene<'_>, lanes: &Lanes<'_>, metric: Metric, (width, columns): (usize, usize)) -> Row {
    let mut line = Line::new(width, scene.glyphs).gap(1).left(series(metric).name(), LABEL - 1, Role::Muted);
    let value = |lane: &Lane| {
        let at = lane.cursor();
        lane.series().extremes(metric, at..at + 1).map(|found| found.last)
    };
    let first = lanes.list().first().and_then(value);
    for (at, lane) in lanes.list().iter().enumerate() {
        let own = value(lane);
        let words = own.map_or_else(|| scene.glyphs.dot.to_string(), |own| series(metric).short(scene, own));
        let unlike = at > 0 && own != first;
        line =
            figure(scene, line, &words, own.zip(first).map(|(own, first)| (own as f64, first as f64)), unlike, columns);
    }
    line.done()
}

fn of_trace(scene: &Scene<'_>, lanes: &Lanes<'_>, row: &MetricRow, (width, columns): (usize, usize)) -> Row {
    let mut line = Line::new(width, scene.glyphs).gap(1).left(row.title, LABEL - 1, Role::Muted);
    let first = lanes.list().first().and_then(row.value);
    for (at, lane) in lanes.list().iter().enumerate() {
        let own = (row.value)(lane);
        let words = own.map_or_else(|| scene.glyphs.dot.to_string(), |own| words_of(scene, row, own));
        // A record is a place: it has no ratio.
        let pair = own.zip(first).filter(|_| row.counts != Counts::Record);
        let pair = pair.map(|(own, first)| (own.as_f64(), first.as_f64()));
        line = figure(scene, line, &words, pair, at > 0 && own != first, columns);
    }
    line.done()
}

/// A figure and, where there is room, by how much it is not the first lane's.
fn figure<'g>(
    scene: &Scene<'g>,
    line: Line<'g>,
    words: &str,
    pair: Option<(f64, f64)>,
    unlike: bool,
    columns: usize,
) -> Line<'g> {
    let end = line.used() + columns;
    if !unlike {
        return line.gap(2).left(words, columns.saturating_sub(3), Role::Number).to(end);
    }
    let line = line.put(format!("{} ", scene.glyphs.unlike), Role::Warn).strong(words, Role::Number);
    let difference = match pair {
        Some((own, first)) if first > 0.0 && own > 0.0 => {
            let percent = (own - first) / first * 100.0;
            match percent.abs() {
                0.0..0.05 => " < 0.1 %".to_owned(),
                0.05..10.0 => format!(" {percent:+.1} %"),
                10.0..1000.0 => format!(" {percent:+.0} %"),
                _ => format!(" x{}", short((own / first).round())),
            }
        }
        _ => String::new(),
    };
    let fits = line.used() + text::width(&difference) < end;
    line.put(if fits { difference } else { String::new() }, Role::Muted).to(end)
}

fn words_of(scene: &Scene<'_>, row: &MetricRow, value: Value) -> String {
    let number = value.as_f64();
    match row.counts {
        Counts::Things => short(number),
        Counts::Bytes => text::bytes(number as u64),
        Counts::Pages => text::plural(number as u64, "page", "pages"),
        Counts::Share => format!("{:.1} %", number * 100.0),
        Counts::Nanos => text::duration(number as u64, scene.glyphs),
        Counts::Record => format!("event {}", text::count(number as u64 + 1)),
    }
}
