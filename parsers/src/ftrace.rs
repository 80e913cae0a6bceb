//! Text of the tracefs files `trace`, `trace_pipe` and `snapshot`, and of trace dumps in a kernel log.
//!
//! [`Reader`] walks over the text and hands out one [`Record`](crate::record::Record) per event. Nothing is copied and an event
//! line costs no allocation (only stacks do), because such files reach hundreds of megabytes.

pub(crate) mod body;
mod fast;
mod graph;
mod header;
mod lines;
mod owner;
pub(crate) mod prefix;
pub mod probe;
mod reader;
mod refused;
pub(crate) mod stack;

pub use header::Header;
pub use owner::LastEvents;
pub use reader::{Reader, Trace};

/// Whether a line is one that only ftrace prints.
pub(crate) fn accepts(line: &[u8]) -> bool {
    reader::accepts(line)
}
