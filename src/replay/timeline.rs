//! [`Timeline`]: the whole trace at a glance, taken in while the plan is made.

mod packed;
pub mod pyramid;

pub use pyramid::{Extremes, METRICS, Metric, Pyramid, Values};

use crate::model::AddressSpace;

/// The metrics of every state, and the records worth seeing, ascending.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// The metrics.
    pub metrics: Pyramid,
    /// Indices of failed allocations.
    pub failures: Vec<u32>,
    /// Indices of purges that returned something.
    pub purges: Vec<u32>,
    /// Indices of records that were not exact.
    pub divergences: Vec<u32>,
    /// Indices of notices of lost records.
    pub lost: Vec<u32>,
    /// Indices of markers.
    pub marks: Vec<u32>,
    /// Indices of failures that the kernel's log tells; the attempts behind them may be in `failures` as well.
    pub reports: Vec<u32>,
}

impl Timeline {
    /// Memory held, in bytes.
    pub fn heap_bytes(&self) -> u64 {
        let lists = [&self.failures, &self.purges, &self.divergences, &self.lost, &self.marks, &self.reports];
        self.metrics.heap_bytes() + lists.iter().map(|list| list.capacity() as u64 * 4).sum::<u64>()
    }
}

/// The metrics of a state; cheap enough to be asked for after every record.
pub fn values_of(space: &AddressSpace) -> Values {
    let allocator = space.allocator();
    let gauges = allocator.gauges();
    let page = allocator.page_size().max(1);
    [
        gauges.busy_bytes.div_ceil(page),
        gauges.lazy_pages,
        gauges.pooled_bytes.div_ceil(page),
        gauges.holes,
        gauges.largest_hole,
        gauges.fragmentation(),
        space.n_tables(),
    ]
}
