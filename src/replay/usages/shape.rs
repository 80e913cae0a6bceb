//! What the numbers of a request say of its use: size, alignment, window, and what the task asks for next.
//!
//! `__get_vm_area_node` leaves traces of its caller: `ioremap` is aligned to its size, the large `vmalloc` is followed by
//! the array of its page pointers, `vm_map_ram` has no guard page. Where two callers leave the same trace, the likelier
//! one is taken, and the answer is the model's.

use crate::log::Window;
use crate::model::{Provenance, UsageKind};
use crate::policy::Release;

use super::super::Machine;
use Provenance::{Derived, Modelled};

/// A request, as far as its numbers go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask {
    /// Bytes, guard page included.
    pub(super) size: u64,
    /// Alignment asked of the search, in bytes.
    pub(super) align: u64,
    pub(super) window: Window,
}

/// What the task asked for next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The page-pointer array of this area.
    Array,
    /// Something else: no pages are got for this area, or they are few.
    Other,
    /// That is not known.
    Unknown,
}

/// What a request looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Guess {
    pub(super) kind: UsageKind,
    pub(super) kind_from: Provenance,
    /// The last page is the guard.
    pub(super) has_guard: bool,
    pub(super) guard_from: Provenance,
    /// Bytes of one mapping as a power of two.
    pub(super) shift: u32,
    pub(super) shift_from: Provenance,
}

/// What requests look like on one machine.
#[derive(Debug, Clone)]
pub(super) struct ShapeRules {
    page: u64,
    /// Bytes of a pointer.
    word: u64,
    window: Window,
    /// The release is old enough to align `ioremap` by `fls` (2.6 to 3.x).
    aligns_by_fls: bool,
    /// A huge mapping of `vmalloc`, as a power of two; `None` without any.
    huge_shift: Option<u32>,
    /// Size and alignment of thread stacks.
    stacks: Vec<(u64, u64)>,
}

/// Thread stacks are of these many bytes; which, a machine's `kthreadd` tells.
const STACK_SIZES: std::ops::RangeInclusive<u64> = 8 << 10..=64 << 10;
/// The first release in which `vmalloc` can map huge pages.
const FIRST_HUGE: Release = Release::new(5, 13);
/// The first release that aligns `ioremap` by the rounded size.
const FIRST_BY_ORDER: Release = Release::new(4, 0);

impl ShapeRules {
    /// The rules of a machine whose thread stacks have these sizes and alignments.
    pub(super) fn of(machine: &Machine, stacks: Vec<(u64, u64)>) -> Self {
        let levels = machine.geometry.levels;
        let pmd = levels.len().checked_sub(2).and_then(|above_pte| levels.get(above_pte)).map(|level| level.shift);
        let huge = !machine.is_32_bit && machine.policy.release >= FIRST_HUGE;
        Self {
            page: machine.page_size,
            word: if machine.is_32_bit { 4 } else { 8 },
            window: machine.window,
            aligns_by_fls: machine.policy.release < FIRST_BY_ORDER,
            huge_shift: pmd.filter(|_| huge),
            stacks,
        }
    }

    /// Size with guard of the page-pointer array that a `vmalloc` of this size gets from `vmalloc` itself; `None` if
    /// `kmalloc` is enough.
    pub(super) fn array_size(&self, size: u64) -> Option<u64> {
        let bytes = (size.checked_sub(self.page)? / self.page).checked_mul(self.word)?;
        (bytes > self.page).then(|| bytes.next_multiple_of(self.page) + self.page)
    }

    /// Is this the request for an array of that size?
    pub(super) fn is_array(&self, ask: &Ask, size: u64) -> bool {
        ask.size == size && ask.align <= 1 && ask.window == self.window
    }

