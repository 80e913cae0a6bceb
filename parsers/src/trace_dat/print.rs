//! The `print fmt` of an event, as far as it only names fields; and the texts of `trace_printk`.
//!
//! `"(%lx) size=0x%x align=%Lu", REC->__probe_ip, REC->size, REC->align`
//!
//! Whatever needs more than that (`__print_flags`, arithmetic) makes the whole event fall back to `name=value` pairs:
//! no value is invented.

use std::io::Write as _;

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::combinator::{all_consuming, map_res, opt, value};
use nom::multi::many0;
use nom::sequence::{delimited, preceded, terminated};

use super::format::{Field, Format, Place, extend};
use super::input::Order;
use super::symbols::{SymbolCache, Symbols, unescape};
use crate::lex::{Res, after, decimal, upto};

/// One conversion of a format string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spec {
    /// `d u x X c s`, `p` for a plain pointer, `S` for a symbol with offset, `F` for a symbol alone.
    pub(super) kind: u8,
    width: u8,
    is_zero_padded: bool,
    is_left: bool,
    is_alternate: bool,
    /// Bytes of the argument in a `bprint` record: 0 for `int`, 1 for `long`, 2 for `long long`.
    n_longs: u8,
}

/// A piece of a format string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(Vec<u8>),
    Value(Spec),
}

/// How to print an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    Value(Spec, Value),
}

/// A field, or one element of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Value {
    field: Field,
    /// Index of the element and its bytes.
    element: Option<(u32, u8)>,
}

/// What every value may need.
pub(super) struct Values<'a> {
    pub(super) record: &'a [u8],
    pub(super) order: Order,
    pub(super) symbols: &'a Symbols,
}

impl Template {
    /// The template of an event without the addresses in parentheses that a probe begins with.
    pub(super) fn of(format: &Format, long_size: u8, is_probe: bool) -> Self {
        let parts = printed(format, long_size).unwrap_or_else(|| generic(format, long_size));
        Self { parts: if is_probe { without_place(parts) } else { parts } }
    }

    /// Appends the event's text.
    pub(super) fn write(&self, values: &Values<'_>, cache: &mut SymbolCache, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Value(spec, of) => of.write(*spec, values, cache, out),
            }
        }
    }
}

impl Value {
    fn write(&self, spec: Spec, values: &Values<'_>, cache: &mut SymbolCache, out: &mut Vec<u8>) {
        if spec.kind == b's' {
            let text = bytes_of(&self.field, values).unwrap_or_default();
            pad(spec, until_nul(text), out);
            return;
        }
        let number = match self.element {
            None => self.field.number().and_then(|number| number.get(values.record, values.order)),
            Some((index, size)) => bytes_of(&self.field, values).and_then(|bytes| {
                let at = (index as usize).checked_mul(usize::from(size))?;
                let value = values.order.uint(bytes, at, size)?;
                Some(if self.field.is_signed { extend(value, size) } else { value })
            }),
        };
        match number {
            Some(number) => {
                let size = self.element.map_or_else(|| self.field.size.min(8) as u8, |(_, size)| size);
                write_number(spec, number, size, values.symbols, cache, out);
            }
            None => out.extend_from_slice(b"?"),
        }
    }
}

/// The bytes of an array or text, wherever they stand.
pub(super) fn bytes_of<'a>(field: &Field, values: &Values<'a>) -> Option<&'a [u8]> {
    let at = field.offset as usize;
    let (from, len) = match field.place {
        // An array at the end goes on to the end of the record.
        Place::Here if field.size == 0 => (at, usize::MAX),
        Place::Here => (at, field.size as usize),
        Place::Far | Place::FarFromHere => {
            let word = values.order.u32(values.record, at)? as usize;
            let base = if field.place == Place::Far { 0 } else { at + 4 };
            (base + (word & 0xffff), word >> 16)
        }
    };
    Some(upto(values.record.get(from..)?, len))
}

pub(super) fn until_nul(text: &[u8]) -> &[u8] {
    memchr::memchr(0, text).map_or(text, |end| upto(text, end))
}

