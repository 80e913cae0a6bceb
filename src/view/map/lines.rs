//! Which stretches the rows of a map stand for: rows of cells, and what is left out between them.

use super::super::Scene;
use super::super::focus::stretch;
use crate::model::{AddressSpace, Extent, Place, TreeId};

/// Windows looked at besides the vmalloc range; a trace has two or three.
const MAX_WINDOWS: usize = 64;

/// What one row of the map stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stretch {
    /// Cells from this address on; the segment ends at `limit`.
    Cells {
        /// First address.
        start: u64,
        /// End of the segment: cells from there on stand for nothing.
        limit: u64,
    },
    /// A hole, left out.
    Elided {
        /// The part of the hole that is left out.
        extent: Extent,
    },
    /// What follows has no room.
    More,
    /// Addresses no request may use, between two windows.
    Outside {
        /// How many bytes.
        bytes: u64,
    },
}

/// The disjoint ranges requests may use, ascending: the vmalloc range and what other windows the log names.
pub(super) fn segments(scene: &Scene<'_>) -> Vec<Extent> {
    let vmalloc = scene.replay.space().allocator().window();
    let named = scene.replay.log().names.windows().iter().take(MAX_WINDOWS);
    let windows = std::iter::once(&vmalloc).chain(named);
    let mut extents: Vec<Extent> = windows.filter_map(|window| Extent::new(window.vstart, window.vend)).collect();
    extents.sort_unstable();
    let mut joined: Vec<Extent> = Vec::new();
    for extent in extents {
        match joined.last_mut() {
            // Windows that end in `fff` touch the next page although a byte is missing.
            Some(last) if extent.start() <= last.end().saturating_add(1) => {
                *last = Extent::new(last.start(), last.end().max(extent.end())).unwrap_or(*last);
            }
            _ => joined.push(extent),
        }
    }
    joined
}

/// The hole that contains `addr`.
fn hole_at(space: &AddressSpace, addr: u64) -> Option<Extent> {
    let allocator = space.allocator();
    let areas = allocator.areas();
    match allocator.tree(TreeId::Free) {
        Some(free) => areas.extent(areas.find_containing(&free.tree, addr)),
        None => match allocator.lookup(addr) {
            Place::Free { extent, .. } => Some(extent),
            _ => None,
        },
    }
}

/// At most `n_rows` rows of `row_bytes` each, from the row that holds `from` on. A hole of two rows or more is one row.
pub(super) fn rows_from(
    space: &AddressSpace,
    segments: &[Extent],
    row_bytes: u64,
    from: u64,
    n_rows: usize,
) -> Vec<Stretch> {
    let mut rows: Vec<Stretch> = Vec::new();
    let mut below: Option<u64> = None;
    for segment in segments.iter().filter(|segment| from < segment.end()) {
        if let Some(end) = below {
            rows.push(Stretch::Outside { bytes: segment.start() - end });
        }
        below = Some(segment.end());
        let skipped = from.saturating_sub(segment.start()) / row_bytes;
        let mut at = segment.start() + skipped * row_bytes;
        while at < segment.end() && rows.len() < n_rows {
            let hole_end = hole_at(space, at).map_or(at, |hole| hole.end().min(segment.end()));
            let whole_rows = (hole_end - at) / row_bytes;
            let next = if hole_end == segment.end() { hole_end } else { at + whole_rows * row_bytes };
            match Extent::new(at, next) {
                Some(extent) if whole_rows >= 2 => {
                    rows.push(Stretch::Elided { extent });
                    at = next;
                }
                _ => {
                    rows.push(Stretch::Cells { start: at, limit: segment.end() });
                    at = at.saturating_add(row_bytes);
                }
            }
        }
        if rows.len() >= n_rows {
            break;
        }
    }
    rows.truncate(n_rows);
    rows
}

/// The smallest cell, a power of two of pages, at which everything fits into `n_rows` rows of `n_cells`.
fn cell_for_all(space: &AddressSpace, segments: &[Extent], n_cells: usize, n_rows: usize) -> u64 {
    // From the smallest on: large holes are left out first, and what is left decides. A row more than there is room for
    // ends the counting, so that every try is short.
    let mut cell = space.allocator().page_size().max(1);
    while cell < 1 << 50 && rows_from(space, segments, cell * n_cells as u64, 0, n_rows + 1).len() > n_rows {
        cell *= 2;
    }
    cell
}

/// The cell of level 0, and whether all there is fits with it. Where the ends of the space would make the cells so large
/// that nothing can be seen of what is between, the stretch in use alone decides.
pub(super) fn widest_cell(space: &AddressSpace, segments: &[Extent], n_cells: usize, n_rows: usize) -> (u64, bool) {
    let everything = cell_for_all(space, segments, n_cells, n_rows);
    let (bytes, rows) = (stretch(space).len_bytes(), (n_rows as u64 * 2 / 3).max(1));
    let mut own = space.allocator().page_size().max(1);
    while own < everything && own * n_cells as u64 * rows < bytes {
        own *= 2;
    }
    if everything / 8 > own { (own, false) } else { (everything, true) }
}

/// Does one of the rows stand for `addr`?
pub(super) fn shows(rows: &[Stretch], row_bytes: u64, addr: u64) -> bool {
    rows.iter().any(|row| match *row {
        Stretch::Cells { start, limit } => start <= addr && addr < start.saturating_add(row_bytes).min(limit),
        Stretch::Elided { extent } => extent.contains_addr(addr),
        Stretch::Outside { .. } | Stretch::More => false,
    })
}

/// Where to start so that `centre` is in view, as near to the middle as holes that are left out allow.
pub(super) fn start_for(segments: &[Extent], row_bytes: u64, centre: u64, n_rows: usize) -> u64 {
    let above = (n_rows as u64 / 2).saturating_mul(row_bytes);
    let home = segments.iter().find(|segment| centre < segment.end()).or(segments.last());
    home.map_or(0, |segment| centre.saturating_sub(above).max(segment.start()))
}
