//! [`KeptPages`]: the slots of an arena put aside, so that a checkpoint costs what has changed and not what exists.
//!
//! Slots are kept in pages of [`PAGE_SLOTS`], each packed into a few bytes a field and shared by every checkpoint since
//! which none of its slots has changed. A page that is packed again to the same bytes is the old one.

use std::sync::Arc;

use super::{Kind, VmapArea};

/// Slots in a page: few, so that changes here and there do not keep everything; enough, so that what a page costs
/// besides its slots is little.
pub(super) const PAGE_SLOTS: usize = 32;

/// The slots of an arena, packed.
#[derive(Debug, Clone, Default)]
pub(super) struct KeptPages {
    pages: Vec<Arc<[u8]>>,
}

impl KeptPages {
    /// Puts aside the pages of `slots` that are new or for which `changed` says so.
    pub(super) fn update(&mut self, slots: &[VmapArea], changed: &[bool]) {
        let mut packed = Vec::new();
        let n_pages = slots.len().div_ceil(PAGE_SLOTS);
        self.pages.truncate(n_pages);
        for (index, page) in slots.chunks(PAGE_SLOTS).enumerate() {
            let old = self.pages.get(index);
            if old.is_some() && !changed[index] {
                continue;
            }
            packed.clear();
            pack(page, &mut packed);
            match self.pages.get_mut(index) {
                Some(old) if **old == *packed => {}
                Some(old) => *old = Arc::from(packed.as_slice()),
                None => self.pages.push(Arc::from(packed.as_slice())),
            }
        }
    }

    /// Makes `slots`, which are as `own` says but for the pages in `changed`, those that are kept here: unpacks the pages
    /// that differ. Afterwards nothing is changed.
    pub(super) fn restore(&self, own: &mut Self, slots: &mut Vec<VmapArea>, changed: &mut Vec<bool>, n_slots: usize) {
        slots.resize(n_slots, VmapArea::default());
        changed.resize(self.pages.len(), true);
        own.pages.truncate(self.pages.len());
        for (index, (kept, page)) in self.pages.iter().zip(slots.chunks_mut(PAGE_SLOTS)).enumerate() {
            match own.pages.get_mut(index) {
                Some(old) if Arc::ptr_eq(old, kept) => {
                    if std::mem::take(&mut changed[index]) {
                        unpack(kept, page);
                    }
                    continue;
                }
                Some(old) => *old = Arc::clone(kept),
                None => own.pages.push(Arc::clone(kept)),
            }
            changed[index] = false;
            unpack(kept, page);
        }
    }

    /// Is the page the same one in both?
    pub(super) fn shares(&self, other: &Self, index: usize) -> bool {
        match (self.pages.get(index), other.pages.get(index)) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            _ => false,
        }
    }

    /// Takes over what another arena has kept.
    pub(super) fn adopt(&mut self, other: &Self) {
        self.pages.truncate(other.pages.len());
        for (index, page) in other.pages.iter().enumerate() {
            match self.pages.get_mut(index) {
                Some(own) if Arc::ptr_eq(own, page) => {}
                Some(own) => *own = Arc::clone(page),
                None => self.pages.push(Arc::clone(page)),
            }
        }
    }

    /// Memory held that `before` does not hold too, in bytes.
    pub(super) fn bytes_beside(&self, before: &Self) -> u64 {
        let own = self.pages.iter().enumerate().filter(|&(index, _)| !self.shares(before, index));
        own.map(|(_, page)| (page.len() + ARC_BYTES) as u64).sum::<u64>()
            + (self.pages.capacity() * size_of::<Arc<[u8]>>()) as u64
    }
}

/// What an `Arc` and the system's allocator take beside the bytes.
const ARC_BYTES: usize = 32;

/// Appends the slots, field by field.
fn pack(slots: &[VmapArea], out: &mut Vec<u8>) {
    let mut last_start = 0;
    for area in slots {
        let VmapArea { start, end, max, child, parent_colour, prev, next, born, owner, lazy, kind } = *area;
        // Nearly every boundary is a page's: four kilobytes are the smallest.
        put_address(out, start.wrapping_sub(last_start));
        put_address(out, end.wrapping_sub(start));
        put_address(out, max[0]);
        put_address(out, max[1]);
        for number in [child[0], child[1], parent_colour, prev, next, born.wrapping_add(1)] {
            put(out, u64::from(number));
        }
        put(out, u64::from(owner) << 3 | (kind as u64) << 1 | u64::from(lazy));
        last_start = start;
    }
}

/// The slots that [`pack`] has packed.
fn unpack(bytes: &[u8], slots: &mut [VmapArea]) {
    let mut rest = bytes;
    let mut last_start = 0_u64;
    for area in slots {
        let start = last_start.wrapping_add(take_address(&mut rest));
        let end = start.wrapping_add(take_address(&mut rest));
        let max = [take_address(&mut rest), take_address(&mut rest)];
        let mut number = || take(&mut rest) as u32;
        let child = [number(), number()];
        let (parent_colour, prev, next) = (number(), number(), number());
        let born = number().wrapping_sub(1);
        let owner = take(&mut rest);
        *area = VmapArea {
            start,
            end,
            max,
            child,
            parent_colour,
            prev,
            next,
            born,
            owner: (owner >> 3) as u32,
            lazy: owner & 1 == 1,
            kind: match owner >> 1 & 3 {
                0 => Kind::Other,
                1 => Kind::Free,
                _ => Kind::Busy,
            },
        };
        last_start = start;
    }
}

/// Bits of an address or a size that are nearly always zero.
const PAGE_BITS: u32 = 12;

/// A number that is nearly always whole pages, and seldom far from zero in either direction: the pages with the sign in the
/// lowest bit, so that a small difference is few bytes. Anything else is said to be, and kept as it is.
fn put_address(out: &mut Vec<u8>, value: u64) {
    if value.trailing_zeros() < PAGE_BITS {
        put(out, 1);
        return put(out, value.rotate_right(PAGE_BITS));
    }
    let pages = value.cast_signed() >> PAGE_BITS;
    let zigzag = (pages << 1) ^ (pages >> 63);
    put(out, zigzag.cast_unsigned() << 1);
}

fn take_address(rest: &mut &[u8]) -> u64 {
    match take(rest) {
        1 => take(rest).rotate_left(PAGE_BITS),
        packed => {
            let zigzag = packed >> 1;
            let pages = (zigzag >> 1) ^ (zigzag & 1).wrapping_neg();
            pages << PAGE_BITS
        }
    }
}

/// Seven bits a byte, the lowest first.
fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    let mut shift = 0;
    while let Some((&byte, after)) = rest.split_first() {
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 || shift >= 63 {
            break;
        }
        shift += 7;
    }
    value
}
