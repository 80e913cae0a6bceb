//! Per-CPU chunks: the one kind of area that takes space without a record.
//!
//! Creating a chunk first allocates its maps, with records, from the same task and one after the other; their sizes
//! follow from the unit size. Then `pcpu_get_vm_areas` carves the chunk from the top of the range, unseen. Leaving that
//! out changes the shape of the free tree, and with it the answer of aligned requests far below.

use crate::event::{Event, EventKind};
use crate::log::{Baseline, Log};

use super::machine::Machine;

/// A chunk's size and alignment, and the sizes that announce it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkKind {
    /// Bytes of the chunk area.
    pub size: u64,
    /// Its alignment.
    pub align: u64,
    /// Sizes of the allocations that come right before it, in order, guard pages included.
    pub burst: Vec<u64>,
}

/// Bytes per bit of a chunk's allocation map (`PCPU_MIN_ALLOC_SIZE`).
const MIN_ALLOC: u64 = 4;
/// Bytes of a `pcpu_block_md` with its fields.
const BLOCK_BYTES: u64 = 32;
/// What the first chunk of x86-64 is a multiple of: one huge page.
const ATOM_X86_64: u64 = 2 << 20;

/// Finds the kind of chunk a log's machine makes; `None` if no chunk is ever announced.
///
/// The chunk's size comes from a snapshot row where there is one. Else every unit size x86-64 can have is tried, and the
/// one whose announcement occurs is taken.
pub fn chunk_kind(log: &Log, machine: &Machine) -> Option<ChunkKind> {
    let snapshots = [log.before.as_ref(), log.after.as_ref()];
    let known = snapshots.into_iter().flatten().find_map(|snapshot| chunk_of(snapshot, machine.page_size));
    let candidates: Vec<(u64, u64, u64)> = match known {
        Some((size, align)) => units_of(size, machine).map(|unit| (size, align, unit)).collect(),
        None if machine.is_32_bit => return None,
        None => (0..6)
            .map(|k| ATOM_X86_64 >> k)
            .map(|unit| ((unit * u64::from(machine.cpus_possible)).next_multiple_of(ATOM_X86_64), ATOM_X86_64, unit))
            .collect(),
    };
    candidates.into_iter().find_map(|(size, align, unit)| {
        let burst = announced(log, machine, unit)?;
        Some(ChunkKind { size, align, burst })
    })
}

/// Size and alignment of the chunks in a snapshot.
fn chunk_of(snapshot: &Baseline, page_size: u64) -> Option<(u64, u64)> {
    let row = snapshot.areas.iter().find(|area| area.kind() == "per-CPU")?;
    // The largest power of two that divides both: the true alignment, or one that gives the same places.
    let align = 1_u64 << (row.start | row.size).trailing_zeros().min(40);
    Some((row.size, align.max(page_size)))
}

/// Unit sizes a chunk of `size` bytes can be made of: one unit per possible CPU, and spare ones where that does not
/// divide evenly.
fn units_of(size: u64, machine: &Machine) -> impl Iterator<Item = u64> + use<> {
    let cpus = u64::from(machine.cpus_possible);
    let page = machine.page_size;
    (cpus..=cpus * 2).filter(move |&n| size.is_multiple_of(n) && (size / n).is_multiple_of(page)).map(move |n| size / n)
}

/// The burst of a unit size, as this log shows it: with the object-cgroup array if that follows, without it if the
/// rest is telling enough alone.
fn announced(log: &Log, machine: &Machine, unit: u64) -> Option<Vec<u64>> {
    let page = machine.page_size;
    let word = if machine.is_32_bit { 4 } else { 8 };
    // Only what is longer than a page comes from vmalloc; a guard page follows each.
    let map_bytes = unit / MIN_ALLOC / 8;
    let maps = [map_bytes, map_bytes + word, unit / page * BLOCK_BYTES];
    let with_guard = |bytes: u64| bytes.next_multiple_of(page) + page;
    let alone: Vec<u64> = maps.into_iter().filter(|&bytes| bytes > page).map(with_guard).collect();
    let mut with_objects = alone.clone();
    with_objects.push(with_guard(unit / MIN_ALLOC * word));
    if occurs(log, &with_objects) {
        return Some(with_objects);
    }
    (alone.len() > 2 && occurs(log, &alone)).then_some(alone)
}

fn occurs(log: &Log, burst: &[u64]) -> bool {
    let mut watch = ChunkWatch::new(burst.to_vec(), log.names.tasks().len());
    log.events.iter().any(|event| watch.ends_burst(event))
}

/// Watches the records for the announcement of a chunk.
#[derive(Debug, Clone)]
pub struct ChunkWatch {
    burst: Vec<u64>,
    /// Per task: how many sizes of the burst have come in a row.
    seen: Vec<u8>,
}

impl ChunkWatch {
    /// Watches for a burst of any of a log's tasks.
    pub fn new(burst: Vec<u64>, n_tasks: usize) -> Self {
        Self { burst, seen: vec![0; n_tasks] }
    }

    /// Does this record end a burst? The chunk is carved right after it.
    pub fn ends_burst(&mut self, event: &Event) -> bool {
        let EventKind::Alloc { size, failed: false, .. } = event.kind else { return false };
        let Some(seen) = self.seen.get_mut(event.task.0 as usize) else { return false };
        let expected = self.burst.get(usize::from(*seen));
        *seen = match expected {
            Some(&next) if next == size => *seen + 1,
            _ => u8::from(self.burst.first() == Some(&size)),
        };
        let complete = usize::from(*seen) == self.burst.len() && !self.burst.is_empty();
        if complete {
            *seen = 0;
        }
        complete
    }
}
