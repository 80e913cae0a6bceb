//! `pcpu_get_vm_areas`: areas at fixed distances, from the top down (2.6.32 and later).

use super::area::By;
use super::rules::has_call;
use super::{Kernel, purge_fragmented, tell};
use crate::model::stage::{Call, Message, Note, Object};
use crate::model::{Answer, Extent, Groups, MemoryOp, Op, PurgeKind, UsageKind};

/// Places one area per group at a common base. Answers the areas, in the order of the groups.
pub fn pcpu_get_vm_areas(kernel: &mut impl Kernel, groups: Groups, align: u64, by: By) -> Option<Vec<Extent>> {
    let facts = *kernel.facts();
    let pages: u64 = groups.pages().iter().map(|&(_, pages)| u64::from(pages)).sum();
    let bytes = pages * facts.page_size;
    tell(kernel, Note::Called { call: Call::PcpuGetVmAreas, value: bytes, pages });
    if !has_call(facts.release, Call::PcpuGetVmAreas) {
        tell(kernel, Note::Said { message: Message::NoSuchCall, value: bytes });
        tell(kernel, Note::Failed);
        return None;
    }
    for _ in groups.pages() {
        tell(kernel, Note::ObjectTaken(Object::VmStruct));
        tell(kernel, Note::ObjectTaken(Object::VmapArea));
    }
    let carve = Op::Chunks { groups, align };
    let mut answer = kernel.apply(carve);
    if answer == Answer::Chunks(Vec::new()) {
        // overflow: once more after a purge.
        purge_fragmented(kernel, None);
        kernel.apply(Op::Purge { kind: PurgeKind::Full, helpers: facts.helpers, unqueues: false });
        answer = kernel.apply(carve);
    }
    let areas = if let Answer::Chunks(areas) = answer { areas } else { Vec::new() };
    if areas.is_empty() {
        for _ in groups.pages() {
            tell(kernel, Note::ObjectGiven(Object::VmapArea));
            tell(kernel, Note::ObjectGiven(Object::VmStruct));
        }
        tell(kernel, Note::Failed);
        return None;
    }
    for &extent in &areas {
        let bind = MemoryOp::Bind { extent, kind: UsageKind::PerCpu, flags: super::flags::VM_ALLOC, caller: by.caller };
        kernel.apply(Op::Memory(bind));
    }
    tell(kernel, Note::Returned { addr: areas[0].start() });
    Some(areas)
}
