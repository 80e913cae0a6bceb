//! [`RequestRules`]: where releases differ around the allocator, as named fields of one small table.

use crate::model::stage::{Call, Cleanup, IoremapAlign};
use crate::policy::rules::Release;

/// Which size is compared with the memory of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeCheck {
    /// The size rounded up to pages (to 5.13).
    Rounded,
    /// The size as given (5.14 and later).
    AsGiven,
}

/// Who gets huge entries without `ioremap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HugeVmalloc {
    /// Nobody (to 5.13).
    Never,
    /// Everybody who does not say `VM_NO_HUGE_VMAP` (5.14 to 5.17).
    OptOut,
    /// Who says `VM_ALLOW_HUGE_VMAP` (5.19 and later).
    OptIn,
}

/// How data pages are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataPages {
    /// One at a time, while the page tables are walked (2.4).
    InTheWalk,
    /// One at a time.
    Singly,
    /// Up to 100 at a time, if a node is given (5.14 to 5.18).
    BulkWithNode,
    /// Up to 100 at a time, the rest singly (5.19 and later; 6.1 read).
    Bulk,
    /// Large orders first (6.19 and later).
    LargeOrders,
}

/// What `vfree` does in an interrupt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InInterrupt {
    /// What it always does: nobody looks (2.4).
    Unchecked,
    /// `BUG_ON` (2.6 to 3.9).
    Bug,
    /// The address waits in a list of the CPU (3.10 and later).
    Deferred,
}

/// How `vm_map_ram` of few pages works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocks {
    /// There is none (to 2.6.27).
    None,
    /// The lowest naturally aligned free run of a block; the newest block first (2.6.28 to 3.10).
    Bitmap,
    /// Behind what was taken last; the oldest block first (4.15 and later).
    Bump,
}

/// Which kernel objects an area needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objects {
    /// A `vm_struct` (to 2.6.27).
    Descriptor,
    /// A `vm_struct` and a `vmap_area` for the range; both by `kmalloc` (2.6.28 to 5.1).
    DescriptorAndRange,
    /// The same, ranges from a cache of their own; free ranges are such objects too (5.2 and later).
    RangesCached,
}

/// How a range of releases treats requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestRules {
    /// First release that works like this.
    pub since: Release,
    /// Which size is compared with memory.
    pub size_check: SizeCheck,
    /// A size of nothing or of more than there is gets a warning.
    pub warns_of_size: bool,
    /// Who gets huge entries.
    pub huge: HugeVmalloc,
    /// The size that decides about huge entries is divided by the NUMA nodes.
    pub divides_by_nodes: bool,
    /// How `ioremap` areas are aligned.
    pub ioremap_align: IoremapAlign,
    /// `ioremap` computes its size from the last byte, which loses a page now and then (2.4).
    pub ioremap_by_last_byte: bool,
    /// How data pages are asked for.
    pub pages: DataPages,
    /// There is an array of page pointers (2.6 and later): before, pages are found through the page tables.
    pub has_array: bool,
    /// What a request that fails half-way does.
    pub cleanup: Cleanup,
    /// What an interrupt may do.
    pub in_interrupt: InInterrupt,
    /// `vm_map_ram`.
    pub blocks: Blocks,
    /// Kernel objects of an area.
    pub objects: Objects,
    /// `vmalloc_user` aligns to `SHMLBA`.
    pub user_shmlba: bool,
    /// `VM_NO_GUARD` is known.
    pub has_no_guard: bool,
    /// An area of no bytes is refused (2.6.24 and later). Before, it is its guard page and nothing else.
    pub refuses_empty_areas: bool,
    /// What is fragmented goes before a purge that was asked for (seen in 2.6.32.67, not in 2.6.28.6).
    pub purges_fragments: bool,
    /// Areas are marked while they are filled (`VM_UNLIST`, `VM_UNINITIALIZED`).
    pub marks_uninitialized: bool,
    /// Requests that may not sleep neither purge nor wait (6.19 and later).
    pub nonblocking: bool,
}

