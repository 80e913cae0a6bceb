//! [`Placing`]: what differs between textbook policies.

use std::fmt::{Debug, Write};

use crate::model::audit::Broken;
use crate::model::{Extent, Placement, RefusalReason, Sink};

use super::super::rules::Layers;
use super::ground::{Ground, Wanted};

/// An arena that has come about.
#[derive(Debug, Clone)]
pub(super) struct Opened<P> {
    /// What of the range asked for can be given out.
    pub(super) arena: Extent,
    /// Its rule.
    pub(super) placing: P,
}

/// The placement of one arena over its reusable space.
pub(super) trait Placing: Debug + Clone + Send + Sync + 'static {
    /// What a request without a place is told.
    const REFUSAL: RefusalReason = RefusalReason::NoHole;

    /// An arena in which everything is free; `None` if nothing of it can be given out.
    fn open(layers: &Layers, arena: Extent, ground: &mut Ground) -> Option<Opened<Self>>;

    /// Where the request would be placed. Changes nothing.
    fn find<S: Sink>(&self, ground: &Ground, wanted: &Wanted, sink: &mut S) -> Option<Placement>;

    /// Takes what `find` found in the same state; answers the area.
    fn take<S: Sink>(&mut self, ground: &mut Ground, wanted: &Wanted, found: Placement, sink: &mut S)
    -> Option<Extent>;

    /// An area comes back. `owner` is the CPU that asked for it, plus one; 0 if that is not known.
    fn give<S: Sink>(&mut self, ground: &mut Ground, extent: Extent, owner: u32, sink: &mut S);

    /// Whatever is free of a range is not any more: an area lies there that this rule did not place.
    fn carve(&mut self, ground: &mut Ground, extent: Extent);

    /// Gives back what caches hold; answers the areas that were in them. `None`: there are no caches.
    fn reap<S: Sink>(&mut self, _ground: &mut Ground, _sink: &mut S) -> Option<u32> {
        None
    }

    /// Calls `visit` with what is neither free nor cached nor part of an area: the slack of blocks.
    fn visit_slack(&self, _visit: &mut dyn FnMut(Extent)) {}

    /// Calls `visit` with the CPU and each range that caches hold.
    fn visit_cached(&self, _ground: &Ground, _visit: &mut dyn FnMut(u32, Extent)) {}

    /// Writes what decides beyond the holes themselves.
    fn write(&self, ground: &Ground, out: &mut dyn Write) -> std::fmt::Result;

    /// Recomputes what is derived.
    fn audit(&self, ground: &Ground) -> Result<(), Broken>;

    /// Memory held, in bytes.
    fn heap_bytes(&self) -> u64;
}
