//! JSON Lines: a header, then one object for each row.
//!
//! Events have the keys of their kind, and the stacks they name stand before them. Other tables have a key for each
//! column.

use std::io::Write;

use super::ExportError;
use super::about::About;
use super::json::Object;
use super::rows::{EventRow, StackRow};
use super::table::{Row, Rows, Value, provenance_of};
use crate::log::{FrameRef, Stacks};

/// Lines are handed on in pieces of this size.
const FLUSH_BYTES: usize = 64 * 1024;

/// Writes one table, or the events with their stacks.
#[derive(Debug)]
pub struct Jsonl<'a, W: Write> {
    to: W,
    out: Vec<u8>,
    digits: usize,
    stacks: Option<&'a Stacks>,
    /// Stacks that have been written: an id is one where its bit is set.
    written: Vec<bool>,
}

impl<'a, W: Write> Jsonl<'a, W> {
    /// Begins a file of rows.
    pub fn new<R: Row>(to: W, about: &About) -> Self {
        Self::begin(to, about, R::SCHEMA, &provenance_of(R::COLUMNS))
    }

    /// Begins a file of stacks.
    pub fn of_stacks(to: W, about: &About) -> Self {
        Self::begin(to, about, super::rows::FrameRow::SCHEMA, &provenance_of(StackRow::COLUMNS))
    }

    /// The same of events whose stacks are written with them.
    #[must_use]
    pub fn with_stacks(mut self, stacks: &'a Stacks) -> Self {
        self.stacks = Some(stacks);
        self.written = vec![false; stacks.len()];
        self
    }

    fn begin(to: W, about: &About, schema: &str, provenance: &str) -> Self {
        let mut out = Vec::new();
        about.header_line(schema, provenance, &mut out);
        Self { to, out, digits: about.digits, stacks: None, written: Vec::new() }
    }

    /// Writes an event, and its stack if it is the first one with it.
    ///
    /// # Errors
    /// What is written to says no.
    pub fn event(&mut self, row: &EventRow<'_>) -> Result<(), ExportError> {
        if let (Some(stacks), Some(id)) = (self.stacks, row.stack)
            && let Some(is_written @ false) = self.written.get_mut(id as usize)
        {
            *is_written = true;
            self.stack(&StackRow::of(stacks, id))?;
        }
        event_line(row, self.digits, &mut self.out);
        self.flush(FLUSH_BYTES)
    }

    /// Writes a stack.
    ///
    /// # Errors
    /// What is written to says no.
    pub fn stack(&mut self, stack: &StackRow<'_>) -> Result<(), ExportError> {
        let mut object = Object::open(&mut self.out, "stack");
        object.number("id", u64::from(stack.id));
        object.texts("frames", stack.frames.iter().map(|FrameRef { text, .. }| text));
        object.close();
        self.flush(FLUSH_BYTES)
    }

    /// That was all.
    ///
    /// # Errors
    /// What is written to says no.
    pub fn end(&mut self) -> Result<(), ExportError> {
        self.flush(0)?;
        Ok(self.to.flush()?)
    }

    fn flush(&mut self, at: usize) -> Result<(), ExportError> {
        if at <= self.out.len() {
            self.to.write_all(&self.out)?;
            self.out.clear();
        }
        Ok(())
    }
}

impl<W: Write, R: Row> Rows<R> for Jsonl<'_, W> {
    fn row(&mut self, row: &R) -> Result<(), ExportError> {
        let digits = self.digits;
        let mut object = Object::open(&mut self.out, R::TABLE);
        let mut columns = R::COLUMNS.iter();
        row.values(&mut |value| {
            let Some(column) = columns.next() else { return };
            let key = column.name;
            match value {
                Value::Null => object.null(key),
                Value::Bool(value) => object.bool(key, value),
                Value::Number(value) => object.number(key, value),
                Value::Signed(value) => object.signed(key, value),
                Value::Real(value) => object.real(key, value),
                Value::Addr(value) => object.address(key, value, digits),
                Value::Text(text) => object.text(key, &text),
            }
        });
        object.close();
        self.flush(FLUSH_BYTES)
    }

    fn finish(&mut self) -> Result<(), ExportError> {
        self.end()
    }
}

/// One event, with the keys of its kind.
fn event_line(row: &EventRow<'_>, digits: usize, out: &mut Vec<u8>) {
    let mut object = Object::open(out, row.kind);
    object.number("i", row.seq);
    if row.kind == "lost" {
        object.number_or_null("cpu", row.cpu.map(u64::from));
        object.number_or_null("count", row.count);
        object.close();
        return;
    }
    signed_or_null(&mut object, "ts_ns", row.ts_ns);
    if let Some(ticks) = row.ticks {
        object.number("ticks", ticks);
    }
    object.number_or_null("cpu", row.cpu.map(u64::from));
    signed_or_null(&mut object, "pid", row.pid.map(i64::from));
    object.null("tgid");
    object.text_or_null("comm", row.comm);
    if let Some(comm) = row.comm.filter(|comm| std::str::from_utf8(comm).is_err()) {
        object.hex_bytes("comm_hex", comm);
    }
    let addr = |object: &mut Object<'_>, key, value: Option<u64>| match value {
        Some(value) => object.address(key, value, digits),
        None => object.null(key),
    };
    match row.kind {
        "alloc" | "alloc_entry" => {
            if row.kind == "alloc" {
                addr(&mut object, "addr", row.addr);
            }
            object.number_or_null("size", row.size);
            object.number_or_null("align", row.align);
            addr(&mut object, "vstart", row.window.map(|window| window.vstart));
            addr(&mut object, "vend", row.window.map(|window| window.vend));
            if row.kind == "alloc" {
                object.bool("failed", row.failed == Some(true));
                object.text_or_null("modelled_verdict", row.verdict.map(str::as_bytes));
                if row.modelled_addr.is_some() {
                    addr(&mut object, "modelled_addr", row.modelled_addr);
                }
            }
        }
        "free" => {
            addr(&mut object, "addr", row.addr);
            object.number_or_null("size", row.size);
            object.text_or_null("size_from", row.size_from.map(str::as_bytes));
            object.number_or_null("nr_lazy", row.nr_lazy.map(|lazy| lazy.0));
            object.number_or_null("nr_lazy_max", row.nr_lazy.map(|lazy| lazy.1));
            signed_or_null(&mut object, "derived_lifetime_ns", row.lifetime_ns);
        }
        "purge" | "purge_entry" => {
            addr(&mut object, "start", row.addr);
            addr(&mut object, "end", row.end);
            if row.kind == "purge" {
                object.number_or_null("purged", row.purged.map(u64::from));
            }
        }
        _ => {
            if row.kind == "failure" {
                object.number_or_null("size", row.size);
            }
            object.text_or_null("text", row.text.as_deref());
        }
    }
    object.number("flags", u64::from(row.flags));
    object.number_or_null("line", row.line.map(u64::from));
    object.number_or_null("stack", row.stack.map(u64::from));
    object.close();
}

fn signed_or_null(object: &mut Object<'_>, key: &'static str, value: Option<i64>) {
    match value {
        Some(value) => object.signed(key, value),
        None => object.null(key),
    }
}
