//! The exact default layout of the three vmalloc events, read without looking for anything.
//!
//! A line that differs in a single byte from what the kernel prints by default is left to the general grammar, which gives
//! the same for the lines that are read here: a property test holds the two together.
//!
//! ```text
//!     kworker/0:1-14      [000] d..1.     5.507958: free_vmap_area_noflush: va_start=0xff6e2d62404d8000 nr_lazy=95 nr_lazy_max=16384
//! 0               16       25  30   36    42     49
//! ```

use crate::digits::{address, decimal, hex16, six, three};
use crate::lex::after;
use crate::record::{Alloc, Body, Free, Prefix, Purge, Stamp};

/// An event, and the bytes of its line with the line's end.
pub(super) struct Event<'a> {
    pub(super) prefix: Prefix<'a>,
    pub(super) body: Body<'a>,
    pub(super) n_bytes: usize,
}

/// The window that the last request was given: nearly all requests of a trace have the same one or two.
#[derive(Debug, Clone)]
pub(super) struct Memo {
    text: [u8; WINDOW_BYTES],
    vstart: u64,
    vend: u64,
}

impl Default for Memo {
    fn default() -> Self {
        Self { text: [0; WINDOW_BYTES], vstart: 0, vend: 0 }
    }
}

/// Bytes of ` vstart=0xffffc90000000000 vend=0xffffe8ffffffffff`.
const WINDOW_BYTES: usize = 50;

/// Reads the line that `text` begins with.
#[inline]
pub(super) fn event<'a>(text: &'a [u8], memo: &mut Memo) -> Option<Event<'a>> {
    let (prefix, body) = prefix(text)?;
    let (body, rest) = if let Some(args) = body.strip_prefix(b"alloc_vmap_area: va_start: ") {
        alloc(args, memo)?
    } else if let Some(args) = body.strip_prefix(b"free_vmap_area_noflush: va_start=0x") {
        free(args)?
    } else {
        purge(body.strip_prefix(b"purge_vmap_area_lazy: start=0x")?)?
    };
    let rest = rest.strip_prefix(b"\n")?;
    Some(Event { prefix, body, n_bytes: text.len() - rest.len() })
}

/// Columns of what stands between the task's name and the seconds.
const FIXED: usize = 37;

#[inline]
fn prefix(text: &[u8]) -> Option<(Prefix<'_>, &[u8])> {
    let (head, rest) = text.split_first_chunk::<FIXED>()?;
    let [b'-', pid @ .., b' ', b'['] = after(head, 16).first_chunk::<10>()? else { return None };
    let [c0, c1, c2, b']', b' ', flags @ .., b' '] = after(head, 26).first_chunk::<11>()? else { return None };
    let (cpu, pid) = (three(*c0, *c1, *c2)?, padded_right(pid)?);
    if flags.iter().any(|byte| matches!(byte, b' ' | b':' | b'\n')) {
        return None;
    }
    let (seconds, rest) = padded_left(rest)?;
    let (micros, rest) = rest.split_first_chunk::<6>()?;
    let rest = rest.strip_prefix(b": ")?;
    let nanos = seconds.checked_mul(1_000_000_000)? + u64::from(six(*micros)?) * 1000;
    let comm = head.first_chunk::<16>()?;
    let pad = padding(comm)?;
    let stamp = Stamp::Nanos(nanos);
    Some((Prefix { comm: after(comm, pad), pid, tgid: None, cpu: Some(cpu), flags, stamp }, rest))
}

/// Blanks before a task's name, which must not hold a line end.
#[inline]
fn padding(comm: &[u8; 16]) -> Option<usize> {
    let word = u128::from_le_bytes(*comm);
    let ends = word ^ (0x0a * ONES);
    // A zero byte borrows from its highest bit; a false alarm above it only costs the fast path.
    let has_end = ends.wrapping_sub(ONES) & !ends & (0x80 * ONES) != 0;
    (!has_end).then(|| (word ^ (0x20 * ONES)).trailing_zeros() as usize / 8)
}

const ONES: u128 = 0x0101_0101_0101_0101_0101_0101_0101_0101;

/// `14     `: digits, then blanks.
#[inline]
fn padded_right(field: &[u8]) -> Option<i32> {
    let mut value = 0;
    let mut rest = field;
    while let [byte @ b'0'..=b'9', tail @ ..] = rest {
        value = value * 10 + i32::from(byte - b'0');
        rest = tail;
    }
    (rest.len() < field.len() && rest.iter().all(|byte| *byte == b' ')).then_some(value)
}

/// `    5.` and longer: blanks, then digits, then a point.
#[inline]
fn padded_left(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut rest = text;
    while let [b' ', tail @ ..] = rest {
        rest = tail;
    }
    let digits = rest;
    let mut value = 0_u64;
    while let [byte @ b'0'..=b'9', tail @ ..] = rest {
        value = value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
        rest = tail;
    }
    let n = digits.len() - rest.len();
    ((1..=10).contains(&n)).then_some(())?;
    Some((value, rest.strip_prefix(b".")?))
}

#[inline]
fn alloc<'a>(args: &'a [u8], memo: &mut Memo) -> Option<(Body<'a>, &'a [u8])> {
    let (va_start, rest) = address(args)?;
    let (size, rest) = decimal(rest.strip_prefix(b" size=")?)?;
    let (align, rest) = decimal(rest.strip_prefix(b" align=")?)?;
    let (text, rest) = rest.split_first_chunk::<WINDOW_BYTES>()?;
    if *text != memo.text {
        window(text, memo)?;
    }
    let failed = match rest.strip_prefix(b" failed=")? {
        [b'0', ..] => false,
        [b'1', ..] => true,
        _ => return None,
    };
    let alloc = Alloc { va_start, size, align, vstart: memo.vstart, vend: memo.vend, failed };
    Some((Body::Alloc(alloc), after(rest, 9)))
}

#[cold]
fn window(text: &[u8; WINDOW_BYTES], memo: &mut Memo) -> Option<()> {
    let (vstart, rest) = hex16(text.strip_prefix(b" vstart=0x")?)?;
    let (vend, _) = hex16(rest.strip_prefix(b" vend=0x")?)?;
    *memo = Memo { text: *text, vstart, vend };
    Some(())
}

#[inline]
fn free(args: &[u8]) -> Option<(Body<'_>, &[u8])> {
    let (va_start, rest) = hex16(args)?;
    let (nr_lazy, rest) = decimal(rest.strip_prefix(b" nr_lazy=")?)?;
    let (nr_lazy_max, rest) = decimal(rest.strip_prefix(b" nr_lazy_max=")?)?;
    Some((Body::Free(Free { va_start, nr_lazy, nr_lazy_max }), rest))
}

#[inline]
fn purge(args: &[u8]) -> Option<(Body<'_>, &[u8])> {
    let (start, rest) = hex16(args)?;
    let (end, rest) = hex16(rest.strip_prefix(b" end=0x")?)?;
    let (num_purged, rest) = decimal(rest.strip_prefix(b" num_purged=")?)?;
    Some((Body::Purge(Purge { start, end, num_purged }), rest))
}
