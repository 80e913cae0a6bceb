//! What is older than the trace: areas whose allocation no record shows.
//!
//! A free of such an area gives its size away, because `nr_lazy` rises by its pages. Where no snapshot says what was in
//! use, the kernel's own answers do: it always takes the lowest hole, so a hole that it passed over is none.

use std::collections::BTreeMap;

use crate::event::Addr;
use crate::log::Log;
use crate::model::{AddressSpace, Answer, Extent, Op, Owner, Place, Request, VmapArea};

use super::adopt::Difference;
use super::{Cause, Machine, Resolver, usable_baseline};

/// So many requests must have gone past a hole before it is taken for none, while pools are unknown.
const ENOUGH_PASSES: u32 = 3;

/// Facts about areas that are older than the trace.
#[derive(Debug, Clone, Default)]
pub(super) struct Older {
    hidden: Option<Cause>,
    /// Stretches known to be taken without knowing by what, by start.
    covers: BTreeMap<u64, u64>,
    /// `nr_lazy` of the latest free, while no purge has changed the counter since.
    last_nr_lazy: Option<u64>,
    /// The model's counter agreed at the latest free.
    counter_agrees: bool,
    /// Pages by which `nr_lazy` is ahead of the model since the latest purge.
    ahead: u64,
    /// Frees that `nr_lazy` counted and no record shows.
    unseen_frees: u32,
    /// Stretches that a record had in use, by start, apart from each other. Kept while pools are unknown.
    used: BTreeMap<u64, u64>,
    /// How often holes were passed over, by their ends: what takes from a hole leaves its end. Kept while pools are
    /// unknown.
    passes: BTreeMap<u64, u32>,
}

/// What [`Resolver::uncover`] took away.
#[derive(Debug, Default)]
pub(super) struct Rests {
    /// Covers that overlapped.
    pub(super) n_covers: u32,
    /// The part of a cover below the range.
    pub(super) below: Option<Extent>,
    /// The part of a cover above it.
    pub(super) above: Option<Extent>,
}

impl Older {
    pub(super) fn at_start(log: &Log, machine: &Machine) -> Self {
        let snapshot = usable_baseline(log).is_some();
        let pools = machine.cpus_possible > 1 && machine.policy.rules.has_pools() && !machine.is_32_bit;
        let state = log.state_before.is_some();
        let hidden = match (machine.from_boot || state, snapshot) {
            (true, _) => None,
            (false, false) => Some(Cause::UnknownState),
            (false, true) => pools.then_some(Cause::UnknownPools),
        };
        Self { hidden, counter_agrees: machine.from_boot || state || snapshot, ..Self::default() }
    }

    /// Why there can be areas that nothing has told of, if there can.
    pub(super) fn hidden(&self) -> Option<Cause> {
        self.hidden
    }

    /// A record has this range in use.
    pub(super) fn note_use(&mut self, start: Option<u64>, size: u64) {
        if self.hidden != Some(Cause::UnknownPools) {
            return;
        }
        let Some(extent) = start.and_then(|start| Extent::sized(start, size)) else { return };
        let (mut low, mut high) = (extent.start(), extent.end());
        while let Some((&start, &end)) = self.used.range(..=high).next_back() {
            if end < low {
                break;
            }
            self.used.remove(&start);
            (low, high) = (low.min(start), high.max(end));
        }
        self.used.insert(low, high);
    }

    /// Has all of it been in use since the trace began? Then what became of it is in the records.
    fn is_accounted_for(&self, extent: Extent) -> bool {
        self.used.range(..=extent.start()).next_back().is_some_and(|(_, &end)| extent.end() <= end)
    }

    /// One more request went past a hole: is that enough to believe that it is none? Where pools are unknown, what looks
    /// like the next hole can be a pooled area, and then the request says nothing.
    fn is_enough(&mut self, hole: Extent) -> bool {
        if self.hidden != Some(Cause::UnknownPools) {
            return true;
        }
        let passes = self.passes.entry(hole.end()).or_default();
        *passes += 1;
        *passes >= ENOUGH_PASSES
    }

