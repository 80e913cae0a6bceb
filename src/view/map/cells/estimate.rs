//! Rows in which more lies than can be looked at for a frame: each cell from a few places in it.

use super::super::super::Scene;
use super::super::super::focus::kind_of_busy;
use super::{Canvas, KINDS, Kind};
use crate::model::{AddressSpace, NIL, TreeId, TreeView};

/// Places of a cell that are looked at.
const PLACES: u64 = 1;
/// Areas or holes looked at from each of them.
const LOOKED: usize = 4;
/// Lazily freed areas looked at for each cell.
const LAZY: usize = 4;

/// Bytes of a stretch that areas of a tree take, and of those the lazily freed ones.
#[derive(Clone, Copy, Default)]
struct Taken {
    all: u64,
    lazy: u64,
    /// The first address of the stretch that none of them takes.
    behind: u64,
}

/// Fills the cells of a row.
pub(super) fn fill(scene: &Scene<'_>, canvas: &mut Canvas) {
    let space = scene.replay.space();
    let allocator = space.allocator();
    let free = allocator.tree(TreeId::Free);
    let busy = allocator.tree(TreeId::Busy(0));
    // What areas in use are for is asked once: where so many lie, they are alike.
    let mut kind = None;
    for (index, cell) in (0u64..).zip(&mut canvas.cells) {
        let from = canvas.start.saturating_add(canvas.cell_bytes * index).min(canvas.end);
        let to = from.saturating_add(canvas.cell_bytes).min(canvas.end);
        if from == to {
            continue;
        }
        let (taken, lazy, first) = match (&free, &busy) {
            (Some(free), _) => {
                let holes = sampled(free, from, to);
                (cell.length.saturating_sub(holes.all), 0, holes.behind)
            }
            (None, Some(busy)) => {
                let taken = sampled(busy, from, to);
                (taken.all, taken.lazy, from)
            }
            (None, None) => (0, 0, from),
        };
        cell.free = cell.length - taken.min(cell.length);
        cell.taken[2] = lazy.min(taken);
        cell.first = (taken > 0).then_some(first.min(to - 1));
        if taken > lazy {
            let kind = *kind.get_or_insert_with(|| kind_at(scene, space, first, canvas.end));
            cell.taken[KINDS.iter().position(|&other| other == kind).unwrap_or(0)] += taken - cell.taken[2];
        }
    }
    lazy(space, canvas);
}

/// What a range holds of a tree, from the first few areas behind some places of it.
fn sampled(view: &TreeView<'_>, from: u64, to: u64) -> Taken {
    let step = (to - from).div_ceil(PLACES);
    let mut sum = Taken { behind: from, ..Taken::default() };
    for place in 0..PLACES {
        let start = from.saturating_add(step * place).min(to);
        let end = start.saturating_add(step).min(to);
        let mut part = Taken::default();
        let mut id = view.areas.first_above(&view.tree, start);
        let mut seen = 0;
        // Up to the start of the first one that is not looked at.
        let covered = loop {
            if id == NIL || end <= view.areas[id].start {
                break end;
            }
            let area = &view.areas[id];
            if seen == LOOKED {
                break area.start;
            }
            let bytes = area.end.min(end) - area.start.max(start);
            if area.start <= sum.behind {
                sum.behind = sum.behind.max(area.end);
            }
            part.all += bytes;
            part.lazy += if area.lazy { bytes } else { 0 };
            seen += 1;
            id = area.next;
        };
        let scaled = |bytes: u64| {
            let all = u128::from(bytes) * u128::from(end - start);
            (all / u128::from((covered - start).max(1))) as u64
        };
        sum.all += scaled(part.all);
        sum.lazy += scaled(part.lazy);
    }
    sum
}

/// What the areas in use there are for, by one of them.
fn kind_at(scene: &Scene<'_>, space: &AddressSpace, addr: u64, to: u64) -> Kind {
    let allocator = space.allocator();
    let found = (0..allocator.n_nodes()).find_map(|node| {
        let view = allocator.tree(TreeId::Busy(node))?;
        let id = view.areas.first_above(&view.tree, addr);
        (id != NIL && view.areas[id].start < to).then(|| kind_of_busy(scene, space, &view.areas[id]))
    });
    found.unwrap_or(Kind::Busy)
}

/// Of what is taken, what is lazy where the era has a tree of it: as far as it can be looked at.
fn lazy(space: &AddressSpace, canvas: &mut Canvas) {
    let allocator = space.allocator();
    let mut left = canvas.cells.len() * LAZY;
    let (start, end) = (canvas.start, canvas.end);
    for node in 0..allocator.n_nodes() {
        let Some(view) = allocator.tree(TreeId::Lazy(node)) else { return };
        let mut id = view.areas.first_above(&view.tree, start);
        while id != NIL && view.areas[id].start < end && left > 0 {
            left -= 1;
            let area = &view.areas[id];
            canvas.add((area.start, area.end), |cell, bytes| {
                let most = (0..KINDS.len()).max_by_key(|&kind| cell.taken[kind]).unwrap_or(0);
                let moved = if most == 2 { 0 } else { bytes.min(cell.taken[most]) };
                cell.taken[most] -= moved;
                cell.taken[2] += moved;
            });
            id = area.next;
        }
    }
}
