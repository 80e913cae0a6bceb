//! The maps of all lanes to one scale, below each other, and where they differ.

use super::super::line::Line;
use super::super::{Role, Row, Scene, Span, Target, focus, text};
use super::axis::Axis;
use super::{LABEL, Lanes, name, sign};
use crate::compare::Lane;
use crate::model::{Extent, VmapArea};

/// What is in a cell, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Cell {
    busy: u64,
    lazy: u64,
    pooled: u64,
    /// This record put something there, or took it away.
    is_now: bool,
}

/// What a cell shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Busy,
    Part,
    Lazy,
    Pooled,
    Free,
    Gap,
}

/// The rows: the scale, `tall` rows for each lane, a row of signs where they differ from the first, the legend.
pub(super) fn rows(scene: &Scene<'_>, lanes: &Lanes<'_>, width: usize, tall: usize) -> Vec<Row> {
    let columns = width.saturating_sub(LABEL + 2).max(1);
    let page = scene.replay.space().allocator().page_size();
    let all: Vec<Extent> = lanes.list().iter().flat_map(extents).collect();
    let axis = Axis::of(all, columns * tall, page);
    let filled: Vec<Vec<Cell>> = lanes.list().iter().map(|lane| fill(lane, &axis)).collect();
    let shown: Vec<Vec<Shown>> = filled
        .iter()
        .map(|cells| {
            cells.iter().enumerate().map(|(at, cell)| of_cell(cell, axis.is_gap(at), axis.cell_bytes)).collect()
        })
        .collect();
    let mut rows = vec![scale(scene, &axis, width)];
    for (at, (lane, (cells, shown))) in lanes.list().iter().zip(filled.iter().zip(&shown)).enumerate() {
        for part in 0..tall.min(axis.n_cells.div_ceil(columns)).max(1) {
            let mut line = Line::new(width, scene.glyphs).gap(1);
            if part == 0 {
                line = line.strong(sign(at), Role::Key).gap(1).left(name(lane), LABEL - 4, Role::Text);
            }
            line = line.to(LABEL);
            for cell in (part * columns..(part + 1) * columns).take_while(|&cell| cell < axis.n_cells) {
                let (glyph, role) = look(scene, shown[cell]);
                line.span(Span {
                    text: glyph.to_string(),
                    role: if cells[cell].is_now { Role::Changed } else { role },
                    selected: cells[cell].is_now,
                    target: axis.address(cell).map(Target::Address),
                    ..Span::default()
                });
            }
            rows.push(line.done());
        }
    }
    rows.extend(differences(scene, &shown, (columns, tall), width));
    rows.push(legend(scene, width));
    rows
}

fn scale(scene: &Scene<'_>, axis: &Axis, width: usize) -> Row {
    let line = Line::new(width, scene.glyphs).gap(1).left("maps", LABEL - 1, Role::Title);
    let Some((start, end)) = axis.ends() else { return line.put("nothing is in use", Role::Muted).done() };
    let addresses = focus::addresses(scene);
    let cell = text::bytes(axis.cell_bytes);
    let (start, end) = (addresses.short(start), addresses.short(end));
    line.put(format!("{start} {} {end}, {cell} a cell in every lane", scene.glyphs.dash), Role::Muted).done()
}

/// Areas of a lane inside its window: in use, lazily freed, pooled.
fn extents(lane: &Lane) -> Vec<Extent> {
    let mut all = Vec::new();
    each(lane, &mut |_, extent| all.push(extent));
    all
}

fn each(lane: &Lane, visit: &mut dyn FnMut(Shown, Extent)) {
    let allocator = lane.space().allocator();
    let window = lane.machine().window;
    let mut see = |kind, area: &VmapArea| {
        let (start, end) = (area.start.max(window.vstart), area.end.min(window.vend));
        if start < end
            && let Some(extent) = Extent::new(start, end)
        {
            visit(kind, extent);
        }
    };
    for node in 0..allocator.n_nodes() {
        allocator.visit_busy(node, &mut |area| see(Shown::Busy, area));
        allocator.visit_lazy(node, &mut |area| see(Shown::Lazy, area));
    }
    allocator.visit_pools(&mut |_, area| see(Shown::Pooled, area));
}

