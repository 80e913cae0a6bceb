//! [`Timeline`]: the whole trace at a glance, sampled while the plan is made.

use crate::model::Allocator;

/// Metrics at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sample {
    /// Records applied.
    pub at: u32,
    /// Bytes in use.
    pub busy_bytes: u64,
    /// Lazily freed pages.
    pub lazy_pages: u64,
    /// Largest hole inside the window, in bytes.
    pub largest_hole: u64,
    /// Nodes of the free tree.
    pub holes: u32,
}

impl Sample {
    /// The metrics of a state.
    pub fn of(at: usize, allocator: &dyn Allocator) -> Self {
        Self {
            at: at as u32,
            busy_bytes: allocator.busy_bytes(),
            lazy_pages: allocator.lazy_pages(),
            largest_hole: allocator.largest_hole(),
            holes: allocator.n_holes(),
        }
    }
}

/// Samples in even steps, and the records worth seeing, ascending.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// At most [`Timeline::MAX_SAMPLES`], plus one for the end.
    pub samples: Vec<Sample>,
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
    /// Enough for any screen's width several times over, and cheap to walk every frame.
    pub const MAX_SAMPLES: usize = 2048;
}
