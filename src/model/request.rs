//! What is asked of the allocator, and what it answers.

use crate::log::Window;

use super::areas::AreaId;

/// One attempt to find space: the arguments of `alloc_vmap_area`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Bytes, guard page included; a multiple of the page size, not 0. Up to 2.6.27 `get_vm_area` was given a size
    /// without the guard page and added it: here it is in, in every era.
    pub size: u64,
    /// A power of two; 1 and the page size mean the same from 5.17 on. 2.4 does not ask for it.
    pub align: u64,
    /// Where the area may lie. 2.4 does not ask for it: there is one range.
    pub window: Window,
    /// The calling CPU: chooses the node whose pool is asked (6.9 and later).
    pub cpu: u32,
    /// A first attempt asks the pool, the retry after a purge does not (6.9 and later).
    pub first_attempt: bool,
}

/// Groups of a per-CPU chunk: each an area at a fixed distance from the first, one for each NUMA node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Groups {
    /// Offset and size, in pages.
    list: [(u32, u32); Self::MAX],
    n: u8,
}

impl Groups {
    /// As many groups as fit.
    pub const MAX: usize = 4;

    /// Groups of offset and size, in pages. `None` if there are none or too many, or one of nothing.
    pub fn new(groups: &[(u32, u32)]) -> Option<Self> {
        if groups.is_empty() || Self::MAX < groups.len() || groups.iter().any(|&(_, pages)| pages == 0) {
            return None;
        }
        let mut list = [(0, 0); Self::MAX];
        list[..groups.len()].copy_from_slice(groups);
        Some(Self { list, n: groups.len() as u8 })
    }

    /// Offset and size of each, in pages.
    pub fn pages(&self) -> &[(u32, u32)] {
        &self.list[..usize::from(self.n)]
    }

    /// Offset and size of each, in bytes.
    pub fn bytes(&self, page_size: u64) -> Vec<(u64, u64)> {
        self.pages()
            .iter()
            .map(|&(offset, size)| (u64::from(offset) * page_size, u64::from(size) * page_size))
            .collect()
    }
}

/// Why a request cannot be a request (`-EINVAL`, before 6.3 a `BUG_ON`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// Size 0.
    #[error("a request of 0 bytes")]
    Empty,
    /// Size not in whole pages.
    #[error("a size of {0} bytes is not a whole number of pages")]
    NotPages(u64),
    /// Alignment not a power of two.
    #[error("an alignment of {0} is not a power of two")]
    Alignment(u64),
}

impl Request {
    /// Checks what the kernel checks before it searches.
    ///
    /// # Errors
    /// Names the argument the kernel would refuse.
    pub fn check(&self, page_size: u64) -> Result<(), BadRequest> {
        if self.size == 0 {
            return Err(BadRequest::Empty);
        }
        if !self.size.is_multiple_of(page_size) {
            return Err(BadRequest::NotPages(self.size));
        }
        if !self.align.is_power_of_two() {
            return Err(BadRequest::Alignment(self.align));
        }
        Ok(())
    }
}

/// Where a placement was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The pool of a node had an area of exactly this size (6.9 and later).
    Pool {
        /// The node.
        node: u32,
        /// The pooled area.
        area: AreaId,
    },
    /// A hole of the global free tree.
    Tree {
        /// The hole.
        hole: AreaId,
    },
    /// A stretch between areas, in the eras that keep no holes (to 5.1).
    Gap {
        /// The area below it, [`super::NIL`] if there is none.
        below: AreaId,
        /// What `cached_hole_size` is after the search, in bytes; 0 before 2.6.39.
        cached_hole: u64,
    },
}

/// An answer not yet carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// The address.
    pub start: u64,
    /// Where it comes from.
    pub source: Source,
}

/// Why nothing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalReason {
    /// No node of the tree is long enough at or above `vstart` (`-ENOENT` from 6.19).
    NoHole,
    /// The hole that was found ends the area behind `vend`; no other is tried (`-ERANGE` from 6.19).
    BehindWindow {
        /// The address the search would have given.
        would_be: u64,
    },
    /// The policy places where the trace says, and the trace does not say it for this one.
    NotRecorded,
    /// The candidate and the size together leave the address space (to 5.1).
    Wraps {
        /// The candidate.
        candidate: u64,
    },
}

/// A request without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: RefusalReason,
}
