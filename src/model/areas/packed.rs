//! Slots of areas as few bytes: those of a page that differ from others.
//!
//! ```text
//! page   ids: u8, bytes of a slot's number in the low half, of a record's in the high half
//!        which: u64, the slots that follow
//! slot   head: u8
//!        more: u8                if the head says so
//!        start, length           pages, as numbers of seven bits a byte; start less the slot's before it
//!        left, right, born       as the head says
//!        owner, max, parent, prev, next   as `more` says
//! ```

use super::{Kind, LEFT, RIGHT, VmapArea};
use crate::model::varint::{put, take, take_byte};

/// Slots in a page: a word has a bit for each.
pub(super) const PAGE_SLOTS: usize = 64;

/// What becomes of the links of areas that are in a tree and in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Links {
    /// They are kept.
    #[default]
    Kept,
    /// Children are kept; all else follows from them.
    Found,
}

/// Bits of `head`. The lowest two are the kind.
mod head {
    pub(super) const KIND: u8 = 3;
    pub(super) const LAZY: u8 = 4;
    pub(super) const BLACK: u8 = 8;
    pub(super) const LEFT: u8 = 16;
    pub(super) const RIGHT: u8 = 32;
    pub(super) const BORN: u8 = 64;
    pub(super) const MORE: u8 = 128;
}

/// Bits of `more`.
mod more {
    pub(super) const RANGE: u8 = 1;
    pub(super) const OWNER: u8 = 2;
    pub(super) const MAX: [u8; 2] = [4, 8];
    pub(super) const PARENT: u8 = 16;
    pub(super) const PREV: u8 = 32;
    pub(super) const NEXT: u8 = 64;
}

/// Appends what of `slots` is not as in `before`.
pub(super) fn pack(slots: &[VmapArea], before: &[VmapArea; PAGE_SLOTS], links: Links, out: &mut Vec<u8>) {
    let mut which = 0_u64;
    let (mut id_bits, mut born_bits) = (0, 0);
    for (at, (area, old)) in slots.iter().zip(before).enumerate() {
        let area = stored(area, links);
        if area != stored(old, links) {
            which |= 1 << at;
            id_bits |= area.child[LEFT] | area.child[RIGHT] | area.parent_colour >> 1 | area.prev | area.next;
            born_bits |= area.born.wrapping_add(1);
        }
    }
    let (id_bytes, born_bytes) = (bytes_of(id_bits), bytes_of(born_bits));
    out.push((born_bytes << 4 | id_bytes) as u8);
    out.extend_from_slice(&which.to_le_bytes());
    let mut last_start = 0;
    for (at, area) in slots.iter().enumerate() {
        if which >> at & 1 == 1 {
            put_slot(&stored(area, links), (id_bytes, born_bytes), &mut last_start, out);
        }
    }
}

/// The slots that [`pack`] has packed, into a page that is as it was `before`.
pub(super) fn unpack(bytes: &[u8], slots: &mut [VmapArea]) {
    let Some((&widths, rest)) = bytes.split_first() else { return };
    let Some((which, mut rest)) = rest.split_first_chunk() else { return };
    let widths = (usize::from(widths & 15), usize::from(widths >> 4));
    let mut which = u64::from_le_bytes(*which);
    let mut last_start = 0;
    while which != 0 {
        let at = which.trailing_zeros() as usize;
        which &= which - 1;
        let area = take_slot(widths, &mut last_start, &mut rest);
        if let Some(slot) = slots.get_mut(at) {
            *slot = area;
        }
    }
}

/// The slot without what can be found again.
#[inline]
fn stored(area: &VmapArea, links: Links) -> VmapArea {
    if links == Links::Kept || area.kind == Kind::Other {
        return *area;
    }
    VmapArea { max: [0; 2], parent_colour: area.parent_colour & 1, prev: 0, next: 0, ..*area }
}

