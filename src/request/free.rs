//! The way back: `vfree`, `vunmap`, and what waits for a better moment.

use super::rules::{InInterrupt, has_call};
use super::{Facts, Kernel, tell, unmap_aliases};
use crate::model::memory::MemoryAnswer;
use crate::model::stage::{Call, Message, Note, Object};
use crate::model::{Answer, MemoryOp, Op, Place, PurgeKind, UsageKind};
use crate::policy::rules::{FreeSpace, Lookup, Release};

/// Where a free is called from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Context {
    /// A task that may sleep.
    #[default]
    Task,
    /// An interrupt.
    Interrupt,
}

/// Are the pages the area's own?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FreePages {
    /// They go back.
    Yes,
    /// They stay whose they are.
    No,
}

impl FreePages {
    /// What `vunmap` and `iounmap` do: in 2.4 they are `vfree`, which frees what the page tables name.
    pub(super) fn of_unmap(facts: &Facts) -> Self {
        if facts.rules.has_array { Self::No } else { Self::Yes }
    }
}

/// `VM_FLUSH_RESET_PERMS` (5.2 and later): the free flushes aliases at once.
const VM_FLUSH_RESET_PERMS: u32 = 0x100;
/// First release that has the flag.
const RESETS_PERMS: Release = Release::new(5, 2);

/// `vfree`, or with `call` `vfree_atomic`.
pub fn vfree(kernel: &mut impl Kernel, call: Call, addr: u64, context: Context, cpu: u32) {
    let facts = *kernel.facts();
    tell(kernel, Note::Called { call, value: addr, pages: 0 });
    if !has_call(facts.release, call) {
        return tell(kernel, Note::Said { message: Message::NoSuchCall, value: addr });
    }
    if addr == 0 {
        return;
    }
    let in_interrupt = context == Context::Interrupt;
    match facts.rules.in_interrupt {
        InInterrupt::Bug if in_interrupt => {
            tell(kernel, Note::Said { message: Message::InInterrupt, value: addr });
        }
        InInterrupt::Deferred if in_interrupt || call == Call::VfreeAtomic => {
            kernel.apply(Op::Memory(MemoryOp::Defer { cpu, addr }));
        }
        _ => free_checked(kernel, addr, FreePages::Yes),
    }
}

/// `vunmap`: the same without the pages. In 2.4 it is `vfree`, which gives back what the page tables name.
pub fn vunmap(kernel: &mut impl Kernel, addr: u64, context: Context) {
    let facts = *kernel.facts();
    tell(kernel, Note::Called { call: Call::Vunmap, value: addr, pages: 0 });
    if addr == 0 {
        return;
    }
    if context == Context::Interrupt && facts.rules.in_interrupt != InInterrupt::Unchecked {
        return tell(kernel, Note::Said { message: Message::InInterrupt, value: addr });
    }
    free_checked(kernel, addr, FreePages::of_unmap(&facts));
}

/// The deferred work of a CPU: the newest first, until nothing waits. Answers how many it freed.
pub fn run_deferred(kernel: &mut impl Kernel, cpu: u32) -> u32 {
    let mut freed = 0;
    while let Answer::Memory(MemoryAnswer::Waited(Some(addr))) =
        kernel.apply(Op::Memory(MemoryOp::TakeDeferred { cpu }))
    {
        free_checked(kernel, addr, FreePages::Yes);
        freed += 1;
    }
    freed
}

/// `__vunmap`: the address is looked at, then the area looked up.
fn free_checked(kernel: &mut impl Kernel, addr: u64, pages: FreePages) {
    let page_size = kernel.facts().page_size;
    if !addr.is_multiple_of(page_size) {
        return tell(kernel, Note::Said { message: Message::BadAddress, value: addr });
    }
    match vm_area_at(kernel, addr) {
        Some(start) => discard(kernel, start, pages),
        None => tell(kernel, Note::Said { message: Message::Nonexistent, value: addr }),
    }
}

/// Start of the area in use that an address names (`find_vm_area`).
pub(super) fn area_at(kernel: &impl Kernel, addr: u64) -> Option<u64> {
    let allocator = kernel.space().allocator();
    let start = match allocator.lookup(addr) {
        Place::Busy { area, .. } => allocator.areas()[area].start,
        _ => return None,
    };
    let is_exact = match kernel.facts().placement.free_space {
        FreeSpace::VmList(_) => true,
        FreeSpace::BusyTree(rules) => rules.lookup == Lookup::ExactStart,
        FreeSpace::FreeTree | FreeSpace::Textbook(_) => false,
    };
    (!is_exact || start == addr).then_some(start)
}

/// The same of an area with a descriptor: those of `vm_map_ram` have none, and are nothing to `vfree`.
pub(super) fn vm_area_at(kernel: &impl Kernel, addr: u64) -> Option<u64> {
    let has_none = |kind| matches!(kind, UsageKind::VmMapRam | UsageKind::VmapBlock);
    area_at(kernel, addr).filter(|&start| {
        let backed = kernel.space().memory().and_then(|memory| memory.backed(start));
        backed.is_none_or(|backed| !has_none(backed.usage.kind))
    })
}

/// The area goes: entries, address space, pages, array, descriptor.
pub(super) fn discard(kernel: &mut impl Kernel, start: u64, pages: FreePages) {
    let facts = *kernel.facts();
    let backed = kernel.space().memory().and_then(|memory| memory.backed(start)).copied();
    remove(kernel, &facts, start);
    if backed.is_some_and(|backed| facts.release >= RESETS_PERMS && backed.flags & VM_FLUSH_RESET_PERMS != 0) {
        unmap_aliases(kernel);
    }
    if pages == FreePages::Yes {
        kernel.apply(Op::Memory(MemoryOp::GivePages { start }));
        kernel.apply(Op::Memory(MemoryOp::GiveArray { start }));
        if let Some(array) = backed.and_then(|backed| backed.nested) {
            tell(kernel, Note::Called { call: Call::Vfree, value: array, pages: 0 });
            discard(kernel, array, FreePages::Yes);
        }
    }
    let unbound = kernel.apply(Op::Memory(MemoryOp::Unbind { start }));
    if unbound == Answer::Memory(MemoryAnswer::Done) && backed.is_some_and(|backed| backed.descriptor.is_some()) {
        tell(kernel, Note::ObjectGiven(Object::VmStruct));
    }
}

/// `remove_vm_area` with the purge it can lead to.
pub(super) fn remove(kernel: &mut impl Kernel, facts: &Facts, start: u64) {
    let answer = kernel.apply(Op::Remove { addr: start, unmaps: true });
    let Answer::Freed(freed) = answer else { return };
    if freed.drain_due && kernel.space().allocator().drains_inline() {
        kernel.apply(Op::Purge { kind: PurgeKind::Partial, helpers: facts.helpers, unqueues: false });
    }
}
