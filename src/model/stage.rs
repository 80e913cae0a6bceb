//! [`Stage`]: what a request does around the allocator, in order: the other half of [`super::step::Step`].
//!
//! What is decided is a [`Note`], small enough to stand in an operation; what is done, the memory tells with its figures.

mod call;

use super::extent::Extent;
use super::frames::{PagesTold, ZoneKind};
use super::page_table::{Mapped, Unmapped};

pub use call::Call;

/// Why a request ends before it has an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeRefusal {
    /// It asks for nothing, or its size wraps to nothing.
    Zero,
    /// It asks for more pages than the machine has.
    MoreThanRam {
        /// Pages asked for.
        pages: u64,
        /// Pages of the machine.
        ram_pages: u64,
    },
    /// The physical range is none, wraps, or is ordinary memory.
    BadPhysical,
}

/// How an `ioremap` area is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IoremapAlign {
    /// Not beyond the page (2.4).
    Page,
    /// `1 << fls(size)` of the unrounded size: twice as much for a power of two (2.6 to 3.10).
    Fls,
    /// `1 << ceil_log2(size)` of the rounded size (4.15 and later).
    CeilLog2,
}

/// A kind of kernel object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// `struct vm_struct`: the descriptor people see in `/proc/vmallocinfo`.
    VmStruct,
    /// `struct vmap_area`: the range in the trees.
    VmapArea,
    /// `struct vmap_block`: the bitmap of a block.
    VmapBlock,
}

/// A kernel message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// `Trying to vfree() bad address (%p)`: not on a page border.
    BadAddress,
    /// `Trying to vfree() nonexistent vm area (%p)`.
    Nonexistent,
    /// The free of a block part that no block has: a `BUG_ON`, a warning later.
    BadBlock,
    /// `BUG_ON(in_interrupt())`: the machine stops (2.6 to 3.9).
    InInterrupt,
    /// The release has no such function.
    NoSuchCall,
    /// The request found no space.
    NoSpace,
    /// The request found no pages.
    NoPages,
    /// `VM_NO_GUARD` means nothing to `vmap` any more (5.17 and later).
    NoGuardStripped,
    /// It is in the direct map: no area is needed.
    DirectMap,
}

/// Part of a request that is made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// No memory for the descriptor.
    Descriptor,
    /// No memory for the page-pointer array.
    Array,
    /// Only so many data pages can be had.
    Pages(u32),
    /// Only so many new page tables can be had.
    Tables(u32),
}

/// Why a request is undone after it has an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undone {
    /// No page-pointer array.
    Array,
    /// Too few pages.
    Pages,
    /// A page table was missing, or an entry was in use.
    Mapping,
}

/// What is done with what a failed request already has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleanup {
    /// `vfree`: unmapped, pages given back, the address space as free as after any free.
    Vfree,
    /// The list element goes, and what is mapped in the last PGD block stays mapped and is lost (2.4.27).
    Leak,
    /// A work item will `vfree` it later: it stays in use meanwhile (6.19 and later).
    Deferred,
}

/// What happened to a vmap block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockEvent {
    /// `new_vmap_block`: a block joined its CPU's list.
    New {
        /// At the head of the list rather than at its tail.
        at_head: bool,
    },
    /// Pages were taken.
    Taken {
        /// First page taken, counted from the start of the block.
        first: u32,
        /// Pages taken: the request rounded up to a power of two.
        pages: u32,
        /// Pages left.
        free: u32,
    },
    /// It has nothing left and leaves its CPU's list.
    Exhausted,
    /// `vb_free`: pages became dirty.
    Dirtied {
        /// Pages.
        pages: u32,
        /// Dirty pages now.
        dirty: u32,
    },
    /// Everything is dirty, or a purge took what is left: the block goes (`free_vmap_block`).
    Freed {
        /// By `purge_fragmented_blocks`, with pages never used.
        fragmented: bool,
    },
}

