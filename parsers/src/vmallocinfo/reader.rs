//! The walk over a text: rows as the kernel prints them at once, everything else in stretches that are repaired.

use super::check::Checker;
use super::repair::Repair;
use super::{Area, Flags, Pointers, State, fast, row};
use crate::lex::{after, upto};
use crate::problem::{MAX_PROBLEMS, Problems};
use crate::stream::Window;
use crate::{Problem, ProblemKind};

/// Bytes of a damaged stretch after which it is repaired, if a row begins there.
const MAX_STRETCH: usize = 1 << 20;

/// Reads a text window by window; keeps only what a judgement of the whole file needs.
#[derive(Debug, Default)]
pub struct Reader {
    checker: Checker,
    repair: Repair,
    problems: Problems,
}

impl Reader {
    /// Nothing read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a row starts at this line, whatever stands before it: a place to cut a text into windows.
    #[inline]
    pub fn starts_row(line: &[u8]) -> bool {
        let digits = line.strip_prefix(b"0x").unwrap_or_default();
        digits.get(16..19) == Some(b"-0x") || digits.get(8..11) == Some(b"-0x")
    }

    /// Reads a text that is in memory, in one piece. What an earlier call read is no part of it.
    pub fn read<'a>(&mut self, text: &'a [u8], visit: &mut impl FnMut(&Area<'a>)) {
        self.window(Window::whole(text), visit);
    }

    /// Reads all rows of a window; answers with the number of the line after it.
    pub fn window<'a>(&mut self, window: Window<'a>, visit: &mut impl FnMut(&Area<'a>)) -> u32 {
        let text = window.bytes;
        let (mut at, mut line) = (0, window.line);
        let mut area = Area::new(0, 0, 0);
        let mut callers = fast::Callers::default();
        while at < text.len() {
            let rest = after(text, at);
            let offset = window.offset + at as u64;
            (area.line, area.offset) = (line, offset);
            let known = fast::fill(rest, &mut area, &mut callers);
            let end = known.or_else(|| memchr::memchr(b'\n', rest)).unwrap_or(rest.len());
            let n = rest.len().min(end + 1);
            let (head, tail) = rest.split_at(n);
            let bytes = upto(head, end);
            // A row is over if another one or nothing follows.
            let is_over = tail.is_empty() || Self::starts_row(tail);
            // A text that stops inside its last row looks like one that is whole if a number was cut.
            let may_be_cut = tail.is_empty() && head.len() == bytes.len();
            let is_row = known.is_some()
                || row::exact(bytes).is_some_and(|exact| {
                    area = Area { line, offset, ..exact };
                    true
                });
            if is_row && is_over && !(may_be_cut && ends_open(&area)) {
                self.checker.add(&area);
                visit(&area);
                at += n;
                line = line.saturating_add(1);
                continue;
            }
            let n = stretch(rest);
            let piece = Window { bytes: upto(rest, n), offset, line, last: window.last && rest.len() == n };
            line = self.repair.stretch(piece, rest, &mut self.checker, &mut self.problems, visit);
            at += n;
        }
        line
    }

    /// What the address columns show, and the damaged, repaired and impossible places, by line.
    pub fn finish(self) -> (Pointers, Vec<Problem>) {
        let (pointers, mut problems) = self.checker.finish();
        // What is wrong with the rows weighs more than how they were repaired.
        let mut repairs = self.problems.into_list();
        let room = MAX_PROBLEMS.saturating_sub(problems.len());
        if room < repairs.len() {
            repairs.truncate(room);
            if let Some(last) = repairs.last().or(problems.last()).cloned() {
                repairs.push(Problem { kind: ProblemKind::More, ..last });
            }
        }
        problems.append(&mut repairs);
        problems.sort_by_key(|problem| problem.line);
        (pointers, problems)
    }
}

/// Whether a row ends before it says what the area is for, and could have gone on if the text did.
pub(super) fn ends_open(area: &Area<'_>) -> bool {
    let is_told = area.flags != Flags::default() || area.state != State::Busy || !area.nodes.is_empty();
    let is_whole = area.caller.is_none() && area.pages.is_none() && area.phys.is_none();
    let is_real = area.end.checked_sub(area.start) == Some(area.size) && !area.unready;
    !is_told && (!is_whole || !is_real)
}

/// How many bytes belong to a damaged stretch: up to the next line that begins as a row does.
fn stretch(text: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let rest = after(text, at);
        let Some(end) = memchr::memchr(b'\n', rest) else { return text.len() };
        at += end + 1;
        let next = after(text, at);
        let long = MAX_STRETCH < at;
        if Reader::starts_row(next)
            || long && super::repair::holds_row(upto(next, memchr::memchr(b'\n', next).unwrap_or(next.len())))
        {
            return at;
        }
    }
}
