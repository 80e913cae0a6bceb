//! The window of a failed request, as the map's first rows.

use super::super::focus;
use super::super::line::Line;
use super::super::text;
use super::super::within::within;
use super::super::{Role, Row, Scene, Target};
use super::Painter;
use crate::event::EventKind;
use crate::model::Extent;

/// The window, if the current request failed in a part of the vmalloc range or outside it.
pub(super) fn of(scene: &Scene<'_>) -> Option<Extent> {
    let (_, event) = scene.replay.current()?;
    let EventKind::Alloc { failed: true, .. } = event.kind else { return None };
    let (_, _, window) = focus::event_request(scene)?;
    let whole = window == scene.replay.space().allocator().window();
    Extent::new(window.vstart, window.vend).filter(|_| !whole)
}

/// Its name with what is in it, and one row of cells.
pub(super) fn rows(painter: &Painter<'_, '_>, window: Extent, rows: &mut Vec<Row>) {
    let scene = painter.scene;
    let space = scene.replay.space();
    let mut cell_bytes = space.allocator().page_size().max(1);
    while cell_bytes.saturating_mul(painter.columns.cells as u64) < window.len_bytes() {
        cell_bytes *= 2;
    }
    let sums = within(space, window);
    let largest = sums.largest.map_or(0, Extent::len_bytes);
    let words = format!(" of {}: {} free, ", text::bytes(window.len_bytes()), text::bytes(sums.free));
    let cells = format!(", {} a cell", text::bytes(cell_bytes));
    let line = Line::new(painter.width, scene.glyphs).gap(1).put("window of the request", Role::Bad);
    let mut line = line.put(words, Role::Muted).put(format!("largest hole {}", text::bytes(largest)), Role::Free);
    if text::width(&cells) <= line.room() {
        line = line.put(cells, Role::Muted);
    }
    rows.push(line.target(Target::Address(window.start())).done());
    painter.cells((window.start(), window.end(), cell_bytes), &mut 0, rows);
}
