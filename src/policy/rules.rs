//! [`Rules`]: where releases differ, as named fields of one small table.

mod implicit;
mod layers;
mod release;

pub use implicit::{BusyTreeRules, Lookup, OverflowCheck, PurgeOrder, VmListRules};
pub use layers::{CACHED_PAGES, End, Guard, Layers, Reuse, Rule};
pub use release::Release;

use crate::model::{LengthReason, Request};

/// How free space is kept: what chooses the allocator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreeSpace {
    /// Not at all: a sorted list of areas is walked (`vmlist`, to 2.6.27).
    VmList(VmListRules),
    /// Not at all: areas in use and lazily freed ones are in one red-black tree (2.6.28 to 5.1).
    BusyTree(BusyTreeRules),
    /// A tree of holes, augmented with the largest below each (5.2 and later).
    FreeTree,
    /// As a policy that is not an era keeps it.
    Textbook(Layers),
}

/// How many bytes a subtree must advertise to be entered (`find_vmap_lowest_match`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchLength {
    /// `size + align - 1`, always: an exactly fitting hole may be passed over.
    AlwaysPadded,
    /// `size`, always.
    AlwaysSize,
    /// `size` up to page alignment and where the window is exactly as long; else `size + align - 1`.
    PaddedAbovePage,
}

/// Where freed areas wait for the purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LazyStore {
    /// Nowhere: what is freed can be given out at once (to 2.6.27).
    Nowhere,
    /// In the tree of areas, flagged: they keep their space (2.6.28 to 5.1).
    InPlace,
    /// A stack: the purge takes the newest first.
    Stack,
    /// A tree that fuses neighbours: the purge takes ascending ranges.
    MergingTree,
    /// A tree that fuses nothing: the purge takes areas in ascending order (policies that are not eras).
    Ascending,
    /// A tree per node, not fusing: the purge fills pools, then returns areas in descending order.
    PerNode,
}

/// Who purges when the lazy pages go above the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drain {
    /// The freeing task, at once.
    Inline,
    /// A worker, again and again while above the limit.
    WorkLoop,
    /// A worker, one pass.
    WorkOnce,
}

/// How a partial purge lets pools decay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decay {
    /// No pools.
    None,
    /// A quarter, rounded down; a pool of fewer than four areas decays wholly, because the counter wraps.
    Wrapping,
    /// A quarter, rounded down.
    Exact,
}

/// What becomes of arguments that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadArguments {
    /// Nothing is checked (to 2.6.27).
    Unchecked,
    /// `BUG_ON`.
    Bug,
    /// `-EINVAL`.
    Einval,
}

/// What a request without a place gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// A null pointer, at once (to 2.6.27).
    Null,
    /// `-EBUSY`, after a purge and a second attempt.
    Ebusy,
}

/// The order in which nodes are asked for an address to free, from the node of the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupOrder {
    /// Node after node.
    Upwards,
    /// Node before node.
    Downwards,
}

/// How a range of releases differs from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// First release that works like this.
    pub since: Release,
    /// How free space is kept.
    pub free_space: FreeSpace,
    /// The placement itself adds the guard page to a size (`get_vm_area`, to 2.6.27); later its caller did.
    pub adds_guard: bool,
    /// What a request without a place gets.
    pub failure: Failure,
    /// Bytes the search asks a subtree for.
    pub search: SearchLength,
    /// Entering a right subtree from above moves `vstart` behind the node.
    pub moves_vstart: bool,
    /// Where freed areas wait.
    pub lazy: LazyStore,
    /// Who purges.
    pub drain: Drain,
    /// How pools decay.
    pub decay: Decay,
    /// Answer to impossible arguments.
    pub bad_arguments: BadArguments,
    /// Order of the lookup over nodes.
    pub lookup: LookupOrder,
    /// The allocating task may be rescheduled between taking the space and writing the record, so that records of one
    /// CPU can stand in the wrong order.
    pub reschedules_before_record: bool,
}

impl Rules {
    /// These rules of a kernel around a placement that is not its own.
    #[must_use]
    pub fn around(self, layers: Layers) -> Self {
        let (lazy, failure) = match layers.reuse {
            Reuse::Immediate => (LazyStore::Nowhere, Failure::Null),
            Reuse::Lazy => (LazyStore::Ascending, Failure::Ebusy),
        };
        Self {
            free_space: FreeSpace::Textbook(layers),
            adds_guard: false,
            lazy,
            failure,
            search: SearchLength::AlwaysSize,
            drain: Drain::Inline,
            decay: Decay::None,
            bad_arguments: BadArguments::Einval,
            ..self
        }
    }

