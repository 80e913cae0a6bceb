//! Holes: cutting an area out of one, and giving a range back (`va_clip`, `merge_or_add_vmap_area`).

use super::areas::{AreaId, Areas, NIL};
use super::extent::{Extent, Fit, fit_of};
use super::rbtree::Tree;
use super::step::Merge;

/// A range overlaps an area that is already in the tree: the kernel warns and drops it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("0x{start:016x}-0x{end:016x} overlaps a range that is already free")]
pub struct Overlap {
    /// Start of the range.
    pub start: u64,
    /// Its end.
    pub end: u64,
}

impl Areas {
    /// Cuts `[start, start + size)` out of `hole`, as `va_clip` does; `None` if it does not lie inside.
    ///
    /// ```text
    ///   Full       |####|        the node leaves the tree
    ///   LeftEdge   |####....|    the node shrinks from below
    ///   RightEdge  |....####|    the node shrinks from above
    ///   NoEdge     |..####..|    the node keeps the upper rest, a new node takes the lower
    /// ```
    pub fn clip(&mut self, tree: &mut Tree, hole: AreaId, placed: Extent) -> Option<Fit> {
        let extent = self.extent(hole)?;
        let fit = fit_of(extent, placed)?;
        match fit {
            Fit::Full => {
                self.erase::<true>(tree, hole);
                self.remove(hole);
            }
            Fit::LeftEdge => {
                self[hole].start = placed.end();
                self.propagate(hole);
            }
            Fit::RightEdge => {
                self[hole].end = placed.start();
                self.propagate(hole);
            }
            Fit::NoEdge => {
                self[hole].start = placed.end();
                self.propagate(hole);
                let lower = self.add(extent.start(), placed.start());
                let link = self.find_link(tree, extent.start(), placed.start())?;
                self.insert::<true>(tree, lower, link);
            }
        }
        Some(fit)
    }

    /// Puts `id` into `tree`, joined with neighbours it touches (`merge_or_add_vmap_area`). Answers the area that now
    /// holds the range. Slots that are no longer needed are given back.
    ///
    /// # Errors
    /// The range overlaps the tree; nothing is changed and `id` stays the caller's.
    pub fn merge_or_add<const AUGMENTED: bool>(
        &mut self,
        tree: &mut Tree,
        id: AreaId,
    ) -> Result<(AreaId, Merge), Overlap> {
        let (start, end) = (self[id].start, self[id].end);
        let link = self.find_link(tree, start, end).ok_or(Overlap { start, end })?;
        if tree.root == NIL {
            self.insert::<AUGMENTED>(tree, id, link);
            return Ok((id, Merge::None));
        }
        let next = self.next_above(link);
        let previous = if next == NIL { tree.last } else { self[next].prev };
        let mut joined = id;
        let mut merge = Merge::None;
        if next != NIL && self[next].start == end {
            self[next].start = start;
            self.remove(id);
            joined = next;
            merge = Merge::Next;
        }
        if previous != NIL && self[previous].end == start {
            let end = self[joined].end;
            if merge == Merge::Next {
                // The neighbours close the gap: the upper one's node goes, the lower one's stays.
                self.erase::<AUGMENTED>(tree, joined);
            }
            self.remove(joined);
            self[previous].end = end;
            joined = previous;
            merge = if merge == Merge::Next { Merge::Both } else { Merge::Previous };
        }
        if merge == Merge::None {
            self.insert::<AUGMENTED>(tree, id, link);
        } else if AUGMENTED {
            self.propagate(joined);
        }
        Ok((joined, merge))
    }

    /// The range of an area; `None` for [`NIL`].
    pub fn extent(&self, id: AreaId) -> Option<Extent> {
        Extent::new(self[id].start, self[id].end)
    }

    /// The areas of `tree` that overlap `extent`, ascending.
    pub fn overlapping(&self, tree: &Tree, extent: Extent) -> impl Iterator<Item = (AreaId, Extent)> {
        let mut id = self.first_above(tree, extent.start());
        std::iter::from_fn(move || {
            let range = self.extent(id).filter(|range| range.overlaps(extent))?;
            let found = (id, range);
            id = self[id].next;
            Some(found)
        })
    }
}
