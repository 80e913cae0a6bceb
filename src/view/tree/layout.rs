//! Where the nodes of the drawn part of a tree go: boxes on levels, lines between them.
//!
//! Subtrees are packed as tight as their outlines allow. A subtree that does not fit is folded into one box of words.

use super::super::text;
use super::super::{Role, Span};
use super::picture::Picture;
use crate::model::{AreaId, NIL};

/// Blanks between two boxes of one level.
const GAP: i32 = 2;
/// Subtrees tried to be unfolded; more than any screen shows.
const MAX_TRIES: usize = 96;

/// A run of text at a column of a row.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) row: usize,
    pub(super) x: i32,
    pub(super) spans: Vec<Span>,
}

/// A laid out subtree; columns may be negative until it is placed.
struct Block {
    placed: Vec<Placed>,
    /// Leftmost and rightmost column of each level, the right one exclusive.
    outline: Vec<(i32, i32)>,
    /// Column where the line from above arrives.
    anchor: i32,
}

/// The finished drawing.
pub(super) struct Drawing {
    pub(super) placed: Vec<Placed>,
    /// Columns it takes, from 0.
    pub(super) width: i32,
    /// Column of the focus, if it is drawn.
    pub(super) focus: Option<i32>,
}

/// What decides the drawing.
pub(super) struct Frame {
    pub(super) root: AreaId,
    /// Levels there is room for.
    pub(super) levels: usize,
    /// Columns there is room for.
    pub(super) width: i32,
}

/// Draws the tree below `frame.root`: the nodes of `spine`, what a search looked at and else as many others as fit, those
/// nearest to the end of the spine first. `None` if not even the spine fits.
pub(super) fn draw(picture: &Picture<'_>, frame: &Frame, spine: &[AreaId]) -> Option<Drawing> {
    let mut open: Vec<AreaId> = spine.to_vec();
    let mut best = Some(block(picture, frame, &open, frame.root, 1)).filter(|block| fits(block, frame))?;
    // What was searched, from the top down; beside it only the children of the focus.
    let path = picture.path_nodes();
    for &id in path.iter().take(MAX_TRIES).filter(|id| !spine.contains(id)) {
        open.push(id);
        let tried = block(picture, frame, &open, frame.root, 1);
        if fits(&tried, frame) {
            best = tried;
        } else {
            open.pop();
        }
    }
    let near = if path.is_empty() { spine } else { &spine[..spine.len().min(1)] };
    // Nearest to the focus first: its own children, then those of the nodes above it, then their children.
    let mut waiting: std::collections::VecDeque<AreaId> =
        near.iter().flat_map(|&id| picture.areas()[id].child).filter(|&id| id != NIL).collect();
    let mut budget = MAX_TRIES;
    while let Some(id) = waiting.pop_front() {
        if open.contains(&id) {
            continue;
        }
        if budget == 0 {
            break;
        }
        budget -= 1;
        open.push(id);
        let tried = block(picture, frame, &open, frame.root, 1);
        if fits(&tried, frame) {
            best = tried;
            if !path.is_empty() {
                continue;
            }
            waiting.extend(picture.areas()[id].child.into_iter().filter(|&child| child != NIL));
        } else {
            open.pop();
        }
    }
    Some(finish(picture, best))
}

fn extent_of(block: &Block) -> (i32, i32) {
    let left = block.outline.iter().map(|level| level.0).min().unwrap_or(0);
    let right = block.outline.iter().map(|level| level.1).max().unwrap_or(0);
    (left, right)
}

fn fits(block: &Block, frame: &Frame) -> bool {
    let (left, right) = extent_of(block);
    block.outline.len() <= frame.levels && right - left <= frame.width
}

fn finish(picture: &Picture<'_>, mut block: Block) -> Drawing {
    let (left, right) = extent_of(&block);
    for placed in &mut block.placed {
        placed.x -= left;
    }
    let cursor = picture.glyphs.cursor;
    let focus = block.placed.iter().find(|placed| placed.spans[0].text.starts_with(cursor)).map(|placed| placed.x);
    Drawing { placed: block.placed, width: right - left, focus }
}

fn columns(spans: &[Span]) -> i32 {
    i32::try_from(spans.iter().map(|span| text::width(&span.text)).sum::<usize>()).unwrap_or(i32::MAX / 4)
}

