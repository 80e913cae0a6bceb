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
/// Allocations in a row that tell a chunk by their sizes alone.
const TELLING: usize = 3;

/// The kinds of chunk a log's machine can make, told by what is known before the first record: the size of a chunk in
/// the snapshot, or else the sizes x86-64 can have.
pub fn chunk_kinds(log: &Log, machine: &Machine) -> Vec<ChunkKind> {
    let known = log.before.as_ref().and_then(|before| chunk_of(before, machine.page_size));
    let candidates: Vec<(u64, u64, u64)> = match known {
        Some((size, align)) => units_of(size, machine).map(|unit| (size, align, unit)).collect(),
        None if machine.is_32_bit => Vec::new(),
        None => (0..6)
            .map(|k| ATOM_X86_64 >> k)
            .map(|unit| ((unit * u64::from(machine.cpus_possible)).next_multiple_of(ATOM_X86_64), ATOM_X86_64, unit))
            .collect(),
    };
    let kind = |(size, align, unit)| Some(ChunkKind { size, align, burst: burst_of(machine, unit)? });
    candidates.into_iter().filter_map(kind).collect()
}

/// Size and alignment of the chunks in a snapshot.
fn chunk_of(snapshot: &Baseline, page_size: u64) -> Option<(u64, u64)> {
    let row = snapshot.areas.iter().find(|area| area.kind() == "per-CPU")?;
    // The largest power of two that divides both: the true alignment, or one that gives the same places.
    let align = 1_u64 << (row.start | row.size).trailing_zeros().min(40);
    Some((row.size, align.max(page_size)))
}

/// Unit sizes a chunk of `size` bytes can be made of: one unit per possible CPU; in a chunk of whole huge pages there
/// can be spare ones.
fn units_of(size: u64, machine: &Machine) -> impl Iterator<Item = u64> + use<> {
    let cpus = u64::from(machine.cpus_possible);
    let page = machine.page_size;
    let most = if size.is_multiple_of(ATOM_X86_64) { cpus * 2 } else { cpus };
    (cpus..=most).filter(move |&n| size.is_multiple_of(n) && (size / n).is_multiple_of(page)).map(move |n| size / n)
}

/// The burst of a unit size: the maps where they are telling enough alone, else with the object-cgroup array that
/// follows them.
fn burst_of(machine: &Machine, unit: u64) -> Option<Vec<u64>> {
    let page = machine.page_size;
    let word = if machine.is_32_bit { 4 } else { 8 };
    // Only what is longer than a page comes from vmalloc; a guard page follows each.
    let map_bytes = unit / MIN_ALLOC / 8;
    let maps = [map_bytes, map_bytes + word, unit / page * BLOCK_BYTES];
    let with_guard = |bytes: u64| bytes.next_multiple_of(page) + page;
    let mut burst: Vec<u64> = maps.into_iter().filter(|&bytes| bytes > page).map(with_guard).collect();
    if burst.len() < TELLING {
        let objects = unit / MIN_ALLOC * word;
        burst.extend((objects > page).then(|| with_guard(objects)));
    }
    (!burst.is_empty()).then_some(burst)
}

/// Watches the records for the announcement of a chunk.
#[derive(Debug, Clone)]
pub struct ChunkWatch {
    kinds: Vec<ChunkKind>,
    /// Per task and kind: how many sizes of the burst have come in a row.
    seen: Vec<u8>,
}

impl ChunkWatch {
    /// Watches for the kinds, from any of a log's tasks.
    pub fn new(kinds: Vec<ChunkKind>, n_tasks: usize) -> Self {
        let seen = vec![0; n_tasks * kinds.len()];
        Self { kinds, seen }
    }

    /// The chunk this record announces, if it ends a burst: it is carved right after it.
    pub fn announced_by(&mut self, event: &Event) -> Option<(u64, u64)> {
        let EventKind::Alloc { size, failed: false, .. } = event.kind else { return None };
        let n = self.kinds.len();
        let first = n.checked_mul(event.task.0 as usize)?;
        let seen = self.seen.get_mut(first..first.checked_add(n)?)?;
        let mut announced = None;
        for (kind, seen) in self.kinds.iter().zip(seen) {
            let follows = kind.burst.get(usize::from(*seen)) == Some(&size);
            *seen = if follows { *seen + 1 } else { u8::from(kind.burst.first() == Some(&size)) };
            if usize::from(*seen) == kind.burst.len() {
                *seen = 0;
                announced = announced.or(Some((kind.size, kind.align)));
            }
        }
        announced
    }
}
