//! [`MemoryOp`]: what a request does besides asking the allocator, and what came of it.

use crate::model::extent::Extent;
use crate::model::frames::{PageStrategy, ZoneKind};
use crate::model::page_table::ModMask;
use crate::model::stage::{Fault, Note};
use crate::model::usage::{CallerId, UsageKind};

/// How an area is mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mapping {
    /// Page by page, the pages of the area or somebody else's.
    Small,
    /// In blocks of `1 << shift` bytes, each with frames of its own.
    Huge {
        /// Bytes of a block, as a power of two.
        shift: u8,
    },
    /// A physical range, by the largest entries that fit.
    Device {
        /// Its first address.
        phys: u64,
    },
}

/// One thing a request does besides asking the allocator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryOp {
    /// Nothing: a decision is told.
    Tell(Note),
    /// `setup_vmalloc_vm`: a descriptor for an area.
    Bind {
        /// The area.
        extent: Extent,
        /// What it is for.
        kind: UsageKind,
        /// `VM_` flags.
        flags: u32,
        /// Who asked.
        caller: CallerId,
    },
    /// The descriptor goes.
    Unbind {
        /// Start of the area.
        start: u64,
    },
    /// `clear_vm_uninitialized_flag`, or `VM_VPAGES` once the array is there.
    SetFlags {
        /// Start of the area.
        start: u64,
        /// All flags from here on.
        flags: u32,
    },
    /// The page-pointer array by `kmalloc`.
    TakeArray {
        /// Start of the area.
        start: u64,
        /// Bytes.
        bytes: u64,
    },
    /// The page-pointer array is an area of its own.
    NestArray {
        /// Start of the area.
        start: u64,
        /// Start of the array's area.
        array: u64,
    },
    /// The array goes back.
    GiveArray {
        /// Start of the area.
        start: u64,
    },
    /// Data pages for an area.
    TakePages {
        /// Start of the area.
        start: u64,
        /// Pages.
        pages: u64,
        /// Order of one block: 0 for single pages.
        order: u8,
        /// The highest zone.
        limit: ZoneKind,
        /// How they are asked for.
        strategy: PageStrategy,
        /// Part of it that fails.
        fault: Option<Fault>,
    },
    /// The data pages of an area go back.
    GivePages {
        /// Start of the area.
        start: u64,
    },
    /// The data pages of an area are forgotten: they are in use for good (2.4.27).
    LosePages {
        /// Start of the area.
        start: u64,
        /// So many of the first pages go back before.
        after: u64,
        /// From that page on they go back as well: nobody had asked for them yet.
        until: u64,
    },
    /// Entries for the first bytes of an area.
    Map {
        /// The part that is mapped.
        extent: Extent,
        /// How.
        mapping: Mapping,
        /// Part of it that fails.
        fault: Option<Fault>,
    },
    /// Entries are cleared.
    Unmap {
        /// What is cleared.
        extent: Extent,
        /// The TLB is flushed for it at once.
        flushes: bool,
    },
    /// An address waits in the list of a CPU.
    Defer {
        /// The CPU.
        cpu: u32,
        /// The address.
        addr: u64,
    },
    /// The newest waiting address of a CPU is taken.
    TakeDeferred {
        /// The CPU.
        cpu: u32,
    },
    /// An area without descriptor and pages of its own (`vm_map_ram` of many pages).
    Note {
        /// The area.
        extent: Extent,
        /// What it is for.
        kind: UsageKind,
    },
    /// A vmap block joins the list of a CPU.
    AddBlock {
        /// Its area.
        extent: Extent,
        /// The CPU.
        cpu: u32,
        /// At the head of the list.
        at_head: bool,
    },
    /// Pages of a block are taken.
    TakeFromBlock {
        /// Start of the block.
        block: u64,
        /// First page, counted from there.
        first: u32,
        /// Pages, a power of two.
        pages: u32,
    },
    /// Pages of a block become dirty.
    DirtyInBlock {
        /// Start of the block.
        block: u64,
        /// Pages, a power of two.
        pages: u32,
    },
    /// A block goes.
    DropBlock {
        /// Its start.
        block: u64,
        /// It was fragmented: a purge took what was left.
        fragmented: bool,
    },
}

/// What a [`MemoryOp`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryAnswer {
    /// It is done.
    Done,
    /// So many pages were had.
    Pages(u64),
    /// Entries are written.
    Mapped {
        /// All that was asked for is mapped.
        whole: bool,
        /// Tables that were allocated.
        new_tables: u32,
        /// `pgtbl_mod_mask`.
        mod_mask: ModMask,
        /// A sync follows.
        syncs: bool,
    },
    /// The address that waited, if one did.
    Waited(Option<u64>),
    /// There was nothing to do it to.
    Nothing,
}

impl MemoryAnswer {
    /// A mapping that came about wholly.
    pub fn is_mapped(&self) -> bool {
        matches!(self, Self::Mapped { whole: true, .. })
    }
}
