//! The rows of a snapshot in the place of events: a list of areas in the order of the file.

use super::super::focus;
use super::super::line::Line;
use super::super::text;
use super::super::unplaced::kind_role;
use super::super::{Role, Row, Scene, Selection, Span, Target};
use super::EventFilter;
use super::matcher::AreaMatcher;
use crate::log::{Baseline, BaselineArea, BaselineState, Log, Pointers};

/// Pages by NUMA node take at most this many columns.
const MAX_NUMA: usize = 24;

/// The snapshot that is listed: of a log without events.
pub(super) fn listed(log: &Log) -> Option<&Baseline> {
    log.before.as_ref().filter(|_| log.events.is_empty())
}

/// Where a row goes: to its address, if that is known.
pub(super) fn target(baseline: &Baseline, area: &BaselineArea) -> Option<Target> {
    (baseline.pointers == Pointers::Real).then_some(Target::Address(area.start))
}

/// The row of an address; of two that hold it the one that starts there.
fn row_of(baseline: &Baseline, addr: u64) -> Option<usize> {
    if baseline.pointers != Pointers::Real {
        return None;
    }
    let starts = baseline.areas.iter().position(|area| area.start == addr);
    starts.or_else(|| baseline.areas.iter().position(|area| area.start <= addr && addr < area.end))
}

/// Which columns there is room for.
struct Columns {
    /// Address, or the number of the row.
    address: usize,
    full: bool,
    pages: usize,
    numa: usize,
    searching: bool,
}

/// What all rows share.
struct List<'s, 'a> {
    scene: &'s Scene<'a>,
    baseline: &'a Baseline,
    width: usize,
    columns: Columns,
}

/// The rows around the selection, or from row `top` on, below a row of column names where there is room for one.
pub(super) fn rows(
    scene: &Scene<'_>,
    baseline: &Baseline,
    (width, height): (usize, usize),
    top: Option<usize>,
    filter: &EventFilter,
) -> Vec<Row> {
    let head = usize::from(height >= 6);
    let n_rows = height - head;
    let areas = &baseline.areas;
    let here = focus::focus_address(scene).and_then(|addr| row_of(baseline, addr));
    let last_top = areas.len().saturating_sub(n_rows);
    let top = top.unwrap_or(here.unwrap_or(0).saturating_sub(n_rows / 2)).min(last_top);
    let shown = &areas[top..areas.len().min(top + n_rows)];
    let machine = &scene.replay.plan().machine;
    let matcher = AreaMatcher::new(&filter.text, machine.is_32_bit);
    let full = width >= 60;
    let real = baseline.pointers == Pointers::Real;
    let numa = shown.iter().map(|area| numa(area).len()).max().unwrap_or(0).min(MAX_NUMA);
    let columns = Columns {
        address: match (real, full) {
            (false, _) => areas.len().to_string().len().max(3),
            (true, true) => scene.addr_width(),
            (true, false) => focus::addresses(scene).width(),
        },
        full,
        pages: if width >= 48 { 7 } else { 0 },
        numa: if width >= 84 { numa } else { 0 },
        searching: matcher.is_some(),
    };
    let list = List { scene, baseline, width, columns };
    let mut rows = Vec::with_capacity(height);
    if head == 1 {
        rows.push(list.names());
    }
    for (index, area) in (top..).zip(shown) {
        let found = matcher.as_ref().is_some_and(|matcher| matcher.matches(area, real, machine.page_size));
        rows.push(list.row(index, area, here == Some(index), found));
    }
    rows
}

impl List<'_, '_> {
    fn names(&self) -> Row {
        let columns = &self.columns;
        let real = self.baseline.pointers == Pointers::Real;
        let mut line = Line::new(self.width, self.scene.glyphs).gap(3 + usize::from(columns.searching));
        line = if real {
            line.left("address", columns.address, Role::Muted)
        } else {
            line.right("row", columns.address, Role::Muted)
        };
        line = line.gap(1).right("size", 9, Role::Muted).gap(1).left("kind", 10, Role::Muted).gap(1);
        if columns.pages > 0 {
            line = line.right("pages", columns.pages, Role::Muted).gap(1);
        }
        if columns.numa > 0 {
            line = line.left("NUMA", columns.numa, Role::Muted).gap(1);
        }
        line.put("caller", Role::Muted).done()
    }

    fn row(&self, index: usize, area: &BaselineArea, is_here: bool, found: bool) -> Row {
        let (scene, columns) = (self.scene, &self.columns);
        let cursor = if is_here { scene.glyphs.cursor.to_string() } else { String::new() };
        let mut line = Line::new(self.width, scene.glyphs).left(cursor, 1, Role::Key);
        if columns.searching {
            line = line.left(if found { "/" } else { "" }, 1, Role::Key);
        }
        let unpurged = area.state == BaselineState::Unpurged;
        let (glyph, role) = match (area.repaired, unpurged) {
            (true, _) => (scene.glyphs.failure, Role::Warn),
            (false, true) => (scene.glyphs.lazy, Role::Lazy),
            (false, false) => (' ', Role::Text),
        };
        line = line.put(glyph.to_string(), role).gap(1);
        let address = match target(self.baseline, area) {
            None => (index + 1).to_string(),
            Some(_) if columns.full => scene.addr(area.start),
            Some(_) => focus::addresses(scene).short(area.start),
        };
        line = line.right(address, columns.address, Role::Number).gap(1);
        line = line.right(text::bytes(area.size), 9, Role::Number).gap(1);
        line = line.left(area.kind(), 10, kind_role(area.kind())).gap(1);
        if columns.pages > 0 {
            let pages = if area.pages > 0 { text::count(area.pages) } else { String::new() };
            line = line.right(pages, columns.pages, Role::Number).gap(1);
        }
        if columns.numa > 0 {
            line = line.left(numa(area), columns.numa, Role::Muted).gap(1);
        }
        if area.repaired {
            line = line.put("repaired ", Role::Warn);
        }
        line = line.put(caller(area), Role::Text);
        let mut row = line.focused(is_here).done();
        row.target = target(self.baseline, area);
        let selected = is_here && matches!(scene.selection, Selection::Address(_));
        if selected || found {
            row.spans.iter_mut().filter(|span| !span.text.trim().is_empty()).for_each(|span| span.strong = true);
        }
        row
    }
}

/// `N0=3 N1=4`.
fn numa(area: &BaselineArea) -> String {
    let nodes: Vec<String> = area.nodes.iter().take(8).map(|(node, pages)| format!("N{node}={pages}")).collect();
    nodes.join(" ")
}

/// Symbol and module, made harmless.
pub(super) fn caller(area: &BaselineArea) -> String {
    let caller = text::escape(area.caller.as_bytes());
    match &area.module {
        Some(module) => format!("{caller} [{}]", text::escape(module.as_bytes())),
        None => caller,
    }
}

/// The title: how many rows, and in which order.
pub(super) fn title(scene: &Scene<'_>, baseline: &Baseline) -> Vec<Span> {
    let n = text::plural(baseline.areas.len() as u64, "row", "rows");
    vec![
        Span::new("areas", Role::Title),
        Span::new(format!("  {n}"), Role::Number),
        Span::new(format!(" {} in the order of the file", scene.glyphs.dot), Role::Muted),
    ]
}
