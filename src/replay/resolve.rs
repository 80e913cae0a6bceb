//! `Resolver`: goes through the records once, predicts every allocation, compares, adopts on a difference and goes on.
//!
//! Where a difference disappears under another timing of the neighbouring purge, that timing is taken and stays binding
//! for what follows; the set of timings is closed ([`Timing`]).

mod initial;
mod timings;

use std::collections::HashMap;

use crate::event::{Addr, Event, EventKind, Seq, TaskId};
use crate::log::{Log, Window};
use crate::model::{AddressSpace, Answer, Extent, HelperOrder, Op, Owner, PurgeKind, Request, VmapArea};

use initial::{initial_space, usable_baseline};
use timings::Case;

use super::percpu::{ChunkRules, ChunkWatch};
use super::plan::{Plan, TALLY_EVERY};
use super::{Cause, Checkpoints, Divergence, Machine, Sample, Tally, Timeline, Timing, Verdict};

/// How far before its purge record an allocation can stand that was carved after it, in records.
const MAX_AFTER_PURGE: usize = 512;

/// Where a task stands with a request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Overflow {
    /// No request failed.
    #[default]
    None,
    /// The first attempt failed: the task purges everything next.
    Purging(u64, u64, Window),
    /// It has purged: the same request comes again, without a look at the pool.
    Retrying(u64, u64, Window),
}

/// The state before the latest purge, to try an allocation there.
struct BeforePurge {
    index: usize,
    first_op: usize,
    space: AddressSpace,
}

/// The pass over the records.
pub(super) struct Resolver<'a> {
    log: &'a Log,
    machine: Machine,
    space: AddressSpace,
    checkpoints: Checkpoints,
    plan: Plan,
    tally: Tally,
    chunks: ChunkWatch,
    overflow: Vec<Overflow>,
    /// Per task of the log: its place in `overflow`. A name is a label, the pid is the task.
    slots: Vec<usize>,
    before_purge: Option<BeforePurge>,
    /// Index of a purge record whose purge was applied before its place.
    purged_early: Option<usize>,
    /// Allocations that were applied before their place, with the model's own answer in the order of the records.
    taken_early: Vec<(usize, Option<u64>)>,
    /// Bytes copied so far to try timings.
    copied_bytes: u64,
    lost: bool,
    /// The trace starts after boot and no snapshot says what was there.
    starts_unknown: bool,
    /// Rises with each exact answer, falls with each adopted one; at 0 the model has lost the thread.
    trust: u32,
}

/// As far as trust can rise.
const MAX_TRUST: u32 = 64;

impl<'a> Resolver<'a> {
    pub(super) fn new(log: &'a Log, machine: Machine) -> Self {
        let space = initial_space(log, &machine);
        let n = log.events.len();
        let plan = Plan::empty(machine, n);
        let n_tasks = log.names.tasks().len();
        let chunks = ChunkWatch::new(ChunkRules::of(log, &machine), n_tasks);
        let checkpoints = Checkpoints::new(space.clone());
        let overflow = vec![Overflow::None; n_tasks];
        let mut first_with_pid = HashMap::new();
        let tasks = log.names.tasks().iter().enumerate();
        let slots = tasks.map(|(index, task)| *first_with_pid.entry(task.pid).or_insert(index)).collect();
        Self {
            log,
            machine,
            space,
            checkpoints,
            plan,
            tally: Tally::default(),
            chunks,
            overflow,
            slots,
            before_purge: None,
            purged_early: None,
            taken_early: Vec::new(),
            copied_bytes: 0,
            lost: log.origin.overwritten > 0,
            starts_unknown: !machine.from_boot && usable_baseline(log).is_none(),
            trust: MAX_TRUST,
        }
    }

    pub(super) fn run(mut self) -> (Plan, Checkpoints) {
        let n = self.log.events.len();
        let stride = n.div_ceil(Timeline::MAX_SAMPLES).max(1);
        for index in 0..n {
            if index % TALLY_EVERY == 0 {
                self.plan.tallies.push(self.tally);
            }
            if index % stride == 0 {
                self.sample(index);
            }
            let event = self.log.events[index];
            self.resolve(index, &event);
            self.plan.upto.push(self.plan.ops.len() as u32);
            self.tally.count(self.plan.verdicts[index]);
            self.checkpoints.offer(index + 1, &self.space);
        }
        self.sample(n);
        (self.plan, self.checkpoints)
    }

