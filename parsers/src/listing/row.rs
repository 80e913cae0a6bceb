//! What the rows of all dialects are made of: two addresses, a size, words.

use nom::Parser;
use nom::combinator::all_consuming;
use nom::sequence::preceded;

use crate::ProblemKind;
use crate::lex::{after, decimal, hex, lit, nibble, number, trim, trim_end, trim_start, upto};
use crate::vmallocinfo::{Area, Caller, Confidence, Flags, State};

/// Fewest and most digits of an address. Debuggers do not pad, and some kernels have their areas far down.
const DIGITS: std::ops::RangeInclusive<usize> = 8..=16;

/// The smallest page there is: every area begins and ends at a multiple of it.
pub(super) const PAGE: u64 = 4096;

/// Two addresses with a dash between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    /// Where it begins and where it ends, bytes into the line.
    pub at: usize,
    pub until: usize,
    pub start: u64,
    pub end: u64,
    /// Digits of the addresses.
    pub start_digits: usize,
    pub end_digits: usize,
    /// The addresses have their `0x`.
    pub prefixed: bool,
    /// There are blanks around the dash.
    pub spaced: bool,
}

impl Range {
    /// Whether an area can lie there.
    pub(super) fn is_sound(&self) -> bool {
        self.start < self.end && self.start.is_multiple_of(PAGE) && self.end.is_multiple_of(PAGE)
    }

    /// An area of which only the addresses are known.
    pub(super) fn area<'a>(&self) -> Area<'a> {
        area(self.start, self.end, self.start_digits.max(self.end_digits))
    }

    /// The area, with the size that its row tells. If they disagree because the start was cut, end and size tell it; a
    /// shorter end was cut as well, and its row is lost.
    pub(super) fn sized<'a>(&self, bytes: u64) -> Result<(Area<'a>, Option<ProblemKind>), ProblemKind> {
        if self.is_sound() && self.end - self.start == bytes {
            return Ok((self.area(), None));
        }
        if self.start_digits < self.end_digits {
            let start = self.end.checked_sub(bytes).ok_or(ProblemKind::BrokenRow)?;
            let whole = Self { start, start_digits: self.end_digits, ..*self };
            return if whole.is_sound() {
                Ok((whole.area(), Some(ProblemKind::StartComputed)))
            } else {
                Err(ProblemKind::BrokenRow)
            };
        }
        if !self.is_sound() || self.end_digits < self.start_digits {
            return Err(ProblemKind::BrokenRow);
        }
        Ok((Area { size: bytes, ..self.area() }, Some(ProblemKind::SizeMismatch)))
    }

    /// The area of a row without size; the addresses tell it, unless one of them was cut.
    pub(super) fn unsized_area<'a>(&self) -> Result<Area<'a>, ProblemKind> {
        let whole = self.is_sound() && self.start_digits == self.end_digits;
        if whole { Ok(self.area()) } else { Err(ProblemKind::BrokenRow) }
    }
}

/// The first two addresses with a dash between them. `~` serves as a dash as well.
pub(super) fn find(line: &[u8]) -> Option<Range> {
    memchr::memchr2_iter(b'-', b'~', line).find_map(|dash| {
        let left = trim_end(upto(line, dash));
        let n = left.iter().rev().take(DIGITS.end() + 1).take_while(|&&b| nibble(b) < 16).count();
        let at = left.len() - n;
        let (_, start) = hex(after(left, at)).ok()?;
        let head = upto(left, at);
        let prefixed = head.ends_with(b"0x") || head.ends_with(b"0X");
        let word = !prefixed && head.last().is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'-');
        let right = after(line, dash + 1);
        let (rest, end, m) = address(trim_start(right))?;
        let until = line.len() - rest.len();
        let range = Range {
            at: if prefixed { at - 2 } else { at },
            until,
            start,
            end,
            start_digits: n,
            end_digits: m,
            prefixed,
            spaced: left.len() < dash,
        };
        (DIGITS.contains(&n) && !word).then_some(range)
    })
}

/// An address at the start of a text, with or without `0x`: the rest, its value and its digits.
pub(super) fn address(text: &[u8]) -> Option<(&[u8], u64, usize)> {
    let text = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X")).unwrap_or(text);
    let (rest, value) = hex(text).ok()?;
    let digits = text.len() - rest.len();
    let ends = rest.first().is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'-');
    (ends && DIGITS.contains(&digits)).then_some((rest, value, digits))
}

/// An area of which only the addresses are known.
pub(super) fn area<'a>(start: u64, end: u64, digits: usize) -> Area<'a> {
    Area {
        line: 0,
        offset: 0,
        start,
        end,
        size: end.wrapping_sub(start),
        caller: None,
        pages: None,
        phys: None,
        flags: Flags::default(),
        nodes: Vec::new(),
        state: State::Busy,
        confidence: Confidence::Exact,
        address_digits: if digits <= 8 { 8 } else { 16 },
        phys_digits: 0,
        unready: false,
    }
}

