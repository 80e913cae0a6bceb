//! `Course`: how a lane goes through the demands of a record. This is the one place that says what a demand does.
//!
//! # When a lane purges
//!
//! A lane whose policy and machine are the trace's own *follows the trace*: it drains where the trace shows the drain, in the
//! parts the trace shows. Every other lane purges by its own rule:
//!
//! * where the freeing task purges (to 5.18, and where a policy says so), right after the free that goes above the limit;
//! * where a worker does, at the first place where the worker had its chance: where the trace's own worker purged, or so many
//!   records after the free that queued it as the trace's own worker needed at most ([`Demands::delay`]); in a script at
//!   its `work` ops, or after each op if it has none;
//! * a request that is refused purges everything and tries once more, at the place where the trace shows that, or at once
//!   where the trace's own allocator was not in need of it;
//! * a purge that somebody asked for happens in every lane.
//!
//! # What the trace had no room for
//!
//! A lane that serves a request which failed in the trace gives the area back where the trace gave the request up: when its
//! owner would have freed it nobody knows, and all that follows in the trace happened without it. So no lane is worse off
//! for having served more. In a script the free is written down, and done there.

use super::demands::{Demand, Demands, Id, recorded_place};
use crate::log::Log;
use crate::model::{AddressSpace, Answer, Extent, Op, Owner, PurgeKind, Request, VmapArea};

/// No address.
pub const NOWHERE: u64 = u64::MAX;
/// No demand.
const NEVER: u32 = u32::MAX;

/// Whose places and whose timings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// Its own places, its own timings.
    Itself,
    /// Its own places, the trace's timings.
    Timings,
    /// The trace's places and timings.
    Records,
}

/// Where each area of a lane is.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    /// Per id: where it was placed, [`NOWHERE`] if it never was.
    pub(super) starts: Vec<u64>,
    /// Per id: the demand that placed it, plus one; 0 of what was there before the first.
    placed_at: Vec<u32>,
}

impl Places {
    /// None of so many is placed yet.
    pub(super) fn new(n_ids: usize) -> Self {
        Self { starts: vec![NOWHERE; n_ids], placed_at: vec![NEVER; n_ids] }
    }

    /// An area is placed by a demand. What was so the first time is so every time.
    pub(super) fn place(&mut self, id: Id, start: u64, demand: usize) {
        self.starts[id as usize] = start;
        self.placed_at[id as usize] = demand as u32 + 1;
    }

    /// An area is there before the first demand.
    pub(super) fn place_at_start(&mut self, id: Id, start: u64) {
        self.starts[id as usize] = start;
        self.placed_at[id as usize] = 0;
    }

    /// The address of an area that was placed before a demand. When a record comes again, what its own demands placed the
    /// first time does not count.
    fn before(&self, id: Id, demand: usize) -> Option<u64> {
        let placed_at = self.placed_at[id as usize];
        (placed_at != NEVER && placed_at as usize <= demand).then(|| self.starts[id as usize])
    }

    /// Memory held, in bytes.
    pub(super) fn heap_bytes(&self) -> u64 {
        (self.starts.capacity() * 8 + self.placed_at.capacity() * 4) as u64
    }
}

/// Whoever looks on while a lane does what is demanded.
pub(super) trait Eye {
    /// Applies an operation and takes in what it came to.
    fn apply(&mut self, space: &mut AddressSpace, op: &Op) -> Answer;

    /// A request came to nothing; `again` if that was so before its last attempt already.
    fn failed(&mut self, _id: Id) {}

    /// A request that had come to nothing has its area after all.
    fn recovered(&mut self, _id: Id) {}

    /// The trace says that there was no space, and nothing is applied.
    fn refused_by_record(&mut self) {}

    /// A demand says nothing to this lane, because of what became of an earlier one.
    fn skipped(&mut self, _demand: Demand) {}
}

/// Looks at nothing.
pub(super) struct Blind;

impl Eye for Blind {
    fn apply(&mut self, space: &mut AddressSpace, op: &Op) -> Answer {
        space.apply(op, None)
    }
}

/// What does not change while a lane runs.
#[derive(Debug)]
pub(super) struct Course<'a> {
    pub(super) log: &'a Log,
    pub(super) demands: &'a Demands,
    /// What requests ask for in this lane, by shape.
    pub(super) requests: &'a [Request],
    pub(super) follows: Follows,
    /// A refused request purges and tries once more.
    pub(super) retries: bool,
}

