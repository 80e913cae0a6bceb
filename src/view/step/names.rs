//! The functions around the allocator, in the words of each release.

use crate::model::stage::{Call, Object};
use crate::policy::Release;

/// What does what, from a release on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    since: Release,
    /// Compares the size with memory, and decides about huge entries.
    pub(super) size: &'static str,
    /// Rounds, aligns, adds the guard, takes the descriptor.
    pub(super) area: &'static str,
    /// Brings range and descriptor together.
    pub(super) bind: &'static str,
    /// Takes the page-pointer array.
    pub(super) array: &'static str,
    /// Takes data pages.
    pub(super) pages: &'static str,
    /// Maps pages.
    pub(super) map: &'static str,
    /// Maps the pages of `vm_map_ram`.
    pub(super) map_ram: &'static str,
    /// Maps a physical range.
    pub(super) map_range: &'static str,
    /// Clears entries.
    pub(super) unmap: &'static str,
    /// Gives pages, array and descriptor back.
    pub(super) free: &'static str,
    /// Makes an address wait for the deferred work.
    pub(super) defer: &'static str,
    /// The deferred work.
    pub(super) deferred: &'static str,
    /// Says that an area is complete.
    pub(super) initialized: &'static str,
    /// Flushes the TLB at each free.
    pub(super) flush: &'static str,
}

const V2_4: Names = Names {
    since: Release::new(2, 4),
    size: "__vmalloc",
    area: "get_vm_area",
    bind: "get_vm_area",
    array: "",
    pages: "alloc_area_pte",
    map: "vmalloc_area_pages",
    map_ram: "",
    map_range: "remap_area_pages",
    unmap: "vmfree_area_pages",
    free: "vfree",
    defer: "",
    deferred: "",
    initialized: "",
    flush: "flush_tlb_all",
};
const V2_4_22: Names = Names { since: Release::of_2_4(22), map: "__vmalloc_area_pages", ..V2_4 };
const V2_6: Names = Names {
    since: Release::of_2_6(0),
    area: "__get_vm_area",
    bind: "__get_vm_area",
    array: "__vmalloc",
    pages: "__vmalloc",
    map: "map_vm_area",
    unmap: "unmap_vm_area",
    free: "__vunmap",
    flush: "flush_tlb_kernel_range",
    ..V2_4
};
const V2_6_24: Names = Names {
    since: Release::of_2_6(24),
    size: "__vmalloc_node",
    area: "__get_vm_area_node",
    bind: "__get_vm_area_node",
    array: "__vmalloc_area_node",
    pages: "__vmalloc_area_node",
    map_range: "ioremap_page_range",
    ..V2_6
};
const V2_6_28: Names =
    Names { since: Release::of_2_6(28), map_ram: "vmap_page_range", unmap: "vunmap_page_range", ..V2_6_24 };
const V2_6_32: Names =
    Names { since: Release::of_2_6(32), bind: "insert_vmalloc_vm", initialized: "insert_vmalloc_vmlist", ..V2_6_28 };
const V2_6_39: Names = Names { since: Release::of_2_6(39), size: "__vmalloc_node_range", ..V2_6_32 };
const V3_10: Names = Names {
    since: Release::new(3, 10),
    bind: "setup_vmalloc_vm",
    initialized: "clear_vm_unlist",
    defer: "vfree",
    deferred: "free_work",
    ..V2_6_39
};
const V4_15: Names = Names {
    since: Release::new(4, 15),
    initialized: "clear_vm_uninitialized_flag",
    defer: "__vfree_deferred",
    ..V3_10
};
const V5_8: Names = Names {
    since: Release::new(5, 8),
    map: "map_kernel_range",
    map_ram: "map_kernel_range",
    unmap: "unmap_kernel_range_noflush",
    ..V4_15
};
const V5_14: Names = Names {
    since: Release::new(5, 14),
    pages: "vm_area_alloc_pages",
    map: "vmap_pages_range",
    map_ram: "vmap_pages_range",
    unmap: "vunmap_range_noflush",
    ..V5_8
};
const V6_3: Names =
    Names { since: Release::new(6, 3), free: "vfree", defer: "vfree_atomic", deferred: "delayed_vfree_work", ..V5_14 };

