//! The walk from area to area, in the eras that keep no holes (to 5.1).

use crate::model::Extent;

/// Where a walk over the areas begins, in the eras that keep no holes (to 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalkFrom {
    /// At the start of the window, from the head of the list (to 2.6.27).
    ListHead,
    /// At the start of the window: the tree gave the lowest area that ends there or above it, if any.
    Tree(Option<Extent>),
    /// Behind the area placed last (`free_vmap_cache`, 2.6.39 to 5.1).
    Cache(Extent),
}

/// Why a search does not begin at the cached hole (2.6.39 to 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewind {
    /// Nothing is cached.
    NoCache,
    /// A hole passed since the last rewind is longer than the request.
    SmallerThanHole {
        /// `cached_hole_size`, in bytes.
        hole: u64,
    },
    /// The last request began higher.
    LowerStart {
        /// `cached_vstart`.
        cached_vstart: u64,
    },
    /// The last request was aligned more strictly.
    SmallerAlign {
        /// `cached_align`, in bytes.
        cached_align: u64,
    },
    /// The cached area ends below the window.
    CacheBelowWindow {
        /// The cached area.
        cache: Extent,
    },
}

/// Why a walk passes an area (to 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// It lies below the candidate.
    Lower,
    /// The room between the candidate and the area is too small.
    NoRoom {
        /// That room, in bytes.
        room: u64,
    },
}
