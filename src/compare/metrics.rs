//! What the metrics of a lane mean: one table, from which the command line, the documents and the thresholds are made.
//!
//! "After a record" is the state once all is done that the record demands. "The window" is the vmalloc range of the lane; a
//! request for another one (modules) counts as a request and not towards footprint, holes and fragmentation. All figures
//! count what happened since the trace began: areas that are older have a place, and no request.
//!
//! docs/metrics.md is this table with examples; a test holds the two together.

use super::lane::Lane;
use crate::model::ALL_FRAGMENTED;

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// Things.
    Things,
    /// Bytes.
    Bytes,
    /// Pages.
    Pages,
    /// A share, 0 to 1.
    Share,
    /// Nanoseconds.
    Nanos,
    /// Index of a record.
    Record,
}

/// A value: a whole number, or a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// As it is.
    Whole(u64),
    /// A sum and what it is divided by, not 0.
    Quotient(u128, u64),
}

impl Value {
    /// As a number; exact for whole ones up to 2⁵³.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Whole(value) => value as f64,
            Self::Quotient(sum, n) => sum as f64 / n as f64,
        }
    }

    /// In billionths, rounded down, for exact comparisons.
    pub fn billionths(self) -> u128 {
        match self {
            Self::Whole(value) => u128::from(value) * BILLION,
            Self::Quotient(sum, n) => sum.saturating_mul(BILLION) / u128::from(n.max(1)),
        }
    }
}

const BILLION: u128 = 1_000_000_000;

/// A metric.
#[derive(Debug, Clone, Copy)]
pub struct MetricRow {
    /// Its key in JSON, CSV and thresholds.
    pub key: &'static str,
    /// A few words for tables.
    pub title: &'static str,
    /// What it counts.
    pub counts: Counts,
    /// How it is made.
    pub formula: &'static str,
    /// Its value in a lane that is through; `None` where there is none.
    pub value: fn(&Lane) -> Option<Value>,
}

const fn row(
    key: &'static str,
    title: &'static str,
    counts: Counts,
    formula: &'static str,
    value: fn(&Lane) -> Option<Value>,
) -> MetricRow {
    MetricRow { key, title, counts, formula, value }
}

#[expect(clippy::unnecessary_wraps, reason = "what a row of the table answers")]
fn whole(value: u64) -> Option<Value> {
    Some(Value::Whole(value))
}

fn quotient(sum: impl Into<u128>, n: u64) -> Option<Value> {
    (n > 0).then(|| Value::Quotient(sum.into(), n))
}

