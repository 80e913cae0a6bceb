//! [`Allocator`]: what every era of the kernel's allocator can do. The eras are in [`crate::policy`].

use std::fmt::{Debug, Write};

use super::areas::{AreaId, Areas, VmapArea};
use super::audit::Broken;
use super::bulk::{self, Bulk, BulkOp, Touched};
use super::extent::Extent;
use super::metrics::{Gauges, Metrics};
use super::rbtree::{TreeId, TreeView};
use super::request::{Placement, Refusal, Request};
use super::step::Steps;
use crate::log::Window;

/// What one purge returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purged {
    /// The TLB range flushed, if anything was lazy.
    pub flush: Option<(u64, u64)>,
    /// What the kernel's event counts: areas (6.9 and later) or fused ranges (before).
    pub num_purged: u32,
    /// Pages that were lazy and are not any more.
    pub pages: u64,
}

/// Which purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurgeKind {
    /// The drain, or an alias flush: pools decay a little and are refilled.
    Partial,
    /// Before a failing request gives up: pools decay completely and are not refilled.
    Full,
}

/// A part of a purge that a probe can show (6.9 and later).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurgePart {
    /// `decay_va_pool_node`: the pools of a node decay; then its lazy areas are taken off.
    Decay {
        /// The node.
        node: u32,
        /// Completely.
        full: bool,
    },
    /// `purge_vmap_node`: what was taken off a node goes to its pools and to the free tree.
    Return {
        /// The node.
        node: u32,
        /// Pools are not refilled.
        full: bool,
    },
    /// One pool of a node decays; what is taken out of it waits.
    DecayPool {
        /// The node.
        node: u32,
        /// Pages of the pool's areas.
        pages: u32,
        /// Completely.
        full: bool,
    },
    /// What was taken out of the pools of a node joins the free tree.
    MergeDecayed {
        /// The node.
        node: u32,
    },
    /// The lazy list of a node is taken off.
    Detach {
        /// The node.
        node: u32,
    },
    /// What can be parked of the first areas taken off a node is.
    Fill {
        /// The node.
        node: u32,
        /// How many areas of the list have been looked at now, the lowest first.
        upto: u32,
        /// None is.
        full: bool,
    },
    /// The pages of what was taken off a node leave the counter, after the last of it has been looked at.
    Subtract {
        /// The node.
        node: u32,
        /// Pools are not refilled.
        full: bool,
    },
    /// What was taken off a node and not parked joins the free tree.
    Merge {
        /// The node.
        node: u32,
    },
    /// The next fused ranges that were taken off leave the counter and join the free tree (6.2 to 6.8).
    Ranges {
        /// How many.
        n: u32,
    },
}

/// When the helper works of a purge run, relative to the nodes the purging task does itself (6.9 and later).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HelperOrder {
    /// After the nodes done inline.
    #[default]
    AtFlush,
    /// At once when queued: nodes ascend.
    AtSchedule,
}

/// One area that went to a lazy store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freed {
    /// The area.
    pub extent: Extent,
    /// Record that allocated it, or [`VmapArea::UNBORN`].
    pub born: u32,
    /// Lazy pages after this free, as the kernel's event reports them.
    pub nr_lazy: u64,
    /// This free took the counter above the limit.
    pub drain_due: bool,
}

/// No busy area contains the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no area in use contains 0x{addr:016x}")]
pub struct UnknownArea {
    /// The address.
    pub addr: u64,
}

/// Whose an area is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Not eligible for a pool.
    Nobody,
    /// The node of the CPU that allocated it.
    Node(u32),
}

/// What lies at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// An area in use.
    Busy {
        /// Node whose busy tree holds it.
        node: u32,
        /// The area.
        area: AreaId,
    },
    /// Freed, not purged.
    Lazy {
        /// Node whose lazy store holds it.
        node: u32,
        /// The area.
        area: AreaId,
    },
    /// Parked in a pool.
    Pooled {
        /// Node whose pool holds it.
        node: u32,
        /// The area.
        area: AreaId,
    },
    /// Part of a hole.
    Free {
        /// Its node, [`super::NIL`] in the eras that keep no holes.
        hole: AreaId,
        /// All of it.
        extent: Extent,
    },
    /// Nothing the allocator knows of.
    Unknown,
}

