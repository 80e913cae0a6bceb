//! The events: what happened when? The trace around the cursor, one record a row; only visible rows are built.
//!
//! A snapshot has no events: its areas are listed in their place.

mod areas;
mod matcher;
mod ops;
mod signs;

use std::ops::Range;

use super::divergence;
use super::focus;
use super::line::Line;
use super::script::{is_script, noun, subject, word};
use super::text::{self, Addresses};
use super::{Role, Row, Scene, Span, Target};
use crate::event::{Event, EventKind, Seq};
use crate::insight::Compiled;
use crate::log::{Clock, Log, Pointers};
use crate::replay::Replay;
pub use matcher::Query;
use matcher::{AreaMatcher, Matcher};
use signs::{kind_role, mark, own_mark};

/// What to highlight.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Words to look for in kind, task, address, size, marker text and verdict (`exact`, `inferred`, `adopted`, the name
    /// of a cause or timing); capitals count only if there are some.
    pub text: String,
    /// Instead of words: what a record is.
    pub condition: Option<Compiled>,
}

/// Which columns there is room for.
struct Columns {
    time: usize,
    /// Number of the record, from 1; 0 where a column has no room.
    number: usize,
    cpu: usize,
    task: usize,
    what: usize,
    align: usize,
    full_address: bool,
    searching: bool,
}

/// Columns of the longest word for a record of a trace.
const WHAT: usize = 6;

impl Columns {
    fn for_width(width: usize, time: usize, what: usize, number: usize, address: usize, searching: bool) -> Self {
        let number = if width >= 70 { number } else { 0 };
        let what = what.clamp(WHAT, if width >= 46 { 12 } else { 8 });
        // Marks, number, time, kind and size, each with a blank: an address cut in the middle is worth less than a CPU.
        let others = 3 + usize::from(searching) + number + usize::from(number > 0) + time + 1 + what + 1 + 10 + address;
        Self {
            time,
            number,
            cpu: if width >= others + 4 { 3 } else { 0 },
            task: if width >= 74 && width >= others + 4 + 9 + 17 { 16 } else { 0 },
            what,
            align: if width >= 50 + what { 8 } else { 0 },
            full_address: width >= 92,
            searching,
        }
    }
}

/// The rows around the cursor (in a snapshot the selection), or from record (area) `top` on, below a row of column names where there is room for one.
pub fn rows(scene: &Scene<'_>, width: u16, height: u16, top: Option<usize>, filter: &EventFilter) -> Vec<Row> {
    let (width, height) = (usize::from(width), usize::from(height));
    let log = scene.replay.log();
    if height == 0 || width == 0 {
        return Vec::new();
    }
    if let Some(baseline) = areas::listed(log) {
        return areas::rows(scene, baseline, (width, height), top, filter);
    }
    let head = usize::from(height >= 6);
    let n_rows = height - head;
    let last_top = log.events.len().saturating_sub(n_rows);
    let current = scene.replay.cursor().saturating_sub(1);
    let top = top.unwrap_or(current.saturating_sub(n_rows / 2)).min(last_top);
    let shown: Vec<Event> = log.events.range(top..top + n_rows).collect();
    let stamps = shown.iter().filter(|_| !is_timeless(log));
    let time = stamps.map(|event| text::stamp(log, event.at).len()).max().map_or(1, |widest| widest.max(4));
    let matcher = Matcher::new(log, filter);
    let addresses = focus::addresses(scene);
    let widest = shown.iter().filter_map(address).map(|addr| text::width(&addresses.short(addr))).max();
    let number = shown.iter().enumerate().map(|(offset, event)| number(log, top + offset, event).len()).max();
    let number = number.unwrap_or(0).max(5);
    let whats = (top..).zip(&shown).map(|(index, event)| word(scene.replay, Seq(index as u32), event).len());
    let what = whats.max().unwrap_or(0);
    let columns = Columns::for_width(width, time, what, number, widest.unwrap_or(0).max(8), matcher.is_some());
    let mut rows = Vec::with_capacity(height);
    if head == 1 {
        rows.push(names(scene, width, &columns, &addresses));
    }
    for (offset, event) in shown.iter().enumerate() {
        let seq = Seq((top + offset) as u32);
        let found = matcher.as_ref().is_some_and(|matcher| matcher.matches(scene.replay, seq));
        rows.push(row(scene, width, &columns, &addresses, (top + offset, event, found)));
    }
    rows
}

