//! The figures that time lines draw and OpenMetrics lists, once.

use super::walk::Walk;
use crate::model::ALL_FRAGMENTED;

/// A figure of a state.
#[derive(Debug, Clone, Copy)]
pub struct Counter {
    /// Its name in time lines.
    pub title: &'static str,
    /// Its name in OpenMetrics, without the prefix.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// What it says.
    pub what: &'static str,
    /// Its value.
    pub get: fn(&Walk<'_>) -> u64,
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
        get: |walk| walk.gauges().busy_bytes,
    },
    Counter {
        title: "lazy pages",
        name: "lazy_pages",
        unit: Unit::Count,
        what: "Pages freed and not purged",
        get: |walk| walk.gauges().lazy_pages,
    },
    Counter {
        title: "lazy max",
        name: "lazy_max_pages",
        unit: Unit::Count,
        what: "The limit of lazy pages",
        get: |walk| walk.space().allocator().lazy_max_pages(),
    },
    Counter {
        title: "free bytes",
        name: "free_bytes",
        unit: Unit::Bytes,
        what: "Bytes of the holes inside the vmalloc range",
        get: |walk| walk.gauges().free_bytes,
    },
    Counter {
        title: "largest free",
        name: "largest_free_bytes",
        unit: Unit::Bytes,
        what: "Bytes of the largest hole inside the vmalloc range",
        get: |walk| walk.gauges().largest_hole,
    },
    Counter {
        title: "ext frag ‰",
        name: "external_fragmentation_permille",
        unit: Unit::Count,
        what: "External fragmentation in thousandths: 1 - largest hole / free bytes",
        get: |walk| walk.gauges().fragmentation() / (ALL_FRAGMENTED / 1000),
    },
    Counter {
        title: "areas",
        name: "busy_areas",
        unit: Unit::Count,
        what: "Areas in use",
        get: |walk| walk.gauges().busy_areas,
    },
    Counter {
        title: "holes",
        name: "holes",
        unit: Unit::Count,
        what: "Holes inside the vmalloc range",
        get: |walk| walk.gauges().holes,
    },
    Counter {
        title: "failures",
        name: "failures",
        unit: Unit::Count,
        what: "Failed attempts so far",
        get: |walk| walk.counted.fails,
    },
];