/// Every metric, in the order of tables and documents.
pub const METRICS: &[MetricRow] = &[
    row("requests", "requests", Counts::Things, "requests that got an area, and failures", |lane| {
        whole(lane.score().placed + lane.score().failures)
    }),
    row(
        "failures",
        "failures",
        Counts::Things,
        "requests that came to nothing, after the purge and the second attempt where the policy has one",
        |lane| whole(lane.score().failures),
    ),
    row("first_failure_seq", "first failure", Counts::Record, "record at which the first of them failed", |lane| {
        whole(lane.score().first_failure?.into())
    }),
    row(
        "refused_attempts",
        "refused attempts",
        Counts::Things,
        "attempts to find space that were refused; a failed request has two where the policy tries twice",
        |lane| whole(lane.score().refusals),
    ),
    row(
        "skipped_frees",
        "skipped frees",
        Counts::Things,
        "frees of the trace whose area the lane never had, because its request failed",
        |lane| whole(lane.score().skipped_frees),
    ),
    row(
        "served_more",
        "served more",
        Counts::Things,
        "requests that got an area here and none in the trace; it is given back where the trace gave the request up",
        |lane| whole(lane.end()?.served_more),
    ),
    row(
        "footprint_bytes",
        "footprint",
        Counts::Bytes,
        "highest end that an area of a request has had inside the window (older areas below its middle count), less vstart",
        |lane| whole(lane.end()?.footprint),
    ),
    row(
        "span_bytes",
        "span",
        Counts::Bytes,
        "at the end: end of the highest area in use below the middle of the window, less vstart",
        |lane| whole(lane.end()?.metrics.span_bytes),
    ),
    row("busy_areas", "areas in use", Counts::Things, "at the end: areas in use", |lane| {
        whole(lane.end()?.metrics.busy_areas)
    }),
    row("busy_bytes", "in use", Counts::Bytes, "at the end: their bytes, guard pages included", |lane| {
        whole(lane.end()?.metrics.busy_bytes)
    }),
    row("lazy_pages", "lazy pages", Counts::Pages, "at the end: pages freed and not purged", |lane| {
        whole(lane.end()?.metrics.lazy_pages)
    }),
    row("pooled_bytes", "pooled", Counts::Bytes, "at the end: bytes of areas in pools or caches", |lane| {
        whole(lane.end()?.metrics.pooled_bytes)
    }),
    row("free_bytes", "free", Counts::Bytes, "at the end: bytes of holes inside the window", |lane| {
        whole(lane.end()?.metrics.free_bytes)
    }),
    row("holes", "holes", Counts::Things, "at the end: holes that reach into the window", |lane| {
        whole(lane.end()?.metrics.holes)
    }),
    row("holes_max", "most holes", Counts::Things, "most holes after any record", |lane| whole(lane.score().holes_max)),
    row("largest_hole", "largest hole", Counts::Bytes, "at the end: the largest hole, clipped to the window", |lane| {
        whole(lane.end()?.metrics.largest_hole)
    }),
    row("largest_hole_min", "least largest hole", Counts::Bytes, "the least that it was after any record", |lane| {
        whole(lane.score().largest_hole_min)
    }),
    row(
        "fragmentation",
        "fragmentation",
        Counts::Share,
        "at the end: 1 - largest hole / free bytes, both inside the window; 0 without free bytes",
        |lane| {
            let metrics = &lane.end()?.metrics;
            let Some(scattered) = metrics.free_bytes.checked_sub(metrics.largest_hole) else { return whole(0) };
            if metrics.free_bytes == 0 { whole(0) } else { quotient(scattered, metrics.free_bytes) }
        },
    ),
    row("fragmentation_max", "worst fragmentation", Counts::Share, "the most that it was after any record", |lane| {
        quotient(lane.score().fragmentation_max, ALL_FRAGMENTED)
    }),
    row(
        "page_table_pages",
        "page tables",
        Counts::Things,
        "page tables that the areas of the trace have needed, all levels, without those that exist from boot; none is \
         ever given back",
        |lane| whole(lane.end()?.tables),
    ),
    row("page_table_bytes", "page-table bytes", Counts::Bytes, "the same in bytes", |lane| {
        whole(lane.end()?.tables * lane.machine().geometry.table_bytes)
    }),
    row(
        "search_steps_mean",
        "steps, mean",
        Counts::Things,
        "areas and holes that a search looks at, by attempt; an attempt that a pool serves has 0",
        |lane| searched(lane).and_then(|steps| quotient(steps.sum(), steps.n())),
    ),
    row(
        "search_steps_p99",
        "steps, p99",
        Counts::Things,
        "the least number that 99 of 100 attempts stay within",
        |lane| whole(searched(lane)?.percentile(99)?),
    ),
    row("search_steps_max", "steps, most", Counts::Things, "the most of any attempt", |lane| {
        whole(searched(lane)?.max())
    }),
    row(
        "tree_depth",
        "tree depth",
        Counts::Things,
        "at the end: nodes on the longest way down the free tree, or the tree of areas where there is no free tree",
        |lane| whole(lane.end()?.tree_depth?),
    ),
    row("purges", "purges", Counts::Things, "purges that returned something", |lane| whole(lane.score().purges)),
    row("tlb_flushes", "TLB flushes", Counts::Things, "flushes of a range by a purge", |lane| {
        whole(lane.score().tlb_flushes)
    }),
    row(
        "tlb_flush_bytes_mean",
        "flushed, mean",
        Counts::Bytes,
        "bytes from the lowest to the highest address flushed, by flush",
        |lane| quotient(lane.score().tlb_flush_bytes, lane.score().tlb_flushes),
    ),
    row("lazy_peak_pages", "most lazy pages", Counts::Pages, "most lazy pages after any record", |lane| {
        whole(lane.score().lazy_peak_pages)
    }),
    row(
        "lazy_pages_mean",
        "lazy pages, mean",
        Counts::Pages,
        "lazy pages after each record, summed up (page-events) and divided by the records",
        |lane| quotient(lane.score().lazy_page_events, lane.score().records),
    ),
    row("pool_hits", "pool hits", Counts::Things, "attempts that a pool or cache served", |lane| {
        whole(lane.score().pool_hits)
    }),
    row("pool_hit_rate", "pool hit rate", Counts::Share, "pool hits / attempts", |lane| {
        quotient(lane.score().pool_hits, lane.score().attempts)
    }),
    row(
        "reuse_share",
        "reused",
        Counts::Share,
        "areas that use an address again that was freed since the trace began / areas placed",
        |lane| {
            let reuse = &lane.score().reuse;
            quotient(reuse.distances.n(), reuse.distances.n() + reuse.fresh)
        },
    ),
    row(
        "reuse_distance_mean",
        "reuse distance",
        Counts::Things,
        "records between the latest free of any address of an area and its placement, over areas that use any again",
        |lane| {
            let distances = &lane.score().reuse.distances;
            quotient(distances.sum(), distances.n())
        },
    ),
    row("reuse_distance_p50", "reuse, median", Counts::Things, "the median of the same", |lane| {
        whole(lane.score().reuse.distances.percentile(50)?)
    }),
    row(
        "lock_contended",
        "lock waits",
        Counts::Things,
        "critical sections that begin while another CPU holds the lock: an estimate, see the table of locks",
        |lane| whole(lane.score().locks.as_ref()?.contended),
    ),
    row("lock_wait_ns", "waited", Counts::Nanos, "how long they wait, together: the same estimate", |lane| {
        whole(lane.score().locks.as_ref()?.wait_ns)
    }),
];

/// The metric of a key.
pub fn metric(key: &str) -> Option<&'static MetricRow> {
    METRICS.iter().find(|row| row.key == key)
}

/// Steps of the searches; where the trace says where areas lie, nobody searches.
fn searched(lane: &Lane) -> Option<&super::histogram::Histogram> {
    (lane.follows() != super::Follows::Records).then(|| &lane.score().search_steps)
}
