//! Text of the tracefs files `trace`, `trace_pipe` and `snapshot`, and of trace dumps in a kernel log.
//!
//! [`Reader`] walks over the text and hands out one [`Record`](crate::record::Record) per event. Nothing is copied and an event
//! line costs no allocation (only stacks do), because such files reach hundreds of megabytes.

mod body;
mod fast;
mod header;
mod owner;
mod prefix;
pub mod probe;
mod reader;
mod refused;
mod stack;

pub use header::Header;
pub use owner::LastEvents;
pub use reader::{Reader, Trace};

pub(crate) use refused::is_graph;

/// Whether a line is one that only ftrace prints.
pub(crate) fn accepts(line: &[u8]) -> bool {
    reader::accepts(line)
}
