//! Per-CPU chunks: the one kind of area that takes space without a record.
//!
//! Creating a chunk first allocates its maps, with records, from the same task and one after the other; their sizes
//! follow from the unit size. Then `pcpu_get_vm_areas` carves the chunk from the top of the range, unseen. Leaving that
//! out changes the shape of the free tree, and with it the answer of aligned requests far below.

use std::collections::HashSet;

use crate::event::{Event, EventKind};
use crate::log::Log;

use super::machine::Machine;

/// How a machine makes chunks, as far as that is known before the first record.
#[derive(Debug, Clone)]
pub struct ChunkRules {
    page: u64,
    /// Bytes of a pointer.
    word: u64,
    cpus: u64,
    /// What a chunk's size is a multiple of, and its alignment.
    atom: u64,
    /// Unit sizes the snapshot allows; empty if it shows no chunk.
    units: Vec<u64>,
    /// Starts of the areas that the snapshot says belong to the making of a chunk.
    announcing: Vec<u64>,
    /// So many of them no record of a boot trace names: theirs name another place, which is none of `shown`.
    n_elsewhere: usize,
    /// Starts of all areas of the snapshot, if there are such records.
    shown: HashSet<u64>,
}

/// Bytes per bit of a chunk's allocation map (`PCPU_MIN_ALLOC_SIZE`).
const MIN_ALLOC: u64 = 4;
/// Bytes of a `pcpu_block_md` with its fields.
const BLOCK_BYTES: u64 = 32;
/// What a chunk of x86-64 is a multiple of: one huge page.
const HUGE_PAGE: u64 = 2 << 20;
/// Where x86-64 can have its vmalloc range; below it arm64 has its own.
const X86_64_FROM: u64 = 0xffff_8800_0000_0000;
/// The longest burst: allocation map, bound map, block descriptors, object cgroups.
const LONGEST: usize = 4;

impl ChunkRules {
    /// What the snapshot before a log, and the machine, tell.
    pub fn of(log: &Log, machine: &Machine) -> Self {
        let page = machine.page_size;
        let word = if machine.is_32_bit { 4 } else { 8 };
        let cpus = u64::from(machine.cpus_possible);
        let rows = || log.before.iter().flat_map(|before| &before.areas);
        let made = || rows().filter(|area| area.caller == "pcpu_create_chunk");
        let announcing: Vec<u64> = made().map(|area| area.start).collect();
        let mut unnamed: HashSet<u64> = announcing.iter().copied().filter(|_| machine.from_boot).collect();
        if !unnamed.is_empty() {
            for event in &log.events {
                if let EventKind::Alloc { addr, .. } = event.kind {
                    unnamed.remove(&addr.0);
                }
            }
        }
        let n_elsewhere = unnamed.len();
        let shown = rows().map(|area| area.start).filter(|_| n_elsewhere > 0).collect();
        let row = rows().find(|area| area.kind() == "per-CPU");
        let Some(row) = row else {
            let is_x86_64 = !machine.is_32_bit
                && (machine.window.vstart >= X86_64_FROM || machine.window.vstart < 0xffff_0000_0000_0000);
            let atom = if is_x86_64 { HUGE_PAGE } else { page };
            return Self { page, word, cpus, atom, units: Vec::new(), announcing, n_elsewhere, shown };
        };
        // One unit per possible CPU; in a chunk of whole huge pages there can be spare ones.
        let atom = if (row.start | row.size).is_multiple_of(HUGE_PAGE) { HUGE_PAGE } else { page };
        let most = if atom == HUGE_PAGE { cpus * 2 } else { cpus };
        let fits = |n: &u64| row.size.is_multiple_of(*n) && (row.size / n).is_multiple_of(page);
        let mut units: Vec<u64> = (cpus..=most).filter(fits).map(|n| row.size / n).collect();
        // Spare ones or not: the array of object cgroups of a chunk that is there tells.
        let has_array = |unit: &u64| made().any(|area| area.size == unit / MIN_ALLOC * word + page);
        if units.iter().any(has_array) {
            units.retain(has_array);
        }
        Self { page, word, cpus, atom, units, announcing, n_elsewhere, shown }
    }

