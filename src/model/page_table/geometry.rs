//! How architectures split an address: the levels of their page tables.

use super::{Family, Geometry, Level};

const fn level(name: &'static str, shift: u32, entries: u64, preallocated: bool) -> Level {
    Level { name, shift, entries, preallocated }
}

/// A level of 512 entries whose tables are allocated on first need.
const fn of_512(name: &'static str, shift: u32) -> Level {
    level(name, shift, 512, false)
}

/// The top level: it exists from boot.
const fn top(shift: u32, entries: u64) -> Level {
    level("PGD", shift, entries, true)
}

const fn geometry(family: Family, title: &'static str, page_shift: u32, levels: &'static [Level]) -> Geometry {
    Geometry { family, title, levels, page_size: 1 << page_shift, table_bytes: 1 << page_shift }
}

/// x86-64 with four levels. The PUD tables of the vmalloc range are allocated at boot.
pub const X86_64_4: Geometry = geometry(
    Family::X86,
    "x86-64, 4 levels",
    12,
    &[top(39, 512), level("PUD", 30, 512, true), of_512("PMD", 21), of_512("PTE", 12)],
);

/// x86-64 with five levels. The P4D tables of the vmalloc range are allocated at boot.
pub const X86_64_5: Geometry = geometry(
    Family::X86,
    "x86-64, 5 levels",
    12,
    &[top(48, 512), level("P4D", 39, 512, true), of_512("PUD", 30), of_512("PMD", 21), of_512("PTE", 12)],
);

/// i386 without PAE: two levels.
pub const I386: Geometry =
    geometry(Family::I386, "i386, 2 levels", 12, &[top(22, 1024), level("PTE", 12, 1024, false)]);

/// i386 with PAE. The PMD table of the kernel's gigabyte exists from boot.
pub const I386_PAE: Geometry =
    geometry(Family::I386, "i386, PAE, 3 levels", 12, &[top(30, 4), level("PMD", 21, 512, true), of_512("PTE", 12)]);

/// 32-bit arm with short descriptors: a PTE page serves a pair of 1 MiB entries and their software shadow.
pub const ARM: Geometry = geometry(Family::Arm, "arm, 2 levels", 12, &[top(21, 2048), of_512("PTE", 12)]);

/// 32-bit arm with large physical addresses: three levels.
pub const ARM_LPAE: Geometry =
    geometry(Family::Arm, "arm, LPAE, 3 levels", 12, &[top(30, 4), of_512("PMD", 21), of_512("PTE", 12)]);

/// arm64 with 4 KiB pages and 39-bit addresses.
pub const ARM64_4K_39: Geometry =
    geometry(Family::Arm64, "arm64, 4 KiB pages, 39 bits", 12, &[top(30, 512), of_512("PMD", 21), of_512("PTE", 12)]);

/// arm64 with 4 KiB pages and 48-bit addresses.
pub const ARM64_4K_48: Geometry = geometry(
    Family::Arm64,
    "arm64, 4 KiB pages, 48 bits",
    12,
    &[top(39, 512), of_512("PUD", 30), of_512("PMD", 21), of_512("PTE", 12)],
);

/// arm64 with 4 KiB pages and 52-bit addresses.
pub const ARM64_4K_52: Geometry = geometry(
    Family::Arm64,
    "arm64, 4 KiB pages, 52 bits",
    12,
    &[top(48, 16), of_512("P4D", 39), of_512("PUD", 30), of_512("PMD", 21), of_512("PTE", 12)],
);

/// arm64 with 16 KiB pages and 36-bit addresses.
pub const ARM64_16K_36: Geometry =
    geometry(Family::Arm64, "arm64, 16 KiB pages, 36 bits", 14, &[top(25, 2048), level("PTE", 14, 2048, false)]);

/// arm64 with 16 KiB pages and 47-bit addresses.
pub const ARM64_16K_47: Geometry = geometry(
    Family::Arm64,
    "arm64, 16 KiB pages, 47 bits",
    14,
    &[top(36, 2048), level("PMD", 25, 2048, false), level("PTE", 14, 2048, false)],
);

