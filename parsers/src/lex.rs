//! Atoms that all formats share: numbers, literals, blanks and lines.
//!
//! The atoms are ordinary nom parsers over bytes. Numbers and literals are written by hand, because a trace
//! line consists of little else and nom's general versions go byte by byte through iterators.

#![expect(clippy::missing_errors_doc, reason = "the error of every atom is the place it stopped at")]

use nom::error::{Error, ErrorKind};
use nom::{Err, IResult};

use crate::stream::Window;

/// What every parser here returns: the rest of the bytes and a value, or the place it stopped at.
pub type Res<'a, T> = IResult<&'a [u8], T>;

/// One line of an input, without its line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Counted from 1.
    pub number: u32,
    /// Where the line starts, bytes from the start of the input.
    pub start: usize,
    /// The line without `\n` and without carriage returns before it.
    pub bytes: &'a [u8],
    /// Whether a line end follows; `false` only for the last line.
    pub ended: bool,
}

/// Walks over the lines of an input; a clone (three words) marks a place to come back to.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    input: &'a [u8],
    at: usize,
    number: u32,
}

impl<'a> Lines<'a> {
    /// Stands before the first line of a window; places count from the window's start.
    pub(crate) fn of_window(window: &Window<'a>) -> Self {
        Self { input: window.bytes, at: 0, number: window.line }
    }

    /// Number of the next line.
    #[inline]
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Everything from the next line on.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        after(self.input, self.at)
    }

    /// Passes over one line of `n` bytes, its end included.
    #[inline]
    pub(crate) fn pass(&mut self, n: usize) {
        self.at += n;
        self.number = self.number.saturating_add(1);
    }
}

impl<'a> Lines<'a> {
    /// Stands before the first line.
    pub fn new(input: &'a [u8]) -> Self {
        Self { input, at: 0, number: 1 }
    }

    /// Where the next line starts, bytes from the start of the input.
    pub fn offset(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    #[inline]
    fn next(&mut self) -> Option<Line<'a>> {
        let left = after(self.input, self.at);
        if left.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', left);
        let bytes = end.map_or(left, |end| upto(left, end));
        let line = Line { number: self.number, start: self.at, bytes: trim_cr(bytes), ended: end.is_some() };
        self.at += bytes.len() + usize::from(line.ended);
        self.number = self.number.saturating_add(1);
        Some(line)
    }
}

/// Makes the error of a parser that stopped at `input`.
#[inline]
pub fn stop<T>(input: &[u8]) -> Res<'_, T> {
    Err(Err::Error(Error::new(input, ErrorKind::Verify)))
}

/// The bytes from `n` on; empty if there are fewer.
#[inline]
pub fn after(input: &[u8], n: usize) -> &[u8] {
    input.get(n..).unwrap_or_default()
}

/// The bytes before `n`; all if there are fewer.
#[inline]
pub fn upto(input: &[u8], n: usize) -> &[u8] {
    input.get(..n).unwrap_or(input)
}

/// Exactly these bytes.
#[inline]
pub fn lit<'a>(word: &'static [u8]) -> impl Fn(&'a [u8]) -> Res<'a, ()> {
    move |input| match input.strip_prefix(word) {
        Some(rest) => Ok((rest, ())),
        None => stop(input),
    }
}

/// A decimal number that fits 64 bits, at least one digit.
#[inline]
pub fn decimal(input: &[u8]) -> Res<'_, u64> {
    // Nineteen digits cannot overflow; only the twentieth needs a check.
    let mut value = 0_u64;
    let mut n = 0;
    for byte in input {
        let digit = byte.wrapping_sub(b'0');
        if 9 < digit {
            break;
        }
        if n < 19 {
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        } else {
            match value.checked_mul(10).and_then(|v| v.checked_add(u64::from(digit))) {
                Some(v) => value = v,
                None => return stop(input),
            }
        }
        n += 1;
    }
    if n == 0 {
        return stop(input);
    }
    Ok((after(input, n), value))
}

/// A decimal number that may have a minus.
#[inline]
pub fn signed(input: &[u8]) -> Res<'_, i64> {
    let (negative, digits) = match input.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, input),
    };
    let (rest, value) = decimal(digits)?;
    match i64::try_from(value) {
        Ok(value) => Ok((rest, if negative { -value } else { value })),
        Err(_) => stop(input),
    }
}

/// Value of a hexadecimal digit, upper or lower case; 16 and more for other bytes.
#[inline]
pub fn nibble(byte: u8) -> u8 {
    let digit = byte.wrapping_sub(b'0');
    if digit <= 9 {
        return digit;
    }
    let letter = (byte | 0x20).wrapping_sub(b'a');
    if letter <= 5 { letter + 10 } else { 16 }
}

