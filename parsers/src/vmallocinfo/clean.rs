//! A damaged stretch without what terminals, mailers and documents put around and into its lines.
//!
//! The result is one text in which a line end stands for *a blank or nothing*, and which knows for every byte where it
//! comes from. What a row really was is decided later, by what it says.

mod markup;

use super::{Flags, pairs, row};
use crate::lex::{Lines, after, trim_end, upto};
use crate::stream::Window;

/// What a line end inside a row stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joint {
    /// A blank, or nothing.
    Open,
    /// A blank: one stood there, or the line ends with a mark for a break.
    Blank,
}

/// One line of the stretch.
#[derive(Debug, Clone)]
pub(super) struct Piece<'a> {
    /// Where it begins in the text.
    pub(super) at: usize,
    /// Line of the input and the byte where that starts.
    pub(super) line: u32,
    pub(super) offset: u64,
    /// The line as it stands in the input.
    pub(super) raw: &'a [u8],
    /// What its end stands for.
    pub(super) joint: Joint,
    /// Quote marks or a log's prefix were taken off, so many bytes of the line.
    pub(super) stripped: usize,
    /// It was spelt in an encoding of mail or documents, or coloured.
    pub(super) decoded: bool,
    /// It ends with a mark that says that something is missing, or goes on below.
    pub(super) dots: bool,
}

/// A stretch as one text.
#[derive(Debug, Default)]
pub(super) struct Flat<'a> {
    pub(super) text: Vec<u8>,
    /// Column of every byte, counted from 0.
    columns: Vec<u32>,
    pub(super) pieces: Vec<Piece<'a>>,
}

/// What is known about a text from its earlier lines.
#[derive(Debug, Default)]
pub(super) struct Habits {
    /// Mail in quoted-printable.
    quoted_printable: bool,
    /// Prefixes of logs, as they stood before rows.
    prefixes: Vec<Vec<u8>>,
    /// Rows that a `diff` marks as removed and as added were seen.
    sides: [bool; 2],
}

/// How many shapes of prefixes are remembered.
const MAX_PREFIXES: usize = 8;

impl<'a> Flat<'a> {
    /// Cleans every line of a stretch.
    pub(super) fn new(window: Window<'a>, habits: &mut Habits) -> Self {
        let mut flat = Self::default();
        let lines = || Lines::new(window.bytes);
        let encoded = |line: &[u8]| memchr::memmem::find(line, b"=3D").is_some();
        let torn = lines().any(|line| line.bytes.ends_with(b"=")) && lines().any(|line| encoded(line.bytes));
        habits.quoted_printable |= torn || lines().any(|line| is_quoted_printable(line.bytes));
        let mut soft = false;
        for (line, from, part) in
            lines().flat_map(|line| markup::parts(line.bytes).map(move |(at, part)| (line, at, part)))
        {
            let mut clean = Clean::new(part, from, habits.quoted_printable);
            clean.decoded |= part.len() < line.bytes.len();
            let mut stripped = quote_marks(&clean.text);
            if soft {
                stripped = flat.pieces.last().map_or(0, |above| above.same_marks(&clean.text, stripped));
            } else if stripped == 0 || !pairs::starts(after(&clean.text, stripped)) {
                stripped += habits.prefix(after(&clean.text, stripped));
            }
            habits.learn(after(&clean.text, stripped));
            let mut text = after(&clean.text, stripped);
            // A mark at the end says that the row goes on below.
            let mut dots = false;
            let (mut n, blank) = (trim_end(text).len(), trim_end(text).len() < text.len());
            let goes_on = clean.soft;
            if goes_on {
                n = text.len();
            }
            for mark in [&b" ..."[..], b" \\", b" [...]", b" .."] {
                if !goes_on && let Some(head) = upto(text, n).strip_suffix(mark).filter(|head| !head.is_empty()) {
                    n = trim_end(head).len();
                    dots = true;
                    break;
                }
            }
            text = upto(text, n);
            if !flat.pieces.is_empty() && !soft {
                flat.text.push(b'\n');
                flat.columns.push(0);
            }
            flat.pieces.push(Piece {
                at: flat.text.len(),
                line: window.line.saturating_add(line.number - 1),
                offset: window.offset + line.start as u64,
                raw: line.bytes,
                joint: if blank || dots { Joint::Blank } else { Joint::Open },
                stripped: if stripped < clean.text.len() && !text.is_empty() { stripped } else { 0 },
                decoded: clean.decoded,
                dots,
            });
            flat.text.extend_from_slice(text);
            let from = clean.text.len() - after(&clean.text, stripped).len();
            flat.columns.extend(clean.columns.drain(from..).take(n));
            soft = goes_on;
        }
        flat
    }

