//! [`Cost`]: what one allocation costs, item by item, in bytes.
//!
//! Physical and virtual bytes are kept apart: the guard page and the mapped range are addresses and cost no memory. The
//! physical items of everything alive and the slack of the slabs add up to the frames in use.

use std::iter::Sum;
use std::ops::{Add, AddAssign};

/// Bytes of one allocation, or the sum of several. Each object counts with what its slab sets aside for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Data pages. 0 where the pages are somebody else's (`vmap`, `ioremap`).
    pub data_bytes: u64,
    /// Page tables this allocation was the first to need.
    pub table_bytes: u64,
    /// Its part of all tables it uses, each divided by its users. Not in the total: that has `table_bytes`.
    pub table_share_bytes: u64,
    /// The range object (`vmap_area`), 2.6.28 and later.
    pub vmap_area_bytes: u64,
    /// The descriptor (`vm_struct`).
    pub vm_struct_bytes: u64,
    /// The array of page pointers: a class of `kmalloc`, or the pages of an area of its own. What that area costs besides
    /// is its own [`Cost`].
    pub pointer_array_bytes: u64,
    /// The vmap block with its bitmap, and the block's slot in the index.
    pub vmap_block_bytes: u64,
    /// Addresses that are mapped.
    pub mapped_bytes: u64,
    /// Addresses of the guard page: never mapped, no memory.
    pub guard_bytes: u64,
}

/// What an item is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CostKind {
    /// Memory, in the total.
    Physical,
    /// Memory that another item has already counted.
    Share,
    /// Addresses.
    Virtual,
}

/// One line of the bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CostItem {
    /// What it is, in words.
    pub title: &'static str,
    /// Bytes.
    pub bytes: u64,
    /// Memory or addresses.
    pub kind: CostKind,
}

impl Cost {
    /// Memory taken.
    pub fn total_bytes(&self) -> u64 {
        self.data_bytes + self.table_bytes + self.overhead_objects()
    }

    /// Memory taken if tables are shared out among their users.
    pub fn shared_bytes(&self) -> u64 {
        self.data_bytes + self.table_share_bytes + self.overhead_objects()
    }

    /// Memory that is not data.
    pub fn overhead_bytes(&self) -> u64 {
        self.total_bytes() - self.data_bytes
    }

    /// Addresses taken.
    pub fn virtual_bytes(&self) -> u64 {
        self.mapped_bytes + self.guard_bytes
    }

    /// Every line, those of 0 bytes too.
    pub fn items(&self) -> [CostItem; 9] {
        let item = |title, bytes, kind| CostItem { title, bytes, kind };
        [
            item("data pages", self.data_bytes, CostKind::Physical),
            item("page tables, new", self.table_bytes, CostKind::Physical),
            item("page tables, share", self.table_share_bytes, CostKind::Share),
            item("vmap_area", self.vmap_area_bytes, CostKind::Physical),
            item("vm_struct", self.vm_struct_bytes, CostKind::Physical),
            item("page pointers", self.pointer_array_bytes, CostKind::Physical),
            item("vmap_block", self.vmap_block_bytes, CostKind::Physical),
            item("mapped addresses", self.mapped_bytes, CostKind::Virtual),
            item("guard page", self.guard_bytes, CostKind::Virtual),
        ]
    }

    fn overhead_objects(&self) -> u64 {
        self.vmap_area_bytes + self.vm_struct_bytes + self.pointer_array_bytes + self.vmap_block_bytes
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            data_bytes: self.data_bytes + other.data_bytes,
            table_bytes: self.table_bytes + other.table_bytes,
            table_share_bytes: self.table_share_bytes + other.table_share_bytes,
            vmap_area_bytes: self.vmap_area_bytes + other.vmap_area_bytes,
            vm_struct_bytes: self.vm_struct_bytes + other.vm_struct_bytes,
            pointer_array_bytes: self.pointer_array_bytes + other.pointer_array_bytes,
            vmap_block_bytes: self.vmap_block_bytes + other.vmap_block_bytes,
            mapped_bytes: self.mapped_bytes + other.mapped_bytes,
            guard_bytes: self.guard_bytes + other.guard_bytes,
        }
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), Add::add)
    }
}
