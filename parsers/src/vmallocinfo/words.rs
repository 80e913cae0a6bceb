//! What stands behind the addresses of a damaged row.
//!
//! The words are read in any spelling that leaves no doubt, and every doubt has a price: of several ways to put a
//! broken row together, the cheapest one is right.

mod shape;
mod size;

use std::borrow::Cow;

use nom::Parser;
use nom::combinator::all_consuming;

use super::row::{self, Part, Rank};
use super::{Area, Caller, Flags, State, marks};
use crate::ProblemKind;
use crate::lex::{after, decimal, hex, offset_in, trim_start, upto};
pub(super) use shape::is_prompt;
use shape::{caller, is_name};

/// Bytes of the smallest page.
const PAGE_SIZE: u64 = 4096;

/// A reading of a row's tail.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub(super) area: Area<'a>,
    /// How unlikely it is; 0 for a row without any doubt.
    pub(super) price: u32,
    /// What every reading of a longer text that begins like this one costs at least.
    pub(super) floor: u32,
    /// What was done, and where in the text.
    pub(super) notes: Vec<(usize, ProblemKind)>,
}

/// Words at the end of a text that may be read otherwise if it goes on: nothing looks further ahead than from a word to
/// the third behind it, and the last may be torn.
const LOOSE: usize = 5;

/// Where the loose words begin.
fn loose_from(text: &[u8]) -> usize {
    let mut words = 0;
    let mut in_word = false;
    for (at, byte) in text.iter().enumerate().rev() {
        let is_blank = byte.is_ascii_whitespace();
        words += usize::from(in_word && is_blank);
        if words == LOOSE {
            return at + 1;
        }
        in_word = !is_blank;
    }
    0
}

/// Prices of doubts.
mod price {
    pub(super) const UNKNOWN: u32 = 20;
    pub(super) const MORE_UNKNOWN: u32 = 2;
    pub(super) const SIZE: u32 = 30;
    pub(super) const FOREIGN: u32 = 12;
    pub(super) const NAME_ALONE: u32 = 10;
    pub(super) const CUT: u32 = 16;
    pub(super) const PAGES: u32 = 16;
    pub(super) const NODES: u32 = 6;
    pub(super) const NO_FLAG: u32 = 12;
    pub(super) const NOTHING: u32 = 26;
    pub(super) const ORDER: u32 = 4;
}

/// What the addresses say about a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns<'v> {
    /// Bytes between the addresses, if they can be real.
    pub(super) size: Option<u64>,
    /// Vendor words that other rows of the text have.
    pub(super) foreign: &'v [Vec<u8>],
}

/// Reads a tail, size first. `None` if there is no size and the addresses do not tell it.
pub(super) fn read<'a>(text: &'a [u8], area: Area<'a>, columns: Columns<'_>) -> Option<Reading<'a>> {
    let mut tail = Tail {
        text,
        rest: text,
        reading: Reading { area, price: 0, floor: 0, notes: Vec::new() },
        last: Rank::Start,
        in_junk: false,
        columns,
    };
    tail.size()?;
    tail.words();
    tail.judge();
    Some(tail.reading)
}

struct Tail<'a, 'v> {
    text: &'a [u8],
    rest: &'a [u8],
    reading: Reading<'a>,
    last: Rank,
    /// Prose or a prompt has begun.
    in_junk: bool,
    columns: Columns<'v>,
}

