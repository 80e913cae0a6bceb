//! A tree as an indented outline, for panes too narrow for a drawing.

use super::super::Row;
use super::super::line::Line;
use super::super::{Role, Span};
use super::picture::Picture;
use crate::model::{AreaId, NIL};

/// The way from `root` down to the focus (`spine`, root first), with what hangs beside it, folded.
pub(super) fn rows(picture: &Picture<'_>, spine: &[AreaId], width: usize, n_rows: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut push = |depth: usize, side: &str, spans: Vec<Span>| {
        let mut line = Line::new(width, picture.glyphs).gap(depth.min(width / 3)).put(side, Role::Muted);
        for span in spans {
            line.span(span);
        }
        rows.push(line.done());
    };
    for (depth, &id) in spine.iter().enumerate() {
        let side = match depth.checked_sub(1).map(|above| picture.areas()[spine[above]].child) {
            Some([left, _]) if left == id => "L",
            Some(_) => "R",
            None => "",
        };
        push(depth, side, picture.label(id));
        let next = spine.get(depth + 1).copied();
        for (side, child) in ["L", "R"].into_iter().zip(picture.areas()[id].child) {
            if child == NIL || Some(child) == next {
                continue;
            }
            let is_leaf = picture.areas()[child].child == [NIL, NIL];
            // The children of the focus are named, the others counted.
            let spans = if is_leaf || next.is_none() { picture.label(child) } else { picture.folded(child) };
            push(depth + 1, side, spans);
        }
    }
    rows.truncate(n_rows);
    rows
}
