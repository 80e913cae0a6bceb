//! `vmalloc` and its relatives: an area, its pages, and the mapping of one onto the other.

use super::area::{AreaArgs, By, get_vm_area};
use super::flags::{VM_ALLOC, VM_ALLOW_HUGE_VMAP, VM_UNINITIALIZED, VM_USERMAP, VM_VPAGES};
use super::free::{FreePages, discard};
use super::rules::{DataPages, HugeVmalloc, SizeCheck, has_call};
use super::{Facts, Gfp, Kernel, is_mapped, tell};
use crate::log::Window;
use crate::model::frames::PageStrategy;
use crate::model::memory::{Mapping, MemoryAnswer};
use crate::model::stage::{Call, Cleanup, Fault, Message, Note, SizeRefusal, Undone};
use crate::model::{Answer, Extent, MemoryOp, Op, UsageKind};

/// What a `vmalloc` is asked for.
#[derive(Debug, Clone, Copy)]
pub struct VmallocArgs {
    /// The entry point.
    pub call: Call,
    /// Bytes.
    pub size: u64,
    /// Alignment in bytes; `None`: what the entry point gives.
    pub align: Option<u64>,
    /// Where it may lie; `None`: the vmalloc range.
    pub window: Option<Window>,
    /// Where pages may come from; `None`: what the entry point gives.
    pub gfp: Option<Gfp>,
    /// `VM_` flags besides those of the entry point.
    pub flags: u32,
    /// NUMA node, if one is named.
    pub node: Option<u32>,
    /// What is made to fail.
    pub fault: Option<Fault>,
    /// Who asks.
    pub by: By,
}

/// One attempt: with huge entries or without.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    size: u64,
    align: u64,
    shift: u8,
    flags: u32,
    window: Window,
    gfp: Gfp,
    has_node: bool,
    kind: UsageKind,
    fault: Option<Fault>,
    by: By,
}

/// `__vmalloc` (2.4, 2.6), `__vmalloc_node_range` (later). Answers the address.
pub fn vmalloc(kernel: &mut impl Kernel, args: &VmallocArgs) -> Option<u64> {
    let facts = *kernel.facts();
    let rounded = facts.page_align(args.size);
    tell(kernel, Note::Called { call: args.call, value: args.size, pages: rounded / facts.page_size });
    if !has_call(facts.release, args.call) {
        tell(kernel, Note::Said { message: Message::NoSuchCall, value: args.size });
        tell(kernel, Note::Failed);
        return None;
    }
    let address = checked(kernel, &facts, args, rounded);
    match address {
        Some(addr) => tell(kernel, Note::Returned { addr }),
        None => tell(kernel, Note::Failed),
    }
    address
}

fn checked(kernel: &mut impl Kernel, facts: &Facts, args: &VmallocArgs, rounded: u64) -> Option<u64> {
    let compared = match facts.rules.size_check {
        SizeCheck::Rounded => rounded,
        SizeCheck::AsGiven => args.size,
    };
    // Nobody can ask a machine for more than its words can say.
    let is_too_long = facts.word(args.size) != args.size;
    let pages = if is_too_long { args.size / facts.page_size } else { compared / facts.page_size };
    let ram_pages = facts.ram_pages;
    let is_zero = compared == 0 && !is_too_long;
    if is_zero || is_too_long || ram_pages < pages {
        let why = if is_zero { SizeRefusal::Zero } else { SizeRefusal::MoreThanRam { pages, ram_pages } };
        tell(kernel, Note::SizeRefused(why));
        return None;
    }
    // Up to 5.13 the size was rounded first; later `__get_vm_area_node` does it.
    let size = match facts.rules.size_check {
        SizeCheck::Rounded => rounded,
        SizeCheck::AsGiven => args.size,
    };
    if size != args.size {
        tell(kernel, Note::SizeRounded { bytes: size, shift: facts.page_shift() });
    }
    tell(kernel, Note::SizeChecked { pages, ram_pages });
    let gfp = args.gfp.unwrap_or_else(|| facts.gfp_of(args.call));
    let attempt = Attempt {
        size,
        align: args.align.unwrap_or_else(|| facts.align_of(args.call)),
        shift: facts.page_shift(),
        flags: args.flags | VM_ALLOC | flags_of(facts, args.call),
        window: args.window.unwrap_or(facts.window),
        gfp,
        has_node: args.node.is_some(),
        kind: UsageKind::Vmalloc,
        fault: args.fault,
        by: args.by,
    };
    attempts(kernel, facts, &attempt).ok().map(Extent::start)
}

