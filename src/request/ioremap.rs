//! `ioremap` and `iounmap`: device memory.

use super::area::{AreaArgs, By, get_vm_area};
use super::flags::VM_IOREMAP;
use super::free::{FreePages, area_at, discard};
use super::{Facts, Kernel, is_mapped, tell};
use crate::model::memory::Mapping;
use crate::model::stage::{Call, Cleanup, Fault, Message, Note, SizeRefusal, Undone};
use crate::model::{Extent, MemoryOp, Op, UsageKind};

/// Where 2.4 answers from the direct map: the ISA hole of a PC.
const ISA_START: u64 = 0xa_0000;
const ISA_END: u64 = 0x10_0000;
/// Where the direct map of i386 begins (`PAGE_OFFSET`).
const PAGE_OFFSET_I386: u64 = 0xc000_0000;

/// Maps `len` bytes of device memory from `phys` on (`__ioremap`, `ioremap_prot`). Answers the address of `phys`.
pub fn ioremap(kernel: &mut impl Kernel, phys: u64, len: u64, fault: Option<Fault>, by: By) -> Option<u64> {
    let facts = *kernel.facts();
    tell(kernel, Note::Called { call: Call::Ioremap, value: len, pages: len.div_ceil(facts.page_size) });
    let address = remap(kernel, &facts, phys, len, fault, by);
    match address {
        Some(addr) => tell(kernel, Note::Returned { addr }),
        None => tell(kernel, Note::Failed),
    }
    address
}

fn remap(kernel: &mut impl Kernel, facts: &Facts, phys: u64, len: u64, fault: Option<Fault>, by: By) -> Option<u64> {
    let Some(last) = len.checked_sub(1).and_then(|len| phys.checked_add(len)) else {
        let why = if len == 0 { SizeRefusal::Zero } else { SizeRefusal::BadPhysical };
        tell(kernel, Note::SizeRefused(why));
        return None;
    };
    if facts.rules.ioremap_by_last_byte && ISA_START <= phys && last < ISA_END {
        tell(kernel, Note::Said { message: Message::DirectMap, value: phys });
        return Some(phys + PAGE_OFFSET_I386);
    }
    let offset = phys % facts.page_size;
    let base = phys - offset;
    // 2.4 rounds the last byte up, not the first byte behind: a region that ends with the first byte of a page loses it.
    let end = if facts.rules.ioremap_by_last_byte { last } else { last.wrapping_add(1) };
    let size = facts.page_align(end).wrapping_sub(base);
    let area = get_vm_area(
        kernel,
        &AreaArgs {
            size,
            align: 1,
            shift: facts.page_shift(),
            flags: VM_IOREMAP,
            window: facts.window,
            kind: UsageKind::Ioremap,
            may_sleep: true,
            fault,
            by,
        },
    )?;
    let extent = Extent::sized(area.start(), size)?;
    let map = MemoryOp::Map { extent, mapping: Mapping::Device { phys: base }, fault };
    if !is_mapped(&kernel.apply(Op::Memory(map))) {
        tell(kernel, Note::Undone { why: Undone::Mapping, cleanup: Cleanup::Vfree });
        discard(kernel, area.start(), FreePages::No);
        return None;
    }
    Some(area.start() + offset)
}

/// Takes the mapping away (`iounmap`). The address may be that of `phys`, inside the first page.
pub fn iounmap(kernel: &mut impl Kernel, addr: u64) {
    let facts = *kernel.facts();
    tell(kernel, Note::Called { call: Call::Iounmap, value: addr, pages: 0 });
    if facts.rules.ioremap_by_last_byte && addr < facts.window.vstart {
        return tell(kernel, Note::Said { message: Message::DirectMap, value: addr });
    }
    let start = addr - addr % facts.page_size;
    match area_at(kernel, start) {
        Some(start) => discard(kernel, start, FreePages::No),
        None => tell(kernel, Note::Said { message: Message::Nonexistent, value: addr }),
    }
}
