//! Requests: what stands between `vmalloc()` and mapped pages, and the way back, in the order and the words of each
//! release.
//!
//! A request is a sequence of operations on the [`AddressSpace`]: where each leads decides what comes next. Who wants to
//! replay it keeps the operations; none of them has to be decided twice.

pub mod flags;
pub mod rules;

mod area;
mod blocks;
mod early;
mod free;
mod ioremap;
mod percpu;
mod setup;
mod vmalloc;
mod vmap;

pub use area::By;
pub use blocks::{map_ram, purge_fragmented, unmap_aliases, unmap_ram};
pub use early::{register_early, vmalloc_init};
pub use free::{Context, run_deferred, vfree, vunmap};
pub use ioremap::{ioremap, iounmap};
pub use percpu::pcpu_get_vm_areas;
pub use setup::{DataFrames, contrast_facts, memory_of};
pub use vmalloc::{VmallocArgs, vmalloc};
pub use vmap::vmap;

use crate::log::Window;
use crate::model::frames::ZoneKind;
use crate::model::page_table::{ArchRules, Family};
use crate::model::stage::{Call, Note};
use crate::model::{AddressSpace, Answer, HelperOrder, MemoryOp, Op};
use crate::policy::rules::{Release, Rules};
use rules::RequestRules;

/// What requests need to know of the machine.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// The release.
    pub release: Release,
    /// How it treats requests.
    pub rules: &'static RequestRules,
    /// How it places areas.
    pub placement: Rules,
    /// What its page tables can do.
    pub arch: ArchRules,
    /// `VMALLOC_START` and `VMALLOC_END`.
    pub window: Window,
    /// Bytes in a page.
    pub page_size: u64,
    /// A 32-bit kernel.
    pub is_32_bit: bool,
    /// Pages of the machine: `num_physpages`, `totalram_pages`.
    pub ram_pages: u64,
    /// NUMA nodes online.
    pub numa_nodes: u32,
    /// `NR_CPUS` of the configuration: what the size of vmap blocks is made of.
    pub nr_cpus: u32,
    /// CPUs online.
    pub cpus_online: u32,
    /// When the helper works of a purge run.
    pub helpers: HelperOrder,
}

impl Facts {
    /// Bytes in a page, as a power of two.
    pub fn page_shift(&self) -> u8 {
        self.page_size.trailing_zeros() as u8
    }

    /// Bytes of a pointer.
    pub fn pointer_bytes(&self) -> u64 {
        if self.is_32_bit { 4 } else { 8 }
    }

    /// What an entry point asks pages with (`GFP_KERNEL` and its modifiers).
    pub fn gfp_of(&self, call: Call) -> Gfp {
        let limit = match call {
            Call::VmallocDma => ZoneKind::Dma,
            // `GFP_VMALLOC32`: what a 32-bit device reaches, or the direct map where there is no such zone.
            Call::Vmalloc32 if self.is_32_bit || !self.rules.has_array => ZoneKind::Normal,
            Call::Vmalloc32 => ZoneKind::Dma32,
            _ => ZoneKind::HighMem,
        };
        Gfp { limit, may_sleep: true, no_fail: false }
    }

    /// The alignment an entry point asks for, in bytes.
    pub fn align_of(&self, call: Call) -> u64 {
        match call {
            // `SHMLBA`: the page, but on 32-bit arm, whose caches want four.
            Call::VmallocUser if self.rules.user_shmlba && self.arch.geometry.family == Family::Arm => {
                4 * self.page_size
            }
            Call::VmallocUser if self.rules.user_shmlba => self.page_size,
            _ => 1,
        }
    }

    /// A size rounded up to whole pages, as the kernel does it: what is too large wraps.
    pub fn page_align(&self, size: u64) -> u64 {
        self.word(size.wrapping_add(self.page_size - 1) & !(self.page_size - 1))
    }

    /// What an `unsigned long` of the machine keeps of a number.
    pub fn word(&self, number: u64) -> u64 {
        if self.is_32_bit { number & u64::from(u32::MAX) } else { number }
    }
}

/// Where the operations of a request go.
pub trait Kernel {
    /// Carries out one operation.
    fn apply(&mut self, op: Op) -> Answer;

    /// The state.
    fn space(&self) -> &AddressSpace;

    /// The machine.
    fn facts(&self) -> &Facts;
}

/// Where data pages may come from, and what the request may do to get them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gfp {
    /// The highest zone.
    pub limit: ZoneKind,
    /// It may sleep (`__GFP_DIRECT_RECLAIM`).
    pub may_sleep: bool,
    /// It must not fail (`__GFP_NOFAIL`).
    pub no_fail: bool,
}

/// Tells a decision.
fn tell(kernel: &mut impl Kernel, note: Note) {
    kernel.apply(Op::Memory(MemoryOp::Tell(note)));
}

/// Did a mapping come about wholly?
fn is_mapped(answer: &Answer) -> bool {
    matches!(answer, Answer::Memory(answer) if answer.is_mapped())
}
