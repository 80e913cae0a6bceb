//! The tree: what does it look like?
//!
//! The part around the focus is drawn, what is far is folded, so that a tree of 100,000 nodes costs no more than what
//! is visible of it.

mod layout;
mod outline;
mod picture;
mod vmlist;

use super::focus::{self, nearest};
use super::line::{Line, wrap};
use super::script::{is_behind_purge, is_script, searched};
use super::text;
use super::unplaced::Unplaced;
use super::{Role, Row, Scene, Selection, Span};
use crate::event::{Event, EventKind};
use crate::model::{AddressSpace, Allocator, AreaId, Extent, Fit, NIL, Step, TreeId, TreeNode, TreeView};
use layout::{Drawing, Frame, Placed};
use picture::{Marks, Picture, black_height, depth};

/// Narrower panes get an outline.
const MIN_DRAWING: usize = 40;
/// The depth of a tree up to this size is counted; of a larger one the black height is told.
const MAX_COUNTED: u32 = 4096;

/// Farther than any tree is wide.
const MAX_MOVED: i32 = 4096;
/// How far the picture is moved: columns to the right, levels down from the focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TreePan {
    /// To the right, in columns.
    pub dx: i32,
    /// Down, in levels.
    pub dy: i32,
}

/// The name of a tree for people.
pub(super) fn name(scene: &Scene<'_>, which: TreeId) -> String {
    let many = scene.replay.space().allocator().n_nodes() > 1;
    match which {
        // A rule of the literature has lists or orders of its own; this is how its holes are found by address.
        TreeId::Free if scene.replay.plan().machine.policy.layers().is_some() => "holes by address".to_owned(),
        TreeId::Free => "free tree".to_owned(),
        TreeId::Busy(node) if many => format!("busy tree of node {node}"),
        TreeId::Lazy(node) if many => format!("lazy tree of node {node}"),
        TreeId::Busy(_) => "busy tree".to_owned(),
        TreeId::Lazy(_) => "lazy tree".to_owned(),
    }
}

/// The tree that is shown for the one asked for: up to 5.1 there is no free tree, but from 2.6.28 on one of areas.
fn shown(allocator: &dyn Allocator, which: TreeId) -> TreeId {
    let busy = TreeId::Busy(0);
    if allocator.tree(which).is_none() && allocator.tree(busy).is_some() { busy } else { which }
}

/// Up to 2.6.27 there is no tree at all.
fn is_list(allocator: &dyn Allocator) -> bool {
    allocator.tree(TreeId::Free).is_none() && allocator.tree(TreeId::Busy(0)).is_none()
}

/// The step being shown, if one is.
fn shown_step<'a>(scene: &Scene<'a>) -> Option<&'a Step> {
    scene.replay.outcome().steps.get(scene.sub_step?)
}

/// The state the picture shows: while a search is walked, or if it was in vain, the one it searched, else the one after
/// the event.
fn state<'a>(scene: &Scene<'a>) -> &'a AddressSpace {
    let failed = |event: &Event| matches!(event.kind, EventKind::Alloc { failed: true, .. });
    if let (Some(index), true) = (scene.sub_step, is_script(scene.replay.log())) {
        // Of a script the purge and the second attempt are steps of the same op.
        if is_behind_purge(scene, index) {
            return scene.replay.space();
        }
    } else if scene.replay.current().is_some_and(|(_, event)| failed(event)) {
        return searched(scene);
    }
    match shown_step(scene) {
        Some(
            Step::PoolAsked { .. }
            | Step::SearchBegun { .. }
            | Step::Visited { .. }
            | Step::Rewound { .. }
            | Step::WalkBegun { .. }
            | Step::Passed { .. }
            | Step::HoleRemembered { .. }
            | Step::GapFound { .. }
            | Step::Refused { .. },
        ) => scene.replay.before(),
        _ => scene.replay.space(),
    }
}

