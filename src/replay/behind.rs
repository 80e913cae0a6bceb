//! [`Behind`]: what is behind the areas of a trace, from its first record to its last.
//!
//! A trace is resolved without it: nothing behind an area decides an address. So the cursor moves without it too, and what
//! is behind the areas follows: the resolved operations applied once more with page tables, frames and objects, between
//! checkpoints of their own. Those cost more, so they are few.

use std::sync::Arc;

use super::{Checkpoints, Metric, Plan, Seek};
use crate::log::Log;
use crate::model::{AddressSpace, HelperOrder, Usages};
use crate::request::{DataFrames, memory_of};

/// Records within which states with memory are gone through at once, instead of afterwards.
pub(super) const AT_ONCE: usize = 1024;

/// The states with memory.
#[derive(Debug, Clone)]
pub(super) struct Behind {
    pub(super) checkpoints: Checkpoints,
    /// On the way to the cursor: the state after so many records.
    chase: Option<(AddressSpace, usize)>,
    /// On the way to the end, to lay checkpoints.
    front: Option<(AddressSpace, usize)>,
}

impl Behind {
    /// Begins with what is known of the areas of the initial state.
    pub(super) fn new(plan: &Plan, start: &AddressSpace, usages: Arc<Usages>, budget_bytes: u64) -> Self {
        let facts = plan.machine.facts(HelperOrder::default());
        let memory = memory_of(&facts, usages, DataFrames::Counted);
        let start = start.clone().with_memory(memory);
        Self { checkpoints: Checkpoints::new(start, budget_bytes, plan.len()), chase: None, front: None }
    }

    /// Goes towards the state after `stop` records, `budget` records at most; hands it out when it is there.
    pub(super) fn chase(
        &mut self,
        (log, plan): (&Log, &Plan),
        stop: usize,
        budget: usize,
    ) -> Result<AddressSpace, usize> {
        self.checkpoints.go(&mut self.chase, (stop, budget), |at, state| apply(log, plan, at, state))
    }

    /// A state that is not needed any more: the next chase begins in its memory.
    pub(super) fn give_back(&mut self, state: AddressSpace) {
        // Where it stands is not said, so it is overwritten.
        self.chase.get_or_insert((state, usize::MAX));
    }

    /// Goes towards the end of the log, `budget` records at most, lays checkpoints, and tells the plan's timeline how many
    /// page tables there really are.
    pub(super) fn prepare(&mut self, (log, plan): (&Log, &mut Plan), budget: usize) -> Seek {
        let n = plan.len();
        let mut timeline = std::mem::take(&mut plan.timeline);
        let (mut state, mut at) = self.front.take().unwrap_or_else(|| {
            let start = self.checkpoints.start().clone();
            timeline.metrics.metric_again(Metric::Tables, 0, start.n_tables());
            (start, 0)
        });
        let end = n.min(at.saturating_add(budget));
        while at < end {
            apply(log, plan, at, &mut state);
            at += 1;
            timeline.metrics.metric_again(Metric::Tables, at, state.n_tables());
            self.checkpoints.offer(at, &mut state);
        }
        if at == n {
            timeline.metrics.finish();
        } else {
            self.front = Some((state, at));
        }
        plan.timeline = timeline;
        if at == n { Seek::Done } else { Seek::Going { at } }
    }

    /// Memory held, in bytes.
    pub(super) fn heap_bytes(&self) -> u64 {
        let states = [&self.chase, &self.front].into_iter().flatten();
        self.checkpoints.heap_bytes() + states.map(|(state, _)| state.heap_bytes()).sum::<u64>()
    }
}

/// Applies the operations of a record.
pub(super) fn apply(log: &Log, plan: &Plan, index: usize, state: &mut AddressSpace) {
    for op in plan.ops_of(log, index) {
        state.apply(&op, None);
    }
}