/// What one search leaves for the next (2.6.39 to 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachedHole {
    /// The area the next search begins behind (`free_vmap_cache`); `None`: it begins at the start of its window.
    pub behind: Option<Extent>,
    /// `cached_hole_size`, in bytes: a smaller request begins at the start of its window.
    pub hole: u64,
    /// `cached_vstart`: so does one whose window starts lower.
    pub vstart: u64,
    /// `cached_align`, in bytes: and one that is aligned less strictly.
    pub align: u64,
}

/// An era of the kernel's allocator.
///
/// What only newer eras have, pools, nodes and drain work, is absent unless an era says otherwise.
///
/// Every operation that changes state takes `steps`: with `Some`, what happened is described there in order; with
/// `None` nothing is recorded and nothing is paid for it.
pub trait Allocator: Debug + Send + Sync {
    /// Where the request would be placed. Changes nothing.
    ///
    /// # Errors
    /// Says why there is no place. The kernel would purge and try again; here that is the caller's business.
    fn place(&self, request: &Request, steps: Option<&mut Steps>) -> Result<Placement, Refusal>;

    /// Carries out the answer `place` gave for the same state; a refusal can change a pool too. `born` is kept with
    /// the area. Answers the area.
    fn settle(
        &mut self,
        request: &Request,
        answer: Result<Placement, Refusal>,
        born: u32,
        steps: Option<&mut Steps>,
    ) -> Option<Extent>;

    /// The two at once: one allocation.
    ///
    /// # Errors
    /// As [`Allocator::place`].
    fn alloc(&mut self, request: &Request, born: u32, mut steps: Option<&mut Steps>) -> Result<Extent, Refusal> {
        let answer = self.place(request, steps.as_deref_mut());
        match (self.settle(request, answer, born, steps), answer) {
            (Some(extent), _) => Ok(extent),
            (None, Err(refusal)) => Err(refusal),
            (None, Ok(_)) => unreachable!("a placement settles into an area"),
        }
    }

    /// Runs plain ops one after another: compiled for each era, so that nothing in it is called through a table.
    fn run_bulk(&mut self, ops: &[BulkOp], bulk: &mut Bulk, touched: &mut Touched<'_>) {
        bulk::run(self, ops, bulk, touched);
    }

    /// Makes `extent` busy whatever the state says of it. Overlapping areas are dropped, their rest becomes free.
    /// Answers how many areas in use had to go.
    fn adopt(&mut self, extent: Extent, owner: Owner, born: u32, steps: Option<&mut Steps>) -> u32;

    /// Takes the area that contains `addr` out of use and into the lazy store.
    ///
    /// # Errors
    /// No busy area contains `addr`.
    fn free(&mut self, addr: u64, steps: Option<&mut Steps>) -> Result<Freed, UnknownArea>;

    /// Returns everything lazy to the free space (or to pools).
    fn purge(&mut self, kind: PurgeKind, helpers: HelperOrder, steps: Option<&mut Steps>) -> Purged;

    /// One part of a purge, where a trace shows it; answers the areas it returned. The purge itself follows with what
    /// is left. Nothing happens in eras whose purges have no such parts.
    fn purge_part(&mut self, part: PurgePart, steps: Option<&mut Steps>) -> u32 {
        let _ = (part, steps);
        0
    }

    /// Empties every pool; answers the areas that were in them. `None` in eras without pools.
    fn shrink(&mut self, _steps: Option<&mut Steps>) -> Option<u32> {
        None
    }

    /// `pcpu_get_vm_areas`: one area for each group of offset and size in bytes, at one common base as high as possible
    /// below `VMALLOC_END`. `None` if there is no room, or before 2.6.32.
    fn carve_groups(&mut self, groups: &[(u64, u64)], align: u64, steps: Option<&mut Steps>) -> Option<Vec<Extent>>;

    /// The same for one group of `size` bytes.
    fn carve_chunk(&mut self, size: u64, align: u64, steps: Option<&mut Steps>) -> Option<Extent> {
        self.carve_groups(&[(0, size)], align, steps)?.first().copied()
    }

