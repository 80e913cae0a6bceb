//! Parsers for evidence about the kernel's vmalloc allocator: traces in every form (text and `trace.dat`),
//! `/proc/vmallocinfo` and other listings of areas, kernel logs, op scripts and allocator states.
//!
//! Everything here turns bytes that somebody else wrote into records. Nothing fails: a parser hands out
//! what it understood and a list of [`Problem`]s, one for each damaged place. Names (tasks, symbols) stay
//! bytes of the input, because the kernel does not promise UTF-8.

pub mod allocator_state;
pub mod bpftrace;
pub mod condition;
mod digits;
pub mod dmesg;
pub mod ftrace;
pub mod lex;
pub mod listing;
pub mod ops;
pub mod perf;
pub mod problem;
pub mod record;
pub mod report;
pub mod sniff;
pub mod stream;
pub mod trace_dat;
pub mod vmallocinfo;
mod walk;

pub use problem::{Problem, ProblemKind, Unpaired};