    /// Bytes a subtree must advertise for a request to enter it, and why that many.
    #[inline(always)]
    pub(crate) fn search_length(&self, request: &Request, page_size: u64) -> (u64, LengthReason) {
        let Request { size, align, window, .. } = *request;
        // A sum that wraps would advertise every subtree as large enough, and the search of 5.2 to 5.15 would never end.
        let padded = size.saturating_add(align - 1);
        match self.search {
            SearchLength::AlwaysSize => (size, LengthReason::AlwaysSize),
            SearchLength::PaddedAbovePage if align <= page_size => (size, LengthReason::PageAligned),
            SearchLength::PaddedAbovePage if window.vend.wrapping_sub(window.vstart) == size => {
                (size, LengthReason::ExactWindow)
            }
            SearchLength::AlwaysPadded | SearchLength::PaddedAbovePage => (padded, LengthReason::RoomForAlignment),
        }
    }

    /// Do nodes keep pools of freed areas (6.9 and later, with more than one possible CPU)?
    pub fn has_pools(&self) -> bool {
        self.lazy == LazyStore::PerNode
    }
}

const fn release(major: u32, minor: u32) -> Release {
    Release::new(major, minor)
}

// Fields an allocator does not ask for keep the values of the row below.
const V2_4: Rules = Rules {
    since: release(2, 4),
    free_space: FreeSpace::VmList(implicit::V2_4),
    adds_guard: true,
    failure: Failure::Null,
    lazy: LazyStore::Nowhere,
    bad_arguments: BadArguments::Unchecked,
    ..V5_2
};
const V2_6: Rules = Rules { since: Release::of_2_6(0), free_space: FreeSpace::VmList(implicit::V2_6), ..V2_4 };
const V2_6_24: Rules = Rules { since: Release::of_2_6(24), free_space: FreeSpace::VmList(implicit::V2_6_24), ..V2_6 };
const V2_6_28: Rules = Rules {
    since: Release::of_2_6(28),
    free_space: FreeSpace::BusyTree(implicit::V2_6_28),
    lazy: LazyStore::InPlace,
    ..V5_2
};
const V2_6_32: Rules =
    Rules { since: Release::of_2_6(32), free_space: FreeSpace::BusyTree(implicit::V2_6_32), ..V2_6_28 };
const V2_6_39: Rules =
    Rules { since: Release::of_2_6(39), free_space: FreeSpace::BusyTree(implicit::V2_6_39), ..V2_6_32 };
const V4_15: Rules = Rules { since: release(4, 15), free_space: FreeSpace::BusyTree(implicit::V4_15), ..V2_6_39 };

const V5_2: Rules = Rules {
    since: release(5, 2),
    free_space: FreeSpace::FreeTree,
    adds_guard: false,
    failure: Failure::Ebusy,
    search: SearchLength::AlwaysPadded,
    moves_vstart: false,
    lazy: LazyStore::Stack,
    drain: Drain::Inline,
    decay: Decay::None,
    bad_arguments: BadArguments::Bug,
    lookup: LookupOrder::Upwards,
    reschedules_before_record: false,
};

const V5_11: Rules = Rules { since: release(5, 11), lazy: LazyStore::MergingTree, ..V5_2 };
const V5_17: Rules = Rules { since: release(5, 17), search: SearchLength::AlwaysSize, moves_vstart: true, ..V5_11 };
const V5_19: Rules =
    Rules { since: release(5, 19), search: SearchLength::PaddedAbovePage, drain: Drain::WorkLoop, ..V5_17 };
const V6_3: Rules = Rules { since: release(6, 3), bad_arguments: BadArguments::Einval, ..V5_19 };
const V6_9: Rules =
    Rules { since: release(6, 9), lazy: LazyStore::PerNode, drain: Drain::WorkOnce, decay: Decay::Wrapping, ..V6_3 };
const V6_19: Rules = Rules {
    since: release(6, 19),
    decay: Decay::Exact,
    lookup: LookupOrder::Downwards,
    reschedules_before_record: true,
    ..V6_9
};

/// Every change of behaviour, oldest first. Each row differs from the one before in the fields it names.
pub const RELEASES: &[Rules] =
    &[V2_4, V2_6, V2_6_24, V2_6_28, V2_6_32, V2_6_39, V4_15, V5_2, V5_11, V5_17, V5_19, V6_3, V6_9, V6_19];

/// The rules of a release; `None` before 2.4.
pub fn rules_for(release: Release) -> Option<Rules> {
    RELEASES.iter().rev().find(|rules| rules.since <= release).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_ascends_and_covers_every_release_from_2_4() {
        assert!(RELEASES.is_sorted_by_key(|rules| rules.since));
        assert_eq!(rules_for(release(2, 2)), None);
        assert_eq!(rules_for(Release::of_2_6(38)).map(|rules| rules.free_space), Some(V2_6_32.free_space));
        assert_eq!(rules_for(release(3, 10)).map(|rules| rules.free_space), Some(V2_6_39.free_space));
        assert_eq!(rules_for(release(5, 1)).map(|rules| rules.lazy), Some(LazyStore::InPlace));
        assert_eq!(rules_for(release(6, 8)).map(|rules| rules.lazy), Some(LazyStore::MergingTree));
        assert_eq!(rules_for(release(6, 14)).map(|rules| rules.decay), Some(Decay::Wrapping));
        assert_eq!(rules_for(release(9, 0)).map(|rules| rules.decay), Some(Decay::Exact));
    }
}
