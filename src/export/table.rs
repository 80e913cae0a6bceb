//! [`Row`] and [`Rows`]: tables, whatever they are written as.
//!
//! A table is a list of columns that is written down once: the schemas of Parquet, the headers of CSV, the keys of JSON
//! and the tables of `docs/exports.md` all follow from it.

use std::borrow::Cow;

use super::ExportError;
use crate::model::Provenance;

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Not known, or there is none. Never the same as 0.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A number.
    Number(u64),
    /// A number that can be negative.
    Signed(i64),
    /// A share.
    Real(f64),
    /// An address.
    Addr(u64),
    /// Text, other people's bytes included.
    Text(Cow<'a, [u8]>),
}

impl<'a> Value<'a> {
    /// A text of the program's own.
    pub fn word(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text.as_bytes()))
    }

    /// Other people's bytes.
    pub fn bytes(text: &'a [u8]) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// A number, or nothing.
    pub fn number(value: Option<impl Into<u64>>) -> Self {
        value.map_or(Self::Null, |value| Self::Number(value.into()))
    }

    /// A number with a sign, or nothing.
    pub fn signed(value: Option<impl Into<i64>>) -> Self {
        value.map_or(Self::Null, |value| Self::Signed(value.into()))
    }

    /// An address, or nothing.
    pub fn addr(value: Option<u64>) -> Self {
        value.map_or(Self::Null, Self::Addr)
    }

    /// A word, or nothing.
    pub fn text(value: Option<&'a str>) -> Self {
        value.map_or(Self::Null, Self::word)
    }
}

/// What the values of a column are, as narrow as they are written to binary formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Yes or no.
    Bool,
    /// 8 bits without a sign.
    U8,
    /// 16 bits without a sign.
    U16,
    /// 32 bits without a sign.
    U32,
    /// 64 bits without a sign.
    U64,
    /// 32 bits with a sign.
    I32,
    /// 64 bits with a sign.
    I64,
    /// A share.
    F64,
    /// An address: text in text formats, 64 bits without a sign in binary ones.
    Addr,
    /// Text.
    Text,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What its values are.
    pub form: Form,
    /// A value can be unknown.
    pub may_be_null: bool,
    /// How its values came about, where one word holds for all of them; else a column says it.
    pub from: Provenance,
    /// What it says, with units.
    pub what: &'static str,
}

/// A column without unknown values; [`Column::or_null`] lifts that.
pub const fn column(name: &'static str, form: Form, from: Provenance, what: &'static str) -> Column {
    Column { name, form, may_be_null: false, from, what }
}

impl Column {
    /// The same with unknown values.
    #[must_use]
    pub const fn or_null(self) -> Self {
        Self { may_be_null: true, ..self }
    }
}

/// A row of a table.
pub trait Row {
    /// Name of the table.
    const TABLE: &'static str;
    /// Name and version of what its columns mean.
    const SCHEMA: &'static str;
    /// Its columns.
    const COLUMNS: &'static [Column];

    /// Hands out the values, one for each column, in their order.
    fn values<'a>(&'a self, put: &mut dyn FnMut(Value<'a>));
}

/// Something that takes the rows of one table.
pub trait Rows<R: Row> {
    /// Takes a row.
    ///
    /// # Errors
    /// What is written to says no.
    fn row(&mut self, row: &R) -> Result<(), ExportError>;

    /// That was the last one.
    ///
    /// # Errors
    /// What is written to says no.
    fn finish(&mut self) -> Result<(), ExportError>;
}

/// `{"seq":"observed",…}`: how the values of each column came about.
pub(crate) fn provenance_of(columns: &[Column]) -> String {
    let pairs: Vec<String> =
        columns.iter().map(|column| format!("\"{}\":\"{}\"", column.name, column.from.word())).collect();
    format!("{{{}}}", pairs.join(","))
}
