//! `ioremap` and `iounmap`: device memory.

use super::area::{AreaArgs, By, get_vm_area};
use super::flags::VM_IOREMAP;
use super::free::{FreePages, discard, vm_area_at};
use super::{Facts, Kernel, is_mapped, tell};
use crate::model::memory::Mapping;
use crate::model::page_table::Family;
use crate::model::stage::{Call, Cleanup, Fault, Message, Note, SizeRefusal, Undone};
use crate::model::{Extent, MemoryOp, Op, UsageKind};
use crate::policy::rules::Release;

/// Where 2.4 answers from the direct map: the ISA hole of a PC.
const ISA_START: u64 = 0xa_0000;
const ISA_END: u64 = 0x10_0000;
/// Where the direct map of i386 begins (`PAGE_OFFSET`).
const PAGE_OFFSET_I386: u64 = 0xc000_0000;
/// Memory in the direct map of i386 at most (`MAXMEM`).
const LOW_MEMORY_I386: u64 = 896 << 20;

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
    let last = len.checked_sub(1).and_then(|len| phys.checked_add(len)).filter(|&last| reaches(facts, len, last));
    let Some(last) = last else {
        let why = if len == 0 { SizeRefusal::Zero } else { SizeRefusal::BadPhysical };
        tell(kernel, Note::SizeRefused(why));
        return None;
    };
    if facts.rules.ioremap_by_last_byte && ISA_START <= phys && last < ISA_END {
        tell(kernel, Note::Said { message: Message::DirectMap, value: phys });
        return Some(phys + PAGE_OFFSET_I386);
    }
    // 2.4 refuses memory that is somebody's; only the ISA hole in it is nobody's.
    let low_memory = facts.ram_pages.saturating_mul(facts.page_size).min(LOW_MEMORY_I386);
    if facts.rules.ioremap_by_last_byte && facts.arch.geometry.family == Family::I386 && phys < low_memory {
        tell(kernel, Note::SizeRefused(SizeRefusal::BadPhysical));
        return None;
    }
    let offset = phys % facts.page_size;
    let base = phys - offset;
    // 2.4 rounds the last byte up, not the first byte behind: a region that ends with the first byte of a page loses it.
    let end = if facts.rules.ioremap_by_last_byte { last } else { last.wrapping_add(1) };
    let size = facts.page_align(end.wrapping_sub(base));
    let area = get_vm_area(
        kernel,
        &AreaArgs { fault, ..AreaArgs::anywhere(facts, UsageKind::Ioremap, VM_IOREMAP, size, by) },
    )?;
    // A size of nothing, which 2.4 makes of one byte, maps nothing.
    let map = Extent::sized(area.start(), size).map(|extent| MemoryOp::Map {
        extent,
        mapping: Mapping::Device { phys: base },
        fault,
    });
    if map.is_some_and(|map| !is_mapped(&kernel.apply(Op::Memory(map)))) {
        tell(kernel, Note::Undone { why: Undone::Mapping, cleanup: Cleanup::Vfree });
        discard(kernel, area.start(), FreePages::No);
        return None;
    }
    Some(area.start() + offset)
}

/// Can the machine say it? Addresses of 32-bit kernels have more than 32 bits only with a third level of tables, and in
/// 2.4 not even then; lengths never.
fn reaches(facts: &Facts, len: u64, last: u64) -> bool {
    let has_long_addresses = 2 < facts.arch.geometry.levels.len() && Release::of_2_6(0) <= facts.release;
    !facts.is_32_bit || (u32::try_from(len).is_ok() && (has_long_addresses || u32::try_from(last).is_ok()))
}

/// Takes the mapping away (`iounmap`). The address may be that of `phys`, inside the first page.
pub fn iounmap(kernel: &mut impl Kernel, addr: u64) {
    let facts = *kernel.facts();
    tell(kernel, Note::Called { call: Call::Iounmap, value: addr, pages: 0 });
    if facts.rules.ioremap_by_last_byte && addr < facts.window.vstart {
        return tell(kernel, Note::Said { message: Message::DirectMap, value: addr });
    }
    let start = addr - addr % facts.page_size;
    match vm_area_at(kernel, start) {
        Some(start) => discard(kernel, start, FreePages::of_unmap(&facts)),
        None => tell(kernel, Note::Said { message: Message::Nonexistent, value: addr }),
    }
}
