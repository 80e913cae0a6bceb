//! The memory of a machine before its first request.

use std::sync::Arc;

use super::Facts;
use super::rules::DataPages;
use crate::model::contrast::{self, VmallocGfp};
use crate::model::frames::{FrameRun, Frames, MAX_ORDER, MAX_ORDER_2_4, PageStrategy, ZoneTable, zone_table};
use crate::model::memory::ObjectSetup;
use crate::model::page_table::Family;
use crate::model::slab::{KmallocEra, Slabs, object_sizes};
use crate::model::{Memory, MemorySetup, Usages};
use crate::policy::rules::{LazyStore, Release};

/// Where memory begins on the machines of an architecture: an example, as all frame numbers are.
const ARM_MEMORY_START: u64 = 0x4000_0000;
const RISCV_MEMORY_START: u64 = 0x8000_0000;
/// From here on a freed area leaves the tree of areas before its entries are cleared; in 2.4 too.
const UNLINKS_FIRST: Release = Release::new(6, 3);

/// What is done with the data pages of areas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataFrames {
    /// The buddy allocator hands them out.
    Placed,
    /// They are counted: a trace does not show which they were.
    Counted,
}

/// What is behind the areas of a machine that has none yet.
pub fn memory_of(facts: &Facts, usages: Arc<Usages>, pages: DataFrames) -> Memory {
    let frames = frames_of(facts);
    Memory::new(MemorySetup {
        arch: facts.arch,
        objects: objects_of(facts, frames.max_order()),
        frames,
        strategy: match facts.rules.pages {
            DataPages::InTheWalk | DataPages::Singly | DataPages::BulkWithNode => PageStrategy::Single,
            DataPages::Bulk => PageStrategy::Bulk,
            DataPages::LargeOrders => PageStrategy::LargeOrders,
        },
        has_array: facts.rules.has_array,
        flushes_at_free: facts.placement.lazy == LazyStore::Nowhere,
        unlinks_first: UNLINKS_FIRST <= facts.release || !facts.rules.has_array,
        places_pages: pages == DataFrames::Placed,
        pointer_bytes: facts.pointer_bytes(),
        usages,
    })
}

/// Empty caches, and the sizes of objects in this release.
fn objects_of(facts: &Facts, max_order: u32) -> ObjectSetup {
    let Release { major, minor, patch } = facts.release;
    let sizes = object_sizes(major, minor, patch);
    let era = kmalloc_era(facts.release);
    let word = facts.pointer_bytes();
    ObjectSetup {
        slabs: Slabs::new(era, facts.page_size, max_order),
        vm_struct_bytes: sizes.vm_struct_bytes(word),
        vmap_area_bytes: sizes.vmap_area_bytes(word),
        vmap_area_cache: sizes.vmap_area_cache,
        vmap_block_bytes: sizes.vmap_block_bytes(word, facts.block_pages().into()),
    }
}

fn kmalloc_era(release: Release) -> KmallocEra {
    match release {
        release if release < Release::of_2_6(0) => KmallocEra::Slab24,
        release if release < Release::of_2_6(23) => KmallocEra::Slab26,
        _ => KmallocEra::Slub,
    }
}

/// What the contrast of `kmalloc` and `vmalloc` needs to know of the machine, given its largest order.
pub fn contrast_facts(facts: &Facts, max_order: u32) -> contrast::Facts {
    contrast::Facts {
        page_size: facts.page_size,
        max_order,
        word_bytes: facts.pointer_bytes(),
        era: kmalloc_era(facts.release),
        total_pages: facts.ram_pages,
        range_bytes: facts.window.len_bytes(),
        has_kvmalloc: Release::new(4, 12) <= facts.release,
        has_kzalloc: Release::of_2_6(14) <= facts.release,
        vmalloc_gfp: match facts.release {
            release if release < Release::new(6, 19) => VmallocGfp::Sleeps,
            release if release < Release::new(7, 1) => VmallocGfp::TaskOnly,
            _ => VmallocGfp::NotInHardirq,
        },
    }
}

/// All frames free, in the zones of the architecture.
fn frames_of(facts: &Facts) -> Frames {
    let page_shift = u32::from(facts.page_shift());
    let family = facts.arch.geometry.family;
    let start = match family {
        Family::Arm | Family::Arm64 => ARM_MEMORY_START,
        Family::Riscv => RISCV_MEMORY_START,
        _ => 0,
    };
    let memory = [FrameRun { first: start >> page_shift, n: facts.ram_pages }];
    let spans = zones_of(family, facts).map_or_else(Vec::new, |zones| zones.spans(page_shift, &memory, None));
    let order = match page_shift {
        _ if facts.release < Release::of_2_6(0) => MAX_ORDER_2_4,
        14 => 11,
        16 => 13,
        _ => MAX_ORDER,
    };
    Frames::new(&spans, order).unwrap_or_else(|error| unreachable!("one run of memory is in order: {error}"))
}

fn zones_of(family: Family, facts: &Facts) -> Option<&'static ZoneTable> {
    zone_table(match family {
        Family::I386 => "i386",
        Family::Arm => "arm",
        Family::Arm64 if facts.release < Release::new(5, 5) => "arm64-5.4",
        Family::Arm64 if facts.release < Release::new(5, 11) => "arm64-30bit",
        Family::Arm64 => "arm64",
        Family::Riscv => "riscv64",
        Family::X86 | Family::Unknown => "x86-64",
    })
}
