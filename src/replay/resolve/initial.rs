//! The state before the first record.

use crate::log::{Around, Baseline, Log, Pointers};
use crate::model::{AddressSpace, Extent};
use crate::policy::rules::FreeSpace;
use crate::policy::{self, Shape};

use super::Machine;
use super::early::early_areas;

/// The snapshot before the trace, if its addresses can be used.
pub(super) fn usable_baseline(log: &Log) -> Option<&Baseline> {
    log.before.as_ref().filter(|before| before.pointers == Pointers::Real)
}

/// The first record that is not in the snapshot before the trace already: where a marker says when that was taken, the
/// one behind it. A trace from boot does not start from a snapshot.
pub(in super::super) fn first_record(log: &Log, machine: &Machine) -> usize {
    if machine.from_boot || (log.state_before.is_none() && usable_baseline(log).is_none()) {
        return 0;
    }
    log.snapshot_place().unwrap_or(0)
}

/// Does the free tree at the start have a shape that no file shows and that matters?
pub(super) fn has_unknown_shape(log: &Log, machine: &Machine) -> bool {
    let shows_shape = log.state_before.as_ref().is_some_and(|state| !state.tree.is_empty());
    let shows_holes = log.state_before.is_some() || usable_baseline(log).is_some();
    // Without a request no shape ever matters.
    !log.events.is_empty()
        && !machine.from_boot
        && shows_holes
        && !shows_shape
        && machine.policy.rules.free_space == FreeSpace::FreeTree
}

/// The state before the first record: from boot around the early areas, else the kernel's own state,
/// else what the snapshot shows.
pub(super) fn initial_space(log: &Log, machine: &Machine, shape: Shape) -> AddressSpace {
    let mut setup = machine.setup(Vec::new());
    let known = log.state_before.as_ref().filter(|_| !machine.from_boot && !machine.is_32_bit);
    if let Some(state) = known {
        return AddressSpace::new(policy::from_kernel(&setup, state, shape), machine.geometry);
    }
    let allocator = match usable_baseline(log) {
        Some(before) if machine.from_boot => {
            setup.early = early_areas(log, before, machine.page_size);
            policy::build(&setup)
        }
        Some(_) => {
            // As they stand where the replay begins: records in the midst of the read count for more than its rows.
            let standing = log.settled(Around::Before).unwrap_or_default();
            let rows = |lazy: bool| -> Vec<Extent> {
                let wanted = standing.iter().filter(|area| area.is_lazy == lazy);
                wanted.filter_map(|area| Extent::new(area.start, area.end)).collect()
            };
            policy::from_snapshot(&setup, &rows(false), &rows(true), shape)
        }
        None => policy::build(&setup),
    };
    AddressSpace::new(allocator, machine.geometry)
}
