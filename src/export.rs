//! What the program knows, in the formats of other programs: rows for scripts and notebooks, time lines, flame graphs,
//! pictures, metrics, and the kernel's own forms.
//!
//! A writer takes a [`Replay`](crate::replay::Replay) and an `impl Write`, goes through the records once ([`Walk`]) and
//! writes as it goes: what it holds is the state of the replay, and a bounded number of rows. The same input gives the
//! same bytes: there is no clock, no host name and no order that depends on chance. The rules for all of them are told in
//! `docs/exports.md`.

pub mod about;
pub mod chrome;
pub mod counters;
pub mod csv;
pub mod folded;
pub mod json;
pub mod jsonl;
pub mod lanes;
pub mod openmetrics;
pub mod ops;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod perfetto;
pub mod picture;
pub mod proto;
pub mod rows;
pub mod survey;
pub mod svg;
pub mod table;
pub mod tables;
pub mod time_line;
pub mod vmallocinfo;
pub mod walk;

pub use about::About;
pub use table::{Column, Form, Row, Rows, Value};
pub use walk::{Area, Walk};

/// Why an export cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// What was written to says no.
    #[error(transparent)]
    Write(#[from] std::io::Error),
    /// The input has nothing that belongs into this format.
    #[error("{what}")]
    Nothing {
        /// What is missing.
        what: String,
        /// What to do.
        hint: String,
    },
    /// The format cannot hold what was asked for.
    #[error("{0}")]
    Format(String),
}

/// A format: a row of [`EXPORTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Export {
    /// Its name on the command line.
    pub kind: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// What files of it are called.
    pub extension: &'static str,
    /// Not for a terminal.
    pub is_binary: bool,
    /// It has tables, of which one can be chosen.
    pub has_tables: bool,
}

const fn text(kind: &'static str, extension: &'static str, title: &'static str) -> Export {
    Export { kind, title, extension, is_binary: false, has_tables: false }
}

/// Every format, in the order of the help.
pub const EXPORTS: &[Export] = &[
    Export {
        has_tables: true,
        ..text("jsonl", "jsonl", "JSON Lines: one object for each record, stacks before their first use")
    },
    Export { has_tables: true, ..text("csv", "csv", "CSV (RFC 4180), one table to a file") },
    #[cfg(feature = "parquet")]
    Export {
        has_tables: true,
        is_binary: true,
        ..text("parquet", "parquet", "Parquet, one table to a file: for pandas, DuckDB, Spark")
    },
    Export {
        is_binary: true,
        ..text("perfetto", "pftrace", "a Perfetto trace (protobuf): lifetimes, counters, failures, purges")
    },
    text("chrome", "json", "the same as Chrome's JSON: for ui.perfetto.dev and chrome://tracing"),
    text("folded", "folded", "folded stacks: for flame graphs"),
    text("svg", "svg", "a picture: addresses over time, or a pane of the terminal UI"),
    text("openmetrics", "prom", "OpenMetrics text: the state as gauges and counters"),
    text("vmallocinfo", "txt", "the model's areas as /proc/vmallocinfo of that kernel prints them"),
    text("ops", "ops", "an op script that can be replayed"),
];

/// The format of a name.
pub fn by_kind(kind: &str) -> Option<&'static Export> {
    EXPORTS.iter().find(|export| export.kind == kind)
}
