//! `vmap`: an area for pages that are there already.

use super::area::{AreaArgs, By, get_vm_area};
use super::flags::{VM_MAP, VM_NO_GUARD};
use super::free::{FreePages, discard};
use super::{Kernel, is_mapped, tell};
use crate::model::memory::Mapping;
use crate::model::stage::{Call, Cleanup, Fault, Message, Note, SizeRefusal, Undone};
use crate::model::{Extent, MemoryOp, Op, UsageKind};
use crate::policy::rules::Release;

/// First release that takes `VM_NO_GUARD` out of the flags of a `vmap`, with a warning.
const STRIPS_NO_GUARD: Release = Release::new(5, 17);
/// The first release with `VM_MAP`.
const HAS_VM_MAP: Release = Release::of_2_6(0);

/// Maps `pages` pages of somebody else's (`vmap`). Answers the address.
pub fn vmap(kernel: &mut impl Kernel, pages: u64, flags: u32, fault: Option<Fault>, by: By) -> Option<u64> {
    let facts = *kernel.facts();
    tell(kernel, Note::Called { call: Call::Vmap, value: pages, pages });
    let ram_pages = facts.ram_pages;
    let is_too_long = facts.is_32_bit && u64::from(u32::MAX) / facts.page_size < pages;
    let refused = if ram_pages < pages || is_too_long {
        Some(SizeRefusal::MoreThanRam { pages, ram_pages })
    } else if pages == 0 && (facts.release < HAS_VM_MAP || facts.rules.refuses_empty_areas) {
        Some(SizeRefusal::Zero)
    } else {
        None
    };
    if let Some(why) = refused {
        tell(kernel, Note::SizeRefused(why));
        tell(kernel, Note::Failed);
        return None;
    }
    tell(kernel, Note::SizeChecked { pages, ram_pages });
    let mut flags = flags | if facts.release < HAS_VM_MAP { 0 } else { VM_MAP };
    if STRIPS_NO_GUARD <= facts.release && flags & VM_NO_GUARD != 0 {
        tell(kernel, Note::Said { message: Message::NoGuardStripped, value: pages });
        flags &= !VM_NO_GUARD;
    }
    let size = pages.wrapping_mul(facts.page_size);
    let area = get_vm_area(kernel, &AreaArgs { fault, ..AreaArgs::anywhere(&facts, UsageKind::Vmap, flags, size, by) });
    let Some(area) = area else {
        tell(kernel, Note::Failed);
        return None;
    };
    if let Some(extent) = Extent::sized(area.start(), size) {
        let map = MemoryOp::Map { extent, mapping: Mapping::Small, fault };
        if !is_mapped(&kernel.apply(Op::Memory(map))) {
            tell(kernel, Note::Undone { why: Undone::Mapping, cleanup: Cleanup::Vfree });
            discard(kernel, area.start(), FreePages::No);
            tell(kernel, Note::Failed);
            return None;
        }
    }
    tell(kernel, Note::Returned { addr: area.start() });
    Some(area.start())
}
