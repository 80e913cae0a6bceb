//! [`Step`]: what the allocator did inside one operation, in order, in the kernel's words.
//!
//! The hot path is generic over [`Sink`]; with `()` every step costs nothing.

pub mod rule;
pub mod tree;
mod walk;

use super::allocator::PurgePart;
use super::areas::AreaId;
use super::extent::{Extent, Fit};
use super::rbtree::TreeId;
use super::request::RefusalReason;
use super::stage::Stage;

pub use rule::{CacheAnswer, Look, RuleOrder};
pub use tree::{At, TreeNode, TreeStep};
pub use walk::{Pass, Rewind, WalkFrom};

/// The steps of one operation.
pub type Steps = Vec<Step>;

/// Receives steps.
pub trait Sink {
    /// Are steps wanted at all?
    const WANTED: bool;

    /// Takes the step that `make` describes, if steps are wanted.
    fn step(&mut self, make: impl FnOnce() -> Step);
}

impl Sink for () {
    const WANTED: bool = false;

    fn step(&mut self, _make: impl FnOnce() -> Step) {}
}

impl Sink for Steps {
    const WANTED: bool = true;

    fn step(&mut self, make: impl FnOnce() -> Step) {
        self.push(make());
    }
}

/// Why the search asks for more bytes than the request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthReason {
    /// `align` is at most a page: the size is enough (5.17 and later).
    PageAligned,
    /// The request fills its whole window: the size is enough (5.19 and later).
    ExactWindow,
    /// `size + align - 1`, so that any hole of that length fits wherever it starts.
    RoomForAlignment,
    /// The release always asks for the bare size (5.17).
    AlwaysSize,
}

/// Where the search went from a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// To the left child, which advertises a large enough hole at lower addresses.
    Left,
    /// To the right child.
    Right,
    /// The node fits: the search ends here.
    Fits,
    /// Back up: neither the node nor a child can serve.
    Up,
    /// Passed on the way up, and down again into its right subtree.
    UpThenRight,
}

/// What happened to a range that joined a tree (`merge_or_add_vmap_area`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// A node of its own.
    None,
    /// Became the lower part of its upper neighbour.
    Next,
    /// Became the upper part of its lower neighbour.
    Previous,
    /// Closed the gap between two neighbours; the upper one's node is gone.
    Both,
}

/// What the pool of a node said (`node_pool_del_va`, 6.9 and later).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolAnswer {
    /// The pool's head is given out.
    Hit(Extent),
    /// The pool is empty.
    Empty,
    /// The head is not aligned: it goes to the tail, and the tree is asked.
    Rotated(Extent),
    /// No pool holds areas of this size (more than 256 pages).
    NoSuchPool,
    /// The request's window is not the whole vmalloc range, or there is only one node.
    NotEligible,
}