fn names(scene: &Scene<'_>, width: usize, columns: &Columns, addresses: &Addresses) -> Row {
    let script = is_script(scene.replay.log());
    let mut line = Line::new(width, scene.glyphs).gap(3 + usize::from(columns.searching));
    if columns.number > 0 {
        line = line.right(if script { "line" } else { "event" }, columns.number, Role::Muted).gap(1);
    }
    let stamp = match scene.replay.log().origin.clock {
        Clock::None if script => "op",
        Clock::None => "",
        Clock::Ticks => "tick",
        Clock::Nanos => "time",
    };
    line = line.right(stamp, columns.time, Role::Muted).gap(1);
    if columns.cpu > 0 {
        line = line.right("cpu", columns.cpu, Role::Muted).gap(1);
    }
    if columns.task > 0 {
        line = line.left(if script { "id" } else { "task" }, columns.task, Role::Muted).gap(1);
    }
    line = line.left("what", columns.what, Role::Muted).gap(1).right("size", 9, Role::Muted).gap(1);
    if columns.align > 0 {
        line = line.right("align", columns.align, Role::Muted).gap(1);
    }
    let room = if columns.full_address { scene.addr_width() } else { addresses.width() };
    line.left("address", room.max(7), Role::Muted).done()
}

fn row(
    scene: &Scene<'_>,
    width: usize,
    columns: &Columns,
    addresses: &Addresses,
    (index, event, found): (usize, &Event, bool),
) -> Row {
    let log = scene.replay.log();
    let seq = Seq(index as u32);
    let is_current = index + 1 == scene.replay.cursor();
    // What has not happened yet is written less loudly.
    let future = index >= scene.replay.cursor();
    let role = |role: Role| if future { Role::Muted } else { role };
    let cursor = if is_current { scene.glyphs.cursor.to_string() } else { String::new() };
    let (glyph, glyph_role) = mark(scene, seq, event);
    let mut line = Line::new(width, scene.glyphs).left(cursor, 1, Role::Key);
    if columns.searching {
        line = line.left(if found { "/" } else { "" }, 1, Role::Key);
    }
    // A mark of the person's own stands beside what is special about the record.
    line = line.put(glyph.to_string(), glyph_role).left(own_mark(scene, index).to_string(), 1, Role::Key);
    if columns.number > 0 {
        line = line.right(number(log, index, event), columns.number, role(Role::Muted)).gap(1);
    }
    // Where there are no times the number of the record is none.
    let stamp = if is_timeless(log) { "-".to_owned() } else { text::stamp(log, event.at) };
    line = line.right(stamp, columns.time, role(Role::Text)).gap(1);
    if columns.cpu > 0 {
        let cpu = event.known_cpu().map_or_else(|| "-".to_owned(), |cpu| cpu.to_string());
        line = line.right(cpu, columns.cpu, role(Role::Muted)).gap(1);
    }
    if columns.task > 0 {
        let label = if is_script(log) { subject(scene.replay, seq) } else { text::task(log.names.task(event.task)) };
        line = line.left(label, columns.task, role(Role::Text)).gap(1);
    }
    line = line.left(word(scene.replay, seq, event), columns.what, role(kind_role(&event.kind))).gap(1);
    line = facts(scene, line, columns, addresses, (seq, event, future));
    let mut row = line.target(Target::Event(seq)).focused(is_current).done();
    if is_current || found {
        for span in row.spans.iter_mut().filter(|span| !span.text.trim().is_empty()) {
            span.strong = true;
        }
    }
    row
}