    /// The piece that a byte of the text belongs to.
    pub(super) fn piece(&self, at: usize) -> usize {
        self.pieces.partition_point(|piece| piece.at <= at).saturating_sub(1)
    }

    /// The column of a byte of the text, counted from 1.
    pub(super) fn column(&self, at: usize) -> u32 {
        self.columns.get(at).map_or(1, |column| column + 1)
    }

    /// What a line end of the text stands for.
    pub(super) fn joint(&self, at: usize) -> Joint {
        self.pieces.get(self.piece(at)).map_or(Joint::Open, |piece| piece.joint)
    }
}

impl Piece<'_> {
    /// How much of the line below a soft break is marks again, of `stripped` bytes that could be: what follows such a
    /// break belongs to the word before it, its blanks included.
    fn same_marks(&self, below: &[u8], stripped: usize) -> usize {
        let mine = upto(self.raw, self.stripped);
        if !mine.is_empty() && below.starts_with(mine) {
            return mine.len();
        }
        let is_visible = upto(below, stripped).iter().any(|b| matches!(b, b'>' | b'|'));
        if is_visible { stripped.min(self.stripped) } else { 0 }
    }
}

impl Habits {
    /// Whether this is the first row of a `diff` that shows both of its files.
    pub(super) fn shows_both(&mut self, raw: &[u8]) -> bool {
        let mark = |marks: &[&[u8]]| {
            marks
                .iter()
                .any(|mark| raw.strip_prefix(*mark).is_some_and(|row| pairs::starts(crate::lex::trim_start(row))))
        };
        let was_both = self.sides == [true, true];
        self.sides[0] |= mark(&[b"-", b"[-", b"<"]);
        self.sides[1] |= mark(&[b"+", b"{+"]) || self.sides[0] && mark(&[b">"]);
        !was_both && self.sides == [true, true]
    }

    /// How much of a line is the prefix of a log, as earlier rows had it.
    fn prefix(&self, line: &[u8]) -> usize {
        let fits =
            |shape: &&Vec<u8>| line.len() >= shape.len() && shape.iter().zip(line).all(|(a, b)| is_alike(*a, *b));
        self.prefixes.iter().filter(fits).map(Vec::len).max().unwrap_or(0)
    }

    /// Remembers what stands before a row, if it looks like the prefix of a log.
    fn learn(&mut self, line: &[u8]) {
        let Some(at) = pairs::find(line).first().map(|pair| pair.at) else { return };
        let prefix = upto(line, at);
        let words = prefix.split(|b| *b == b' ').filter(|word| !word.is_empty());
        if words.clone().any(|word| row::value(word).is_some() || Flags::from_word(word).is_some()) {
            return;
        }
        let is_log = prefix.ends_with(b" ") && prefix.iter().any(u8::is_ascii_digit) || prefix.ends_with(b"\t");
        if is_log && self.prefix(line) == 0 && self.prefixes.len() < MAX_PREFIXES {
            self.prefixes.push(prefix.to_vec());
        }
    }
}

/// Times and numbers differ from line to line, and so does their padding.
fn is_alike(a: u8, b: u8) -> bool {
    let is_number = |b: u8| b.is_ascii_digit() || b == b' ';
    a == b || is_number(a) && is_number(b)
}

/// How much of a line is quote marks, bullets and indentation.
fn quote_marks(line: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let rest = after(line, at);
        at += match rest {
            [b' ' | b'\t' | b'>' | b'|' | 0xa0, ..] => 1,
            [b'*' | b'-' | b'+' | b'#' | b':' | b';' | b'%' | b'<', b' ' | b'\t', ..] => 2,
            [b'/', b'/' | b'*', b' ', ..] => 3,
            // Not what a mailer broke off behind `pages`.
            [b'=', b' ', rest @ ..] if pairs::starts(rest) => 2,
            // A unified diff.
            [b'+' | b'-', rest @ ..] if pairs::starts(rest) => 1,
            [b'`' | b'"', ..] => 1,
            [0xe2, 0x80, 0xa2, ..] => 3,
            [0xc2, 0xbb, ..] => 2,
            _ => return at,
        };
    }
}

/// `pages=3D4`: no row has such a number, mail in quoted-printable has no other.
fn is_quoted_printable(line: &[u8]) -> bool {
    memchr::memmem::find_iter(line, b"=3D").any(|at| {
        let key = upto(line, at);
        key.ends_with(b"pages")
            || key.ends_with(b"phys") && !key.iter().any(|b| (b'A'..=b'F').contains(b))
            || is_node(key)
    })
}

/// Ends with ` N0`.
fn is_node(key: &[u8]) -> bool {
    let n = key.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    0 < n && upto(key, key.len() - n).ends_with(b" N")
}

