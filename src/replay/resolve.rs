//! `Resolver`: goes through the records once, predicts every allocation, compares, adopts on a difference and goes on.
//!
//! Where a difference disappears under another timing of the neighbouring purge, that timing is taken and stays binding
//! for what follows; the set of timings is closed ([`Timing`]).

mod adopt;
mod copies;
mod decided;
mod deciding;
mod early;
mod initial;
mod older;
mod parts;
mod probes;
mod shadow;
mod shapes;
mod timings;
mod unseen;

use std::cell::Cell;
use std::collections::HashMap;

use crate::event::{Event, EventKind, Seq, TaskId};
use crate::log::{Log, Window};
use crate::model::{AddressSpace, Answer, Op, PurgeKind, Request};

use adopt::Difference;
use copies::BeforePurge;
pub(super) use initial::first_record;
use initial::{initial_space, usable_baseline};
use older::Older;
use parts::Parts;
use shadow::{Shadow, StandIn};
use shapes::Shapes;
use timings::Case;
use unseen::Unseen;

use crate::policy::Shape;

use super::checkpoints::BUDGET_BYTES;
use super::overflow::{Overflow, task_slots};
use super::percpu::{ChunkRules, ChunkWatch};
use super::plan::{Plan, TALLY_EVERY, purge_op};
use super::timeline::values_of;
use super::{Cause, Checkpoints, Divergence, Machine, Probe, Tally, Timing, Verdict};

/// How far before its purge record an allocation can stand that was carved after it, in records.
const MAX_AFTER_PURGE: usize = 512;

/// The records that have been looked through for the end of a purge.
#[derive(Debug, Clone, Copy, Default)]
struct Ahead {
    from: usize,
    to: usize,
    /// The only end of a purge among them: their last record.
    found: Option<usize>,
}

/// The pass over the records.
pub(super) struct Resolver<'a> {
    log: &'a Log,
    machine: Machine,
    space: AddressSpace,
    checkpoints: Checkpoints,
    plan: Plan,
    /// Operations of the present record so far.
    now: Vec<Op>,
    tally: Tally,
    chunks: ChunkWatch,
    overflow: Vec<Overflow>,
    /// Per task of the log: its place in `overflow`. A name is a label, the pid is the task.
    slots: Vec<usize>,
    before_purge: Option<BeforePurge>,
    /// States nobody needs any more: a copy into one of them costs what differs.
    spares: Vec<AddressSpace>,
    /// Index of a purge record whose purge was applied before its place.
    purged_early: Option<usize>,
    /// Allocations that were applied before their place, with the model's own answer in the order of the records.
    taken_early: Vec<(usize, Option<u64>)>,
    /// Where the next purge ends: many records have the same answer.
    ahead: Cell<Ahead>,
    /// Bytes copied so far to try timings.
    copied_bytes: u64,
    lost: bool,
    /// What probes show of the parts of purges.
    parts: Parts,
    /// What the trace leaves out altogether.
    unseen: Unseen,
    /// What is known of areas that are older than the trace.
    older: Older,
    /// Other ways to go on after allocations that nothing explains, by the records where they part.
    shadows: Vec<Shadow>,
    /// The other shapes the free tree may have had at the start.
    shapes: Shapes,
    /// The latest request.
    last_request: Option<Request>,
    /// The present record was applied before its place.
    was_taken_early: bool,
    /// Recorded addresses that were not believed, with the area that stands for each.
    stand_ins: HashMap<u64, StandIn>,
    /// Stretches of records that were resolved again later: after the first, up to the second.
    rewritten: Vec<(usize, usize)>,
    /// Records and holes looked at to explain what was adopted.
    looked_at: u64,
    /// Records before this one are in the snapshot already.
    first: usize,
    /// Rises with each exact answer, falls with each adopted one; at 0 the model has lost the thread.
    trust: u32,
}

/// As far as trust can rise.
const MAX_TRUST: u32 = 64;

impl<'a> Resolver<'a> {
    pub(super) fn new(log: &'a Log, machine: Machine) -> Self {
        let space = initial_space(log, &machine, Shape::default());
        let n = log.events.len();
        let plan = Plan::empty(machine, space.allocator().n_nodes(), n);
        let n_tasks = log.names.tasks().len();
        let chunks = ChunkWatch::new(ChunkRules::of(log, &machine), n_tasks);
        let checkpoints = Checkpoints::new(space.clone(), BUDGET_BYTES, log.events.len());
        let overflow = vec![Overflow::None; n_tasks];
        Self {
            log,
            machine,
            space,
            checkpoints,
            plan,
            now: Vec::new(),
            tally: Tally::default(),
            chunks,
            overflow,
            slots: task_slots(log),
            before_purge: None,
            spares: Vec::new(),
            purged_early: None,
            taken_early: Vec::new(),
            ahead: Cell::default(),
            copied_bytes: 0,
            lost: log.origin.overwritten > 0,
            parts: Parts::default(),
            unseen: Unseen::of(log),
            older: Older::at_start(log, &machine),
            shadows: Vec::new(),
            shapes: Shapes::at_start(log, &machine),
            last_request: None,
            was_taken_early: false,
            stand_ins: HashMap::new(),
            rewritten: Vec::new(),
            looked_at: 0,
            first: first_record(log, &machine),
            trust: MAX_TRUST,
        }
    }

