//! Parquet: row groups of 128 Ki rows, zstd, dictionaries for what repeats; no more than one row group is held.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::ExportError;
use super::about::About;
use super::rows::{FrameRow, StackRow};
use super::table::{Column, Form, Row, Rows, Value, provenance_of};

/// Rows of a row group, and so the most that are held.
pub const GROUP_ROWS: usize = 128 * 1024;
/// As the export rules want it: smaller than level 1 and hardly slower.
const ZSTD_LEVEL: i32 = 3;

/// The values of one column of a row group; unknown ones are only in `defined`.
#[derive(Debug)]
enum Values {
    Bool(Vec<bool>),
    Narrow(Vec<i32>),
    Wide(Vec<i64>),
    Real(Vec<f64>),
    Text(Vec<ByteArray>),
}

#[derive(Debug)]
struct Cells {
    values: Values,
    /// 1 for a known value.
    defined: Vec<i16>,
    /// Of a list: 0 where a row begins. Empty for a column of scalars.
    repeated: Vec<i16>,
}

/// Writes one table.
pub struct Parquet<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<(Column, Cells)>,
    n_rows: usize,
    /// Texts of this row group: each is held once.
    texts: HashMap<Vec<u8>, ByteArray>,
}

impl<W: Write + Send> std::fmt::Debug for Parquet<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parquet").field("n_rows", &self.n_rows).finish_non_exhaustive()
    }
}

impl From<ParquetError> for ExportError {
    fn from(error: ParquetError) -> Self {
        match error {
            ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
                Ok(error) => Self::Write(*error),
                Err(other) => Self::Format(other.to_string()),
            },
            other => Self::Format(other.to_string()),
        }
    }
}

impl<W: Write + Send> Parquet<W> {
    /// Begins a file of rows. With `hex`, every address has a second column with its text.
    ///
    /// # Errors
    /// What is written to says no.
    pub fn new<R: Row>(to: W, about: &About) -> Result<Self, ExportError> {
        Self::begin(to, about, R::TABLE, R::SCHEMA, R::COLUMNS, false)
    }

    /// Begins a file of stacks, which has lists.
    ///
    /// # Errors
    /// What is written to says no.
    pub fn of_stacks(to: W, about: &About) -> Result<Self, ExportError> {
        Self::begin(to, about, FrameRow::TABLE, FrameRow::SCHEMA, StackRow::COLUMNS, true)
    }

    fn begin(
        to: W,
        about: &About,
        table: &str,
        schema: &str,
        columns: &[Column],
        has_lists: bool,
    ) -> Result<Self, ExportError> {
        let mut message = format!("message {table} {{\n");
        for (n, column) in columns.iter().enumerate() {
            // Writing to a string cannot fail.
            let _ = writeln!(message, "  {}", field(column, has_lists && 0 < n));
        }
        message.push('}');
        let mut about_it: Vec<KeyValue> = about
            .pairs(schema)
            .into_iter()
            .map(|(key, value)| KeyValue::new(format!("vmaplens.{key}"), value))
            .collect();
        // The names of the export rules, for readers that look for those.
        about_it.extend(about.pairs(schema).into_iter().filter_map(|(key, value)| {
            let is_named = matches!(key, "kernel_release" | "page_size" | "clock" | "lost" | "tool");
            is_named.then(|| KeyValue::new(key.to_owned(), value))
        }));
        about_it.push(KeyValue::new("vmaplens.provenance".to_owned(), provenance_of(columns)));
        let properties = WriterProperties::builder()
            .set_created_by(about.tool.clone())
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
            .set_dictionary_enabled(true)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_key_value_metadata(Some(about_it))
            .build();
        let file = SerializedFileWriter::new(to, Arc::new(parse_message_type(&message)?), Arc::new(properties))?;
        let columns = columns.iter().map(|column| (*column, Cells::new(column.form))).collect();
        Ok(Self { file, columns, n_rows: 0, texts: HashMap::new() })
    }

    /// Rows that are held.
    pub fn rows_in_flight(&self) -> usize {
        self.n_rows
    }

    /// Writes a stack.
    ///
    /// # Errors
    /// What is written to says no.
    pub fn stack(&mut self, stack: &StackRow<'_>) -> Result<(), ExportError> {
        let texts = &mut self.texts;
        if let [(_, id), (_, frames), (_, addrs)] = &mut self.columns[..] {
            id.push(Value::Number(u64::from(stack.id)), texts);
            frames.push_list(stack.frames.iter().map(|frame| Value::bytes(frame.text)), texts);
            addrs.push_list(stack.addrs().into_iter().map(Value::Addr), texts);
        }
        self.filled()
    }

    /// That was all.
    ///
    /// # Errors
    /// What is written to says no.
    pub fn end(&mut self) -> Result<(), ExportError> {
        self.write_group()?;
        self.file.finish()?;
        Ok(())
    }

    fn filled(&mut self) -> Result<(), ExportError> {
        self.n_rows += 1;
        if self.n_rows < GROUP_ROWS { Ok(()) } else { self.write_group() }
    }

