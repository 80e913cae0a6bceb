//! The state before the first record.

use crate::log::{Baseline, BaselineState, Log, Pointers};
use crate::model::{AddressSpace, Extent};
use crate::policy::{self, Setup};

use super::Machine;

/// The snapshot before the trace, if its addresses can be used.
pub(super) fn usable_baseline(log: &Log) -> Option<&Baseline> {
    log.before.as_ref().filter(|before| before.pointers == Pointers::Real)
}

/// The state before the first record: from boot around the early areas, else what the snapshot shows.
pub(super) fn initial_space(log: &Log, machine: &Machine) -> AddressSpace {
    let mut setup = Setup {
        rules: machine.policy.rules,
        cpus_online: machine.cpus_online,
        cpus_possible: machine.cpus_possible,
        window: machine.window,
        page_size: machine.page_size,
        is_32_bit: machine.is_32_bit,
        early: Vec::new(),
    };
    let allocator = match usable_baseline(log) {
        Some(before) if machine.from_boot => {
            setup.early = early_areas(log, before);
            policy::build(&setup)
        }
        Some(before) => {
            let rows = |lazy: bool| -> Vec<Extent> {
                let wanted = before.areas.iter().filter(|area| (area.state == BaselineState::Unpurged) == lazy);
                wanted.filter_map(|area| Extent::new(area.start, area.end)).collect()
            };
            policy::from_snapshot(&setup, &rows(false), &rows(true))
        }
        None => policy::build(&setup),
    };
    AddressSpace::new(allocator, machine.geometry)
}

/// Areas of a boot trace's snapshot that no record allocates: they were there before the allocator started. Per-CPU
/// chunks are not: they come later, unseen.
fn early_areas(log: &Log, before: &Baseline) -> Vec<Extent> {
    let mut allocated: Vec<u64> = log.events.iter().filter_map(super::recorded_of).collect();
    allocated.sort_unstable();
    let unseen = |start: u64| allocated.binary_search(&start).is_err();
    let rows = before.areas.iter().filter(|area| area.state == BaselineState::Busy && area.kind() != "per-CPU");
    let mut early: Vec<Extent> =
        rows.filter(|area| unseen(area.start)).filter_map(|area| Extent::new(area.start, area.end)).collect();
    early.sort();
    early.dedup_by(|later, earlier| later.overlaps(*earlier));
    early
}
