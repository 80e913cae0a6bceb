//! Where the vmalloc range lies on a machine that does not say: `VMALLOC_START` and `VMALLOC_END`.

use super::Release;
use crate::log::Window;
use crate::model::page_table::{Family, Geometry};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// Where the direct map of 32-bit machines begins (`PAGE_OFFSET`).
const PAGE_OFFSET_32: u64 = 0xc000_0000;
/// Bytes of `struct page` on 64-bit machines, as a power of two.
const PAGE_STRUCT_SHIFT: u32 = 6;

/// The range of an architecture and a release without KASLR and KASAN. With 32 bits it depends on the memory, and on
/// i386 on the configuration: `HIGHMEM`, and from 4.14 or so the fixed mappings of a Debian kernel.
pub fn default_window(geometry: &Geometry, release: Release, ram_bytes: u64) -> Window {
    let (vstart, vend) = match (geometry.family, geometry.levels.len()) {
        (Family::X86, 5) => of_length(0xffa0_0000_0000_0000, 12_800 << 40),
        (Family::I386, _) => i386(release, ram_bytes),
        (Family::Arm, _) => arm(ram_bytes),
        (Family::Arm64, _) => arm64(geometry, release),
        (Family::Riscv, levels) => riscv(levels, release),
        (Family::X86 | Family::Unknown, _) => of_length(0xffff_c900_0000_0000, 32 << 40),
    };
    Window { vstart, vend }
}

/// x86-64: the end is the last byte.
fn of_length(start: u64, bytes: u64) -> (u64, u64) {
    (start, start + bytes - 1)
}

fn i386(release: Release, ram_bytes: u64) -> (u64, u64) {
    if release < Release::new(4, 15) {
        let high_memory = PAGE_OFFSET_32 + ram_bytes.min(896 * MIB);
        return ((high_memory + 16 * MIB - 1) & !(8 * MIB - 1), 0xfdff_e000);
    }
    let end = 0xfebf_e000;
    let high_memory = (PAGE_OFFSET_32.saturating_add(ram_bytes)).min(end - 128 * MIB);
    (high_memory + 8 * MIB, end)
}

fn arm(ram_bytes: u64) -> (u64, u64) {
    let high_memory = PAGE_OFFSET_32 + ram_bytes.min(768 * MIB);
    ((high_memory + 8 * MIB) & !(8 * MIB - 1), 0xff80_0000)
}

/// The formulas of 5.10, 6.1 and 6.12; releases between them count with the earlier one.
fn arm64(geometry: &Geometry, release: Release) -> (u64, u64) {
    let page_shift = geometry.page_size.trailing_zeros();
    let top = geometry.levels.first().map_or(39, |level| level.shift + level.entries.trailing_zeros());
    // Kernels for 52 bits also run on hardware for 48 (47 with 16 KiB pages in 6.12).
    let least = match top {
        52 if page_shift == 14 && Release::new(6, 12) <= release => 47,
        52 => 48,
        bits => bits,
    };
    let below = |bits: u32| 0_u64.wrapping_sub(1 << bits);
    let (start, offset) = (below(least - 1), below(top));
    let vmemmap_bytes = (start - offset) >> (page_shift - PAGE_STRUCT_SHIFT);
    match release {
        _ if release < Release::new(6, 1) => {
            let pud = geometry.levels.iter().rev().nth(2).map_or(GIB, |level| 1 << level.shift);
            (start + 256 * MIB, 0_u64.wrapping_sub(pud).wrapping_sub(vmemmap_bytes) - (64 << 10))
        }
        _ if release < Release::new(6, 12) => {
            (start + 128 * MIB, below(top - (page_shift - PAGE_STRUCT_SHIFT)) - 256 * MIB)
        }
        _ => (start + 2 * GIB, 0_u64.wrapping_sub(GIB).wrapping_sub(vmemmap_bytes) - 8 * MIB),
    }
}

/// The range of Sv39 moved between 6.1 and 7.3, not known where.
fn riscv(levels: usize, release: Release) -> (u64, u64) {
    match levels {
        3 if release < Release::new(6, 12) => (0xffff_ffc8_0000_0000, 0xffff_ffd8_0000_0000),
        3 => (0xffff_ffc6_0000_0000, 0xffff_ffd6_0000_0000),
        4 => (0xffff_8f80_0000_0000, 0xffff_af80_0000_0000),
        _ => (0xff20_0000_0000_0000, 0xff60_0000_0000_0000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::page_table::{
        ARM, ARM64_4K_39, ARM64_4K_48, GEOMETRIES, I386, I386_PAE, RISCV_39, RISCV_57, X86_64_4, X86_64_5,
    };

    fn range(geometry: &Geometry, release: &str, ram_mib: u64) -> (u64, u64) {
        let window = default_window(geometry, Release::parse(release).expect(release), ram_mib * MIB);
        (window.vstart, window.vend)
    }

    #[test]
    fn ranges_of_machines_that_are_known() {
        assert_eq!(range(&X86_64_4, "6.12", 1024), (0xffff_c900_0000_0000, 0xffff_e8ff_ffff_ffff));
        assert_eq!(range(&X86_64_5, "6.12", 1024), (0xffa0_0000_0000_0000, 0xffd1_ffff_ffff_ffff));
        assert_eq!(range(&I386, "2.4.22", 1024), (0xf880_0000, 0xfdff_e000));
        assert_eq!(range(&I386, "2.4.22", 256), (0xd080_0000, 0xfdff_e000));
        assert_eq!(range(&I386_PAE, "6.5", 1024), (0xf73f_e000, 0xfebf_e000));
        assert_eq!(range(&ARM, "6.12", 768), (0xf080_0000, 0xff80_0000));
        assert_eq!(range(&ARM64_4K_48, "5.10", 1024), (0xffff_8000_1000_0000, 0xffff_fdff_bfff_0000));
        assert_eq!(range(&ARM64_4K_48, "6.1", 1024), (0xffff_8000_0800_0000, 0xffff_fbff_f000_0000));
        assert_eq!(range(&ARM64_4K_48, "6.12", 1024), (0xffff_8000_8000_0000, 0xffff_fdff_bf80_0000));
        assert_eq!(range(&ARM64_4K_39, "6.12", 1024), (0xffff_ffc0_8000_0000, 0xffff_fffe_bf80_0000));
        assert_eq!(range(&RISCV_39, "7.3", 1024), (0xffff_ffc6_0000_0000, 0xffff_ffd6_0000_0000));
        assert_eq!(range(&RISCV_57, "6.12", 1024), (0xff20_0000_0000_0000, 0xff60_0000_0000_0000));
    }

    #[test]
    fn every_machine_has_a_range_its_tables_can_translate() {
        for geometry in GEOMETRIES {
            for release in ["2.4.22", "2.6.32", "4.19", "5.10", "6.1", "6.12", "7.3"] {
                for ram_mib in [1, 64, 1024, 1 << 20] {
                    let (start, end) = range(geometry, release, ram_mib);
                    assert!(start + MIB < end, "{} {release}: {start:x} {end:x}", geometry.title);
                    let top = geometry.levels[0];
                    let bits = top.shift + top.entries.trailing_zeros();
                    assert_eq!(start >> bits, (end - 1) >> bits, "{} {release}", geometry.title);
                }
            }
        }
    }
}
