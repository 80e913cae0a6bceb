//! Compare: which rule does better here? Two to four lanes on one cursor: what each answers to this request, maps to one
//! scale, a metric over the whole trace, figures with their difference to the first lane.

mod answers;
mod axis;
mod curves;
mod figures;
mod maps;

use super::line::Line;
use super::series::Series;
use super::visible::TimeView;
use super::{Role, Row, Scene, Span, text};
use crate::compare::{Comparison, Lane};
use crate::replay::Metric;

/// Lanes there can be at once.
pub const MOST_LANES: usize = 4;
/// Columns of what stands left of the lanes.
const LABEL: usize = 20;

/// Metrics that can be drawn as a curve.
pub const CURVES: [Metric; 7] =
    [Metric::Holes, Metric::Largest, Metric::Fragmentation, Metric::Busy, Metric::Lazy, Metric::Pooled, Metric::Tables];

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub struct Lanes<'a> {
    /// The lanes, each at the cursor as far as it has run.
    pub comparison: &'a Comparison,
    /// What is drawn as a curve.
    pub metric: Metric,
    /// The stretch of the trace that curves show.
    pub view: TimeView<'a>,
}

impl Lanes<'_> {
    fn list(&self) -> &[Lane] {
        self.comparison.lanes()
    }

    /// Are the lanes where the cursor is?
    fn is_here(&self, scene: &Scene<'_>) -> bool {
        self.list().iter().all(|lane| lane.cursor() == scene.replay.cursor())
    }
}

/// The sign of a lane: its number.
fn sign(at: usize) -> String {
    (at + 1).to_string()
}

/// What a lane is called: its policy, and what is changed.
fn name(lane: &Lane) -> String {
    lane.spec().to_string()
}

/// All rows for a pane of that size, of which it can show some.
pub fn rows(scene: &Scene<'_>, lanes: &Lanes<'_>, width: u16, height: u16) -> Vec<Row> {
    let width = usize::from(width);
    let mut rows = answers::rows(scene, lanes, width);
    rows.push(Row::default());
    // What is on the screen all the time shares it; tables follow below.
    let tall = match height {
        ..=26 => 1,
        27..=44 => 2,
        45..=u16::MAX => 3,
    };
    rows.extend(maps::rows(scene, lanes, width, tall));
    rows.push(Row::default());
    rows.extend(curves::rows(scene, lanes, width, tall));
    rows.push(Row::default());
    rows.extend(figures::rows(scene, lanes, width));
    rows
}

/// The title: how many lanes, and where they parted first.
pub fn title(scene: &Scene<'_>, lanes: &Lanes<'_>) -> Vec<Span> {
    let mut spans = vec![Span::new("compare", Role::Title)];
    let n = lanes.list().len() as u64;
    spans.push(Span::new(format!("  {}", text::plural(n, "lane", "lanes")), Role::Text));
    match lanes.comparison.first_parting() {
        Some(seq) => {
            let (glyph, event) = (scene.glyphs.unlike, text::count(seq.index() as u64 + 1));
            spans.push(Span::new(format!("  {glyph} parted first at event {event}"), Role::Warn));
        }
        None if lanes.list().iter().all(Lane::is_through) => {
            spans.push(Span::new(format!("  {} never part", scene.glyphs.exact), Role::Good));
        }
        None => {}
    }
    spans
}

/// What there is while nothing can be compared yet.
pub fn waiting(scene: &Scene<'_>, words: &str, width: u16) -> Vec<Row> {
    vec![Line::new(width, scene.glyphs).gap(1).put(words, Role::Muted).done()]
}

/// How much of the trace all lanes have been through, in a row; `None` once they are.
fn progress(scene: &Scene<'_>, lanes: &Lanes<'_>, width: usize) -> Option<Row> {
    if lanes.list().iter().all(Lane::is_through) {
        return None;
    }
    let (ran, n) = (lanes.comparison.ran() as u64, scene.replay.len() as u64);
    let words = format!("{} running: {} % of {} events", scene.glyphs.playing, ran * 100 / n.max(1), text::count(n));
    Some(Line::new(width, scene.glyphs).gap(1).put(words, Role::Key).done())
}

/// The series of a metric.
fn series(metric: Metric) -> Series {
    Series::Metric(metric)
}
