//! The walk that clears.

use super::mapped::{ModMask, Unmapped, sync_of};
use super::tables::PageTables;
use crate::model::extent::Extent;

impl PageTables {
    /// Clears every entry in `extent`, guard included: `vunmap_range`, `unmap_vm_area`, `vmfree_area_pages`. Holes are
    /// skipped, and no table is freed. An extent that does not begin and end at a page is rounded outwards.
    pub fn unmap(&mut self, extent: Extent) -> Unmapped {
        let mut done = Unmapped::nothing(extent);
        if self.n_levels == 0 {
            return done;
        }
        let (from, to) = self.pages(extent);
        let pte = self.pte();
        for depth in 0..pte {
            if !self.huge[depth].is_empty() {
                self.clear_huge(depth, from, to, &mut done);
            }
        }
        if !self.contiguous.is_empty() {
            self.clear_contiguous(from, to, &mut done);
        }
        let cleared = self.clear_ptes(from, to);
        if cleared != 0 {
            done.leaves[pte] = cleared;
            self.leaves[pte] -= cleared;
            done.mod_mask |= ModMask::PTE;
        }
        done.sync = sync_of(&self.rules, done.mod_mask, extent);
        done
    }

    fn clear_huge(&mut self, depth: usize, from: u64, to: u64, done: &mut Unmapped) {
        let shift = self.page_shifts[depth];
        let (first, last) = (from >> shift, (to - 1) >> shift);
        let is_partly = |entry: u64| entry << shift < from || to < (entry + 1) << shift;
        let edges = [Some(first), (first != last).then_some(last)];
        let partly = edges.into_iter().flatten().filter(|&entry| is_partly(entry) && self.huge[depth].contains(entry));
        done.partly_covered += partly.count() as u64;
        let removed = self.huge[depth].remove(first, last);
        self.work += 1;
        if removed != 0 {
            done.leaves[depth] += removed;
            self.leaves[depth] -= removed;
            done.mod_mask |= ModMask::above_pte(self.pte() - depth);
        }
    }

    fn clear_contiguous(&mut self, from: u64, to: u64, done: &mut Unmapped) {
        let Some(shift) = self.rules.contiguous_shift.map(|shift| shift - self.page_shift) else { return };
        let (first, last) = (from >> shift, (to - 1) >> shift);
        let edges = [Some(first), (first != last).then_some(last)];
        let mut outside = 0;
        for block in edges.into_iter().flatten().filter(|&block| self.contiguous.contains(block)) {
            let (start, end) = (block << shift, (block + 1) << shift);
            let more = from.saturating_sub(start) + end.saturating_sub(to);
            done.partly_covered += u64::from(more != 0);
            outside += more;
        }
        done.contiguous = (self.contiguous.remove(first, last) << shift) - outside;
    }
}
