//! [`Metrics`]: counts and sums of one state.

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
