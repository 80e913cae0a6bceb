//! What the rows of a snapshot say of areas: flags, pages, device memory, callers.

use crate::event::EventKind;
use crate::log::baseline::Flags;
use crate::log::{Baseline, BaselineArea, BaselineState, Log, Pointers, escape};
use crate::model::UsageKind;

use super::super::Machine;
use super::frames::caller_name;

/// Where the area of a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Birth {
    /// A record allocated it.
    Record(u32),
    /// No record before the snapshot is about its start.
    Unseen,
    /// A record allocated another area there: the snapshot is older than that, or a record is missing.
    Unclear,
}

/// The rows of a snapshot that are areas in use, and the records that allocated them.
pub(super) struct Rows<'a> {
    /// Ascending by start.
    rows: Vec<(&'a BaselineArea, Birth)>,
}

impl<'a> Rows<'a> {
    /// The rows of a snapshot that was taken after `place` records. Of hashed addresses nothing can be told.
    pub(super) fn of(snapshot: Option<&'a Baseline>, place: usize, first: usize, log: &Log) -> Self {
        let usable = snapshot.filter(|snapshot| snapshot.pointers == Pointers::Real);
        let areas = usable.map_or(&[][..], |snapshot| &snapshot.areas);
        let in_use = areas.iter().filter(|row| row.state != BaselineState::Unpurged && row.start < row.end);
        let mut rows: Vec<_> = in_use.map(|row| (row, Birth::Unseen)).collect();
        // A row that a snapshot under way shows twice is the same area.
        rows.sort_by_key(|(row, _)| row.start);
        rows.dedup_by_key(|(row, _)| row.start);
        let mut found = Self { rows };
        found.find_births(place, first, log);
        found
    }

    /// Gives each row the last record before the snapshot that allocated an area there. It may be freed by the end of
    /// the snapshot, which takes its time: had it been freed before, there would be no row.
    fn find_births(&mut self, place: usize, first: usize, log: &Log) {
        if self.rows.is_empty() {
            return;
        }
        for (index, event) in log.events.iter().enumerate().take(place).skip(first) {
            let (start, size) = match event.kind {
                EventKind::Alloc { addr, size, failed: false, .. } => (addr.0, size),
                EventKind::Unasked { addr, end } => (addr.0, end.0.saturating_sub(addr.0)),
                _ => continue,
            };
            if let Ok(at) = self.rows.binary_search_by_key(&start, |(row, _)| row.start) {
                let (row, birth) = &mut self.rows[at];
                // No record announces chunks: what was there before is something else.
                let is_it = size == row.end - row.start && row.kind() != "per-CPU";
                *birth = if is_it { Birth::Record(index as u32) } else { Birth::Unclear };
            }
        }
    }

    /// Each row with the origin of its area.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a BaselineArea, Birth)> {
        self.rows.iter().copied()
    }
}

/// What the area of a row is for; `None` if the row does not say. Blocks and large mappings of `vm_map_ram` show alike.
pub(super) fn kind_of(row: &BaselineArea, is_block: bool) -> Option<UsageKind> {
    let has = |flag| row.flags.contains(flag);
    Some(match row.state {
        BaselineState::Unpurged => return None,
        BaselineState::VmMapRam if is_block => UsageKind::VmapBlock,
        BaselineState::VmMapRam => UsageKind::VmMapRam,
        BaselineState::Busy if row.kind() == "per-CPU" => UsageKind::PerCpu,
        BaselineState::Busy if has(Flags::SPARSE) => UsageKind::Reserved,
        // `vmap` has no physical address: the kernel image, registered before the allocator started.
        BaselineState::Busy if has(Flags::VMAP) && row.phys.is_some() => UsageKind::Early,
        BaselineState::Busy if has(Flags::IOREMAP) => UsageKind::Ioremap,
        BaselineState::Busy if has(Flags::VMAP) || has(Flags::DMA_COHERENT) => UsageKind::Vmap,
        BaselineState::Busy if has(Flags::VMALLOC) => UsageKind::Vmalloc,
        // Some listings tell where areas are and nothing else.
        BaselineState::Busy if row.caller.is_empty() && row.pages == 0 && row.phys.is_none() => return None,
        BaselineState::Busy => UsageKind::Reserved,
    })
}

/// Who asked for the area of a row, escaped for display; empty if the row does not say.
pub(super) fn caller_of(row: &BaselineArea) -> String {
    let module = row.module.as_ref().map(|module| escape(module.as_bytes()));
    caller_name(&escape(row.caller.as_bytes()), module.as_ref())
}

/// The largest entry a mapping of device memory can have: its two addresses must agree in the bits below, and one
/// whole entry must fit in. Only architectures with 64 bits and the levels of the geometry count.
pub(super) fn device_shift(machine: &Machine, start: u64, len: u64, phys: u64) -> u32 {
    let small = machine.page_size.trailing_zeros();
    if machine.is_32_bit {
        return small;
    }
    let n = machine.geometry.levels.len();
    let shifts = machine.geometry.levels.iter().skip(n.saturating_sub(3)).map(|level| level.shift);
    let fits = |&shift: &u32| {
        let entry = 1u64 << shift;
        let first = start.checked_next_multiple_of(entry);
        let last = start.checked_add(len);
        (start ^ phys) & (entry - 1) == 0
            && first.and_then(|first| first.checked_add(entry)) <= last
            && last.is_some()
            && first.and_then(|first| first.checked_add(entry)).is_some()
    };
    shifts.filter(|&shift| shift >= small && shift < 40).find(fits).unwrap_or(small)
}
