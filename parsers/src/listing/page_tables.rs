//! `kernel_page_tables` of debugfs: what is mapped in the vmalloc range.
//!
//! ```text
//! ---[ vmalloc() Area ]---
//! 0xffffc20000000000-0xffffc20000001000           4K     RW   PCD     GLB NX pte           x86
//! 0xffffc20000001000-0xffffc20000004000          12K                         pte           nothing is mapped
//! 0xffff800008010000-0xffff800008200000  1984K PTE ro x  SHD AF  UXN  MEM/NORMAL           arm64
//! 0xff20000000000000-0xff20000000004000  0x0000000081234000  16K PTE D A G . . W R V       riscv: physical address
//! 0xf0800000-0xf0801000           4K     RW NX SHD MEM/CACHED/WBWA                         32-bit ARM: no level
//! 0xf1000000-0xf100ffff  0x01234000  64K  r w  pte  valid  present                         powerpc: the last byte
//! ```
//!
//! A row says what page-table entries are alike, so a large area may have several rows and two areas that touch may
//! share one. What is mapped by nobody (a level and nothing else) gives no row.

use super::row::{self, Range};
use super::{Dialect, Read};
use crate::ProblemKind;
use crate::lex::{Lines, after, hex0x, trim, trim_start, upto};
use crate::vmallocinfo::Area;

/// Levels of a page table.
const LEVELS: [&[u8]; 5] = [b"pgd", b"p4d", b"pud", b"pmd", b"pte"];

/// What an entry says of memory, so that it must be mapped.
const ATTRIBUTES: [&[u8]; 12] =
    [b"RW", b"rw", b"ro", b"NX", b"x", b"SHD", b"GLB", b"W", b"R", b"V", b"present", b"valid"];

/// Walks over the sections.
#[derive(Debug)]
pub(super) struct Reader {
    /// The text has headings, so that rows outside the vmalloc section are none of ours.
    has_sections: bool,
    is_inside: bool,
}

/// What a row says.
struct Row {
    range: Range,
    phys: Option<u64>,
    bytes: u64,
    mapped: bool,
    /// A level was named.
    level: bool,
}

/// Whether only this listing has such a line: a heading, or a range with a size in units and entries' attributes.
pub(super) fn accepts(line: &[u8]) -> bool {
    section(line).is_some_and(|name| name.contains("vmalloc"))
        || read(line)
            .is_some_and(|row| matches!(row.range.sized(row.bytes), Ok((_, None))) && (row.level || row.mapped))
}

impl Reader {
    pub(super) fn new(dialect: Dialect, text: &[u8]) -> Self {
        let has_sections = dialect == Dialect::PageTables && Lines::new(text).any(|line| section(line.bytes).is_some());
        Self { has_sections, is_inside: false }
    }

    /// Reads a line.
    pub(super) fn line<'a>(&mut self, line: &'a [u8]) -> Read<'a> {
        if let Some(name) = section(line) {
            self.is_inside = name.contains("vmalloc") && !name.contains("end");
            return Read::Aside;
        }
        if self.has_sections && !self.is_inside {
            return Read::Aside;
        }
        let Some(row) = read(line) else {
            let is_row = row::find(line).is_some();
            return if is_row { Read::Bad(ProblemKind::BrokenRow) } else { Read::Aside };
        };
        if !row.mapped {
            return Read::Aside;
        }
        let before = trim(upto(line, row.range.at));
        let before = before.iter().any(|b| *b != b'|').then_some(ProblemKind::TextBeforeRow);
        match row.range.sized(row.bytes) {
            Ok((area, why)) => {
                let phys_digits = if row.phys.is_some() { area.address_digits } else { 0 };
                Read::Row(Area { phys: row.phys, phys_digits, ..area }, why.or(before))
            }
            Err(kind) => Read::Bad(kind),
        }
    }
}

/// The name in `---[ vmalloc() Area ]---`, in lower case.
fn section(line: &[u8]) -> Option<String> {
    let at = memchr::memmem::find(line, b"---[ ")?;
    let name = after(line, at + 5);
    let end = memchr::memmem::find(name, b" ]-")?;
    Some(String::from_utf8_lossy(name.get(..end)?).to_ascii_lowercase())
}

/// Range, physical address, size, level and attributes.
fn read(line: &[u8]) -> Option<Row> {
    let mut range = row::find(line).filter(|range| range.prefixed && !range.spaced)?;
    if range.end & (row::PAGE - 1) == row::PAGE - 1 {
        range.end = range.end.checked_add(1)?;
    }
    let tail = trim_start(after(line, range.until));
    let (tail, phys) = match hex0x(tail) {
        Ok((rest, phys)) => (trim_start(rest), Some(phys)),
        Err(_) => (tail, None),
    };
    let (rest, bytes) = row::size(tail)?;
    // The kernel always names the unit here, glued to the number.
    let has_unit = tail.iter().find(|b| !b.is_ascii_digit()).is_some_and(u8::is_ascii_uppercase);
    if !has_unit {
        return None;
    }
    let mut level = false;
    let mut mapped = false;
    let mut is_fault = false;
    for word in rest.split(|b| b" \t|".contains(b)).filter(|word| !word.is_empty()) {
        level |= LEVELS.iter().any(|name| name.eq_ignore_ascii_case(word));
        // An entry that is not valid keeps its other bits.
        is_fault |= word == b"F";
        mapped |= ATTRIBUTES.contains(&word) || word.starts_with(b"MEM/") || word.starts_with(b"DEVICE/");
    }
    Some(Row { range, phys, bytes, mapped: mapped && !is_fault, level })
}
