//! Trees as text, in the form of the op vectors.

use std::fmt::{Result, Write};

use crate::model::{AreaId, Areas, NIL, Tree};

/// What a tree's lines carry besides depth, side and range.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// `f`: with `subtree_max`.
    Free,
    /// `b` or `l`.
    Plain(char),
}

/// Pre-order, with an explicit stack: node, left subtree, right subtree.
pub(super) fn write_tree(areas: &Areas, tree: &Tree, line: Line, out: &mut dyn Write) -> Result {
    let mut stack: Vec<(AreaId, u32, char)> = vec![(tree.root, 0, '-')];
    while let Some((id, depth, side)) = stack.pop() {
        if id == NIL {
            continue;
        }
        let area = &areas[id];
        let colour = if area.is_black() { 'B' } else { 'R' };
        match line {
            Line::Free => {
                writeln!(out, "f {depth} {side} {:x} {:x} {:x} {colour}", area.start, area.end, area.subtree_max())?;
            }
            Line::Plain(letter) => {
                writeln!(out, "{letter} {depth} {side} {:x} {:x} {colour}", area.start, area.end)?;
            }
        }
        let [left, right] = area.child;
        stack.push((right, depth + 1, 'R'));
        stack.push((left, depth + 1, 'L'));
    }
    Ok(())
}