/// Size, alignment, address, and what else is worth a word.
fn facts<'g>(
    scene: &Scene<'_>,
    line: Line<'g>,
    columns: &Columns,
    addresses: &Addresses,
    (seq, event, future): (Seq, &Event, bool),
) -> Line<'g> {
    let log = scene.replay.log();
    if is_script(log) && scene.replay.plan().answer(seq).is_some() {
        return ops::facts(scene, line, columns, addresses, (seq, event, future));
    }
    let role = |role: Role| if future { Role::Muted } else { role };
    let address = |addr: u64| if columns.full_address { scene.addr(addr) } else { addresses.short(addr) };
    let numbers = |line: Line<'g>, size: Option<u64>, align: u64| {
        let size = size.map_or_else(|| "?".to_owned(), text::bytes);
        let line = line.right(size, 9, role(Role::Number)).gap(1);
        if columns.align == 0 {
            return line;
        }
        let page = scene.replay.space().allocator().page_size();
        let align = if align > page { text::bytes(align) } else { String::new() };
        line.right(align, columns.align, role(Role::Muted)).gap(1)
    };
    match event.kind {
        EventKind::Alloc { addr, size, align, failed, .. } => {
            let line = numbers(line, Some(size), align);
            let line = if failed {
                line.put("no space", role(Role::Bad))
            } else {
                line.tail(&address(addr.0), role(Role::Number))
            };
            divergence::append(scene, line, addresses, (seq, future))
        }
        EventKind::Free { addr, nr_lazy, nr_lazy_max } => {
            let line = numbers(line, freed_size(scene, seq), 1).tail(&address(addr.0), role(Role::Number));
            let lazy = format!("  lazy {} of {} pages", text::count(nr_lazy), text::count(nr_lazy_max));
            if line.room() >= lazy.len() { line.put(lazy, Role::Muted) } else { line }
        }
        EventKind::Request { size, align, .. } => {
            let line = numbers(line, Some(size), align);
            if line.room() >= "asked for".len() { line.put("asked for", Role::Muted) } else { line }
        }
        EventKind::Unasked { addr, end } | EventKind::FreeProbe { addr, end } => {
            let size = Some(end.0.saturating_sub(addr.0)).filter(|&size| size > 0).or_else(|| freed_size(scene, seq));
            numbers(line, size, 1).tail(&address(addr.0), role(Role::Number))
        }
        EventKind::PurgeEntry { .. } => line.put("begins", Role::Muted),
        EventKind::NodeDecay { node, .. } => line.put(format!("pools of node {node}"), Role::Muted),
        EventKind::NodeReturn { node } => line.put(format!("lazy areas of node {node}"), Role::Muted),
        EventKind::PurgeReturn { purged: Some(false) } => line.put("nothing was lazy", Role::Muted),
        EventKind::PurgeReturn { .. } => line.put("ends", Role::Muted),
        EventKind::Purge { start, end, num_purged } if start.0 < end.0 => {
            let areas = text::plural(num_purged.into(), "area", "areas");
            let line = line.right(areas, 9, role(Role::Number)).gap(1).gap(if columns.align > 0 {
                columns.align + 1
            } else {
                0
            });
            // The caller can widen the range: into the direct map, say, where no area lies.
            let from = if focus::is_managed(scene, start.0) { address(start.0) } else { "widened".to_owned() };
            let line = line.tail(&from, role(Role::Number));
            let span = format!("  flush over {}", text::bytes(end.0 - start.0));
            if line.room() >= span.len() { line.put(span, Role::Muted) } else { line }
        }
        EventKind::Purge { .. } => line.put("nothing was lazy", Role::Muted),
        EventKind::Lost { count: 0 } => line.put("records lost, the kernel did not say how many", role(Role::Warn)),
        EventKind::Lost { count } => {
            line.put(format!("{} lost", text::plural(count.into(), "record", "records")), role(Role::Warn))
        }
        EventKind::Mark { text } | EventKind::Report { text, .. } | EventKind::Other { name: text } => {
            line.put(text::escape(log.names.text(text)), role(Role::Text))
        }
        EventKind::Script(_) => line,
    }
}

/// Has the trace no stamps at all?
fn is_timeless(log: &Log) -> bool {
    log.origin.clock == Clock::None && !is_script(log)
}

/// The number in front: of the record; of an op, whose number is its time, the line of the script.
fn number(log: &Log, index: usize, event: &Event) -> String {
    text::count(if is_script(log) { event.line.into() } else { index as u64 + 1 })
}

/// The address a row shows.
fn address(event: &Event) -> Option<u64> {
    match event.kind {
        EventKind::Alloc { addr, failed: false, .. }
        | EventKind::Unasked { addr, .. }
        | EventKind::Free { addr, .. }
        | EventKind::FreeProbe { addr, .. } => Some(addr.0),
        EventKind::Purge { start, end, .. } if start.0 < end.0 => Some(start.0),
        _ => None,
    }
}

