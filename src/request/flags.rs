//! The `VM_` flags of `vm_struct`: names and values by release.

use crate::policy::rules::Release;

/// A flag in the releases that have it under this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag {
    /// The kernel's name.
    pub name: &'static str,
    /// Its bit.
    pub value: u32,
    /// First release looked at that has it.
    pub since: Release,
    /// First release looked at that does not have it any more.
    pub until: Option<Release>,
}

/// Device memory.
pub const VM_IOREMAP: u32 = 0x1;
/// Pages of its own.
pub const VM_ALLOC: u32 = 0x2;
/// Somebody else's pages (2.6.11 and later).
pub const VM_MAP: u32 = 0x4;
/// May be mapped into a process.
pub const VM_USERMAP: u32 = 0x8;
/// The page array is a `vmalloc` area itself (2.6.24 to 3.10).
pub const VM_VPAGES: u32 = 0x10;
/// Being filled (4.15 and later); the same bit was `VM_UNLIST` (2.6.32, 3.10).
pub const VM_UNINITIALIZED: u32 = 0x20;
/// No guard page (4.15 and later).
pub const VM_NO_GUARD: u32 = 0x40;
/// Huge entries wanted (5.19 and later); the same bit was `VM_NO_HUGE_VMAP` (5.14 to 5.17).
pub const VM_ALLOW_HUGE_VMAP: u32 = 0x400;
/// Address space that is mapped piece by piece (6.9 and later).
pub const VM_SPARSE: u32 = 0x1000;

const fn flag(name: &'static str, value: u32, since: Release, until: Option<Release>) -> Flag {
    Flag { name, value, since, until }
}

const fn at(major: u32, minor: u32) -> Release {
    Release::new(major, minor)
}

/// Every flag, in the order of the bits. Releases between the ones looked at count with the earlier one.
pub const FLAGS: &[Flag] = &[
    flag("VM_IOREMAP", VM_IOREMAP, at(2, 4), None),
    flag("VM_ALLOC", VM_ALLOC, at(2, 4), None),
    flag("VM_MAP", VM_MAP, Release::of_2_6(0), None),
    flag("VM_USERMAP", VM_USERMAP, Release::of_2_6(24), None),
    flag("VM_VPAGES", VM_VPAGES, Release::of_2_6(24), Some(at(4, 15))),
    flag("VM_DMA_COHERENT", 0x10, at(5, 4), None),
    flag("VM_UNLIST", 0x20, Release::of_2_6(32), Some(at(4, 15))),
    flag("VM_UNINITIALIZED", VM_UNINITIALIZED, at(4, 15), None),
    flag("VM_NO_GUARD", VM_NO_GUARD, at(4, 15), None),
    flag("VM_KASAN", 0x80, at(4, 19), None),
    flag("VM_FLUSH_RESET_PERMS", 0x100, at(5, 2), None),
    flag("VM_MAP_PUT_PAGES", 0x200, at(5, 10), None),
    flag("VM_NO_HUGE_VMAP", 0x400, at(5, 14), Some(at(5, 19))),
    flag("VM_ALLOW_HUGE_VMAP", VM_ALLOW_HUGE_VMAP, at(5, 19), None),
    flag("VM_DEFER_KMEMLEAK", 0x800, at(5, 15), None),
    flag("VM_SPARSE", VM_SPARSE, at(6, 9), None),
];

/// The flags a release has.
pub fn flags_of(release: Release) -> impl Iterator<Item = &'static Flag> {
    let has = move |flag: &&Flag| flag.since <= release && flag.until.is_none_or(|until| release < until);
    FLAGS.iter().filter(has)
}

/// A flag by its name, if the release has it; the `VM_` may be left out.
pub fn by_name(release: Release, name: &str) -> Option<&'static Flag> {
    flags_of(release).find(|flag| flag.name == name || flag.name.strip_prefix("VM_") == Some(name))
}

/// The names of the flags set in `flags`, in the order of the bits; a bit the release does not know is left out.
pub fn names(release: Release, flags: u32) -> Vec<&'static str> {
    flags_of(release).filter(|flag| flags & flag.value != 0).map(|flag| flag.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_release_has_two_names_for_a_bit() {
        let releases =
            ["2.4", "2.6.11", "2.6.24", "2.6.32", "3.10", "4.15", "4.19", "5.4", "5.14", "5.19", "6.12", "7.3"];
        for text in releases {
            let release = Release::parse(text).expect(text);
            let mut bits: Vec<u32> = flags_of(release).map(|flag| flag.value).collect();
            let n = bits.len();
            bits.dedup();
            assert_eq!(bits.len(), n, "{text}");
            assert!(bits.is_sorted() && bits.iter().all(|bit| bit.is_power_of_two()), "{text}");
        }
    }

    #[test]
    fn the_same_bit_means_what_the_release_says() {
        let names_in = |text| names(Release::parse(text).expect(text), 0x432);
        assert_eq!(names_in("2.4.22"), ["VM_ALLOC"]);
        assert_eq!(names_in("3.10"), ["VM_ALLOC", "VM_VPAGES", "VM_UNLIST"]);
        assert_eq!(names_in("5.15"), ["VM_ALLOC", "VM_DMA_COHERENT", "VM_UNINITIALIZED", "VM_NO_HUGE_VMAP"]);
        assert_eq!(names_in("6.12"), ["VM_ALLOC", "VM_DMA_COHERENT", "VM_UNINITIALIZED", "VM_ALLOW_HUGE_VMAP"]);
        assert_eq!(by_name(Release::new(6, 12), "ALLOW_HUGE_VMAP").map(|flag| flag.value), Some(0x400));
        assert_eq!(by_name(Release::new(5, 10), "VM_ALLOW_HUGE_VMAP"), None);
    }
}
