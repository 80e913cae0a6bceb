//! What only a whole file tells: what its address columns show, and whether its rows go together.

use super::{Area, Pointers};
use crate::problem::Problems;
use crate::{Problem, ProblemKind};

/// Every architecture's pages are a multiple of this, in bytes.
const PAGE_SIZE: u64 = 4096;

/// What is kept of a row, as small as possible: there may be hundreds of thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u64,
    /// Pages of 4 KiB if the row's columns agree; else a mixture of the columns, for comparison.
    rest: u32,
    line: u32,
    offset: u64,
}

impl Span {
    fn end(self) -> u64 {
        self.start.saturating_add(u64::from(self.rest) * PAGE_SIZE)
    }

    fn is_like(self, other: Self) -> bool {
        (self.start, self.rest) == (other.start, other.rest)
    }
}

/// Takes the rows of a file one by one.
#[derive(Debug, Default)]
pub(super) struct Checker {
    /// Rows whose columns agree, as they do where addresses are shown.
    agreeing: Rows,
    /// The others, unless their addresses are zero or placeholders.
    others: Rows,
    n_unready: usize,
    n_zero: usize,
    /// Places of the rows in `others`.
    mismatches: Problems,
    impossible: Problems,
}

/// Rows in the order of the file.
#[derive(Debug, Default)]
struct Rows {
    spans: Vec<Span>,
    /// Each row begins where the one before ends, or behind it.
    unordered: bool,
    /// Rows that are like the first one: where a second file may begin.
    starts: Vec<usize>,
    /// Rows before which the text says that another file follows.
    cuts: Vec<usize>,
}

impl Checker {
    /// Takes one more row.
    #[inline]
    pub(super) fn add(&mut self, area: &Area<'_>) {
        let Area { start, end, size, line, offset, .. } = *area;
        if !size.is_multiple_of(PAGE_SIZE) || size == 0 || area.pages.is_some_and(|pages| size / PAGE_SIZE < pages) {
            self.impossible(area);
        }
        if area.unready {
            self.n_unready += 1;
        } else if start == 0 && end == 0 {
            self.n_zero += 1;
        } else if end.wrapping_sub(start) == size && start <= end {
            let pages = u32::try_from(size / PAGE_SIZE).unwrap_or(u32::MAX);
            self.agreeing.push(Span { start, rest: pages, line, offset });
        } else {
            let mixed = (end ^ (end >> 32) ^ size.wrapping_mul(0x9e37_79b1)) as u32;
            self.others.push(Span { start, rest: mixed, line, offset });
            let kind = if end < start {
                ProblemKind::ImpossibleRow("its end lies before its start")
            } else {
                ProblemKind::SizeMismatch
            };
            self.mismatches.push(Problem { line, column: 1, offset, kind });
        }
    }

    #[cold]
    fn impossible(&mut self, area: &Area<'_>) {
        let why = if area.size == 0 {
            "its size is zero"
        } else if !area.size.is_multiple_of(PAGE_SIZE) {
            "its size is no multiple of the page size"
        } else {
            "it has more pages than its size has room for"
        };
        let kind = ProblemKind::ImpossibleRow(why);
        self.impossible.push(Problem { line: area.line, column: 1, offset: area.offset, kind });
    }

    /// The text says that the rows from here on are of another file.
    pub(super) fn cut(&mut self) {
        self.agreeing.cuts.push(self.agreeing.spans.len());
        self.others.cuts.push(self.others.spans.len());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.n_unready + self.n_zero + self.agreeing.spans.len() + self.others.spans.len() == 0
    }

    /// Judges the address columns of the rows so far: single rows can be damaged, or equal by chance.
    pub(super) fn pointers(&self) -> Pointers {
        let n_real = self.agreeing.spans.len();
        let n_areas = self.n_unready + self.n_zero + n_real + self.others.spans.len();
        if n_areas == 0 {
            Pointers::None
        } else if n_areas < 2 * self.n_unready {
            Pointers::Unready
        } else if n_areas < 2 * self.n_zero {
            Pointers::Zeroed
        } else if n_areas <= 2 * n_real {
            Pointers::Real
        } else {
            Pointers::Hashed
        }
    }