/// One thing the allocator did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// `node_alloc` looked at the pool of `pages`-page areas of a node.
    PoolAsked {
        /// The node.
        node: u32,
        /// Pages of the request.
        pages: u64,
        /// What was found.
        answer: PoolAnswer,
    },
    /// `find_vmap_lowest_match` begins.
    SearchBegun {
        /// Bytes a subtree must advertise to be entered.
        length: u64,
        /// Why that many.
        why: LengthReason,
        /// Lowest address allowed.
        vstart: u64,
    },
    /// The search looked at a node.
    Visited {
        /// The node.
        hole: AreaId,
        /// Its range at that moment.
        extent: Extent,
        /// Its `subtree_max` at that moment.
        subtree_max: u64,
        /// Where it went from there.
        turn: Turn,
    },
    /// The search rewinds to the start of the window and forgets the holes it has passed (2.6.39 to 5.1).
    Rewound {
        /// Why.
        why: Rewind,
    },
    /// A walk over the areas begins (to 5.1).
    WalkBegun {
        /// Where.
        from: WalkFrom,
        /// The first candidate.
        candidate: u64,
    },
    /// The walk passes an area (to 5.1).
    Passed {
        /// The area.
        area: Extent,
        /// Why.
        why: Pass,
        /// The candidate from here on.
        candidate: u64,
    },
    /// The walk has passed a longer hole than before: later requests that are shorter rewind (2.6.39 to 5.1).
    HoleRemembered {
        /// `cached_hole_size`, in bytes.
        bytes: u64,
    },
    /// The candidate stands (to 5.1).
    GapFound {
        /// The whole hole.
        hole: Extent,
        /// The candidate.
        candidate: u64,
    },
    /// The next search begins elsewhere, because an area was removed (2.6.39 to 5.1).
    CacheMoved {
        /// The area it begins behind; `None`: it rewinds.
        to: Option<Extent>,
    },
    /// The search or the window said no.
    Refused {
        /// Why.
        reason: RefusalReason,
    },
    /// `classify_va_fit_type` and `va_clip`.
    Clipped {
        /// The hole before.
        hole: Extent,
        /// What was taken.
        placed: Extent,
        /// The case.
        fit: Fit,
    },
    /// The area joined a busy tree (`insert_vmap_area`).
    BusyAdded {
        /// The node, by address.
        node: u32,
        /// The area.
        extent: Extent,
    },
    /// The area left its busy tree (`find_unlink_vmap_area`).
    BusyRemoved {
        /// The node it was found in.
        node: u32,
        /// The area.
        extent: Extent,
    },
    /// The area joined a lazy store (`free_vmap_area_noflush`).
    LazyAdded {
        /// The node: of the allocating CPU, or of the address.
        node: u32,
        /// The area.
        extent: Extent,
        /// Was it fused with lazy neighbours (5.11 to 6.8)?
        merge: Merge,
        /// Lazy pages after it.
        lazy_pages: u64,
        /// The limit above which a drain is due.
        lazy_max_pages: u64,
    },
    /// The lazy pages went above the limit.
    DrainDue {
        /// Lazy pages.
        lazy_pages: u64,
        /// The limit.
        lazy_max_pages: u64,
        /// Purged by the freeing task at once (to 5.17) rather than by a worker.
        inline: bool,
    },
    /// `__purge_vmap_area_lazy` begins.
    PurgeBegun {
        /// Pools decay completely and are not refilled.
        full: bool,
        /// Lazy pages at that moment.
        lazy_pages: u64,
    },
    /// A purge that is recorded later comes so far: inferred, no record says so.
    PurgeGoesOn {
        /// What it does next.
        part: PurgePart,
        /// Areas it is about: of a pool before it decays, or of what has been taken off a node.
        n_areas: u32,
    },
    /// `decay_va_pool_node` took areas out of a pool (6.9 and later).
    Decayed {
        /// The node.
        node: u32,
        /// Pages of the pool's areas.
        pages: u32,
        /// Areas taken out.
        taken: u32,
        /// Areas left.
        left: u32,
    },
    /// One TLB flush over `[start, end)`.
    Flushed {
        /// Lowest address.
        start: u64,
        /// End.
        end: u64,
    },
    /// A purged area went to a pool instead of the free tree (6.9 and later).
    Pooled {
        /// The node.
        node: u32,
        /// The area.
        extent: Extent,
    },
    /// A range came back to the free tree (`merge_or_add_vmap_area_augment`).
    Returned {
        /// The range.
        extent: Extent,
        /// The hole it is part of now.
        hole: Extent,
        /// How it joined.
        merge: Merge,
    },
    /// The purge is over.
    PurgeEnded {
        /// Areas (6.9 and later) or fused ranges returned.
        n_areas: u32,
        /// Lazy pages left.
        lazy_pages: u64,
    },
    /// `pcpu_get_vm_areas` carved a chunk area; no record announces it.
    ChunkCarved {
        /// The area.
        extent: Extent,
    },
    /// The recorded address was forced into the state.
    Adopted {
        /// The area.
        extent: Extent,
    },
    /// The shrinker emptied every pool (6.9 and later).
    Shrunk {
        /// Areas that were pooled.
        n_areas: u32,
    },
    /// A free named an address that is no area's.
    UnknownFree {
        /// The address.
        addr: u64,
    },
    /// A policy that is not the kernel's begins to search.
    RuleBegun {
        /// Which holes it goes through.
        order: RuleOrder,
    },
    /// It looked at a hole.
    Looked {
        /// The hole.
        hole: Extent,
        /// What it made of it.
        look: Look,
    },
    /// It drew an address (randomised).
    Drawn {
        /// The address.
        addr: u64,
        /// The area fits there.
        fits: bool,
    },
    /// The caches of a CPU were asked (vmem).
    CacheAsked {
        /// The CPU.
        cpu: u32,
        /// Pages of the request.
        pages: u64,
        /// What was found.
        answer: CacheAnswer,
    },
    /// A block was cut into halves; the upper one is free (buddy).
    Halved {
        /// The block before.
        block: Extent,
    },
    /// A free block and its buddy became one (buddy).
    Joined {
        /// The block they became.
        block: Extent,
    },
    /// The next search begins at another address (next fit).
    RoverMoved {
        /// The address.
        to: u64,
    },
    /// What happened inside a tree.
    Tree {
        /// The tree.
        tree: TreeId,
        /// What.
        what: TreeStep,
    },
    /// A stage of a request around the allocator.
    Stage(Stage),
}

impl Step {
    /// Is it one look of a search: at a node, an area, a hole, an address or a pool?
    pub fn is_look(&self) -> bool {
        matches!(
            self,
            Self::PoolAsked { .. }
                | Self::Visited { .. }
                | Self::Passed { .. }
                | Self::GapFound { .. }
                | Self::Looked { .. }
                | Self::Drawn { .. }
                | Self::CacheAsked { .. }
        )
    }

    /// Is it a step inside a tree? Others are counted without them, where a text names a step by its number.
    pub fn is_in_tree(&self) -> bool {
        matches!(self, Self::Tree { .. })
    }
}

/// Where the `n`th step, from 0, stands among all, if those inside trees do not count.
pub fn nth_outside_trees(steps: &[Step], n: usize) -> Option<usize> {
    steps.iter().enumerate().filter(|(_, step)| !step.is_in_tree()).map(|(at, _)| at).nth(n)
}
