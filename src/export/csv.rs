//! CSV: RFC 4180, one header row, `\n`, one table to a file.

use std::fmt::Write as _;
use std::io::Write;

use super::ExportError;
use super::json::{push_addr, push_number};
use super::table::{Row, Rows, Value};
use crate::log::escape::is_hostile;

/// Rows are handed on in pieces of this size.
const FLUSH_BYTES: usize = 64 * 1024;

/// Writes one table.
#[derive(Debug)]
pub struct Csv<W: Write> {
    to: W,
    out: Vec<u8>,
    digits: usize,
}

impl<W: Write> Csv<W> {
    /// Begins a file with the header of a table; `digits` of an address.
    pub fn new<R: Row>(to: W, digits: usize) -> Self {
        let names: Vec<&str> = R::COLUMNS.iter().map(|column| column.name).collect();
        let mut out = names.join(",").into_bytes();
        out.push(b'\n');
        Self { to, out, digits }
    }

    fn flush(&mut self, at: usize) -> Result<(), ExportError> {
        if at <= self.out.len() {
            self.to.write_all(&self.out)?;
            self.out.clear();
        }
        Ok(())
    }
}

impl<W: Write, R: Row> Rows<R> for Csv<W> {
    fn row(&mut self, row: &R) -> Result<(), ExportError> {
        let (out, digits) = (&mut self.out, self.digits);
        row.values(&mut |value| {
            push(out, &value, digits);
            out.push(b',');
        });
        if let Some(last) = out.last_mut() {
            *last = b'\n';
        }
        self.flush(FLUSH_BYTES)
    }

    fn finish(&mut self) -> Result<(), ExportError> {
        self.flush(0)?;
        Ok(self.to.flush()?)
    }
}

fn push(out: &mut Vec<u8>, value: &Value<'_>, digits: usize) {
    match value {
        Value::Null => {}
        Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Number(value) => push_number(out, *value),
        Value::Signed(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Value::Real(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Value::Addr(value) => push_addr(out, *value, digits),
        Value::Text(text) => push_cell(out, &plain(text)),
    }
}

/// A text cell: quoted where it has to be, and never the beginning of a formula.
fn push_cell(out: &mut Vec<u8>, text: &str) {
    let is_formula = text.starts_with(['=', '+', '-', '@']);
    let is_quoted = text.contains(['"', ',', '\n', '\r']) || text.starts_with(' ') || text.ends_with(' ');
    if is_quoted {
        out.push(b'"');
    }
    if is_formula {
        out.push(b'\'');
    }
    if is_quoted {
        out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
        out.push(b'"');
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

/// Other people's bytes as one line that no terminal acts on: what is not UTF-8 becomes U+FFFD, controls become visible.
pub(crate) fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if !text.contains(is_hostile) {
        return text.into_owned();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            // Writing to a string cannot fail.
            '\0'..='\x7f' if is_hostile(c) => _ = write!(out, "\\x{:02x}", c as u32),
            c if is_hostile(c) => _ = write!(out, "\\u{{{:x}}}", c as u32),
            c => out.push(c),
        }
    }
    out
}