/// The node the picture is about.
fn focus_node(scene: &Scene<'_>, view: &TreeView<'_>, which: TreeId) -> AreaId {
    let near = |addr: u64| nearest(view.areas, &view.tree, addr);
    match shown_step(scene) {
        Some(Step::Passed { area, .. }) if which != TreeId::Free => return near(area.start()),
        Some(Step::Tree { tree, what }) if *tree == which => return near(what.node().start),
        _ => {}
    }
    if let (TreeId::Free, Some(step)) = (which, shown_step(scene)) {
        match *step {
            // By its address: a nested request searches among nodes that the state before the event does not have.
            Step::Visited { extent, .. } => return near(extent.start()),
            Step::Clipped { placed, .. } => return near(placed.end()),
            Step::Returned { hole, .. } => return near(hole.start()),
            _ => {}
        }
    }
    if let Selection::Address(addr) = scene.selection {
        return near(addr);
    }
    let steps = &scene.replay.outcome().steps;
    let changed = steps.iter().rev().find_map(|step| match (which, step) {
        (TreeId::Free, Step::Clipped { placed, .. }) => Some(placed.end()),
        (TreeId::Free, Step::Returned { hole, .. }) => Some(hole.start()),
        (TreeId::Busy(_), Step::BusyAdded { extent, .. }) | (TreeId::Lazy(_), Step::LazyAdded { extent, .. }) => {
            Some(extent.start())
        }
        _ => None,
    });
    if changed.is_none() && which == TreeId::Free {
        // A search in vain: where it ended says more than where it began.
        let last = steps.iter().rev().find_map(|step| match *step {
            Step::Visited { extent, .. } => Some(extent.start()),
            _ => None,
        });
        if let Some(start) = last {
            return near(start);
        }
    }
    let addr = changed.or_else(|| focus::focus_address(scene));
    addr.map_or(view.tree.root, near)
}

/// The ranges whose nodes the current event changed in a tree, ascending.
fn changed_in(scene: &Scene<'_>, which: TreeId) -> Vec<Extent> {
    if let Some(Step::Tree { tree, what }) = shown_step(scene) {
        let extent = |node: TreeNode| Extent::new(node.start, node.end).filter(|_| *tree == which);
        return what.nodes().filter_map(extent).collect();
    }
    let one_tree = state(scene).allocator().tree(TreeId::Free).is_none();
    let mut extents: Vec<Extent> = scene
        .replay
        .outcome()
        .steps
        .iter()
        .filter_map(|step| match (which, *step) {
            (
                TreeId::Free,
                Step::Clipped { placed: extent, .. }
                | Step::Returned { extent, .. }
                | Step::ChunkCarved { extent }
                | Step::Adopted { extent },
            )
            | (TreeId::Busy(_), Step::BusyAdded { extent, .. })
            | (TreeId::Lazy(_), Step::LazyAdded { extent, .. }) => Some(extent),
            (TreeId::Busy(_), Step::LazyAdded { extent, .. }) if one_tree => Some(extent),
            _ => None,
        })
        .collect();
    extents.sort_unstable();
    extents
}

/// The rows: the drawing, the way up if the root is out of sight, and what the marks mean.
pub fn rows(scene: &Scene<'_>, width: u16, height: u16, pan: TreePan, which: TreeId) -> Vec<Row> {
    let (width, height) = (usize::from(width), usize::from(height));
    if width == 0 || height == 0 {
        return Vec::new();
    }
    if let Some(unplaced) = Unplaced::of(scene) {
        let missing = "No tree can be built: its order is that of the addresses.";
        return unplaced.sentence(scene, missing, width, height as u16);
    }
    let allocator = state(scene).allocator();
    let which = shown(allocator, which);
    if is_list(allocator) {
        return vmlist::rows(scene, state(scene), width, height);
    }
    let sentence = |words: String| {
        let mut rows = wrap(&words, Role::Muted, width, 0, scene.glyphs);
        rows.truncate(height);
        rows
    };
    let Some(view) = allocator.tree(which) else {
        return sentence(format!("This kernel has no {}.", name(scene, which)));
    };
    if view.tree.root == NIL {
        return sentence(format!("The {} is empty.", name(scene, which)));
    }
    let focus = focus_node(scene, &view, which);
    let steps = &scene.replay.outcome().steps;
    // While a search is walked, what it has not looked at yet is not on its path.
    let walked = scene.sub_step.map_or(steps.len(), |step| (step + 1).min(steps.len()));
    let is_searched = which == TreeId::Free || allocator.tree(TreeId::Free).is_none();
    let path = if is_searched { picture::path_of(&view, &steps[..walked]) } else { Vec::new() };
    let marks = Marks { path, changed: changed_in(scene, which), focus, coloured: !scene.replay.is_empty() };
    let picture = Picture::new(view, marks, focus::addresses(scene), scene.glyphs);
    let legend = usize::from(height >= 8);
    let mut rows = drawn(&picture, width, height - legend, pan);
    if legend == 1 {
        rows.push(legend_row(scene, &picture, width));
    }
    rows
}