const V2_4: RequestRules = RequestRules {
    since: Release::new(2, 4),
    size_check: SizeCheck::Rounded,
    warns_of_size: false,
    huge: HugeVmalloc::Never,
    divides_by_nodes: false,
    ioremap_align: IoremapAlign::Page,
    ioremap_by_last_byte: true,
    pages: DataPages::InTheWalk,
    has_array: false,
    cleanup: Cleanup::Vfree,
    in_interrupt: InInterrupt::Unchecked,
    blocks: Blocks::None,
    objects: Objects::Descriptor,
    user_shmlba: false,
    has_no_guard: false,
    refuses_empty_areas: false,
    purges_fragments: false,
    marks_uninitialized: false,
    nonblocking: false,
};
// Seen in 2.4.27; believed to have come with 2.4.23.
const V2_4_27: RequestRules = RequestRules { since: Release::of_2_4(27), cleanup: Cleanup::Leak, ..V2_4 };
const V2_6: RequestRules = RequestRules {
    since: Release::of_2_6(0),
    cleanup: Cleanup::Vfree,
    ioremap_align: IoremapAlign::Fls,
    ioremap_by_last_byte: false,
    pages: DataPages::Singly,
    has_array: true,
    in_interrupt: InInterrupt::Bug,
    ..V2_4
};
const V2_6_24: RequestRules = RequestRules { since: Release::of_2_6(24), refuses_empty_areas: true, ..V2_6 };
const V2_6_28: RequestRules = RequestRules {
    since: Release::of_2_6(28),
    warns_of_size: true,
    blocks: Blocks::Bitmap,
    objects: Objects::DescriptorAndRange,
    ..V2_6_24
};
const V2_6_32: RequestRules =
    RequestRules { since: Release::of_2_6(32), marks_uninitialized: true, purges_fragments: true, ..V2_6_28 };
const V3_10: RequestRules =
    RequestRules { since: Release::new(3, 10), in_interrupt: InInterrupt::Deferred, user_shmlba: true, ..V2_6_32 };
// Between 3.10 and 4.15, not known where.
const V4_15: RequestRules = RequestRules {
    since: Release::new(4, 15),
    ioremap_align: IoremapAlign::CeilLog2,
    blocks: Blocks::Bump,
    has_no_guard: true,
    ..V3_10
};
const V5_2: RequestRules = RequestRules { since: Release::new(5, 2), objects: Objects::RangesCached, ..V4_15 };
const V5_14: RequestRules = RequestRules {
    since: Release::new(5, 14),
    size_check: SizeCheck::AsGiven,
    huge: HugeVmalloc::OptOut,
    divides_by_nodes: true,
    pages: DataPages::BulkWithNode,
    ..V5_2
};
const V5_19: RequestRules =
    RequestRules { since: Release::new(5, 19), huge: HugeVmalloc::OptIn, pages: DataPages::Bulk, ..V5_14 };
const V6_13: RequestRules = RequestRules { since: Release::new(6, 13), divides_by_nodes: false, ..V5_19 };
const V6_19: RequestRules = RequestRules {
    since: Release::new(6, 19),
    pages: DataPages::LargeOrders,
    cleanup: Cleanup::Deferred,
    nonblocking: true,
    ..V6_13
};

/// Every change of behaviour, oldest first. Each row differs from the one before in the fields it names.
pub const REQUEST_RULES: &[RequestRules] =
    &[V2_4, V2_4_27, V2_6, V2_6_24, V2_6_28, V2_6_32, V3_10, V4_15, V5_2, V5_14, V5_19, V6_13, V6_19];

/// How a release treats requests; `None` before 2.4.
pub fn request_rules_for(release: Release) -> Option<&'static RequestRules> {
    REQUEST_RULES.iter().rev().find(|rules| rules.since <= release)
}

/// First release that has an entry point, as far as is known, and the first one known without it.
pub fn has_call(release: Release, call: Call) -> bool {
    let since = match call {
        Call::Vmalloc | Call::Vmalloc32 | Call::VmallocDma | Call::Ioremap | Call::Vfree | Call::Iounmap => {
            Release::new(2, 4)
        }
        // In 2.4.22, and not in 2.4.16.
        Call::Vmap | Call::Vunmap => Release::new(2, 4),
        Call::VmallocNodeRange | Call::VmallocUser => Release::of_2_6(24),
        Call::VmMapRam | Call::VmUnmapRam => Release::of_2_6(28),
        Call::PcpuGetVmAreas => Release::of_2_6(32),
        Call::Vzalloc => Release::of_2_6(37),
        Call::VfreeAtomic => Release::new(4, 10),
        Call::VmallocHuge => Release::new(5, 19),
    };
    let is_gone = call == Call::VmallocDma && Release::of_2_6(0) <= release;
    since <= release && !is_gone
}