    /// The judgement of all rows.
    pub(super) fn finish(self) -> (Pointers, Vec<Problem>) {
        let pointers = self.pointers();
        let mut found = self.impossible;
        match pointers {
            Pointers::Real => {
                self.mismatches.into_list().into_iter().for_each(|problem| found.push(problem));
                self.agreeing.compare(true, &mut found);
            }
            Pointers::Hashed => self.others.compare(false, &mut found),
            Pointers::Zeroed | Pointers::Unready | Pointers::None => {}
        }
        (pointers, found.into_list())
    }
}

impl Rows {
    #[inline]
    fn push(&mut self, span: Span) {
        if let (Some(first), Some(last)) = (self.spans.first(), self.spans.last()) {
            self.unordered |= span.start < last.end();
            if span.start == first.start && span.is_like(*first) {
                self.starts.push(self.spans.len());
            }
        }
        self.spans.push(span);
    }

    /// Names rows that overlap (where that can be told) and rows that are there twice, file by file.
    fn compare(mut self, real: bool, found: &mut Problems) {
        if real && !self.unordered && self.cuts.is_empty() {
            return;
        }
        let mut files = std::mem::take(&mut self.cuts);
        files.extend(self.starts.iter().filter(|&&at| self.repeats(at)));
        files.sort_unstable();
        files.dedup();
        let n_rows = self.spans.len();
        let mut rest = self.spans.as_mut_slice();
        for at in files.into_iter().rev().filter(|at| 0 < *at && *at < n_rows) {
            let (before, file) = rest.split_at_mut(at);
            if let Some(first) = file.first() {
                found.push(Problem {
                    line: first.line,
                    column: 1,
                    offset: first.offset,
                    kind: ProblemKind::AnotherFile,
                });
            }
            compare(file, real, found);
            rest = before;
        }
        compare(rest, real, found);
    }

    /// Whether a file seems to begin again at a row that is like the first one: what follows is known as well. (One
    /// row alone is a duplicate; a snapshot of a changing machine can have some.)
    fn repeats(&self, at: usize) -> bool {
        let before = self.spans.get(..at).unwrap_or_default();
        let Some(next) = self.spans.get(at + 1) else { return false };
        1 < at && before.iter().any(|span| span.is_like(*next))
    }
}

/// Most ascending runs that are merged; a file with more is sorted. (A file of 6.9 and later has two for each node.)
const MAX_RUNS: usize = 160;

/// Compares the rows of one file with each other.
fn compare(file: &mut [Span], real: bool, found: &mut Problems) {
    let mut reach: Option<Span> = None;
    let mut next = |span: Span| {
        let Some(far) = reach else {
            reach = Some(span);
            return;
        };
        let kind: Option<fn(u32) -> ProblemKind> = if span.is_like(far) {
            Some(ProblemKind::Duplicate)
        } else if real && span.start < far.end() && 0 < span.rest {
            Some(ProblemKind::Overlap)
        } else {
            None
        };
        if let Some(kind) = kind {
            let (first, second) = if span.line < far.line { (span, far) } else { (far, span) };
            let (line, offset) = (second.line, second.offset);
            found.push(Problem { line, column: 1, offset, kind: kind(first.line) });
        }
        if !real || far.end() <= span.end() {
            reach = Some(span);
        }
    };
    match runs(file).filter(|_| real) {
        Some(runs) => merge(runs, &mut next),
        None => {
            // Stable, so that the earlier of two like rows stays the first.
            file.sort_by_key(|span| (span.start, if real { 0 } else { span.rest }));
            for span in file.iter() {
                next(*span);
            }
        }
    }
}