/// arm64 with 16 KiB pages and 48-bit addresses.
pub const ARM64_16K_48: Geometry = geometry(
    Family::Arm64,
    "arm64, 16 KiB pages, 48 bits",
    14,
    &[top(47, 2), level("PUD", 36, 2048, false), level("PMD", 25, 2048, false), level("PTE", 14, 2048, false)],
);

/// arm64 with 16 KiB pages and 52-bit addresses.
pub const ARM64_16K_52: Geometry = geometry(
    Family::Arm64,
    "arm64, 16 KiB pages, 52 bits",
    14,
    &[top(47, 32), level("PUD", 36, 2048, false), level("PMD", 25, 2048, false), level("PTE", 14, 2048, false)],
);

/// arm64 with 64 KiB pages and 42-bit addresses.
pub const ARM64_64K_42: Geometry =
    geometry(Family::Arm64, "arm64, 64 KiB pages, 42 bits", 16, &[top(29, 8192), level("PTE", 16, 8192, false)]);

/// arm64 with 64 KiB pages and 48-bit addresses.
pub const ARM64_64K_48: Geometry = geometry(
    Family::Arm64,
    "arm64, 64 KiB pages, 48 bits",
    16,
    &[top(42, 64), level("PMD", 29, 8192, false), level("PTE", 16, 8192, false)],
);

/// arm64 with 64 KiB pages and 52-bit addresses.
pub const ARM64_64K_52: Geometry = geometry(
    Family::Arm64,
    "arm64, 64 KiB pages, 52 bits",
    16,
    &[top(42, 1024), level("PMD", 29, 8192, false), level("PTE", 16, 8192, false)],
);

/// riscv with 39-bit addresses. The tables below the top exist from boot for the vmalloc range.
pub const RISCV_39: Geometry =
    geometry(Family::Riscv, "riscv, Sv39", 12, &[top(30, 512), level("PMD", 21, 512, true), of_512("PTE", 12)]);

/// riscv with 48-bit addresses. The tables below the top exist from boot for the vmalloc range.
pub const RISCV_48: Geometry = geometry(
    Family::Riscv,
    "riscv, Sv48",
    12,
    &[top(39, 512), level("PUD", 30, 512, true), of_512("PMD", 21), of_512("PTE", 12)],
);

/// riscv with 57-bit addresses. The tables below the top exist from boot for the vmalloc range.
pub const RISCV_57: Geometry = geometry(
    Family::Riscv,
    "riscv, Sv57",
    12,
    &[top(48, 512), level("P4D", 39, 512, true), of_512("PUD", 30), of_512("PMD", 21), of_512("PTE", 12)],
);

/// An architecture or page size whose tables are not modelled: no levels, no counts, rather than wrong ones.
pub const NOT_MODELLED: Geometry = geometry(Family::Unknown, "page tables not modelled", 12, &[]);

/// Every geometry that is modelled.
pub const GEOMETRIES: [&Geometry; 19] = [
    &X86_64_4,
    &X86_64_5,
    &I386,
    &I386_PAE,
    &ARM,
    &ARM_LPAE,
    &ARM64_4K_39,
    &ARM64_4K_48,
    &ARM64_4K_52,
    &ARM64_16K_36,
    &ARM64_16K_47,
    &ARM64_16K_48,
    &ARM64_16K_52,
    &ARM64_64K_42,
    &ARM64_64K_48,
    &ARM64_64K_52,
    &RISCV_39,
    &RISCV_48,
    &RISCV_57,
];

/// The name of each in scripts, in the same order.
const NAMES: [&str; GEOMETRIES.len()] = [
    "x86-64",
    "x86-64-la57",
    "i386",
    "i386-pae",
    "arm",
    "arm-lpae",
    "arm64-4k-39",
    "arm64",
    "arm64-4k-52",
    "arm64-16k-36",
    "arm64-16k-47",
    "arm64-16k-48",
    "arm64-16k-52",
    "arm64-64k-42",
    "arm64-64k-48",
    "arm64-64k-52",
    "riscv-sv39",
    "riscv-sv48",
    "riscv-sv57",
];

