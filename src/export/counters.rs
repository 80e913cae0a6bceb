//! The figures that time lines draw and metrics list, once.

use crate::model::{ALL_FRAGMENTED, AddressSpace};

/// A figure of a state.
#[derive(Debug, Clone, Copy)]
pub struct Counter {
    /// Its name in time lines.
    pub title: &'static str,
    /// Its name among metrics, without the prefix.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// What it says.
    pub what: &'static str,
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
}

/// Every figure.
pub const COUNTERS: [Counter; 9] = [
    Counter {
        title: "busy bytes",
        name: "busy_bytes",
        unit: Unit::Bytes,
        what: "Bytes of areas in use, guard pages included",
    },
    Counter { title: "lazy pages", name: "lazy_pages", unit: Unit::Count, what: "Pages freed and not purged" },
    Counter { title: "lazy max", name: "lazy_max_pages", unit: Unit::Count, what: "The limit of lazy pages" },
    Counter {
        title: "free bytes",
        name: "free_bytes",
        unit: Unit::Bytes,
        what: "Bytes of the holes inside the vmalloc range",
    },
    Counter {
        title: "largest free",
        name: "largest_free_bytes",
        unit: Unit::Bytes,
        what: "Bytes of the largest hole inside the vmalloc range",
    },
    Counter {
        title: "ext frag ‰",
        name: "external_fragmentation_permille",
        unit: Unit::Count,
        what: "External fragmentation in thousandths: 1 - largest hole / free bytes",
    },
    Counter { title: "areas", name: "busy_areas", unit: Unit::Count, what: "Areas in use" },
    Counter { title: "holes", name: "holes", unit: Unit::Count, what: "Holes inside the vmalloc range" },
    Counter { title: "failures", name: "failures", unit: Unit::Count, what: "Failed attempts so far" },
];

/// The values of [`COUNTERS`] in a state that so many attempts have failed before.
pub fn values(space: &AddressSpace, fails: u64) -> [u64; COUNTERS.len()] {
    let allocator = space.allocator();
    let gauges = allocator.gauges();
    [
        gauges.busy_bytes,
        gauges.lazy_pages,
        allocator.lazy_max_pages(),
        gauges.free_bytes,
        gauges.largest_hole,
        gauges.fragmentation() / (ALL_FRAGMENTED / 1000),
        gauges.busy_areas,
        gauges.holes,
        fails,
    ]
}
