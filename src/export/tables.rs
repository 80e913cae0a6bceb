//! Tables of a replay, all in one pass.

use std::io::Write;

use super::ExportError;
use super::about::About;
use super::csv::Csv;
use super::jsonl::Jsonl;
#[cfg(feature = "parquet")]
use super::parquet::Parquet;
use super::rows::{AreaRow, EventRow, Events, FrameRow, MetricsRow, StackRow};
use super::table::{Row, Rows};
use super::walk::Walk;
use crate::log::{StackId, Stacks};
use crate::replay::Replay;

/// The names of the tables, in the order of [`Outputs`].
pub const TABLES: [&str; 4] = ["events", "metrics", "areas", "stacks"];

/// What tables are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON Lines.
    Jsonl,
    /// CSV.
    Csv,
    /// Parquet.
    #[cfg(feature = "parquet")]
    Parquet,
}

/// Where each table goes; `None`: it is not wanted.
pub type Outputs<W> = [Option<W>; TABLES.len()];

/// Writes the wanted tables; of the metrics the state after every `every` records, and the last.
///
/// # Errors
/// What is written to says no.
pub fn write<W: Write + Send>(
    replay: &Replay,
    format: Format,
    outputs: Outputs<W>,
    every: u64,
) -> Result<(), ExportError> {
    let about = About::of(replay);
    let stacks = &replay.log().stacks;
    let [events, metrics, areas, stack_table] = outputs;
    let mut events = events.map(|to| Table::new::<EventRow<'_>>(format, to, &about, Some(stacks))).transpose()?;
    let mut metrics = metrics.map(|to| Table::new::<MetricsRow>(format, to, &about, None)).transpose()?;
    let mut areas = areas.map(|to| Table::new::<AreaRow<'_>>(format, to, &about, None)).transpose()?;
    if let Some(to) = stack_table {
        write_stacks(stacks, format, to, &about)?;
    }
    let mut walk = Walk::new(replay);
    let mut maker = Events::default();
    let last = replay.len() as u64;
    while let Some((seq, event)) = walk.step() {
        if let Some(table) = &mut events {
            table.event(&maker.row(&walk, seq, &event))?;
        }
        let n = u64::from(seq.0) + 1;
        if let Some(table) = metrics.as_mut().filter(|_| n.is_multiple_of(every.max(1)) || n == last) {
            table.row(&MetricsRow::of(&walk, u64::from(seq.0), event.at))?;
        }
        if let Some(table) = &mut areas {
            for area in &walk.ended {
                table.row(&AreaRow::of(&walk, area))?;
            }
        }
    }
    if let Some(table) = &mut areas {
        for area in walk.lazy().chain(walk.busy()) {
            table.row(&AreaRow::of(&walk, area))?;
        }
        table.finish::<AreaRow<'_>>()?;
    }
    if let Some(table) = &mut events {
        table.finish::<EventRow<'_>>()?;
    }
    metrics.map_or(Ok(()), |mut table| table.finish::<MetricsRow>())
}

fn write_stacks<W: Write + Send>(stacks: &Stacks, format: Format, to: W, about: &About) -> Result<(), ExportError> {
    let ids = 0..stacks.len() as u32;
    match format {
        Format::Jsonl => {
            let mut file = Jsonl::of_stacks(to, about);
            ids.into_iter().try_for_each(|id| file.stack(&StackRow::of(stacks, id)))?;
            file.end()
        }
        Format::Csv => {
            let mut file = Csv::new::<FrameRow<'_>>(to, about.digits);
            for id in ids {
                for (depth, frame) in stacks.frames(StackId(id)).enumerate() {
                    file.row(&FrameRow { id, depth: depth as u32, frame })?;
                }
            }
            Rows::<FrameRow<'_>>::finish(&mut file)
        }
        #[cfg(feature = "parquet")]
        Format::Parquet => {
            let mut file = Parquet::of_stacks(to, about)?;
            ids.into_iter().try_for_each(|id| file.stack(&StackRow::of(stacks, id)))?;
            file.end()
        }
    }
}

/// A table in one of the formats.
#[derive(Debug)]
pub enum Table<'a, W: Write + Send> {
    /// JSON Lines.
    Jsonl(Jsonl<'a, W>),
    /// CSV.
    Csv(Csv<W>),
    /// Parquet.
    #[cfg(feature = "parquet")]
    Parquet(Box<Parquet<W>>),
}

impl<'a, W: Write + Send> Table<'a, W> {
    /// Begins a file.
    ///
    /// # Errors
    /// What is written to says no.
    pub fn new<R: Row>(format: Format, to: W, about: &About, stacks: Option<&'a Stacks>) -> Result<Self, ExportError> {
        Ok(match format {
            Format::Jsonl => {
                let file = Jsonl::new::<R>(to, about);
                Self::Jsonl(match stacks {
                    Some(stacks) => file.with_stacks(stacks),
                    None => file,
                })
            }
            Format::Csv => Self::Csv(Csv::new::<R>(to, about.digits)),
            #[cfg(feature = "parquet")]
            Format::Parquet => Self::Parquet(Box::new(Parquet::new::<R>(to, about)?)),
        })
    }

    /// Takes an event; JSON Lines have keys by kind.
    ///
    /// # Errors
    /// What is written to says no.
    pub fn event(&mut self, row: &EventRow<'_>) -> Result<(), ExportError> {
        match self {
            Self::Jsonl(file) => file.event(row),
            _ => self.row(row),
        }
    }

    /// Takes a row.
    ///
    /// # Errors
    /// What is written to says no.
    pub fn row<R: Row>(&mut self, row: &R) -> Result<(), ExportError> {
        match self {
            Self::Jsonl(file) => file.row(row),
            Self::Csv(file) => file.row(row),
            #[cfg(feature = "parquet")]
            Self::Parquet(file) => file.row(row),
        }
    }

    /// That was the last one.
    ///
    /// # Errors
    /// What is written to says no.
    pub fn finish<R: Row>(&mut self) -> Result<(), ExportError> {
        match self {
            Self::Jsonl(file) => Rows::<R>::finish(file),
            Self::Csv(file) => Rows::<R>::finish(file),
            #[cfg(feature = "parquet")]
            Self::Parquet(file) => Rows::<R>::finish(&mut **file),
        }
    }
}
