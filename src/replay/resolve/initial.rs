//! The state before the first record.

use crate::log::{Baseline, BaselineState, Log, Pointers, SnapshotMark};
use crate::model::{AddressSpace, Extent};
use crate::policy::{Augmented, Setup};

use super::Machine;

/// The snapshot before the trace, if its addresses can be used.
pub(super) fn usable_baseline(log: &Log) -> Option<&Baseline> {
    log.before.as_ref().filter(|before| before.pointers == Pointers::Real)
}

/// Is the shape of the free tree before the first record not known? It is from boot, and where the state came with the
/// kernel's tree.
pub(super) fn shape_is_open(log: &Log, machine: &Machine) -> bool {
    !machine.from_boot && log.state_before.as_ref().is_none_or(|state| state.tree.is_empty())
}

/// The first record that is not in the snapshot before the trace already: where a marker says when that was taken, the
/// one behind it. A trace from boot does not start from a snapshot.
pub(super) fn first_record(log: &Log, machine: &Machine) -> usize {
    if machine.from_boot || (log.state_before.is_none() && usable_baseline(log).is_none()) {
        return 0;
    }
    log.snapshot_place(SnapshotMark::Before).unwrap_or(0)
}

/// The state before the first record: from boot around the early areas, else the kernel's own state,
/// else what the snapshot shows.
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
    let known = log.state_before.as_ref().filter(|_| !machine.from_boot && !machine.is_32_bit);
    if let Some(state) = known {
        let allocator = Augmented::from_kernel(&setup, state);
        return AddressSpace::new(Box::new(allocator), machine.geometry);
    }
    let allocator = match usable_baseline(log) {
        Some(before) if machine.from_boot => {
            setup.early = early_areas(log, before);
            Augmented::new(&setup)
        }
        Some(before) => {
            let rows = |lazy: bool| -> Vec<Extent> {
                let wanted = before.areas.iter().filter(|area| (area.state == BaselineState::Unpurged) == lazy);
                wanted.filter_map(|area| Extent::new(area.start, area.end)).collect()
            };
            Augmented::from_snapshot(&setup, &rows(false), &rows(true))
        }
        None => Augmented::new(&setup),
    };
    AddressSpace::new(Box::new(allocator), machine.geometry)
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