    /// How well the machine's rules explain the first records: exact addresses, then counters that agree.
    pub(super) fn score(mut self, n_records: usize) -> (u64, std::cmp::Reverse<u64>) {
        for index in 0..self.log.events.len().min(n_records) {
            let event = self.log.events[index];
            self.resolve(index, &event);
            self.plan.upto.push(self.plan.ops.len() as u32);
            self.tally.count(self.plan.verdicts[index]);
        }
        let checks = self.plan.checks;
        (self.tally.exact, std::cmp::Reverse(checks.num_purged_differs + checks.nr_lazy_differs))
    }

    fn sample(&mut self, at: usize) {
        self.plan.timeline.samples.push(Sample::of(at, self.space.allocator()));
    }

    fn resolve(&mut self, index: usize, event: &Event) {
        let seq = index as u32;
        match event.kind {
            EventKind::Alloc { failed, .. } => {
                if failed {
                    self.plan.timeline.failures.push(seq);
                }
                self.alloc(index, event);
                if let Some((size, align)) = self.chunks.announced_by(event) {
                    self.apply(Op::Chunk { size, align });
                }
            }
            EventKind::Free { addr, nr_lazy, .. } => self.free(index, addr, nr_lazy),
            EventKind::Purge { num_purged, .. } => self.purge(index, event, num_purged),
            EventKind::Lost { .. } => {
                self.lost = true;
                self.plan.timeline.lost.push(seq);
            }
            EventKind::Mark { .. } => self.plan.timeline.marks.push(seq),
            EventKind::Other { .. } | EventKind::Script(_) => {}
        }
    }

    fn apply(&mut self, op: Op) -> Answer {
        self.plan.ops.push(op);
        self.space.apply(&op, None)
    }

    fn alloc(&mut self, index: usize, event: &Event) {
        let EventKind::Alloc { addr, size, align, window, failed } = event.kind else { return };
        let window = self.log.names.window(window);
        let first_attempt = self.note_attempt(event, failed, window);
        let request = Request { size, align, window, cpu: u32::from(event.cpu), first_attempt };
        let recorded = (!failed).then_some(addr.0);
        if let Some(place) = self.taken_early.iter().position(|&(early, _)| early == index) {
            let (_, own) = self.taken_early.swap_remove(place);
            return self.diverge(index, own, recorded, Verdict::Inferred(Timing::Exchanged));
        }
        if request.check(self.machine.page_size).is_err() {
            return self.settle_adopted(index, &request, None, recorded, Cause::Unexplained);
        }
        let answer = self.space.allocator().place(&request, None);
        let model = answer.ok().map(|placement| placement.start);
        let born = index as u32;
        if model == recorded {
            self.plan.verdicts[index] = Verdict::Exact;
            self.trust = MAX_TRUST.min(self.trust + 1);
            self.plan.ops.push(Op::Alloc { request, born });
            self.space.settle(&request, answer, born, None);
            return;
        }
        if let Some(timing) = self.try_timings(&Case { index, event, request: &request, recorded }) {
            return self.diverge(index, model, recorded, Verdict::Inferred(timing));
        }
        let cause = self.cause_of(index, &request, model, recorded);
        self.settle_adopted(index, &request, model, recorded, cause);
    }

    /// Keeps track of failing requests; answers whether this is a first attempt.
    fn note_attempt(&mut self, event: &Event, failed: bool, window: Window) -> bool {
        let EventKind::Alloc { size, align, .. } = event.kind else { return true };
        let slot = self.slot_of(event.task);
        let Some(overflow) = self.overflow.get_mut(slot) else { return true };
        let retry = *overflow == Overflow::Retrying(size, align, window);
        // A second failure ends the request; any purge of the task after it is an ordinary one.
        *overflow = if failed && !retry { Overflow::Purging(size, align, window) } else { Overflow::None };
        !retry
    }

    fn free(&mut self, index: usize, addr: Addr, nr_lazy: u64) {
        match self.apply(Op::Free { addr: addr.0 }) {
            Answer::Freed(freed) => {
                if freed.born != VmapArea::UNBORN {
                    self.plan.mates[index] = freed.born;
                    self.plan.mates[freed.born as usize] = index as u32;
                }
                self.plan.checks.nr_lazy_differs += u64::from(freed.nr_lazy != nr_lazy);
            }
            _ => self.plan.checks.unknown_frees += 1,
        }
    }

    fn purge(&mut self, index: usize, event: &Event, num_purged: u32) {
        if num_purged > 0 {
            self.plan.timeline.purges.push(index as u32);
        }
        let kind = self.purge_kind(event);
        if self.purged_early == Some(index) {
            self.purged_early = None;
            return;
        }
        // Nothing comes back from an idle purge that could have been taken before it.
        if num_purged > 0 && self.can_be_exchanged() {
            let first_op = self.plan.ops.len();
            self.before_purge = Some(BeforePurge { index, first_op, space: self.space.clone() });
        }
        if let Answer::Purged(purged) = self.apply(purge_op(kind)) {
            self.plan.checks.num_purged_differs += u64::from(purged.num_purged != num_purged);
        }
    }