/// A number of bytes, with its unit if there is one: `20480`, `00000008 KB`, `20.00KB`, `4K`. `None` also if the unit is
/// too coarse to tell the bytes: no area is as large as `31.33MB` says.
pub(super) fn size(text: &[u8]) -> Option<(&[u8], u64)> {
    let (rest, whole) = decimal(text).ok()?;
    let (rest, tenths, scale) = fraction(rest);
    let (rest, unit) = unit(rest);
    let ends = rest.first().is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'.');
    let parts = u128::from(whole).checked_mul(scale)?.checked_add(tenths)?.checked_mul(u128::from(unit))?;
    let bytes = u64::try_from(parts / scale).ok()?;
    let told = scale == 1 || parts % scale == 0 && bytes.is_multiple_of(PAGE);
    (ends && told).then_some((rest, bytes))
}

/// `.25`: the digits and what they are parts of.
fn fraction(text: &[u8]) -> (&[u8], u128, u128) {
    let Some(digits) = text.strip_prefix(b".") else { return (text, 0, 1) };
    match decimal(digits) {
        Ok((rest, value)) if digits.len() - rest.len() <= 6 => {
            (rest, u128::from(value), 10_u128.pow((digits.len() - rest.len()) as u32))
        }
        _ => (text, 0, 1),
    }
}

/// `K`, `KB`, `kB`, `KiB` … with or without a blank before it.
fn unit(text: &[u8]) -> (&[u8], u64) {
    let name = trim_start(text);
    let shift = match name.first().map(u8::to_ascii_uppercase) {
        Some(b'K') => 10,
        Some(b'M') => 20,
        Some(b'G') => 30,
        Some(b'T') => 40,
        Some(b'P') => 50,
        Some(b'E') => 60,
        Some(b'B') if name.get(1).is_none_or(|b| !b.is_ascii_alphanumeric()) => return (after(name, 1), 1),
        _ => return (text, 1),
    };
    let tail = after(name, 1);
    let tail = tail.strip_prefix(b"i").unwrap_or(tail);
    let tail = tail.strip_prefix(b"B").or_else(|| tail.strip_prefix(b"b")).unwrap_or(tail);
    // A word that merely begins with such a letter is no unit.
    if tail.first().is_some_and(u8::is_ascii_alphanumeric) { (text, 1) } else { (tail, 1 << shift) }
}

/// `start_kernel`, `<start_kernel+496>`, `kernel_clone+0xb4/0x39c`, `0xbf00e11c`
pub(super) fn caller(word: &[u8]) -> Option<Caller<'_>> {
    let word = word.strip_prefix(b"<").map_or(word, |inner| inner.strip_suffix(b">").unwrap_or(inner));
    if all_consuming(preceded(lit(b"0x"), hex)).parse(word).is_ok() {
        return Some(Caller { symbol: word, offset: 0, length: 0, module: None });
    }
    let plus = memchr::memchr(b'+', word).unwrap_or(word.len());
    let symbol = upto(word, plus);
    let letter = |b: &u8| b.is_ascii_alphanumeric() || b"_.$:".contains(b);
    let begins = symbol.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
    if !begins || !symbol.iter().all(letter) {
        return None;
    }
    let tail = after(word, plus);
    let (offset, length) = match tail.strip_prefix(b"+") {
        None => (0, 0),
        Some(numbers) => {
            let (rest, offset) = number(numbers).ok()?;
            match rest.strip_prefix(b"/") {
                None if rest.is_empty() => (offset, 0),
                None => return None,
                Some(length) => (offset, all_consuming(number).parse(length).ok()?.1),
            }
        }
    };
    Some(Caller { symbol, offset, length, module: None })
}

/// `[foo]`; a debug kernel puts a build id behind the name, which the split at blanks already removed.
pub(super) fn module(word: &[u8]) -> Option<&[u8]> {
    word.strip_prefix(b"[")?.strip_suffix(b"]").filter(|name| !name.is_empty())
}

/// Applies the words behind a size, in any order. Hands out the first that is not known.
pub(super) fn words<'a>(area: &mut Area<'a>, tail: &'a [u8]) -> Option<ProblemKind> {
    let mut unknown = None;
    for word in tail.split(|b| b" \t\r\0".contains(b)).filter(|word| !word.is_empty()) {
        if !word_of(area, word) && unknown.is_none() {
            unknown = Some(ProblemKind::UnknownWord(String::from_utf8_lossy(upto(word, 64)).into_owned()));
        }
    }
    unknown
}

/// Applies one word; `false` if it is not known.
fn word_of<'a>(area: &mut Area<'a>, word: &'a [u8]) -> bool {
    if let Some(flag) = Flags::from_word(word) {
        area.flags = area.flags.with(flag);
        return true;
    }
    match word {
        b"vm_map_ram" => area.state = State::VmMapRam,
        b"unpurged" | b"freeing" => area.state = State::Unpurged,
        b"vm_area" if area.state == State::Unpurged => {}
        _ => return value(area, word) || named(area, word),
    }
    true
}

