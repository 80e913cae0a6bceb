//! `kmem -v` of crash, and of drgn's imitation of it.
//!
//! ```text
//!    VMAP_AREA         VM_STRUCT                 ADDRESS RANGE                SIZE
//! ffff90ba01053ec0  ffff90ba011529c0  ffffab3ec0000000 - ffffab3ec0005000    20480
//!
//!  VM_STRUCT      ADDRESS RANGE       SIZE        before kernels had a vmap_area
//! c3fe0a40    c4800000 - c4802000     8192
//! ```

use super::Read;
use super::row::{self, Range, is_prompt};
use crate::ProblemKind;
use crate::lex::{after, decimal, nibble, trim, trim_start, upto};

/// The columns before the range: `vmap_area` and `vm_struct`.
const MAX_POINTERS: usize = 2;

/// Whether a line is a row or the heading of this listing.
pub(super) fn accepts(line: &[u8]) -> bool {
    if is_heading(line) {
        return true;
    }
    let Some(range) = row::find(line).filter(Range::is_sound) else { return false };
    let (rest, pointers) = pointers(upto(line, range.at));
    let size = decimal(trim_start(after(line, range.until)));
    let exact = size.is_ok_and(|(tail, bytes)| trim(tail).is_empty() && bytes == range.end - range.start);
    exact && 0 < pointers && range.spaced && trim(rest).iter().all(|b| !b.is_ascii_digit())
}

fn is_heading(line: &[u8]) -> bool {
    let has = |name: &[u8]| memchr::memmem::find(line, name).is_some();
    has(b"VM_STRUCT") && (has(b"VMAP_AREA") || has(b"ADDRESS RANGE")) && !has(b"0x")
}

/// Reads a line.
pub(super) fn line(line: &[u8]) -> Read<'_> {
    if is_heading(line) || is_prompt(line) {
        return Read::Aside;
    }
    let Some(range) = row::find(line) else { return Read::Bad(ProblemKind::NotARow) };
    let (before, _) = pointers(upto(line, range.at));
    let before = (!trim(before).is_empty()).then_some(ProblemKind::TextBeforeRow);
    let tail = trim_start(after(line, range.until));
    let (rest, found) = match decimal(tail) {
        Ok((rest, bytes)) => (trim(rest), range.sized(bytes)),
        Err(_) if tail.is_empty() => (tail, range.unsized_area().map(|area| (area, Some(ProblemKind::SizeComputed)))),
        Err(_) => return Read::Bad(ProblemKind::BrokenRow),
    };
    match found {
        Ok((area, why)) => Read::Row(area, why.or(before).or_else(|| unknown(rest))),
        Err(kind) => Read::Bad(kind),
    }
}

/// What stands behind the size, where nothing should.
fn unknown(rest: &[u8]) -> Option<ProblemKind> {
    let word = || String::from_utf8_lossy(upto(rest, 64)).into_owned();
    (!rest.is_empty()).then(|| ProblemKind::UnknownWord(word()))
}

/// Takes the addresses off the end of what stands before a range: the rest, and how many they are.
fn pointers(text: &[u8]) -> (&[u8], usize) {
    let mut rest = text;
    for taken in 0..MAX_POINTERS {
        let end = trim(rest).len() + (rest.len() - trim_start(rest).len());
        let head = upto(rest, end);
        let at = head.iter().rposition(|b| b" \t".contains(b)).map_or(0, |blank| blank + 1);
        let word = after(head, at);
        let digits = word.strip_prefix(b"0x").unwrap_or(word);
        if digits.len() < 4 || digits.iter().any(|&b| 15 < nibble(b)) {
            return (rest, taken);
        }
        rest = upto(rest, at);
    }
    (rest, MAX_POINTERS)
}
