//! An allocation that no timing explains: which of two ways to go on, and which fact is missing.
//!
//! Either the record is believed and its address forced into the state, or it is not and the model's own answer stands
//! for it. The more likely way leads; the other one runs along as a [`Shadow`](super::shadow::Shadow) and takes over
//! when the records that follow agree with it better.

use crate::event::{Event, EventKind};
use crate::model::search::align_up;
use crate::model::{Answer, Extent, Op, Owner, Place, Request};

use crate::policy::rules::SearchLength;

use super::shadow::StandIn;
use super::{Cause, Resolver, Verdict};

/// How many records back an area can have been that a pool still holds.
const MAX_LOOK_BACK: usize = 20_000;

/// What may be looked at in one log: a second's worth.
const MAX_LOOKED_AT: u64 = 1 << 27;

/// The two answers that differ.
#[derive(Debug, Clone, Copy)]
pub(super) struct Difference {
    /// The model's own; `None` if it found no space.
    pub(super) model: Option<u64>,
    /// The recorded one; `None` if the record says there was no space.
    pub(super) recorded: Option<u64>,
}

impl Resolver<'_> {
    /// Settles an allocation whose record and model differ for good.
    pub(super) fn settle_adopted(&mut self, index: usize, request: &Request, difference: Difference) {
        let Difference { model, recorded } = difference;
        let cause = self.cause_of(index, request, difference);
        let believed = recorded.and_then(|start| Extent::sized(start, request.size));
        let own = model.map(|_| Op::Alloc { request: *request, born: index as u32 });
        let (Some(extent), Some(own), None) = (believed, own, self.older.hidden()) else {
            self.record_adoption(index, difference, cause);
            if let Some(extent) = believed {
                self.learn_hidden(request, difference);
                self.believe(index, request, extent);
            }
            return;
        };
        let adopt = self.adoption(index, request, extent);
        let disbelieves = self.knows_the_state(index) && !self.is_possible(index, request, extent);
        let passed_over = !disbelieves && self.passes_over(request, difference);
        let cause = if passed_over { Cause::PassedOver } else { cause };
        self.record_adoption(index, difference, if disbelieves { Cause::Impossible } else { cause });
        let stand_in = (extent.start(), StandIn { start: model.unwrap_or_default(), born: index as u32 });
        if disbelieves {
            self.begin_shadow(index, adopt, None, cause);
            self.stand_ins.insert(stand_in.0, stand_in.1);
            self.apply(own);
        } else {
            self.begin_shadow(index, own, Some(stand_in), Cause::Impossible);
            if passed_over {
                self.learn_passed_over(request, extent.start());
            }
            self.believe(index, request, extent);
        }
    }

    /// Did the kernel take a higher hole than the lowest the model knows? Where records cannot stand in another order,
    /// something that no record announced lies in the lower one.
    fn passes_over(&self, request: &Request, difference: Difference) -> bool {
        let Some((model, recorded)) = difference.model.zip(difference.recorded) else { return false };
        let rules = self.machine.policy.rules;
        let in_order = self.machine.cpus_online == 1 && !rules.reschedules_before_record;
        // Where the search asks for more than the size, the tree's shape can make it pass over a hole.
        let shape_counts = rules.search == SearchLength::AlwaysPadded && self.shapes.are_open();
        in_order
            && !shape_counts
            && request.align <= self.machine.page_size
            && model < recorded
            && self.begins_a_hole(recorded)
    }

    fn record_adoption(&mut self, index: usize, difference: Difference, cause: Cause) {
        self.diverge(index, difference.model, difference.recorded, Verdict::Adopted(cause));
        self.trust = self.trust.saturating_sub(1);
    }

    fn adoption(&self, index: usize, request: &Request, extent: Extent) -> Op {
        Op::Adopt { extent, owner: self.owner_of(request), born: index as u32 }
    }

    /// Whose the area of a request is: its CPU's node if it can go to a pool.
    pub(super) fn owner_of(&self, request: &Request) -> Owner {
        let n_nodes = self.space.allocator().n_nodes();
        let poolable = n_nodes > 1 && request.window == self.machine.window;
        if poolable { Owner::Node(request.cpu % n_nodes) } else { Owner::Nobody }
    }

    /// Forces the recorded address into the state.
    fn believe(&mut self, index: usize, request: &Request, extent: Extent) {
        let rests = self.uncover(extent);
        let op = self.adoption(index, request, extent);
        if let Answer::Adopted { displaced, .. } = self.apply(op) {
            let known = displaced.saturating_sub(rests.n_covers);
            self.plan.checks.displaced += u64::from(known);
            self.older.found_frees(known);
        }
        // What lies above a hole the kernel found is not known to be taken; what lies below it is not a hole.
        self.cover(rests.below);
    }

    /// Has the model been right lately, and is nothing under way that it cannot see? Only then an address it cannot
    /// explain counts against the record.
    fn knows_the_state(&self, index: usize) -> bool {
        if self.machine.cpus_online > 1 {
            return self.trust == super::MAX_TRUST && !self.purge_runs_elsewhere(index);
        }
        self.trust * 2 > super::MAX_TRUST
    }

    /// Could any search of the allocator have given this address: the lowest aligned place of a hole, an area that waits
    /// for a purge, or one that is in a pool or may still be? An area in use only if
    /// its free can have gone unseen.
    fn is_possible(&mut self, index: usize, request: &Request, extent: Extent) -> bool {
        let allocator = self.space.allocator();
        let areas = allocator.areas();
        match allocator.lookup(extent.start()) {
            Place::Free { extent: hole, .. } => {
                let lowest = align_up(hole.start().max(request.window.vstart), request.align);
                let has_pools = allocator.n_nodes() > 1;
                (lowest == extent.start() && hole.contains(extent)) || (has_pools && self.was_an_area(index, extent))
            }
            Place::Pooled { area, .. } => areas.extent(area) == Some(extent),
            // It comes back with a purge, and that has a record.
            Place::Lazy { .. } => self.lost || self.can_be_exchanged(),
            Place::Busy { .. } => self.lost || self.older.misses_a_free(),
            Place::Unknown => false,
        }
    }

    /// Has this very range been an area before? Then a pool can still hold it, whatever the model believes.
    fn was_an_area(&mut self, index: usize, extent: Extent) -> bool {
        if !self.may_look_at(index.min(MAX_LOOK_BACK) as u64) {
            return true;
        }
        let earlier = self.log.events.range(..index).rev().take(MAX_LOOK_BACK);
        let same = |event: &Event| match event.kind {
            EventKind::Alloc { addr, size, failed: false, .. } => Extent::sized(addr.0, size) == Some(extent),
            _ => false,
        };
        earlier.into_iter().any(|event| same(&event))
    }

    /// Looking at records and holes has a price, and a trace of nothing but differences would pay it each time.
    pub(super) fn may_look_at(&mut self, n: u64) -> bool {
        self.looked_at += n;
        self.looked_at <= MAX_LOOKED_AT
    }

    /// The fact that is missing, the most telling first.
    fn cause_of(&self, index: usize, request: &Request, difference: Difference) -> Cause {
        if self.lost {
            return Cause::LostRecords;
        }
        if let Some(cause) = self.older.hidden() {
            return cause;
        }
        let Some(start) = difference.recorded else { return Cause::RecordedFailure };
        if self.purge_runs_elsewhere(index) {
            return Cause::ConcurrentPurge;
        }
        if Extent::sized(start, request.size).is_some_and(|extent| self.overlaps_busy(extent)) {
            return Cause::OverlapsLive;
        }
        if self.tally.adopted > 0 {
            return Cause::AfterDivergence;
        }
        if difference.model.is_none() {
            return Cause::ModelFailed;
        }
        let has_shape = self.log.state_before.as_ref().is_some_and(|state| !state.tree.is_empty());
        if !self.machine.from_boot && !has_shape && request.align > self.machine.page_size {
            return Cause::UnknownShape;
        }
        Cause::Unexplained
    }

    /// Can a purge be running on another CPU at this record? It ends at the next purge record, and began after its
    /// task's record before that.
    pub(super) fn purge_runs_elsewhere(&self, index: usize) -> bool {
        let events = &self.log.events;
        self.purge_ahead(index).is_some_and(|next| {
            let purge = events.nth(next);
            purge.kind.returned_something()
                && purge.cpu != events.nth(index).cpu
                && !(index..next).any(|between| events.task(between) == Some(purge.task))
        })
    }

    pub(super) fn overlaps_busy(&self, extent: Extent) -> bool {
        let last = extent.end() - 1;
        [extent.start(), last].into_iter().any(|addr| matches!(self.space.allocator().lookup(addr), Place::Busy { .. }))
    }
}
