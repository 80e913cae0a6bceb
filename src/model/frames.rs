//! [`Frames`]: page frames, handed out by a binary buddy allocator with zones.
//!
//! Frames come and go as runs, and an operation costs in proportion to the pieces it touches, not to the pages: a GiB is
//! some hundred blocks. What was never handed out costs nothing, however large the machine.
//!
//! ```text
//!   request -> zones from the highest allowed downwards -> smallest order that suffices -> lowest address
//!   |################|                       a block of order 4
//!   |#.              |    |########|         split: the upper halves are free blocks of orders 3, 2, 1, 0
//! ```
//!
//! The choice is fixed: in the first zone that has a block large enough, the smallest sufficient order, and in it the
//! lowest address. The kernel takes the block freed last, and single pages from lists per CPU; those lists, watermarks,
//! reserves and migrate types are left out. Counts are the kernel's, frame numbers are an example. In exchange the state
//! depends on nothing but the set of frames in use.

mod audit;
mod blocks;
mod buddy;
mod bulk;
mod layout;
mod memory;

pub use audit::FramesBroken;
pub use bulk::{BULK_REQUEST, OrderTold, PageStrategy, PagesTold};
pub use layout::{BadLayout, ZONE_TABLES, ZoneSpan, ZoneTable, zone_table};

use std::fmt;

use buddy::{Buddy, Spot};

/// Largest order on nearly every configuration from 2.6 on (`MAX_PAGE_ORDER`; before 6.4 `MAX_ORDER - 1`): 4 MiB with
/// pages of 4 KiB. arm64 has 11 with 16 KiB and 13 with 64 KiB pages, where a PMD maps that much.
pub const MAX_ORDER: u32 = 10;
/// Largest order in 2.4: 2 MiB with pages of 4 KiB.
pub const MAX_ORDER_2_4: u32 = 9;
/// No configuration goes above this.
pub const MAX_ORDER_LIMIT: u32 = 15;

/// `n` page frames from `first` on; numbers are physical address divided by page size. Never empty where `Frames` hands
/// it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameRun {
    /// Number of the first frame.
    pub first: u64,
    /// Frames in the run.
    pub n: u64,
}

impl FrameRun {
    /// First frame after the run. A run that `Frames` handed out does not reach the end of the numbers.
    pub fn end(self) -> u64 {
        self.first.saturating_add(self.n)
    }

    /// Appends to `out`, joined with its last run if it continues that. The order of the frames is kept: frame `i` of the
    /// whole is page `i` of the allocation.
    pub fn push_to(self, out: &mut Vec<Self>) {
        match out.last_mut() {
            Some(last) if last.end() == self.first => last.n += self.n,
            _ => out.push(self),
        }
    }
}

/// The zones, from the lowest. As a limit: the highest zone a request may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ZoneKind {
    /// `GFP_DMA`: what the oldest devices reach.
    Dma,
    /// `GFP_DMA32`: below 4 GiB.
    Dma32,
    /// `GFP_KERNEL`: all memory the direct map covers.
    Normal,
    /// `__GFP_HIGHMEM`: memory above the direct map of 32-bit machines.
    HighMem,
}

impl ZoneKind {
    /// All, from the lowest.
    pub const ALL: [Self; 4] = [Self::Dma, Self::Dma32, Self::Normal, Self::HighMem];

    /// The kernel's name, as in `/proc/buddyinfo`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dma => "DMA",
            Self::Dma32 => "DMA32",
            Self::Normal => "Normal",
            Self::HighMem => "HighMem",
        }
    }
}

/// One zone as `/proc/buddyinfo` counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneCounts {
    /// Which zone.
    pub kind: ZoneKind,
    /// Frames of the zone.
    pub pages: u64,
    /// Of these free.
    pub free_pages: u64,
    /// Free blocks by order, from 0 to the largest order.
    pub free_blocks: Vec<u64>,
}

/// A line of `/proc/buddyinfo`.
impl fmt::Display for ZoneCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node 0, zone {:>8} ", self.kind.name())?;
        self.free_blocks.iter().try_for_each(|blocks| write!(f, "{blocks:>6} "))
    }
}

/// What giving back a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FreeTold {
    /// Frames given back.
    pub pages: u64,
    /// Aligned blocks they were given back as.
    pub blocks: u64,
    /// Times a block found its buddy free and joined it.
    pub merges: u64,
}

impl FreeTold {
    /// Merges if every frame is given back by itself, as `vfree` does with base pages: each merge leaves one block less.
    pub fn merges_by_page(self) -> u64 {
        self.merges + (self.pages - self.blocks)
    }
}

/// Why a run cannot be given back. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FreeError {
    /// A run of no frames.
    #[error("a run of 0 frames")]
    Empty,
    /// A frame that is no memory of this machine.
    #[error("frame 0x{frame:x} is not memory")]
    NotMemory {
        /// The first such frame.
        frame: u64,
    },
    /// A frame that is free already.
    #[error("some of the {n} frames from 0x{first:x} are free already")]
    AlreadyFree {
        /// First frame of the aligned block that was looked at.
        first: u64,
        /// Frames of that block.
        n: u64,
    },
}

/// One zone: its parts, in [`Buddy::parts`].
#[derive(Debug, Clone, Copy)]
struct Zone {
    kind: ZoneKind,
    first_part: usize,
    end_part: usize,
    pages: u64,
}

/// The frames of a machine. Two are equal if they have the same zones and the same frames free.
#[derive(Debug)]
pub struct Frames {
    /// Ascending.
    zones: Vec<Zone>,
    /// By [`ZoneKind`]: how many zones, from the lowest, a request with that limit may use.
    usable: [usize; 4],
    buddy: Buddy,
}