const NAMES: &[Names] = &[V2_4, V2_4_22, V2_6, V2_6_24, V2_6_28, V2_6_32, V2_6_39, V3_10, V4_15, V5_8, V5_14, V6_3];

/// First release that keeps a `pgtbl_mod_mask`.
pub(super) const HAS_MASK: Release = Release::new(5, 8);
/// First release that prints a hash where `%p` stands.
const HASHES_POINTERS: Release = Release::new(4, 15);

impl Names {
    /// The words of a release.
    pub(super) fn of(release: Release) -> &'static Self {
        NAMES.iter().rev().find(|names| names.since <= release).unwrap_or(&V2_4)
    }

    /// Which function takes an object.
    pub(super) fn taker(&self, object: Object, call: Option<Call>) -> &'static str {
        match object {
            Object::VmStruct | Object::VmapArea if call == Some(Call::PcpuGetVmAreas) => "pcpu_get_vm_areas",
            Object::VmStruct => self.area,
            Object::VmapArea => "alloc_vmap_area",
            Object::VmapBlock => "new_vmap_block",
        }
    }

    /// Which function checks the size of a call.
    pub(super) fn size_of(&self, call: Option<Call>) -> &'static str {
        match call {
            Some(Call::Vmap | Call::VmMapRam | Call::PcpuGetVmAreas) => call.map_or("", Call::name),
            Some(Call::Ioremap) => "__ioremap",
            _ => self.size,
        }
    }
}

/// The structure's name.
pub(super) fn object(object: Object) -> &'static str {
    match object {
        Object::VmStruct => "vm_struct",
        Object::VmapArea => "vmap_area",
        Object::VmapBlock => "vmap_block",
    }
}

/// The cache an object of `kmalloc` is in.
pub(super) fn kmalloc_cache(release: Release, bytes: u64) -> String {
    match release {
        _ if release < Release::of_2_6(24) => format!("size-{bytes}"),
        _ if release < Release::new(4, 20) => format!("kmalloc-{bytes}"),
        _ => match bytes {
            _ if bytes >= 1 << 20 => format!("kmalloc-{}M", bytes >> 20),
            _ if bytes >= 1 << 10 => format!("kmalloc-{}k", bytes >> 10),
            _ => format!("kmalloc-{bytes}"),
        },
    }
}

/// An address where the kernel's text has `%p`; from 4.15 on the log has a hash in its place.
pub(super) fn pointer(release: Release, is_32_bit: bool, addr: u64) -> (String, bool) {
    let digits = if is_32_bit { format!("{addr:08x}") } else { format!("{addr:016x}") };
    (digits, HASHES_POINTERS <= release)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_release_has_its_own_words() {
        let of = |text: &str| Names::of(Release::parse(text).expect(text));
        assert_eq!((of("2.4.16").map, of("2.4.22").map), ("vmalloc_area_pages", "__vmalloc_area_pages"));
        assert_eq!((of("2.6.11").free, of("6.12").free), ("__vunmap", "vfree"));
        assert_eq!(
            (of("5.4").map, of("5.10").map, of("6.1").map),
            ("map_vm_area", "map_kernel_range", "vmap_pages_range")
        );
        assert!(NAMES.windows(2).all(|pair| pair[0].since < pair[1].since));
    }

    #[test]
    fn caches_are_named_as_the_release_does() {
        let name = |text: &str, bytes| kmalloc_cache(Release::parse(text).expect(text), bytes);
        assert_eq!(name("6.12", 2048), "kmalloc-2k");
        assert_eq!(name("4.19", 2048), "kmalloc-2048");
        assert_eq!(name("2.6.11", 64), "size-64");
        assert_eq!(name("7.2", 192), "kmalloc-192");
    }
}