    fn slot_of(&self, task: TaskId) -> usize {
        self.slots.get(task.0 as usize).copied().unwrap_or(usize::MAX)
    }

    fn purge_kind(&mut self, event: &Event) -> PurgeKind {
        let slot = self.slot_of(event.task);
        match self.overflow.get_mut(slot) {
            Some(overflow) => match *overflow {
                Overflow::Purging(size, align, window) => {
                    *overflow = Overflow::Retrying(size, align, window);
                    PurgeKind::Full
                }
                _ => PurgeKind::Partial,
            },
            None => PurgeKind::Partial,
        }
    }

    /// Can a record stand on the wrong side of a purge record at all?
    fn can_be_exchanged(&self) -> bool {
        self.machine.policy.rules.reschedules_before_record || self.machine.cpus_online > 1
    }

    fn settle_adopted(
        &mut self,
        index: usize,
        request: &Request,
        model: Option<u64>,
        recorded: Option<u64>,
        cause: Cause,
    ) {
        self.diverge(index, model, recorded, Verdict::Adopted(cause));
        self.trust = self.trust.saturating_sub(1);
        let Some(extent) = recorded.and_then(|start| Extent::sized(start, request.size)) else { return };
        let n_nodes = self.space.allocator().n_nodes();
        let poolable = n_nodes > 1 && request.window == self.machine.window;
        let owner = if poolable { Owner::Node(request.cpu % n_nodes) } else { Owner::Nobody };
        if let Answer::Adopted { displaced, .. } = self.apply(Op::Adopt { extent, owner, born: index as u32 }) {
            self.plan.checks.displaced += u64::from(displaced);
        }
    }

    fn diverge(&mut self, index: usize, model: Option<u64>, recorded: Option<u64>, verdict: Verdict) {
        let seq = Seq(index as u32);
        self.plan.verdicts[index] = verdict;
        self.plan.timeline.divergences.push(seq.0);
        let divergence = Divergence { seq, model: model.map(Addr), recorded: recorded.map(Addr), verdict };
        self.plan.divergences.push(divergence);
    }

    /// The fact that is missing, the most telling first.
    fn cause_of(&self, index: usize, request: &Request, model: Option<u64>, recorded: Option<u64>) -> Cause {
        if self.lost {
            return Cause::LostRecords;
        }
        if self.starts_unknown {
            return Cause::UnknownState;
        }
        let Some(start) = recorded else { return Cause::RecordedFailure };
        if self.purge_runs_elsewhere(index) {
            return Cause::ConcurrentPurge;
        }
        if Extent::sized(start, request.size).is_some_and(|extent| self.overlaps_busy(extent)) {
            return Cause::OverlapsLive;
        }
        if self.tally.adopted > 0 {
            return Cause::AfterDivergence;
        }
        if model.is_none() {
            return Cause::ModelFailed;
        }
        if !self.machine.from_boot && request.align > self.machine.page_size {
            return Cause::UnknownShape;
        }
        Cause::Unexplained
    }

    /// Can a purge be running on another CPU at this record? It ends at the next purge record, and began after its
    /// task's record before that.
    fn purge_runs_elsewhere(&self, index: usize) -> bool {
        let ahead = &self.log.events[index..self.log.events.len().min(index + MAX_AFTER_PURGE)];
        let next = ahead.iter().position(|later| matches!(later.kind, EventKind::Purge { .. }));
        next.is_some_and(|next| {
            let purge = ahead[next];
            let returns = matches!(purge.kind, EventKind::Purge { num_purged, .. } if num_purged > 0);
            returns && purge.cpu != ahead[0].cpu && !ahead[..next].iter().any(|between| between.task == purge.task)
        })
    }

    fn overlaps_busy(&self, extent: Extent) -> bool {
        let last = extent.end() - 1;
        [extent.start(), last]
            .into_iter()
            .any(|addr| matches!(self.space.allocator().lookup(addr), crate::model::Place::Busy { .. }))
    }
}

/// Whoever purged: the work that a free had queued finds nothing more to do.
fn purge_op(kind: PurgeKind) -> Op {
    Op::Purge { kind, helpers: HelperOrder::default(), unqueues: true }
}

fn placed(answer: &Answer) -> Option<u64> {
    match answer {
        Answer::Placed(extent) => Some(extent.start()),
        _ => None,
    }
}

fn recorded_of(event: &Event) -> Option<u64> {
    match event.kind {
        EventKind::Alloc { addr, failed: false, .. } => Some(addr.0),
        _ => None,
    }
}
