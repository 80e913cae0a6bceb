//! The holes of a state, from the free tree or from between the areas.

use crate::model::{Allocator, Extent, NIL, TreeId, TreeView};

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
