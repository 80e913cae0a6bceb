//! A metric of all lanes over the trace, to one scale.

use super::super::line::Line;
use super::super::{Role, Row, Scene, Span, Target, text};
use super::{LABEL, Lanes, name, series, sign};
use crate::compare::Lane;
use crate::event::Seq;
use crate::replay::Metric;

/// The rows: what is drawn, and `tall` rows for each lane.
pub(super) fn rows(scene: &Scene<'_>, lanes: &Lanes<'_>, width: usize, tall: usize) -> Vec<Row> {
    let columns = width.saturating_sub(LABEL + 2).max(1);
    let metric = series(lanes.metric);
    let visible = lanes.view.visible;
    let highest = lanes.list().iter().filter_map(|lane| {
        let to = (visible.to + 1).min(lane.ran() + 1);
        Some(lane.series().extremes(lanes.metric, visible.from..to)?.max)
    });
    let scale = highest.max().unwrap_or(0).max(1);
    let head = Line::new(width, scene.glyphs).gap(1).left(metric.name(), LABEL - 1, Role::Title);
    let stretch = visible.told(scene).map_or_else(String::new, |told| format!("; {told}"));
    let least = if lanes.metric == Metric::Largest { "least" } else { "most" };
    let words = format!("{least} of each column, up to {}; {}{stretch}", metric.words(scene, scale), metric.meaning());
    let mut rows = vec![head.put(words, Role::Muted).done()];
    for (at, lane) in lanes.list().iter().enumerate() {
        for part in 0..tall {
            let line = Line::new(width, scene.glyphs).gap(1);
            let line = match part {
                0 => line.strong(sign(at), Role::Key).gap(1).left(name(lane), LABEL - 4, Role::Text),
                1 => line.gap(2).left(value(scene, lanes, lane), LABEL - 4, Role::Number),
                _ => line,
            };
            rows.push(bars(scene, lanes, lane, (columns, scale, tall - 1 - part, tall), line.to(LABEL)));
        }
    }
    rows
}

/// The value at the cursor.
fn value(scene: &Scene<'_>, lanes: &Lanes<'_>, lane: &Lane) -> String {
    let at = lane.cursor();
    let value = lane.series().extremes(lanes.metric, at..at + 1).map_or(0, |found| found.last);
    series(lanes.metric).words(scene, value)
}

/// One of the rows of a curve, `level` rows above its foot.
fn bars(
    scene: &Scene<'_>,
    lanes: &Lanes<'_>,
    lane: &Lane,
    (columns, scale, level, tall): (usize, u64, usize, usize),
    mut line: Line<'_>,
) -> Row {
    let visible = lanes.view.visible;
    let cursor = visible.column(scene.replay.cursor(), columns);
    for column in 0..columns {
        let states = visible.lasting(column, columns);
        let start = states.start;
        let known = states.start..states.end.min(lane.ran() + 1);
        let found = if known.is_empty() { None } else { lane.series().extremes(lanes.metric, known) };
        let value = found.map(|found| if lanes.metric == Metric::Largest { found.min } else { found.max });
        let (glyph, role) = match value {
            None => (' ', Role::Text),
            Some(0) if level == 0 => (if scene.glyphs.ascii { '_' } else { scene.glyphs.dot }, Role::Muted),
            Some(value) => {
                let eighths = (u128::from(value) * 8 * tall as u128).div_ceil(u128::from(scale)) as usize;
                match eighths.saturating_sub(level * 8).min(8) {
                    0 => (' ', Role::Text),
                    part => (scene.glyphs.bars[part - 1], series(lanes.metric).role()),
                }
            }
        };
        line.span(Span {
            text: glyph.to_string(),
            role,
            selected: cursor == Some(column),
            target: Some(Target::Event(Seq(start as u32))),
            ..Span::default()
        });
    }
    line.done()
}

/// A number of things, short.
pub(super) fn short(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 { text::count(value as u64) } else { format!("{value:.2}") }
}
