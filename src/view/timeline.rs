//! The timeline: where should I look? The whole trace in one row per metric.

use super::focus::window_bytes;
use super::line::Line;
use super::text;
use super::{Role, Row, Scene, Span, Target};
use crate::event::Seq;
use crate::replay::{Sample, Timeline, Verdict};

/// A window up to this size can really run out of room: then the largest hole matters more than the number of holes.
const SMALL_WINDOW: u64 = 16 << 30;
/// Divergences of one column that are looked at; one adopted among them is enough.
const MAX_LOOKED: usize = 64;

/// What a row shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Metric {
    Busy,
    Lazy,
    Largest,
    Holes,
    Marks,
}

/// The metrics worth the rows there are, in the order they stand.
fn chosen(scene: &Scene<'_>, height: u16) -> Vec<Metric> {
    let small = scene.replay.space().allocator().window().len_bytes() <= SMALL_WINDOW;
    let (fourth, fifth) = if small { (Metric::Largest, Metric::Holes) } else { (Metric::Holes, Metric::Largest) };
    match height {
        0 => vec![],
        1 => vec![Metric::Busy],
        2 => vec![Metric::Busy, Metric::Marks],
        3 => vec![Metric::Busy, Metric::Lazy, Metric::Marks],
        4 => vec![Metric::Busy, Metric::Lazy, fourth, Metric::Marks],
        _ => vec![Metric::Busy, Metric::Lazy, fourth, fifth, Metric::Marks],
    }
}

/// Columns of the labels, for the painter and the mouse alike.
fn label_width(width: u16) -> usize {
    match width {
        132.. => 46,
        80.. => 27,
        48..80 => 15,
        _ => 0,
    }
}

/// Records applied at the left edge of a bar column.
fn record_at(scene: &Scene<'_>, bars: usize, column: usize) -> usize {
    (column as u128 * scene.replay.len() as u128 / bars.max(1) as u128) as usize
}

/// Records applied at a column of the rows, for clicks and drags.
pub fn seq_at(scene: &Scene<'_>, width: u16, column: u16) -> usize {
    let label = label_width(width);
    let bars = usize::from(width).saturating_sub(label).max(1);
    let column = usize::from(column).saturating_sub(label);
    if column + 1 >= bars {
        return scene.replay.len();
    }
    record_at(scene, bars, column)
}

/// The rows; with few of them those that matter most.
pub fn rows(scene: &Scene<'_>, width: u16, height: u16) -> Vec<Row> {
    if width == 0 || height == 0 {
        return Vec::new();
    }
    if scene.replay.is_empty() {
        let line = Line::new(width, scene.glyphs).put(" a snapshot is one moment: there is no timeline", Role::Muted);
        return vec![line.done()];
    }
    let label = label_width(width);
    let bars = usize::from(width).saturating_sub(label).max(1);
    let pane = Pane { scene, width: width.into(), label, bars };
    let metrics = chosen(scene, height);
    let alone = metrics.len() == 1;
    metrics.into_iter().map(|metric| pane.row(metric, alone)).collect()
}

struct Pane<'s, 'a> {
    scene: &'s Scene<'a>,
    width: usize,
    label: usize,
    bars: usize,
}

impl Pane<'_, '_> {
    fn timeline(&self) -> &Timeline {
        &self.scene.replay.plan().timeline
    }

    /// The column the cursor is in.
    fn cursor(&self) -> usize {
        let len = self.scene.replay.len().max(1) as u128;
        let column = self.scene.replay.cursor() as u128 * self.bars as u128 / len;
        (column as usize).min(self.bars - 1)
    }