fn put_slot(area: &VmapArea, (id_bytes, born_bytes): (usize, usize), last_start: &mut u64, out: &mut Vec<u8>) {
    let VmapArea { start, end, max, child, parent_colour, prev, next, born, owner, lazy, kind } = *area;
    let parent = parent_colour >> 1;
    let when = |is: bool, bit: u8| if is { bit } else { 0 };
    let more = when(start | end != 0, more::RANGE)
        | when(owner != 0, more::OWNER)
        | when(max[LEFT] != 0, more::MAX[LEFT])
        | when(max[RIGHT] != 0, more::MAX[RIGHT])
        | when(parent != 0, more::PARENT)
        | when(prev != 0, more::PREV)
        | when(next != 0, more::NEXT);
    let head = kind as u8
        | when(lazy, head::LAZY)
        | when(parent_colour & 1 == 1, head::BLACK)
        | when(child[LEFT] != 0, head::LEFT)
        | when(child[RIGHT] != 0, head::RIGHT)
        | when(born != VmapArea::UNBORN, head::BORN)
        | when(more != more::RANGE, head::MORE);
    out.push(head);
    if head & head::MORE != 0 {
        out.push(more);
    }
    if more & more::RANGE != 0 {
        put_address(out, start.wrapping_sub(*last_start));
        put_address(out, end.wrapping_sub(start));
        *last_start = start;
    }
    let mut put_if = |is: bool, number: u32, n: usize| {
        if is {
            out.extend_from_slice(&number.to_le_bytes()[..n]);
        }
    };
    put_if(head & head::LEFT != 0, child[LEFT], id_bytes);
    put_if(head & head::RIGHT != 0, child[RIGHT], id_bytes);
    put_if(head & head::BORN != 0, born.wrapping_add(1), born_bytes);
    if head & head::MORE != 0 {
        put_if(parent != 0, parent, id_bytes);
        put_if(prev != 0, prev, id_bytes);
        put_if(next != 0, next, id_bytes);
        for (bit, number) in
            [(more::OWNER, u64::from(owner)), (more::MAX[LEFT], max[LEFT]), (more::MAX[RIGHT], max[RIGHT])]
        {
            if more & bit != 0 {
                put_address(out, number);
            }
        }
    }
}

#[inline]
fn take_slot((id_bytes, born_bytes): (usize, usize), last_start: &mut u64, rest: &mut &[u8]) -> VmapArea {
    let head = take_byte(rest);
    let more = if head & head::MORE != 0 { take_byte(rest) } else { more::RANGE };
    let mut area = VmapArea { born: VmapArea::UNBORN, ..VmapArea::default() };
    if more & more::RANGE != 0 {
        area.start = last_start.wrapping_add(take_address(rest));
        area.end = area.start.wrapping_add(take_address(rest));
        *last_start = area.start;
    }
    let mut take_if = |is: bool, n: usize| if is { take_number(rest, n) } else { 0 };
    area.child = [take_if(head & head::LEFT != 0, id_bytes), take_if(head & head::RIGHT != 0, id_bytes)];
    if head & head::BORN != 0 {
        area.born = take_if(true, born_bytes).wrapping_sub(1);
    }
    area.parent_colour = u32::from(head & head::BLACK != 0);
    area.lazy = head & head::LAZY != 0;
    area.kind = match head & head::KIND {
        0 => Kind::Other,
        1 => Kind::Free,
        _ => Kind::Busy,
    };
    if head & head::MORE != 0 {
        area.parent_colour |= take_if(more & more::PARENT != 0, id_bytes) << 1;
        area.prev = take_if(more & more::PREV != 0, id_bytes);
        area.next = take_if(more & more::NEXT != 0, id_bytes);
        let mut take_if = |is: bool| if is { take_address(rest) } else { 0 };
        area.owner = take_if(more & more::OWNER != 0) as u32;
        area.max = more::MAX.map(|bit| take_if(more & bit != 0));
    }
    area
}

/// Bytes that hold a number.
fn bytes_of(number: u32) -> usize {
    (u32::BITS - number.leading_zeros()).div_ceil(8) as usize
}

#[inline]
fn take_number(rest: &mut &[u8], n: usize) -> u32 {
    if let Some(word) = rest.first_chunk() {
        // Mostly there is more behind it: one load.
        *rest = &rest[n..];
        let unwanted = 32 - 8 * n as u32;
        return if n == 0 { 0 } else { u32::from_le_bytes(*word) << unwanted >> unwanted };
    }
    (0..n).fold(0, |number, at| number | u32::from(take_byte(rest)) << (8 * at))
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

#[inline]
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
