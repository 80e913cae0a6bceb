//! `kmalloc`, `kzalloc`, `kvmalloc` and `vmalloc` for one size: what each hands out, what it touches, where it may be
//! called.
//!
//! General knowledge, as the kernel's documentation has it ("Memory Allocation Guide"), in a form that panes and lessons
//! can print: [`contrast`] answers four rows, each with a sentence of reason; [`ADVICE`] says which flags suit a context.

mod contexts;

pub use contexts::{ADVICE, Advice, Context, Gfp, Verdict};

use super::slab::{KmallocEra, KmallocFit, kmalloc_fit};

/// The machine and the release that are asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Bytes of a page.
    pub page_size: u64,
    /// Largest order of the page allocator.
    pub max_order: u32,
    /// Bytes of a pointer: 4 or 8.
    pub word_bytes: u64,
    /// The `kmalloc` it has.
    pub era: KmallocEra,
    /// Pages of memory: no vmalloc is larger.
    pub total_pages: u64,
    /// Bytes of the vmalloc range.
    pub range_bytes: u64,
    /// There is `kvmalloc` (4.12 and later).
    pub has_kvmalloc: bool,
    /// There is `kzalloc` (2.6.14 and later).
    pub has_kzalloc: bool,
    /// What vmalloc takes besides `GFP_KERNEL`.
    pub vmalloc_gfp: VmallocGfp,
}

/// How much vmalloc may be asked without sleeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VmallocGfp {
    /// It always may sleep: to 6.18.
    Sleeps,
    /// Flags that do not sleep are honoured, interrupts stay forbidden: 6.19, 7.0.
    TaskOnly,
    /// Forbidden in hard interrupts only: 7.1 and later.
    NotInHardirq,
}

/// The four calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// `kmalloc(size, gfp)`.
    Kmalloc,
    /// `kzalloc(size, gfp)`.
    Kzalloc,
    /// `kvmalloc(size, gfp)`.
    Kvmalloc,
    /// `vmalloc(size)`; flags with `__vmalloc(size, gfp)`.
    Vmalloc,
}

impl Call {
    /// All, in the order of the rows.
    pub const ALL: [Self; 4] = [Self::Kmalloc, Self::Kzalloc, Self::Kvmalloc, Self::Vmalloc];

    /// The kernel's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kmalloc => "kmalloc",
            Self::Kzalloc => "kzalloc",
            Self::Kvmalloc => "kvmalloc",
            Self::Vmalloc => "vmalloc",
        }
    }
}

/// Are the bytes one piece of memory?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Contiguous {
    /// Always.
    Yes,
    /// If memory in one piece was found; not otherwise.
    Perhaps,
    /// No: any page may lie anywhere.
    No,
}

/// What a call hands out for the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gets {
    /// An object of a size class.
    Class {
        /// Name of the class.
        name: &'static str,
        /// Its bytes.
        bytes: u64,
    },
    /// A block of pages.
    Block {
        /// Its order.
        order: u32,
        /// Its bytes.
        bytes: u64,
    },
    /// Single pages, mapped one after the other, and a guard page of addresses.
    Area {
        /// Pages of memory.
        pages: u64,
        /// Bytes of memory.
        bytes: u64,
        /// Bytes of addresses, guard included.
        area_bytes: u64,
    },
    /// No bytes: a pointer that is not null and must not be followed (`ZERO_SIZE_PTR`).
    ZeroSize,
    /// Nothing: the call does not exist in this release.
    Missing,
    /// Nothing: the size is refused.
    Refused,
}

impl Gets {
    /// Bytes of memory; 0 if nothing is handed out.
    pub fn bytes(self) -> u64 {
        match self {
            Self::Class { bytes, .. } | Self::Block { bytes, .. } | Self::Area { bytes, .. } => bytes,
            Self::ZeroSize | Self::Missing | Self::Refused => 0,
        }
    }
}

