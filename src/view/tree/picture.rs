//! A tree as a person looks at it: which nodes are drawn, which are folded, and what each says.

use std::cell::RefCell;
use std::collections::HashMap;

use super::super::text::{self, Addresses};
use super::super::{Glyphs, Role, Span, Target, focus};
use crate::model::{AreaId, Areas, Extent, NIL, Step, TreeView, WalkFrom};

/// Nodes of a folded subtree are counted up to here; more is "200+".
const COUNT_CAP: usize = 200;
/// Areas of either end of a walk that are marked.
const WALKED: usize = 32;

/// What is special about nodes.
pub(super) struct Marks {
    /// Slot and range of the nodes the search of this event looked at.
    pub(super) path: Vec<(AreaId, Extent)>,
    /// Ranges the event changed, ascending.
    pub(super) changed: Vec<Extent>,
    /// The node the picture is about.
    pub(super) focus: AreaId,
    /// Are colours and largest holes known? Not in a snapshot, which tells ranges only.
    pub(super) coloured: bool,
}

/// A tree with its marks and the way addresses are written.
pub(super) struct Picture<'a> {
    pub(super) view: TreeView<'a>,
    pub(super) marks: Marks,
    pub(super) addresses: Addresses,
    pub(super) glyphs: &'a Glyphs,
    counts: RefCell<HashMap<AreaId, String>>,
}

/// The nodes a search looked at, from the steps of an event: of a walk from area to area the first and the last ones.
pub(super) fn path_of(view: &TreeView<'_>, steps: &[Step]) -> Vec<(AreaId, Extent)> {
    let node = |extent: Extent| (view.areas.find_containing(&view.tree, extent.start()), extent);
    let mut path: Vec<(AreaId, Extent)> = steps
        .iter()
        .filter_map(|step| match *step {
            Step::Visited { hole, extent, .. } => Some((hole, extent)),
            Step::Passed { area, .. }
            | Step::WalkBegun { from: WalkFrom::Cache(area) | WalkFrom::Tree(Some(area)), .. } => Some(node(area)),
            _ => None,
        })
        .filter(|(id, _)| *id != NIL && view.areas.has_slot(*id))
        .collect();
    if !view.augmented && path.len() > 2 * WALKED {
        path.drain(WALKED..path.len() - WALKED);
    }
    path
}

impl<'a> Picture<'a> {
    pub(super) fn new(view: TreeView<'a>, marks: Marks, addresses: Addresses, glyphs: &'a Glyphs) -> Self {
        Self { view, marks, addresses, glyphs, counts: RefCell::default() }
    }

