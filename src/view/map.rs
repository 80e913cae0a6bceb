//! The map: where is everything?
//!
//! Rows of cells in address order. Holes of two rows and more are one row that says how much was left out, so that
//! 32 TiB with 2 MiB in use stay readable; only what is visible is built.

mod cells;
mod lines;
mod window;

use super::divergence;
use super::focus::{self, Kind};
use super::header;
use super::line::Line;
use super::script::is_script;
use super::text::{self, Addresses};
use super::unplaced::Unplaced;
use super::{Role, Row, Scene, Selection, Span, Target};
use crate::event::EventKind;
use crate::model::{Answer, Extent};
use crate::policy::rules::LazyStore;
use cells::{Cell, Filled, share, sums};
use lines::Stretch;

/// How close the map looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MapZoom {
    /// 0 shows everything in use; each level halves what a cell covers, down to one page.
    pub level: u32,
    /// Address in the middle; `None`: the selection.
    pub centre: Option<u64>,
}

/// Columns of a map: mark, address, blank, cells, blank, share.
#[derive(Debug, Clone, Copy)]
struct Columns {
    label: usize,
    full: bool,
    cells: usize,
    share: bool,
}

impl Columns {
    fn for_width(width: usize, long: usize, short: usize) -> Self {
        let full = width >= 60;
        let label = if full { long } else { short };
        let room = width.saturating_sub(label + 2);
        if room < 8 {
            return Self { label: 0, full: false, cells: width.saturating_sub(1).max(1), share: false };
        }
        // Round row addresses: a multiple of sixteen cells where there is room.
        let cells = match room {
            16.. => room / 16 * 16,
            8.. => 8,
            _ => room,
        };
        Self { label, full, cells, share: room >= cells + 6 }
    }
}