/// What a call has to touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Touches {
    /// A slab of a size class.
    Slab,
    /// The page allocator.
    Buddy,
    /// The tree or list of areas, and their objects.
    VmapTree,
    /// The kernel's page tables.
    PageTables,
    /// The TLB: small entries when it is used, a flush after it is freed.
    Tlb,
}

/// One call for one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContrastRow {
    /// The call.
    pub call: Call,
    /// Contiguous in memory: what a device without an IOMMU needs.
    pub physically: Contiguous,
    /// Contiguous in addresses: always, this is what an allocation is.
    pub virtually: Contiguous,
    /// The largest size, in bytes.
    pub limit_bytes: u64,
    /// What sets the limit.
    pub limited_by: &'static str,
    /// What is handed out.
    pub gets: Gets,
    /// Bytes of memory above the size.
    pub waste_bytes: u64,
    /// What is touched, in this order.
    pub touches: &'static [Touches],
    /// Are the bytes zero?
    pub zeroed: bool,
    /// For each of [`Gfp::ALL`], in each of [`Context::ALL`]: may it be called?
    pub may_call: [[Verdict; Context::ALL.len()]; Gfp::ALL.len()],
    /// Why it is as it is for this size.
    pub reason: &'static str,
}

impl ContrastRow {
    /// May it be called with these flags here?
    pub fn verdict(&self, gfp: Gfp, context: Context) -> Verdict {
        self.may_call[gfp as usize][context as usize]
    }
}

/// What `kvmalloc` does with a size: `kmalloc` first, and vmalloc if that fails and the size is above a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KvmallocRule {
    /// At most a page: `kmalloc` and nothing else, with the caller's flags.
    KmallocOnly,
    /// Larger: `kmalloc` without retries and without a warning, then vmalloc.
    KmallocThenVmalloc,
    /// Above what `kmalloc` can do: its attempt fails at once, vmalloc it is.
    Vmalloc,
}

/// Which way `kvmalloc` goes. Flags that vmalloc cannot honour leave only `kmalloc`: see [`ContrastRow::may_call`].
pub fn kvmalloc_rule(size: u64, facts: &Facts) -> KvmallocRule {
    if size <= facts.page_size {
        KvmallocRule::KmallocOnly
    } else if size <= facts.era.limit(facts.page_size, facts.max_order) {
        KvmallocRule::KmallocThenVmalloc
    } else {
        KvmallocRule::Vmalloc
    }
}

/// The four calls for one size, in the order of [`Call::ALL`].
pub fn contrast(size: u64, facts: &Facts) -> [ContrastRow; 4] {
    Call::ALL.map(|call| row(call, size, facts))
}

fn row(call: Call, size: u64, facts: &Facts) -> ContrastRow {
    let (gets, touches, physically, reason) = match call {
        Call::Kmalloc | Call::Kzalloc => by_kmalloc(call, size, facts),
        Call::Kvmalloc => by_kvmalloc(size, facts),
        Call::Vmalloc => by_vmalloc(size, facts),
    };
    let (limit_bytes, limited_by) = limit(call, facts);
    ContrastRow {
        call,
        physically,
        virtually: Contiguous::Yes,
        limit_bytes,
        limited_by,
        gets,
        waste_bytes: gets.bytes().saturating_sub(size),
        touches,
        zeroed: call == Call::Kzalloc,
        may_call: contexts::verdicts(call, size, facts),
        reason,
    }
}

type Answer = (Gets, &'static [Touches], Contiguous, &'static str);

const SLAB: &[Touches] = &[Touches::Slab];
const BUDDY: &[Touches] = &[Touches::Buddy];
const MAPPED: &[Touches] = &[Touches::VmapTree, Touches::Buddy, Touches::PageTables, Touches::Tlb];
const EITHER: &[Touches] = &[Touches::Slab, Touches::Buddy, Touches::VmapTree, Touches::PageTables, Touches::Tlb];