    fn write_group(&mut self) -> Result<(), ExportError> {
        if self.n_rows == 0 {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for (_, cells) in &mut self.columns {
            let Some(mut writer) = group.next_column()? else { break };
            cells.write(writer.untyped())?;
            writer.close()?;
            cells.clear();
        }
        group.close()?;
        self.n_rows = 0;
        self.texts.clear();
        Ok(())
    }
}

impl<W: Write + Send, R: Row> Rows<R> for Parquet<W> {
    fn row(&mut self, row: &R) -> Result<(), ExportError> {
        let texts = &mut self.texts;
        let mut columns = self.columns.iter_mut();
        row.values(&mut |value| {
            if let Some((_, cells)) = columns.next() {
                cells.push(value, texts);
            }
        });
        self.filled()
    }

    fn finish(&mut self) -> Result<(), ExportError> {
        self.end()
    }
}

/// A field of the schema, in the words of the format.
fn field(column: &Column, is_list: bool) -> String {
    let (primitive, logical) = match column.form {
        Form::Bool => ("boolean", ""),
        Form::U8 => ("int32", " (INTEGER(8,false))"),
        Form::U16 => ("int32", " (INTEGER(16,false))"),
        Form::U32 => ("int32", " (INTEGER(32,false))"),
        Form::U64 | Form::Addr => ("int64", " (INTEGER(64,false))"),
        Form::I32 => ("int32", " (INTEGER(32,true))"),
        Form::I64 => ("int64", " (INTEGER(64,true))"),
        Form::F64 => ("double", ""),
        Form::Text => ("binary", " (STRING)"),
    };
    let name = column.name;
    if is_list {
        return format!(
            "required group {name} (LIST) {{ repeated group list {{ required {primitive} element{logical}; }} }}"
        );
    }
    let repetition = if column.may_be_null { "optional" } else { "required" };
    format!("{repetition} {primitive} {name}{logical};")
}

impl Cells {
    fn new(form: Form) -> Self {
        let values = match form {
            Form::Bool => Values::Bool(Vec::new()),
            Form::U8 | Form::U16 | Form::U32 | Form::I32 => Values::Narrow(Vec::new()),
            Form::U64 | Form::I64 | Form::Addr => Values::Wide(Vec::new()),
            Form::F64 => Values::Real(Vec::new()),
            Form::Text => Values::Text(Vec::new()),
        };
        Self { values, defined: Vec::new(), repeated: Vec::new() }
    }

    fn push_list<'a>(&mut self, list: impl Iterator<Item = Value<'a>>, texts: &mut HashMap<Vec<u8>, ByteArray>) {
        let from = self.repeated.len();
        for value in list {
            self.repeated.push(i16::from(from < self.repeated.len()));
            self.push(value, texts);
        }
        if from == self.repeated.len() {
            self.repeated.push(0);
            self.defined.push(0);
        }
    }

    fn push(&mut self, value: Value<'_>, texts: &mut HashMap<Vec<u8>, ByteArray>) {
        self.defined.push(i16::from(value != Value::Null));
        let number = match &value {
            Value::Null => return,
            Value::Bool(value) => i64::from(*value),
            Value::Number(value) | Value::Addr(value) => value.cast_signed(),
            Value::Signed(value) => *value,
            Value::Real(_) | Value::Text(_) => 0,
        };
        match (&mut self.values, value) {
            (Values::Bool(list), _) => list.push(number != 0),
            (Values::Narrow(list), _) => list.push(number as i32),
            (Values::Wide(list), _) => list.push(number),
            (Values::Real(list), Value::Real(value)) => list.push(value),
            (Values::Real(list), _) => list.push(number as f64),
            (Values::Text(list), Value::Text(text)) => list.push(text_of(&text, texts)),
            (Values::Text(list), _) => list.push(text_of(number.to_string().as_bytes(), texts)),
        }
    }

    fn write(&self, writer: &mut ColumnWriter<'_>) -> Result<(), ExportError> {
        let defined = Some(&self.defined[..]);
        let repeated = Some(&self.repeated[..]).filter(|list| !list.is_empty());
        match (&self.values, writer) {
            (Values::Bool(list), ColumnWriter::BoolColumnWriter(to)) => to.write_batch(list, defined, repeated)?,
            (Values::Narrow(list), ColumnWriter::Int32ColumnWriter(to)) => to.write_batch(list, defined, repeated)?,
            (Values::Wide(list), ColumnWriter::Int64ColumnWriter(to)) => to.write_batch(list, defined, repeated)?,
            (Values::Real(list), ColumnWriter::DoubleColumnWriter(to)) => to.write_batch(list, defined, repeated)?,
            (Values::Text(list), ColumnWriter::ByteArrayColumnWriter(to)) => to.write_batch(list, defined, repeated)?,
            _ => return Err(ExportError::Format("a column is not what its schema says".to_owned())),
        };
        Ok(())
    }

    fn clear(&mut self) {
        match &mut self.values {
            Values::Bool(list) => list.clear(),
            Values::Narrow(list) => list.clear(),
            Values::Wide(list) => list.clear(),
            Values::Real(list) => list.clear(),
            Values::Text(list) => list.clear(),
        }
        self.defined.clear();
        self.repeated.clear();
    }
}

/// Bytes as text, each different one once.
fn text_of(bytes: &[u8], texts: &mut HashMap<Vec<u8>, ByteArray>) -> ByteArray {
    if let Some(text) = texts.get(bytes) {
        return text.clone();
    }
    let text = ByteArray::from(String::from_utf8_lossy(bytes).into_owned().into_bytes());
    texts.insert(bytes.to_vec(), text.clone());
    text
}
