//! [`Setup`]: what an allocator is built from.

use std::collections::VecDeque;

use crate::log::Window;
use crate::model::Extent;

use super::rules::Rules;

/// What an allocator is built from.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Rules of placement.
    pub rules: Rules,
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
    /// What may be freed and not purged, in bytes, where it is not what the CPUs say.
    pub lazy_max_bytes: Option<u64>,
}

impl Setup {
    /// `lazy_max_pages()`: pages that may be freed and not yet purged.
    pub(super) fn lazy_max_pages(&self) -> u64 {
        if let Some(bytes) = self.lazy_max_bytes {
            return bytes / self.page_size;
        }
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

/// In which order holes that a snapshot shows are hung into the free tree. The kernel's tree came about over hours; its
/// shape is in no snapshot, and any order is a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// Middles first, which makes a balanced tree: the guess that is wrong least alone.
    #[default]
    Balanced,
    /// From the highest address down.
    Descending,
    /// From the lowest address up.
    Ascending,
    /// The largest first: large holes are old.
    BySize,
    /// Any order; the same number gives the same one.
    Shuffled(u64),
}

impl Shape {
    /// Puts holes, given in ascending order, into the order of this shape.
    pub(super) fn arrange(self, holes: &mut [(u64, u64)]) {
        match self {
            Self::Balanced => middles_first(holes),
            Self::Descending => holes.reverse(),
            Self::Ascending => {}
            Self::BySize => holes.sort_by_key(|&(start, end)| std::cmp::Reverse(end - start)),
            Self::Shuffled(seed) => {
                let mut state = seed;
                for last in (1..holes.len()).rev() {
                    holes.swap(last, (split_mix(&mut state) % (last as u64 + 1)) as usize);
                }
            }
        }
    }
}

fn middles_first(holes: &mut [(u64, u64)]) {
    let ascending = holes.to_vec();
    let mut spans = VecDeque::from([(0, holes.len())]);
    let mut places = holes.iter_mut();
    while let Some((from, to)) = spans.pop_front() {
        if from < to
            && let Some(place) = places.next()
        {
            let middle = from.midpoint(to);
            *place = ascending[middle];
            spans.extend([(from, middle), (middle + 1, to)]);
        }
    }
}

/// The next number of the `SplitMix64` generator.
pub(super) fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
