//! The holes of a state, from the free tree or from between the areas.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::model::{Allocator, AreaId, Extent, NIL, TreeId, TreeView};

/// Where the holes come from.
pub(super) enum Holes<'a> {
    /// The free tree (5.2 and later).
    Tree(TreeView<'a>),
    /// What lies between the areas of the eras that keep no holes.
    Between(Vec<Extent>),
}

impl<'a> Holes<'a> {
    pub(super) fn of(allocator: &'a dyn Allocator) -> Self {
        allocator.tree(TreeId::Free).map_or_else(
            || {
                let mut holes = Vec::with_capacity(allocator.n_holes() as usize);
                allocator.visit_holes(&mut |hole| holes.push(hole));
                Self::Between(holes)
            },
            Self::Tree,
        )
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Tree(view) => view.tree.len as usize,
            Self::Between(holes) => holes.len(),
        }
    }

    /// Ascending.
    pub(super) fn iter(&self) -> Box<dyn Iterator<Item = Extent> + '_> {
        match self {
            Self::Tree(view) => Box::new(view.ascending().filter_map(|(_, hole)| Extent::new(hole.start, hole.end))),
            Self::Between(holes) => Box::new(holes.iter().copied()),
        }
    }

    /// The same from the first hole on that ends above an address.
    pub(super) fn from(&self, addr: u64) -> Box<dyn Iterator<Item = Extent> + '_> {
        match self {
            Self::Tree(view) => {
                let mut id = view.areas.first_above(&view.tree, addr);
                Box::new(std::iter::from_fn(move || {
                    let found = (id != NIL).then(|| view.areas.extent(id))?;
                    id = view.areas[id].next;
                    found
                }))
            }
            Self::Between(holes) => {
                let first = holes.partition_point(|hole| hole.end() <= addr);
                Box::new(holes[first..].iter().copied())
            }
        }
    }

    /// The largest ones first, of holes of the same size the lower ones; `size` says how large one counts, at most its
    /// length. Of a free tree only the subtrees that have such holes are looked at.
    pub(super) fn largest(&self, n: usize, size: impl Fn(Extent) -> u64) -> Vec<Extent> {
        let view = match self {
            Self::Tree(view) => view,
            Self::Between(holes) => {
                let mut all = holes.clone();
                all.sort_unstable_by_key(|hole| (Reverse(size(*hole)), hole.start()));
                all.truncate(n);
                return all;
            }
        };
        // A subtree by the most it can have and where it begins, or a hole by its own size.
        let mut waiting = BinaryHeap::new();
        let subtree = |id: AreaId, from: u64| (view.areas[id].subtree_max(), Reverse(from), Some(id), None);
        if view.tree.root != NIL {
            waiting.push(subtree(view.tree.root, 0));
        }
        let mut found = Vec::with_capacity(n.min(self.len()));
        while found.len() < n {
            let Some((_, Reverse(from), node, hole)) = waiting.pop() else { break };
            found.extend(hole);
            let Some(id) = node else { continue };
            let [left, right] = view.areas[id].child;
            if let Some(hole) = view.areas.extent(id) {
                waiting.push((size(hole), Reverse(hole.start()), None, Some(hole)));
            }
            let children = [(left, from), (right, view.areas[id].end)];
            waiting.extend(children.into_iter().filter(|(id, _)| *id != NIL).map(|(id, from)| subtree(id, from)));
        }
        found
    }

    /// The hole that contains an address.
    pub(super) fn at(&self, addr: u64) -> Option<Extent> {
        match self {
            Self::Tree(view) => {
                let id = view.areas.find_containing(&view.tree, addr);
                (id != NIL).then(|| view.areas.extent(id))?
            }
            Self::Between(holes) => {
                let found = holes.partition_point(|hole| hole.end() <= addr);
                holes.get(found).copied().filter(|hole| hole.contains_addr(addr))
            }
        }
    }
}
