//! Format files of events: `events/SYSTEM/NAME/format`, and `events/header_page`, which is written alike.
//!
//! Nothing about a layout is assumed: offsets, sizes and signs come from here.

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_while};
use nom::combinator::{opt, value};
use nom::sequence::{delimited, preceded, terminated};

use super::input::Order;
use crate::lex::{Lines, Res, after, decimal, trim, upto};

/// Fields of one event; kernels have less than a hundred.
const MAX_FIELDS: usize = 1024;

/// What a format file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) name: Vec<u8>,
    /// Number of the event in the recording.
    pub(super) id: u16,
    pub(super) fields: Vec<Field>,
    /// What follows `print fmt: `.
    pub(super) print: Vec<u8>,
    /// The whole file.
    pub(super) text: Vec<u8>,
}

/// One field of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: Vec<u8>,
    pub(super) place: Place,
    /// Bytes from the start of the record.
    pub(super) offset: u32,
    pub(super) size: u32,
    pub(super) is_signed: bool,
    /// Bytes of one element, if the type tells.
    pub(super) element: Option<u8>,
    pub(super) is_array: bool,
    /// A text: `char` elements.
    pub(super) is_text: bool,
}

/// Where the value of a field stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// At its offset.
    Here,
    /// `__data_loc`: its offset holds the distance from the record's start and the length.
    Far,
    /// `__rel_loc`: its offset holds the distance from the end of this field and the length.
    FarFromHere,
}

/// An integer at a fixed place of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) offset: u32,
    pub(super) size: u8,
    pub(super) is_signed: bool,
}

impl Number {
    /// Its value in a record, sign-extended if it has one; `None` if the record is too short.
    #[inline]
    pub(super) fn get(self, record: &[u8], order: Order) -> Option<u64> {
        let value = order.uint(record, self.offset as usize, self.size)?;
        Some(if self.is_signed { extend(value, self.size) } else { value })
    }
}

/// The value of `size` bytes as a signed number.
#[inline]
pub(super) fn extend(value: u64, size: u8) -> u64 {
    let shift = 64 - 8 * u32::from(size.clamp(1, 8));
    ((value << shift).cast_signed() >> shift).cast_unsigned()
}

impl Field {
    /// The field as an integer.
    pub(super) fn number(&self) -> Option<Number> {
        let size = u8::try_from(self.size).ok().filter(|size| matches!(size, 1 | 2 | 4 | 8))?;
        (self.place == Place::Here).then_some(Number { offset: self.offset, size, is_signed: self.is_signed })
    }
}

impl Format {
    /// The field with one of these names.
    pub(super) fn field(&self, names: &[&str]) -> Option<&Field> {
        self.fields.iter().find(|field| names.iter().any(|name| field.name == name.as_bytes()))
    }

    /// The integer field with one of these names.
    pub(super) fn number(&self, names: &[&str]) -> Option<Number> {
        self.field(names)?.number()
    }

    /// The fields that the event has for itself.
    pub(super) fn own(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| !field.name.starts_with(b"common_"))
    }
}

/// Reads a format file; `None` without name or number.
pub(super) fn format(text: &[u8]) -> Option<Format> {
    let (mut name, mut id) = (None, None);
    let mut print = &b""[..];
    for line in Lines::new(text) {
        if let Some(rest) = line.bytes.strip_prefix(b"name:") {
            name = Some(trim(rest));
        } else if let Some(rest) = line.bytes.strip_prefix(b"ID:") {
            id = decimal(trim(rest)).ok().and_then(|(_, id)| u16::try_from(id).ok());
        } else if line.bytes.starts_with(b"print fmt:") {
            print = after(text, line.start + b"print fmt:".len()).trim_ascii();
            break;
        }
    }
    let head = memchr::memmem::find(text, b"\nprint fmt:").map_or(text, |end| upto(text, end));
    Some(Format { name: name?.to_vec(), id: id?, fields: fields(head), print: print.to_vec(), text: text.to_vec() })
}

/// Every line that is a field; others are left out.
pub(super) fn fields(text: &[u8]) -> Vec<Field> {
    let fields = Lines::new(text).filter_map(|line| field(line.bytes).ok().map(|(_, field)| field));
    fields.take(MAX_FIELDS).collect()
}

/// ` field:unsigned long addr; offset:8; size:8; signed:0;`
fn field(line: &[u8]) -> Res<'_, Field> {
    let (rest, declaration) = preceded(
        (blank, tag("field"), opt(tag(" special")), tag(":")),
        terminated(take_till(|byte| byte == b';'), tag(";")),
    )
    .parse(line)?;
    let (rest, (offset, size)) = (entry("offset:"), entry("size:")).parse(rest)?;
    let sign = alt((value(true, tag("1")), value(false, tag("0"))));
    let (rest, is_signed) = opt(delimited((blank, tag("signed:")), sign, tag(";"))).parse(rest)?;
    Ok((rest, declared(declaration, offset, size, is_signed.unwrap_or_default())))
}

fn blank(input: &[u8]) -> Res<'_, &[u8]> {
    take_while(|byte| byte == b' ' || byte == b'\t').parse(input)
}

/// ` offset:8;`
fn entry<'a>(key: &'static str) -> impl Parser<&'a [u8], Output = u32, Error = nom::error::Error<&'a [u8]>> {
    let number = nom::combinator::map_res(decimal, u32::try_from);
    delimited((blank, tag(key)), number, tag(";"))
}

