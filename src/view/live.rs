//! The live band: what is being read, how much is held, how full the small ranges are, and since when.

use std::time::Duration;

use super::growth::sparkline;
use super::holders::per_time;
use super::line::{Line, flow};
use super::{Glyphs, Role, Row, Span, text};
use crate::insight::Totals;
use crate::log::Pointers;
use crate::replay::Tally;

/// A range and how full it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Gauge {
    /// What it is.
    pub name: &'static str,
    /// Bytes in use.
    pub used: u64,
    /// Bytes there are; `None` where that is not known.
    pub size: Option<u64>,
    /// Growth in bytes in a second, where it is known.
    pub per_second: Option<f64>,
}

/// What the band shows.
#[derive(Debug, Clone)]
pub struct Live<'a> {
    /// The reading that is shown, from 1, and how many there are.
    pub reading: (usize, usize),
    /// How long ago it was taken.
    pub ago: Duration,
    /// Nothing is read for now.
    pub paused: bool,
    /// It is read so often.
    pub every: Duration,
    /// It would be read so often if it took less time.
    pub asked: Duration,
    /// What one reading takes of a CPU.
    pub cost: Duration,
    /// Why it cannot be read now.
    pub trouble: Option<&'a str>,
    /// In use and freed but not purged.
    pub totals: (Totals, Totals),
    /// Guard pages, in bytes.
    pub guard_bytes: u64,
    /// What may wait for a purge, in bytes.
    pub lazy_max_bytes: u64,
    /// Bytes of a page.
    pub page_size: u64,
    /// Ranges that fill up.
    pub gauges: &'a [Gauge],
    /// Pages by NUMA node.
    pub nodes: &'a [(u16, u64)],
    /// What the address columns show.
    pub pointers: Pointers,
    /// Address space of each reading, at most so many as there are columns.
    pub course: &'a [u64],
    /// The reading that others are compared with, from 1, and how long before this one.
    pub base: Option<(usize, Duration)>,
    /// The trace that is or can be taken beside.
    pub traced: Option<&'a Traced>,
}

/// What there is to say of a trace that is taken beside the readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Traced {
    /// It cannot be had here.
    Impossible {
        /// Why.
        why: String,
    },
    /// It can, and is not asked for.
    Off {
        /// The key that begins it.
        key: String,
    },
    /// It is asked for, and nothing has come yet.
    Starting,
    /// It grows, or has ended.
    On {
        /// Why it has ended.
        ended: Option<String>,
        /// Records.
        events: usize,
        /// What the model said of them.
        tally: Tally,
        /// Records the kernel could not keep.
        lost: u64,
        /// Why it cannot be replayed for now.
        trouble: Option<String>,
        /// It is looked at so often.
        every: Duration,
        /// What a look takes of a CPU.
        cost: Duration,
        /// The key that shows it.
        show: String,
        /// The key that ends it, or begins another.
        key: String,
    },
}

/// What hashed and hidden addresses leave out, and how to see them.
const HASHED: &str =
    "addresses are hashed: as root, kernel.kptr_restrict=1 shows them, or booting with no_hash_pointers";
const HIDDEN: &str = "addresses are hidden: as root, kernel.kptr_restrict=1 shows them";

/// Columns of a gauge.
const GAUGE: usize = 20;
/// A gauge is worth a look from this share on, and a warning.
const FULL: (u64, u64) = (70, 90);