impl Frames {
    /// All frames of `spans` free. Spans of the same kind make one zone; one of no frames is a zone that the kernel has
    /// and this machine fills with nothing.
    ///
    /// # Errors
    /// Spans that overlap or do not ascend in address and kind, or an order above [`MAX_ORDER_LIMIT`].
    pub fn new(spans: &[ZoneSpan], max_order: u32) -> Result<Self, BadLayout> {
        layout::check(spans, max_order)?;
        let mut buddy = Buddy::new(max_order);
        let mut zones: Vec<Zone> = Vec::new();
        for span in spans {
            if zones.last().is_none_or(|zone| zone.kind != span.kind) {
                let at = buddy.parts.len();
                zones.push(Zone { kind: span.kind, first_part: at, end_part: at, pages: 0 });
            }
            buddy.add_memory(span.first, span.end);
            if let Some(zone) = zones.last_mut() {
                zone.end_part = buddy.parts.len();
                zone.pages += span.end - span.first;
            }
        }
        let usable = ZoneKind::ALL.map(|limit| {
            // A kernel without the zone takes the flag for none: `GFP_DMA` then means any memory the kernel can address.
            let is_known = zones.iter().any(|zone| zone.kind == limit);
            let limit = if is_known { limit } else { limit.max(ZoneKind::Normal) };
            zones.partition_point(|zone| zone.kind <= limit)
        });
        Ok(Self { zones, usable, buddy })
    }

    /// Largest order of a block.
    pub fn max_order(&self) -> u32 {
        self.buddy.max_order
    }

    /// A block of `1 << order` frames from the zone `limit` or one below it (`alloc_pages`). `None` if there is none, or
    /// the order is above the largest.
    pub fn alloc(&mut self, order: u32, limit: ZoneKind) -> Option<FrameRun> {
        self.take(order, 1 << order.min(MAX_ORDER_LIMIT), limit).map(|(run, _)| run)
    }

    /// Gives a run back: whole, or any part of what was handed out. It is cut into aligned blocks, each joined with its
    /// buddy as long as that is free (`__free_pages`).
    ///
    /// # Errors
    /// Empty, outside of memory, or partly free already. Who owns a frame is not known here: giving back somebody else's
    /// is not noticed.
    pub fn free(&mut self, run: FrameRun) -> Result<FreeTold, FreeError> {
        self.buddy.free(run)
    }

    /// Frames of the machine.
    pub fn pages(&self) -> u64 {
        self.zones.iter().map(|zone| zone.pages).sum()
    }

    /// Frames that are free.
    pub fn free_pages(&self) -> u64 {
        self.buddy.parts.iter().map(|part| part.free_pages).sum()
    }

    /// Frames in use.
    pub fn used_pages(&self) -> u64 {
        self.pages() - self.free_pages()
    }

    /// Zones from the lowest, as `/proc/buddyinfo` has them.
    pub fn zones(&self) -> Vec<ZoneCounts> {
        let n_orders = self.buddy.max_order as usize + 1;
        let counts = |zone: &Zone| {
            let parts = &self.buddy.parts[zone.first_part..zone.end_part];
            let blocks = |order: usize| parts.iter().map(|part| part.free_blocks[order]).sum();
            ZoneCounts {
                kind: zone.kind,
                pages: zone.pages,
                free_pages: parts.iter().map(|part| part.free_pages).sum(),
                free_blocks: (0..n_orders).map(blocks).collect(),
            }
        };
        self.zones.iter().map(counts).collect()
    }

    /// The zone a frame lies in; `None` outside of memory.
    pub fn zone_of(&self, frame: u64) -> Option<ZoneKind> {
        let part = self.buddy.part_of(frame)?;
        let zone = self.zones.iter().find(|zone| zone.first_part <= part && part < zone.end_part)?;
        Some(zone.kind)
    }

    /// Free frames as the longest runs there are, ascending: the whole state, in the fewest words.
    pub fn free_runs(&self) -> Vec<FrameRun> {
        let mut runs = Vec::new();
        self.buddy.each_free_block(|run| run.push_to(&mut runs));
        runs
    }

    /// Heap bytes of the bookkeeping.
    pub fn heap_bytes(&self) -> usize {
        self.zones.capacity() * size_of::<Zone>() + self.buddy.heap_bytes()
    }

    /// The first `pages` frames of the smallest block of at least `order`, and into how many blocks the rest falls. Fewer
    /// frames if the block is shorter.
    fn take(&mut self, order: u32, pages: u64, limit: ZoneKind) -> Option<(FrameRun, u64)> {
        let spot = self.find(order, limit)?;
        Some(self.buddy.take(spot, pages))
    }

    fn find(&self, order: u32, limit: ZoneKind) -> Option<Spot> {
        if self.buddy.max_order < order {
            return None;
        }
        let mut zones = self.zones[..self.usable[limit as usize]].iter().rev();
        zones.find_map(|zone| self.buddy.find(zone.first_part..zone.end_part, order))
    }
}

impl Clone for Frames {
    fn clone(&self) -> Self {
        Self { zones: self.zones.clone(), usable: self.usable, buddy: self.buddy.clone() }
    }

    /// Keeps the memory it has: a checkpoint is a few copies.
    fn clone_from(&mut self, from: &Self) {
        self.zones.clone_from(&from.zones);
        self.usable = from.usable;
        self.buddy.clone_from(&from.buddy);
    }
}

impl PartialEq for Frames {
    fn eq(&self, other: &Self) -> bool {
        self.max_order() == other.max_order() && self.zones() == other.zones() && self.free_runs() == other.free_runs()
    }
}

impl Eq for Frames {}
