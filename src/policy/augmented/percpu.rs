//! `pcpu_get_vm_areas`: per-CPU chunk areas, placed from the top of the range downwards.

use crate::model::search::align_up;
use crate::model::{AreaId, Extent, NIL, Sink, Step, VmapArea};

use super::Augmented;

impl Augmented {
    /// Places groups of `(offset, size)` at one common base, as high as possible, and carves them out of the free tree.
    /// `None` if there is no room; the kernel then purges once and tries again, which is the caller's business.
    pub(super) fn carve_chunks<S: Sink>(
        &mut self,
        groups: &[(u64, u64)],
        align: u64,
        sink: &mut S,
    ) -> Option<Vec<Extent>> {
        let base = self.chunk_base(groups, align)?;
        let mut extents = Vec::with_capacity(groups.len());
        for &(offset, size) in groups {
            let extent = Extent::sized(base.checked_add(offset)?, size)?;
            let hole = self.enclosing(extent.start());
            sink.step(|| Step::ChunkCarved { extent });
            self.carve(hole, extent, sink)?;
            extents.push(extent);
        }
        for &extent in &extents {
            self.add_busy(extent, 0, VmapArea::UNBORN, sink);
        }
        Some(extents)
    }

    /// The kernel's walk: from the last group round and round, moving the base down until every group lies in a hole.
    fn chunk_base(&self, groups: &[(u64, u64)], align: u64) -> Option<u64> {
        let n = groups.len();
        let vstart = align_up(self.window.vstart, align);
        let vend = self.window.vend & !align.wrapping_sub(1);
        // First of the greatest offsets.
        let last = (0..n).rev().max_by_key(|&i| groups[i].0)?;
        let bounds = |area: usize| (groups[area].0, groups[area].0.wrapping_add(groups[area].1));
        let last_end = bounds(last).1;
        if vend.wrapping_sub(vstart) < last_end {
            return None;
        }
        let (mut area, mut term) = (last, last);
        let (mut start, mut end) = bounds(area);
        let mut hole = self.enclosing(vend);
        let mut base = self.highest_end(&mut hole, vend, align).wrapping_sub(end);
        loop {
            if base.wrapping_add(last_end) < vstart.wrapping_add(last_end) || hole == NIL {
                return None;
            }
            if base.wrapping_add(end) > self.areas[hole].end {
                base = self.highest_end(&mut hole, vend, align).wrapping_sub(end);
                term = area;
                continue;
            }
            if base.wrapping_add(start) < self.areas[hole].start {
                hole = self.areas[hole].prev;
                base = self.highest_end(&mut hole, vend, align).wrapping_sub(end);
                term = area;
                continue;
            }
            area = (area + n - 1) % n;
            if area == term {
                return Some(base);
            }
            (start, end) = bounds(area);
            hole = self.enclosing(base.wrapping_add(end));
        }
    }

    /// The hole whose start is the highest at or below `addr` (`pvm_find_va_enclose_addr`).
    fn enclosing(&self, addr: u64) -> AreaId {
        let mut best = NIL;
        let mut id = self.free.root;
        while id != NIL {
            let area = &self.areas[id];
            let [left, right] = area.child;
            if area.start <= addr {
                best = id;
                if addr <= area.end {
                    break;
                }
                id = right;
            } else {
                id = left;
            }
        }
        best
    }

    /// The highest aligned address below `vend` that ends something in `hole` or a hole below it
    /// (`pvm_determine_end_from_reverse`); moves `hole` there, or to nothing.
    fn highest_end(&self, hole: &mut AreaId, vend: u64, align: u64) -> u64 {
        while *hole != NIL {
            let end = (self.areas[*hole].end & !align.wrapping_sub(1)).min(vend);
            if self.areas[*hole].start < end {
                return end;
            }
            *hole = self.areas[*hole].prev;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::super::Setup;
    use super::*;
    use crate::log::Window;
    use crate::model::Allocator;
    use crate::policy::by_id;

    /// Groups as `(offset, size)`, and where they start, counted from E.
    type Round<'a> = (&'a [(u64, u64)], &'a [u64]);

    const E: u64 = 0xffff_e8ff_ff00_0000;

    fn empty() -> Augmented {
        Augmented::new(&Setup {
            rules: by_id("linux-6.12").expect("policy").rules,
            cpus_online: 1,
            cpus_possible: 1,
            window: Window { vstart: 0xffff_c900_0000_0000, vend: 0xffff_e8ff_ffff_ffff },
            page_size: 4096,
            is_32_bit: false,
            early: Vec::new(),
            lazy_max_bytes: None,
        })
    }

    /// The worked example of the era: five kernels agree on it.
    #[test]
    fn chunks_are_placed_where_the_kernel_places_them() {
        let mut space = empty();
        let two = [(0, 0x1_0000), (0x10_0000, 0x1_0000)];
        let three = [(0, 0x2_0000), (0x4_0000, 0x1_0000), (0xc_0000, 0x2_0000)];
        let rounds: [Round<'_>; 5] = [
            (&two, &[0xee_0000, 0xfe_0000]),
            (&two, &[0xed_0000, 0xfd_0000]),
            (&three, &[0xef_0000, 0xf3_0000, 0xfb_0000]),
            (&three, &[0xe8_0000, 0xec_0000, 0xf4_0000]),
            (&three, &[0xde_0000, 0xe2_0000, 0xea_0000]),
        ];
        for (groups, expected) in rounds {
            let carved = space.carve_chunks(groups, 0x1_0000, &mut ()).expect("there is room");
            let starts: Vec<u64> = carved.iter().map(|extent| extent.start() - E).collect();
            assert_eq!(starts, expected);
            space.audit().expect("sound");
        }
    }
}
