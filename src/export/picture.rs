//! The map over time: addresses upwards, time to the right, one colour for what is in use and one for what waits for a
//! purge.
//!
//! Twice through the records: once to see which stretches of the address space are used at all, once to draw them. What
//! is held is a grid of fixed size.

mod axes;
mod bands;
mod grid;

use std::fmt::Write as _;
use std::io::Write;

use super::ExportError;
use super::about::About;
use super::svg::{DARK, FONTS, LIGHT, escaped, open};
use super::walk::{Area, Walk};
use crate::event::{Event, EventKind, Nanos};
use crate::log::Clock;
use crate::replay::Replay;
use axes::Ticks;
use bands::{Bands, Used};
use grid::{COLUMNS, Grid, ROWS};

/// Where the picture of the grid begins, and what is around it, in pixels.
const LEFT: usize = 190;
const TOP: usize = 64;
const RIGHT: usize = 30;
/// Strips below: failures, purges, lost records.
const STRIP: usize = 12;
const BELOW: usize = 3 * STRIP + 70;
/// Pixels of a row of the grid.
const ROW: usize = 2;

/// Colours of what is in use and of what waits, on dark and on light; of failures, purges and lost records.
const BUSY: (u32, u32) = (0x5f_af_ff, 0x1f_5f_af);
const LAZY: (u32, u32) = (0xff_d7_5f, 0xc9_8a_00);
const FAILED: u32 = 0xe0_30_30;
const PURGED: u32 = 0x2e_8b_57;
const LOST: u32 = 0xb0_40_d0;

/// How the picture is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Dark on light.
    pub is_light: bool,
    /// Records to the right, not time.
    pub by_records: bool,
}

/// Draws the whole trace.
///
/// # Errors
/// What is written to says no; or there is nothing to draw.
pub fn write(replay: &Replay, style: Style, mut to: impl Write) -> Result<(), ExportError> {
    let log = replay.log();
    let mut used = Used::default();
    let mut walk = Walk::new(replay);
    walk.busy().chain(walk.lazy()).for_each(|area| used.add(area.extent));
    let mut times: Option<(u64, u64)> = None;
    while let Some((_, event)) = walk.step() {
        walk.begun.iter().for_each(|area| used.add(area.extent));
        let (first, last) = times.unwrap_or((event.at.0, event.at.0));
        times = Some((first.min(event.at.0), last.max(event.at.0)));
    }
    let bands = Bands::of(&used, ROWS);
    if bands.is_empty() {
        return Err(ExportError::Nothing {
            what: "there is no area to draw".to_owned(),
            hint: "an input with allocations or with a readable snapshot is wanted".to_owned(),
        });
    }
    let times = times.filter(|(first, last)| {
        first < last && log.origin.clock == Clock::Nanos && !style.by_records && !log.events.is_empty()
    });
    let axis = match times {
        Some((first, last)) => Axis { first, last, is_time: true },
        None => Axis { first: 0, last: (log.events.len() as u64).max(1), is_time: false },
    };
    let mut picture = Picture { grid: Grid::default(), bands, axis, strips: [const { Vec::new() }; 3] };
    picture.fill(replay);
    let mut out = String::new();
    picture.draw(&About::of(replay), style, &mut out);
    to.write_all(out.as_bytes())?;
    Ok(to.flush()?)
}

/// What goes to the right.
#[derive(Debug, Clone, Copy)]
struct Axis {
    first: u64,
    last: u64,
    is_time: bool,
}

impl Axis {
    /// Columns from the left, with a part.
    fn column(&self, at: Option<Nanos>, place: u32) -> f64 {
        let value = match at {
            Some(at) if self.is_time => at.0,
            None if self.is_time => self.first,
            _ => u64::from(place),
        };
        let done = value.clamp(self.first, self.last) - self.first;
        done as f64 * COLUMNS as f64 / (self.last - self.first) as f64
    }
}

struct Picture {
    grid: Grid,
    bands: Bands,
    axis: Axis,
    /// Columns with failures, with purges that returned something, with lost records.
    strips: [Vec<u16>; 3],
}

impl Picture {
    fn fill(&mut self, replay: &Replay) {
        let mut walk = Walk::new(replay);
        let mut place = 0;
        while let Some((_, event)) = walk.step() {
            place += 1;
            self.note(&event, place);
            // Each area is drawn once, when it is over.
            walk.ended.iter().for_each(|area| self.area(area, &event));
        }
        let end = Event { at: Nanos(u64::MAX), ..replay.log().events.last().unwrap_or(NOBODY) };
        walk.busy().chain(walk.lazy()).for_each(|area| self.area(area, &end));
        self.grid.finish();
    }

