//! [`VmList`]: the allocator of Linux 2.4 to 2.6.27: a sorted list of areas, walked from its head.
//!
//! Nothing is lazy and nothing is cached: what is freed can be given out at once. The size of a [`Request`] has the
//! guard page in it, as in every era; `get_vm_area(size)` is a request of `size` and a page. Where releases differ, a
//! field of [`VmListRules`] says so.

mod as_allocator;
mod state;

use crate::log::Window;
use crate::model::search::align_up;
use crate::model::{
    AreaId, Areas, Extent, Freed, NIL, Placement, Refusal, RefusalReason, Request, Sink, Source, Step, Tree,
    UnknownArea, VmapArea, WalkFrom,
};

use super::gaps::{Gaps, passed};
use super::refuse;
use super::rules::{FreeSpace, VmListRules};
use super::setup::Setup;

/// The allocator's whole state.
#[derive(Debug, Clone)]
pub struct VmList {
    rules: VmListRules,
    areas: Areas,
    /// `vmlist`: only the list of the tree is used.
    list: Tree,
    gaps: Gaps,
    window: Window,
    page_size: u64,
    busy_bytes: u64,
}

impl VmList {
    /// The state before the first area, but for the early ones.
    pub fn new(setup: &Setup) -> Self {
        let FreeSpace::VmList(rules) = setup.rules.free_space else {
            unreachable!("a release with another allocator");
        };
        let mut new = Self {
            rules,
            areas: Areas::default(),
            list: Tree::default(),
            gaps: Gaps::new(setup.window, setup.top()),
            window: setup.window,
            page_size: setup.page_size,
            busy_bytes: 0,
        };
        for (extent, _) in Setup::ascending(&setup.early, &[]) {
            new.join(new.list.last, extent, VmapArea::UNBORN, &mut ());
        }
        new
    }

    /// The state a snapshot shows. Nothing is lazy in this era: areas said to be are free.
    pub fn from_snapshot(setup: &Setup, busy: &[Extent]) -> Self {
        Self::new(&Setup { early: busy.to_vec(), ..setup.clone() })
    }

    /// Bytes the area will have.
    fn size_of(&self, request: &Request) -> u64 {
        if self.rules.rounds_size { align_up(request.size, self.page_size) } else { request.size }
    }

    /// Cuts a sum or difference to a machine word, as `unsigned long` does.
    fn word(&self, value: u64) -> u64 {
        value & self.gaps.top()
    }

    /// The walk of `get_vm_area` and `__get_vm_area`. The end of the range is only looked at behind an area that was
    /// passed: an empty list takes any size.
    fn place_with<S: Sink>(&self, request: &Request, sink: &mut S) -> Result<Placement, Refusal> {
        let size = self.size_of(request);
        let (align, window) = if self.rules.asks_window { (request.align, request.window) } else { (1, self.window) };
        let last_start = self.word(window.vend.wrapping_sub(size));
        let mut candidate = self.word(align_up(window.vstart, align));
        sink.step(|| Step::WalkBegun { from: WalkFrom::ListHead, candidate });
        let (mut below, mut id) = (NIL, self.list.first);
        while id != NIL {
            let area = &self.areas[id];
            let behind = self.word(align_up(area.end, align));
            let from = candidate;
            if self.rules.passes_lower && area.start < candidate {
                if area.end >= candidate {
                    candidate = behind;
                }
                passed(sink, area, from, candidate);
            } else {
                let end = self.word(candidate.wrapping_add(size));
                if end < candidate {
                    return refuse(RefusalReason::Wraps { candidate }, sink);
                }
                if end <= area.start {
                    break;
                }
                if behind > candidate {
                    candidate = behind;
                }
                passed(sink, area, from, candidate);
                if candidate > last_start {
                    return refuse(RefusalReason::BehindWindow { would_be: candidate }, sink);
                }
            }
            below = id;
            id = area.next;
        }
        // A candidate that wrapped on the way would be put out of order: the kernel's list would be broken by it.
        self.gaps.take(&self.areas, (below, id), candidate, size, sink)?;
        Ok(Placement { start: candidate, source: Source::Gap { below, cached_hole: 0 } })
    }

    fn settle_with<S: Sink>(
        &mut self,
        request: &Request,
        answer: Result<Placement, Refusal>,
        born: u32,
        sink: &mut S,
    ) -> Option<Extent> {
        let placement = answer.ok()?;
        let Source::Gap { below, .. } = placement.source else { return None };
        let extent = Extent::sized(placement.start, self.size_of(request))?;
        self.join(below, extent, born, sink);
        Some(extent)
    }

    /// Puts an area on the list, behind `below`.
    fn join<S: Sink>(&mut self, below: AreaId, extent: Extent, born: u32, sink: &mut S) {
        let id = self.areas.add(extent.start(), extent.end());
        self.areas[id].born = born;
        self.areas.thread_behind(&mut self.list, id, below);
        self.list.len += 1;
        self.gaps.filled(&self.areas, &self.list, id);
        self.busy_bytes += extent.len_bytes();
        sink.step(|| Step::BusyAdded { node: 0, extent });
    }

    /// `vfree`: only the first address of an area names it.
    fn free_with<S: Sink>(&mut self, addr: u64, sink: &mut S) -> Result<Freed, UnknownArea> {
        let mut id = self.list.first;
        while id != NIL && self.areas[id].start != addr {
            id = self.areas[id].next;
        }
        let extent = self.areas.extent(id).ok_or(UnknownArea { addr })?;
        let born = self.areas[id].born;
        self.leave(id, extent, sink);
        Ok(Freed { extent, born, nr_lazy: 0, drain_due: false })
    }

    /// Takes an area off the list: its space can be given out.
    fn leave<S: Sink>(&mut self, id: AreaId, extent: Extent, sink: &mut S) {
        let (below, above) = (self.areas[id].prev, self.areas[id].next);
        self.gaps.opening(&self.areas, id);
        self.areas.unthread(&mut self.list, id);
        self.list.len -= 1;
        self.areas.remove(id);
        self.busy_bytes -= extent.len_bytes();
        sink.step(|| Step::BusyRemoved { node: 0, extent });
        sink.step(|| self.gaps.returned(&self.areas, (below, above), extent));
    }

    /// Makes `extent` busy; answers how many areas had to go.
    fn adopt_with<S: Sink>(&mut self, extent: Extent, born: u32, sink: &mut S) -> u32 {
        let (mut below, mut displaced) = (NIL, 0);
        let mut id = self.list.first;
        while let Some(range) = self.areas.extent(id) {
            if range.start() >= extent.end() {
                break;
            }
            let next = self.areas[id].next;
            if range.overlaps(extent) {
                self.leave(id, range, sink);
                displaced += 1;
            } else {
                below = id;
            }
            id = next;
        }
        sink.step(|| Step::Adopted { extent });
        self.join(below, extent, born, sink);
        displaced
    }
}