/// The drawing, with as many levels above the focus as fit; an outline where no drawing does.
fn drawn(picture: &Picture<'_>, width: usize, height: usize, pan: TreePan) -> Vec<Row> {
    let line_up = picture.ancestors(picture.marks.focus);
    let all_levels = height.div_ceil(2);
    // Below the focus its children are wanted, two generations of them if there is room.
    let below = match all_levels {
        0..=2 => 0,
        3..=4 => 1,
        _ => 2,
    };
    let dx = pan.dx.clamp(-MAX_MOVED, MAX_MOVED);
    let dy = pan.dy.clamp(-MAX_MOVED, MAX_MOVED);
    let most = (all_levels - 1 - below).saturating_add_signed(-dy as isize);
    let room = to_columns(width) + 2 * dx.abs();
    if width >= MIN_DRAWING {
        for up in (0..=most.min(line_up.len() - 1)).rev() {
            let crumb = usize::from(up + 1 < line_up.len() && height >= 3);
            let frame = Frame { root: line_up[up], levels: (height - crumb).div_ceil(2), width: room };
            let spine: Vec<AreaId> = line_up[..=up].to_vec();
            if let Some(drawing) = layout::draw(picture, &frame, &spine) {
                let mut rows = Vec::with_capacity(height);
                if crumb == 1 {
                    rows.push(crumb_row(picture, width, line_up.len() - 1 - up));
                }
                rows.extend(painted(picture, &drawing, width, height - crumb, dx));
                return rows;
            }
        }
    }
    let up = (height / 3).min(line_up.len() - 1);
    let spine: Vec<AreaId> = line_up[..=up].iter().rev().copied().collect();
    let crumb = usize::from(up + 1 < line_up.len() && height >= 3);
    let mut rows = Vec::with_capacity(height);
    if crumb == 1 {
        rows.push(crumb_row(picture, width, line_up.len() - 1 - up));
    }
    rows.extend(outline::rows(picture, &spine, width, height - crumb));
    rows
}

fn crumb_row(picture: &Picture<'_>, width: usize, levels: usize) -> Row {
    let root = &picture.areas()[picture.view.tree.root];
    let words =
        format!("{} {} further up the root ", picture.glyphs.ellipsis, text::plural(levels as u64, "level", "levels"));
    let mut line = Line::new(width, picture.glyphs).put(words, Role::Muted);
    for mut span in picture.label(picture.view.tree.root).into_iter().skip(1) {
        span.target = Some(super::Target::Address(root.start));
        line.span(span);
    }
    line.done()
}

/// Rows of the drawing as far as they are in view.
fn painted(picture: &Picture<'_>, drawing: &Drawing, width: usize, height: usize, dx: i32) -> Vec<Row> {
    let width_here = to_columns(width);
    let free = width_here - drawing.width;
    let offset = if free >= 0 {
        free / 2
    } else {
        // Wider than the pane because it may be moved: the focus stays in the middle.
        drawing.focus.map_or(0, |focus| (width_here / 2 - focus).clamp(free, 0))
    } - dx;
    let n_rows = drawing.placed.iter().map(|placed| placed.row + 1).max().unwrap_or(0).min(height);
    let mut by_row: Vec<Vec<&Placed>> = vec![Vec::new(); n_rows];
    for placed in &drawing.placed {
        if let Some(row) = by_row.get_mut(placed.row) {
            row.push(placed);
        }
    }
    by_row
        .into_iter()
        .map(|mut placed| {
            placed.sort_by_key(|placed| placed.x);
            let mut line = Line::new(width, picture.glyphs);
            for placed in placed {
                line = put_at(line, placed.x + offset, &placed.spans);
            }
            line.done()
        })
        .collect()
}

