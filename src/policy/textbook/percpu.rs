//! Per-CPU chunk areas: from the top of the range downwards, whatever the rule, as `pcpu_get_vm_areas` does.

use crate::model::{Extent, Sink, Step, VmapArea};

use super::Textbook;
use super::placing::Placing;

impl<P: Placing> Textbook<P> {
    /// Places groups of `(offset, size)` at one common base, as high as possible. `None` if there is no room.
    pub(super) fn carve_chunks<S: Sink>(
        &mut self,
        groups: &[(u64, u64)],
        align: u64,
        sink: &mut S,
    ) -> Option<Vec<Extent>> {
        let base = self.chunk_base(groups, align)?;
        let of = |&(offset, size): &(u64, u64)| Extent::sized(base.checked_add(offset)?, size);
        let extents: Vec<Extent> = groups.iter().map(of).collect::<Option<_>>()?;
        for &extent in &extents {
            sink.step(|| Step::ChunkCarved { extent });
            self.carve(extent);
        }
        for &extent in &extents {
            self.add_busy(extent, VmapArea::UNBORN, 0, sink);
        }
        Some(extents)
    }

    /// The highest base at which every group lies in free space. A group that does not fit moves the base down to where
    /// it ends where the next free stretch below does.
    fn chunk_base(&self, groups: &[(u64, u64)], align: u64) -> Option<u64> {
        if groups.is_empty() || !align.is_power_of_two() {
            return None;
        }
        let range = self.arenas.first()?.range;
        let reach = groups.iter().map(|&(offset, size)| offset.checked_add(size)).collect::<Option<Vec<u64>>>()?;
        let lowest = range.start().checked_add(align - 1)? & !(align - 1);
        let mut base = range.end().checked_sub(reach.into_iter().max()?)? & !(align - 1);
        loop {
            if base < lowest {
                return None;
            }
            let lower = groups.iter().find_map(|&(offset, size)| {
                let wanted = Extent::sized(base + offset, size)?;
                let stretch = self.stretch_below(wanted.end(), range);
                match stretch {
                    Some(stretch) if stretch.contains(wanted) => None,
                    // It reaches below the stretch: the next one is tried.
                    Some(stretch) if stretch.end() == wanted.end() => {
                        Some(self.stretch_below(stretch.start(), range).map_or(0, Extent::end))
                    }
                    stretch => Some(stretch.map_or(0, Extent::end)),
                }
                .map(|end| end.checked_sub(offset + size))
            });
            match lower {
                None => return Some(base),
                Some(None) => return None,
                Some(Some(lower)) => base = (lower & !(align - 1)).min(base.checked_sub(align)?),
            }
        }
    }

    /// The highest free stretch that ends at or below `end`, cut off there; holes that touch are one.
    fn stretch_below(&self, end: u64, range: Extent) -> Option<Extent> {
        let ground = &self.ground;
        let below = Extent::new(range.start(), end)?;
        let areas = &ground.areas;
        let above = areas.first_above(&ground.free, end.checked_sub(1)?);
        let is_there = areas.extent(above).is_some_and(|hole| hole.overlaps(below));
        let mut id = match above {
            _ if is_there => above,
            crate::model::NIL => ground.free.last,
            above => areas[above].prev,
        };
        let top = areas.extent(id)?.intersection(below)?;
        let mut start = top.start();
        loop {
            id = areas[id].prev;
            match areas.extent(id) {
                Some(hole) if hole.end() == start => start = hole.start().max(range.start()),
                _ => return Extent::new(start, top.end()),
            }
        }
    }
}