/// With huge entries if they may be tried, then without.
fn attempts(kernel: &mut impl Kernel, facts: &Facts, plain: &Attempt) -> Result<Extent, ()> {
    if let Some(shift) = huge_shift(kernel, facts, plain) {
        let huge = Attempt { shift, align: plain.align.max(1 << shift), ..*plain };
        if let Ok(extent) = populate(kernel, facts, &huge) {
            return Ok(extent);
        }
        let first_still_busy = facts.rules.cleanup == Cleanup::Deferred;
        tell(kernel, Note::HugeFellBack { first_still_busy });
    }
    populate(kernel, facts, plain)
}

fn flags_of(facts: &Facts, call: Call) -> u32 {
    match call {
        Call::VmallocUser => VM_USERMAP,
        Call::VmallocHuge if facts.rules.huge == HugeVmalloc::OptIn => VM_ALLOW_HUGE_VMAP,
        _ => 0,
    }
}

/// The huge attempt: PMD entries for a size of a PMD at least; arm64 7.3: blocks of contiguous PTEs.
fn huge_shift(kernel: &mut impl Kernel, facts: &Facts, attempt: &Attempt) -> Option<u8> {
    let flags = attempt.flags;
    let may = match facts.rules.huge {
        HugeVmalloc::Never => false,
        HugeVmalloc::OptOut => flags & VM_ALLOW_HUGE_VMAP == 0,
        HugeVmalloc::OptIn => flags & VM_ALLOW_HUGE_VMAP != 0,
    };
    if !may || !facts.arch.huge_vmalloc {
        return None;
    }
    let nodes = if facts.rules.divides_by_nodes && !attempt.has_node { u64::from(facts.numa_nodes.max(1)) } else { 1 };
    let bytes = attempt.size / nodes;
    let shift = facts.arch.vmalloc_shift(bytes);
    if shift <= u32::from(facts.page_shift()) {
        tell(kernel, Note::HugeNotTried { bytes });
        return None;
    }
    tell(kernel, Note::HugeTried { shift: shift as u8, bytes });
    Some(shift as u8)
}

/// An area and what is in it (`__vmalloc_area_node`).
fn populate(kernel: &mut impl Kernel, facts: &Facts, attempt: &Attempt) -> Result<Extent, ()> {
    let marks = if facts.rules.marks_uninitialized { VM_UNINITIALIZED } else { 0 };
    let args = AreaArgs {
        size: attempt.size,
        align: attempt.align,
        shift: attempt.shift,
        flags: attempt.flags | marks,
        window: attempt.window,
        kind: attempt.kind,
        may_sleep: attempt.gfp.may_sleep,
        fault: attempt.fault,
        by: attempt.by,
    };
    let area = get_vm_area(kernel, &args).ok_or(())?;
    let unit = 1_u64 << attempt.shift;
    let bytes = attempt.size.wrapping_add(unit - 1) & !(unit - 1);
    let Some(data) = Extent::sized(area.start(), bytes) else { return Err(()) };
    let filled = fill(kernel, facts, attempt, data);
    if let Err(why) = filled {
        undo(kernel, facts, data, why, attempt.by);
        return Err(());
    }
    if marks != 0 {
        let backed = kernel.space().memory().and_then(|memory| memory.backed(data.start()));
        let flags = backed.map_or(attempt.flags, |backed| backed.flags & !VM_UNINITIALIZED);
        kernel.apply(Op::Memory(MemoryOp::SetFlags { start: data.start(), flags }));
        tell(kernel, Note::Initialized);
    }
    Ok(area)
}