/// The worker of a lane that purges by its own rule.
#[derive(Debug, Clone, Default)]
pub(super) struct Worker {
    /// The record whose free queued it, while it has not run.
    queued: Option<usize>,
    /// Records at whose end it ran, ascending.
    ran: Vec<u32>,
    /// Records it has been through.
    front: usize,
}

/// What a record is applied to.
pub(super) struct On<'a, E> {
    pub(super) space: &'a mut AddressSpace,
    pub(super) places: &'a mut Places,
    pub(super) worker: &'a mut Worker,
    pub(super) eye: &'a mut E,
}

impl Course<'_> {
    /// Does what a record demands. The first time records come in order; after that any record can come again, on the
    /// state before it.
    pub(super) fn record<E: Eye>(&self, record: usize, on: &mut On<'_, E>) {
        for place in self.demands.places(record) {
            self.demand(place, self.demands.list[place], on);
        }
        if self.follows == Follows::Itself {
            self.let_work(record, on);
        }
    }

    fn demand<E: Eye>(&self, place: usize, demand: Demand, on: &mut On<'_, E>) {
        match demand {
            Demand::Ask { id, shape, waits } => self.ask(place, id, shape, waits, on),
            Demand::AskAgain { id, shape } => self.ask_again(place, id, shape, on),
            Demand::Overflow { id } => {
                if self.retries && on.places.before(id, place).is_none() {
                    self.purge(PurgeKind::Full, on);
                } else {
                    on.eye.skipped(demand);
                }
            }
            Demand::Free { id } | Demand::GiveBack { id } => self.free(place, id, demand, on),
            Demand::Gone { id } => {
                if self.follows == Follows::Itself {
                    self.free(place, id, demand, on);
                }
            }
            Demand::Chunk { id, shape } => {
                let Request { size, align, .. } = self.requests[shape as usize];
                if let Answer::Chunk(Some(extent)) = on.eye.apply(on.space, &Op::Chunk { size, align }) {
                    on.places.place(id, extent.start(), place);
                }
            }
            Demand::Chunks { id, groups } => {
                let (groups, align) = self.demands.groups[groups as usize];
                if let Answer::Chunks(extents) = on.eye.apply(on.space, &Op::Chunks { groups, align }) {
                    for (id, extent) in (id..).zip(extents) {
                        on.places.place(id, extent.start(), place);
                    }
                }
            }
            Demand::Older { id } => self.older(place, id, demand, on),
            Demand::Purge { full } => {
                self.purge(if full { PurgeKind::Full } else { PurgeKind::Partial }, on);
            }
            Demand::Worker => self.work(on),
            Demand::Part(part) => {
                if self.follows != Follows::Itself {
                    on.eye.apply(on.space, &Op::PurgePart(part));
                }
            }
            Demand::Shrink => {
                on.eye.apply(on.space, &Op::Shrink);
            }
            Demand::Reject { id } => on.eye.failed(id),
        }
    }

    fn ask<E: Eye>(&self, place: usize, id: Id, shape: u32, waits: bool, on: &mut On<'_, E>) {
        let request = self.requests[shape as usize];
        let record = self.demands.subjects[id as usize].first;
        let mut is_placed = self.attempt(place, id, &request, record, on);
        if !is_placed && self.retries && !waits {
            self.purge(PurgeKind::Full, on);
            is_placed = self.attempt(place, id, &Request { first_attempt: false, ..request }, record, on);
        }
        let goes_on = waits && self.retries;
        if !(is_placed || goes_on) {
            on.eye.failed(id);
        }
    }

    fn ask_again<E: Eye>(&self, place: usize, id: Id, shape: u32, on: &mut On<'_, E>) {
        let request = self.requests[shape as usize];
        let is_retry = !request.first_attempt;
        // A lane that has its area needs no other; one that does not try twice has been refused for good.
        if on.places.before(id, place).is_some() || (is_retry && !self.retries) {
            return on.eye.skipped(self.demands.list[place]);
        }
        let record = self.demands.subjects[id as usize].last;
        if self.attempt(place, id, &request, record, on) {
            on.eye.recovered(id);
        } else {
            on.eye.failed(id);
        }
    }

    /// One attempt; answers whether there is an area now.
    fn attempt<E: Eye>(&self, place: usize, id: Id, request: &Request, record: u32, on: &mut On<'_, E>) -> bool {
        let Some(op) = self.op_for(request, record, on.space) else {
            on.eye.refused_by_record();
            return false;
        };
        match on.eye.apply(on.space, &op) {
            Answer::Placed(extent) | Answer::Adopted { extent, .. } => {
                on.places.place(id, extent.start(), place);
                true
            }
            _ => false,
        }
    }

    /// What an attempt does: the lane's own search, or what the record says. `None` if the record says that there was no
    /// space, and the model does not see why.
    fn op_for(&self, request: &Request, record: u32, space: &AddressSpace) -> Option<Op> {
        let own = Op::Alloc { request: *request, born: record };
        if self.follows != Follows::Records || self.demands.is_script {
            let page_size = space.allocator().page_size();
            return Some(match request.check(page_size) {
                Ok(()) => own,
                Err(bad) => Op::Reject { bad },
            });
        }
        let recorded = self.log.events.get(record as usize).and_then(|event| recorded_place(&event));
        let answer = space.allocator().place(request, None).ok().map(|placement| placement.start);
        let Some(start) = recorded.filter(|_| answer != recorded) else {
            return (answer == recorded).then_some(own);
        };
        match Extent::sized(start, request.size) {
            Some(extent) if space.allocator().busy_overlapping(extent).is_empty() => {
                let n_nodes = space.allocator().n_nodes();
                let is_poolable = n_nodes > 1 && request.window == space.allocator().window();
                let owner = if is_poolable { Owner::Node(request.cpu % n_nodes) } else { Owner::Nobody };
                Some(Op::Adopt { extent, owner, born: record })
            }
            // No allocator can have given that.
            _ => Some(own),
        }
    }

    fn free<E: Eye>(&self, place: usize, id: Id, demand: Demand, on: &mut On<'_, E>) {
        let Some(addr) = on.places.before(id, place) else { return on.eye.skipped(demand) };
        let answer = on.eye.apply(on.space, &Op::Free { addr });
        let is_due = matches!(answer, Answer::Freed(freed) if freed.drain_due);
        if is_due && self.follows == Follows::Itself && on.space.allocator().drains_inline() {
            self.purge(PurgeKind::Partial, on);
        }
    }

    fn older<E: Eye>(&self, place: usize, id: Id, demand: Demand, on: &mut On<'_, E>) {
        let is_there = on.places.before(id, place).is_some();
        let Some(extent) = self.demands.older(id).filter(|_| !is_there) else { return };
        // What lies there in another lane is that lane's own doing.
        if self.follows == Follows::Itself && !on.space.allocator().busy_overlapping(extent).is_empty() {
            return on.eye.skipped(demand);
        }
        on.eye.apply(on.space, &Op::Adopt { extent, owner: Owner::Nobody, born: VmapArea::UNBORN });
        on.places.place(id, extent.start(), place);
    }

    /// A purge by whoever is not the worker. In a trace followed to the letter nobody can tell whose a purge was.
    fn purge<E: Eye>(&self, kind: PurgeKind, on: &mut On<'_, E>) {
        let unqueues = self.follows != Follows::Itself && !self.demands.is_script;
        on.eye.apply(on.space, &Op::Purge { kind, helpers: self.demands.helpers, unqueues });
    }

    /// The trace's own drain came here.
    fn work<E: Eye>(&self, on: &mut On<'_, E>) {
        let is_literal =
            self.follows != Follows::Itself && (!self.demands.is_script || on.space.allocator().drains_inline());
        if is_literal {
            self.purge(PurgeKind::Partial, on);
        } else if on.space.allocator().drain_pending() {
            on.eye.apply(on.space, &Op::Drain { helpers: self.demands.helpers });
        }
    }

    /// The lane's own worker has its chance at the end of a record.
    fn let_work<E: Eye>(&self, record: usize, on: &mut On<'_, E>) {
        let runs = if record < on.worker.front {
            on.worker.ran.binary_search(&(record as u32)).is_ok()
        } else {
            on.worker.front = record + 1;
            if !on.space.allocator().drain_pending() {
                on.worker.queued = None;
                return;
            }
            let queued = *on.worker.queued.get_or_insert(record);
            let runs = record - queued >= self.demands.delay;
            if runs {
                on.worker.queued = None;
                on.worker.ran.push(record as u32);
            }
            runs
        };
        if runs {
            on.eye.apply(on.space, &Op::Drain { helpers: self.demands.helpers });
        }
    }
}
