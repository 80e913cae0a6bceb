//! What each cell of a map holds.

mod estimate;

use super::super::focus::{Kind, any_overlap, has_guard, kind_of_busy};
use super::super::within::is_lazy_the_rest;
use super::super::{Glyphs, Role, Scene};
use crate::model::{Extent, NIL, TreeId, TreeView, VmapArea};

/// Areas and holes looked at for each cell of a row before it is estimated instead.
const PER_CELL: usize = 4;
/// Areas and holes looked at in any row.
const LEAST_LOOKED: usize = 256;

/// Bytes by kind in one cell.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cell {
    /// In use, per-CPU, lazy, pooled, unseen.
    taken: [u64; 5],
    free: u64,
    /// Bytes of the cell that belong to the segment.
    length: u64,
    /// Lowest address in it that is taken.
    first: Option<u64>,
    /// It is the guard page of an area.
    guard: bool,
    /// The current event changed something in it.
    pub(super) changed: bool,
}

const KINDS: [Kind; 5] = [Kind::Busy, Kind::PerCpu, Kind::Lazy, Kind::Pooled, Kind::Unseen];

impl Cell {
    /// Bytes that are not free.
    pub(super) fn taken_bytes(&self) -> u64 {
        self.length - self.free.min(self.length)
    }

    /// Bytes of the segment it stands for; 0 behind the segment's end.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The address a click goes to: the first thing that is taken, else the cell's own.
    pub(super) fn address(&self, start: u64) -> u64 {
        self.first.unwrap_or(start)
    }

    /// The kind with the most bytes, free only if nothing is taken: nothing in use ever disappears from the map.
    fn kind(&self) -> Kind {
        let most = (0..5).max_by_key(|&kind| (self.taken[kind], 5 - kind)).unwrap_or(0);
        if self.taken[most] > 0 {
            KINDS[most]
        } else if self.free > 0 {
            Kind::Free
        } else {
            Kind::Unknown
        }
    }

    /// Character and role.
    pub(super) fn look(&self, scene: &Scene<'_>) -> (char, Role) {
        let glyphs = scene.glyphs;
        if self.length == 0 {
            return (' ', Role::Text);
        }
        let (glyph, role) = match self.kind() {
            Kind::Busy if self.guard => (glyphs.guard, Role::Guard),
            Kind::Busy => (self.height(scene), Role::Busy),
            Kind::PerCpu => (glyphs.per_cpu, Role::PerCpu),
            Kind::Unseen => (glyphs.unseen, Role::Busy),
            Kind::Lazy => (glyphs.lazy, Role::Lazy),
            Kind::Pooled => (glyphs.pooled, Role::Pooled),
            Kind::Free => (glyphs.free, Role::Free),
            Kind::Unknown => ('?', Role::Muted),
        };
        (glyph, if self.changed { Role::Changed } else { role })
    }

    /// A full block, or how full the cell is as a bar; plain sets have one glyph for "partly".
    fn height(&self, scene: &Scene<'_>) -> char {
        let taken = self.taken_bytes();
        if taken >= self.length {
            return scene.glyphs.busy;
        }
        if scene.glyphs.ascii {
            return scene.glyphs.busy_part;
        }
        let eighth = u128::from(taken) * 8 / u128::from(self.length.max(1));
        scene.glyphs.bars[(eighth as usize).min(6)]
    }
}

/// A run of cells being filled.
struct Canvas {
    start: u64,
    end: u64,
    cell_bytes: u64,
    cells: Vec<Cell>,
}

impl Canvas {
    fn add(&mut self, (from, to): (u64, u64), put: impl Fn(&mut Cell, u64)) {
        let mut at = from.max(self.start);
        let end = to.min(self.end);
        while at < end {
            let index = (at - self.start) / self.cell_bytes;
            let cell_end = self.start.saturating_add((index + 1).saturating_mul(self.cell_bytes));
            let stop = cell_end.min(end);
            if let Some(cell) = self.cells.get_mut(index as usize) {
                put(cell, stop - at);
            }
            at = stop;
        }
    }

    fn take(&mut self, area: &VmapArea, kind: usize) {
        let from = area.start.max(self.start);
        self.add((area.start, area.end), |cell, bytes| cell.taken[kind] += bytes);
        if from < self.end {
            let index = (from - self.start) / self.cell_bytes;
            if let Some(cell) = self.cells.get_mut(index as usize) {
                cell.first = Some(cell.first.map_or(from, |first| first.min(from)));
            }
        }
    }
}

/// The cells of a row.
pub(super) struct Filled {
    pub(super) cells: Vec<Cell>,
    /// There is so much in it that only a part of it was looked at.
    pub(super) estimated: bool,
}