    pub(super) fn areas(&self) -> &'a Areas {
        self.view.areas
    }

    /// The nodes from `id` up to the root, `id` first.
    pub(super) fn ancestors(&self, id: AreaId) -> Vec<AreaId> {
        let up = |&id: &AreaId| Some(self.areas()[id].parent()).filter(|&parent| parent != NIL);
        std::iter::successors(Some(id).filter(|&id| id != NIL), up).collect()
    }

    /// Did the search look at the node? A slot can be another area's by now, so one end must still be the same.
    pub(super) fn on_path(&self, id: AreaId) -> bool {
        let area = &self.areas()[id];
        self.marks
            .path
            .iter()
            .any(|(known, extent)| *known == id && (extent.start() == area.start || extent.end() == area.end))
    }

    /// The nodes of the path that are still there, in the order they were looked at.
    pub(super) fn path_nodes(&self) -> Vec<AreaId> {
        let mut nodes: Vec<AreaId> = Vec::new();
        for &(id, _) in &self.marks.path {
            if !nodes.contains(&id) && self.on_path(id) {
                nodes.push(id);
            }
        }
        nodes
    }

    fn is_changed(&self, id: AreaId) -> bool {
        let area = &self.areas()[id];
        focus::any_touch(&self.marks.changed, area.start, area.end)
    }

    /// A node in words: mark, colour, start, size, and the largest hole below where that is more than its own.
    pub(super) fn label(&self, id: AreaId) -> Vec<Span> {
        let area = &self.areas()[id];
        let (focused, path, changed) = (id == self.marks.focus, self.on_path(id), self.is_changed(id));
        let (mark, role) = match (focused, path) {
            (true, _) => (self.glyphs.cursor, Role::Key),
            (_, true) => (self.glyphs.path, Role::Path),
            _ => (' ', Role::Text),
        };
        let text_role = match (changed, path) {
            (true, _) => Role::Changed,
            (_, true) => Role::Path,
            _ => Role::Number,
        };
        let (colour, colour_role) = if !self.marks.coloured {
            (self.glyphs.dot, Role::Muted)
        } else if area.is_black() {
            (self.glyphs.node_black, Role::NodeBlack)
        } else {
            (self.glyphs.node_red, Role::NodeRed)
        };
        let mut spans = vec![
            Span::new(mark.to_string(), role),
            Span::new(format!("{colour} "), colour_role),
            Span::new(self.addresses.short(area.start), text_role),
            Span::new(format!(" {}", text::bytes_short(area.len_bytes())), Role::Text),
        ];
        let leaf = area.child == [NIL, NIL];
        if self.view.augmented && self.marks.coloured && !leaf {
            let max = format!(" {}{}", self.glyphs.max, text::bytes_short(area.subtree_max()));
            spans.push(Span::new(max, Role::Muted));
        }
        // 2.6.28 to 5.1: freed, but still in the tree.
        if area.lazy {
            spans.push(Span::new(format!(" {}", self.glyphs.lazy), Role::Lazy));
        }
        if changed {
            spans.push(Span::new(format!(" {}", self.glyphs.up), Role::Changed));
        }
        for span in &mut spans {
            span.strong = focused;
            span.target = Some(Target::Address(area.start));
        }
        spans
    }

    /// A subtree that is not drawn, in words. A single node is drawn anyway.
    pub(super) fn folded(&self, id: AreaId) -> Vec<Span> {
        let area = &self.areas()[id];
        let mut counts = self.counts.borrow_mut();
        let words = counts.entry(id).or_insert_with(|| self.count(id));
        let mut spans = vec![Span::new(format!("{} {words}", self.glyphs.ellipsis), Role::Muted)];
        if self.view.augmented && self.marks.coloured {
            let max = format!(" {}{}", self.glyphs.max, text::bytes_short(area.subtree_max()));
            spans.push(Span::new(max, Role::Muted));
        }
        for span in &mut spans {
            span.target = Some(Target::Address(area.start));
        }
        spans
    }

    /// How many nodes a subtree has, counted up to a cap so that a large tree costs no more than a small one.
    fn count(&self, id: AreaId) -> String {
        let mut stack = vec![id];
        let mut n = 0;
        while let Some(id) = stack.pop() {
            n += 1;
            if n >= COUNT_CAP {
                return format!("{COUNT_CAP}+ nodes");
            }
            stack.extend(self.areas()[id].child.into_iter().filter(|&child| child != NIL));
        }
        text::plural(n as u64, "node", "nodes")
    }
}

/// Levels of a tree.
pub(super) fn depth(view: &TreeView<'_>) -> usize {
    let mut deepest = 0;
    let mut stack = vec![(view.tree.root, 1)];
    while let Some((id, level)) = stack.pop() {
        if id != NIL {
            deepest = deepest.max(level);
            stack.extend(view.areas[id].child.map(|child| (child, level + 1)));
        }
    }
    deepest
}

/// Black nodes on every way down.
pub(super) fn black_height(view: &TreeView<'_>) -> usize {
    let ids = std::iter::successors(Some(view.tree.root), |&id| Some(view.areas[id].child[0]).filter(|&id| id != NIL));
    ids.filter(|&id| view.areas[id].is_black()).count()
}
