//! [`arch_rules`]: what architectures do with kernel page tables, release by release.

use crate::model::page_table::{
    ArchRules, ClearsAt, Collision, Family, Geometry, ModMask, Propagation, SyncKind, SyncRule, TlbRule, WalkNames,
};

use super::rules::Release;

// From the PTE level up. Levels without a name had no function of their own.
const NAMES_2_4: WalkNames = WalkNames {
    map: [Some("alloc_area_pte"), Some("alloc_area_pmd"), None, None, Some("vmalloc_area_pages")],
    map_range: [Some("remap_area_pte"), Some("remap_area_pmd"), None, None, Some("remap_area_pages")],
    unmap: [Some("free_area_pte"), Some("free_area_pmd"), None, None, Some("vmfree_area_pages")],
};
const NAMES_2_6: WalkNames = WalkNames {
    map: [Some("map_area_pte"), Some("map_area_pmd"), None, None, Some("map_vm_area")],
    map_range: [Some("remap_area_pte"), Some("remap_area_pmd"), None, None, Some("remap_area_pages")],
    unmap: [Some("unmap_area_pte"), Some("unmap_area_pmd"), None, None, Some("unmap_vm_area")],
};
const NAMES_2_6_28: WalkNames = WalkNames {
    map: [Some("vmap_pte_range"), Some("vmap_pmd_range"), Some("vmap_pud_range"), None, Some("vmap_page_range")],
    map_range: [
        Some("ioremap_pte_range"),
        Some("ioremap_pmd_range"),
        Some("ioremap_pud_range"),
        None,
        Some("ioremap_page_range"),
    ],
    unmap: [
        Some("vunmap_pte_range"),
        Some("vunmap_pmd_range"),
        Some("vunmap_pud_range"),
        None,
        Some("vunmap_page_range"),
    ],
};
const NAMES_5_10: WalkNames = WalkNames {
    map: [
        Some("vmap_pages_pte_range"),
        Some("vmap_pages_pmd_range"),
        Some("vmap_pages_pud_range"),
        Some("vmap_pages_p4d_range"),
        Some("vmap_small_pages_range_noflush"),
    ],
    map_range: [
        Some("vmap_pte_range"),
        Some("vmap_pmd_range"),
        Some("vmap_pud_range"),
        Some("vmap_p4d_range"),
        Some("vmap_range_noflush"),
    ],
    unmap: [
        Some("vunmap_pte_range"),
        Some("vunmap_pmd_range"),
        Some("vunmap_pud_range"),
        Some("vunmap_p4d_range"),
        Some("vunmap_range"),
    ],
};

/// What an architecture does in a release. The vmalloc range is left open: it is the machine's.
///
/// Where sources show a difference between two releases but not where between them it came, the later one is taken.
pub fn arch_rules(geometry: &'static Geometry, release: Release) -> ArchRules {
    let family = geometry.family;
    let page_shift = geometry.page_size.trailing_zeros();
    let has_huge = has_huge_ioremap(geometry, release);
    ArchRules {
        geometry,
        vmalloc: None,
        huge_pud: has_huge && has_huge_pud(geometry),
        huge_pmd: has_huge,
        contiguous_shift: contiguous_shift(family, page_shift, release),
        huge_vmalloc: match family {
            Family::X86 | Family::Arm64 => Release::new(5, 14) <= release,
            Family::Riscv => Release::new(6, 12) <= release,
            _ => false,
        },
        ioremap_max_order: ioremap_max_order(geometry, release),
        propagation: propagation(geometry, release),
        purge_sync: match release {
            _ if !matches!(family, Family::I386 | Family::X86) => None,
            _ if release < Release::new(5, 3) || Release::new(5, 8) <= release => None,
            _ if release < Release::new(5, 7) => Some("vmalloc_sync_all"),
            _ => Some("vmalloc_sync_unmappings"),
        },
        // On x86-64 they took the place of faults.
        preallocates: family != Family::X86 || Release::new(5, 8) <= release,
        tlb: TlbRule {
            most_pages: match family {
                // Each `vfree` flushed everything.
                _ if release < Release::of_2_6(0) => Some(0),
                Family::I386 | Family::X86 => Some(33),
                Family::Arm64 => geometry.levels.last().map(|pte| pte.entries - 1),
                _ => None,
            },
        },
        collision: match release {
            _ if release < Release::of_2_6(0) => Collision::SaysAndOverwrites,
            _ if release < Release::of_2_6(28) => Collision::WarnsAndOverwrites,
            _ => Collision::Busy,
        },
        clears_at: match release {
            _ if release < Release::of_2_6(28) => ClearsAt::Free,
            _ if release < Release::new(3, 10) => ClearsAt::Purge,
            _ => ClearsAt::Free,
        },
        names: match release {
            _ if release < Release::of_2_6(0) => &NAMES_2_4,
            _ if release < Release::of_2_6(28) => &NAMES_2_6,
            _ if release < Release::new(5, 10) => &NAMES_2_6_28,
            _ => &NAMES_5_10,
        },
    }
}