fn by_kmalloc(call: Call, size: u64, facts: &Facts) -> Answer {
    if call == Call::Kzalloc && !facts.has_kzalloc {
        return (Gets::Missing, &[], Contiguous::Yes, "not there before 2.6.14: kmalloc, then memset");
    }
    if size == 0 && facts.era == KmallocEra::Slub {
        return (Gets::ZeroSize, &[], Contiguous::Yes, "no bytes, no memory: a pointer that kfree knows");
    }
    match kmalloc_fit(size, facts.era, facts.page_size, facts.max_order) {
        KmallocFit::Class { name, bytes, .. } => (
            Gets::Class { name, bytes },
            SLAB,
            Contiguous::Yes,
            "a size class has an object ready; the page allocator is asked only if its slabs are full",
        ),
        KmallocFit::Pages { order, bytes } => (
            Gets::Block { order, bytes },
            BUDDY,
            Contiguous::Yes,
            "above the size classes: a block of 2^order pages in one piece, the rest of it is lost",
        ),
        KmallocFit::TooLarge { .. } => {
            (Gets::Refused, &[], Contiguous::Yes, "no block of memory in one piece is that long")
        }
    }
}

fn by_kvmalloc(size: u64, facts: &Facts) -> Answer {
    if !facts.has_kvmalloc {
        return (Gets::Missing, &[], Contiguous::Perhaps, "not there before 4.12: callers tried kmalloc, then vmalloc");
    }
    if limit(Call::Kvmalloc, facts).0 < size {
        return (Gets::Refused, &[], Contiguous::Perhaps, "neither kmalloc nor vmalloc has that much");
    }
    let (gets, touches, ..) = by_kmalloc(Call::Kmalloc, size, facts);
    match kvmalloc_rule(size, facts) {
        KvmallocRule::KmallocOnly => {
            (gets, touches, Contiguous::Yes, "at most a page is kmalloc's: vmalloc could give nothing smaller")
        }
        KvmallocRule::KmallocThenVmalloc => (
            gets,
            EITHER,
            Contiguous::Perhaps,
            "kmalloc is tried without effort or warning; if memory is in pieces, vmalloc maps single pages",
        ),
        KvmallocRule::Vmalloc => {
            let (gets, touches, physically, _) = by_vmalloc(size, facts);
            (gets, touches, physically, "longer than any block, so it is vmalloc at once")
        }
    }
}

fn by_vmalloc(size: u64, facts: &Facts) -> Answer {
    let pages = size.div_ceil(facts.page_size);
    if size == 0 || limit(Call::Vmalloc, facts).0 < size {
        let reason = if size == 0 { "a size of 0 is refused" } else { "more than the machine has, or the range holds" };
        return (Gets::Refused, &[], Contiguous::No, reason);
    }
    let bytes = pages * facts.page_size;
    let gets = Gets::Area { pages, bytes, area_bytes: bytes + facts.page_size };
    (
        gets,
        MAPPED,
        Contiguous::No,
        "single pages from anywhere, made one range of addresses: it works when memory is in pieces, and costs tables",
    )
}

/// The largest size, and what sets it.
fn limit(call: Call, facts: &Facts) -> (u64, &'static str) {
    let kmalloc = facts.era.limit(facts.page_size, facts.max_order);
    let memory = facts.total_pages.saturating_mul(facts.page_size);
    let range = facts.range_bytes.saturating_sub(facts.page_size);
    let vmalloc = if memory <= range {
        (memory, "pages of the machine (totalram_pages)")
    } else {
        (range, "the vmalloc range, less a guard page")
    };
    match (call, facts.era) {
        (Call::Vmalloc, _) => vmalloc,
        (Call::Kvmalloc, _) if vmalloc.0.max(kmalloc) < INT_MAX => (vmalloc.0.max(kmalloc), vmalloc.1),
        (Call::Kvmalloc, _) => (INT_MAX, "INT_MAX: more is taken for a mistake (5.15 and later)"),
        (_, KmallocEra::Slub) => (kmalloc, "KMALLOC_MAX_SIZE: a block of the largest order"),
        (_, KmallocEra::Slab24 | KmallocEra::Slab26) => (kmalloc, "the largest size class"),
    }
}

const INT_MAX: u64 = i32::MAX as u64;