    fn row(&self, metric: Metric, marks_too: bool) -> Row {
        let (name, value) = self.label(metric);
        let mut line = Line::new(self.width, self.scene.glyphs);
        if self.label > 0 {
            line = line.gap(1).put(name, Role::Muted);
            if self.label > 20 {
                line = line.right(value, self.label.saturating_sub(name.len() + 2), Role::Number);
            }
            line = line.to(self.label);
        }
        let cursor = self.cursor();
        let scale = self.scale(metric);
        for column in 0..self.bars {
            let mark = if marks_too || metric == Metric::Marks { self.mark(column) } else { None };
            let (glyph, role) = match (mark, metric) {
                (Some(mark), _) => mark,
                (None, Metric::Marks) if column == cursor => (self.scene.glyphs.up, Role::Key),
                (None, Metric::Marks) => (' ', Role::Text),
                (None, _) => self.bar(metric, column, scale),
            };
            let at = record_at(self.scene, self.bars, column);
            // What has not happened yet is written less loudly.
            let role = if column > cursor && mark.is_none() { Role::Muted } else { role };
            line.span(Span {
                text: glyph.to_string(),
                role,
                selected: column == cursor,
                target: Some(Target::Event(Seq(at as u32))),
                ..Span::default()
            });
        }
        line.done()
    }

    /// Name and present value.
    fn label(&self, metric: Metric) -> (&'static str, String) {
        let allocator = self.scene.replay.space().allocator();
        match metric {
            Metric::Busy => ("busy", text::bytes(allocator.metrics().busy_bytes)),
            Metric::Lazy => {
                let (lazy, limit) = (allocator.lazy_pages(), allocator.lazy_max_pages());
                ("lazy pages", format!("{}/{}", text::count(lazy), text::count(limit)))
            }
            Metric::Largest => ("largest hole", text::bytes(allocator.largest_hole())),
            // Of the tree's nodes some lie outside the range; people count those inside.
            Metric::Holes if self.label > 20 => ("holes in range", text::count(allocator.metrics().holes)),
            Metric::Holes => ("holes", String::new()),
            Metric::Marks => self.marks_label(),
        }
    }

    /// Failed attempts and allocations that were not exact, each up to the cursor beside the total.
    fn marks_label(&self) -> (&'static str, String) {
        let cursor = self.scene.replay.cursor();
        let count = |indices: &[u32], of: &str| {
            let n = indices.partition_point(|&index| (index as usize) < cursor) as u64;
            format!("{}{of}{}", text::count(n), text::count(indices.len() as u64))
        };
        let (failed, differ) = (&self.timeline().failures, &self.timeline().divergences);
        let reports = &self.timeline().reports;
        let long = format!("{} / {}", count(failed, " of "), count(differ, " of "));
        let short = format!("{} {}", count(failed, "/"), count(differ, "/"));
        // Blanks on the left, in the middle and before the bars.
        let fits = |name: &str, value: &str| name.len() + value.len() + 3 <= self.label;
        match () {
            () if self.label < 20 => ("fail/inexact", String::new()),
            () if failed.is_empty() && differ.is_empty() && !reports.is_empty() => {
                ("in the log", count(reports, " of "))
            }
            () if failed.is_empty() && differ.is_empty() => ("failed/not exact", "none".to_owned()),
            () if differ.is_empty() => ("failed", count(failed, " of ")),
            () if failed.is_empty() => ("not exact", count(differ, " of ")),
            () if fits("failed / not exact", &long) => ("failed / not exact", long),
            () if fits("failed/not exact", &short) => ("failed/not exact", short),
            () if fits("fail/inexact", &short) => ("fail/inexact", short),
            () => ("fails", short),
        }
    }

    /// The value that fills a bar.
    fn scale(&self, metric: Metric) -> u64 {
        let allocator = self.scene.replay.space().allocator();
        let most = |value: fn(&Sample) -> u64| self.timeline().samples.iter().map(value).max().unwrap_or(0);
        match metric {
            Metric::Busy => most(|sample| sample.busy_bytes),
            Metric::Lazy => allocator.lazy_max_pages(),
            Metric::Largest => most(|sample| sample.largest_hole).min(window_bytes(allocator.window())),
            Metric::Holes => most(|sample| sample.holes.into()),
            Metric::Marks => 0,
        }
        .max(1)
    }