    /// What a request looks like that is not for a page-pointer array.
    pub(super) fn guess(&self, ask: &Ask, next: Next) -> Guess {
        let Ask { size, align, window } = *ask;
        let small = self.page.trailing_zeros();
        let guarded = |kind, kind_from| Guess {
            kind,
            kind_from,
            has_guard: true,
            guard_from: Derived,
            shift: small,
            shift_from: if kind_from == Modelled { Modelled } else { Derived },
        };
        let Some(data) = size.checked_sub(self.page).filter(|&data| data > 0) else {
            return Guess { has_guard: false, guard_from: Modelled, ..guarded(UsageKind::Vmalloc, Modelled) };
        };
        let vmalloc = |from| match self.huge_shift {
            Some(shift) if align >> shift > 0 && data.is_multiple_of(1 << shift) => {
                Guess { shift, shift_from: Derived, ..guarded(UsageKind::Vmalloc, from) }
            }
            _ => guarded(UsageKind::Vmalloc, from),
        };
        if window != self.window || next == Next::Array {
            // Modules, BPF: nothing but code is put into windows of their own.
            return vmalloc(Derived);
        }
        if self.is_block(size, align) {
            return Guess { has_guard: false, ..guarded(UsageKind::VmapBlock, Derived) };
        }
        let gets_no_pages = next == Next::Other && self.array_size(size).is_some();
        if align > self.page {
            return self.aligned(ask, data, gets_no_pages, &vmalloc, &guarded);
        }
        if align < self.page {
            return if gets_no_pages { guarded(UsageKind::Vmap, Derived) } else { vmalloc(Modelled) };
        }
        let unguarded = |from| Guess { has_guard: false, guard_from: from, ..guarded(UsageKind::VmMapRam, from) };
        if data == self.page && !self.aligns_by_fls {
            // One page: `ioremap`, now and then a `vmalloc_user`.
            guarded(UsageKind::Ioremap, Modelled)
        } else if size <= self.fewest_pages_of_ram() {
            vmalloc(Derived)
        } else if gets_no_pages {
            unguarded(Derived)
        } else if size.is_power_of_two() {
            unguarded(Modelled)
        } else {
            Guess { guard_from: Modelled, ..vmalloc(Modelled) }
        }
    }

    /// A request with an alignment of more than a page.
    fn aligned(
        &self,
        ask: &Ask,
        data: u64,
        gets_no_pages: bool,
        vmalloc: &dyn Fn(Provenance) -> Guess,
        guarded: &dyn Fn(UsageKind, Provenance) -> Guess,
    ) -> Guess {
        let Ask { size, align, .. } = *ask;
        if self.stacks.contains(&(size, align)) {
            return vmalloc(Derived);
        }
        if !self.is_aligned_by_size(data, align) {
            // Beyond `IOREMAP_MAX_ORDER`, different everywhere, device memory is aligned to less than its size.
            return if gets_no_pages { guarded(UsageKind::Ioremap, Modelled) } else { vmalloc(Derived) };
        }
        // A stack of 16 KiB and device memory of 16 KiB look alike; where no stack is known, stacks are what there is
        // more of.
        let may_be_stack = self.stacks.is_empty() && data == align && STACK_SIZES.contains(&data);
        let may_be_huge = self.huge_shift.is_some_and(|shift| data == 1 << shift);
        if may_be_stack {
            vmalloc(Modelled)
        } else if may_be_huge {
            guarded(UsageKind::Ioremap, Modelled)
        } else {
            guarded(UsageKind::Ioremap, Derived)
        }
    }

    /// Is this the alignment of an `ioremap` of so many bytes?
    fn is_aligned_by_size(&self, data: u64, align: u64) -> bool {
        let Some(by_order) = data.checked_next_power_of_two() else { return false };
        align == by_order || (self.aligns_by_fls && align == by_order.saturating_mul(2) && data == by_order)
    }

    /// A block that `vm_map_ram` serves small requests from: `VMAP_BBMAP_BITS` pages, a power of two whatever the
    /// number of CPUs the kernel is built for, aligned to its size.
    fn is_block(&self, size: u64, align: u64) -> bool {
        let pages = size / self.page;
        let fewest = 2 * 8 * self.word;
        size == align && size.is_power_of_two() && (fewest..=1024).contains(&pages)
    }

    /// `vm_map_ram` of no more bytes is served from a block (`VMAP_MAX_ALLOC`).
    fn fewest_pages_of_ram(&self) -> u64 {
        8 * self.word * self.page
    }

    /// A huge mapping of `vmalloc`, as a power of two; `None` without any.
    pub(super) fn huge_shift(&self) -> Option<u32> {
        self.huge_shift
    }

