//! Lines that need more than their own columns: names with line ends, kernel logs, remarks between events.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::opt;
use nom::sequence::{delimited, preceded, terminated};

use super::prefix;
use crate::lex::{self, Line, Lines, decimal, lit, offset_in, upto};
use crate::record::Prefix;

/// Splits a line at the columns that the layouts use, joining it with the lines after it if the task's name
/// holds line ends. Hands out the place after the line as well.
pub(super) fn prefixed<'a>(
    input: &'a [u8],
    line: Line<'a>,
    next: &Lines<'a>,
) -> Option<(Line<'a>, Lines<'a>, Prefix<'a>, &'a [u8])> {
    [prefix::TASK, prefix::SHORT_TASK].into_iter().find_map(|columns| {
        let (whole, next, columns) = joined(input, line, next, columns);
        prefix::split_at(whole.bytes, columns).map(|(prefix, text)| (whole, next, prefix, text))
    })
}

/// Whether a line has a prefix at the columns that the layouts use.
pub(super) fn starts_item(line: &[u8]) -> bool {
    [prefix::TASK, prefix::SHORT_TASK].into_iter().any(|columns| prefix::split_at(line, columns).is_some())
}

/// The line, lengthened by those that follow while a line end lies within its first `columns` bytes. Carriage
/// returns that a copy added move the columns.
fn joined<'a>(input: &'a [u8], line: Line<'a>, next: &Lines<'a>, mut columns: usize) -> (Line<'a>, Lines<'a>, usize) {
    let mut whole = line;
    let mut next = next.clone();
    while whole.ended && whole.bytes.len() < columns {
        let mut ahead = next.clone();
        // What is an item by itself continues nothing.
        let Some(more) = ahead.next().filter(|more| !starts_item(more.bytes)) else { break };
        let start = offset_in(input, line.bytes);
        let Some(bytes) = input.get(start..more.start + more.bytes.len()) else { break };
        columns += usize::from(input.get(more.start.wrapping_sub(2)) == Some(&b'\r'));
        whole = Line { bytes, ended: more.ended, ..whole };
        next = ahead;
    }
    (whole, next, columns)
}

/// `##### CPU 1 buffer started ####`
pub(super) fn buffer_started(line: &[u8]) -> Option<u16> {
    let (_, cpu) = delimited(lit(b"##### CPU "), decimal, lit(b" buffer started")).parse(line).ok()?;
    u16::try_from(cpu).ok()
}

/// `CPU:0 [LOST 2718 EVENTS]`, or `CPU:0 [LOST EVENTS]`.
pub(super) fn lost(line: &[u8]) -> Option<(u16, Option<u64>)> {
    let (rest, cpu) = delimited(lit(b"CPU:"), decimal, lit(b" [")).parse(line).ok()?;
    let (_, count) = delimited(lit(b"LOST "), opt(terminated(decimal, lit(b" "))), lit(b"EVENTS]")).parse(rest).ok()?;
    Some((u16::try_from(cpu).ok()?, count))
}

/// What follows the time of a kernel log line, `[   99.123456] ` or `[   99.123456][T1] `, which itself may follow the
/// date that a syslog daemon writes.
pub(super) fn log_text(line: &[u8]) -> Option<&[u8]> {
    let start = memchr::memmem::find(upto(line, 96), b"kernel: ").map(|at| lex::after(line, at + 8));
    let line = start.unwrap_or(line);
    let time = (lit(b"["), lex::blanks, decimal, lit(b"."), decimal, lit(b"]"));
    let caller = opt((alt((lit(b"["), lit(b" ["))), lex::blanks, alt((lit(b"T"), lit(b"C"))), decimal, lit(b"]")));
    match preceded((time, caller), lit(b" ")).parse(line) {
        Ok((text, ())) => Some(text),
        Err(_) => start,
    }
}