    /// The bar of a column: its highest value, of the largest hole the lowest, since that is when it is tight.
    fn bar(&self, metric: Metric, column: usize, scale: u64) -> (char, Role) {
        let glyphs = self.scene.glyphs;
        let samples = self.samples(column);
        let highest = |value: fn(&Sample) -> u64| samples.iter().map(value).max();
        let (value, role) = match metric {
            Metric::Busy => (highest(|sample| sample.busy_bytes), Role::Busy),
            Metric::Lazy => (highest(|sample| sample.lazy_pages), Role::Lazy),
            Metric::Largest => (samples.iter().map(|sample| sample.largest_hole).min(), Role::Free),
            Metric::Holes => (highest(|sample| sample.holes.into()), Role::Text),
            Metric::Marks => (None, Role::Text),
        };
        let Some(value) = value else { return (' ', Role::Text) };
        if value == 0 {
            return (if glyphs.ascii { ' ' } else { glyphs.dot }, Role::Muted);
        }
        let eighth = u128::from(value) * 8 / u128::from(scale);
        // Above the limit is worth a look.
        let role = if metric == Metric::Lazy && value > scale { Role::Warn } else { role };
        (glyphs.bars[(eighth as usize).min(7)], role)
    }

    /// The samples of a column; where there are fewer than columns, the last one before it.
    fn samples(&self, column: usize) -> &[Sample] {
        let samples = &self.timeline().samples;
        let from = record_at(self.scene, self.bars, column) as u32;
        let to = record_at(self.scene, self.bars, column + 1) as u32;
        let low = samples.partition_point(|sample| sample.at < from);
        let high = samples.partition_point(|sample| sample.at < to.max(from + 1));
        if low < high { &samples[low..high] } else { &samples[low.saturating_sub(1)..low.min(samples.len())] }
    }

    /// The letter of a mark of the person's own at the records `from..to`.
    fn own_mark(&self, from: usize, to: usize) -> Option<char> {
        let marks = self.scene.marks;
        let at = marks.partition_point(|&(cursor, _)| cursor <= from);
        marks.get(at).filter(|&&(cursor, _)| cursor <= to.max(from + 1)).map(|&(_, letter)| letter)
    }

    /// The gravest thing among the records of a column.
    fn mark(&self, column: usize) -> Option<(char, Role)> {
        let glyphs = self.scene.glyphs;
        let timeline = self.timeline();
        let from = record_at(self.scene, self.bars, column) as u32;
        let to = record_at(self.scene, self.bars, column + 1) as u32;
        if let Some(own) = self.own_mark(from as usize, to as usize) {
            return Some((own, Role::Key));
        }
        let within = |indices: &'_ [u32]| {
            let low = indices.partition_point(|&index| index < from);
            let high = indices.partition_point(|&index| index < to);
            low..high.max(low)
        };
        if !within(&timeline.failures).is_empty() || !within(&timeline.reports).is_empty() {
            return Some((glyphs.failure, Role::Bad));
        }
        let differing = &timeline.divergences[within(&timeline.divergences)];
        if !differing.is_empty() {
            let adopted = differing.iter().take(MAX_LOOKED).any(|&index| {
                matches!(self.scene.replay.verdict(Seq(index)), Verdict::Adopted(_) | Verdict::Differs(_))
            });
            return Some(if adopted { (glyphs.adopted, Role::Bad) } else { (glyphs.inferred, Role::Warn) });
        }
        if !within(&timeline.lost).is_empty() {
            return Some((glyphs.lost, Role::Warn));
        }
        if !within(&timeline.purges).is_empty() {
            return Some((glyphs.purge, Role::Free));
        }
        (!within(&timeline.marks).is_empty()).then_some((glyphs.mark, Role::Key))
    }
}