/// Everything the rows share.
struct Painter<'s, 'a> {
    scene: &'s Scene<'a>,
    width: usize,
    columns: Columns,
    addresses: Addresses,
    cell_bytes: u64,
    changes: Vec<Extent>,
    /// Where model or record, whichever the state does not follow, has the current request; and which it is.
    other: Option<(u64, &'static str)>,
    selected: Option<Extent>,
}

/// The rows: stretches of cells, what was left out, carets under what changed, the legend.
pub fn rows(scene: &Scene<'_>, width: u16, height: u16, zoom: &MapZoom) -> Vec<Row> {
    let (width, height) = (usize::from(width), usize::from(height));
    if width == 0 || height == 0 {
        return Vec::new();
    }
    if let Some(unplaced) = Unplaced::of(scene) {
        return unplaced.map(scene, width, height as u16);
    }
    let state = scene.replay.space();
    let addresses = focus::addresses(scene);
    let columns = Columns::for_width(width, scene.addr_width(), addresses.width());
    let legend = usize::from(height >= 3);
    // One row is kept for carets where there are many, so that the picture does not jump from event to event.
    let window = window::of(scene).filter(|_| height >= 5 && zoom.level == 0);
    let budget = height - legend - usize::from(height >= 7) - if window.is_some() { 2 } else { 0 };
    let segments = lines::segments(scene);
    let (widest, fits) = lines::widest_cell(state, &segments, columns.cells, budget);
    let page = state.allocator().page_size().max(1);
    let cell_bytes = widest.checked_shr(zoom.level).unwrap_or(0).max(page);
    let row_bytes = cell_bytes * columns.cells as u64;
    let rows_from = |from| lines::rows_from(state, &segments, row_bytes, from, budget);
    let around = |centre| rows_from(lines::start_for(&segments, row_bytes, centre, budget));
    let stretches = match (zoom.level, zoom.centre.or_else(|| focus::focus_address(scene))) {
        (1.., Some(centre)) => around(centre),
        (0, Some(centre)) if !fits => {
            let mut lowest = rows_from(0);
            // All rows are taken, so there is more.
            if let Some(last) = lowest.last_mut().filter(|_| budget >= 3) {
                *last = Stretch::More;
            }
            if lines::shows(&lowest, row_bytes, centre) { lowest } else { around(centre) }
        }
        _ => rows_from(0),
    };
    let selected = match scene.selection {
        Selection::Address(addr) => Some(focus::thing_at(scene, state, addr).extent),
        Selection::Follow => None,
    };
    let changes = focus::changes(scene);
    let other = divergence::other_place(scene);
    let painter = Painter { scene, width, columns, addresses, cell_bytes, changes, other, selected };
    let mut spare = height - legend - stretches.len();
    let mut rows = Vec::with_capacity(height);
    if let Some(window) = window {
        spare -= 2;
        window::rows(&painter, window, &mut rows);
    }
    for stretch in &stretches {
        match *stretch {
            Stretch::Cells { start, limit } => painter.cells((start, limit, cell_bytes), &mut spare, &mut rows),
            Stretch::Elided { extent } => rows.push(painter.elided(extent)),
            Stretch::More => rows.push(painter.note(None, "more above, in a higher pane", Role::Muted)),
            Stretch::Outside { bytes } => {
                let words = format!("{} outside the vmalloc range", text::bytes(bytes));
                rows.push(painter.note(None, &words, Role::Muted));
            }
        }
    }
    if legend == 1 {
        rows.push(painter.legend());
    }
    rows
}

impl Painter<'_, '_> {
    fn label<'g>(&self, line: Line<'g>, mark: &str, start: Option<u64>) -> Line<'g> {
        let line = line.left(mark, 1, Role::Changed);
        if self.columns.label == 0 {
            return line;
        }
        let label = match start {
            Some(start) if self.columns.full => self.scene.addr(start),
            Some(start) => self.addresses.short(start),
            None => String::new(),
        };
        line.right(label, self.columns.label, Role::Number).gap(1)
    }

    /// The sign in front of a row.
    fn mark(&self, selected: bool, changed: bool, unlike: bool) -> String {
        let glyphs = self.scene.glyphs;
        match (selected, changed, unlike) {
            (true, ..) => glyphs.cursor.to_string(),
            (false, true, _) => glyphs.up.to_string(),
            (false, false, true) => glyphs.unlike.to_string(),
            (false, false, false) => String::new(),
        }
    }

    /// A row of cells, and the caret row below it if the event changed something there and a row is to spare.
    fn cells(&self, (start, limit, cell_bytes): (u64, u64, u64), spare: &mut usize, rows: &mut Vec<Row>) {
        let scene = self.scene;
        let Filled { cells, estimated } =
            cells::fill(scene, start, limit, cell_bytes, self.columns.cells, &self.changes);
        let changed = cells.iter().any(|cell| cell.changed);
        let holds_selection = |index: usize| {
            let from = start.saturating_add(cell_bytes * index as u64);
            self.selected.is_some_and(|extent| extent.start() < from.saturating_add(cell_bytes) && from < extent.end())
        };
        let selected = (0..cells.len()).any(|index| cells[index].length() > 0 && holds_selection(index));
        let end = start.saturating_add(cell_bytes * cells.len() as u64).min(limit);
        let unlike = self.other.is_some_and(|(addr, _)| start <= addr && addr < end);
        let mark = self.mark(selected, changed, unlike);
        let mut line = self.label(Line::new(self.width, scene.glyphs), &mark, Some(start));
        for (index, cell) in cells.iter().enumerate() {
            let from = start.saturating_add(cell_bytes * index as u64);
            // What the event changed is not covered.
            let is_other =
                unlike && !cell.changed && self.other.is_some_and(|(addr, _)| addr.wrapping_sub(from) < cell_bytes);
            let (glyph, role) = if is_other { (scene.glyphs.unlike, Role::Bad) } else { cell.look(scene) };
            line.span(Span {
                text: glyph.to_string(),
                role,
                strong: cell.changed || is_other,
                selected: cell.length() > 0 && holds_selection(index),
                target: (cell.length() > 0).then(|| Target::Address(cell.address(from))),
            });
        }
        if self.columns.share {
            let (taken, all) = sums(&cells);
            line = line.right(share(taken, all, estimated.then_some(scene.glyphs)), 6, Role::Muted);
        }
        rows.push(line.target(Target::Address(start)).focused(selected).done());
        if changed && *spare > 0 {
            *spare -= 1;
            rows.push(self.carets(&cells));
        }
    }

    fn carets(&self, cells: &[Cell]) -> Row {
        let mut line = self.label(Line::new(self.width, self.scene.glyphs), "", None);
        let left = line.used();
        let mut last = 0;
        for (index, _) in cells.iter().enumerate().filter(|(_, cell)| cell.changed) {
            line = line.to(left + index).strong(self.scene.glyphs.up.to_string(), Role::Changed);
            last = left + index + 1;
        }
        let summary = event_summary(self.scene);
        if text::width(&summary) < self.width.saturating_sub(last) {
            return line.gap(1).put(summary, Role::Muted).done();
        }
        // No room to the right: to the left of the first caret, if it fits there.
        let first = left + cells.iter().position(|cell| cell.changed).unwrap_or(0);
        if text::width(&summary) + 1 > first {
            return line.done();
        }
        let mut line = Line::new(self.width, self.scene.glyphs).right(summary, first - 1, Role::Muted);
        for (index, _) in cells.iter().enumerate().filter(|(_, cell)| cell.changed) {
            line = line.to(left + index).strong(self.scene.glyphs.up.to_string(), Role::Changed);
        }
        line.done()
    }

    fn elided(&self, extent: Extent) -> Row {
        let words = format!("{} free", text::bytes(extent.len_bytes()));
        self.note(Some(extent), &words, Role::Free)
    }

    /// A row without cells: dots, what was left out, dots.
    fn note(&self, extent: Option<Extent>, words: &str, role: Role) -> Row {
        let glyphs = self.scene.glyphs;
        let start = extent.map(Extent::start);
        let selected = extent.zip(self.selected).is_some_and(|(extent, selected)| extent.overlaps(selected));
        let changed = extent.is_some_and(|extent| focus::any_overlap(&self.changes, extent.start(), extent.end()));
        let unlike = extent.zip(self.other).is_some_and(|(extent, (addr, _))| extent.contains_addr(addr));
        let mark = self.mark(selected, changed, unlike);
        let line = self.label(Line::new(self.width, glyphs), &mark, start).focused(selected);
        let fill = if role == Role::Free { glyphs.free } else { ' ' };
        let ellipsis = glyphs.ellipsis;
        let line = line.put(fill.to_string().repeat(3.min(self.columns.cells / 4)), Role::Free);
        let line = line.put(format!("{ellipsis} "), Role::Muted).put(words, role);
        let row = line.put(format!(" {ellipsis}"), Role::Muted);
        match start {
            Some(start) => row.target(Target::Address(start)).done(),
            None => row.done(),
        }
    }

    fn legend(&self) -> Row {
        let glyphs = self.scene.glyphs;
        let partly =
            if glyphs.ascii { glyphs.busy_part.to_string() } else { format!("{}{}", glyphs.bars[1], glyphs.bars[4]) };
        let mut line = Line::new(self.width, glyphs)
            .gap(1)
            .put(text::bytes(self.cell_bytes), Role::Number)
            .put(" a cell", Role::Muted);
        // First, for it is rare: where there is little room the end is cut.
        if let Some((_, whose)) = self.other {
            line = line.gap(2).put(glyphs.unlike.to_string(), Role::Bad).put(format!(" {whose}"), Role::Muted);
        }
        let kinds = [
            (glyphs.busy.to_string(), Role::Busy, Kind::Busy.word()),
            (partly, Role::Busy, "partly"),
            (glyphs.unseen.to_string(), Role::Busy, Kind::Unseen.word()),
            (glyphs.lazy.to_string(), Role::Lazy, Kind::Lazy.word()),
            (glyphs.pooled.to_string(), Role::Pooled, Kind::Pooled.word()),
            (glyphs.free.to_string(), Role::Free, Kind::Free.word()),
            (glyphs.per_cpu.to_string(), Role::PerCpu, Kind::PerCpu.word()),
            (glyphs.guard.to_string(), Role::Guard, "guard page"),
            (glyphs.up.to_string(), Role::Changed, "changed"),
        ];
        let pools = self.scene.replay.space().allocator().has_pools();
        let one_page = self.cell_bytes == self.scene.replay.space().allocator().page_size();
        for (glyph, role, word) in kinds {
            let told = !is_script(self.scene.replay.log()) || !matches!(role, Role::PerCpu | Role::Guard);
            let told = told && (word != Kind::Unseen.word() || header::starts_empty(self.scene.replay).is_some());
            let told = told && (role != Role::Lazy || frees_lazily(self.scene));
            let shown = told && (role != Role::Pooled || pools) && (role != Role::Guard || one_page);
            if shown && line.room() >= text::width(&glyph) + word.len() + 3 {
                line = line.gap(2).put(glyph, role).put(format!(" {word}"), Role::Muted);
            }
        }
        if self.columns.share && line.room() >= 22 {
            line = line.put("  % of the row taken", Role::Muted);
        }
        line.done()
    }
}

