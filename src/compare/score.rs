//! [`Score`]: what a lane has come to, taken in operation by operation. What the numbers mean is in [`super::metrics`].

use std::collections::HashSet;

use super::course::Eye;
use super::demands::{Demand, Id};
use super::histogram::Histogram;
use super::locks::Locks;
use super::reuse::Reuse;
use crate::log::Window;
use crate::model::{AddressSpace, Answer, Extent, Op, Purged, Source, Step, Steps, VmapArea};

/// What a lane has come to so far.
#[derive(Debug, Clone, Default)]
pub struct Score {
    /// Attempts to find space.
    pub attempts: u64,
    /// Requests that got an area.
    pub placed: u64,
    /// Attempts that a pool served.
    pub pool_hits: u64,
    /// Attempts that were refused.
    pub refusals: u64,
    /// Requests that came to nothing.
    pub failures: u64,
    /// Record of the first of them.
    pub first_failure: Option<u32>,
    /// Frees of areas that this lane never had.
    pub skipped_frees: u64,
    /// Frees that found no area.
    pub unknown_frees: u64,
    /// Areas and holes looked at, by attempt.
    pub search_steps: Histogram,
    /// End of the highest area a request has had inside the window.
    pub highest: u64,
    /// Purges that returned something.
    pub purges: u64,
    /// TLB ranges flushed.
    pub tlb_flushes: u64,
    /// Bytes between the lowest and the highest address of each, together.
    pub tlb_flush_bytes: u128,
    /// Most lazy pages after a record.
    pub lazy_peak_pages: u64,
    /// Lazy pages after each record, together.
    pub lazy_page_events: u128,
    /// The smallest that the largest hole was after a record, in bytes.
    pub largest_hole_min: u64,
    /// Most holes after a record.
    pub holes_max: u64,
    /// Most external fragmentation after a record, in billionths.
    pub fragmentation_max: u64,
    /// How long freed addresses rest.
    pub reuse: Reuse,
    /// The estimate of waiting, where the trace has times.
    pub locks: Option<Locks>,
    /// Records gone through.
    pub records: u64,
    /// Requests that have come to nothing so far.
    failed: HashSet<Id>,
}

/// Areas, holes and addresses that a search looked at; a look into a pool or cache is none of them.
pub fn search_steps(steps: &[Step]) -> u64 {
    let is_other = |step: &Step| matches!(step, Step::PoolAsked { .. } | Step::CacheAsked { .. });
    steps.iter().filter(|step| step.is_look() && !is_other(step)).count() as u64
}

/// Takes in what a lane does.
pub(super) struct Scorer<'a> {
    pub(super) score: &'a mut Score,
    pub(super) scratch: &'a mut Steps,
    pub(super) window: Window,
    pub(super) record: u32,
}

impl Eye for Scorer<'_> {
    fn apply(&mut self, space: &mut AddressSpace, op: &Op) -> Answer {
        let Op::Alloc { request, born } = op else {
            let answer = space.apply(op, None);
            // What is older than the trace was not asked for in it.
            if !matches!(op, Op::Adopt { born: VmapArea::UNBORN, .. }) {
                self.take(&answer);
            }
            return answer;
        };
        self.scratch.clear();
        let placement = space.allocator().place(request, Some(self.scratch));
        let steps = search_steps(self.scratch);
        let answer = space.settle(request, placement, *born, None);
        let from_pool = placement.is_ok_and(|placement| matches!(placement.source, Source::Pool { .. }));
        let area = match answer {
            Answer::Placed(extent) => Some(extent),
            _ => None,
        };
        let score = &mut *self.score;
        score.attempts += 1;
        score.pool_hits += u64::from(from_pool);
        score.search_steps.add(steps);
        if let Some(locks) = &mut score.locks {
            locks.alloc(steps, from_pool, area);
        }
        match area {
            Some(extent) => self.placed(extent),
            None => score.refusals += 1,
        }
        answer
    }

    fn failed(&mut self, id: Id) {
        if self.score.failed.insert(id) {
            self.score.failures += 1;
            self.score.first_failure.get_or_insert(self.record);
        }
    }

    fn recovered(&mut self, id: Id) {
        if self.score.failed.remove(&id) {
            self.score.failures -= 1;
            if self.score.failures == 0 {
                self.score.first_failure = None;
            }
        }
    }

    fn refused_by_record(&mut self) {
        self.score.attempts += 1;
        self.score.refusals += 1;
    }

    fn skipped(&mut self, demand: Demand) {
        self.score.skipped_frees += u64::from(matches!(demand, Demand::Free { .. }));
    }
}

impl Scorer<'_> {
    /// The record is done: how the state stands now, from what is cheap to ask.
    pub(super) fn end_record(&mut self, space: &AddressSpace) {
        let gauges = space.allocator().gauges();
        let score = &mut *self.score;
        let is_first = score.records == 0;
        score.records += 1;
        score.lazy_peak_pages = score.lazy_peak_pages.max(gauges.lazy_pages);
        score.lazy_page_events += u128::from(gauges.lazy_pages);
        let least = if is_first { gauges.largest_hole } else { score.largest_hole_min };
        score.largest_hole_min = least.min(gauges.largest_hole);
        score.holes_max = score.holes_max.max(gauges.holes);
        score.fragmentation_max = score.fragmentation_max.max(gauges.fragmentation());
    }

    fn take(&mut self, answer: &Answer) {
        match answer {
            Answer::Adopted { extent, .. } => {
                self.score.attempts += 1;
                self.placed(*extent);
            }
            Answer::Freed(freed) => {
                self.score.reuse.freed(freed.extent, self.record);
                if let Some(locks) = &mut self.score.locks {
                    locks.free(freed.extent);
                }
            }
            Answer::UnknownFree(_) => self.score.unknown_frees += 1,
            Answer::Rejected(_) => {
                self.score.attempts += 1;
                self.score.refusals += 1;
            }
            Answer::Purged(purged) => self.purged(purged),
            Answer::Drained(purges) => purges.iter().for_each(|purged| self.purged(purged)),
            _ => {}
        }
    }

    fn placed(&mut self, extent: Extent) {
        let score = &mut *self.score;
        score.placed += 1;
        if self.window.vstart <= extent.start() && extent.end() <= self.window.vend {
            score.highest = score.highest.max(extent.end());
        }
        score.reuse.placed(extent, self.record);
    }

    fn purged(&mut self, purged: &Purged) {
        let score = &mut *self.score;
        score.purges += u64::from(purged.num_purged > 0);
        if let Some((start, end)) = purged.flush {
            score.tlb_flushes += 1;
            score.tlb_flush_bytes += u128::from(end.saturating_sub(start));
        }
        if let Some(locks) = &mut score.locks {
            locks.purge(purged.num_purged.into());
        }
    }
}