/// Lays out the subtree of `id` from `level` (from 1) on. Depth is bounded by the levels of the frame.
fn block(picture: &Picture<'_>, frame: &Frame, open: &[AreaId], id: AreaId, level: usize) -> Block {
    let row = (level - 1) * 2;
    let children = picture.areas()[id].child;
    let is_leaf = children == [NIL, NIL];
    let is_open = open.contains(&id) || is_leaf;
    let bottom = level >= frame.levels;
    let spans = if is_open && (is_leaf || !bottom) { picture.label(id) } else { picture.folded(id) };
    let width = columns(&spans);
    // The focus is named even where there is no room for what is below it.
    let spans = if bottom && open.contains(&id) { picture.label(id) } else { spans };
    let width = width.max(columns(&spans));
    if !is_open || is_leaf || bottom {
        let outline = vec![(0, width)];
        return Block { placed: vec![Placed { row, x: 0, spans }], outline, anchor: width / 2 };
    }
    let [left, right] = children.map(|child| (child != NIL).then(|| block(picture, frame, open, child, level + 1)));
    let (mut below, centre, ends) = match (left, right) {
        (Some(left), Some(mut right)) => {
            let shift = beside(&left, &right);
            shift_by(&mut right, shift);
            let ends = (left.anchor, right.anchor);
            (join(left, right), i32::midpoint(ends.0, ends.1), ends)
        }
        (Some(only), None) => {
            let ends = (only.anchor, only.anchor + 4);
            (only, ends.1, ends)
        }
        (None, Some(only)) => {
            let ends = (only.anchor - 4, only.anchor);
            (only, ends.0, ends)
        }
        (None, None) => unreachable!("a node without children is a leaf"),
    };
    let spokes = spokes(picture, children, ends, centre);
    below.placed.push(Placed { row: row + 1, x: ends.0, spans: spokes });
    let x = centre - width / 2;
    below.placed.push(Placed { row, x, spans });
    // The lines count as part of the level above, so that a neighbour's box cannot touch them.
    below.outline.insert(0, (x.min(ends.0), (x + width).max(ends.1 + 1)));
    below.anchor = centre;
    below
}

/// The lines from a node at column `centre` to its children at the columns `ends`.
fn spokes(picture: &Picture<'_>, children: [AreaId; 2], ends: (i32, i32), centre: i32) -> Vec<Span> {
    let [flat, _, corner_left, corner_right, tee] = picture.glyphs.tree;
    let [path_left, path_right] = children.map(|child| child != NIL && picture.on_path(child));
    let role = |path: bool| if path { Role::Path } else { Role::Muted };
    let line =
        |from: i32, to: i32, path: bool| Span::new(flat.to_string().repeat((to - from).max(0) as usize), role(path));
    let mut spans = Vec::with_capacity(5);
    if children[0] != NIL {
        spans.push(Span::new(corner_left.to_string(), role(path_left)));
        spans.push(line(ends.0 + 1, centre, path_left));
    }
    let middle = match children.map(|child| child != NIL) {
        [true, true] => tee,
        [true, false] => picture.glyphs.bends[0],
        _ => picture.glyphs.bends[1],
    };
    spans.push(Span::new(middle.to_string(), role(path_left || path_right)));
    if children[1] != NIL {
        spans.push(line(centre + 1, ends.1, path_right));
        spans.push(Span::new(corner_right.to_string(), role(path_right)));
    }
    spans
}

/// How far `right` must move so that nothing of it touches `left`.
fn beside(left: &Block, right: &Block) -> i32 {
    let pairs = left.outline.iter().zip(&right.outline);
    pairs.map(|(left, right)| left.1 + GAP - right.0).max().unwrap_or(0)
}

fn shift_by(block: &mut Block, columns: i32) {
    block.placed.iter_mut().for_each(|placed| placed.x += columns);
    block.outline.iter_mut().for_each(|level| *level = (level.0 + columns, level.1 + columns));
    block.anchor += columns;
}

fn join(mut left: Block, right: Block) -> Block {
    left.placed.extend(right.placed);
    for (level, outline) in right.outline.into_iter().enumerate() {
        match left.outline.get_mut(level) {
            Some(known) => *known = (known.0.min(outline.0), known.1.max(outline.1)),
            None => left.outline.push(outline),
        }
    }
    left
}