/// `pages=4`, `phys=0xfed00000`, `N0=4`
fn value(area: &mut Area<'_>, word: &[u8]) -> bool {
    let Some(at) = memchr::memchr(b'=', word) else { return false };
    let (key, text) = (upto(word, at), after(word, at + 1));
    match key {
        b"pages" => all_consuming(decimal).parse(text).is_ok_and(|(_, pages)| {
            area.pages = Some(pages);
            true
        }),
        b"phys" => phys(area, text),
        [b'N', node @ ..] => {
            let node = all_consuming(decimal).parse(node).ok().and_then(|(_, node)| u16::try_from(node).ok());
            let pages = all_consuming(decimal).parse(text).ok().map(|(_, pages)| pages);
            let (Some(node), Some(pages)) = (node, pages) else { return false };
            area.nodes.push((node, pages));
            true
        }
        _ => false,
    }
}

/// A physical address, with or without `0x`.
pub(super) fn phys(area: &mut Area<'_>, text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"0x").unwrap_or(text);
    let Ok((_, value)) = all_consuming(hex).parse(digits) else { return false };
    area.phys = Some(value);
    area.phys_digits = if digits.len() < text.len() { digits.len() as u8 } else { 0 };
    true
}

/// The caller or its module. gdb prints an address before a symbol; the symbol says more.
fn named<'a>(area: &mut Area<'a>, word: &'a [u8]) -> bool {
    match (&mut area.caller, module(word), caller(word)) {
        (Some(caller), Some(name), _) if caller.module.is_none() => caller.module = Some(name),
        (known, None, Some(found)) if known.is_none_or(|known| known.symbol.starts_with(b"0x")) => {
            area.caller = Some(found);
        }
        _ => return false,
    }
    true
}

/// Whether a line is the prompt of a debugger or a shell and what somebody typed there.
pub(super) fn is_prompt(line: &[u8]) -> bool {
    let line = trim(line);
    [&b"crash> "[..], b"crash>", b"(gdb)", b">>>", b"$ ", b"# ", b"drgn "].iter().any(|mark| line.starts_with(mark))
        || memchr::memmem::find(line, b":~# ").is_some()
        || memchr::memmem::find(line, b":~$ ").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_addresses_in_any_spelling() {
        let wide = (0xffff_c900_0000_0000, 0xffff_c900_0000_5000);
        for (text, want) in [
            ("0xffffc90000000000-0xffffc90000005000   20480", Some(wide)),
            ("x ffffc90000000000 - ffffc90000005000", Some(wide)),
            ("[0xffffc90000000000~0xffffc90000005000)", Some(wide)),
            ("va:f114b000-f114d000, size", Some((0xf114_b000, 0xf114_d000))),
            ("0x38000000000-0x38000004000", Some((0x380_0000_0000, 0x380_0000_4000))),
            ("2026-11-20 10:00:00", None),
            ("6ba7b810-9dad-11d1-80b4-00c04fd430c8", None),
            ("0xffffc90000000000-0xffffc900000", Some((0xffff_c900_0000_0000, 0x0fff_fc90_0000))),
            ("0xffffc90000000000-", None),
            ("module12345678-12345678", None),
        ] {
            assert_eq!(find(text.as_bytes()).map(|range| (range.start, range.end)), want, "{text}");
        }
    }

    #[test]
    fn sizes_in_any_unit() {
        for (text, want) in [
            ("20480", Some(20480)),
            ("20480 x", Some(20480)),
            ("00000008 KB, alloc", Some(8192)),
            ("20.00KB", Some(20480)),
            ("1.50 MiB", Some(1_572_864)),
            ("31.33MB", None),
            ("16777088T pgd", Some(16_777_088 << 40)),
            ("16777217E", None),
            ("8 pages", Some(8)),
            ("8 Books", Some(8)),
            ("8x", None),
            ("", None),
        ] {
            assert_eq!(size(text.as_bytes()).map(|(_, bytes)| bytes), want, "{text}");
        }
    }

    #[test]
    fn callers_in_any_spelling() {
        let seen = |word: &'static str| caller(word.as_bytes()).map(|c| (c.symbol, c.offset, c.length));
        assert_eq!(seen("start_kernel"), Some((&b"start_kernel"[..], 0, 0)));
        assert_eq!(seen("<start_kernel+496>"), Some((&b"start_kernel"[..], 496, 0)));
        assert_eq!(seen("foo.part.0+0x1b/0x2f"), Some((&b"foo.part.0"[..], 0x1b, 0x2f)));
        assert_eq!(seen("0xbf00e11c"), Some((&b"0xbf00e11c"[..], 0, 0)));
        assert_eq!(seen("12345"), None);
        assert_eq!(seen("foo+0x1b/"), None);
        assert_eq!(seen("foo+bar"), None);
    }
}
