//! What a trace implies: an area that comes into use is backed by what its use asks for, one that goes gives it back.
//!
//! The order is the kernel's: descriptor, array, pages, mapping; on the way back entries first, then pages, array and
//! descriptor. Records of a trace stand in the middle of that; what belongs to a record is told with it.

use super::ops::tell;
use super::{Backed, Mapping, Memory, MemoryAnswer};
use crate::model::areas::VmapArea;
use crate::model::extent::Extent;
use crate::model::frames::ZoneKind;
use crate::model::page_table::ClearsAt;
use crate::model::space::Behind;
use crate::model::stage::{Object, Stage};
use crate::model::step::{Step, Steps};
use crate::model::usage::{Usage, UsageKind};

impl Memory {
    /// What is known of an area, or assumed of it.
    pub fn usage_of(&self, born: u32, extent: Extent) -> Usage {
        self.usages.of(born, extent).unwrap_or_else(|| Usage::assumed(extent.len_bytes(), self.page_size()))
    }

    /// An area came into use by record `born`.
    pub(in crate::model) fn follow(&mut self, extent: Extent, born: u32, mut steps: Option<&mut Steps>) {
        let usage = self.usage_of(born, extent);
        self.back(extent, &usage, &mut steps);
    }

    fn back(&mut self, extent: Extent, usage: &Usage, steps: &mut Option<&mut Steps>) {
        let start = extent.start();
        // One that is still there is not of a sound trace, and nothing of a hostile one may leak.
        self.let_go(start, &mut None);
        let has_descriptor = !matches!(usage.kind, UsageKind::VmMapRam | UsageKind::VmapBlock);
        let mut backed = Backed::bare(extent, *usage);
        if has_descriptor {
            backed.descriptor = self.objects.take(Object::VmStruct, &mut self.frames);
        }
        let page_size = self.page_size();
        let area_pages = extent.len_bytes() / page_size;
        let pages = usage.pages.min(area_pages);
        let shift = u32::from(usage.page_shift);
        let page_shift = page_size.trailing_zeros();
        let is_huge = page_shift < shift && shift < u64::BITS && usage.kind.owns_pages();
        if matches!(usage.kind, UsageKind::Vmalloc | UsageKind::PageArray) && pages > 0 {
            let array = pages.saturating_mul(self.pointer_bytes);
            if self.has_array && array <= page_size {
                self.take_array(&mut backed, array, steps);
            }
            let order = if is_huge { (shift - page_shift) as u8 } else { 0 };
            let how = (ZoneKind::HighMem, self.strategy, None);
            if let MemoryAnswer::Pages(got) = self.take_pages(&mut backed, (pages, order), how, steps) {
                self.missing_pages += pages - got.min(pages);
            }
        }
        let mapped = match usage.kind {
            UsageKind::Early | UsageKind::Reserved | UsageKind::VmapBlock => 0,
            UsageKind::PerCpu => area_pages,
            _ => pages,
        };
        if let Some(part) = Extent::sized(start, mapped.saturating_mul(page_size)) {
            let mapping = match (usage.kind, usage.phys) {
                (UsageKind::Ioremap, Some(phys)) => Mapping::Device { phys },
                _ if is_huge => Mapping::Huge { shift: usage.page_shift },
                _ => Mapping::Small,
            };
            self.map(&mut backed, part, mapping, None, steps);
        }
        self.live.insert(backed);
    }

    /// A per-CPU chunk that no record announces.
    pub(in crate::model) fn follow_chunk(&mut self, extent: Extent, mut steps: Option<&mut Steps>) {
        let known = self.usages.of(VmapArea::UNBORN, extent).filter(|usage| usage.kind == UsageKind::PerCpu);
        let assumed = || Usage::assumed(extent.len_bytes(), self.page_size());
        let usage = known.unwrap_or_else(|| Usage { kind: UsageKind::PerCpu, pages: 0, ..assumed() });
        self.back(extent, &usage, &mut steps);
    }

    /// An area went out of use. Entries are cleared between leaving the tree of areas and the lazy store, or before the
    /// former: `from` is where the steps of that begin.
    pub(in crate::model) fn removed(
        &mut self,
        extent: Extent,
        behind: Behind,
        from: usize,
        mut steps: Option<&mut Steps>,
    ) {
        if behind == Behind::Stays {
            return;
        }
        let mut told = steps.is_some().then(Steps::new);
        match self.arch.clears_at {
            ClearsAt::Free => self.unmap(extent, &mut told.as_mut()),
            ClearsAt::Purge => self.waiting.push(extent),
        }
        if self.flushes_at_free {
            self.flushes.count(self.arch.tlb, extent, self.page_size());
            tell(&mut told.as_mut(), || Stage::TlbFlushed { extent });
        }
        if let (Some(steps), Some(told)) = (steps.as_deref_mut(), told) {
            let unlinked = steps[from..].iter().position(|step| matches!(step, Step::BusyRemoved { .. }));
            let at = match unlinked {
                Some(place) if self.unlinks_first => {
                    // Behind what the tree did.
                    let behind = from + place + 1;
                    behind + steps[behind..].iter().take_while(|step| matches!(step, Step::Tree { .. })).count()
                }
                _ => from,
            };
            steps.splice(at..at, told);
        }
        if behind == Behind::Goes {
            self.let_go(extent.start(), &mut steps);
        }
    }

    /// Areas that an adopted one displaced: those that were in use, and what waited for a purge, which it must have had.
    pub(in crate::model) fn release_displaced(&mut self, extent: Extent, in_use: &[Extent]) {
        for &gone in in_use {
            self.unmap(gone, &mut None);
            self.let_go(gone.start(), &mut None);
        }
        if self.waiting.is_empty() || !self.tables.maps_any(extent) {
            return;
        }
        let (gone, still): (Vec<Extent>, Vec<Extent>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|waiting| waiting.overlaps(extent));
        self.waiting = still;
        for extent in gone {
            self.unmap(extent, &mut None);
        }
    }

    /// Pages, array and descriptor of the area that starts there.
    fn let_go(&mut self, start: u64, steps: &mut Option<&mut Steps>) {
        let Some(mut backed) = self.live.remove(start) else { return };
        self.give_pages(&mut backed, steps);
        self.give_array(&mut backed, steps);
        self.drop_descriptor(&backed);
    }

    /// A purge: what was freed and is still mapped is cleared, and the TLB flushed once.
    pub(in crate::model) fn purged(&mut self, flush: Option<(u64, u64)>, mut steps: Option<&mut Steps>) {
        for extent in std::mem::take(&mut self.waiting) {
            self.unmap(extent, &mut steps);
        }
        if let Some(extent) = flush.and_then(|(start, end)| Extent::new(start, end)) {
            let page_size = self.page_size();
            self.flushes.count(self.arch.tlb, extent, page_size);
        }
    }

    /// The allocator has that many ranges now, in use, lazy, pooled or free.
    pub(in crate::model) fn count_ranges(&mut self, ranges: u32) {
        self.objects.set_ranges(ranges as usize, &mut self.frames);
    }
}
