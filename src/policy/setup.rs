//! [`Setup`]: what an allocator is built from.

use crate::log::Window;
use crate::model::Extent;

use super::rules::Rules;

/// What an allocator is built from.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Rules of the release.
    pub rules: &'static Rules,
    /// CPUs online: `lazy_max_pages` is `fls(cpus_online)` times 32 MiB.
    pub cpus_online: u32,
    /// CPUs that could ever be there: the number of nodes from 6.9 on, at most 128.
    pub cpus_possible: u32,
    /// `VMALLOC_START` and `VMALLOC_END`.
    pub window: Window,
    /// Bytes in a page.
    pub page_size: u64,
    /// A 32-bit kernel: one node, and the space ends at 4 GiB.
    pub is_32_bit: bool,
    /// Areas that exist before the allocator starts, ascending and apart.
    pub early: Vec<Extent>,
}

impl Setup {
    /// `lazy_max_pages()`: pages that may be freed and not yet purged.
    pub(super) fn lazy_max_pages(&self) -> u64 {
        let fls = u64::from(u32::BITS - self.cpus_online.max(1).leading_zeros());
        fls * ((32 << 20) / self.page_size)
    }

    /// First address that is never given out: `ULONG_MAX`.
    pub(super) fn top(&self) -> u64 {
        if self.is_32_bit { u64::from(u32::MAX) } else { u64::MAX }
    }

    /// The areas of a snapshot in ascending order, each with whether it is lazy. A torn snapshot can show an area
    /// twice: the first row counts.
    pub(super) fn ascending(busy: &[Extent], lazy: &[Extent]) -> Vec<(Extent, bool)> {
        let mut taken: Vec<(Extent, bool)> = busy.iter().map(|&extent| (extent, false)).collect();
        taken.extend(lazy.iter().map(|&extent| (extent, true)));
        taken.sort_by_key(|(extent, _)| extent.start());
        let mut end = 1;
        taken.retain(|(extent, _)| {
            let is_apart = end <= extent.start();
            if is_apart {
                end = extent.end();
            }
            is_apart
        });
        taken
    }
}