/// The geometry of a name.
pub fn geometry_named(name: &str) -> Option<&'static Geometry> {
    NAMES.iter().zip(GEOMETRIES).find(|(known, _)| **known == name).map(|(_, geometry)| geometry)
}

/// Every name.
pub fn geometry_names() -> &'static [&'static str] {
    &NAMES
}

impl Geometry {
    /// Is it one of a 32-bit machine?
    pub fn is_32_bit(&self) -> bool {
        matches!(self.family, Family::I386 | Family::Arm)
    }
}

/// What is known of a machine that tells its page tables.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hints<'a> {
    /// Architecture, as the capture spells it.
    pub arch: Option<&'a str>,
    /// Kernel release: Debian's names tell flavours apart (`-686-pae`, `-armmp-lpae`).
    pub kernel: Option<&'a str>,
    /// Page-table levels, where the capture says.
    pub levels: Option<u32>,
    /// Bytes in a page.
    pub page_size: u64,
    /// `VMALLOC_START`: where it lies tells the width of addresses.
    pub vstart: u64,
}

/// The geometry of a machine; x86-64 with four levels where nothing else is said.
pub fn geometry_of(hints: &Hints<'_>) -> &'static Geometry {
    let flavour = |word: &str| hints.kernel.is_some_and(|kernel| kernel.contains(word));
    let is_32_bit = u32::try_from(hints.vstart).is_ok();
    let found = match hints.arch {
        Some("i386" | "i486" | "i586" | "i686") if hints.levels == Some(3) || flavour("pae") => &I386_PAE,
        Some("i386" | "i486" | "i586" | "i686") => &I386,
        Some("arm" | "armhf" | "armel" | "armv7l") if hints.levels == Some(3) || flavour("lpae") => &ARM_LPAE,
        Some("arm" | "armhf" | "armel" | "armv7l") => &ARM,
        Some("arm64" | "aarch64") => arm64(hints),
        Some("riscv64" | "riscv") => riscv(hints),
        Some(other) if !matches!(other, "amd64" | "x86_64") => &NOT_MODELLED,
        None if is_32_bit => &I386,
        _ if hints.levels == Some(5) => &X86_64_5,
        // Five-level kernel addresses lie below the four-level canonical half.
        _ if hints.levels.is_none() && hints.vstart < 0xffff_8000_0000_0000 => &X86_64_5,
        _ => &X86_64_4,
    };
    if found.levels.is_empty() || found.page_size == hints.page_size { found } else { &NOT_MODELLED }
}

/// The lowest kernel address of a machine with that many bits.
const fn lowest(bits: u32) -> u64 {
    u64::MAX << (bits - 1)
}

/// By page size, then by where the range starts: it lies in the lower half of the kernel's addresses. Kernels for 52
/// bits start where those for 48 do, and only the count of levels tells them apart.
fn arm64(hints: &Hints<'_>) -> &'static Geometry {
    let start = hints.vstart;
    match hints.page_size {
        4096 if start >= lowest(39) => &ARM64_4K_39,
        4096 if hints.levels == Some(5) => &ARM64_4K_52,
        4096 => &ARM64_4K_48,
        16_384 if start >= lowest(36) => &ARM64_16K_36,
        16_384 if start >= lowest(47) => &ARM64_16K_47,
        16_384 => &ARM64_16K_48,
        65_536 if start >= lowest(42) => &ARM64_64K_42,
        65_536 => &ARM64_64K_48,
        _ => &NOT_MODELLED,
    }
}

fn riscv(hints: &Hints<'_>) -> &'static Geometry {
    match hints.levels {
        Some(3) => &RISCV_39,
        Some(4) => &RISCV_48,
        Some(5) => &RISCV_57,
        _ if u32::try_from(hints.vstart).is_ok() => &NOT_MODELLED,
        _ if hints.vstart >= lowest(39) => &RISCV_39,
        _ if hints.vstart >= lowest(48) => &RISCV_48,
        _ => &RISCV_57,
    }
}
