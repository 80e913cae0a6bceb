//! [`Areas`]: every `vmap_area` of one address space in one arena, linked by `u32`.
//!
//! The kernel's object wanders between the free tree, a busy tree, a lazy store and a pool; here its slot does. Slots lie
//! flat, so that the hot path reads and writes plain memory; each write marks its page of slots as changed, so that a
//! checkpoint (`Areas::keep`) puts aside what has changed since the last one and shares the rest.

mod kept;
mod near;
mod packed;
#[cfg(test)]
mod tests;
mod threads;

use kept::KeptPages;
use near::Near;
use packed::PAGE_SLOTS;

/// Slots that are gone through or copied in less than a millisecond.
const SMALL: usize = 1 << 16;

/// Index of a slot in [`Areas`]. [`NIL`] is no area.
pub type AreaId = u32;

/// No area. Slot 0 exists, is black and stays as it is, so that many a look at no area needs no branch.
pub const NIL: AreaId = 0;

/// Left child, for [`VmapArea::child`].
pub const LEFT: usize = 0;
/// Right child, for [`VmapArea::child`].
pub const RIGHT: usize = 1;

/// Where an area is, as far as its tree can be told from that alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kind {
    /// Lazy, pooled, in no tree, or in an era that keeps no holes.
    #[default]
    Other,
    /// In the free tree.
    Free,
    /// In the busy tree of the node of its address.
    Busy,
}

/// A range with its links: the kernel's `vmap_area`. One cache line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(align(64))]
pub struct VmapArea {
    /// First address (`va_start`).
    pub start: u64,
    /// First address after it (`va_end`), guard page included.
    pub end: u64,
    /// Free tree only: [`VmapArea::subtree_max`] of the left and the right child, 0 of none.
    pub(crate) max: [u64; 2],
    /// Left and right child in the tree this area is in.
    pub child: [AreaId; 2],
    /// Parent in that tree, shifted by one; bit 0 set: black.
    pub(crate) parent_colour: u32,
    /// Next lower area of the same tree, or the previous element of a list.
    pub prev: AreaId,
    /// Next higher area of the same tree, or the next element of a list.
    pub next: AreaId,
    /// Record that allocated the area, as an index into the log; [`VmapArea::UNBORN`] if it is older than the log.
    pub born: u32,
    /// Node of the CPU that allocated it, plus one; 0 if the area never goes to a pool (bits 8.. of the kernel's
    /// `flags`, 6.9 and later).
    pub owner: u32,
    /// Freed and waiting for the purge while its place in the tree of areas is kept (`VM_LAZY_FREE`, 2.6.28 to 5.1).
    pub lazy: bool,
    pub(crate) kind: Kind,
}

impl VmapArea {
    /// `born` of an area that is older than the log.
    pub const UNBORN: u32 = u32::MAX;

    /// Bytes in the range.
    pub fn len_bytes(&self) -> u64 {
        self.end.wrapping_sub(self.start)
    }

    /// Free tree only: the largest hole below and including this node, in bytes (`subtree_max_size`).
    pub fn subtree_max(&self) -> u64 {
        self.len_bytes().max(self.max[LEFT]).max(self.max[RIGHT])
    }

    /// Parent in the tree, or [`NIL`].
    pub fn parent(&self) -> AreaId {
        self.parent_colour >> 1
    }

    /// Colour in the tree.
    pub fn is_black(&self) -> bool {
        self.parent_colour & 1 == 1
    }
}

