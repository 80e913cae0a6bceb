//! [`Metrics`] and [`Gauges`]: counts and sums of one state.

use super::audit::{Broken, compare};

/// What a state amounts to. Bytes include guard pages; "free" is inside the vmalloc window only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Metrics {
    /// Areas in use.
    pub busy_areas: u64,
    /// Their bytes.
    pub busy_bytes: u64,
    /// Lazily freed areas (fused ranges from 5.11 to 6.8).
    pub lazy_areas: u64,
    /// Lazily freed pages.
    pub lazy_pages: u64,
    /// Areas in pools.
    pub pooled_areas: u64,
    /// Their bytes.
    pub pooled_bytes: u64,
    /// Bytes of holes inside the vmalloc window.
    pub free_bytes: u64,
    /// Holes that reach into the vmalloc window.
    pub holes: u64,
    /// The largest of them, clipped to the window, in bytes.
    pub largest_hole: u64,
    /// From the start of the window to the end of the highest area in use below its middle, in bytes: the part people
    /// mean by "in use", without the per-CPU chunks at the top.
    pub span_bytes: u64,
}

/// What of [`Metrics`] is known without a walk over everything: cheap enough to be asked for after every event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gauges {
    /// Areas in use.
    pub busy_areas: u64,
    /// Their bytes.
    pub busy_bytes: u64,
    /// Lazily freed pages.
    pub lazy_pages: u64,
    /// Bytes of areas in pools.
    pub pooled_bytes: u64,
    /// Bytes of holes inside the vmalloc window.
    pub free_bytes: u64,
    /// Holes that reach into the vmalloc window.
    pub holes: u64,
    /// The largest of them, clipped to the window, in bytes.
    pub largest_hole: u64,
}

/// What is whole in [`Gauges::fragmentation`].
pub const ALL_FRAGMENTED: u64 = 1_000_000_000;

impl Gauges {
    /// External fragmentation, in billionths: `1 − largest_hole / free_bytes`, both inside the window. 0 if one hole is
    /// all there is, or nothing; close to [`ALL_FRAGMENTED`] if the free bytes are scattered over small holes.
    pub fn fragmentation(&self) -> u64 {
        let scattered = u128::from(self.free_bytes.saturating_sub(self.largest_hole));
        let parts = (scattered * u128::from(ALL_FRAGMENTED)).checked_div(self.free_bytes.into());
        parts.unwrap_or(0) as u64
    }
}

/// Compares the gauges of a state with its metrics, which are counted one by one.
///
/// # Errors
/// Names the value that is wrong.
pub fn check_gauges(gauges: &Gauges, metrics: &Metrics) -> Result<(), Broken> {
    compare("gauge of areas in use", gauges.busy_areas, metrics.busy_areas)?;
    compare("gauge of bytes in use", gauges.busy_bytes, metrics.busy_bytes)?;
    compare("gauge of lazy pages", gauges.lazy_pages, metrics.lazy_pages)?;
    compare("gauge of pooled bytes", gauges.pooled_bytes, metrics.pooled_bytes)?;
    compare("gauge of free bytes", gauges.free_bytes, metrics.free_bytes)?;
    compare("gauge of holes", gauges.holes, metrics.holes)?;
    compare("gauge of the largest hole", gauges.largest_hole, metrics.largest_hole)
}
