//! Steps of the policies that are not the kernel's.

use crate::model::Extent;

/// Which holes a rule goes through, and in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleOrder {
    /// Every hole from the start of the window upwards (first fit).
    Upwards,
    /// From where the area placed last ended (next fit).
    FromRover {
        /// That address.
        rover: u64,
    },
    /// The holes below it, since there was none above (next fit).
    Wrapped {
        /// That address.
        rover: u64,
    },
    /// From the shortest that is long enough (best fit).
    Shortest,
    /// From the longest (worst fit).
    Longest,
    /// Blocks of 2^`order` pages, or of the next larger order that has any (buddy).
    Blocks {
        /// The order.
        order: u32,
    },
    /// Classes in which every block has at least so many pages (TLSF).
    Classes {
        /// Pages.
        pages: u64,
    },
    /// Lists in which every segment has at least 2^`order` pages (vmem's instant fit).
    Lists {
        /// The order.
        order: u32,
    },
    /// The list of segments of 2^`order` pages and more, all of them (vmem: instant fit found nothing).
    WholeList {
        /// The order.
        order: u32,
    },
    /// The lists from that of 2^`order` pages on, segment by segment (vmem with an alignment or a window).
    EachSegment {
        /// The order.
        order: u32,
    },
    /// Any aligned address of the window, until one fits (randomised).
    Drawn {
        /// Addresses there are.
        places: u64,
    },
    /// One of those that fit, counted (randomised, after many that did not).
    Counted {
        /// Addresses that fit.
        places: u64,
    },
}

/// What a rule made of a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// It is taken.
    Taken,
    /// It fits, another fits better.
    Worse,
    /// It does not fit: it is too short once aligned, or too little of it lies in the window.
    NoFit,
}

/// What the caches of a CPU said (vmem).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheAnswer {
    /// The loaded magazine has one.
    Loaded(Extent),
    /// It is empty: the previous one changes places with it.
    Previous(Extent),
    /// Both are: a full one comes from the depot.
    Depot(Extent),
    /// There is none: the slab layer cuts one out.
    Slab(Extent),
    /// There is no slab with room: the arena is asked for one.
    NewSlab,
}

impl CacheAnswer {
    /// What is given out; nothing yet if a slab has to be asked for.
    pub fn object(self) -> Option<Extent> {
        match self {
            Self::Loaded(object) | Self::Previous(object) | Self::Depot(object) | Self::Slab(object) => Some(object),
            Self::NewSlab => None,
        }
    }
}