/// A hexadecimal number of 1 to 16 significant digits, without `0x`.
#[inline]
pub fn hex(input: &[u8]) -> Res<'_, u64> {
    let mut value = 0_u64;
    let mut n = 0;
    for &byte in input {
        let digit = nibble(byte);
        if 15 < digit {
            break;
        }
        if value >> 60 != 0 {
            return stop(input);
        }
        value = (value << 4) | u64::from(digit);
        n += 1;
    }
    if n == 0 {
        return stop(input);
    }
    Ok((after(input, n), value))
}

/// A hexadecimal number with `0x`.
#[inline]
pub fn hex0x(input: &[u8]) -> Res<'_, u64> {
    let (rest, ()) = lit(b"0x")(input)?;
    hex(rest)
}

/// A number as people write it: decimal, or hexadecimal with `0x`.
#[inline]
pub fn number(input: &[u8]) -> Res<'_, u64> {
    if input.starts_with(b"0x") { hex0x(input) } else { decimal(input) }
}

/// Any number of blanks, also none.
#[inline]
pub fn blanks(input: &[u8]) -> Res<'_, ()> {
    let n = input.iter().take_while(|&&b| b == b' ').count();
    Ok((after(input, n), ()))
}

/// A run of bytes without blanks and tabs, at least one.
#[inline]
pub fn word(input: &[u8]) -> Res<'_, &[u8]> {
    let n = input.iter().take_while(|&&b| b != b' ' && b != b'\t').count();
    if n == 0 {
        return stop(input);
    }
    Ok((after(input, n), upto(input, n)))
}

/// Cuts carriage returns off the end.
#[inline]
pub(crate) fn trim_cr(mut input: &[u8]) -> &[u8] {
    while let [head @ .., b'\r'] = input {
        input = head;
    }
    input
}

/// Cuts blanks, tabs, carriage returns and NULs off the end.
pub fn trim_end(mut input: &[u8]) -> &[u8] {
    while let [head @ .., b' ' | b'\t' | b'\r' | 0] = input {
        input = head;
    }
    input
}

/// Cuts blanks, tabs, carriage returns and NULs off the start.
pub fn trim_start(mut input: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\r' | 0, tail @ ..] = input {
        input = tail;
    }
    input
}

/// Both ends of [`trim_start`] and [`trim_end`].
pub fn trim(input: &[u8]) -> &[u8] {
    trim_start(trim_end(input))
}

/// Where `part`, a piece of `whole`, begins in it. What is none of it, as an empty rest may be, is at its end.
pub(crate) fn offset_in(whole: &[u8], part: &[u8]) -> usize {
    let at = part.as_ptr().addr().checked_sub(whole.as_ptr().addr());
    at.filter(|&at| at <= whole.len()).unwrap_or(whole.len())
}

/// Column, counted from 1, of a piece of a line.
pub(crate) fn column(line: &[u8], part: &[u8]) -> u32 {
    u32::try_from(offset_in(line, part)).unwrap_or(u32::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_at_the_first_other_byte() {
        assert_eq!(decimal(b"18405698627118596096 size"), Ok((&b" size"[..], 18_405_698_627_118_596_096)));
        assert_eq!(decimal(b"18446744073709551615"), Ok((&b""[..], u64::MAX)));
        assert_eq!(hex(b"ff6e2d6240000000 v"), Ok((&b" v"[..], 0xff6e_2d62_4000_0000)));
        assert_eq!(hex0x(b"0x0 num"), Ok((&b" num"[..], 0)));
        assert_eq!(number(b"0x10000"), Ok((&b""[..], 0x10000)));
        assert_eq!(signed(b"-16"), Ok((&b""[..], -16)));
    }

    #[test]
    fn numbers_too_long_or_missing_are_refused() {
        assert!(decimal(b"18446744073709551616").is_err());
        assert!(decimal(b"x").is_err());
        assert!(hex(b"10000000000000000").is_err());
        assert!(hex0x(b"ff").is_err());
        assert!(signed(b"-").is_err());
    }

    #[test]
    fn lines_know_their_place_with_any_line_end() {
        let lines: Vec<_> = Lines::new(b"a\r\n\nbc").collect();
        assert_eq!(
            lines,
            [
                Line { number: 1, start: 0, bytes: b"a", ended: true },
                Line { number: 2, start: 3, bytes: b"", ended: true },
                Line { number: 3, start: 4, bytes: b"bc", ended: false },
            ]
        );
    }
}
