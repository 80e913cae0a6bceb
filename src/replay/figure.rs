//! What a figure of a condition is in a state.

use parsers::condition::Figure;

use crate::model::AddressSpace;

/// One, in the parts that numbers are compared in.
pub const ONE: u128 = 1_000_000_000;

/// A figure of a state, in billionths of what it counts; `None` of the time, which no state knows.
pub fn billionths(figure: Figure, space: &AddressSpace) -> Option<u128> {
    let allocator = space.allocator();
    let whole = match figure {
        Figure::LargestHole => allocator.largest_hole(),
        Figure::Lazy => allocator.lazy_pages(),
        Figure::Busy => allocator.busy_bytes(),
        Figure::Pooled => allocator.pooled_bytes(),
        Figure::FreeBytes => allocator.free_bytes(),
        Figure::Holes => allocator.n_holes().into(),
        Figure::PageTables => space.n_tables(),
        Figure::Failures => space.failures(),
        Figure::Fragmentation => return Some(allocator.gauges().fragmentation().into()),
        Figure::Time => return None,
    };
    Some(u128::from(whole) * ONE)
}
