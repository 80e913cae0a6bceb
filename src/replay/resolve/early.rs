//! Areas that were there before the allocator started: no record allocates them, only a snapshot shows them.

use std::collections::{BTreeMap, HashMap};

use crate::event::EventKind;
use crate::log::{Baseline, BaselineState, Log};
use crate::model::Extent;

/// Areas of a boot trace's snapshot that no record allocates. Per-CPU chunks are not among them: they come later,
/// unseen.
pub(super) fn early_areas(log: &Log, before: &Baseline) -> Vec<Extent> {
    let rows = || before.areas.iter().filter(|area| area.state == BaselineState::Busy && area.kind() != "per-CPU");
    let mut first_alloc: HashMap<u64, usize> = HashMap::new();
    for (index, event) in log.events.iter().enumerate() {
        if let Some(start) = super::recorded_of(&event) {
            first_alloc.entry(start).or_insert(index);
        }
    }
    // The snapshot was taken after all of its rows had been allocated.
    let taken_at = rows().filter_map(|area| first_alloc.get(&area.start)).max().map_or(0, |&index| index + 1);
    let mut misrecorded = vanished(log, before, taken_at);
    let mut early: Vec<Extent> = Vec::new();
    for area in rows().filter(|area| !first_alloc.contains_key(&area.start)) {
        let Some(extent) = Extent::new(area.start, area.end) else { continue };
        // A record with another address, of an area the snapshot does not have, was this one's.
        match misrecorded.get_mut(&extent.len_bytes()) {
            Some(n) if *n > 0 => *n -= 1,
            _ => early.push(extent),
        }
    }
    early.sort();
    early.dedup_by(|later, earlier| later.overlaps(*earlier));
    early
}

/// Areas that the records say were in use when the snapshot was taken, and that it does not show: how many of each size.
fn vanished(log: &Log, before: &Baseline, taken_at: usize) -> BTreeMap<u64, usize> {
    let mut live: HashMap<u64, u64> = HashMap::new();
    for event in log.events.iter().take(taken_at) {
        match event.kind {
            EventKind::Alloc { addr, size, failed: false, .. } => {
                live.insert(addr.0, size);
            }
            EventKind::Free { addr, .. } => {
                live.remove(&addr.0);
            }
            _ => {}
        }
    }
    for area in &before.areas {
        live.remove(&area.start);
    }
    let mut sizes = BTreeMap::new();
    for size in live.into_values() {
        *sizes.entry(size).or_insert(0) += 1;
    }
    sizes
}
