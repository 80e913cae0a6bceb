//! Rules of the eras that keep no holes: the sorted list to 2.6.27, the tree of areas from 2.6.28 to 5.1.

/// What differs between releases with the sorted list of areas (`get_vm_area`, 2.4 to 2.6.27).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VmListRules {
    /// Alignment and window of a request count (`__get_vm_area`). Before, every area lies at the lowest page of
    /// `VMALLOC_START..VMALLOC_END` that is free.
    pub asks_window: bool,
    /// An area that starts below the candidate is passed without a test for a wrap or for the end of the range.
    pub passes_lower: bool,
    /// The size is rounded up to whole pages.
    pub rounds_size: bool,
}

/// How a candidate that leaves the address space is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverflowCheck {
    /// Not at all.
    None,
    /// `addr + size - 1 < addr`: the last byte may be the last of the address space.
    LastByte,
    /// `addr + size < addr`: it may not.
    End,
}

/// Which address names an area to free (`__find_vmap_area`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// Its first address.
    ExactStart,
    /// Any address inside.
    Containing,
}

/// The order in which a purge takes lazily freed areas out of the tree. It decides the shape of what is left; where the
/// cached hole moves to is the same in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurgeOrder {
    /// The list of areas is scanned for the flag.
    Ascending,
    /// They are on a stack of their own.
    NewestFirst,
}

/// What differs between releases with the tree of areas (`alloc_vmap_area`, 2.6.28 to 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusyTreeRules {
    /// A page behind the area below stays free, besides the guard page inside that area.
    pub gap_page: bool,
    /// The search begins at the area placed last, as long as no hole it has passed would do (`free_vmap_cache`).
    pub cached_hole: bool,
    /// How a candidate that leaves the address space is noticed.
    pub overflow: OverflowCheck,
    /// Which address names an area.
    pub lookup: Lookup,
    /// Order of removal.
    pub purge_order: PurgeOrder,
    /// There are per-CPU chunks, placed from the top down (`pcpu_get_vm_areas`).
    pub percpu_chunks: bool,
}

pub(super) const V2_4: VmListRules = VmListRules { asks_window: false, passes_lower: false, rounds_size: false };
// As of 2.6.11; earlier ones were not looked at.
pub(super) const V2_6: VmListRules = VmListRules { asks_window: true, passes_lower: true, rounds_size: false };
// Between 2.6.11 and 2.6.24, not known where. Callers pass whole pages anyway.
pub(super) const V2_6_24: VmListRules = VmListRules { rounds_size: true, ..V2_6 };

pub(super) const V2_6_28: BusyTreeRules = BusyTreeRules {
    gap_page: true,
    cached_hole: false,
    overflow: OverflowCheck::None,
    lookup: Lookup::ExactStart,
    purge_order: PurgeOrder::Ascending,
    percpu_chunks: false,
};
// Between 2.6.28 and 2.6.32, not known where.
pub(super) const V2_6_32: BusyTreeRules =
    BusyTreeRules { overflow: OverflowCheck::LastByte, percpu_chunks: true, ..V2_6_28 };
// The gap page may have gone later than the cached hole came, at 3.10 at the latest.
pub(super) const V2_6_39: BusyTreeRules = BusyTreeRules { gap_page: false, cached_hole: true, ..V2_6_32 };
// Between 3.10 and 4.15, not known where.
pub(super) const V4_15: BusyTreeRules = BusyTreeRules {
    overflow: OverflowCheck::End,
    lookup: Lookup::Containing,
    purge_order: PurgeOrder::NewestFirst,
    ..V2_6_39
};
