//! A trace of several CPUs, once a beam of states has decided what each record did.

use std::collections::HashSet;

use crate::event::{Event, EventKind};
use crate::log::Log;
use crate::model::{AddressSpace, Answer, Extent, Op, Place, Request, VmapArea};
use crate::policy::rules::{FreeSpace, LazyStore};

use super::super::Machine;
use super::super::beam::{self, Ask, Asked, Decided, Missed, Tag};
use super::super::plan::{NO_MATE, TALLY_EVERY};
use super::adopt::Difference;
use super::initial::{has_unknown_shape, initial_space};
use super::shapes::other_shapes;
use super::{Cause, Checkpoints, Plan, Resolver, Timing, Verdict, placed, recorded_of};

/// Records behind one that can have been taken before it.
const AHEAD: usize = 512;
/// Shapes of a free tree of a few holes that are followed where no file shows it; with more holes fewer.
const MAX_SHAPES: usize = 63;
const FEW_HOLES: usize = 256;

/// Where what was decided does not come out in the full model.
#[derive(Debug, Default)]
struct Contradicted {
    /// Allocations with another answer.
    allocs: HashSet<u32>,
    /// The first free that cannot have been what was decided.
    free: Option<u32>,
}

impl Resolver<'_> {
    /// Does the trace leave so much open that several states have to be followed? With one CPU, or where probes show how
    /// far a purge has got with its nodes, one is enough; where the state at the start is not known, there is nothing to
    /// tell them by.
    pub(in super::super) fn needs_beam(&self) -> bool {
        let Self { log, machine, .. } = self;
        let rules = machine.policy.rules;
        machine.cpus_online > 1
            && rules.free_space == FreeSpace::FreeTree
            && !machine.has_foreign_rules(log)
            && !self.lost
            && self.older.hidden().is_none()
            && told_by(log).is_some_and(|told_by| match told_by {
                ToldBy::Events => matches!(rules.lazy, LazyStore::PerNode | LazyStore::MergingTree),
                ToldBy::Probes => matches!(rules.lazy, LazyStore::Stack | LazyStore::MergingTree),
            })
    }

    /// Goes through the records as a beam decides them. `None` if nothing can be made of them that way.
    pub(in super::super) fn decide(&self, progress: impl Fn(usize)) -> Option<beam::Decisions> {
        let Self { log, machine, .. } = self;
        let n_holes = (self.space.allocator().n_holes() as usize).max(FEW_HOLES);
        let n = if has_unknown_shape(log, machine) { MAX_SHAPES * FEW_HOLES / n_holes } else { 0 };
        let others = other_shapes().take(n).map(|shape| initial_space(log, machine, shape));
        beam::decide(log, machine, &self.space, others, progress)
    }

    /// The machine it is resolved for.
    pub(in super::super) fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The state before the next record.
    pub(in super::super) fn space(&self) -> &AddressSpace {
        &self.space
    }

    /// Goes through the records as was decided. Besides: the first free that cannot have been what was decided.
    pub(in super::super) fn run_decided(
        mut self,
        decisions: beam::Decisions,
        checkpoint_bytes: u64,
    ) -> ((Plan, Checkpoints), Option<u32>) {
        let asked = Asked::read(self.log, &self.machine, &self.space);
        self.checkpoints.set_budget(checkpoint_bytes);
        self.shapes.forget();
        if let Some(shape) = decisions.start.checked_sub(1).and_then(|other| other_shapes().nth(other)) {
            self.space = initial_space(self.log, &self.machine, shape);
            self.checkpoints.begin_anew(self.space.clone());
        }
        let mut decided = decisions.decided.into_iter().peekable();
        // Where records contradict each other, what was decided need not come out.
        let mut contradicted = Contradicted::default();
        let mut all_missed = decisions.missed.into_iter().peekable();
        for index in 0..self.log.events.len() {
            if index.is_multiple_of(TALLY_EVERY) {
                self.plan.tallies.push(self.tally);
            }
            self.sample();
            let is_here = |at: u32| at as usize == index;
            let done = decided.next_if(|decided| is_here(decided.index));
            let missed = all_missed.next_if(|missed| is_here(missed.index));
            self.take_decided((index, &asked), (done.as_ref(), missed), decisions.start, &mut contradicted);
            self.checkpoints.offer(index + 1, &mut self.space);
        }
        self.sample();
        self.plan.timeline.metrics.finish();
        ((self.plan, self.checkpoints), contradicted.free)
    }

    fn take_decided(
        &mut self,
        (index, asked): (usize, &Asked<'_>),
        (done, mut missed): (Option<&Decided>, Option<Missed>),
        start_shape: usize,
        contradicted: &mut Contradicted,
    ) {
        let event = self.log.events.nth(index);
        let seq = index as u32;
        let timeline = &mut self.plan.timeline;
        match event.kind {
            EventKind::Alloc { failed: true, .. } => timeline.failures.push(seq),
            EventKind::Purge { num_purged, .. } if num_purged > 0 => timeline.purges.push(seq),
            EventKind::Mark { .. } => timeline.marks.push(seq),
            EventKind::Report { .. } => timeline.reports.push(seq),
            EventKind::Lost { .. } => timeline.lost.push(seq),
            _ => {}
        }
        let tag = done.map_or(Tag::Plain, |done| done.tag);
        let recorded = recorded_of(&event);
        let ops = done.map_or(&[][..], |done| &done.ops);
        if missed.is_none() && (tag != Tag::Plain || ops.len() != 1) {
            missed = self.misses((index, asked), recorded, start_shape);
        }
        let own = missed.and_then(|missed| missed.own);
        let because = (tag == Tag::Believed).then(|| {
            let size = if let EventKind::Alloc { size, .. } = event.kind { size } else { 0 };
            self.believed_because(index, own, recorded.and_then(|start| Extent::sized(start, size)))
        });
        let difference = Difference { model: if missed.is_some() { own } else { recorded }, recorded };
        // What lies where shows before anything is done.
        let by_place = match (event.kind, missed, tag) {
            (EventKind::Alloc { .. }, None, Tag::Plain) => None,
            (EventKind::Alloc { .. }, ..) => {
                self.probe_for(index, difference, Verdict::Adopted(because.unwrap_or(Cause::Unexplained)))
            }
            _ => None,
        };
        let mut has_freed = false;
        if let EventKind::Free { addr, nr_lazy, .. } = event.kind
            && !self.can_be_freed(addr.0, nr_lazy, done)
        {
            contradicted.free.get_or_insert(seq);
        }
        let mut came_back = 0;
        for op in ops {
            let answer = self.apply(*op);
            has_freed |= matches!(answer, Answer::Freed(_));
            came_back += if let Answer::Purged(purged) = answer { purged.num_purged } else { 0 };
            self.note_decided(index, &event, (op, tag), &answer, contradicted);
        }
        if matches!(event.kind, EventKind::Free { .. }) && self.first <= index {
            let is_known = has_freed || self.plan.mates[index] != NO_MATE;
            self.plan.checks.unknown_frees += u64::from(!is_known);
        }
        if matches!(event.kind, EventKind::PurgeReturn { .. }) && came_back > 0 {
            self.plan.timeline.purges.push(seq);
        }
        if matches!(event.kind, EventKind::Alloc { .. }) && self.first <= index {
            let verdict = match (tag, missed) {
                (Tag::Believed, _) => Verdict::Adopted(because.unwrap_or(Cause::Unexplained)),
                // The full model gives the recorded address all the same.
                (Tag::Disbelieved, _) if contradicted.allocs.remove(&seq) => Verdict::Adopted(Cause::AfterDivergence),
                (Tag::Disbelieved, _) => Verdict::Adopted(Cause::Impossible),
                _ if contradicted.allocs.remove(&seq) => Verdict::Adopted(Cause::Impossible),
                (Tag::OtherShape, _) => Verdict::Adopted(Cause::UnknownShape),
                // At that time the free tree was believed to have another shape.
                (Tag::Plain, Some(Missed { start, .. })) if start != start_shape && self.shape_decides_at(&event) => {
                    Verdict::Adopted(Cause::UnknownShape)
                }
                (_, None) => Verdict::Exact,
                (Tag::Plain | Tag::Advanced, Some(_)) => Verdict::Inferred(Timing::AfterPurge),
                (Tag::Exchanged, Some(_)) => Verdict::Inferred(Timing::Exchanged),
                (Tag::OtherNode, Some(_)) => Verdict::Inferred(Timing::OtherNode),
                (Tag::PoolMissed, Some(_)) => Verdict::Inferred(Timing::PoolMissed),
            };
            if verdict == Verdict::Exact {
                self.plan.verdicts[index] = verdict;
            } else {
                let probe = match verdict {
                    Verdict::Adopted(Cause::AfterDivergence | Cause::Unexplained) => by_place,
                    _ => self.probe_for(index, difference, verdict),
                };
                self.take_down(index, difference, verdict, probe);
            }
        }
        self.plan.ops.push(self.log, &self.now);
        self.now.clear();
        self.tally.count(self.plan.verdicts[index]);
    }

    /// Would an allocation have been placed elsewhere without what is assumed at it? Only what needs nothing is exact.
    fn misses(&self, (index, asked): (usize, &Asked<'_>), recorded: Option<u64>, start: usize) -> Option<Missed> {
        let Ask::Alloc { request, .. } = asked.at(index as u32).ask else { return None };
        let is_valid = request.check(self.machine.page_size).is_ok();
        let answer = is_valid.then(|| self.space.allocator().place(&request, None).ok()).flatten();
        let own = answer.map(|placement| placement.start);
        (own != recorded).then_some(Missed { index: index as u32, own, start })
    }

    /// Is a free that nothing was decided about one of no area, and one of an unknown area one where none is, with the
    /// pages that the counter tells?
    fn can_be_freed(&self, addr: u64, nr_lazy: u64, done: Option<&Decided>) -> bool {
        let allocator = self.space.allocator();
        let Some(done) = done else {
            let Place::Busy { area, .. } = allocator.lookup(addr) else { return true };
            return allocator.areas()[area].start != addr;
        };
        done.ops.iter().all(|op| match *op {
            Op::Adopt { extent, .. } => {
                let pages = extent.len_bytes() / self.machine.page_size;
                nr_lazy.checked_sub(pages) == Some(allocator.lazy_pages())
                    && allocator.busy_overlapping(extent).is_empty()
            }
            _ => true,
        })
    }

    fn shape_decides_at(&self, event: &Event) -> bool {
        let EventKind::Alloc { size, align, window, .. } = event.kind else { return false };
        let window = self.log.names.window(window);
        self.shape_decides(&Request { size, align, window, cpu: 0, first_attempt: true })
    }

    /// What an operation came to, held against its record.
    fn note_decided(
        &mut self,
        index: usize,
        event: &Event,
        (op, tag): (&Op, Tag),
        answer: &Answer,
        contradicted: &mut Contradicted,
    ) {
        let checks = &mut self.plan.checks;
        match (op, answer, event.kind) {
            (Op::Free { addr }, Answer::Freed(freed), kind) => {
                let own = is_free_of(kind, *addr);
                if let EventKind::Free { nr_lazy, .. } = kind
                    && own
                {
                    checks.nr_lazy_differs += u64::from(freed.nr_lazy != nr_lazy);
                }
                let record = if own { Some(index) } else { self.free_elsewhere(index, *addr) };
                if let Some(record) = record.filter(|_| freed.born != VmapArea::UNBORN) {
                    self.plan.mates[record] = freed.born;
                    self.plan.mates[freed.born as usize] = record as u32;
                }
            }
            (Op::Alloc { born, .. }, answer, _) => {
                let comes_out = placed(answer) == recorded_of(&self.log.events.nth(*born as usize));
                let is_disbelieved = tag == Tag::Disbelieved && *born as usize == index;
                if comes_out == is_disbelieved {
                    contradicted.allocs.insert(*born);
                }
            }
            (Op::Chunk { .. }, Answer::Chunk(Some(extent)), _) => self.plan.chunks.push(*extent),
            (Op::Adopt { born, .. }, Answer::Adopted { displaced, .. }, _) => {
                checks.displaced += u64::from(*displaced);
                checks.older_areas += u64::from(*born == VmapArea::UNBORN);
                // A probe shows how long an area is that nobody knew of.
                checks.unknown_frees += u64::from(matches!(event.kind, EventKind::FreeProbe { .. }));
            }
            (Op::Purge { .. }, Answer::Purged(purged), EventKind::Purge { num_purged, .. }) => {
                checks.num_purged_differs += u64::from(purged.num_purged != num_purged);
            }
            (Op::Purge { .. }, Answer::Purged(purged), EventKind::PurgeReturn { purged: Some(found) }) => {
                checks.num_purged_differs += u64::from((purged.num_purged > 0) != found);
            }
            _ => {}
        }
    }

    /// The record of a free that was taken before it, or, where it shows the beginning, after it.
    fn free_elsewhere(&self, index: usize, addr: u64) -> Option<usize> {
        let mut ahead = self.log.events.range(index + 1..).take(AHEAD).zip(index + 1..);
        let later =
            ahead.find(|(event, _)| matches!(event.kind, EventKind::Free { .. }) && is_free_of(event.kind, addr));
        let begins = |at: &usize| {
            let kind = self.log.events.nth(*at).kind;
            matches!(kind, EventKind::FreeProbe { .. }) && is_free_of(kind, addr)
        };
        later.map(|(_, at)| at).or_else(|| (index.saturating_sub(AHEAD)..index).rev().find(begins))
    }

    fn believed_because(&self, index: usize, own: Option<u64>, recorded: Option<Extent>) -> Cause {
        let Some(extent) = recorded else { return Cause::RecordedFailure };
        if self.purge_runs_elsewhere(index) {
            Cause::ConcurrentPurge
        } else if self.overlaps_busy(extent) {
            Cause::OverlapsLive
        } else if own.is_none() {
            Cause::ModelFailed
        } else if self.tally.adopted > 0 {
            Cause::AfterDivergence
        } else {
            Cause::Unexplained
        }
    }
}

fn is_free_of(kind: EventKind, addr: u64) -> bool {
    matches!(kind, EventKind::Free { addr: of, .. } | EventKind::FreeProbe { addr: of, .. } if of.0 == addr)
}

/// What wrote the records of the allocator.
enum ToldBy {
    /// Its trace events.
    Events,
    /// Probes at the beginning and the end of calls.
    Probes,
}

/// What wrote all records of the allocator, purges among them; `None` if some of each did, or if some are lost.
fn told_by(log: &Log) -> Option<ToldBy> {
    let (mut events, mut probes) = (false, false);
    let (mut purges, mut purge_returns) = (false, false);
    for event in &log.events {
        match event.kind {
            EventKind::Purge { .. } => purges = true,
            EventKind::PurgeReturn { .. } => purge_returns = true,
            EventKind::Free { .. } => events = true,
            EventKind::Request { .. }
            | EventKind::Unasked { .. }
            | EventKind::FreeProbe { .. }
            | EventKind::PurgeEntry { .. } => probes = true,
            EventKind::Alloc { .. } | EventKind::Mark { .. } | EventKind::Report { .. } | EventKind::Other { .. } => {}
            _ => return None,
        }
    }
    match (events || purges, probes || purge_returns) {
        (_, false) if purges && !log.events.are_probed() => Some(ToldBy::Events),
        (false, true) if purge_returns => Some(ToldBy::Probes),
        _ => None,
    }
}