/// Bytes of the area a record frees, from the record that allocated it, or of an older one from the snapshot.
pub(crate) fn freed_size(scene: &Scene<'_>, seq: Seq) -> Option<u64> {
    if let EventKind::FreeProbe { addr, end } = scene.replay.log().get(seq)?.kind
        && addr < end
    {
        return Some(end.0 - addr.0);
    }
    let Some(mate) = scene.replay.plan().mate(seq) else {
        let before = scene.replay.log().before.as_ref().filter(|before| before.pointers == Pointers::Real)?;
        let addr = address(&scene.replay.log().get(seq)?)?;
        let row = before.at(addr)?;
        return Some(row.end - row.start);
    };
    match scene.replay.log().get(mate)?.kind {
        EventKind::Alloc { size, .. } => Some(size),
        EventKind::Unasked { addr, end } => end.0.checked_sub(addr.0),
        _ => None,
    }
}

/// How many rows there are to list: records, or the areas of a snapshot.
pub fn len(replay: &Replay) -> usize {
    areas::listed(replay.log()).map_or(replay.len(), |baseline| baseline.areas.len())
}

/// Where row `index` of the list goes: to the record, or to the area if its address is known.
pub fn target(replay: &Replay, index: usize) -> Option<Target> {
    match areas::listed(replay.log()) {
        Some(baseline) => areas::target(baseline, baseline.areas.get(index)?),
        None => (index < replay.len()).then_some(Target::Event(Seq(index as u32))),
    }
}

/// Says of every row whether a text is found in it; `None` for an empty text.
fn finder<'a>(replay: &'a Replay, text: &str) -> Option<Box<dyn Fn(usize) -> bool + 'a>> {
    let log = replay.log();
    if let Some(baseline) = areas::listed(log) {
        let machine = &replay.plan().machine;
        let (matcher, page_size) = (AreaMatcher::new(text, machine.is_32_bit)?, machine.page_size);
        let real = baseline.pointers == Pointers::Real;
        return Some(Box::new(move |index| matcher.matches(&baseline.areas[index], real, page_size)));
    }
    let matcher = Matcher::of(replay, text)?;
    Some(Box::new(move |index| matcher.matches(replay, Seq(index as u32))))
}

/// The rows of a stretch that match, ascending. Of a condition `filter` has what it needs to know beforehand.
pub fn matches_in(replay: &Replay, filter: &EventFilter, rows: Range<usize>) -> Vec<u32> {
    let rows = rows.start..rows.end.min(len(replay));
    if let Some(finds) = areas::listed(replay.log()).and_then(|_| finder(replay, &filter.text)) {
        return rows.filter(|&index| finds(index)).map(|index| index as u32).collect();
    }
    let Some(matcher) = Matcher::new(replay.log(), filter) else { return Vec::new() };
    rows.filter(|&index| matcher.matches(replay, Seq(index as u32))).map(|index| index as u32).collect()
}

/// The next row after (or before) `from` that matches; goes on at the other end. Looks until it has found one.
pub fn find(replay: &Replay, text: &str, from: usize, forward: bool) -> Option<usize> {
    let finds = finder(replay, text)?;
    let n = len(replay);
    let at = |offset: usize| if forward { (from + offset) % n } else { (from % n + n - offset % n) % n };
    (1..=n).map(at).find(|&index| finds(index))
}

/// How many rows match.
pub fn count(replay: &Replay, text: &str) -> usize {
    finder(replay, text).map_or(0, |finds| (0..len(replay)).filter(|&index| finds(index)).count())
}

/// The title: where the cursor is.
pub fn title(scene: &Scene<'_>) -> Vec<Span> {
    if let Some(baseline) = areas::listed(scene.replay.log()) {
        return areas::title(scene, baseline);
    }
    let (cursor, len) = (scene.replay.cursor() as u64, scene.replay.len() as u64);
    let mut spans = vec![Span::new(format!("{}s", noun(scene.replay.log())), Role::Title)];
    if len > 0 {
        spans.push(Span::new(format!("  {}", text::count(cursor)), Role::Number));
        spans.push(Span::new(format!(" of {}", text::count(len)), Role::Muted));
    }
    spans
}
