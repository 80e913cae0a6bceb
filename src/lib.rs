//! vmaplens: replay, inspect and understand the Linux kernel's vmalloc allocator.
//!
//! Layers point one way, and `tests/layers.rs` holds them to it:
//!
//! ```text
//! parsers (crate) ← event ← log ← model ← policy ← request ← replay ← compare, insight ← view ← export
//!                      lesson: parsers, log       workload: parsers
//!                      source: parsers, event, log       record: parsers, log, source
//!                      ui: export and below                cli: everything
//! ```

pub mod cli;
pub mod compare;
pub mod event;
pub mod export;
pub mod insight;
pub mod lesson;
pub mod log;
pub mod model;
pub mod policy;
pub mod record;
pub mod replay;
pub mod request;
pub mod source;
pub mod ui;
pub mod view;
pub mod workload;