/// The cells of `[start, start + n · cell)`, of which what lies behind `limit` stands for nothing.
pub(super) fn fill(
    scene: &Scene<'_>,
    start: u64,
    limit: u64,
    cell_bytes: u64,
    n_cells: usize,
    changes: &[Extent],
) -> Filled {
    let end = start.saturating_add(cell_bytes.saturating_mul(n_cells as u64)).min(limit);
    let mut canvas = Canvas { start, end, cell_bytes, cells: vec![Cell::default(); n_cells] };
    for (index, cell) in canvas.cells.iter_mut().enumerate() {
        let from = start.saturating_add(cell_bytes * index as u64).min(end);
        let to = from.saturating_add(cell_bytes).min(end);
        cell.length = to - from;
        cell.changed = from < to && any_overlap(changes, from, to);
    }
    let empty = canvas.cells.clone();
    let estimated = !add_up(scene, &mut canvas);
    if estimated {
        canvas.cells = empty;
        estimate::fill(scene, &mut canvas);
    }
    Filled { cells: canvas.cells, estimated }
}

/// Adds up everything in the row; `false` if that is more than [`PER_CELL`] areas and holes for each cell.
fn add_up(scene: &Scene<'_>, canvas: &mut Canvas) -> bool {
    let space = scene.replay.space();
    let allocator = space.allocator();
    let (start, end) = (canvas.start, canvas.end);
    let one_page = canvas.cell_bytes == allocator.page_size();
    let mut left = canvas.cells.len() * PER_CELL + LEAST_LOOKED;
    for node in 0..allocator.n_nodes() {
        let busy = |canvas: &mut Canvas, area: &VmapArea| {
            if area.lazy {
                return canvas.take(area, 2);
            }
            let kind = kind_of_busy(scene, space, area);
            canvas.take(area, KINDS.iter().position(|&other| other == kind).unwrap_or(0));
            if one_page && kind == Kind::Busy {
                mark_guard(scene, canvas, area);
            }
        };
        match allocator.tree(TreeId::Busy(node)) {
            Some(view) => {
                if !within_budget(&view, (start, end), &mut left, |area| busy(canvas, area)) {
                    return false;
                }
            }
            // A list, which is as short as such kernels' are.
            None => allocator.visit_busy(node, &mut |area| {
                if area.start < end && start < area.end {
                    busy(canvas, area);
                }
            }),
        }
        let lazy = allocator.tree(TreeId::Lazy(node));
        if !lazy.is_none_or(|view| within_budget(&view, (start, end), &mut left, |area| canvas.take(area, 2))) {
            return false;
        }
    }
    let hole = |canvas: &mut Canvas, from: u64, to: u64| canvas.add((from, to), |cell, bytes| cell.free += bytes);
    match allocator.tree(TreeId::Free) {
        Some(view) => {
            if !within_budget(&view, (start, end), &mut left, |area| hole(canvas, area.start, area.end)) {
                return false;
            }
        }
        // What is not taken is free.
        None => canvas.cells.iter_mut().for_each(|cell| {
            let taken: u64 = cell.taken.iter().sum();
            cell.free = cell.length.saturating_sub(taken);
        }),
    }
    // What is neither is known by what it is not: from 5.2 to 5.10 the lazy store is an unordered list, and nothing leads
    // from an address to a pool.
    let rest = match allocator.gauges().pooled_bytes {
        _ if is_lazy_the_rest(space) => 2,
        0 => return true,
        _ => 3,
    };
    for cell in &mut canvas.cells {
        let known: u64 = cell.taken.iter().sum::<u64>() + cell.free;
        cell.taken[rest] += cell.length.saturating_sub(known);
    }
    true
}

/// Calls `visit` with the areas of a tree that reach into a range; `false` if there are more than `left`.
fn within_budget(
    view: &TreeView<'_>,
    (start, end): (u64, u64),
    left: &mut usize,
    mut visit: impl FnMut(&VmapArea),
) -> bool {
    let mut id = view.areas.first_above(&view.tree, start);
    while id != NIL && view.areas[id].start < end {
        if *left == 0 {
            return false;
        }
        *left -= 1;
        visit(&view.areas[id]);
        id = view.areas[id].next;
    }
    true
}

/// Marks the cell of an area's last page, if that page is a guard.
fn mark_guard(scene: &Scene<'_>, canvas: &mut Canvas, area: &VmapArea) {
    let last = area.end - canvas.cell_bytes.min(area.len_bytes());
    if last < canvas.start || canvas.end <= last || !has_guard(scene, Kind::Busy, area) {
        return;
    }
    let index = (last - canvas.start) / canvas.cell_bytes;
    if let Some(cell) = canvas.cells.get_mut(index as usize) {
        cell.guard = true;
    }
}

/// Bytes taken and all bytes of a row.
pub(super) fn sums(cells: &[Cell]) -> (u64, u64) {
    cells.iter().fold((0, 0), |(taken, all), cell| (taken + cell.taken_bytes(), all + cell.length()))
}

/// A share in percent that is 0 only for nothing and 100 only for everything; an estimate says that it is one.
pub(super) fn share(taken: u64, all: u64, estimate: Option<&Glyphs>) -> String {
    let percent = u128::from(taken) * 100 / u128::from(all.max(1));
    if let Some(glyphs) = estimate {
        return format!("{}{percent} %", if glyphs.ascii { '~' } else { glyphs.inferred });
    }
    match percent {
        0 if taken > 0 => "<1 %".to_owned(),
        _ => format!("{percent} %"),
    }
}