/// A width as a column, which can be negative.
fn to_columns(width: usize) -> i32 {
    i32::try_from(width).unwrap_or(i32::MAX / 4)
}

/// Writes spans at a column that may lie left of the pane.
fn put_at<'g>(mut line: Line<'g>, mut x: i32, spans: &[Span]) -> Line<'g> {
    for span in spans {
        let hidden = (-x).max(0) as usize;
        let visible: String = span.text.chars().skip(hidden).collect();
        if !visible.is_empty() {
            line = line.to(x.max(0) as usize);
            line.span(Span { text: visible, ..span.clone() });
        }
        x += to_columns(text::width(&span.text));
    }
    line
}

fn legend_row(scene: &Scene<'_>, picture: &Picture<'_>, width: usize) -> Row {
    let glyphs = scene.glyphs;
    let searched = picture.marks.path.len() as u64;
    let mut line = Line::new(width, glyphs);
    let searched_state = std::ptr::eq(state(scene), scene.replay.before());
    let used_up = scene.replay.outcome().steps.iter().find_map(|step| match step {
        Step::Clipped { hole, fit: Fit::Full, .. } => Some(hole.start()),
        _ => None,
    });
    if let (Some(gone), false, false) = (used_up, searched_state, picture.marks.path.is_empty()) {
        let words = format!("{} {} was used up: its node is gone  ", glyphs.up, picture.addresses.short(gone));
        line = line.put(words, Role::Changed);
    }
    if searched > 0 {
        let mut looked: Vec<AreaId> = picture.marks.path.iter().map(|(id, _)| *id).collect();
        looked.sort_unstable();
        looked.dedup();
        let of = format!(" of {}  ", text::count(picture.view.tree.len.into()));
        line = line
            .put(format!("{} ", glyphs.path), Role::Path)
            .put("searched ", Role::Muted)
            .put(text::count(looked.len() as u64), Role::Number)
            .put(of, Role::Muted);
    }
    let marks = [
        (glyphs.cursor, Role::Key, "here"),
        (glyphs.up, Role::Changed, "changed"),
        (glyphs.node_black, Role::NodeBlack, "black"),
        (glyphs.node_red, Role::NodeRed, "red"),
        (glyphs.lazy, Role::Lazy, "lazily freed"),
        (glyphs.max, Role::Muted, "largest hole from there down"),
    ];
    let one_tree = state(scene).allocator().tree(TreeId::Free).is_none();
    for (glyph, role, word) in marks {
        let is_shape = matches!(role, Role::NodeBlack | Role::NodeRed | Role::Muted);
        let wanted = (role != Role::Lazy || one_tree)
            && (role != Role::Muted || picture.view.augmented)
            && (picture.marks.coloured || !is_shape);
        if wanted && line.room() >= word.len() + 4 {
            line = line.put(glyph.to_string(), role).put(format!(" {word}  "), Role::Muted);
        }
    }
    line.done()
}

/// The title: which tree, how large, how deep.
pub fn title(scene: &Scene<'_>, which: TreeId) -> Vec<Span> {
    let which = shown(state(scene).allocator(), which);
    if is_list(state(scene).allocator()) {
        return vmlist::title(scene, state(scene));
    }
    let mut spans = vec![Span::new(name(scene, which), Role::Title)];
    if Unplaced::of(scene).is_some() {
        spans.push(Span::new("  not known", Role::Warn));
        return spans;
    }
    let space = state(scene);
    let Some(view) = space.allocator().tree(which) else { return spans };
    spans.push(Span::new(format!("  {}", text::plural(view.tree.len.into(), "node", "nodes")), Role::Number));
    // The shape of a snapshot's tree is the model's.
    let shape = if scene.replay.is_empty() {
        String::new()
    } else if view.tree.len <= MAX_COUNTED {
        format!(" {} depth {}", scene.glyphs.dot, depth(&view))
    } else {
        format!(" {} black height {}", scene.glyphs.dot, black_height(&view))
    };
    spans.push(Span::new(shape, Role::Muted));
    if focus::is_guessed(scene) {
        spans.push(Span::new(format!(" {} shape guessed from the snapshot", scene.glyphs.dot), Role::Warn));
    }
    spans.extend(focus::moment(scene, space));
    spans
}
