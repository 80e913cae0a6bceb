//! What is behind the areas of a trace, from its first record to its last.
//!
//! A trace is resolved without it: nothing behind an area decides an address. Then the resolved operations are applied
//! once more with it, which lays the checkpoints anew.

use std::sync::Arc;

use super::{Checkpoints, Plan};
use crate::log::{Log, Progress};
use crate::model::{AddressSpace, HelperOrder, Usages};
use crate::request::{DataFrames, memory_of};

/// Checkpoints that know what is behind the areas.
pub(super) fn follow(
    log: &Log,
    plan: &Plan,
    start: AddressSpace,
    usages: Arc<Usages>,
    progress: &Progress,
) -> Checkpoints {
    let facts = plan.machine.facts(HelperOrder::default());
    let memory = memory_of(&facts, usages, DataFrames::Counted);
    let mut space = start.with_memory(memory);
    let mut checkpoints = Checkpoints::new(space.clone());
    for index in 0..plan.len() {
        for op in plan.ops_of(log, index) {
            space.apply(&op, None);
        }
        checkpoints.offer(index + 1, &space);
        if index.is_multiple_of(Progress::EVERY) {
            progress.set_resolved((plan.len() + index) as u64, 2 * plan.len() as u64);
        }
    }
    checkpoints
}