    /// Goes through the records, and says how far it is now and then. Checkpoints may hold `checkpoint_bytes`.
    pub(super) fn run(mut self, checkpoint_bytes: u64, progress: impl Fn(usize)) -> (Plan, Checkpoints) {
        let n = self.log.events.len();
        self.checkpoints.set_budget(checkpoint_bytes);
        for index in 0..n {
            if index % TALLY_EVERY == 0 {
                self.plan.tallies.push(self.tally);
                progress(index);
            }
            self.sample();
            self.take(index);
            self.checkpoints.offer(index + 1, &mut self.space);
        }
        self.sample();
        self.sample_again();
        (self.plan, self.checkpoints)
    }

    /// States taken in before their records were resolved another way.
    fn sample_again(&mut self) {
        let metrics = &mut self.plan.timeline.metrics;
        metrics.finish();
        let rewritten = std::mem::take(&mut self.rewritten);
        let stale = metrics.whole_buckets(rewritten.into_iter().map(|(from, to)| from + 1..to + 1));
        for states in stale {
            let mut space = self.checkpoints.start().clone();
            let kept_at = self.checkpoints.restore(states.start, &mut space);
            for at in kept_at..states.end {
                if states.start <= at {
                    self.plan.timeline.metrics.again(at, &values_of(&space));
                }
                for op in self.plan.ops_of(self.log, at) {
                    space.apply(&op, None);
                }
            }
        }
        self.plan.timeline.metrics.finish();
    }

    /// How well the machine's rules explain the first records: exact addresses, then counters that agree.
    pub(super) fn score(mut self, n_records: usize) -> (u64, std::cmp::Reverse<u64>) {
        // Every release is scored with the same tree: other shapes take longer than they tell.
        self.shapes.forget();
        for index in 0..self.log.events.len().min(n_records) {
            self.take(index);
        }
        let checks = self.plan.checks;
        (self.tally.exact, std::cmp::Reverse(checks.num_purged_differs + checks.nr_lazy_differs))
    }

    fn take(&mut self, index: usize) {
        let event = self.log.events.nth(index);
        self.resolve(index, &event);
        self.plan.ops.push(self.log, &self.now);
        self.tally.count(self.plan.verdicts[index]);
        self.follow_shadows(index, &event);
        let mut done = std::mem::take(&mut self.now);
        self.follow_shapes(index, &event, &done);
        done.clear();
        self.now = done;
    }

    fn sample(&mut self) {
        self.plan.timeline.metrics.push(&values_of(&self.space));
    }

    fn resolve(&mut self, index: usize, event: &Event) {
        let seq = index as u32;
        let is_remark =
            matches!(event.kind, EventKind::Mark { .. } | EventKind::Lost { .. } | EventKind::Report { .. });
        if index < self.first && !is_remark {
            return;
        }
        match event.kind {
            EventKind::Alloc { failed, .. } => {
                if failed {
                    self.plan.timeline.failures.push(seq);
                }
                self.alloc(index, event);
                if let Some((size, align)) = self.chunks.announced_by(event)
                    && let Answer::Chunk(Some(extent)) = self.apply(Op::Chunk { size, align })
                {
                    self.plan.chunks.push(extent);
                }
            }
            EventKind::Free { addr, nr_lazy, .. } => self.free(index, addr, nr_lazy),
            EventKind::Purge { num_purged, .. } => self.purge(index, event, num_purged),
            EventKind::Lost { .. } => {
                self.lost = true;
                self.plan.timeline.lost.push(seq);
            }
            EventKind::Mark { .. } => self.plan.timeline.marks.push(seq),
            EventKind::Report { .. } => self.plan.timeline.reports.push(seq),
            EventKind::Other { .. } | EventKind::Script(_) => {}
            _ => self.probed(index, event),
        }
    }

    fn apply(&mut self, op: Op) -> Answer {
        self.now.push(op);
        self.space.apply(&op, None)
    }

