//! Holes: cutting an area out of one, and giving a range back (`va_clip`, `merge_or_add_vmap_area`).

use super::areas::{AreaId, Areas, NIL, VmapArea};
use super::extent::{Extent, Fit, fit_of};
use super::rbtree::Tree;
use super::step::{At, Merge, Sink, TreeStep};

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
    #[inline]
    pub(crate) fn clip<S: Sink>(
        &mut self,
        tree: &mut Tree,
        hole: AreaId,
        placed: Extent,
        to: &mut At<'_, S>,
    ) -> Option<Fit> {
        let VmapArea { start, end, .. } = self[hole];
        let fit = fit_of(Extent::new(start, end)?, placed)?;
        match fit {
            Fit::Full => {
                self.erase::<true, S>(tree, hole, to);
                self.remove(hole);
            }
            Fit::LeftEdge => {
                self[hole].start = placed.end();
                self.note(hole, placed.end(), end);
                self.propagate(hole, to);
            }
            Fit::RightEdge => {
                self[hole].end = placed.start();
                self.note(hole, start, placed.start());
                self.propagate(hole, to);
            }
            Fit::NoEdge => {
                self[hole].start = placed.end();
                self.note(hole, placed.end(), end);
                self.propagate(hole, to);
                to.step(|| TreeStep::Spare { start, end: placed.start(), hole: self.node(hole) });
                // Directly below the rest of the hole.
                let link = self.link_beside(tree, (start, placed.start()), NIL, hole)?;
                let lower = VmapArea { start, end: placed.start(), born: VmapArea::UNBORN, ..VmapArea::default() };
                self.insert_new::<true, S>(tree, lower, link, to);
            }
        }
        Some(fit)
    }

    /// Puts `id` into `tree`, joined with neighbours it touches (`merge_or_add_vmap_area`). Answers the area that now
    /// holds the range. Slots that are no longer needed are given back.
    ///
    /// # Errors
    /// The range overlaps the tree; nothing is changed and `id` stays the caller's.
    pub(crate) fn merge_or_add<const AUGMENTED: bool, S: Sink>(
        &mut self,
        tree: &mut Tree,
        id: AreaId,
        to: &mut At<'_, S>,
    ) -> Result<(AreaId, Merge), Overlap> {
        let (start, end) = (self[id].start, self[id].end);
        let link = if AUGMENTED {
            let (below, above) = self.hole_beside(start, end);
            self.link_beside(tree, (start, end), below, above)
        } else {
            self.find_link(tree, start, end)
        };
        let link = link.ok_or(Overlap { start, end })?;
        if tree.root == NIL {
            self.insert::<AUGMENTED, S>(tree, id, link, to);
            return Ok((id, Merge::None));
        }
        if AUGMENTED {
            self.joined(id);
        }
        let next = self.next_above(link);
        let previous = if next == NIL { tree.last } else { self[next].prev };
        to.step(|| TreeStep::Siblings { below: self.node(previous), above: self.node(next) });
        let joins_next = next != NIL && self[next].start == end;
        let joins_previous = previous != NIL && self[previous].end == start;
        let (joined, merge, range) = match (joins_previous, joins_next) {
            (false, false) => {
                self.insert::<AUGMENTED, S>(tree, id, link, to);
                return Ok((id, Merge::None));
            }
            (false, true) => {
                self[next].start = start;
                (next, Merge::Next, (start, self[next].end))
            }
            (true, false) => {
                self[previous].end = end;
                (previous, Merge::Previous, (self[previous].start, end))
            }
            (true, true) => {
                // The neighbours close the gap: the upper one's node goes, the lower one's stays.
                let end = self[next].end;
                self[next].start = start;
                self.erase::<AUGMENTED, S>(tree, next, to);
                self.remove(next);
                self[previous].end = end;
                (previous, Merge::Both, (self[previous].start, end))
            }
        };
        self.remove(id);
        if AUGMENTED {
            self.joined(joined);
            self.note(joined, range.0, range.1);
            self.propagate(joined, to);
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