/// The ascending runs of a file, unless there are many.
fn runs(file: &[Span]) -> Option<Vec<&[Span]>> {
    let mut runs = Vec::new();
    for run in file.chunk_by(|a, b| a.start <= b.start) {
        if runs.len() == MAX_RUNS {
            return None;
        }
        runs.push(run);
    }
    Some(runs)
}

/// Visits the rows of ascending runs in ascending order; of equal ones, the earlier first.
fn merge(mut runs: Vec<&[Span]>, visit: &mut impl FnMut(Span)) {
    loop {
        // The run that goes on, and where another one has its turn.
        let mut lowest: Option<(u64, usize)> = None;
        let mut turn = u64::MAX;
        for (at, run) in runs.iter().enumerate() {
            let Some(head) = run.first().map(|span| span.start) else { continue };
            match lowest {
                Some((start, _)) if start <= head => turn = turn.min(head),
                _ => {
                    turn = turn.min(lowest.map_or(u64::MAX, |(start, _)| start));
                    lowest = Some((head, at));
                }
            }
        }
        let Some(run) = lowest.and_then(|(_, at)| runs.get_mut(at)) else { return };
        // At least one, so that equal heads of two runs take turns.
        let n = run.iter().skip(1).take_while(|span| span.start < turn).count() + 1;
        let (now, later) = run.split_at(n);
        for span in now {
            visit(*span);
        }
        *run = later;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn area(start: u64, n_pages: u64, line: u32) -> Area<'static> {
        let size = n_pages * PAGE_SIZE;
        Area { line, ..Area::new(start * PAGE_SIZE, start * PAGE_SIZE + size, size) }
    }

    fn found(areas: &[Area<'_>]) -> Vec<(u32, ProblemKind)> {
        let mut checker = Checker::default();
        for area in areas {
            checker.add(area);
        }
        checker.finish().1.into_iter().map(|problem| (problem.line, problem.kind)).collect()
    }

    #[test]
    fn copies_and_overlaps_name_both_lines() {
        let rows = [area(16, 4, 1), area(20, 2, 2), area(30, 4, 3), area(20, 2, 4), area(31, 1, 5)];
        assert_eq!(found(&rows), [(4, ProblemKind::Duplicate(2)), (5, ProblemKind::Overlap(3))]);
    }

    #[test]
    fn a_second_file_is_named_once() {
        let rows: Vec<_> = (0..10).map(|n| area(16 + (n % 5) * 8, 4, n as u32 + 1)).collect();
        assert_eq!(found(&rows), [(6, ProblemKind::AnotherFile)]);
    }

    #[test]
    fn sizes_that_no_kernel_prints() {
        let half = Area { size: 2048, end: 0x10800, ..area(16, 1, 1) };
        let full = Area { pages: Some(3), ..area(32, 2, 2) };
        let back = Area { start: 0x50000, end: 0x40000, ..area(0, 4, 3) };
        let kinds = found(&[half, full, back, area(128, 2, 4)]);
        assert_eq!(kinds.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(kinds.iter().all(|(_, kind)| matches!(kind, ProblemKind::ImpossibleRow(_))), "{kinds:?}");
    }

    proptest! {
        #[test]
        fn rows_that_touch_another_are_named_and_no_others(rows in prop::collection::vec((0..200_u64, 1..6_u64), 1..30)) {
            let areas: Vec<_> = (1..).zip(&rows).map(|(line, (start, n))| area(*start, *n, line)).collect();
            prop_assume!(areas.iter().skip(1).all(|area| area.start != areas[0].start));
            let touches = |a: &Area<'_>, b: &Area<'_>| a.line != b.line && a.start < b.end && b.start < a.end;
            let named = found(&areas);
            let any = areas.iter().any(|a| areas.iter().any(|b| touches(a, b)));
            prop_assert_eq!(!named.is_empty(), any);
            for (line, kind) in named {
                let (ProblemKind::Overlap(other) | ProblemKind::Duplicate(other)) = kind else { panic!("{kind:?}") };
                prop_assert!(other < line && touches(&areas[line as usize - 1], &areas[other as usize - 1]));
            }
        }
    }
}