impl<'a> Tail<'a, '_> {
    fn note(&mut self, part: &[u8], kind: ProblemKind) {
        self.reading.notes.push((offset_in(self.text, part), kind));
    }

    /// The next word and what follows it.
    fn word(&self) -> (&'a [u8], &'a [u8]) {
        let is_end = |b: &u8| b.is_ascii_whitespace() || matches!(b, b',' | b';' | b'|' | 0);
        let n = self.rest.iter().take_while(|b| !is_end(b)).count();
        (upto(self.rest, n), after(self.rest, n))
    }

    fn skip_blanks(&mut self) {
        while let [b' ' | b'\t' | b'\r' | b',' | b';' | b'|' | 0 | b'\n', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// Whether a part of a row follows.
    fn is_known(&self) -> bool {
        row::part(self.rest).is_ok()
    }

    fn words(&mut self) {
        let loose = loose_from(self.text);
        loop {
            self.skip_blanks();
            let (word, rest) = self.word();
            if word.is_empty() {
                return;
            }
            if offset_in(self.text, self.rest) <= loose {
                self.reading.floor = self.reading.price;
            }
            if !self.in_junk && self.two_words() {
                continue;
            }
            let begin = self.rest;
            self.rest = rest;
            if self.value(word) || !self.in_junk && self.plain(word) {
                self.in_junk = false;
                continue;
            }
            if marks::is_mark(word) || marks::is_dots(word) {
                continue;
            }
            if marks::is_redacted(word) && !self.in_junk {
                self.note(word, ProblemKind::Redacted);
                continue;
            }
            if !self.in_junk && self.doubtful(word, rest) {
                continue;
            }
            if !self.in_junk {
                self.note(begin, ProblemKind::TextAfterRow);
            }
            if !self.in_junk && is_prompt(word) {
                // Nothing of the row follows on this line, and nothing is doubtful about that.
                return;
            }
            // Behind the nodes a row is over; a remark there is no doubt.
            self.reading.price += match self.in_junk {
                _ if self.last == Rank::Node => 0,
                true => price::MORE_UNKNOWN,
                false => price::UNKNOWN,
            };
            self.in_junk = true;
        }
    }

    /// Parts of two words: callers with a module, and the state of lazy areas.
    fn two_words(&mut self) -> bool {
        let (word, rest) = self.word();
        if matches!(word, b"unpurged" | b"freeing") {
            let tail = after(rest, rest.iter().take_while(|b| b.is_ascii_whitespace() || **b == b'|').count());
            let Some(tail) = tail.strip_prefix(b"vm_area") else { return false };
            let glued = tail.first().is_some_and(|b| b.is_ascii_lowercase() || *b == b'_' || b.is_ascii_digit());
            if self.reading.area.caller.is_some() || glued && !is_prompt(tail) {
                return false;
            }
            self.apply(Part::State(State::Unpurged));
            self.rest = tail;
            return true;
        }
        if self.reading.area.caller.is_none()
            && self.reading.area.state == State::Busy
            && let Some((caller, rest)) = caller(self.rest)
        {
            if caller.length < caller.offset && caller.length != 0 || caller.offset != 0 && caller.length == 0 {
                return false;
            }
            self.apply(Part::Caller(caller));
            self.rest = rest;
            return true;
        }
        if let Some(name) = word.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]"))
            && self.last == Rank::Caller
            && let Some(caller) = &mut self.reading.area.caller
            && caller.module.is_none()
            && row::is_module(name)
        {
            caller.module = Some(Cow::Borrowed(name));
            self.rest = rest;
            return true;
        }
        false
    }

    /// Key and value of `pages=4`, `pages= 4` and `pages = 4`.
    fn pair(&self, word: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let next = |text: &'a [u8]| {
            let text = trim_start(text);
            upto(text, text.iter().take_while(|b| !b.is_ascii_whitespace()).count())
        };
        let behind = after(self.text, offset_in(self.text, word) + word.len());
        let (key, value) = match memchr::memchr(b'=', word) {
            Some(at) => (upto(word, at), after(word, at + 1)),
            None => (word, next(trim_start(behind).strip_prefix(b"=")?)),
        };
        Some((key, if value.is_empty() { next(behind) } else { value }))
    }

    /// `pages=4`, `phys=0x…`, `N0=4`, in any spelling and with something glued to it.
    fn value(&mut self, word: &'a [u8]) -> bool {
        let Some((key, value)) = self.pair(word) else { return false };
        let area = &self.reading.area;
        let is = |name: &[u8]| key.eq_ignore_ascii_case(name);
        let (junk, part) = if is(b"pages") && area.pages.is_none() {
            let Ok((junk, pages)) = decimal(value) else { return false };
            (junk, Part::Pages(pages))
        } else if is(b"phys") && area.phys.is_none() {
            let bare = value.strip_prefix(b"0x").or_else(|| value.strip_prefix(b"0X"));
            let Ok((junk, phys)) = hex(bare.unwrap_or(value)) else { return false };
            let digits = bare.map_or(0, |digits| (digits.len() - junk.len()) as u8);
            let is_last = offset_in(self.text, value) + value.len() == self.text.len();
            if is_last && !matches!(digits, 0 | 8 | 16) {
                self.note(word, ProblemKind::RowCut);
                self.reading.price += price::CUT;
                return true;
            }
            (junk, Part::Phys(phys, digits))
        } else if let [b'N' | b'n', node @ ..] = key {
            let Ok((_, node)) = all_consuming(decimal).parse(node) else { return false };
            let (Ok(node), Ok((junk, pages))) = (u16::try_from(node), decimal(value)) else { return false };
            if area.nodes.iter().any(|(known, _)| node <= *known) {
                return false;
            }
            (junk, Part::Node(node, pages))
        } else {
            return false;
        };
        if let Part::Phys(_, digits) = part {
            self.reading.price += u32::from(!matches!(digits, 0 | 8 | 16)) * price::PAGES;
        }
        self.apply(part);
        self.rest = after(self.text, offset_in(self.text, value) + value.len() - junk.len());
        true
    }

    /// A flag, or the state of a `vm_map_ram` area; a prompt may be glued to it.
    fn plain(&mut self, word: &'a [u8]) -> bool {
        let lower = word.to_ascii_lowercase();
        let known = |text: &[u8]| match text {
            b"vm_map_ram" => Some(Part::State(State::VmMapRam)),
            _ => Flags::from_word(text).map(Part::Flag),
        };
        let is_cut =
            |n: &usize| is_prompt(after(word, *n)) || after(word, *n).iter().all(|b| b"`\"'*</>$^.):,}]\\".contains(b));
        let glued = || (3..word.len()).rev().filter(is_cut).find_map(|n| Some((n, known(lower.get(..n)?)?)));
        let Some((n, part)) = known(&lower).map(|part| (word.len(), part)).or_else(glued) else { return false };
        let repeated = match &part {
            Part::Flag(flag) => self.reading.area.flags.contains(*flag),
            _ => self.reading.area.caller.is_some() || self.reading.area.state != State::Busy,
        };
        if repeated {
            return false;
        }
        self.apply(part);
        self.rest = after(self.text, offset_in(self.text, word) + n);
        true
    }

    /// Words that can be something, at a price.
    fn doubtful(&mut self, word: &'a [u8], rest: &'a [u8]) -> bool {
        let bare = self.last == Rank::Start && self.reading.area.caller.is_none();
        // The row was cut inside its caller; the function's name is whole if something follows it.
        if bare && let Some(at) = memchr::memchr(b'+', word).filter(|at| 0 < *at) {
            let name = upto(word, at);
            let is_cut = after(word, at + 1).iter().all(|b| b.is_ascii_hexdigit() || b"x/".contains(b));
            if is_cut && is_name(name) {
                self.note(word, ProblemKind::RowCut);
                self.reading.price += price::CUT;
                self.apply(Part::Caller(Caller { symbol: Cow::Borrowed(name), offset: 0, length: 0, module: None }));
                return true;
            }
        }
        let follows = after(rest, rest.iter().take_while(|b| b.is_ascii_whitespace()).count());
        // Some debuggers print the function alone.
        if bare && is_name(word) && row::part(follows).is_ok() {
            self.reading.price += price::NAME_ALONE;
            self.apply(Part::Caller(Caller { symbol: Cow::Borrowed(word), offset: 0, length: 0, module: None }));
            return true;
        }
        if self.translated(word) {
            return true;
        }
        let is_flag = |word: &[u8]| {
            let letters = |b: &u8| b.is_ascii_lowercase() || matches!(b, b'-' | b'_') || b.is_ascii_digit();
            let n_digits = word.iter().filter(|b| b.is_ascii_digit()).count();
            2 < word.len()
                && word.len() < 24
                && n_digits < 4
                && word.iter().all(letters)
                && word.iter().any(u8::is_ascii_lowercase)
        };
        let is_last = follows.is_empty() || row::part(follows).is_ok();
        let is_known = self.columns.foreign.iter().any(|known| known == word);
        if self.last < Rank::Node && (is_known || is_flag(word) && is_last) && self.reading.area.foreign.len() < 4 {
            self.note(word, ProblemKind::UnknownWord(String::from_utf8_lossy(word).into_owned()));
            self.reading.price += if is_known { 0 } else { price::FOREIGN };
            self.reading.area.foreign.push(Cow::Borrowed(word));
            self.last = Rank::Flag;
            return true;
        }
        false
    }

    /// `Seiten=4`: translators do not stop at names. The numbers tell what is meant.
    fn translated(&mut self, word: &'a [u8]) -> bool {
        let Some(at) = memchr::memchr(b'=', word) else { return false };
        let (key, value) = (upto(word, at), after(word, at + 1));
        if key.is_empty() || key.iter().any(u8::is_ascii_digit) || matches!(key, b"pages" | b"phys") {
            return false;
        }
        let area = &self.reading.area;
        let part = match (decimal(value), value.strip_prefix(b"0x").map(hex)) {
            (Ok(([], pages)), _) if area.pages.is_none() && (pages + 1).checked_mul(PAGE_SIZE) == Some(area.size) => {
                Part::Pages(pages)
            }
            (_, Some(Ok(([], phys)))) if area.phys.is_none() && matches!(value.len(), 10 | 18) => {
                Part::Phys(phys, value.len() as u8 - 2)
            }
            _ => return false,
        };
        self.note(word, ProblemKind::Translated(String::from_utf8_lossy(upto(key, 40)).into_owned()));
        self.reading.price += price::ORDER;
        self.apply(part);
        true
    }

    fn apply(&mut self, part: Part<'a>) {
        if part.rank() < self.last {
            self.reading.price += price::ORDER;
        }
        self.last = self.last.max(part.rank());
        part.apply(&mut self.reading.area);
    }

    /// Whether the columns go together.
    fn judge(&mut self) {
        let area = &self.reading.area;
        let mut more = 0;
        if area.pages.is_some_and(|pages| area.size / PAGE_SIZE < pages) {
            more += price::PAGES;
        }
        if !area.nodes.is_empty() && area.pages.is_some_and(|pages| pages != area.nodes.sum()) {
            more += price::NODES;
        }
        if area.state == State::Busy && area.flags == Flags::default() {
            let is_torn = area.caller.is_none() || area.pages.is_some() || area.phys.is_some();
            more += if is_torn { price::NOTHING } else { price::NO_FLAG };
        }
        self.reading.price += more;
    }
}
