//! Answers about what was read: pure functions from logs and models to plain values.

pub mod holder;
pub mod layout;
pub mod snapshot;

pub use layout::{Chains, Holes, chains, holes, span};
pub use snapshot::{Group, NodeRow, Summary, Totals, guess_page_size, summarize};
