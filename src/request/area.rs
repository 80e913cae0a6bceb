//! An area with its descriptor: `get_vm_area`, `__get_vm_area_node`, `alloc_vmap_area`.

use super::flags::{VM_IOREMAP, VM_NO_GUARD};
use super::rules::Objects;
use super::{Facts, Kernel, purge_fragmented, tell};
use crate::log::Window;
use crate::model::stage::{Fault, IoremapAlign, Message, Note, Object};
use crate::model::{Answer, CallerId, Extent, MemoryOp, Op, PurgeKind, Request, UsageKind};
use crate::policy::rules::Failure;

/// What an area is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct AreaArgs {
    /// Bytes, without the guard page.
    pub(super) size: u64,
    /// Alignment in bytes, as the caller gives it.
    pub(super) align: u64,
    /// Bytes of an entry that the size is rounded to, as a power of two.
    pub(super) shift: u8,
    /// `VM_` flags.
    pub(super) flags: u32,
    /// Where it may lie.
    pub(super) window: Window,
    /// What it is for.
    pub(super) kind: UsageKind,
    /// It may sleep: purge and try again.
    pub(super) may_sleep: bool,
    /// What is made to fail.
    pub(super) fault: Option<Fault>,
    /// Who asks, where, and in which record.
    pub(super) by: By,
}

impl AreaArgs {
    /// In small pages, anywhere in the vmalloc range, with all patience.
    pub(super) fn anywhere(facts: &Facts, kind: UsageKind, flags: u32, size: u64, by: By) -> Self {
        let shift = facts.page_shift();
        Self { size, align: 1, shift, flags, window: facts.window, kind, may_sleep: true, fault: None, by }
    }
}

/// Who asks, where, and in which record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct By {
    /// The caller's name.
    pub caller: CallerId,
    /// The calling CPU.
    pub cpu: u32,
    /// Record kept with the area.
    pub born: u32,
}

/// `get_vm_area` (2.4), `__get_vm_area` (2.6), `__get_vm_area_node` (2.6.24 and later).
pub(super) fn get_vm_area(kernel: &mut impl Kernel, args: &AreaArgs) -> Option<Extent> {
    let facts = *kernel.facts();
    let unit = 1_u64.checked_shl(args.shift.into()).unwrap_or(facts.page_size);
    let rounded = facts.word(args.size.wrapping_add(unit - 1) & !(unit - 1));
    if rounded != args.size || facts.page_size < unit {
        tell(kernel, Note::SizeRounded { bytes: rounded, shift: args.shift });
    }
    let align =
        if args.flags & VM_IOREMAP == 0 { args.align } else { ioremap_align(kernel, &facts, args.size, rounded) };
    if rounded == 0 && facts.rules.refuses_empty_areas {
        return None;
    }
    // `get_vm_area` had its descriptor before it added the guard page.
    let is_list = facts.rules.objects == Objects::Descriptor;
    if is_list {
        descriptor(kernel, args)?;
    }
    let size = guarded(kernel, &facts, rounded, args.flags);
    if !is_list && size != 0 {
        descriptor(kernel, args)?;
    }
    if size == 0 {
        if is_list {
            tell(kernel, Note::ObjectGiven(Object::VmStruct));
        }
        return None;
    }
    let request = Request { size, align, window: args.window, cpu: args.by.cpu, first_attempt: true };
    let Some(extent) = alloc_vmap_area(kernel, &request, args.by.born, args.may_sleep) else {
        tell(kernel, Note::ObjectGiven(Object::VmStruct));
        return None;
    };
    let bind = MemoryOp::Bind { extent, kind: args.kind, flags: args.flags, caller: args.by.caller };
    kernel.apply(Op::Memory(bind));
    Some(extent)
}

/// `kmalloc` of the descriptor. It is in its slab from `setup_vmalloc_vm` on.
fn descriptor(kernel: &mut impl Kernel, args: &AreaArgs) -> Option<()> {
    if args.fault == Some(Fault::Descriptor) {
        tell(kernel, Note::ObjectMissing(Object::VmStruct));
        return None;
    }
    tell(kernel, Note::ObjectTaken(Object::VmStruct));
    Some(())
}

/// The alignment of a `VM_IOREMAP` area, which replaces what was asked for.
fn ioremap_align(kernel: &mut impl Kernel, facts: &Facts, size: u64, rounded: u64) -> u64 {
    let how = facts.rules.ioremap_align;
    let order = match how {
        IoremapAlign::Page => return facts.page_size,
        // `fls` takes an `int`: what is above 32 bits it does not see.
        IoremapAlign::Fls => u32::BITS - (size as u32).leading_zeros(),
        IoremapAlign::CeilLog2 => rounded.checked_next_power_of_two().map_or(u64::BITS - 1, u64::trailing_zeros),
    };
    let lowest = u32::from(facts.page_shift());
    let align = 1 << order.clamp(lowest, facts.arch.ioremap_max_order.max(lowest));
    tell(kernel, Note::IoremapAligned { align, how });
    align
}

/// The size with its guard page; 0 if it wraps.
fn guarded(kernel: &mut impl Kernel, facts: &Facts, size: u64, flags: u32) -> u64 {
    if facts.rules.has_no_guard && flags & VM_NO_GUARD != 0 {
        tell(kernel, Note::Unguarded { bytes: size });
        return size;
    }
    let bytes = facts.word(size.wrapping_add(facts.page_size));
    tell(kernel, Note::Guarded { bytes });
    bytes
}

/// `alloc_vmap_area`: the search, and what is tried when it finds nothing.
pub(super) fn alloc_vmap_area(
    kernel: &mut impl Kernel,
    request: &Request,
    born: u32,
    may_sleep: bool,
) -> Option<Extent> {
    let facts = *kernel.facts();
    if let Err(bad) = request.check(facts.page_size) {
        kernel.apply(Op::Reject { bad });
        return None;
    }
    let has_range = facts.rules.objects != Objects::Descriptor;
    if has_range {
        tell(kernel, Note::ObjectTaken(Object::VmapArea));
    }
    if let Answer::Placed(extent) = kernel.apply(Op::Search { request: *request, born }) {
        return Some(extent);
    }
    if facts.placement.failure == Failure::Ebusy && (may_sleep || !facts.rules.nonblocking) {
        // overflow: everything lazy, pooled or fragmented comes back, then once more, without asking a pool.
        purge_fragmented(kernel, None);
        kernel.apply(Op::Purge { kind: PurgeKind::Full, helpers: facts.helpers, unqueues: false });
        let again = Request { first_attempt: false, ..*request };
        if let Answer::Placed(extent) = kernel.apply(Op::Search { request: again, born }) {
            return Some(extent);
        }
    }
    if has_range {
        tell(kernel, Note::ObjectGiven(Object::VmapArea));
    }
    if facts.placement.failure == Failure::Ebusy {
        tell(kernel, Note::Said { message: Message::NoSpace, value: request.size });
    }
    None
}