#[cfg(test)]
thread_local! {
    /// Slots read so far, for tests of what a frame costs.
    pub(crate) static LOOKED_AT: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// The arena.
#[derive(Debug)]
pub struct Areas {
    /// None in a kept copy.
    slots: Vec<VmapArea>,
    /// Slots there are, kept or not.
    n_slots: u32,
    /// Head of the list of unused slots, through `next`.
    unused: AreaId,
    live: u32,
    /// What was put aside last.
    kept: KeptPages,
    /// Pages of slots that have changed since.
    changed: Vec<bool>,
    /// Where areas are, by their addresses.
    near: Near,
}

const _: () = assert!(size_of::<VmapArea>() == 64, "an area is one cache line");

impl Default for Areas {
    fn default() -> Self {
        // Slot 0 is NIL: black, so that a missing child counts as black.
        let nil = VmapArea { parent_colour: 1, ..VmapArea::default() };
        let (kept, near) = (KeptPages::default(), Near::default());
        Self { slots: vec![nil], n_slots: 1, unused: NIL, live: 0, kept, changed: vec![true], near }
    }
}

impl Areas {
    /// Takes a slot for `[start, end)`.
    pub fn add(&mut self, start: u64, end: u64) -> AreaId {
        let id = self.take_slot();
        self[id] = VmapArea { start, end, born: VmapArea::UNBORN, ..VmapArea::default() };
        id
    }

    /// Takes a slot, whatever stands in it.
    #[inline]
    pub(super) fn take_slot(&mut self) -> AreaId {
        self.live += 1;
        if self.near.is_small_for(self.live) {
            self.near.grow(self.live, &self.slots);
        }
        let id = self.unused;
        if id == NIL {
            return self.push_slot();
        }
        self.unused = self[id].next;
        id
    }

    #[inline(never)]
    fn push_slot(&mut self) -> AreaId {
        self.slots.push(VmapArea::default());
        self.n_slots += 1;
        if self.changed.len() * PAGE_SLOTS < self.slots.len() {
            self.changed.push(true);
        }
        (self.slots.len() - 1) as AreaId
    }

    /// Gives a slot back. The area must be in no tree, list or pool.
    #[inline]
    pub fn remove(&mut self, id: AreaId) {
        debug_assert!(id != NIL, "NIL is not an area");
        self.live -= 1;
        let unused = self.unused;
        self[id] = VmapArea { next: unused, born: VmapArea::UNBORN, ..VmapArea::default() };
        self.unused = id;
    }

    /// The area in a slot.
    pub fn get(&self, id: AreaId) -> &VmapArea {
        &self.slots[id as usize]
    }

    /// Is there such a slot? A state does not have those that a later one has added.
    pub fn has_slot(&self, id: AreaId) -> bool {
        (id as usize) < self.slots.len()
    }

    /// The area in a slot, to change it. Ends may only change where the order of its tree stays.
    pub fn get_mut(&mut self, id: AreaId) -> &mut VmapArea {
        &mut self[id]
    }

    /// Areas in use.
    pub fn live(&self) -> u32 {
        self.live
    }

    /// Is a plain copy a matter of less than a millisecond?
    pub(crate) fn copies_fast(&self) -> bool {
        self.slots.len() <= SMALL
    }

    /// A copy to put aside. It has no slots that could be read: it is for [`Areas::restore`] alone. What has not changed
    /// since the last copy, of this arena or of the one it was restored from, is shared with that.
    pub(crate) fn keep(&mut self) -> Self {
        self.kept.update(&self.slots, &self.changed);
        self.changed.fill(false);
        debug_assert!(self.comes_back(), "what was put aside is what is there");
        let Self { n_slots, unused, live, ref kept, .. } = *self;
        Self {
            slots: Vec::new(),
            n_slots,
            unused,
            live,
            kept: kept.clone(),
            changed: Vec::new(),
            near: Near::default(),
        }
    }

    /// Whether what was put aside just now tells every slot.
    fn comes_back(&self) -> bool {
        let mut again = Self::default();
        let to = (&mut again.slots, &mut again.changed);
        self.kept.restore(&mut again.kept, to, &mut again.near, self.slots.len());
        again.slots == self.slots
    }

    /// Becomes what was put aside. Costs what differs.
    pub(crate) fn restore(&mut self, kept: &Self) {
        let to = (&mut self.slots, &mut self.changed);
        kept.kept.restore(&mut self.kept, to, &mut self.near, kept.n_slots as usize);
        (self.n_slots, self.unused, self.live) = (kept.n_slots, kept.unused, kept.live);
    }

    /// Memory that a copy put aside holds and `before` does not, in bytes.
    pub(crate) fn kept_bytes_beside(&self, before: &Self) -> u64 {
        self.kept.bytes_beside(&before.kept)
    }

    /// Memory held, in bytes. What is put aside belongs to whoever keeps it.
    pub fn heap_bytes(&self) -> u64 {
        (self.slots.capacity() * size_of::<VmapArea>() + self.changed.capacity()) as u64 + self.near.heap_bytes()
    }
}

impl Clone for Areas {
    fn clone(&self) -> Self {
        let Self { ref slots, n_slots, unused, live, ref kept, ref changed, ref near } = *self;
        let (slots, kept, changed) = (slots.clone(), kept.clone(), changed.clone());
        Self { slots, n_slots, unused, live, kept, changed, near: near.clone() }
    }

    /// Costs what differs, where both come from the same copy put aside.
    fn clone_from(&mut self, from: &Self) {
        let n_before = self.slots.len();
        self.slots.resize(from.slots.len(), VmapArea::default());
        for (page, index) in self.slots.chunks_mut(PAGE_SLOTS).zip(0..) {
            let first = index * PAGE_SLOTS;
            let is_same = first + page.len() <= n_before
                && self.changed.get(index) == Some(&false)
                && from.changed.get(index) == Some(&false)
                && self.kept.shares(&from.kept, index);
            if !is_same {
                page.copy_from_slice(&from.slots[first..first + page.len()]);
            }
        }
        self.kept.adopt(&from.kept);
        self.changed.clone_from(&from.changed);
        self.near.clone_from(&from.near);
        (self.n_slots, self.unused, self.live) = (from.n_slots, from.unused, from.live);
    }
}

impl std::ops::Index<AreaId> for Areas {
    type Output = VmapArea;

    #[inline(always)]
    fn index(&self, id: AreaId) -> &VmapArea {
        #[cfg(test)]
        LOOKED_AT.with(|looked_at| looked_at.set(looked_at.get() + 1));
        &self.slots[id as usize]
    }
}

impl std::ops::IndexMut<AreaId> for Areas {
    #[inline(always)]
    fn index_mut(&mut self, id: AreaId) -> &mut VmapArea {
        self.changed[id as usize / PAGE_SLOTS] = true;
        &mut self.slots[id as usize]
    }
}
