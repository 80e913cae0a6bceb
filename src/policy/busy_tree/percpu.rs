//! `pcpu_get_vm_areas`: per-CPU chunk areas, placed from the top of the range downwards (2.6.32 to 5.1).

use crate::model::search::align_up;
use crate::model::{AreaId, Extent, NIL, Sink, Step, VmapArea};

use super::BusyTree;

/// The hole in question: the areas below and above it.
#[derive(Debug, Clone, Copy)]
struct Between {
    below: AreaId,
    above: AreaId,
}

impl BusyTree {
    /// Places groups of `(offset, size)` at one common base, as high as possible. `None` if there is no room; the
    /// kernel then purges once and tries again, which is the caller's business.
    pub(super) fn carve_chunks<S: Sink>(
        &mut self,
        groups: &[(u64, u64)],
        align: u64,
        sink: &mut S,
    ) -> Option<Vec<Extent>> {
        if !self.rules.percpu_chunks {
            return None;
        }
        // First of the greatest offsets.
        let last = (0..groups.len()).rev().max_by_key(|&i| groups[i].0)?;
        let base = self.chunk_base(groups, last, align)?;
        let extents: Option<Vec<Extent>> =
            groups.iter().map(|&(offset, size)| Extent::sized(base.checked_add(offset)?, size)).collect();
        let extents = extents?;
        for &extent in &extents {
            sink.step(|| Step::ChunkCarved { extent });
            self.join(self.last_below(extent.start()), extent, VmapArea::UNBORN, sink);
        }
        self.pcpu_hole = base + groups[last].0;
        Some(extents)
    }

    /// The kernel's walk: from the last group round and round, moving the base down until no group meets an area.
    fn chunk_base(&self, groups: &[(u64, u64)], last: usize, align: u64) -> Option<u64> {
        let n = groups.len();
        let vstart = align_up(self.window.vstart, align);
        let vend = self.window.vend & !align.wrapping_sub(1);
        let bounds = |area: usize| (groups[area].0, groups[area].0.wrapping_add(groups[area].1));
        let last_end = bounds(last).1;
        if vend.wrapping_sub(vstart) < last_end {
            return None;
        }
        let Some(mut at) = self.around(self.pcpu_hole) else { return vend.checked_sub(last_end) };
        let (mut area, mut term) = (last, last);
        let (mut start, mut end) = bounds(area);
        let mut base = self.highest_end(&mut at, vend, align).wrapping_sub(last_end);
        loop {
            if base.wrapping_add(last_end) < vstart.wrapping_add(last_end) {
                return None;
            }
            if at.above != NIL && self.areas[at.above].start < base.wrapping_add(end) {
                base = self.highest_end(&mut at, vend, align).wrapping_sub(end);
                term = area;
                continue;
            }
            if at.below != NIL && self.areas[at.below].end > base.wrapping_add(start) {
                at = Between { below: self.areas[at.below].prev, above: at.below };
                base = self.highest_end(&mut at, vend, align).wrapping_sub(end);
                term = area;
                continue;
            }
            area = (area + n - 1) % n;
            if area == term {
                return Some(base);
            }
            (start, end) = bounds(area);
            at = self.around(base.wrapping_add(end))?;
        }
    }

    /// The areas below and above an address (`pvm_find_next_prev`); `None` if there is no area at all.
    fn around(&self, addr: u64) -> Option<Between> {
        if self.tree.root == NIL {
            return None;
        }
        let above = self.areas.first_above(&self.tree, addr);
        Some(Between { below: if above == NIL { self.tree.last } else { self.areas[above].prev }, above })
    }

    /// The highest aligned address under the area above, moved down past areas that end above it
    /// (`pvm_determine_end`).
    fn highest_end(&self, at: &mut Between, vend: u64, align: u64) -> u64 {
        let end = if at.above == NIL { vend } else { vend.min(self.areas[at.above].start & !align.wrapping_sub(1)) };
        while at.below != NIL && self.areas[at.below].end > end {
            *at = Between { below: self.areas[at.below].prev, above: at.below };
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Window;
    use crate::model::{Allocator, HelperOrder, PurgeKind};
    use crate::policy::{Setup, by_id};

    const E: u64 = 0xffff_e8ff_ff00_0000;

    fn empty(policy: &str) -> BusyTree {
        BusyTree::new(&Setup {
            rules: by_id(policy).expect("policy").rules,
            cpus_online: 1,
            cpus_possible: 1,
            window: Window { vstart: 0xffff_c900_0000_0000, vend: 0xffff_e8ff_ffff_ffff },
            page_size: 4096,
            is_32_bit: false,
            early: Vec::new(),
            lazy_max_bytes: None,
        })
    }

    /// The worked example of the era, in which 2.6.32 and 4.19 agree.
    #[test]
    fn chunks_are_placed_where_the_kernel_places_them() {
        for policy in ["linux-2.6.32", "linux-4.19"] {
            let mut space = empty(policy);
            let mut carve = |groups: &[(u64, u64)]| -> Vec<u64> {
                let carved = space.carve_chunks(groups, 0x1_0000, &mut ()).expect("there is room");
                space.audit().expect("sound");
                carved.iter().map(|extent| extent.start() - E).collect()
            };
            let two = [(0, 0x1_0000), (0x10_0000, 0x1_0000)];
            assert_eq!(carve(&two), [0xee_0000, 0xfe_0000]);
            assert_eq!(carve(&two), [0xed_0000, 0xfd_0000]);
            let three = [(0, 0x2_0000), (0x4_0000, 0x1_0000), (0xc_0000, 0x2_0000)];
            assert_eq!(carve(&three), [0xef_0000, 0xf3_0000, 0xfb_0000]);
        }
    }

    /// A chunk that is given back is found again, because the purge raises where the walk begins.
    #[test]
    fn a_purged_chunk_is_used_again() {
        let mut space = empty("linux-4.19");
        let first = space.carve_chunk(0x20_0000, 0x20_0000, None).expect("room");
        let second = space.carve_chunk(0x20_0000, 0x20_0000, None).expect("room");
        assert_eq!(second.end(), first.start());
        space.free(first.start(), None).expect("in use");
        assert_eq!(space.carve_chunk(0x20_0000, 0x20_0000, None).expect("room").end(), second.start());
        space.purge(PurgeKind::Full, HelperOrder::default(), None);
        assert_eq!(space.carve_chunk(0x20_0000, 0x20_0000, None), Some(first));
        space.audit().expect("sound");
    }

    #[test]
    fn there_are_no_chunks_in_2_6_28_and_none_where_there_is_no_room() {
        assert_eq!(empty("linux-2.6.29").carve_chunk(0x20_0000, 0x20_0000, None), None);
        let mut space = empty("linux-4.19");
        assert_eq!(space.carve_chunk(1 << 46, 0x20_0000, None), None);
        space.audit().expect("sound");
    }
}
