//! Areas that were there before the allocator started: no record allocates them, only a snapshot shows them.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::event::EventKind;
use crate::log::{Around, Baseline, BaselineState, Log};
use crate::model::Extent;

/// Areas remembered of those that records place at one address.
const MAX_IN_ONE_PLACE: usize = 4;

/// Areas of a boot trace's snapshot that no record allocates. Per-CPU chunks are not among them: they come later,
/// unseen.
pub(super) fn early_areas(log: &Log, before: &Baseline, page_size: u64) -> Vec<Extent> {
    let rows = || before.areas.iter().filter(|area| area.state == BaselineState::Busy && area.kind() != "per-CPU");
    let mut first_alloc: HashMap<u64, usize> = HashMap::new();
    for (index, event) in log.events.iter().enumerate() {
        if let Some(start) = super::recorded_of(&event) {
            first_alloc.entry(start).or_insert(index);
        }
    }
    // Where no mark says so, the snapshot was taken after all of its rows had been allocated.
    let after_all = || rows().filter_map(|area| first_alloc.get(&area.start)).max().map_or(0, |&index| index + 1);
    let taken_at = log.snapshot_window(Around::Before).map_or_else(after_all, |window| window.end);
    let mut misrecorded = vanished(log, before, taken_at, page_size);
    let mut early: Vec<Extent> = Vec::new();
    let mut unrecorded: Vec<Extent> = rows()
        .filter(|area| !first_alloc.contains_key(&area.start))
        .filter_map(|area| Extent::new(area.start, area.end))
        .collect();
    // Those that are really early lie lowest.
    unrecorded.sort();
    for extent in unrecorded.into_iter().rev() {
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
/// A wrong record can name the place of another area: of two at one place the snapshot shows the one of its size.
fn vanished(log: &Log, before: &Baseline, taken_at: usize, page_size: u64) -> BTreeMap<u64, usize> {
    let mut live: HashMap<u64, VecDeque<u64>> = HashMap::new();
    // Lazy pages at the last free: of two areas at one place the one that is freed is the one that counts.
    let mut counted = 0;
    for event in log.events.iter().take(taken_at) {
        match event.kind {
            EventKind::Alloc { addr, size, failed: false, .. } => {
                let sizes = live.entry(addr.0).or_default();
                sizes.push_back(size);
                if sizes.len() > MAX_IN_ONE_PLACE {
                    sizes.pop_front();
                }
            }
            EventKind::Free { addr, nr_lazy, .. } => {
                let size = nr_lazy.wrapping_sub(counted).wrapping_mul(page_size);
                counted = nr_lazy;
                if let Some(sizes) = live.get_mut(&addr.0) {
                    sizes.remove(sizes.iter().position(|&other| other == size).unwrap_or(0));
                }
            }
            _ => {}
        }
    }
    let mut others = Vec::new();
    for area in before.areas.iter().filter(|area| area.state == BaselineState::Busy) {
        let Some(sizes) = live.get_mut(&area.start).filter(|sizes| !sizes.is_empty()) else { continue };
        let size = area.end.saturating_sub(area.start);
        match sizes.iter().position(|&other| other == size) {
            Some(shown) => drop(sizes.remove(shown)),
            None => others.push((area.start, size)),
        }
    }
    let mut n_of_size: BTreeMap<u64, usize> = BTreeMap::new();
    for &size in live.values().flatten() {
        *n_of_size.entry(size).or_insert(0) += 1;
    }
    // At the place of a record, and of another size: its own record names yet another place, or it is told differently.
    for (start, size) in others {
        let told = live.get_mut(&start).and_then(VecDeque::pop_front).unwrap_or(size);
        let was_elsewhere = n_of_size.get(&size).is_some_and(|&n| n > 0);
        if let Some(n) = n_of_size.get_mut(if was_elsewhere { &size } else { &told }) {
            *n = n.saturating_sub(1);
        }
    }
    n_of_size
}
