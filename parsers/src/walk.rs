//! The lines of a window, one after the other, with their places in the whole input.

use crate::lex::{Line, Lines, column, offset_in, trim};
use crate::problem::Problems;
use crate::stream::{MAX_LINE, Window, too_long};
use crate::{Problem, ProblemKind};

/// A walk over one window; what outlives the window is in the form that walks.
#[derive(Debug, Clone)]
pub(crate) struct Walk<'a> {
    pub(crate) window: Window<'a>,
    pub(crate) lines: Lines<'a>,
}

impl<'a> Walk<'a> {
    /// Stands before the window's first line.
    pub(crate) fn new(window: Window<'a>) -> Self {
        Self { window, lines: Lines::of_window(&window) }
    }

    /// The next line that is short enough to be looked at.
    #[inline]
    pub(crate) fn next(&mut self, problems: &mut Problems) -> Option<Line<'a>> {
        loop {
            let line = self.lines.next()?;
            if line.bytes.len() <= MAX_LINE {
                return Some(line);
            }
            problems.push(too_long(line.number, self.offset(line)));
        }
    }

    /// Where a line starts in the input.
    #[inline]
    pub(crate) fn offset(&self, line: Line<'_>) -> u64 {
        self.window.offset + line.start as u64
    }

    /// The problem of a line, at `rest`, a piece of it.
    #[cold]
    pub(crate) fn problem(&self, line: Line<'_>, rest: &[u8], kind: ProblemKind) -> Problem {
        Problem { line: line.number, column: column(line.bytes, rest), offset: self.offset(line), kind }
    }

    /// A line that could not be read, and whether that is because the input stops in it.
    #[cold]
    pub(crate) fn unread(&self, line: Line<'_>, kind: ProblemKind) -> Problem {
        self.problem(line, line.bytes, if line.ended { kind } else { ProblemKind::CutOff })
    }
}

/// Longest text of a marker, with a reserve: what follows beyond it is not its text.
pub(crate) const MAX_MARKER: usize = 8192;

/// The text of a marker, with the lines that follow it and are nothing else.
pub(crate) fn marker<'a>(
    input: &'a [u8],
    lines: &mut Lines<'a>,
    text: &'a [u8],
    starts_other: impl Fn(Line<'a>, &Lines<'a>) -> bool,
) -> &'a [u8] {
    let start = offset_in(input, text);
    let mut end = start + text.len();
    let (mut kept, mut ahead) = (lines.clone(), lines.clone());
    while let Some(more) = ahead.next() {
        let more_end = more.start + more.bytes.len();
        if MAX_MARKER < more_end - start || starts_other(more, &ahead) {
            break;
        }
        // Blank lines count only if text comes after them.
        if !trim(more.bytes).is_empty() {
            end = more_end;
            kept = ahead.clone();
        }
    }
    *lines = kept;
    input.get(start..end).unwrap_or(text)
}

/// The damaged places of a text that may be something else altogether: as long as no line has been understood, one line
/// that was not stands for all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Damage {
    begun: bool,
    strange: Option<Problem>,
    pub(crate) problems: Problems,
}

impl Damage {
    /// A line has been understood.
    #[inline]
    pub(crate) fn begin(&mut self) {
        self.begun = true;
    }

    /// Something of ours is damaged.
    pub(crate) fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// A line was not understood.
    #[cold]
    pub(crate) fn unread(&mut self, problem: Problem) {
        if self.begun {
            self.problems.push(problem);
        } else {
            self.strange.get_or_insert(problem);
        }
    }

    /// All that is to be told.
    pub(crate) fn into_list(mut self) -> Vec<Problem> {
        if let (false, Some(problem)) = (self.begun, self.strange) {
            self.problems.push(problem);
        }
        self.problems.into_list()
    }
}

/// Lines that are nothing by themselves, because a task's name with line ends has broken them; what follows decides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held {
    bytes: Vec<u8>,
    place: (u32, u64),
    blank: bool,
}

/// Bytes that are held at most: a line's columns, and a name.
const MAX_HELD: usize = 512;

impl Held {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number and offset of the first line.
    pub(crate) fn place(&self) -> (u32, u64) {
        self.place
    }

    /// A line among them is empty.
    pub(crate) fn has_blank(&self) -> bool {
        self.blank
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.blank = false;
    }

    /// Adds a line; `false` if there is no room for it.
    pub(crate) fn push(&mut self, line: Line<'_>, offset: u64) -> bool {
        if MAX_HELD < self.bytes.len() + line.bytes.len() + 1 {
            return false;
        }
        if self.bytes.is_empty() {
            self.place = (line.number, offset);
        } else {
            self.bytes.push(b'\n');
        }
        self.bytes.extend_from_slice(line.bytes);
        true
    }

    /// Adds an empty line if there is something before it.
    pub(crate) fn blank(&mut self, line: Line<'_>) {
        if !self.bytes.is_empty() && self.bytes.len() + line.bytes.len() < MAX_HELD {
            self.bytes.push(b'\n');
            self.bytes.extend_from_slice(line.bytes);
            self.blank = true;
        }
    }

    /// Lets go of the lines, which were nothing.
    pub(crate) fn problem(&mut self) -> Option<Problem> {
        let is_blank = self.bytes.trim_ascii().is_empty();
        self.clear();
        if is_blank {
            return None;
        }
        let (line, offset) = self.place;
        Some(Problem { line, column: 1, offset, kind: ProblemKind::NotAnEvent })
    }
}
