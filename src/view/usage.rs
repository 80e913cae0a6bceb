//! What areas of a trace are used for, for the panes.

use super::Scene;
use super::focus::baseline_row;
use crate::model::{Extent, Provenance, Usage, VmapArea};

/// Is it known whether an area ends in a guard page?
pub(crate) fn guard_is_known(scene: &Scene<'_>, area: &VmapArea) -> bool {
    let modelled = (Provenance::Modelled, Provenance::Modelled);
    let derived = || usage_of(scene, area).is_some_and(|usage| (usage.kind_from, usage.pages_from) != modelled);
    baseline_row(scene, area).is_some() || derived()
}

/// What an area of a trace is used for, as far as that is known.
pub(crate) fn usage_of(scene: &Scene<'_>, area: &VmapArea) -> Option<Usage> {
    scene.replay.usages().of(area.born, Extent::new(area.start, area.end)?)
}