    /// Size and alignment of the chunk that the last allocations of a task announce, newest last.
    ///
    /// The array of object cgroups comes last and gives the unit size away; the maps before it must agree with it, or
    /// the unit size must be one the snapshot allows. Where no map is longer than a page, the size alone says too
    /// little: then the snapshot has to say that it is such an array.
    fn announced(&self, sizes: &[u64; LONGEST], is_shown: bool) -> Option<(u64, u64)> {
        let objects = sizes[LONGEST - 1].checked_sub(self.page)?;
        let unit = objects / self.word * MIN_ALLOC;
        if unit == 0 || !unit.is_multiple_of(self.page) {
            return None;
        }
        let maps = self.maps_of(unit);
        let known = self.units.contains(&unit);
        if !known && (!self.units.is_empty() || maps.len() < 2) {
            return None;
        }
        if maps.is_empty() && !is_shown {
            return None;
        }
        let before = &sizes[LONGEST - 1 - maps.len()..LONGEST - 1];
        (before == maps).then(|| ((unit * self.cpus).next_multiple_of(self.atom), self.atom))
    }

    /// Sizes of the maps of a unit, guard pages included. Only what is longer than a page comes from vmalloc.
    fn maps_of(&self, unit: u64) -> Vec<u64> {
        let map_bytes = unit / MIN_ALLOC / 8;
        let maps = [map_bytes, map_bytes + self.word, unit / self.page * BLOCK_BYTES];
        let with_guard = |bytes: u64| bytes.next_multiple_of(self.page).saturating_add(self.page);
        maps.into_iter().filter(|&bytes| bytes > self.page).map(with_guard).collect()
    }
}

/// Watches the records for the announcement of a chunk.
#[derive(Debug, Clone)]
pub struct ChunkWatch {
    rules: ChunkRules,
    /// Per task: the sizes of its last allocations, newest last.
    last: Vec<[u64; LONGEST]>,
}

impl ChunkWatch {
    /// Watches any of a log's tasks.
    pub fn new(rules: ChunkRules, n_tasks: usize) -> Self {
        Self { rules, last: vec![[0; LONGEST]; n_tasks] }
    }

    /// Size and alignment of the chunk this record announces, if it ends a burst: it is carved right after it.
    pub fn announced_by(&mut self, event: &Event) -> Option<(u64, u64)> {
        let EventKind::Alloc { addr, size, failed: false, .. } = event.kind else { return None };
        let last = self.last.get_mut(event.task.0 as usize)?;
        last.rotate_left(1);
        last[LONGEST - 1] = size;
        let is_shown = self.rules.announcing.contains(&addr.0);
        let can_be = self.rules.n_elsewhere > 0 && !self.rules.shown.contains(&addr.0);
        let announced = self.rules.announced(last, is_shown || can_be)?;
        if can_be {
            self.rules.n_elsewhere -= 1;
        }
        Some(announced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = 4096;

    fn rules(word: u64) -> ChunkRules {
        let units = vec![20 * PAGE];
        ChunkRules {
            page: PAGE,
            word,
            cpus: 1,
            atom: PAGE,
            units,
            announcing: Vec::new(),
            n_elsewhere: 0,
            shown: HashSet::new(),
        }
    }

    /// On 32 bits the maps of a small unit fit into pages: a stack of the array's size must not pass for it.
    #[test]
    fn a_size_alone_announces_nothing() {
        let array = [0, 0, 0, 21 * PAGE];
        assert_eq!(rules(4).announced(&array, false), None);
        assert_eq!(rules(4).announced(&array, true), Some((20 * PAGE, PAGE)));
    }

    #[test]
    fn maps_that_agree_announce() {
        let unit = 512 * PAGE;
        let rules = ChunkRules { units: vec![unit], word: 8, ..rules(8) };
        let maps = rules.maps_of(unit);
        let array = unit / MIN_ALLOC * 8 + PAGE;
        let mut sizes = [0; LONGEST];
        sizes[LONGEST - 1] = array;
        assert_eq!(rules.announced(&sizes, false), None);
        sizes[LONGEST - 1 - maps.len()..LONGEST - 1].copy_from_slice(&maps);
        assert_eq!(rules.announced(&sizes, false), Some((unit, PAGE)));
    }
}
