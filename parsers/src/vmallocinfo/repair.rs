//! Rows that were damaged on their way: quoted, wrapped, glued together, cut or spelt differently.
//!
//! A stretch of damaged lines is cleaned ([`clean`](super::clean)), its rows are found by their addresses
//! ([`pairs`](super::pairs)), and each is read in the cheapest way ([`choose`](super::choose)).

use super::check::Checker;
use super::choose::{Chosen, choose};
use super::clean::{Flat, Habits, Joint, Piece};
use super::pairs::{self, Hidden, Pair};
use super::reader::ends_open;
use super::words::{self, Columns};
use super::{Area, Confidence, Pointers, State, marks, row};
use crate::lex::{Lines, after, decimal, trim_start, upto};
use crate::problem::Problems;
use crate::stream::Window;
use crate::{Problem, ProblemKind};

/// Bytes of the smallest page.
const PAGE_SIZE: u64 = 4096;
/// How much of the text ahead tells what the address columns show.
const AHEAD: usize = 16 * 1024;
/// Vendor words that are remembered.
const MAX_FOREIGN: usize = 16;
/// First word of a lazy area's state.
const UNPURGED: &[u8] = b"unpurged";

/// What repairs of earlier stretches taught.
#[derive(Debug, Default)]
pub(super) struct Repair {
    habits: Habits,
    /// Words that stood among the flags of earlier rows.
    foreign: Vec<Vec<u8>>,
}

/// What stands behind a row that does not say what the area is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follows {
    /// Nothing that can belong to it: such a row is whole.
    Nothing,
    /// A line that may be the rest of it, but cannot be read.
    Rest,
    /// The same, and the row's last number may go on in it; so it may where the text is cut.
    MaybeDigits,
}

/// One stretch at work.
struct Work<'a, 's> {
    flat: Flat<'a>,
    repair: &'s mut Repair,
    checker: &'s mut Checker,
    problems: &'s mut Problems,
    /// The text from the stretch on.
    ahead: &'a [u8],
    /// The stretch ends the text, and has no line end there.
    is_cut: bool,
}

impl Repair {
    /// Reads a stretch whose lines are not all rows as the kernel prints them; `ahead` is the text from there on. Answers
    /// with the number of the line behind it.
    pub(super) fn stretch<'a>(
        &mut self,
        window: Window<'a>,
        ahead: &'a [u8],
        checker: &mut Checker,
        problems: &mut Problems,
        visit: &mut impl FnMut(&Area<'a>),
    ) -> u32 {
        let n_lines = memchr::memchr_iter(b'\n', window.bytes).count() as u32;
        let is_open = !window.bytes.ends_with(b"\n");
        let is_cut = window.last && is_open && !window.bytes.last().is_some_and(|last| b"\"'`}>),;|".contains(last));
        let flat = Flat::new(window, &mut self.habits);
        Work { flat, repair: self, checker, problems, ahead, is_cut }.run(visit);
        window.line.saturating_add(n_lines).saturating_add(u32::from(window.last && is_open))
    }
}

/// Whether a row, damaged or not, begins in this line.
pub(super) fn holds_row(line: &[u8]) -> bool {
    pairs::find(upto(line, 4096)).iter().any(|pair| {
        let tail = after(line, pair.until);
        let size = decimal(trim_start(tail)).is_ok_and(|(rest, _)| rest.first().is_none_or(u8::is_ascii_whitespace));
        size && tail.first().is_some_and(u8::is_ascii_whitespace)
    })
}

