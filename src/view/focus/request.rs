//! What requests say of addresses: their stages name them, and what is behind an area knows its guard.

use super::super::Scene;
use crate::model::{Provenance, Stage, Step, UsageKind, VmapArea};

/// The address a request is about that neither places nor frees an area: what it maps or clears, what waits.
pub(super) fn stage_address(scene: &Scene<'_>) -> Option<u64> {
    let mut steps = scene.replay.outcome().steps.iter();
    steps.find_map(|step| match step {
        Step::Stage(Stage::Mapped(mapped)) => Some(mapped.extent.start()),
        Step::Stage(Stage::Unmapped(unmapped)) => Some(unmapped.extent.start()),
        Step::Stage(Stage::Deferred { addr, .. } | Stage::DeferredRun { addr, .. }) => Some(*addr),
        _ => None,
    })
}

/// Does an area that a request asked for end in a guard page? `None` where no request says.
pub(super) fn has_guard(scene: &Scene<'_>, area: &VmapArea) -> Option<bool> {
    let space = scene.replay.space();
    let backed = space.memory()?.backed(area.start)?;
    let usage = backed.usage;
    let kinds = [UsageKind::Vmalloc, UsageKind::PageArray, UsageKind::Vmap, UsageKind::Ioremap];
    let mapped = backed.mapped_pages.max(usage.pages).saturating_mul(space.allocator().page_size());
    (usage.kind_from == Provenance::Observed).then(|| kinds.contains(&usage.kind) && mapped < area.len_bytes())
}
