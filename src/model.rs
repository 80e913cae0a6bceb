//! The address space: what the kernel's allocator is made of, without a policy and without a terminal.
//!
//! Pure and deterministic: no clock, no files, no randomness.

pub mod allocator;
pub mod areas;
pub mod audit;
pub mod bulk;
pub mod contrast;
pub mod costs;
pub mod extent;
pub mod frames;
pub mod free_space;
pub mod memory;
pub mod metrics;
pub mod page_table;
pub mod plant;
pub mod rbtree;
pub mod request;
pub mod search;
pub mod slab;
pub mod space;
pub mod stage;
pub mod step;
pub mod usage;
mod varint;

pub use allocator::{
    Allocator, CachedHole, Freed, HelperOrder, Owner, Place, PurgeKind, PurgePart, Purged, UnknownArea,
};
pub(crate) use areas::Kind;
pub use areas::{AreaId, Areas, NIL, VmapArea};
pub use bulk::{Bulk, BulkOp};
pub use extent::{Extent, Fit, fit_of};
pub use memory::{BlockPlan, Memory, MemoryAnswer, MemoryOp, MemorySetup};
pub use metrics::{ALL_FRAGMENTED, Gauges, Metrics};
pub use plant::Seedling;
pub use rbtree::{Tree, TreeId, TreeView};
pub use request::{BadRequest, Groups, Placement, Refusal, RefusalReason, Request, Source};
pub use space::{AddressSpace, Answer, Op, Outcome};
pub use stage::Stage;
pub use step::{
    At, CacheAnswer, LengthReason, Look, Merge, Pass, PoolAnswer, Rewind, RuleOrder, Sink, Step, Steps, TreeNode,
    TreeStep, Turn, WalkFrom,
};
pub use usage::{CallerId, Provenance, Usage, UsageKind, Usages};