fn fill(lane: &Lane, axis: &Axis) -> Vec<Cell> {
    let mut cells = vec![Cell::default(); axis.n_cells];
    each(lane, &mut |kind, extent| {
        axis.cells(extent, &mut |at, bytes| {
            let Some(cell) = cells.get_mut(at) else { return };
            match kind {
                Shown::Lazy => cell.lazy += bytes,
                Shown::Pooled => cell.pooled += bytes,
                _ => cell.busy += bytes,
            }
        });
    });
    if let Some(Some(extent)) = lane.shown().placed() {
        axis.cells(extent, &mut |at, _| {
            if let Some(cell) = cells.get_mut(at) {
                cell.is_now = true;
            }
        });
    }
    cells
}

fn of_cell(cell: &Cell, is_gap: bool, cell_bytes: u64) -> Shown {
    let &Cell { busy, lazy, pooled, .. } = cell;
    match () {
        () if is_gap => Shown::Gap,
        () if busy >= cell_bytes => Shown::Busy,
        () if busy == 0 && lazy == 0 && pooled == 0 => Shown::Free,
        () if lazy > busy && lazy >= pooled => Shown::Lazy,
        () if pooled > busy => Shown::Pooled,
        () => Shown::Part,
    }
}

fn look(scene: &Scene<'_>, shown: Shown) -> (char, Role) {
    let glyphs = scene.glyphs;
    match shown {
        Shown::Busy => (glyphs.busy, Role::Busy),
        Shown::Part => (glyphs.busy_part, Role::Busy),
        Shown::Lazy => (glyphs.lazy, Role::Lazy),
        Shown::Pooled => (glyphs.pooled, Role::Pooled),
        Shown::Free => (glyphs.free, Role::Free),
        Shown::Gap => (glyphs.ellipsis, Role::Muted),
    }
}

/// Signs below the cells in which any lane shows something else than the first.
fn differences(scene: &Scene<'_>, shown: &[Vec<Shown>], (columns, tall): (usize, usize), width: usize) -> Option<Row> {
    let (first, others) = shown.split_first()?;
    let differs = |cell: usize| others.iter().any(|other| other.get(cell) != first.get(cell));
    let n_differ = (0..first.len()).filter(|&cell| differs(cell)).count() as u64;
    let mut line = Line::new(width, scene.glyphs).gap(1).left("unlike the first", LABEL - 1, Role::Muted);
    if n_differ == 0 {
        return Some(line.put(format!("{} all the same at this scale", scene.glyphs.exact), Role::Good).done());
    }
    if tall > 1 {
        let (n, of) = (text::count(n_differ), text::count(first.len() as u64));
        return Some(line.put(format!("{} {n} of {of} cells", scene.glyphs.unlike), Role::Warn).done());
    }
    for cell in 0..columns.min(first.len()) {
        line = line.put(if differs(cell) { scene.glyphs.up } else { ' ' }.to_string(), Role::Warn);
    }
    Some(line.done())
}

fn legend(scene: &Scene<'_>, width: usize) -> Row {
    let mut line = Line::new(width, scene.glyphs).to(LABEL);
    let kinds = [
        (Shown::Busy, "in use"),
        (Shown::Part, "partly"),
        (Shown::Lazy, "lazy"),
        (Shown::Pooled, "pooled"),
        (Shown::Free, "free"),
        (Shown::Gap, "left out"),
    ];
    for (kind, word) in kinds {
        let (glyph, role) = look(scene, kind);
        line = line.put(glyph.to_string(), role).put(format!(" {word}  "), Role::Muted);
    }
    line.done()
}