/// `12 s`, `3 min 5 s`, `2 h 10 min`.
pub fn ago(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} days {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// The rows of the band, most important first.
pub fn rows(live: &Live<'_>, width: u16, height: u16, glyphs: &Glyphs) -> Vec<Row> {
    let mut rows = state(live, width, glyphs);
    rows.extend(sums(live, width, glyphs));
    if let Some(traced) = live.traced {
        rows.extend(trace(traced, width, glyphs));
    }
    rows.extend(live.gauges.iter().map(|one| gauge(one, width, glyphs)));
    if let Some(why) = live.trouble {
        let said = [Span::new(format!("{} not read: {why}", glyphs.failure), Role::Bad)];
        rows.extend(flow(&said, width.into(), 2, glyphs));
    }
    let pointers = match live.pointers {
        Pointers::Hashed => Some(HASHED),
        Pointers::Zeroed | Pointers::Unready | Pointers::None => Some(HIDDEN),
        Pointers::Real => None,
    };
    if let Some(words) = pointers {
        rows.extend(flow(&[Span::new(words, Role::Warn)], width.into(), 2, glyphs));
    }
    rows.push(course(live, width, glyphs));
    // What is left out is what stands last but one: the course stays.
    while usize::from(height) < rows.len() && 2 < rows.len() {
        rows.remove(rows.len() - 2);
    }
    rows
}

/// Rows the band would fill.
pub fn height(live: &Live<'_>, width: u16, glyphs: &Glyphs) -> u16 {
    rows(live, width, u16::MAX, glyphs).len() as u16
}

fn state(live: &Live<'_>, width: u16, glyphs: &Glyphs) -> Vec<Row> {
    let (at, of) = live.reading;
    let mut spans = Vec::new();
    if at < of {
        spans.push(Span::new(format!("{} earlier", glyphs.paused), Role::Warn));
        spans.push(Span::new(format!(", {} ago", ago(live.ago)), Role::Text));
    } else if live.paused {
        spans.push(Span::new(format!("{} paused", glyphs.paused), Role::Warn));
        spans.push(Span::new(format!(", {} ago", ago(live.ago)), Role::Text));
    } else {
        spans.push(Span::new(format!("{} live", glyphs.playing), Role::Good));
    }
    let dot = format!(" {} ", glyphs.dot);
    spans.push(Span::new(dot.clone(), Role::Muted));
    spans.push(Span::new(format!("reading {} of {}", text::count(at as u64), text::count(of as u64)), Role::Text));
    spans.push(Span::new(dot.clone(), Role::Muted));
    spans.push(Span::new(format!("every {}", short(live.every, glyphs)), Role::Text));
    if live.asked < live.every {
        spans.push(Span::new(format!(", not {}: it is slow", short(live.asked, glyphs)), Role::Warn));
    }
    spans.push(Span::new(dot, Role::Muted));
    let share = live.cost.as_secs_f64() / live.every.as_secs_f64().max(1e-3) * 100.0;
    spans.push(Span::new(
        format!("{} each, {share:.2} % of a CPU", text::duration(live.cost.as_nanos() as u64, glyphs)),
        Role::Muted,
    ));
    flow(&spans, width.into(), 2, glyphs)
}

/// How it is with the trace.
fn trace(traced: &Traced, width: u16, glyphs: &Glyphs) -> Vec<Row> {
    let dot = format!(" {} ", glyphs.dot);
    let key = |key: &str| Span { strong: true, ..Span::new(key, Role::Key) };
    let mut spans = vec![Span::new("trace ", Role::Muted)];
    match traced {
        Traced::Impossible { why } => {
            spans
                .push(Span::new(format!("{} not here: {}", glyphs.failure, text::escape(why.as_bytes())), Role::Muted));
        }
        Traced::Off { key: begin } => {
            spans.extend([Span::new(format!("off{dot}"), Role::Muted), key(begin)]);
            spans.push(Span::new(" follows the allocator, in a tracefs instance of its own", Role::Muted));
        }
        Traced::Starting => spans.push(Span::new("starting", Role::Key)),
        Traced::On { ended, events, tally, lost, trouble, every, cost, show, key: end } => {
            spans.push(match ended {
                Some(why) => {
                    Span::new(format!("{} ended: {}", glyphs.paused, text::escape(why.as_bytes())), Role::Warn)
                }
                None => Span::new(format!("{} growing", glyphs.playing), Role::Good),
            });
            spans.push(Span::new(format!("{dot}{}", text::plural(*events as u64, "event", "events")), Role::Text));
            let count = |n: u64, role: Role| if n == 0 { Role::Muted } else { role };
            for (sign, n, word, role) in [
                (glyphs.exact, tally.exact, "exact", Role::Good),
                (glyphs.inferred, tally.inferred, "inferred", Role::Warn),
                (glyphs.adopted, tally.adopted, "adopted", Role::Bad),
                (glyphs.lost, *lost, "lost", Role::Warn),
            ] {
                spans.push(Span::new(dot.clone(), Role::Muted));
                spans.push(Span::new(format!("{sign} {} {word}", text::count(n)), count(n, role)));
            }
            if let Some(why) = trouble {
                spans.push(Span::new(format!("{dot}{} {}", glyphs.failure, text::escape(why.as_bytes())), Role::Bad));
            }
            let share = cost.as_secs_f64() / every.as_secs_f64().max(1e-3) * 100.0;
            if ended.is_none() {
                // Once a second is what everybody expects.
                let slow = Duration::from_secs(1) < *every;
                let every = if slow { format!("every {}, ", short(*every, glyphs)) } else { String::new() };
                spans.push(Span::new(format!("{dot}{every}{share:.1} % CPU"), Role::Muted));
            }
            let ends = if ended.is_some() { " begins another" } else { " ends it" };
            spans.extend([Span::new(dot, Role::Muted), key(show), Span::new(" shows, ", Role::Muted)]);
            spans.extend([key(end), Span::new(ends, Role::Muted)]);
        }
    }
    flow(&spans, width.into(), 2, glyphs)
}

fn short(time: Duration, glyphs: &Glyphs) -> String {
    let nanos = time.as_nanos() as u64;
    if nanos.is_multiple_of(1_000_000_000) {
        format!("{} s", nanos / 1_000_000_000)
    } else {
        text::duration(nanos, glyphs)
    }
}

fn sums(live: &Live<'_>, width: u16, glyphs: &Glyphs) -> Vec<Row> {
    let (busy, lazy) = live.totals;
    let dot = glyphs.dot;
    let mut spans = vec![
        Span::new(text::plural(busy.areas, "area", "areas"), Role::Text),
        Span::new(format!(" in use {dot} "), Role::Muted),
        Span::new(text::bytes(busy.virtual_bytes), Role::Number),
        Span::new(format!(" virtual {dot} "), Role::Muted),
        Span::new(text::bytes(busy.pages.saturating_mul(live.page_size)), Role::Number),
        Span::new(format!(" data {dot} "), Role::Muted),
        Span::new(text::bytes(live.guard_bytes), Role::Number),
        Span::new(format!(" guard {dot} "), Role::Muted),
        Span::new(format!("{} {}", glyphs.lazy, text::bytes(lazy.virtual_bytes)), Role::Lazy),
        Span::new(format!(" of {} unpurged", text::bytes(live.lazy_max_bytes)), Role::Muted),
    ];
    // One node says nothing.
    for (node, pages) in live.nodes.iter().filter(|_| 1 < live.nodes.len()) {
        spans.push(Span::new(format!(" {dot} N{node} "), Role::Muted));
        spans.push(Span::new(text::bytes(pages.saturating_mul(live.page_size)), Role::Text));
    }
    flow(&spans, width.into(), 2, glyphs)
}

fn gauge(gauge: &Gauge, width: u16, glyphs: &Glyphs) -> Row {
    let line = Line::new(width, glyphs).put(format!("{}  ", gauge.name), Role::Muted);
    let Some(size) = gauge.size.filter(|&size| 0 < size) else {
        return line.put(text::bytes(gauge.used), Role::Number).done();
    };
    let percent = (u128::from(gauge.used) * 100 / u128::from(size)) as u64;
    let role = match percent {
        n if FULL.1 <= n => Role::Bad,
        n if FULL.0 <= n => Role::Warn,
        _ => Role::Good,
    };
    let filled = (u128::from(gauge.used.min(size)) * GAUGE as u128).div_ceil(u128::from(size)) as usize;
    let mut line = line
        .put(String::from(glyphs.busy).repeat(filled), role)
        .put(String::from(glyphs.free).repeat(GAUGE - filled), Role::Muted)
        .put(format!("  {percent} %"), role)
        .put(format!("  {} of {}", text::bytes(gauge.used), text::bytes(size)), Role::Text);
    if let Some(rate) = gauge.per_second.filter(|rate| *rate != 0.0) {
        line = line.put(format!("  {}", per_time(rate)), Role::Text);
        if 0.0 < rate {
            let seconds = size.saturating_sub(gauge.used) as f64 / rate;
            // Beyond a few years it is no forecast.
            if seconds < 1e8 {
                line = line.put(format!("  full in {}", ago(Duration::from_secs(seconds as u64))), Role::Warn);
            }
        }
    }
    line.done()
}

/// The address space in use, reading by reading, and what growth is counted from.
fn course(live: &Live<'_>, width: u16, glyphs: &Glyphs) -> Row {
    let since = match live.base {
        Some((at, before)) => format!("growth since reading {} ({} before)", text::count(at as u64), ago(before)),
        None => "growth since the first reading".to_owned(),
    };
    let room = usize::from(width).saturating_sub(text::width(&since) + 12);
    let skip = live.course.len().saturating_sub(room);
    Line::new(width, glyphs)
        .put("virtual  ", Role::Muted)
        .put(sparkline(&live.course[skip..], glyphs), Role::Number)
        .put("  ", Role::Text)
        .put(since, if live.base.is_some() { Role::Key } else { Role::Muted })
        .done()
}

/// The title of the pane.
pub fn title(name: &str) -> Vec<Span> {
    vec![Span::new("live", Role::Title), Span::new(format!("  {name}"), Role::Muted)]
}