    /// Is this row of a snapshot, of `vm_map_ram`, a whole block?
    pub(super) fn is_block_row(&self, start: u64, size: u64) -> bool {
        start.is_multiple_of(size.max(1)) && self.is_block(size, size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use UsageKind::{Ioremap, VmMapRam, Vmalloc, Vmap, VmapBlock};

    const PAGE: u64 = 4096;
    const WINDOW: Window = Window { vstart: 0xffff_c900_0000_0000, vend: 0xffff_e8ff_ffff_ffff };
    const MODULES: Window = Window { vstart: 0xffff_ffff_c000_0000, vend: 0xffff_ffff_ff00_0000 };

    fn rules() -> ShapeRules {
        ShapeRules {
            page: PAGE,
            word: 8,
            window: WINDOW,
            aligns_by_fls: false,
            huge_shift: Some(21),
            stacks: vec![(5 * PAGE, 4 * PAGE)],
        }
    }

    fn guess(rules: &ShapeRules, pages: u64, align: u64, next: Next) -> (UsageKind, Provenance, bool, u32) {
        let Guess { kind, kind_from, has_guard, shift, .. } =
            rules.guess(&Ask { size: pages * PAGE, align, window: WINDOW }, next);
        (kind, kind_from, has_guard, shift)
    }

    #[test]
    fn requests_are_told_by_their_numbers() {
        let rules = rules();
        let pmd = 2 << 20;
        for (pages, align, next, want) in [
            (5, 1, Next::Unknown, (Vmalloc, Modelled, true, 12)),
            (5, 4 * PAGE, Next::Unknown, (Vmalloc, Derived, true, 12)),
            (4, 4 * PAGE, Next::Unknown, (Ioremap, Derived, true, 12)),
            (9, 8 * PAGE, Next::Unknown, (Ioremap, Derived, true, 12)),
            (9, 16 * PAGE, Next::Unknown, (Vmalloc, Derived, true, 12)),
            (2, PAGE, Next::Unknown, (Ioremap, Modelled, true, 12)),
            (3, PAGE, Next::Unknown, (Vmalloc, Derived, true, 12)),
            (64, PAGE, Next::Unknown, (Vmalloc, Derived, true, 12)),
            (128, PAGE, Next::Unknown, (VmMapRam, Modelled, false, 12)),
            (129, PAGE, Next::Unknown, (Vmalloc, Modelled, true, 12)),
            (600, PAGE, Next::Other, (VmMapRam, Derived, false, 12)),
            (600, PAGE, Next::Array, (Vmalloc, Derived, true, 12)),
            (600, 1, Next::Other, (Vmap, Derived, true, 12)),
            (600, 1, Next::Unknown, (Vmalloc, Modelled, true, 12)),
            (513, 1, Next::Other, (Vmalloc, Modelled, true, 12)),
            (256, 256 * PAGE, Next::Unknown, (VmapBlock, Derived, false, 12)),
            (64, 64 * PAGE, Next::Unknown, (Ioremap, Derived, true, 12)),
            (5000, pmd, Next::Other, (Ioremap, Modelled, true, 12)),
            (1025, pmd, Next::Array, (Vmalloc, Derived, true, 21)),
            (1025, pmd, Next::Unknown, (Vmalloc, Derived, true, 21)),
            (513, pmd, Next::Unknown, (Ioremap, Modelled, true, 12)),
            (1, 1, Next::Unknown, (Vmalloc, Modelled, false, 12)),
            (0, 1, Next::Unknown, (Vmalloc, Modelled, false, 12)),
        ] {
            assert_eq!(guess(&rules, pages, align, next), want, "{pages} pages, align {align}, {next:?}");
        }
        let code = Ask { size: 2 * PAGE, align: PAGE, window: MODULES };
        assert_eq!(
            (rules.guess(&code, Next::Unknown).kind, rules.guess(&code, Next::Unknown).kind_from),
            (Vmalloc, Derived)
        );
        let all = Ask { size: u64::MAX, align: u64::MAX, window: WINDOW };
        for next in [Next::Array, Next::Other, Next::Unknown] {
            rules.guess(&all, next);
        }
    }

    /// 2.6 and 3.x align a power of two to twice its size, and one page to two.
    #[test]
    fn old_kernels_align_by_fls() {
        let old = ShapeRules { aligns_by_fls: true, huge_shift: None, stacks: Vec::new(), ..rules() };
        assert_eq!(guess(&old, 2, 2 * PAGE, Next::Unknown), (Ioremap, Derived, true, 12));
        assert_eq!(guess(&old, 257, 512 * PAGE, Next::Unknown), (Ioremap, Derived, true, 12));
        assert_eq!(guess(&old, 257, 256 * PAGE, Next::Unknown), (Ioremap, Derived, true, 12));
        assert_eq!(guess(&rules(), 257, 512 * PAGE, Next::Unknown).0, Vmalloc);
        // No stack is known: what may be one is taken for one.
        assert_eq!(guess(&old, 5, 4 * PAGE, Next::Unknown).1, Modelled);
    }

    #[test]
    fn arrays_have_a_size() {
        let rules = rules();
        assert_eq!(rules.array_size(513 * PAGE), None, "512 pointers fit into a page");
        assert_eq!(rules.array_size(514 * PAGE), Some(3 * PAGE));
        assert_eq!(rules.array_size(0), None);
        assert!(rules.array_size(u64::MAX).is_some());
    }
}
