//! The timeline: where should I look? One row for each metric, over the whole trace or a stretch of it.

use super::line::Line;
use super::series::{Band, Series, records_of};
use super::text;
use super::visible::{HAPPENINGS, Happened, TimeView, sign_of, user_mark};
use super::{Role, Row, Scene, Span, Target};
use crate::event::Seq;
use crate::replay::{Metric, Timeline};

/// A window up to this size can really run out of room: then the largest hole matters more than the number of holes.
const SMALL_WINDOW: u64 = 16 << 30;
/// From so many rows on what happened is told kind by kind.
const EACH_KIND: u16 = 14;

/// Up to so many rows the timeline is a strip without a border.
const STRIP: u16 = 2;

/// What a row shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Track {
    Metric(Metric),
    /// All that happened, the gravest first, and the user's marks.
    Signs,
    /// One kind of it.
    Kind(Happened),
    /// The user's marks alone.
    Marks,
}

/// What is worth the rows there are, in the order it stands.
fn chosen(scene: &Scene<'_>, height: u16) -> Vec<Track> {
    let allocator = scene.replay.space().allocator();
    let small = allocator.window().len_bytes() <= SMALL_WINDOW;
    let (fourth, fifth) = if small { (Metric::Largest, Metric::Holes) } else { (Metric::Holes, Metric::Largest) };
    let mut metrics = vec![Metric::Busy, Metric::Lazy, fourth, fifth, Metric::Fragmentation, Metric::Tables];
    metrics.extend(allocator.has_pools().then_some(Metric::Pooled));
    let rows = usize::from(height);
    let mut tracks: Vec<Track> = metrics.into_iter().map(Track::Metric).collect();
    if height < EACH_KIND {
        tracks.truncate(rows.saturating_sub(1).max(1));
        tracks.push(Track::Signs);
        tracks.truncate(rows);
    } else {
        tracks.extend(HAPPENINGS.map(Track::Kind));
        tracks.push(Track::Marks);
    }
    tracks
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

/// Records applied at a column of the rows, for clicks and drags.
pub fn seq_at(view: &TimeView<'_>, width: u16, column: u16) -> usize {
    let label = label_width(width);
    let bars = usize::from(width).saturating_sub(label).max(1);
    let column = usize::from(column).saturating_sub(label);
    if column + 1 >= bars {
        return view.visible.to;
    }
    view.visible.lasting(column, bars).start
}

/// The rows; with few of them those that matter most.
pub fn rows(scene: &Scene<'_>, width: u16, height: u16, view: &TimeView<'_>) -> Vec<Row> {
    if width == 0 || height == 0 {
        return Vec::new();
    }
    if scene.replay.is_empty() {
        let line = Line::new(width, scene.glyphs).put(" a snapshot is one moment: there is no timeline", Role::Muted);
        return vec![line.done()];
    }
    let label = label_width(width);
    let bars = usize::from(width).saturating_sub(label).max(1);
    let pane = Pane { scene, view, width: width.into(), label, bars, strip: height <= STRIP };
    let tracks = chosen(scene, height);
    let alone = tracks.len() == 1;
    tracks.into_iter().map(|track| pane.row(track, alone)).collect()
}

/// The title: which stretch is shown.
pub fn title(scene: &Scene<'_>, view: &TimeView<'_>) -> Vec<Span> {
    let mut spans = vec![Span::new("timeline", Role::Title)];
    spans.extend(view.visible.told(scene).map(|told| Span::new(format!("  {told}"), Role::Number)));
    spans
}

struct Pane<'s, 'a> {
    scene: &'s Scene<'a>,
    view: &'s TimeView<'s>,
    width: usize,
    label: usize,
    bars: usize,
    /// There is no title that tells the stretch.
    strip: bool,
}

impl Pane<'_, '_> {
    fn timeline(&self) -> &Timeline {
        &self.scene.replay.plan().timeline
    }

    fn row(&self, track: Track, alone: bool) -> Row {
        let mut line = Line::new(self.width, self.scene.glyphs);
        if self.label > 0 {
            let (name, value) = self.label(track);
            line = line.gap(1).put(&name, Role::Muted);
            if self.label > 20 {
                line = line.right(value, self.label.saturating_sub(text::width(&name) + 2), Role::Number);
            }
            line = line.to(self.label);
        }
        let now = self.scene.replay.cursor();
        let cursor = self.view.visible.column(now, self.bars);
        let scale = self.scale(track);
        for column in 0..self.bars {
            let states = self.view.visible.states(column, self.bars);
            let lasting = self.view.visible.lasting(column, self.bars);
            let at = lasting.start;
            let future = cursor.map_or(now < at, |cursor| cursor < column);
            let mark = match track {
                Track::Metric(_) if alone => sign_of(self.scene, self.view, &records_of(&states)),
                Track::Metric(_) => None,
                Track::Signs => sign_of(self.scene, self.view, &records_of(&states)),
                Track::Kind(kind) => kind.sign(self.scene, &records_of(&states)),
                Track::Marks => user_mark(self.view, &states),
            };
            let (glyph, role) = match (mark, track) {
                (Some(mark), _) => mark,
                (None, Track::Metric(metric)) => {
                    let band = Series::Metric(metric).band(self.scene, lasting);
                    let (glyph, role) = self.bar(metric, band, scale);
                    // What has not happened yet is written less loudly.
                    (glyph, if future { Role::Muted } else { role })
                }
                (None, Track::Signs | Track::Marks) if cursor == Some(column) => (self.scene.glyphs.up, Role::Key),
                (None, _) => (' ', Role::Text),
            };
            line.span(Span {
                text: glyph.to_string(),
                role,
                selected: cursor == Some(column),
                target: Some(Target::Event(Seq(at as u32))),
                ..Span::default()
            });
        }
        line.done()
    }

    /// Name and present value.
    fn label(&self, track: Track) -> (String, String) {
        let scene = self.scene;
        let now = |metric| Series::Metric(metric).now(scene);
        match track {
            Track::Metric(Metric::Lazy) => {
                let limit = scene.replay.space().allocator().lazy_max_pages();
                ("lazy pages".to_owned(), format!("{}/{}", text::count(now(Metric::Lazy)), text::count(limit)))
            }
            // Of the tree's nodes some lie outside the range; people count those inside.
            Track::Metric(Metric::Holes) if self.label > 20 => {
                ("holes in range".to_owned(), text::count(now(Metric::Holes)))
            }
            Track::Metric(metric) => {
                let series = Series::Metric(metric);
                (series.name().to_owned(), series.words(scene, now(metric)))
            }
            Track::Signs => self.signs_label(),
            Track::Kind(kind) => {
                let replay = scene.replay;
                let all = kind.count(replay, &(0..replay.len()));
                let so_far = kind.count(replay, &(0..replay.cursor()));
                let value = format!("{} of {}", text::count(so_far), text::count(all));
                (kind.name().to_owned(), if all == 0 { "none".to_owned() } else { value })
            }
            Track::Marks => {
                let n = self.view.marks.len() as u64;
                ("your marks".to_owned(), if n == 0 { "none".to_owned() } else { text::count(n) })
            }
        }
    }

    /// Failed attempts and allocations that were not exact, each up to the cursor beside the total.
    fn signs_label(&self) -> (String, String) {
        let zoomed = self.view.visible.told_short(self.scene).filter(|_| self.strip && self.label > 20);
        if let Some(zoomed) = zoomed {
            return (String::new(), zoomed);
        }
        let (name, value) = self.failed_label();
        (name.to_owned(), value)
    }

    fn failed_label(&self) -> (&'static str, String) {
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

    /// The value that fills a bar: of what is in sight the highest, of lazy pages the limit.
    fn scale(&self, track: Track) -> u64 {
        let Track::Metric(metric) = track else { return 1 };
        let series = Series::Metric(metric);
        let states = self.view.visible.from..self.view.visible.to + 1;
        let highest = || series.band(self.scene, states).map_or(0, |band| band.max);
        series.limit(self.scene).unwrap_or_else(highest).max(1)
    }

    /// The bar of a column: its highest value, of the largest hole the lowest, since that is when it is tight.
    fn bar(&self, metric: Metric, band: Option<Band>, scale: u64) -> (char, Role) {
        let glyphs = self.scene.glyphs;
        let Some(band) = band else { return (' ', Role::Text) };
        let value = if metric == Metric::Largest { band.min } else { band.max };
        if value == 0 {
            return (if glyphs.ascii { ' ' } else { glyphs.dot }, Role::Muted);
        }
        let eighth = u128::from(value) * 8 / u128::from(scale);
        // Above the limit is worth a look.
        let over = metric == Metric::Lazy && value > scale;
        let role = if over { Role::Warn } else { Series::Metric(metric).role() };
        (glyphs.bars[(eighth as usize).min(7)], role)
    }
}
