//! Text of `perf script` and `perf trace`.
//!
//! Which columns there are is the user's choice (`-F`), the order is fixed. A task's name is printed as it is and may hold
//! anything, so a line is read from its time to the left: CPU, thread, and what is left is the name. What follows the time
//! is the event. Without a time the event's name leads, without a name the arguments must do.
//!
//! Microseconds are cut off, not rounded (`--ns` prints them all). The clock is perf's own. `--deltatime` and `--reltime`
//! print other numbers in the same place; the text does not show it.
//!
//! Frames that follow an event are its own; kernel and user space stand in one chain and are told apart by their addresses
//! and files.

mod chain;
mod line;
mod script;
mod trace;

pub use script::Script;
pub use trace::Trace;

pub(crate) use line::accepts;
pub(crate) use trace::accepts as accepts_trace;

/// Whether a text is what `perf data convert --to-json` writes, which has neither names of events nor their arguments.
pub(crate) fn is_json(head: &[u8]) -> bool {
    let text = head.trim_ascii_start();
    text.starts_with(b"{")
        && memchr::memmem::find(crate::lex::upto(text, 4096), b"\"linux-perf-json-version\"").is_some()
}