/// Appends a number of `size` bytes, which is sign-extended if its field is signed.
pub(super) fn write_number(
    spec: Spec,
    number: u64,
    size: u8,
    symbols: &Symbols,
    cache: &mut SymbolCache,
    out: &mut Vec<u8>,
) {
    let unsigned = if size < 8 { number & !(u64::MAX << (8 * u32::from(size))) } else { number };
    // A symbol is the only thing longer than this.
    let mut text = [0_u8; 32];
    let mut cursor = &mut text[..];
    let alternate = if spec.is_alternate { "0x" } else { "" };
    let written = match spec.kind {
        b'd' => write!(cursor, "{}", extend(number, size).cast_signed()),
        b'x' => write!(cursor, "{alternate}{unsigned:x}"),
        b'X' => write!(cursor, "{alternate}{unsigned:X}"),
        b'o' => write!(cursor, "{unsigned:o}"),
        b'p' => write!(cursor, "0x{unsigned:x}"),
        b'c' => cursor.write_all(&[unsigned as u8]),
        b'S' | b'F' => return write_symbol(symbols, cache, unsigned, spec.kind == b'S', out),
        _ => write!(cursor, "{unsigned}"),
    };
    debug_assert!(written.is_ok(), "a number has less than 32 characters");
    let left = cursor.len();
    pad(spec, &text[..text.len() - left], out);
}

/// Appends `function+0x1/0x20 [module]` as the kernel's `%pS` (without the numbers: `%ps`), or the address.
pub(super) fn write_symbol(
    symbols: &Symbols,
    cache: &mut SymbolCache,
    address: u64,
    with_offset: bool,
    out: &mut Vec<u8>,
) {
    let Some(place) = cache.place(symbols, address) else {
        out.extend_from_slice(format!("0x{address:x}").as_bytes());
        return;
    };
    out.extend_from_slice(place.name);
    if with_offset {
        let length = place.length.unwrap_or(place.offset);
        out.extend_from_slice(format!("+0x{:x}/0x{length:x}", place.offset).as_bytes());
    }
    if let Some(module) = place.module {
        out.extend_from_slice(b" [");
        out.extend_from_slice(module);
        out.push(b']');
    }
}

fn pad(spec: Spec, text: &[u8], out: &mut Vec<u8>) {
    let n = usize::from(spec.width).saturating_sub(text.len());
    let fill = |out: &mut Vec<u8>, byte: u8| out.extend(std::iter::repeat_n(byte, n));
    if spec.is_left {
        out.extend_from_slice(text);
        fill(out, b' ');
    } else if spec.is_zero_padded {
        let sign = usize::from(text.first() == Some(&b'-'));
        out.extend_from_slice(upto(text, sign));
        fill(out, b'0');
        out.extend_from_slice(after(text, sign));
    } else {
        fill(out, b' ');
        out.extend_from_slice(text);
    }
}

/// The parts of a `print fmt`, if all its arguments are fields.
fn printed(format: &Format, long_size: u8) -> Option<Vec<Part>> {
    let (rest, texts) = many0(terminated(string, blank)).parse(&format.print).ok()?;
    let text = unescape(&texts.concat());
    let pieces = pieces(&text)?;
    let argument = preceded((blank, tag(","), blank), argument);
    let (_, arguments) = all_consuming(terminated(many0(argument), blank)).parse(rest).ok()?;
    let mut arguments = arguments.into_iter();
    let mut parts = Vec::new();
    for piece in pieces {
        parts.push(match piece {
            Piece::Text(text) => Part::Text(text),
            Piece::Value(spec) => {
                let (name, index) = arguments.next()?;
                let field = format.fields.iter().find(|field| field.name == name)?.clone();
                let element = match index {
                    Some(index) => Some((index, field.element.unwrap_or(long_size))),
                    None => None,
                };
                // A text can only be printed as one, and a number only as a number.
                let is_text = spec.kind == b's';
                if element.is_none() && is_text == field.number().is_some() && !field.is_text {
                    return None;
                }
                Part::Value(spec, Value { field, element })
            }
        });
    }
    arguments.next().is_none().then_some(parts)
}

/// `"…"` with escapes, the quotes taken off.
fn string(input: &[u8]) -> Res<'_, &[u8]> {
    let escaped = nom::bytes::complete::escaped(
        nom::bytes::complete::take_till1(|byte| byte == b'"' || byte == b'\\'),
        '\\',
        nom::bytes::complete::take(1_usize),
    );
    delimited(tag("\""), nom::combinator::recognize(opt(escaped)), tag("\"")).parse(input)
}

fn blank(input: &[u8]) -> Res<'_, &[u8]> {
    take_while(|byte: u8| byte.is_ascii_whitespace()).parse(input)
}

/// `REC->x`, `REC->x[1]`, `(void *)REC->x`, `__get_str(x)`
fn argument(input: &[u8]) -> Res<'_, (&[u8], Option<u32>)> {
    let name = || take_while1(|byte: u8| byte.is_ascii_alphanumeric() || byte == b'_');
    let index = delimited(tag("["), map_res(decimal, u32::try_from), tag("]"));
    let cast =
        delimited(tag("("), take_while1(|byte: u8| byte.is_ascii_alphanumeric() || b" _*".contains(&byte)), tag(")"));
    let plain = (preceded((opt(terminated(cast, blank)), alt((tag("REC->"), tag("(REC)->")))), name()), opt(index));
    let text = delimited(alt((tag("__get_str("), tag("__get_rel_str("))), name(), tag(")"));
    alt((plain, text.map(|name| (name, None)))).parse(input)
}