    /// Is an area in use of the model only a stretch known to be taken?
    fn is_cover(&self, area: &VmapArea) -> bool {
        area.born == VmapArea::UNBORN && self.covers.get(&area.start) == Some(&area.end)
    }

    /// Forgets the covers that another state does not have.
    pub(super) fn keep_covers(&mut self, space: &AddressSpace) {
        let allocator = space.allocator();
        self.covers.retain(|&start, &mut end| match allocator.lookup(start) {
            Place::Busy { area, .. } => {
                let area = &allocator.areas()[area];
                area.born == VmapArea::UNBORN && (area.start, area.end) == (start, end)
            }
            _ => false,
        });
    }

    /// Must an area have been freed that the model still believes in use?
    pub(super) fn misses_a_free(&self) -> bool {
        self.unseen_frees > 0
    }

    /// Areas in use had to go: their frees are the ones that were not seen.
    pub(super) fn found_frees(&mut self, n: u32) {
        self.unseen_frees = self.unseen_frees.saturating_sub(n);
    }

    /// Compares the counter at a free.
    fn compare_counter(&mut self, recorded: u64, model: u64) {
        self.counter_agrees = recorded == model;
        let ahead = recorded.saturating_sub(model);
        if ahead > self.ahead {
            self.unseen_frees += 1;
        }
        self.ahead = ahead;
        self.last_nr_lazy = Some(recorded);
    }

    /// A purge was recorded: the counter has fallen by an amount that is not.
    pub(super) fn counter_fell(&mut self) {
        self.last_nr_lazy = None;
        self.ahead = 0;
    }
}

