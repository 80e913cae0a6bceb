//! `vm_map_ram`: few pages from a block, many from an area of their own (2.6.28 and later).

use super::area::{By, alloc_vmap_area};
use super::free::{area_at, remove};
use super::rules::{Blocks, has_call};
use super::{Facts, Kernel, is_mapped, tell};
use crate::model::memory::Mapping;
use crate::model::stage::{Call, Cleanup, Fault, Message, Note, Object, Undone};
use crate::model::{BlockPlan, Extent, MemoryOp, Op, PurgeKind, Request, UsageKind};
use crate::policy::rules::Release;

/// From here on an alias flush leaves fragmented blocks alone that have much left (`VMAP_PURGE_THRESHOLD`).
const KEEPS_LARGE_RESTS: Release = Release::new(6, 5);

impl Facts {
    /// Pages of a vmap block (`VMAP_BBMAP_BITS`).
    pub fn block_pages(&self) -> u32 {
        let (space, bits_per_long) = if self.is_32_bit { (128 << 20, 32) } else { (128 << 30, 64) };
        let per_cpu = space / self.page_size / u64::from(self.nr_cpus.max(1)).next_power_of_two() / 16;
        per_cpu.max(2 * bits_per_long).min(1024) as u32
    }

    /// Pages up to which `vm_map_ram` takes them from a block (`VMAP_MAX_ALLOC`: the bits of a long).
    pub fn block_limit(&self) -> u64 {
        if self.is_32_bit { 32 } else { 64 }
    }
}

/// Maps `pages` pages of somebody else's for a short time (`vm_map_ram`). Answers the address.
pub fn map_ram(kernel: &mut impl Kernel, pages: u64, fault: Option<Fault>, by: By) -> Option<u64> {
    let facts = *kernel.facts();
    tell(kernel, Note::Called { call: Call::VmMapRam, value: pages, pages });
    if !has_call(facts.release, Call::VmMapRam) {
        tell(kernel, Note::Said { message: Message::NoSuchCall, value: pages });
    }
    let start = if pages == 0 || !has_call(facts.release, Call::VmMapRam) {
        None
    } else if pages <= facts.block_limit() {
        from_block(kernel, &facts, pages, by)
    } else {
        of_its_own(kernel, &facts, pages, by)
    };
    let extent = start.and_then(|start| Extent::sized(start, pages * facts.page_size));
    let map = extent.map(|extent| Op::Memory(MemoryOp::Map { extent, mapping: Mapping::Small, fault }));
    if let (Some(addr), true) = (start, map.is_some_and(|op| is_mapped(&kernel.apply(op)))) {
        tell(kernel, Note::Returned { addr });
        return start;
    }
    if let Some(addr) = start {
        tell(kernel, Note::Undone { why: Undone::Mapping, cleanup: Cleanup::Vfree });
        unmap_ram(kernel, addr, pages);
    }
    tell(kernel, Note::Failed);
    None
}

/// An area as long as the pages, without guard and without descriptor.
fn of_its_own(kernel: &mut impl Kernel, facts: &Facts, pages: u64, by: By) -> Option<u64> {
    let size = pages.checked_mul(facts.page_size)?;
    tell(kernel, Note::Unguarded { bytes: size });
    let extent = area(kernel, facts, size, facts.page_size, by)?;
    kernel.apply(Op::Memory(MemoryOp::Note { extent, kind: UsageKind::VmMapRam }));
    Some(extent.start())
}

fn area(kernel: &mut impl Kernel, facts: &Facts, size: u64, align: u64, by: By) -> Option<Extent> {
    let request = Request { size, align, window: facts.window, cpu: by.cpu, first_attempt: true };
    alloc_vmap_area(kernel, &request, by.born, true)
}

/// `vb_alloc`: the first block of this CPU that has enough left, else a new one.
fn from_block(kernel: &mut impl Kernel, facts: &Facts, pages: u64, by: By) -> Option<u64> {
    let pages = pages.next_power_of_two() as u32;
    let (plan, passed) = find(kernel, facts, pages, by.cpu);
    for (start, free) in passed {
        tell(kernel, Note::BlockPassed { start, free });
    }
    let BlockPlan { block, first } = match plan {
        Some(plan) => plan,
        None => BlockPlan { block: new_block(kernel, facts, by)?, first: 0 },
    };
    kernel.apply(Op::Memory(MemoryOp::TakeFromBlock { block, first, pages }));
    Some(block + u64::from(first) * facts.page_size)
}

