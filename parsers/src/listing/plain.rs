//! Listings that follow `/proc/vmallocinfo` but spell callers their own way: drgn, gdb, a Perl script for crash.
//!
//! ```text
//! 0xffff800080000000-0xffff800080005000      20480 start_kernel pages=4 vmalloc        drgn
//! 0xffff800080000000-0xffff800080005000      20480 <start_kernel+496> pages=4 vmalloc  gdb
//! ffff800080000000 - ffff800080005000   20480                         start_kernel     Perl
//! ```

use super::row::{self, Range, is_prompt, words};
use super::{Dialect, Read};
use crate::ProblemKind;
use crate::lex::{after, decimal, trim, trim_end, trim_start, upto};
use crate::vmallocinfo::Caller;

/// The dialect of a row whose caller only that one spells so.
pub(super) fn accepts(line: &[u8]) -> Option<Dialect> {
    let range = row::find(line).filter(Range::is_sound)?;
    let (tail, bytes) = size_of(after(line, range.until))?;
    let mut area = range.area();
    if bytes != area.size || words(&mut area, tail).is_some() {
        return None;
    }
    let Caller { length: 0, symbol, module: None, .. } = area.caller? else { return None };
    if symbol.starts_with(b"0x") {
        return None;
    }
    let tail = trim_end(tail);
    let text = trim_start(tail);
    if text.starts_with(b"<") || memchr::memmem::find(tail, b" <").is_some() {
        return Some(Dialect::Gdb);
    }
    if !range.prefixed && range.spaced {
        let aligned = tail.len() - text.len() != 1;
        return aligned.then_some(Dialect::Perl);
    }
    // A name alone could be a flag that some vendor's kernel prints; something known has to follow.
    let is_alone = text.get(symbol.len()).is_some_and(u8::is_ascii_whitespace);
    (is_alone && range.prefixed && !range.spaced).then_some(Dialect::Drgn)
}

/// Reads a line.
pub(super) fn line(dialect: Dialect, line: &[u8]) -> Read<'_> {
    let Some(range) = row::find(line) else {
        return if is_prompt(line) || is_heading(line) { Read::Aside } else { Read::Bad(ProblemKind::NotARow) };
    };
    let mut before = (!trim(upto(line, range.at)).is_empty()).then_some(ProblemKind::TextBeforeRow);
    if (dialect != Dialect::Perl) == (range.spaced || !range.prefixed) {
        before = before.or(Some(ProblemKind::Respelt));
    }
    let tail = after(line, range.until);
    let (tail, found) = match size_of(tail) {
        Some((tail, bytes)) => (tail, range.sized(bytes)),
        // The size was cut with the rest of the row.
        None if trim(tail).is_empty() => {
            (&[][..], range.unsized_area().map(|area| (area, Some(ProblemKind::SizeComputed))))
        }
        None if dialect == Dialect::Perl => (tail, range.unsized_area().map(|area| (area, None))),
        None => return Read::Bad(ProblemKind::BrokenRow),
    };
    match found {
        Ok((mut area, why)) => {
            let unknown = words(&mut area, tail);
            Read::Row(area, why.or(before).or(unknown))
        }
        Err(kind) => Read::Bad(kind),
    }
}

/// The size column and what follows.
fn size_of(tail: &[u8]) -> Option<(&[u8], u64)> {
    let (rest, bytes) = decimal(trim_start(tail)).ok()?;
    let apart = tail.first().is_some_and(u8::is_ascii_whitespace);
    (apart && rest.first().is_none_or(u8::is_ascii_whitespace)).then_some((rest, bytes))
}

/// Column names and rules: words without digits, or a row of marks.
fn is_heading(line: &[u8]) -> bool {
    let line = trim(line);
    line.iter().all(|b| b"-=+|_ ".contains(b))
        || [&b"ADDRESS"[..], b"START", b"Start", b"CALLER"]
            .iter()
            .any(|name| memchr::memmem::find(line, name).is_some() && !line.iter().any(u8::is_ascii_digit))
}