    /// Runs the pending drain work, if any; answers its purges.
    fn drain(&mut self, _helpers: HelperOrder, _steps: Option<&mut Steps>) -> Vec<Purged> {
        Vec::new()
    }

    /// Is the drain work queued?
    fn drain_pending(&self) -> bool {
        false
    }

    /// Queues or unqueues the drain work.
    fn set_drain_pending(&mut self, _pending: bool) {}

    /// Does the freeing task itself purge when the limit is passed (to 5.17)?
    fn drains_inline(&self) -> bool {
        true
    }

    /// `lazy_max_pages()`.
    fn lazy_max_pages(&self) -> u64;

    /// Freed, not yet purged pages.
    fn lazy_pages(&self) -> u64;

    /// `[VMALLOC_START, VMALLOC_END)` as the kernel passes them.
    fn window(&self) -> Window;

    /// Bytes in a page.
    fn page_size(&self) -> u64;

    /// Allocator nodes; 1 before 6.9.
    fn n_nodes(&self) -> u32 {
        1
    }

    /// Are freed areas parked by size, in pools (6.9 and later, with more than one node) or caches?
    fn has_pools(&self) -> bool {
        self.n_nodes() > 1
    }

    /// The arena.
    fn areas(&self) -> &Areas;

    /// The arena, to put it aside and to take it up again.
    fn areas_mut(&mut self) -> &mut Areas;

    /// A tree, where the era has it. The free tree is there from 5.2 on. Up to 2.6.27 there is none at all; from 2.6.28
    /// to 5.1 the busy tree of node 0 holds lazily freed areas too.
    fn tree(&self, id: TreeId) -> Option<TreeView<'_>>;

    /// Calls `visit` with each hole, ascending: the nodes of the free tree, or what lies between the areas of the eras
    /// that keep no holes.
    fn visit_holes(&self, visit: &mut dyn FnMut(Extent));

    /// Calls `visit` with the node and each pooled area, pools in ascending size, from the head.
    fn visit_pools(&self, _visit: &mut dyn FnMut(u32, &VmapArea)) {}

    /// Calls `visit` with each area in use of a node, ascending.
    fn visit_busy(&self, node: u32, visit: &mut dyn FnMut(&VmapArea));

    /// The areas in use that overlap `extent`, ascending.
    fn busy_overlapping(&self, extent: Extent) -> Vec<Extent>;

    /// Calls `visit` with each lazily freed area of a node, in the order of its store.
    fn visit_lazy(&self, node: u32, visit: &mut dyn FnMut(&VmapArea));

    /// Bytes in use; cheap.
    fn busy_bytes(&self) -> u64;

    /// Bytes in pools; cheap.
    fn pooled_bytes(&self) -> u64 {
        0
    }

    /// Bytes of all holes inside the window; cheap.
    fn free_bytes(&self) -> u64;

    /// Holes; cheap.
    fn n_holes(&self) -> u32;

    /// What lies at `addr`.
    fn lookup(&self, addr: u64) -> Place;

    /// Where the next search begins; `None` in the eras whose searches do not remember anything.
    fn cached_hole(&self) -> Option<CachedHole> {
        None
    }

    /// Counts and sums of the present state.
    fn metrics(&self) -> Metrics;

    /// What of them is cheap: takes no longer than a search and a look at the holes outside the window.
    fn gauges(&self) -> Gauges;

    /// The largest hole inside the window, in bytes; cheap.
    fn largest_hole(&self) -> u64;

    /// Writes the state in the text form of the op vectors.
    ///
    /// # Errors
    /// Only what `out` reports.
    fn dump(&self, free_only: bool, out: &mut dyn Write) -> std::fmt::Result;

    /// Recomputes everything derived and compares.
    ///
    /// # Errors
    /// Names the first thing that does not hold.
    fn audit(&self) -> Result<(), Broken>;

    /// Memory held, in bytes.
    fn heap_bytes(&self) -> u64;

    /// A copy, for a checkpoint.
    fn boxed_clone(&self) -> Box<dyn Allocator>;
}

impl Clone for Box<dyn Allocator> {
    fn clone(&self) -> Self {
        self.boxed_clone()
    }
}
