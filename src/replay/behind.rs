//! What is behind the areas of a trace, from its first record to its last.
//!
//! A trace is resolved without it: nothing behind an area decides an address. Then the resolved operations are applied
//! once more with it, which lays the checkpoints anew and tells how many page tables there really are.

use std::sync::Arc;

use super::{Checkpoints, Metric, Plan};
use crate::model::{AddressSpace, HelperOrder, Usages};
use crate::request::{DataFrames, memory_of};

/// Checkpoints that know what is behind the areas.
pub(super) fn follow(plan: &mut Plan, start: AddressSpace, usages: Arc<Usages>) -> Checkpoints {
    let facts = plan.machine.facts(HelperOrder::default());
    let memory = memory_of(&facts, usages, DataFrames::Counted);
    let mut space = start.with_memory(memory);
    let mut checkpoints = Checkpoints::new(space.clone());
    let mut timeline = std::mem::take(&mut plan.timeline);
    timeline.metrics.metric_again(Metric::Tables, 0, space.n_tables());
    for index in 0..plan.upto.len() {
        for op in plan.ops_of(index) {
            space.apply(op, None);
        }
        timeline.metrics.metric_again(Metric::Tables, index + 1, space.n_tables());
        checkpoints.offer(index + 1, &space);
    }
    timeline.metrics.finish();
    plan.timeline = timeline;
    checkpoints
}
