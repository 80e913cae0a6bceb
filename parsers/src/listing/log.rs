//! What kernels write of areas to their log: a vendor's dump at a failure, and the registers of an oops.
//!
//! ```text
//! [ 1795.599602@3] dump_vmalloc, va:f114b000-f114d000, size:00000008 KB, alloc:of_iomap
//! [    2.522992] Register r12 information: 2-page vmalloc region starting at 0xf0aa8000 allocated at foo+0xb4/0x39c
//! ```
//!
//! Other lines of the log are none of ours, so they are no problem either.

use super::row::{self, PAGE, address, caller, module};
use super::{Dialect, Read};
use crate::ProblemKind;
use crate::lex::{after, decimal, trim, trim_start, upto};
use crate::vmallocinfo::{Area, Caller};

const DUMP: &[u8] = b"dump_vmalloc";
const REGION: &[u8] = b"-page vmalloc region starting at ";

/// The dialect of a log line that names an area.
pub(super) fn accepts(line: &[u8]) -> Option<Dialect> {
    if let Read::Row(..) = amlogic(line) {
        return Some(Dialect::Amlogic);
    }
    matches!(oops(line, &[]), Read::Row(..)).then_some(Dialect::ArmOops)
}

/// Reads a line of Amlogic's dump.
pub(super) fn amlogic(line: &[u8]) -> Read<'_> {
    let Some(text) = behind(line, DUMP) else { return Read::Aside };
    let Some(range) = row::find(text) else {
        // The dump's first and last lines have the function's name as well, but no addresses.
        return if behind(text, b"va:").is_some() { Read::Bad(ProblemKind::BrokenRow) } else { Read::Aside };
    };
    let tail = after(text, range.until);
    let found = match behind(tail, b"size:").and_then(|text| row::size(trim_start(text))) {
        Some((_, bytes)) => range.sized(bytes),
        None => range.unsized_area().map(|area| (area, Some(ProblemKind::SizeComputed))),
    };
    let caller = behind(tail, b"alloc:").and_then(|text| called(trim_start(text)));
    match found {
        Ok((area, why)) => Read::Row(Area { caller, ..area }, why),
        Err(kind) => Read::Bad(kind),
    }
}

/// Reads a line about a register. Several registers may point into one area: it is one row.
pub(super) fn oops<'a>(line: &'a [u8], known: &[Area<'_>]) -> Read<'a> {
    let Some(at) = memchr::memmem::find(line, REGION) else { return Read::Aside };
    let Some(pages) = number_before(upto(line, at)) else { return Read::Bad(ProblemKind::BrokenRow) };
    let found = address(after(line, at + REGION.len()));
    let sized = pages.checked_mul(PAGE).zip(found);
    let Some((bytes, (tail, start, digits))) = sized else { return Read::Bad(ProblemKind::BrokenRow) };
    let end = start.checked_add(bytes).filter(|_| start.is_multiple_of(PAGE));
    let Some(end) = end else { return Read::Bad(ProblemKind::BrokenRow) };
    if known.iter().any(|area| area.start == start && area.end == end) {
        return Read::Again;
    }
    let mut area = row::area(start, end, digits);
    area.caller = behind(tail, b"allocated at ").and_then(called);
    if pages == 0 {
        // An area whose pages are not the allocator's own: only the place is told.
        return Read::Row(area, Some(ProblemKind::SizeUntold));
    }
    area.pages = Some(pages);
    Read::Row(area, None)
}

/// What stands behind a word.
fn behind<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    memchr::memmem::find(text, word).map(|at| after(text, at + word.len()))
}

/// The number that ends a text.
fn number_before(text: &[u8]) -> Option<u64> {
    let n = text.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    decimal(after(text, text.len() - n)).ok().map(|(_, value)| value)
}

/// The caller at the start of a text, with its module.
fn called(text: &[u8]) -> Option<Caller<'_>> {
    let mut words = trim(text).split(|b| b" \t,".contains(b)).filter(|word| !word.is_empty());
    let found = caller(words.next()?)?;
    Some(Caller { module: words.next().and_then(module), ..found })
}