/// One line, decoded.
struct Clean {
    text: Vec<u8>,
    columns: Vec<u32>,
    /// Something was decoded or taken out.
    decoded: bool,
    /// A mailer broke the line here; its mark was taken off.
    soft: bool,
}

impl Clean {
    /// `column`: where the text begins in its line.
    fn new(line: &[u8], column: usize, quoted_printable: bool) -> Self {
        let decode = quoted_printable && is_encoded(line);
        let mut clean = Self { text: Vec::new(), columns: Vec::new(), decoded: false, soft: false };
        let mut at = 0;
        while at < line.len() {
            let rest = after(line, at);
            let (n, text): (usize, &[u8]) = match rest {
                [0x1b, ..] => (escape_len(rest), b""),
                [b'[', ..] if 0 < colour_len(rest) => (colour_len(rest), b""),
                [b'<', ..] if 0 < markup::tag_len(rest) => (markup::tag_len(rest), markup::spaced(rest)),
                [b'\\', ..] if markup::escaped(rest).is_some() => markup::escaped(rest).unwrap_or((1, b"")),
                [0, ..] => (1, b""),
                [0xef, 0xbb, 0xbf, ..] | [0xe2, 0x80, 0x8b..=0x8f, ..] => (3, b""),
                [0xc2, 0xa0, ..] => (2, b" "),
                [0xe2, 0x80, 0x90..=0x95, ..] | [0xe2, 0x88, 0x92, ..] => (3, b"-"),
                [0xe2, 0x80, 0xa6, ..] => (3, b"..."),
                [b'&', ..] => match markup::ENTITIES.iter().find(|(name, _)| rest.starts_with(name)) {
                    Some((name, text)) => (name.len(), text),
                    None => {
                        clean.put(b'&', column + at);
                        at += 1;
                        continue;
                    }
                },
                [b'=', high, low, ..] if decode => {
                    let byte = crate::lex::nibble(*high) << 4 | crate::lex::nibble(*low);
                    clean.put(byte, column + at);
                    clean.decoded = true;
                    at += 3;
                    continue;
                }
                [b'='] if quoted_printable || !ends_with_key(line) => {
                    clean.soft = true;
                    (1, b"")
                }
                [byte, ..] => {
                    clean.put(*byte, column + at);
                    at += 1;
                    continue;
                }
                [] => break,
            };
            clean.decoded = true;
            for byte in text {
                clean.put(*byte, column + at);
            }
            at += n.max(1);
        }
        clean
    }

    fn put(&mut self, byte: u8, column: usize) {
        self.text.push(byte);
        self.columns.push(column as u32);
    }
}

/// Every `=` of the line is one of quoted-printable; a file that is quoted inside a mail has others.
fn is_encoded(line: &[u8]) -> bool {
    memchr::memchr_iter(b'=', line).all(|at| match after(line, at + 1) {
        [] => true,
        [high, low, ..] => {
            let is_digit = |b: &u8| b.is_ascii_digit() || (b'A'..=b'F').contains(b);
            let byte = crate::lex::nibble(*high) << 4 | crate::lex::nibble(*low);
            let key = upto(line, at);
            let is_value = key.ends_with(b"pages") || key.ends_with(b"phys") || is_node(key);
            is_digit(high) && is_digit(low) && (byte == b'=' || !is_value) && (b' ' <= byte || byte == b'\t')
        }
        _ => false,
    })
}

/// `pages=`, cut at the width of a terminal.
fn ends_with_key(line: &[u8]) -> bool {
    let key = line.strip_suffix(b"=").unwrap_or(line);
    key.ends_with(b"pages")
        || key.ends_with(b"phys")
        || is_node(key)
        || key.ends_with(b"=")
        || key.ends_with(b" ")
        || key.is_empty()
}

/// Bytes of a terminal's control sequence.
fn escape_len(text: &[u8]) -> usize {
    match text {
        [_, b'[', rest @ ..] => 3 + rest.iter().take_while(|b| !(0x40..=0x7e).contains(*b)).count(),
        [_, b']', rest @ ..] => 3 + rest.iter().take_while(|b| !matches!(b, 7 | 0x1b)).count(),
        _ => 2,
    }
}

/// Bytes of the colours of `grep` and `ls` whose escape byte was lost: `[01;31m[K`, `[m[K`. A module's name stands in
/// brackets as well, so the end of the line must be cleared too.
fn colour_len(text: &[u8]) -> usize {
    let n = 1 + after(text, 1).iter().take_while(|b| b.is_ascii_digit() || **b == b';').count();
    if after(text, n).starts_with(b"m[K") { n + 3 } else { 0 }
}