impl Resolver<'_> {
    pub(super) fn free(&mut self, index: usize, addr: Addr, nr_lazy: u64) {
        let starts_here = |place| match place {
            Place::Busy { area, .. } => {
                let area = &self.space.allocator().areas()[area];
                area.start == addr.0 && !self.older.is_cover(area)
            }
            _ => false,
        };
        let mut target = addr.0;
        if !starts_here(self.space.allocator().lookup(target)) {
            if let Some(stand_in) = self.stand_in_of(target) {
                target = stand_in;
            } else if !self.bring_in(target, nr_lazy) {
                self.plan.checks.unknown_frees += 1;
                self.older.last_nr_lazy = Some(nr_lazy);
                self.older.counter_agrees = false;
                return;
            }
        }
        if self.parts.seen || self.unseen.purges {
            let own = self.lazy_pages_after(target);
            self.time_part(index, nr_lazy, own);
            self.purge_if_counter_fell(nr_lazy, own);
        }
        if let Answer::Freed(freed) = self.apply(Op::Free { addr: target }) {
            if freed.born != VmapArea::UNBORN {
                self.plan.mates[index] = freed.born;
                self.plan.mates[freed.born as usize] = index as u32;
            }
            self.older.compare_counter(nr_lazy, freed.nr_lazy);
            self.plan.checks.nr_lazy_differs += u64::from(freed.nr_lazy != nr_lazy);
        }
    }

    /// Lazy pages once the area at `addr` is freed.
    fn lazy_pages_after(&self, addr: u64) -> u64 {
        let allocator = self.space.allocator();
        let pages = match allocator.lookup(addr) {
            Place::Busy { area, .. } => allocator.areas()[area].len_bytes() / self.machine.page_size,
            _ => 0,
        };
        allocator.lazy_pages() + pages
    }

    /// The area that stands for a recorded address that was not believed, if it is still there.
    pub(super) fn stand_in_of(&mut self, addr: u64) -> Option<u64> {
        let stand_in = self.stand_ins.remove(&addr)?;
        stand_in.lives(&self.space).then_some(stand_in.start)
    }

    /// Puts the area that is about to be freed where it must have been all along. `false` if its size is not known or
    /// contradicts what is.
    fn bring_in(&mut self, addr: u64, nr_lazy: u64) -> bool {
        let allocator = self.space.allocator();
        let counter = if self.older.counter_agrees { Some(allocator.lazy_pages()) } else { self.older.last_nr_lazy };
        let pages = counter.and_then(|before| nr_lazy.checked_sub(before)).unwrap_or(0);
        let size = pages.checked_mul(self.machine.page_size).unwrap_or(0);
        let Some(extent) = Extent::sized(addr, size) else { return false };
        let fits = match allocator.lookup(addr) {
            Place::Free { extent: hole, .. } => hole.contains(extent),
            Place::Busy { area, .. } => {
                let cover = &allocator.areas()[area];
                self.older.is_cover(cover) && extent.end() <= cover.end
            }
            Place::Lazy { .. } | Place::Pooled { .. } | Place::Unknown => false,
        };
        if fits {
            let rests = self.uncover(extent);
            self.apply(Op::Adopt { extent, owner: Owner::Nobody, born: VmapArea::UNBORN });
            self.cover(rests.below);
            self.cover(rests.above);
            self.plan.checks.older_areas += 1;
        }
        fits
    }

    /// Holes the kernel passed over, going up from the start of the window, cannot have been holes.
    pub(super) fn learn_hidden(&mut self, request: &Request, difference: Difference) {
        let (Some(model), Some(recorded)) = (difference.model, difference.recorded) else { return };
        if self.older.hidden.is_none() || request.align > self.machine.page_size || recorded <= model {
            return;
        }
        if self.older.hidden == Some(Cause::UnknownPools) && !self.begins_a_hole(recorded) {
            // Not from the tree, but from a pool: that says nothing of the holes.
            return;
        }
        self.learn_passed_over(request, recorded);
    }

    /// Marks every hole below `recorded` that the request would have fitted as taken.
    pub(super) fn learn_passed_over(&mut self, request: &Request, recorded: u64) {
        let n_holes = u64::from(self.space.allocator().n_holes());
        let Some(below) = Extent::new(request.window.vstart, recorded).filter(|_| self.may_look_at(n_holes)) else {
            return;
        };
        let mut passed: Vec<Extent> = Vec::new();
        self.space.allocator().visit_holes(&mut |hole| {
            let stretch = hole.intersection(below);
            passed.extend(stretch.filter(|stretch| stretch.len_bytes() >= request.size));
        });
        // What a pool can have held since before the trace was in no record's use yet.
        passed.retain(|stretch| !self.older.is_accounted_for(*stretch));
        for hole in passed {
            if self.older.is_enough(hole) {
                self.cover(Some(hole));
            }
        }
    }

    pub(super) fn begins_a_hole(&self, addr: u64) -> bool {
        matches!(self.space.allocator().lookup(addr), Place::Free { extent, .. } if extent.start() == addr)
    }

    /// Marks a free stretch as taken by something unknown.
    pub(super) fn cover(&mut self, stretch: Option<Extent>) {
        let Some(extent) = stretch else { return };
        self.apply(Op::Adopt { extent, owner: Owner::Nobody, born: VmapArea::UNBORN });
        self.older.covers.insert(extent.start(), extent.end());
    }

    /// Forgets the covers that a range overlaps, because it is known now; answers what is left of them.
    pub(super) fn uncover(&mut self, extent: Extent) -> Rests {
        let mut rests = Rests::default();
        while let Some((&start, &end)) = self.older.covers.range(..extent.end()).next_back() {
            if end <= extent.start() {
                break;
            }
            self.older.covers.remove(&start);
            rests.n_covers += 1;
            rests.below = Extent::new(start, extent.start()).or(rests.below);
            rests.above = rests.above.or_else(|| Extent::new(extent.end(), end));
        }
        rests
    }
}