/// Splits a format string; `None` if it has a conversion that is not known.
pub(super) fn pieces(text: &[u8]) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut plain = Vec::new();
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'%', rest) {
        plain.extend_from_slice(upto(rest, at));
        rest = after(rest, at + 1);
        if let Some(tail) = rest.strip_prefix(b"%") {
            plain.push(b'%');
            rest = tail;
            continue;
        }
        let (tail, spec) = spec(rest).ok()?;
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
        }
        pieces.push(Piece::Value(spec));
        rest = tail;
    }
    plain.extend_from_slice(rest);
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    Some(pieces)
}

/// What follows a `%`: `08lx`, `-16s`, `pS`
fn spec(input: &[u8]) -> Res<'_, Spec> {
    let (rest, flags) = take_while(|byte| b"-+ #0".contains(&byte)).parse(input)?;
    let (rest, width) = opt(map_res(decimal, u8::try_from)).parse(rest)?;
    let (rest, precision) = opt(preceded(tag("."), opt(map_res(decimal, u8::try_from)))).parse(rest)?;
    let (rest, longs) = take_while(|byte| b"hlLqzjt".contains(&byte)).parse(rest)?;
    let pointer = alt((
        value(b'S', alt((tag("pS"), tag("pB"), tag("pF")))),
        value(b'F', alt((tag("ps"), tag("pf")))),
        value(b'p', alt((tag("px"), tag("pK")))),
        value(b'p', terminated(tag("p"), nom::combinator::not(take_while1(|byte: u8| byte.is_ascii_alphanumeric())))),
    ));
    let plain = alt((value(b'd', tag("i")), nom::character::complete::one_of("duxXcso").map(|kind| kind as u8)));
    let (rest, kind) = alt((pointer, plain)).parse(rest)?;
    let n_longs = match longs {
        b"ll" | b"L" | b"q" | b"j" => 2,
        b"l" | b"z" | b"t" => 1,
        _ => 0,
    };
    // `%.8x` means as much as `%08x`.
    let digits = precision.flatten().filter(|_| kind != b's');
    let spec = Spec {
        kind,
        width: digits.or(width).unwrap_or_default(),
        is_zero_padded: flags.contains(&b'0') || digits.is_some(),
        is_left: flags.contains(&b'-'),
        is_alternate: flags.contains(&b'#'),
        n_longs,
    };
    Ok((rest, spec))
}

impl Spec {
    /// Bytes of its argument in a `bprint` record.
    pub(super) fn argument_size(self, long_size: u8) -> u8 {
        match (self.kind, self.n_longs) {
            (b'p' | b'S' | b'F', _) | (_, 1) => long_size,
            (_, 2) => 8,
            _ => 4,
        }
    }
}

/// `name=value` of every field.
fn generic(format: &Format, long_size: u8) -> Vec<Part> {
    let mut parts = Vec::new();
    for field in format.own() {
        let blank = if parts.is_empty() { "" } else { " " };
        let name = [blank.as_bytes(), &field.name, b"="].concat();
        let plain = Spec {
            kind: if field.is_signed { b'd' } else { b'u' },
            width: 0,
            is_zero_padded: false,
            is_left: false,
            is_alternate: false,
            n_longs: 0,
        };
        // Addresses are the unsigned longs.
        let is_wide = !field.is_signed && 8 == field.size;
        let spec = match (field.is_text && field.is_array, is_wide) {
            (true, _) => Spec { kind: b's', ..plain },
            (false, true) => Spec { kind: b'x', is_alternate: true, ..plain },
            (false, false) => plain,
        };
        let is_number = field.number().is_some();
        let element = (!is_number).then(|| (0, field.element.unwrap_or(long_size)));
        parts.push(Part::Text(name));
        parts.push(Part::Value(spec, Value { field: field.clone(), element }));
    }
    parts
}

/// Takes `(%lx) ` or `(%lx <- %lx) ` off the front, and fields of that kind from the generic form.
fn without_place(parts: Vec<Part>) -> Vec<Part> {
    let is_place = |part: &Part| matches!(part, Part::Value(_, value) if value.field.name.starts_with(b"__probe_"));
    let Some(last) = parts.iter().rposition(is_place) else { return parts };
    let mut rest: Vec<Part> = parts.into_iter().skip(last + 1).collect();
    if let Some(Part::Text(text)) = rest.first_mut() {
        let tail = text.strip_prefix(b")").unwrap_or(text);
        *text = tail.strip_prefix(b" ").unwrap_or(tail).to_vec();
    }
    rest
}
