//! Text in windows, so that nothing holds the whole of a large input.
//!
//! A window is cut only before a line at which an item starts whatever stands before it. What one window leaves behind for
//! the next (line numbers, the layout, the problems) is the state of a [`Form`].

use std::io::{self, ErrorKind, Read};

use crate::ftrace::Header;
use crate::lex::{after, trim_cr, upto};
use crate::record::Record;
use crate::{Problem, ProblemKind};

/// Longest line that is read, in bytes; a longer one is a problem.
pub const MAX_LINE: usize = 1 << 20;
/// Bytes of a window, if its items are small.
pub const WINDOW: usize = 256 * 1024;
/// A window that holds no place to cut grows up to here and is then cut at any line.
const MAX_WINDOW: usize = 8 * MAX_LINE;

/// A piece of a text: whole lines, unless it is the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window<'a> {
    /// The lines.
    pub bytes: &'a [u8],
    /// Where its first byte is in the input.
    pub offset: u64,
    /// Number of its first line, from 1.
    pub line: u32,
    /// Nothing follows.
    pub last: bool,
}

impl<'a> Window<'a> {
    /// An input in one piece.
    pub fn whole(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0, line: 1, last: true }
    }
}

/// A form that traces come in: what a reader keeps from one window to the next.
pub trait Form {
    /// Whether an item starts at this line, whatever stands before it.
    fn starts_item(line: &[u8]) -> bool;

    /// Reads all items of a window; answers with the number of the line after it.
    fn window(&mut self, window: Window<'_>, visit: &mut impl FnMut(&Record<'_>)) -> u32;

    /// What the whole input said about itself, and its damaged places.
    fn finish(self) -> (Header, Vec<Problem>);
}

/// Reads a whole input window by window.
///
/// # Errors
/// What `source` fails with; what was read before has been visited.
pub fn read<F: Form>(source: impl Read, form: &mut F, visit: &mut impl FnMut(&Record<'_>)) -> io::Result<()> {
    windows(source, F::starts_item, |window| form.window(window, visit))
}

/// Reads an input that is in memory, in one window.
pub fn read_slice<F: Form>(bytes: &[u8], mut form: F, visit: &mut impl FnMut(&Record<'_>)) -> (Header, Vec<Problem>) {
    form.window(Window::whole(bytes), visit);
    form.finish()
}

/// Cuts what `source` yields into windows; the buffer is used again. `each` answers with the number of the line after its
/// window.
///
/// # Errors
/// What `source` fails with, after the window of what was read before.
pub fn windows(
    source: impl Read,
    starts_item: impl Fn(&[u8]) -> bool,
    each: impl FnMut(Window<'_>) -> u32,
) -> io::Result<()> {
    windows_of(WINDOW, source, starts_item, each)
}

/// The same with windows of `size` bytes, for tests.
///
/// # Errors
/// As [`windows`].
pub fn windows_of(
    size: usize,
    mut source: impl Read,
    starts_item: impl Fn(&[u8]) -> bool,
    mut each: impl FnMut(Window<'_>) -> u32,
) -> io::Result<()> {
    let mut buffer = vec![0; size.max(1)];
    let (mut filled, mut offset, mut line) = (0, 0_u64, 1_u32);
    loop {
        let (n, end) = fill(&mut source, buffer.get_mut(filled..).unwrap_or_default());
        filled += n;
        let held = upto(&buffer, filled);
        let cut = match end {
            Some(_) => filled,
            None => cut(held, &starts_item, buffer.len() < MAX_WINDOW).unwrap_or(0),
        };
        if 0 < cut || end.is_some() {
            let bytes = upto(held, cut);
            line = each(Window { bytes, offset, line, last: end.is_some() });
            offset += cut as u64;
        }
        if let Some(end) = end {
            return end;
        }
        let is_cut_line = 0 < cut && held.get(cut - 1) != Some(&b'\n');
        buffer.copy_within(cut..filled, 0);
        filled -= cut;
        if is_cut_line {
            let (passed, end) = pass_line(&mut source, &mut buffer, &mut filled);
            offset += passed;
            if let Some(end) = end {
                each(Window { bytes: &[], offset, line, last: true });
                return end;
            }
        }
        if cut == 0 {
            let grown = (buffer.len() * 2).min(MAX_WINDOW);
            buffer.resize(grown, 0);
        }
    }
}

/// Fills a buffer; the second value is there when nothing follows.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> (usize, Option<io::Result<()>>) {
    let mut n = 0;
    while let Some(room) = buffer.get_mut(n..).filter(|room| !room.is_empty()) {
        match source.read(room) {
            Ok(0) => return (n, Some(Ok(()))),
            Ok(more) => n += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (n, Some(Err(error))),
        }
    }
    (n, None)
}

/// Passes over the rest of a line; what was read behind it stays in the buffer.
fn pass_line(source: &mut impl Read, buffer: &mut [u8], filled: &mut usize) -> (u64, Option<io::Result<()>>) {
    let mut passed = 0;
    loop {
        let (n, end) = fill(source, buffer);
        if let Some(at) = memchr::memchr(b'\n', upto(buffer, n)) {
            buffer.copy_within(at + 1..n, 0);
            *filled = n - at - 1;
            // An end is found again by the next read.
            return (passed + at as u64 + 1, end.filter(Result::is_err));
        }
        passed += n as u64;
        if end.is_some() {
            *filled = 0;
            return (passed, end);
        }
    }
}

/// Lines that are looked at for a place to cut, from the end, before the window grows.
const LOOKED_AT: usize = 4096;

/// Whether a line can be the first half of a task's name with a line end in it, to which the next line then belongs.
fn is_half_a_name(line: &[u8]) -> bool {
    (1..16).contains(&trim_cr(line).len())
}

/// Where the last item of a window starts, which may be incomplete. A window that may not grow any more is cut behind
/// its last line.
fn cut(held: &[u8], starts_item: &impl Fn(&[u8]) -> bool, may_grow: bool) -> Option<usize> {
    let mut end = memchr::memrchr(b'\n', held);
    for _ in 0..LOOKED_AT {
        let Some(line_end) = end else { break };
        let start = memchr::memrchr(b'\n', upto(held, line_end));
        let begin = start.map_or(0, |start| start + 1);
        let above = start.map_or(held, |start| upto(held, start));
        let above = after(above, memchr::memrchr(b'\n', above).map_or(0, |at| at + 1));
        if 0 < begin && !is_half_a_name(above) && held.get(begin..line_end).is_some_and(starts_item) {
            return Some(begin);
        }
        end = start;
    }
    if may_grow {
        return None;
    }
    // A single line without an end: the reader says that it is too long; its rest is skipped likewise.
    Some(memchr::memrchr(b'\n', held).map_or(held.len(), |at| at + 1))
}

/// The problem of a line that is too long.
pub(crate) fn too_long(line: u32, offset: u64) -> Problem {
    Problem { line, column: 1, offset, kind: ProblemKind::LineTooLong }
}
