//! Answers about what was read: pure functions from logs and models to plain values.

pub mod breaks;
pub mod check;
pub mod condition;
pub mod explain;
pub mod growth;
pub mod hashed;
pub mod holder;
pub mod holders;
pub mod lane_runs;
pub mod layout;
pub mod snapshot;
pub mod states;
pub mod touches;

pub use breaks::{Edge, Run, Turn, Watch, Way};
pub use condition::{Compiled, Outcome, figure, figures_of};
pub use growth::{By, Growth, History, Measure, Verdict};
pub use hashed::{Certainty, Layout};
pub use lane_runs::{LaneRuns, LaneTurn};
pub use layout::{Chains, Holes, chains, holes, span};
pub use snapshot::{Group, NodeRow, Summary, Totals, guess_page_size, page_size_of, summarize};
pub use states::{OnLane, States};