/// Array, pages, mapping; in error what was missing.
fn fill(kernel: &mut impl Kernel, facts: &Facts, attempt: &Attempt, data: Extent) -> Result<(), Undone> {
    let start = data.start();
    let pages = data.len_bytes() / facts.page_size;
    if facts.rules.has_array && !array(kernel, facts, attempt, start, pages) {
        return Err(Undone::Array);
    }
    let order = attempt.shift - facts.page_shift();
    let strategy = match facts.rules.pages {
        DataPages::InTheWalk | DataPages::Singly => PageStrategy::Single,
        DataPages::BulkWithNode if attempt.has_node => PageStrategy::Bulk,
        DataPages::BulkWithNode => PageStrategy::Single,
        DataPages::Bulk => PageStrategy::Bulk,
        DataPages::LargeOrders => PageStrategy::LargeOrders,
    };
    let fault = attempt.fault;
    let take = MemoryOp::TakePages { start, pages, order, limit: attempt.gfp.limit, strategy, fault };
    let got = match kernel.apply(Op::Memory(take)) {
        Answer::Memory(MemoryAnswer::Pages(got)) => got,
        _ => 0,
    };
    let in_the_walk = facts.rules.pages == DataPages::InTheWalk;
    if got < pages && !in_the_walk {
        tell(kernel, Note::Said { message: Message::NoPages, value: got });
        return Err(Undone::Pages);
    }
    let mapping = if order > 0 { Mapping::Huge { shift: attempt.shift } } else { Mapping::Small };
    let fault = if got < pages {
        u32::try_from(got).ok().map(Fault::Pages)
    } else {
        fault.filter(|&fault| is_of_tables(fault))
    };
    match kernel.apply(Op::Memory(MemoryOp::Map { extent: data, mapping, fault })) {
        answer if is_mapped(&answer) => Ok(()),
        _ if got < pages => Err(Undone::Pages),
        _ => Err(Undone::Mapping),
    }
}

fn is_of_tables(fault: Fault) -> bool {
    matches!(fault, Fault::Tables(_))
}

/// The array of page pointers: by `kmalloc` up to a page, else by `vmalloc` itself.
fn array(kernel: &mut impl Kernel, facts: &Facts, attempt: &Attempt, start: u64, pages: u64) -> bool {
    let bytes = pages.saturating_mul(facts.pointer_bytes());
    if attempt.fault == Some(Fault::Array) {
        tell(kernel, Note::ArrayMissing { bytes });
        return false;
    }
    if bytes <= facts.page_size {
        let taken = kernel.apply(Op::Memory(MemoryOp::TakeArray { start, bytes }));
        let is_there = taken == Answer::Memory(MemoryAnswer::Done);
        if !is_there {
            tell(kernel, Note::ArrayMissing { bytes });
        }
        return is_there;
    }
    tell(kernel, Note::ArrayNested { bytes });
    // It becomes shorter by the factor of pointers in a page each time, so this ends after a few.
    let nested = Attempt {
        size: bytes,
        align: 1,
        shift: facts.page_shift(),
        flags: VM_ALLOC,
        window: facts.window,
        kind: UsageKind::PageArray,
        fault: None,
        ..*attempt
    };
    let Ok(array) = attempts(kernel, facts, &nested) else {
        tell(kernel, Note::ArrayMissing { bytes });
        return false;
    };
    if let Some(flag) = super::flags::by_name(facts.release, "VM_VPAGES").filter(|flag| flag.value == VM_VPAGES) {
        let backed = kernel.space().memory().and_then(|memory| memory.backed(start));
        let flags = backed.map_or(attempt.flags, |backed| backed.flags) | flag.value;
        kernel.apply(Op::Memory(MemoryOp::SetFlags { start, flags }));
    }
    kernel.apply(Op::Memory(MemoryOp::NestArray { start, array: array.start() }));
    true
}

/// What a request that fails half-way does with what it has.
fn undo(kernel: &mut impl Kernel, facts: &Facts, data: Extent, why: Undone, by: By) {
    let cleanup = facts.rules.cleanup;
    tell(kernel, Note::Undone { why, cleanup });
    match cleanup {
        Cleanup::Vfree => discard(kernel, data.start(), FreePages::Yes),
        Cleanup::Deferred => {
            kernel.apply(Op::Memory(MemoryOp::Defer { cpu: by.cpu, addr: data.start() }));
        }
        Cleanup::Leak => {
            // What lies in whole PGD blocks below the one that failed is cleared; the rest stays and is lost. Pages
            // behind the one that failed were never asked for.
            let backed = kernel.space().memory().and_then(|memory| memory.backed(data.start()));
            let mapped = backed.map_or(0, |backed| backed.mapped_pages);
            let failed_at = data.start() + mapped * facts.page_size;
            let block = failed_at >> facts.arch.geometry.levels[0].shift << facts.arch.geometry.levels[0].shift;
            let start = data.start();
            if let Some(cleared) = Extent::new(start, block) {
                kernel.apply(Op::Memory(MemoryOp::Unmap { extent: cleared, flushes: true }));
            }
            let cleared_pages = block.saturating_sub(start) / facts.page_size;
            kernel.apply(Op::Memory(MemoryOp::LosePages { start, after: cleared_pages, until: mapped }));
            kernel.apply(Op::Remove { addr: start, unmaps: false });
            kernel.apply(Op::Memory(MemoryOp::Unbind { start }));
        }
    }
}