/// Huge leaves for `ioremap`: x86 and arm64 since 4.1; on x86 not without PAE, on 32-bit arm never.
fn has_huge_ioremap(geometry: &Geometry, release: Release) -> bool {
    match (geometry.family, geometry.levels.len()) {
        (Family::X86 | Family::Arm64, _) | (Family::I386, 3) => Release::new(4, 1) <= release,
        (Family::Riscv, _) => Release::new(6, 12) <= release,
        _ => false,
    }
}

/// x86-64 is taken to have 1 GiB pages, as every CPU of the last ten years has.
fn has_huge_pud(geometry: &Geometry) -> bool {
    match geometry.family {
        Family::X86 => true,
        Family::Arm64 => geometry.page_size == 4096,
        Family::Riscv => 3 < geometry.levels.len(),
        _ => false,
    }
}

/// `CONT_PTE_SHIFT`: 16 pages of 4 KiB, 128 of 16 KiB, 32 of 64 KiB.
fn contiguous_shift(family: Family, page_shift: u32, release: Release) -> Option<u32> {
    if family != Family::Arm64 || release < Release::new(7, 3) {
        return None;
    }
    Some(if page_shift == 12 { 16 } else { 21 })
}

/// `IOREMAP_MAX_ORDER`. 7 and the page shift where an architecture does not define it.
fn ioremap_max_order(geometry: &Geometry, release: Release) -> u32 {
    let levels = geometry.levels;
    let page_shift = geometry.page_size.trailing_zeros();
    let pmd_shift = levels.len().checked_sub(2).map_or(page_shift, |depth| levels[depth].shift);
    let is_raised = Release::new(4, 1) <= release;
    match geometry.family {
        Family::Arm => 24,
        Family::X86 if is_raised => 30,
        Family::Arm64 if is_raised && geometry.page_size == 4096 => 30,
        Family::I386 | Family::Arm64 if is_raised => pmd_shift,
        Family::Riscv if has_huge_ioremap(geometry, release) => 30,
        _ => page_shift + 7,
    }
}

fn propagation(geometry: &Geometry, release: Release) -> Propagation {
    let sync = |mask, kind| Propagation::Sync(SyncRule { mask, kind });
    let has_sync = Release::new(5, 8) <= release;
    match (geometry.family, geometry.levels.len()) {
        (Family::I386 | Family::X86, _) if !has_sync => Propagation::Faults,
        // Tables below the top exist from boot, and nothing is copied.
        (Family::X86, _) if release < Release::new(6, 1) => Propagation::None,
        (Family::X86, 5) => sync(ModMask::PGD, SyncKind::CopyPgd),
        (Family::X86, _) => sync(ModMask::P4D, SyncKind::CopyPgd),
        // With PAE processes shared the kernel's PMD table.
        (Family::I386, 3) if release < Release::new(6, 12) => Propagation::None,
        (Family::I386, _) => sync(ModMask::PMD, SyncKind::CopyPmd),
        (Family::Arm, 2) if Release::new(6, 1) <= release => sync(ModMask::PMD, SyncKind::BumpSequence),
        _ => Propagation::None,
    }
}