impl<'a> Work<'a, '_> {
    fn run(mut self, visit: &mut impl FnMut(&Area<'a>)) {
        let mut pairs = pairs::find(&self.flat.text);
        pairs.retain(|pair| !pair.is_glued || self.is_sure(pair));
        self.pass_over(0, pairs.first().map_or(self.flat.text.len(), |pair| pair.at), pairs.first());
        for (n, pair) in pairs.iter().enumerate() {
            let next = pairs.get(n + 1);
            let end = next.map_or(self.flat.text.len(), |next| next.at);
            let is_second = 0 < n && self.flat.piece(pair.at) == self.flat.piece(pairs.get(n - 1).map_or(0, |p| p.at));
            let until = match self.row(pair, end, is_second) {
                Some((area, until)) => {
                    self.checker.add(&area);
                    visit(&area);
                    until
                }
                None => {
                    let line = after(&self.flat.text, pair.at);
                    pair.at + memchr::memchr(b'\n', line).unwrap_or(line.len())
                }
            };
            self.pass_over(until.min(end), end, next);
        }
    }

    /// An address without `0x` that follows another word at once is one if it is as wide as the other, and a size follows.
    fn is_sure(&self, pair: &Pair) -> bool {
        let text = after(&self.flat.text, pair.at);
        if text.starts_with(b"0x") || text.starts_with(b"0X") {
            return true;
        }
        let before = upto(&self.flat.text, pair.at).last().copied().unwrap_or(b' ');
        let is_wide = pair.start.digits == pair.end.digits && matches!(pair.end.digits, 8 | 16);
        !before.is_ascii_alphanumeric() || is_wide && decimal(trim_start(after(&self.flat.text, pair.until))).is_ok()
    }

    /// Names what stands between two rows, line by line. Text right before a row belongs to its line.
    fn pass_over(&mut self, from: usize, end: usize, next: Option<&Pair>) {
        let mut at = from;
        while at < end || next.is_none() && at < self.flat.text.len() {
            let line = self.flat.text.get(at..end).unwrap_or_default();
            let n = memchr::memchr(b'\n', line).unwrap_or(line.len());
            let is_head = next.is_some() && at + n == end && !line.is_empty() && line.get(n) != Some(&b'\n');
            if !is_head && 0 < n {
                self.other_line(at, n);
            }
            at += n + 1;
        }
    }

    /// A line, or the rest of one, that is of no row.
    fn other_line(&mut self, at: usize, n: usize) {
        let index = self.flat.piece(at);
        let Some(piece) = self.flat.pieces.get(index) else { return };
        let is_whole = piece.at == at;
        let text = self.flat.text.get(at..at + n).unwrap_or_default();
        if is_whole && marks::names_file(piece.raw) && !self.checker.is_empty() {
            self.checker.cut();
        }
        if let Some(kind) = marks::kind_of(text).filter(|_| is_whole) {
            let kind =
                if marks::kind_of(piece.raw) == Some(ProblemKind::RowsCut) { ProblemKind::RowsCut } else { kind };
            self.problem(at, kind);
        }
    }

    /// Reads the row of a pair; also answers where it ends. `None`: it cannot be read, and a problem says so.
    fn row(&mut self, pair: &Pair, end: usize, is_second: bool) -> Option<(Area<'a>, usize)> {
        let index = self.flat.piece(pair.at);
        let piece = self.flat.pieces.get(index)?.clone();
        let chosen = columns(pair).and_then(|(area, size)| {
            let columns = Columns { size, foreign: &self.repair.foreign };
            choose(&self.flat, pair, end, &area, columns)
        });
        let Some(mut chosen) = chosen.and_then(|chosen| self.completed(pair, chosen)) else {
            // Not every pair of numbers is one of addresses.
            let shaped =
                pair.start.digits == pair.end.digits && matches!(pair.start.digits, 8 | 16) || pair.start.digits == 0;
            let bare = trim_start(after(&self.flat.text, pair.until));
            let shaped = shaped && bare.first().is_none_or(|b| b.is_ascii_digit() || *b == b'\n');
            self.problem(pair.at, if shaped || pair.at == 0 { ProblemKind::BrokenRow } else { ProblemKind::NotARow });
            return None;
        };
        let last = self.flat.piece(chosen.until.saturating_sub(1).max(pair.at));
        let is_last = self.is_cut && chosen.until >= self.flat.text.len();
        let follows = if is_last { Follows::MaybeDigits } else { self.follows(&chosen, last, end) };
        if last == index
            && !(follows != Follows::Nothing && ends_open(&chosen.area))
            && let Some(exact) = row::exact(piece.raw)
            && exact.size == chosen.area.size
        {
            return Some((Area { line: piece.line, offset: piece.offset, ..exact }, chosen.until));
        }
        if is_last {
            self.shorten(&mut chosen);
        }
        if follows != Follows::Nothing && ends_open(&chosen.area) {
            if follows == Follows::MaybeDigits && !self.close(&mut chosen, pair) {
                self.problem(pair.at, ProblemKind::BrokenRow);
                return None;
            }
            if !chosen.notes.iter().any(|(_, kind)| matches!(kind, ProblemKind::RowCut)) {
                chosen.notes.push((self.last_byte(&chosen, pair), ProblemKind::RowCut));
            }
        }
        self.tell(pair, &piece, &mut chosen, index..last, is_second);
        if self.repair.habits.shows_both(piece.raw) {
            chosen.notes.push((piece.at, ProblemKind::Diff));
        }
        for word in &chosen.area.foreign {
            if self.repair.foreign.len() < MAX_FOREIGN && !self.repair.foreign.iter().any(|known| **known == **word) {
                self.repair.foreign.push(word.to_vec());
            }
        }
        if chosen.area.says_too_much() {
            chosen.notes.push((piece.at, ProblemKind::ImpossibleRow("an area without a descriptor has no pages")));
        }
        let only_foreign = chosen.notes.iter().all(|(_, kind)| matches!(kind, ProblemKind::UnknownWord(_)));
        let confidence = if only_foreign { Confidence::Exact } else { Confidence::Repaired };
        let area = Area { line: piece.line, offset: piece.offset, confidence, ..chosen.area };
        for (at, kind) in chosen.notes {
            self.problem(at, kind);
        }
        Some((area, chosen.until))
    }

    /// Computes a start address that was cut.
    fn completed(&self, pair: &Pair, mut chosen: Chosen) -> Option<Chosen> {
        if pair.end.digits <= pair.start.digits || chosen.area.unready {
            return Some(chosen);
        }
        let area = &mut chosen.area;
        let known = u32::from(pair.start.digits) * 4;
        let is_zero = area.end == 0 && pair.start.value == 0 && 0 < known;
        let start = if is_zero { 0 } else { area.end.checked_sub(area.size)? };
        let fits = (start ^ pair.start.value).trailing_zeros() >= known;
        // Of a hash nothing can be computed; a few digits can agree by chance.
        if !fits || !is_zero && self.pointers() != Pointers::Real && (known < 16 || !self.pointers_unknown()) {
            return None;
        }
        area.start = start;
        chosen.notes.push((pair.at, ProblemKind::StartComputed));
        Some(chosen)
    }

    fn pointers_unknown(&self) -> bool {
        self.pointers() == Pointers::None
    }

    /// What the address columns of the text show, as far as it was read or lies ahead.
    fn pointers(&self) -> Pointers {
        if !self.checker.is_empty() {
            return self.checker.pointers();
        }
        let mut ahead = Checker::default();
        for line in Lines::new(upto(self.ahead, AHEAD)) {
            if let Some(pair) = pairs::find(line.bytes).first()
                && pair.start.digits == pair.end.digits
                && let Ok((_, size)) = decimal(trim_start(after(line.bytes, pair.until)))
            {
                ahead.add(&Area::new(pair.start.value, pair.end.value, size));
            }
        }
        ahead.pointers()
    }

    /// Takes back a word that is unknown because the text stops inside it.
    fn shorten(&self, chosen: &mut Chosen) {
        let Some(word) = chosen.area.foreign.pop_if(|word| self.flat.text.ends_with(word)) else { return };
        let told = |kind: &ProblemKind| matches!(kind, ProblemKind::UnknownWord(text) if text.as_bytes() == &*word);
        let at = self.flat.text.len() - word.len();
        chosen.notes.retain(|(_, kind)| !told(kind));
        chosen.notes.push((at, ProblemKind::RowCut));
        // No caller and no flag begins like that.
        if UNPURGED.starts_with(&word) && 4 < word.len() && chosen.area.caller.is_none() {
            chosen.area.state = State::Unpurged;
        }
    }

    /// A row at which the text stops before it says what the area is for: its last number may have had more digits.
    fn close(&self, chosen: &mut Chosen, pair: &Pair) -> bool {
        let area = &mut chosen.area;
        if area.caller.is_none() && area.pages.is_none() && area.phys.is_none() {
            return area.end.checked_sub(area.start) == Some(area.size) && !area.unready;
        }
        // Where the cut is known, what stands before it is whole.
        if chosen.notes.iter().any(|(_, kind)| matches!(kind, ProblemKind::RowCut)) {
            return true;
        }
        if area.phys.take().is_none() {
            match area.pages.take() {
                Some(pages) if (pages + 1).checked_mul(PAGE_SIZE) == Some(area.size) => area.pages = Some(pages),
                Some(_) => {}
                None => {
                    if let Some(caller) = &mut area.caller {
                        (caller.offset, caller.length, caller.module) = (0, 0, None);
                    }
                }
            }
        }
        area.phys_digits = 0;
        chosen.notes.push((self.last_byte(chosen, pair), ProblemKind::RowCut));
        true
    }

    fn last_byte(&self, chosen: &Chosen, pair: &Pair) -> usize {
        chosen.until.min(self.flat.text.len()).saturating_sub(1).max(pair.at)
    }

    /// What stands behind a row whose last line is `last`, before the next row at `end`.
    fn follows(&self, chosen: &Chosen, last: usize, end: usize) -> Follows {
        let (Some(own), Some(below)) = (self.flat.pieces.get(last), self.flat.pieces.get(last + 1)) else {
            return Follows::Nothing;
        };
        let text = self.flat.text.get(below.at..end).unwrap_or_default();
        let n = memchr::memchr(b'\n', text);
        let line = upto(text, n.unwrap_or(text.len()));
        // Without a line end, it is what stands before the next row in its line.
        let is_head = n.is_none() && end < self.flat.text.len();
        let may_be_rest = matches!(marks::kind_of(line), Some(ProblemKind::BrokenRow | ProblemKind::NotARow));
        if is_head || !may_be_rest || words::is_prompt(line) {
            return Follows::Nothing;
        }
        let area = &chosen.area;
        let is_size = area.caller.is_none() && area.pages.is_none() && area.phys.is_none();
        let goes_on = line.first().is_some_and(|b| b.is_ascii_digit() || !is_size && b.is_ascii_alphanumeric());
        let has_blank = own.joint == Joint::Blank || own.stripped < below.stripped;
        if goes_on && !has_blank { Follows::MaybeDigits } else { Follows::Rest }
    }

    /// Notes what was done to the lines of a row.
    fn tell(
        &self,
        pair: &Pair,
        piece: &Piece<'a>,
        chosen: &mut Chosen,
        lines: std::ops::Range<usize>,
        is_second: bool,
    ) {
        let before = self.flat.text.get(piece.at..pair.at).unwrap_or_default();
        let notes = &mut chosen.notes;
        if is_second || pair.is_glued {
            notes.push((pair.at, ProblemKind::SplitRows));
        } else if 0 < piece.stripped || !trim_start(before).is_empty() {
            notes.push((piece.at, ProblemKind::TextBeforeRow));
        }
        if chosen.area.unready && pair.start.hidden.max(pair.end.hidden) == Hidden::Person {
            notes.push((pair.at, ProblemKind::Redacted));
        }
        for below in lines.start + 1..=lines.end {
            if let Some(piece) = self.flat.pieces.get(below) {
                notes.push((piece.at, ProblemKind::Rejoined));
            }
        }
        if self.flat.pieces.get(lines.end).is_some_and(|piece| piece.dots) {
            notes.push((chosen.until.saturating_sub(1), ProblemKind::RowCut));
        }
        let spelt = self.flat.text.get(pair.at..pair.until).unwrap_or_default();
        let width = usize::from(chosen.area.address_digits);
        let is_computed = pair.start.digits < pair.end.digits;
        let is_broken = spelt.contains(&b'\n');
        let canonical = spelt.len() == 5 + 2 * width && !spelt.iter().any(u8::is_ascii_uppercase);
        let told = notes.iter().any(|(_, kind)| !matches!(kind, ProblemKind::UnknownWord(_)));
        let is_respelt = !canonical && !is_computed && !is_broken && !chosen.area.unready || piece.decoded;
        if is_respelt
            || !told && (notes.is_empty() || crate::lex::trim_end(piece.raw) != chosen.area.to_string().as_bytes())
        {
            notes.push((pair.at, ProblemKind::Respelt));
        }
    }

    fn problem(&mut self, at: usize, kind: ProblemKind) {
        if let Some(piece) = self.flat.pieces.get(self.flat.piece(at)) {
            let Piece { line, offset, .. } = *piece;
            let column = self.flat.column(at).min(piece.raw.len() as u32 + 1);
            self.problems.push(Problem { line, column, offset, kind });
        }
    }
}

/// What the address columns say: a row with nothing but them, and the size if they can be real.
fn columns(pair: &Pair) -> Option<(Area<'static>, Option<u64>)> {
    let Pair { start, end, .. } = *pair;
    if end.digits < start.digits {
        return None;
    }
    let hidden = start.hidden.max(end.hidden) != Hidden::No;
    let mut area = Area::new(if hidden { 0 } else { start.value }, if hidden { 0 } else { end.value }, 0);
    area.unready = hidden;
    area.address_digits = if end.digits <= 8 { 8 } else { 16 };
    area.confidence = Confidence::Repaired;
    let size = end.value.checked_sub(start.value).filter(|size| 0 < *size && size % PAGE_SIZE == 0);
    Some((area, size.filter(|_| !hidden && start.digits == end.digits)))
}
