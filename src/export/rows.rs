//! The tables: events, metrics, areas, stacks. What a column means is told here, once.

mod areas;
mod events;
mod metrics;
mod stacks;

use super::table::{Column, Row};

pub use areas::AreaRow;
pub use events::{EventRow, Events};
pub use metrics::MetricsRow;
pub use stacks::{FrameRow, StackRow};

/// A table for the docs and the tests: its name, the version of its schema, its columns.
pub type Described = (&'static str, &'static str, &'static [Column]);

const fn described<R: Row>() -> Described {
    (R::TABLE, R::SCHEMA, R::COLUMNS)
}

/// Every table as Parquet has it.
pub const TABLES: [Described; 4] = [
    described::<EventRow<'_>>(),
    described::<MetricsRow>(),
    described::<AreaRow<'_>>(),
    (FrameRow::TABLE, FrameRow::SCHEMA, StackRow::COLUMNS),
];
