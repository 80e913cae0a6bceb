//! [`Areas`]: every `vmap_area` of one address space in one arena, linked by `u32`.
//!
//! The kernel's object wanders between the free tree, a busy tree, a lazy store and a pool; here its slot does. One
//! arena makes a checkpoint one memory copy.

/// Index of a slot in [`Areas`]. [`NIL`] is no area.
pub type AreaId = u32;

/// No area. Slot 0 exists and has `subtree_max` 0, so that "largest hole of no subtree" needs no branch.
pub const NIL: AreaId = 0;

/// Left child, for [`VmapArea::child`].
pub const LEFT: usize = 0;
/// Right child, for [`VmapArea::child`].
pub const RIGHT: usize = 1;

/// A range with its links: the kernel's `vmap_area`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VmapArea {
    /// First address (`va_start`).
    pub start: u64,
    /// First address after it (`va_end`), guard page included.
    pub end: u64,
    /// Free tree only: the largest hole below and including this node, in bytes (`subtree_max_size`).
    pub subtree_max: u64,
    /// Left and right child in the tree this area is in.
    pub child: [AreaId; 2],
    /// Parent in that tree, shifted by one; bit 0 set: black.
    pub(super) parent_colour: u32,
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
}

impl VmapArea {
    /// `born` of an area that is older than the log.
    pub const UNBORN: u32 = u32::MAX;

    /// Bytes in the range.
    pub fn len_bytes(&self) -> u64 {
        self.end.wrapping_sub(self.start)
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

/// The arena.
#[derive(Debug, Clone)]
pub struct Areas {
    pub(super) slots: Vec<VmapArea>,
    /// Head of the list of unused slots, through `next`.
    unused: AreaId,
    live: u32,
}

impl Default for Areas {
    fn default() -> Self {
        // Slot 0 is NIL: black, so that a missing child counts as black.
        let nil = VmapArea { parent_colour: 1, ..VmapArea::default() };
        Self { slots: vec![nil], unused: NIL, live: 0 }
    }
}

impl Areas {
    /// Takes a slot for `[start, end)`.
    pub fn add(&mut self, start: u64, end: u64) -> AreaId {
        self.live += 1;
        let area = VmapArea { start, end, born: VmapArea::UNBORN, ..VmapArea::default() };
        if self.unused == NIL {
            self.slots.push(area);
            return (self.slots.len() - 1) as AreaId;
        }
        let id = self.unused;
        self.unused = self.slots[id as usize].next;
        self.slots[id as usize] = area;
        id
    }

    /// Gives a slot back. The area must be in no tree, list or pool.
    pub fn remove(&mut self, id: AreaId) {
        debug_assert!(id != NIL, "NIL is not an area");
        self.live -= 1;
        self.slots[id as usize] = VmapArea { next: self.unused, ..VmapArea::default() };
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
        &mut self.slots[id as usize]
    }

    /// Areas in use.
    pub fn live(&self) -> u32 {
        self.live
    }

    /// Memory held, in bytes.
    pub fn heap_bytes(&self) -> u64 {
        (self.slots.capacity() * size_of::<VmapArea>()) as u64
    }
}

impl std::ops::Index<AreaId> for Areas {
    type Output = VmapArea;

    fn index(&self, id: AreaId) -> &VmapArea {
        &self.slots[id as usize]
    }
}

impl std::ops::IndexMut<AreaId> for Areas {
    fn index_mut(&mut self, id: AreaId) -> &mut VmapArea {
        &mut self.slots[id as usize]
    }
}
