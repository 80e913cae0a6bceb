//! A trace of several CPUs, once a beam of states has decided what each record did.

use std::collections::HashSet;

use crate::event::{Event, EventKind};
use crate::log::Log;
use crate::model::{Answer, Extent, Op, Request, VmapArea};
use crate::policy::rules::{FreeSpace, LazyStore};

use super::super::beam::{self, Decided, Missed, Tag};
use super::super::plan::{NO_MATE, TALLY_EVERY};
use super::initial::{has_unknown_shape, initial_space};
use super::shapes::other_shapes;
use super::{Cause, Checkpoints, Plan, Resolver, Timing, Verdict, placed, recorded_of};

/// Records behind one that can have been taken before it.
const AHEAD: usize = 512;
/// Shapes of a free tree of a few holes that are followed where no file shows it; with more holes fewer.
const MAX_SHAPES: usize = 63;
const FEW_HOLES: usize = 256;

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

    /// Goes through the records as was decided.
    pub(in super::super) fn run_decided(
        mut self,
        decisions: beam::Decisions,
        checkpoint_bytes: u64,
    ) -> (Plan, Checkpoints) {
        self.checkpoints.set_budget(checkpoint_bytes);
        self.shapes.forget();
        if let Some(shape) = decisions.start.checked_sub(1).and_then(|other| other_shapes().nth(other)) {
            self.space = initial_space(self.log, &self.machine, shape);
            self.checkpoints.begin_anew(self.space.clone());
        }
        let mut decided = decisions.decided.into_iter().peekable();
        // Where records contradict each other, what was decided need not come out.
        let mut contradicted = HashSet::new();
        let mut all_missed = decisions.missed.into_iter().peekable();
        for index in 0..self.log.events.len() {
            if index.is_multiple_of(TALLY_EVERY) {
                self.plan.tallies.push(self.tally);
            }
            self.sample();
            let is_here = |at: u32| at as usize == index;
            let done = decided.next_if(|decided| is_here(decided.index));
            let missed = all_missed.next_if(|missed| is_here(missed.index));
            self.take_decided(index, (done.as_ref(), missed), decisions.start, &mut contradicted);
            self.checkpoints.offer(index + 1, &mut self.space);
        }
        self.sample();
        self.plan.timeline.metrics.finish();
        (self.plan, self.checkpoints)
    }

    fn take_decided(
        &mut self,
        index: usize,
        (done, missed): (Option<&Decided>, Option<Missed>),
        start_shape: usize,
        contradicted: &mut HashSet<u32>,
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
        let own = missed.and_then(|missed| missed.own);
        let because = (tag == Tag::Believed).then(|| {
            let size = if let EventKind::Alloc { size, .. } = event.kind { size } else { 0 };
            self.believed_because(index, own, recorded.and_then(|start| Extent::sized(start, size)))
        });
        let mut has_freed = false;
        let mut came_back = 0;
        for op in done.map_or(&[][..], |done| &done.ops) {
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
                (Tag::Disbelieved, _) if contradicted.remove(&seq) => Verdict::Adopted(Cause::AfterDivergence),
                (Tag::Disbelieved, _) => Verdict::Adopted(Cause::Impossible),
                _ if contradicted.remove(&seq) => Verdict::Adopted(Cause::Impossible),
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
                self.diverge(index, if missed.is_some() { own } else { recorded }, recorded, verdict);
            }
        }
        self.plan.ops.push(self.log, &self.now);
        self.now.clear();
        self.tally.count(self.plan.verdicts[index]);
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
        contradicted: &mut HashSet<u32>,
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
                    contradicted.insert(*born);
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
