//! Recording on a running machine: an instance of tracefs of its own, the allocator's events or probes in their place,
//! `/proc/vmallocinfo` before and after, and a bundle that this program reads back.
//!
//! Order of a recording: [`Facts`] looks around, [`leftovers`] removes what a killed recording left, [`Plan`] works out
//! every change, [`Session`] does them and takes them back ([`guard`]), [`finish`] makes the bundle.

pub mod anonymise;
pub mod bundle;
pub mod check;
pub mod decode;
pub mod drain;
pub mod error;
pub mod facts;
pub mod files;
pub mod finish;
pub mod follower;
pub mod guard;
pub mod kcore;
pub mod keep;
pub mod leftovers;
pub mod loss;
pub mod manifest;
pub mod memory;
pub mod mounts;
pub mod owner;
pub mod plan;
pub mod probes;
pub mod session;
pub mod settings;
pub mod signals;
pub mod snapshot;
pub mod store;
pub mod symbols;

pub use error::RecordError;
pub use facts::Facts;
pub use plan::Plan;
pub use session::Session;
pub use settings::{Limits, Settings};

#[cfg(test)]
mod tests;