/// A decision of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// The entry point, and what it was given.
    Called {
        /// Which.
        call: Call,
        /// Bytes as asked for; of a free the address.
        value: u64,
        /// Whole pages of it; 0 for a free.
        pages: u64,
    },
    /// Size and memory were compared: it may go on.
    SizeChecked {
        /// Pages asked for.
        pages: u64,
        /// Pages of the machine.
        ram_pages: u64,
    },
    /// It may not.
    SizeRefused(SizeRefusal),
    /// Huge entries will be tried (`VM_ALLOW_HUGE_VMAP`, before 5.19 unless `VM_NO_HUGE_VMAP`).
    HugeTried {
        /// Bytes of one entry, as a power of two.
        shift: u8,
        /// Bytes that decided: the size, divided by the NUMA nodes before 6.13.
        bytes: u64,
    },
    /// Huge entries were asked for, and will not be tried.
    HugeNotTried {
        /// Bytes that decided.
        bytes: u64,
    },
    /// Huge entries did not work out: the same request once more with small ones.
    HugeFellBack {
        /// The area of the first attempt is still in use while the second looks for space (6.19 and later).
        first_still_busy: bool,
    },
    /// `__get_vm_area_node` rounded the size.
    SizeRounded {
        /// Bytes now.
        bytes: u64,
        /// To multiples of this, as a power of two.
        shift: u8,
    },
    /// `VM_IOREMAP`: the size decides the alignment.
    IoremapAligned {
        /// Bytes.
        align: u64,
        /// How.
        how: IoremapAlign,
    },
    /// The guard page was added.
    Guarded {
        /// Bytes now.
        bytes: u64,
    },
    /// No guard page was asked for (`VM_NO_GUARD`, `vm_map_ram`).
    Unguarded {
        /// Bytes.
        bytes: u64,
    },
    /// An object was allocated.
    ObjectTaken(Object),
    /// No memory for an object.
    ObjectMissing(Object),
    /// An object was given back.
    ObjectGiven(Object),
    /// No memory for the page-pointer array.
    ArrayMissing {
        /// Bytes asked for.
        bytes: u64,
    },
    /// The page-pointer array is so large that `vmalloc` itself is asked for it.
    ArrayNested {
        /// Bytes asked for.
        bytes: u64,
    },
    /// `clear_vm_uninitialized_flag`: the area may be shown.
    Initialized,
    /// The caller gets its address.
    Returned {
        /// The address: of an `ioremap` with the offset inside the page.
        addr: u64,
    },
    /// The request is undone.
    Undone {
        /// Why.
        why: Undone,
        /// How.
        cleanup: Cleanup,
    },
    /// The caller gets a null pointer, or an error.
    Failed,
    /// `vmalloc_init` imported an area that is older than the allocator.
    Imported {
        /// The area.
        extent: Extent,
    },
    /// `vmap_init_free_space` made a free range.
    FreeSpace {
        /// The range.
        extent: Extent,
    },
    /// A block was passed by: it has too few pages left (`vb_alloc`).
    BlockPassed {
        /// Its first address.
        start: u64,
        /// Pages left.
        free: u32,
    },
    /// The kernel says something.
    Said {
        /// What.
        message: Message,
        /// About which address or size.
        value: u64,
    },
}

/// One stage of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A decision.
    Note(Note),
    /// `setup_vmalloc_vm`: range and descriptor know each other.
    Bound {
        /// The area, guard included.
        extent: Extent,
        /// `VM_` flags.
        flags: u32,
    },
    /// The page-pointer array was allocated by `kmalloc`.
    ArrayTaken {
        /// Bytes asked for.
        bytes: u64,
        /// Bytes of the object it is in.
        object_bytes: u64,
    },
    /// The array was given back (`kfree`).
    ArrayGiven {
        /// Bytes asked for once.
        bytes: u64,
    },
    /// Data pages were allocated.
    PagesTaken {
        /// Pages asked for.
        asked: u64,
        /// Where they may come from.
        limit: ZoneKind,
        /// What came of it, and what the buddy allocator did.
        told: PagesTold,
    },
    /// Data pages went back to the buddy allocator.
    PagesGiven {
        /// Pages.
        pages: u64,
        /// Buddies they were joined with.
        merges: u64,
    },
    /// Data pages are lost: nobody knows them any more (2.4.27).
    PagesLost {
        /// Pages.
        pages: u64,
    },
    /// Entries were written.
    Mapped(Mapped),
    /// Writing stopped; what was written before it stays.
    MapFailed {
        /// What was done.
        done: Mapped,
        /// Why it stopped.
        why: MapFailure,
    },
    /// Entries were cleared.
    Unmapped(Unmapped),
    /// `vfree` may not work here: the address waits in the list of its CPU (`vfree_deferred`).
    Deferred {
        /// The CPU.
        cpu: u32,
        /// What waits.
        addr: u64,
        /// Addresses that wait there now; 1: the work was queued.
        waiting: u32,
    },
    /// The deferred work takes the newest (`delayed_vfree_work`).
    DeferredRun {
        /// The CPU.
        cpu: u32,
        /// What it takes.
        addr: u64,
        /// What still waits.
        left: u32,
    },
    /// A vmap block changed.
    Block {
        /// Its first address.
        start: u64,
        /// What happened.
        event: BlockEvent,
    },
    /// The TLB was flushed for a range, by a release that does so at each free.
    TlbFlushed {
        /// The range.
        extent: Extent,
    },
}

/// Why a mapping stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapFailure {
    /// An entry was in use (`-EBUSY`).
    Busy {
        /// The page.
        addr: u64,
    },
    /// No data page for it (`-ENOMEM`).
    NoPage {
        /// The page.
        addr: u64,
    },
    /// No memory for a table (`-ENOMEM`).
    NoTable {
        /// The page it was for.
        addr: u64,
        /// Level of the table.
        level: &'static str,
    },
    /// The range cannot be mapped at all.
    BadRange,
}
