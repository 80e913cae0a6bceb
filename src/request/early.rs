//! Before and at the start of the allocator: `vm_area_register_early`, `vmalloc_init`, `vmap_init_free_space`.

use super::{Facts, Kernel, tell};
use crate::model::search::align_up;
use crate::model::stage::Note;
use crate::model::{Extent, VmapArea};
use crate::policy::rules::{FreeSpace, Release};

/// From here on early areas are placed by first fit over the ones there are; before, behind the last one registered.
/// Between 5.10 and 6.1, not known where.
const FITS_EARLY: Release = Release::new(6, 1);

/// Where `vm_area_register_early` puts an area, given the early areas so far, ascending. `registered` are the bytes
/// that earlier calls used up from `VMALLOC_START` on, which is all that releases to 5.10 look at.
pub fn register_early(facts: &Facts, areas: &[Extent], registered: u64, size: u64, align: u64) -> Option<Extent> {
    if facts.release < FITS_EARLY {
        let addr = align_up(facts.window.vstart.wrapping_add(registered), align);
        return placed(facts, addr, facts.page_align(size));
    }
    let size = facts.page_align(size);
    let mut addr = align_up(facts.window.vstart, align);
    for area in areas {
        // Unsigned: an area below the candidate looks infinitely far above it, and ends the search.
        if area.start().wrapping_sub(addr) >= size {
            break;
        }
        addr = align_up(area.end(), align);
    }
    placed(facts, addr, size)
}

/// None where the address went past the top: no kernel would boot with it.
fn placed(facts: &Facts, addr: u64, size: u64) -> Option<Extent> {
    Extent::sized(addr, size).filter(|area| facts.window.vstart <= area.start())
}

/// Tells what `vmalloc_init` did: the state is as it left it.
pub fn vmalloc_init(kernel: &mut impl Kernel) {
    let mut imported = Vec::new();
    let mut free = Vec::new();
    let allocator = kernel.space().allocator();
    for node in 0..allocator.n_nodes() {
        allocator.visit_busy(node, &mut |area: &VmapArea| imported.extend(Extent::new(area.start, area.end)));
    }
    imported.sort_unstable();
    if kernel.facts().placement.free_space == FreeSpace::FreeTree {
        allocator.visit_holes(&mut |hole| free.push(hole));
    }
    for extent in imported {
        tell(kernel, Note::Imported { extent });
    }
    for extent in free {
        tell(kernel, Note::FreeSpace { extent });
    }
}