/// The place in a block of the CPU, and the blocks passed by on the way.
fn find(kernel: &impl Kernel, facts: &Facts, pages: u32, cpu: u32) -> (Option<BlockPlan>, Vec<(u64, u32)>) {
    let mut passed = Vec::new();
    let Some(memory) = kernel.space().memory() else { return (None, passed) };
    for block in memory.blocks().of_cpu(cpu) {
        let first = match facts.rules.blocks {
            Blocks::Bitmap => block.lowest_run(pages),
            Blocks::Bump | Blocks::None => (pages <= block.free).then(|| block.bump()),
        };
        if let Some(first) = first {
            return (Some(BlockPlan { block: block.extent.start(), first }), passed);
        }
        passed.push((block.extent.start(), block.free));
    }
    (None, passed)
}

/// `new_vmap_block`.
fn new_block(kernel: &mut impl Kernel, facts: &Facts, by: By) -> Option<u64> {
    let size = u64::from(facts.block_pages()) * facts.page_size;
    tell(kernel, Note::ObjectTaken(Object::VmapBlock));
    let Some(extent) = area(kernel, facts, size, size, by) else {
        tell(kernel, Note::ObjectGiven(Object::VmapBlock));
        return None;
    };
    let at_head = facts.rules.blocks == Blocks::Bitmap;
    kernel.apply(Op::Memory(MemoryOp::AddBlock { extent, cpu: by.cpu, at_head }));
    Some(extent.start())
}

/// Takes a mapping of `pages` pages away (`vm_unmap_ram`).
pub fn unmap_ram(kernel: &mut impl Kernel, addr: u64, pages: u64) {
    let facts = *kernel.facts();
    tell(kernel, Note::Called { call: Call::VmUnmapRam, value: addr, pages });
    if !addr.is_multiple_of(facts.page_size) || pages == 0 {
        return tell(kernel, Note::Said { message: Message::BadAddress, value: addr });
    }
    if facts.block_limit() < pages {
        return match area_at(kernel, addr) {
            Some(start) => {
                remove(kernel, &facts, start);
                kernel.apply(Op::Memory(MemoryOp::Unbind { start }));
            }
            None => tell(kernel, Note::Said { message: Message::Nonexistent, value: addr }),
        };
    }
    let memory = kernel.space().memory();
    let Some(block) = memory.and_then(|memory| memory.blocks().holding(addr)).map(|block| block.extent) else {
        return tell(kernel, Note::Said { message: Message::BadBlock, value: addr });
    };
    let Some(extent) = Extent::sized(addr, pages * facts.page_size) else { return };
    kernel.apply(Op::Memory(MemoryOp::Unmap { extent, flushes: false }));
    let dirty = MemoryOp::DirtyInBlock { block: block.start(), pages: pages.next_power_of_two() as u32 };
    kernel.apply(Op::Memory(dirty));
    let is_over = kernel
        .space()
        .memory()
        .and_then(|memory| memory.blocks().holding(addr))
        .is_some_and(|block| block.dirty == block.bits);
    if is_over {
        drop_block(kernel, &facts, block, false);
    }
}

/// `free_vmap_block`: its area is freed as any other.
fn drop_block(kernel: &mut impl Kernel, facts: &Facts, block: Extent, fragmented: bool) {
    kernel.apply(Op::Memory(MemoryOp::DropBlock { block: block.start(), fragmented }));
    remove(kernel, facts, block.start());
    tell(kernel, Note::ObjectGiven(Object::VmapBlock));
}

/// `purge_fragmented_blocks`: blocks with nothing in use and something never taken go. With `keep`, those with at least
/// that many pages never taken stay.
pub fn purge_fragmented(kernel: &mut impl Kernel, keep: Option<u32>) {
    let facts = *kernel.facts();
    if !facts.rules.purges_fragments {
        return;
    }
    let Some(memory) = kernel.space().memory() else { return };
    let goes = |free: u32| keep.is_none_or(|keep| free < keep);
    let blocks = memory.blocks().iter().filter(|block| block.is_fragmented() && goes(block.free));
    let gone: Vec<Extent> = blocks.map(|block| block.extent).collect();
    for block in gone {
        drop_block(kernel, &facts, block, true);
    }
}

/// `vm_unmap_aliases`: fragmented blocks go, then what is lazy is purged.
pub fn unmap_aliases(kernel: &mut impl Kernel) {
    let facts = *kernel.facts();
    let keep = (KEEPS_LARGE_RESTS <= facts.release).then(|| facts.block_pages() / 4);
    purge_fragmented(kernel, keep);
    kernel.apply(Op::Purge { kind: PurgeKind::Partial, helpers: facts.helpers, unqueues: false });
}