    fn alloc(&mut self, index: usize, event: &Event) {
        let EventKind::Alloc { addr, size, align, window, failed } = event.kind else { return };
        let window = self.log.names.window(window);
        self.purge_before_retry(event, window);
        let first_attempt = self.note_attempt(event, failed, window);
        let request = Request { size, align, window, cpu: event.assumed_cpu(), first_attempt };
        self.last_request = Some(request);
        let recorded = (!failed).then_some(addr.0);
        self.older.note_use(recorded, size);
        if let Some(place) = self.taken_early.iter().position(|&(early, _)| early == index) {
            let (_, own) = self.taken_early.swap_remove(place);
            self.was_taken_early = true;
            return self.diverge(index, own, recorded, Verdict::Inferred(Timing::Exchanged));
        }
        if request.check(self.machine.page_size).is_err() {
            return self.settle_adopted(index, &request, Difference { model: None, recorded });
        }
        self.ask_shapes(&request);
        let answer = self.space.allocator().place(&request, None);
        let model = answer.ok().map(|placement| placement.start);
        let born = index as u32;
        if model == recorded {
            self.plan.verdicts[index] = Verdict::Exact;
            self.trust = MAX_TRUST.min(self.trust + 1);
            self.now.push(Op::Alloc { request, born });
            self.space.settle(&request, answer, born, None);
            return;
        }
        if let Some(timing) = self.try_timings(&Case { index, event, request: &request, recorded }) {
            return self.diverge(index, model, recorded, Verdict::Inferred(timing));
        }
        self.settle_adopted(index, &request, Difference { model, recorded });
    }

    /// Keeps track of failing requests; answers whether this is a first attempt.
    fn note_attempt(&mut self, event: &Event, failed: bool, window: Window) -> bool {
        let EventKind::Alloc { size, align, .. } = event.kind else { return true };
        let slot = self.slot_of(event.task);
        let Some(overflow) = self.overflow.get_mut(slot) else { return true };
        overflow.attempt((size, align, window), failed)
    }

    fn purge(&mut self, index: usize, event: &Event, num_purged: u32) {
        if num_purged > 0 {
            self.plan.timeline.purges.push(index as u32);
        }
        let kind = self.purge_kind(event);
        self.older.counter_fell();
        self.end_part();
        if self.purged_early == Some(index) {
            self.purged_early = None;
            self.was_taken_early = true;
            return;
        }
        // Nothing comes back from an idle purge that could have been taken before it.
        if num_purged > 0 && !self.parts.seen && self.can_be_exchanged() {
            self.remember_before(index);
        }
        if let Answer::Purged(purged) = self.apply(purge_op(kind)) {
            self.plan.checks.num_purged_differs += u64::from(purged.num_purged != num_purged);
        }
    }

    /// The next end of a purge, from a record on, among those an allocation can have been carved after.
    fn purge_ahead(&self, index: usize) -> Option<usize> {
        let mut ahead = self.ahead.get();
        if !(ahead.from..=ahead.to).contains(&index) || ahead.found.is_some_and(|found| found < index) {
            ahead = Ahead { from: index, to: index, found: None };
        }
        let end = self.log.events.len().min(index + MAX_AFTER_PURGE);
        while ahead.found.is_none() && ahead.to < end {
            ahead.found = self.log.events.nth(ahead.to).kind.ends_purge().then_some(ahead.to);
            ahead.to += 1;
        }
        self.ahead.set(ahead);
        ahead.found.filter(|&found| found < end)
    }

    fn slot_of(&self, task: TaskId) -> usize {
        self.slots.get(task.0 as usize).copied().unwrap_or(usize::MAX)
    }

    fn purge_kind(&mut self, event: &Event) -> PurgeKind {
        let slot = self.slot_of(event.task);
        self.overflow.get_mut(slot).map_or(PurgeKind::Partial, Overflow::purge)
    }

    /// Can a record stand on the wrong side of a purge record at all?
    fn can_be_exchanged(&self) -> bool {
        self.machine.policy.rules.reschedules_before_record || self.machine.cpus_online > 1
    }

    /// Takes down what was not exact; the state is the one before the record, or nothing adopted depends on it.
    fn diverge(&mut self, index: usize, model: Option<u64>, recorded: Option<u64>, verdict: Verdict) {
        let probe = self.probe_for(index, Difference { model, recorded }, verdict);
        self.take_down(index, Difference { model, recorded }, verdict, probe);
    }

    fn take_down(&mut self, index: usize, difference: Difference, verdict: Verdict, probe: Option<Probe>) {
        let seq = Seq(index as u32);
        self.plan.verdicts[index] = verdict;
        self.plan.timeline.divergences.push(seq.0);
        self.plan.divergences.push(Divergence::new(seq, (difference.model, difference.recorded), verdict, probe));
    }
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
