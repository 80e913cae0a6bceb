//! Numbers as few bytes, for what is put aside. Reading past the end gives zeros.

/// Seven bits a byte, the lowest first.
pub(super) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// What [`put`] has put.
#[inline]
pub(super) fn take(rest: &mut &[u8]) -> u64 {
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

#[inline]
pub(super) fn take_byte(rest: &mut &[u8]) -> u8 {
    let Some((&byte, after)) = rest.split_first() else { return 0 };
    *rest = after;
    byte
}

/// The lowest `n` bytes of a number.
#[inline]
pub(super) fn put_bytes(out: &mut Vec<u8>, value: u64, n: usize) {
    out.extend_from_slice(&value.to_le_bytes()[..n]);
}

/// What [`put_bytes`] has put.
#[inline]
pub(super) fn take_bytes(rest: &mut &[u8], n: usize) -> u64 {
    let (bytes, after) = rest.split_at(n.min(rest.len()));
    *rest = after;
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// How many bytes hold a number.
pub(super) fn bytes_of(value: u64) -> usize {
    (u64::BITS - value.leading_zeros()).div_ceil(8) as usize
}
