//! [`Near`]: which area begins or ends in a page, as far as that is remembered.

use super::{AreaId, Areas, Kind, NIL, VmapArea};

/// A memory of boundaries: for the first and the last page of areas, the slot. Nothing follows from what it does not know,
/// and what it says is checked against the slot: it can be forgotten at any time, and is no part of the state.
///
/// Trees keep their shape whatever is found here. It saves the way down to a place that a neighbour tells.
#[derive(Debug, Default)]
pub(super) struct Near {
    /// By page number, cut to the size of the table. A page that has the same place as another takes it over.
    slots: Vec<AreaId>,
    /// Bits of an address within a page; 0: nothing is remembered.
    page_shift: u32,
    /// Areas that the table has room for.
    room: u32,
    /// The hole that a range joined last: the next one often lies beside it.
    joined: AreaId,
}

/// Places for each area: most areas are a few pages long, and then neighbours never share one.
const PLACES: usize = 4;
/// The smallest table.
const FIRST_ROOM: u32 = 256;

impl Near {
    pub(super) fn is_small_for(&self, live: u32) -> bool {
        self.room < live && self.page_shift != 0
    }

    /// Makes room, and looks at every area once.
    #[cold]
    #[inline(never)]
    pub(super) fn grow(&mut self, live: u32, areas: &[VmapArea]) {
        let n_places = (live.max(FIRST_ROOM) as usize * PLACES * 2).next_power_of_two();
        self.slots = vec![NIL; n_places];
        self.room = (n_places / PLACES) as u32;
        self.note_all(areas, 0);
    }

    /// Remembers areas in slots from `first` on that are in a tree.
    pub(super) fn note_all(&mut self, areas: &[VmapArea], first: usize) {
        for (area, id) in areas.iter().zip(first as AreaId..) {
            if area.kind != Kind::Other {
                self.note(id, area.start, area.end);
            }
        }
    }

    fn place(&self, addr: u64) -> usize {
        (addr >> self.page_shift) as usize & self.slots.len().wrapping_sub(1)
    }

    #[inline]
    fn note(&mut self, id: AreaId, start: u64, end: u64) {
        let (first, last) = (self.place(start), self.place(end.wrapping_sub(1)));
        if let Some(slot) = self.slots.get_mut(first) {
            *slot = id;
        }
        if let Some(slot) = self.slots.get_mut(last) {
            *slot = id;
        }
    }

    #[inline]
    fn get(&self, addr: u64) -> AreaId {
        self.slots.get(self.place(addr)).copied().unwrap_or(NIL)
    }

    pub(super) fn heap_bytes(&self) -> u64 {
        (self.slots.capacity() * size_of::<AreaId>()) as u64
    }
}

impl Clone for Near {
    /// A copy remembers nothing, until it is changed.
    fn clone(&self) -> Self {
        Self { slots: Vec::new(), page_shift: self.page_shift, room: 0, joined: NIL }
    }

    /// What is remembered stays: it is checked anyway.
    fn clone_from(&mut self, from: &Self) {
        self.page_shift = from.page_shift;
    }
}

impl Areas {
    /// Remembers from here on where areas are.
    pub(crate) fn remember(&mut self, page_size: u64) {
        self.near.page_shift = page_size.trailing_zeros();
    }

    /// Remembers where an area of a kind lies.
    #[inline]
    pub(crate) fn note(&mut self, id: AreaId, start: u64, end: u64) {
        self.near.note(id, start, end);
    }

    /// A hole to remember as the one that a range joined last.
    pub(crate) fn joined(&mut self, hole: AreaId) {
        self.near.joined = hole;
    }

    /// A hole between which and its neighbour `[start, end)` lies, if one is remembered: below it, or else above it.
    #[inline]
    pub(crate) fn hole_beside(&self, start: u64, end: u64) -> (AreaId, AreaId) {
        let below = self.ending_at(start, Kind::Free);
        if below != NIL {
            return (below, NIL);
        }
        let above = self.starting_at(end, Kind::Free);
        if above != NIL {
            return (NIL, above);
        }
        let hole = self.near.joined;
        match self.slots.get(hole as usize) {
            Some(area) if area.kind != Kind::Free => (NIL, NIL),
            Some(area) if end <= area.start && (area.prev == NIL || self[area.prev].end <= start) => (NIL, hole),
            Some(area) if area.end <= start && (area.next == NIL || end <= self[area.next].start) => (hole, NIL),
            _ => (NIL, NIL),
        }
    }

    /// The area of a kind that begins at an address, if it is remembered; else [`NIL`].
    #[inline]
    pub(crate) fn starting_at(&self, addr: u64, kind: Kind) -> AreaId {
        let id = self.near.get(addr);
        match self.slots.get(id as usize) {
            Some(area) if area.start == addr && area.kind == kind => id,
            _ => NIL,
        }
    }

    /// The area of a kind that ends at an address, if it is remembered; else [`NIL`].
    #[inline]
    pub(crate) fn ending_at(&self, addr: u64, kind: Kind) -> AreaId {
        let id = self.near.get(addr.wrapping_sub(1));
        match self.slots.get(id as usize) {
            Some(area) if area.end == addr && area.kind == kind => id,
            _ => NIL,
        }
    }
}