/// `__data_loc char[] e`, `unsigned long caller[8]`, `const char * fmt`
fn declared(declaration: &[u8], offset: u32, size: u32, is_signed: bool) -> Field {
    let declaration = trim(declaration);
    let (place, rest) = if let Some(rest) = declaration.strip_prefix(b"__data_loc ") {
        (Place::Far, rest)
    } else if let Some(rest) = declaration.strip_prefix(b"__rel_loc ") {
        (Place::FarFromHere, rest)
    } else {
        (Place::Here, declaration)
    };
    let bracket = if rest.ends_with(b"]") { memchr::memrchr(b'[', rest) } else { None };
    let head = trim(bracket.map_or(rest, |at| upto(rest, at)));
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let begin = head.iter().rposition(|byte| !is_word(byte)).map_or(0, |at| at + 1);
    let (kind, name) = (trim(upto(head, begin)), after(head, begin));
    let is_array = bracket.is_some() || kind.ends_with(b"]");
    let kind = memchr::memchr(b'[', kind).map_or(kind, |at| trim(upto(kind, at)));
    let is_text = matches!(kind, b"char" | b"const char");
    let element = if is_array { element(kind) } else { u8::try_from(size).ok() };
    Field { name: name.to_vec(), place, offset, size, is_signed, element, is_array, is_text }
}

/// Bytes of an element of an array of this type. That of a `long` is the machine's; the caller knows it.
fn element(kind: &[u8]) -> Option<u8> {
    let words = || kind.split(|byte| *byte == b' ');
    let last = words().rfind(|word| !word.is_empty())?;
    let n_longs = words().filter(|word| *word == b"long").count();
    Some(match last {
        b"u8" | b"s8" | b"x8" | b"char" | b"bool" | b"__u8" | b"uint8_t" => 1,
        b"u16" | b"s16" | b"x16" | b"short" | b"__u16" | b"uint16_t" => 2,
        b"u32" | b"s32" | b"x32" | b"__u32" | b"uint32_t" | b"unsigned" => 4,
        b"int" if n_longs == 0 => 4,
        b"u64" | b"s64" | b"x64" | b"__u64" | b"uint64_t" => 8,
        _ if n_longs == 2 => 8,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOC: &[u8] = b"name: alloc_vmap_area\nID: 687\nformat:\n\
        \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\
        \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\
        \tfield:unsigned long addr;\toffset:8;\tsize:8;\tsigned:0;\n\
        \tfield:int failed;\toffset:48;\tsize:4;\tsigned:1;\n\nprint fmt: \"x %lu\", REC->addr\n";

    #[test]
    fn a_format_file() {
        let format = format(ALLOC).expect("a format");
        assert_eq!((format.name.as_slice(), format.id), (&b"alloc_vmap_area"[..], 687));
        assert_eq!(format.print, b"\"x %lu\", REC->addr");
        assert_eq!(format.number(&["addr"]), Some(Number { offset: 8, size: 8, is_signed: false }));
        assert_eq!(format.number(&["nothing", "failed"]), Some(Number { offset: 48, size: 4, is_signed: true }));
        assert_eq!(format.own().count(), 2);
    }

    #[test]
    fn every_kind_of_declaration() {
        let one = |text: &str| field(text.as_bytes()).map(|(_, field)| field).expect(text);
        let far = one("\tfield:__data_loc char[] e;\toffset:33;\tsize:4;\tsigned:1;");
        assert_eq!((far.name.as_slice(), far.place, far.is_text), (&b"e"[..], Place::Far, true));
        let far = one("\tfield:__rel_loc u64[] f;\toffset:33;\tsize:4;\tsigned:1;");
        assert_eq!((far.name.as_slice(), far.place, far.element), (&b"f"[..], Place::FarFromHere, Some(8)));
        let array = one("\tfield:unsigned long caller[8];\toffset:16;\tsize:64;\tsigned:0;");
        assert_eq!((array.name.as_slice(), array.is_array, array.element), (&b"caller"[..], true, None));
        let array = one("\tfield:u64 h[];\toffset:53;\tsize:16;\tsigned:0;");
        assert_eq!((array.element, array.number()), (Some(8), None));
        let pointer = one("\tfield:const char * fmt;\toffset:16;\tsize:8;\tsigned:0;");
        assert_eq!((pointer.name.as_slice(), pointer.is_text), (&b"fmt"[..], false));
        let old = one("field special:unsigned char flags; offset:2; size:1;");
        assert!(!old.is_signed);
    }

    #[test]
    fn damaged_lines_are_left_out() {
        for line in
            ["\tfield:int x;\toffset:;\tsize:4;", "\tfield:int x", "\tfield:int x;\toffset:99999999999;\tsize:1;"]
        {
            assert_eq!(fields(line.as_bytes()), [], "{line}");
        }
        assert_eq!(format(b"name: x\nformat:\n"), None);
        assert_eq!(format(b"name: x\nID: 65536\n"), None);
    }

    #[test]
    fn signs_are_extended() {
        assert_eq!(extend(0xff, 1), u64::MAX);
        assert_eq!(extend(0x7f, 1), 0x7f);
        assert_eq!(extend(0xffff_fff0, 4), -16_i64 as u64);
        assert_eq!(extend(5, 8), 5);
    }
}