    fn area(&mut self, area: &Area, end: &Event) {
        let from = if area.places.from == 0 { 0.0 } else { self.axis.column(area.from, area.places.from) };
        let last = COLUMNS as f64;
        let to = area.places.to.map_or(last, |place| self.axis.column(area.to.or(Some(end.at)), place));
        let lazy = match area.places.lazy {
            Some(0) => 0.0,
            Some(place) => self.axis.column(area.lazy, place),
            None => to,
        };
        let (lazy, to) = (lazy.max(from), to.max(from));
        for (row, share) in self.bands.rows_of(area.extent) {
            self.grid.add_busy(row, from, lazy, share);
            self.grid.add_lazy(row, lazy, to.max(lazy), share);
        }
    }

    fn note(&mut self, event: &Event, place: u32) {
        let strip = match event.kind {
            EventKind::Alloc { failed: true, .. } | EventKind::Report { .. } => 0,
            kind if kind.returned_something() => 1,
            EventKind::Lost { .. } => 2,
            _ => return,
        };
        let column = (self.axis.column(Some(event.at), place) as u16).min(COLUMNS as u16 - 1);
        if self.strips[strip].last() != Some(&column) {
            self.strips[strip].push(column);
        }
    }

    fn draw(&mut self, about: &About, style: Style, out: &mut String) {
        let (text, ground) = if style.is_light { LIGHT } else { DARK };
        let pick = |colours: (u32, u32)| if style.is_light { colours.1 } else { colours.0 };
        let (width, height) = (LEFT + COLUMNS + RIGHT, TOP + ROWS * ROW + BELOW);
        let title = format!("{}: the vmalloc address space over time", about.input);
        open(out, (&width.to_string(), &height.to_string()), about, &title);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "<rect width=\"100%\" height=\"100%\" fill=\"#{ground:06x}\"/>");
        let _ = writeln!(out, "<g font-family=\"{FONTS}\" font-size=\"12\" fill=\"#{text:06x}\">");
        let kernel = about.kernel.as_deref().unwrap_or("kernel not named");
        let _ = writeln!(
            out,
            "<text x=\"{LEFT}\" y=\"24\" font-size=\"15\">{}</text>\n<text x=\"{LEFT}\" y=\"44\">{}</text>",
            escaped(&about.input),
            escaped(&format!(
                "{kernel}, rules {} {}, {} records, {} lost",
                about.policy, about.release, about.records, about.lost
            ))
        );
        let legend = [("in use", pick(BUSY)), ("freed, not purged", pick(LAZY)), ("free or in a pool", ground)];
        for (n, (what, colour)) in legend.iter().enumerate() {
            let x = LEFT + COLUMNS - 440 + [0, 110, 290][n];
            let _ = writeln!(
                out,
                "<rect x=\"{x}\" y=\"14\" width=\"14\" height=\"14\" fill=\"#{colour:06x}\" stroke=\"#{text:06x}\" \
                 stroke-width=\"0.5\"/><text x=\"{}\" y=\"26\">{what}</text>",
                x + 20
            );
        }
        self.grid.paths((LEFT, TOP, ROW), (ground, pick(BUSY), pick(LAZY)), out);
        let bottom = TOP + ROWS * ROW;
        let _ = writeln!(
            out,
            "<rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{COLUMNS}\" height=\"{}\" fill=\"none\" stroke=\"#{text:06x}\" \
             stroke-width=\"0.5\"/>",
            ROWS * ROW
        );
        self.bands.labels((LEFT, TOP, ROW), (text, ground), about, out);
        for (n, (what, colour)) in [("failures", FAILED), ("purges", PURGED), ("lost", LOST)].iter().enumerate() {
            let y = bottom + 4 + n * STRIP;
            let _ = writeln!(out, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{what}</text>", LEFT - 8, y + STRIP - 2);
            let mut ticks = String::new();
            for &column in &self.strips[n] {
                let _ = write!(ticks, "M{} {y}v{}", LEFT + usize::from(column), STRIP - 2);
            }
            if !ticks.is_empty() {
                let _ = writeln!(out, "<path stroke=\"#{colour:06x}\" d=\"{ticks}\"/>");
            }
        }
        let ticks = Ticks { first: self.axis.first, last: self.axis.last, is_time: self.axis.is_time };
        ticks.draw((LEFT, bottom + 4 + 3 * STRIP), COLUMNS, text, out);
        out.push_str("</g>\n</svg>\n");
    }
}

/// The last record of an input without any.
const NOBODY: Event = Event {
    at: Nanos(0),
    line: 0,
    task: crate::event::TaskId(0),
    cpu: Event::NO_CPU,
    kind: EventKind::PurgeReturn { purged: Some(false) },
};