/// Do freed areas wait for a purge (2.6.28 and later)?
fn frees_lazily(scene: &Scene<'_>) -> bool {
    scene.replay.plan().machine.policy.rules.lazy != LazyStore::Nowhere
}

/// What the current event came to, in a few words.
pub(crate) fn event_summary(scene: &Scene<'_>) -> String {
    let Some((_, event)) = scene.replay.current() else { return String::new() };
    let answers = &scene.replay.outcome().answers;
    match event.kind {
        // A request that got a place, but not the memory: it gave the place back.
        EventKind::Alloc { size, failed: true, .. }
            if is_script(scene.replay.log()) && answers.iter().any(|answer| matches!(answer, Answer::Placed(_))) =>
        {
            format!("{} given back: no memory", text::bytes(size))
        }
        EventKind::Alloc { size, failed: true, .. } => format!("no place for {}", text::bytes(size)),
        EventKind::Alloc { size, .. } => format!("+ {}", text::bytes(size)),
        EventKind::Unasked { addr, end } => format!("+ {}", text::bytes(end.0.saturating_sub(addr.0))),
        EventKind::Free { .. } | EventKind::FreeProbe { .. } => answers
            .iter()
            .find_map(|answer| match answer {
                Answer::Freed(freed) => {
                    let becomes = if frees_lazily(scene) { "lazy" } else { "free" };
                    Some(format!("{} now {becomes}", text::bytes(freed.extent.len_bytes())))
                }
                _ => None,
            })
            .unwrap_or_else(|| "nothing known to free there".to_owned()),
        EventKind::PurgeReturn { purged: Some(false) } => "nothing was lazy".to_owned(),
        EventKind::Purge { .. } | EventKind::PurgeReturn { .. } => {
            let pages: u64 = answers
                .iter()
                .map(|answer| match answer {
                    Answer::Purged(purged) => purged.pages,
                    _ => 0,
                })
                .sum();
            let bytes = pages.saturating_mul(scene.replay.space().allocator().page_size());
            let by_model = answers.iter().find_map(|answer| match answer {
                Answer::Purged(purged) => Some(purged.num_purged),
                _ => None,
            });
            let n = match event.kind {
                EventKind::Purge { num_purged, .. } => num_purged,
                _ => by_model.unwrap_or(0),
            };
            format!("{} back, {}", text::plural(n.into(), "area", "areas"), text::bytes(bytes))
        }
        EventKind::NodeDecay { node, .. } => format!("pools of node {node} decay"),
        EventKind::NodeReturn { node } => {
            let n = answers.iter().find_map(|answer| match answer {
                Answer::Returned(n) => Some(*n),
                _ => None,
            });
            format!("{} of node {node} back", text::plural(n.unwrap_or(0).into(), "area", "areas"))
        }
        EventKind::Request { size, .. } => format!("asks for {}", text::bytes(size)),
        EventKind::PurgeEntry { .. }
        | EventKind::Lost { .. }
        | EventKind::Mark { .. }
        | EventKind::Report { .. }
        | EventKind::Other { .. } => String::new(),
        EventKind::Script(_) => answers
            .iter()
            .find_map(|answer| match answer {
                Answer::Drained(purges) => {
                    let areas = purges.iter().map(|purged| u64::from(purged.num_purged)).sum();
                    Some(format!("{} back", text::plural(areas, "area", "areas")))
                }
                Answer::Shrunk(Some(n)) => Some(format!("{} out of pools", text::plural((*n).into(), "area", "areas"))),
                _ => None,
            })
            .unwrap_or_default(),
    }
}

/// The title: how much, of how much.
pub fn title(scene: &Scene<'_>) -> Vec<Span> {
    if let Some(unplaced) = Unplaced::of(scene) {
        let sums = Span::new(format!("  {}", unplaced.sums()), Role::Number);
        let why = Span::new(format!(" {} {}", scene.glyphs.dot, unplaced.word()), Role::Warn);
        return vec![Span::new("map", Role::Title), sums, why];
    }
    let space = scene.replay.space();
    let window = space.allocator().window();
    let metrics = space.allocator().gauges();
    let areas = text::plural(metrics.busy_areas, "area", "areas");
    let all = text::bytes(focus::window_bytes(window));
    vec![
        Span::new("map", Role::Title),
        Span::new(format!("  {}", text::bytes(metrics.busy_bytes)), Role::Number),
        Span::new(format!(" in use in {areas}, of {all}"), Role::Muted),
    ]
}
