//! [`AddressSpace`]: an allocator, the page tables it has needed, and the one way to change both.

mod aside;
mod digest;
#[cfg(test)]
mod tests;

pub use digest::digest_of;

use super::allocator::{Allocator, Freed, HelperOrder, Owner, PurgeKind, PurgePart, Purged};
use super::bulk::{Bulk, BulkOp, Touched};
use super::extent::Extent;
use super::memory::{Memory, MemoryAnswer, MemoryOp};
use super::page_table::{Geometry, TablesTouched};
use super::request::{BadRequest, Groups, Placement, Refusal, Request};
use super::step::{Step, Steps};

/// A resolved operation: what the allocator did, as far as the trace and the model together can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// The model's own answer stands. What is behind the area follows from what is known of the record.
    Alloc {
        /// The request.
        request: Request,
        /// Record that reports it.
        born: u32,
    },
    /// The recorded address is forced into the state.
    Adopt {
        /// The area.
        extent: Extent,
        /// Whose it is.
        owner: Owner,
        /// Record that reports it.
        born: u32,
    },
    /// The same of a request that says itself what is behind the area (`alloc_vmap_area` alone).
    Search {
        /// The request.
        request: Request,
        /// Record that reports it.
        born: u32,
    },
    /// An area is freed, with what is behind it.
    Free {
        /// An address inside it.
        addr: u64,
    },
    /// The same by a request that says itself what becomes of the rest (`remove_vm_area` alone).
    Remove {
        /// An address inside it.
        addr: u64,
        /// Its page-table entries are cleared: with it, or by the purge where a release does it so.
        unmaps: bool,
    },
    /// What a request does around the allocator.
    Memory(MemoryOp),
    /// `pcpu_get_vm_areas`, called by a script.
    Chunks {
        /// The groups.
        groups: Groups,
        /// Alignment, a power of two.
        align: u64,
    },
    /// A purge.
    Purge {
        /// Which.
        kind: PurgeKind,
        /// When its helper works run.
        helpers: HelperOrder,
        /// The drain work that a free has queued is done with as well: traces do not tell whose purge it was.
        unqueues: bool,
    },
    /// A part of a purge, ahead of the purge that ends it.
    PurgePart(PurgePart),
    /// The queued drain work runs (`drain_vmap_area_work`).
    Drain {
        /// When the helper works of its purge run.
        helpers: HelperOrder,
    },
    /// The shrinker empties the pools (`vmap_node_shrink_scan`).
    Shrink,
    /// A request that is refused before anything is searched.
    Reject {
        /// What is wrong with it.
        bad: BadRequest,
    },
    /// An unseen per-CPU chunk area is carved.
    Chunk {
        /// Bytes.
        size: u64,
        /// Alignment, a power of two.
        align: u64,
    },
}

/// What an operation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The area now in use.
    Placed(Extent),
    /// No space.
    Refused(Refusal),
    /// The recorded area, and how many live areas it displaced.
    Adopted {
        /// The area.
        extent: Extent,
        /// Areas in use that had to go.
        displaced: u32,
    },
    /// The area now lazy.
    Freed(Freed),
    /// Nothing to free at that address.
    UnknownFree(u64),
    /// What came back.
    Purged(Purged),
    /// Areas that a part of a purge returned.
    Returned(u32),
    /// The chunk area.
    Chunk(Option<Extent>),
    /// What the drain work purged.
    Drained(Vec<Purged>),
    /// Areas that were in pools; `None` in eras without pools.
    Shrunk(Option<u32>),
    /// A request that cannot be one.
    Rejected(BadRequest),
    /// What the memory answers.
    Memory(MemoryAnswer),
    /// The areas of a chunk, one for each group; none if there was no room.
    Chunks(Vec<Extent>),
}

/// Everything one record did.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The answers, one per operation.
    pub answers: Vec<Answer>,
    /// The steps of all of them, in order.
    pub steps: Steps,
}

/// What becomes of what is behind an area that goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Behind {
    /// All of it goes: entries, pages, objects.
    Goes,
    /// Its entries do.
    IsUnmapped,
    /// Nothing does.
    Stays,
}

/// The address space of one machine under one policy.
#[derive(Debug, Clone)]
pub struct AddressSpace {
    allocator: Box<dyn Allocator>,
    geometry: &'static Geometry,
    tables: TablesTouched,
    memory: Option<Box<Memory>>,
    failures: u64,
}

impl AddressSpace {
    /// An address space around an allocator in its initial state.
    pub fn new(allocator: Box<dyn Allocator>, geometry: &'static Geometry) -> Self {
        Self { allocator, geometry, tables: TablesTouched::default(), memory: None, failures: 0 }
    }

    /// The same with what is behind the areas: of those in use now, what is known of them.
    #[must_use]
    pub fn with_memory(mut self, mut memory: Memory) -> Self {
        for node in 0..self.allocator.n_nodes() {
            self.allocator.visit_busy(node, &mut |area| {
                if let Some(extent) = Extent::new(area.start, area.end) {
                    memory.follow(extent, area.born, None);
                }
            });
        }
        memory.count_ranges(self.allocator.areas().live());
        self.memory = Some(Box::new(memory));
        self
    }

    /// A copy that does not follow what is behind the areas. Page tables needed before are not counted in it.
    #[must_use]
    pub fn without_memory(&self) -> Self {
        let (allocator, tables) = (self.allocator.clone(), self.tables.clone());
        Self { allocator, geometry: self.geometry, tables, memory: None, failures: self.failures }
    }

    /// Applies one operation; the only way state changes.
    pub fn apply(&mut self, op: &Op, mut steps: Option<&mut Steps>) -> Answer {
        let answer = match *op {
            Op::Alloc { request, born } => {
                let answer = self.search(&request, born, steps.as_deref_mut());
                if let (Some(memory), Answer::Placed(extent)) = (&mut self.memory, &answer) {
                    memory.follow(*extent, born, steps);
                }
                answer
            }
            Op::Search { request, born } => self.search(&request, born, steps),
            Op::Adopt { extent, owner, born } => {
                let followed = self.memory.is_some();
                let in_use = if followed { self.allocator.busy_overlapping(extent) } else { Vec::new() };
                let displaced = self.allocator.adopt(extent, owner, born, steps.as_deref_mut());
                match &mut self.memory {
                    Some(memory) => {
                        memory.release_displaced(extent, &in_use);
                        memory.follow(extent, born, steps);
                    }
                    None => self.tables.map(self.geometry, extent),
                }
                Answer::Adopted { extent, displaced }
            }
            Op::Free { addr } => self.remove(addr, Behind::Goes, steps),
            Op::Remove { addr, unmaps } => {
                self.remove(addr, if unmaps { Behind::IsUnmapped } else { Behind::Stays }, steps)
            }
            Op::Purge { kind, helpers, unqueues } => {
                if unqueues {
                    self.allocator.set_drain_pending(false);
                }
                let purged = self.allocator.purge(kind, helpers, steps.as_deref_mut());
                self.after_purge(&purged, steps);
                Answer::Purged(purged)
            }
            Op::PurgePart(part) => Answer::Returned(self.allocator.purge_part(part, steps)),
            Op::Drain { helpers } => {
                let purges = self.allocator.drain(helpers, steps.as_deref_mut());
                for purged in &purges {
                    self.after_purge(purged, steps.as_deref_mut());
                }
                Answer::Drained(purges)
            }
            Op::Shrink => Answer::Shrunk(self.allocator.shrink(steps)),
            Op::Reject { bad } => {
                self.failures += 1;
                Answer::Rejected(bad)
            }
            Op::Chunk { size, align } => {
                let carved = self.allocator.carve_chunk(size, align, steps.as_deref_mut());
                if let Some(extent) = carved {
                    match &mut self.memory {
                        Some(memory) => memory.follow_chunk(extent, steps),
                        None => self.tables.map(self.geometry, extent),
                    }
                }
                Answer::Chunk(carved)
            }
            Op::Chunks { groups, align } => {
                let groups = groups.bytes(self.allocator.page_size());
                Answer::Chunks(self.allocator.carve_groups(&groups, align, steps).unwrap_or_default())
            }
            Op::Memory(op) => match &mut self.memory {
                Some(memory) => Answer::Memory(memory.apply(&op, steps)),
                None => Answer::Memory(MemoryAnswer::Nothing),
            },
        };
        if let Some(memory) = &mut self.memory {
            memory.count_ranges(self.allocator.areas().live());
        }
        answer
    }

    /// Runs plain ops without a word about them. Of what is behind areas only page tables are counted: a space that
    /// follows the rest applies its operations one by one.
    pub(crate) fn run_bulk(&mut self, ops: &[BulkOp], bulk: &mut Bulk) {
        let refused = bulk.refusals;
        let mut touched = Touched { geometry: self.geometry, tables: &mut self.tables };
        self.allocator.run_bulk(ops, bulk, &mut touched);
        self.failures += bulk.refusals - refused;
    }

    fn search(&mut self, request: &Request, born: u32, mut steps: Option<&mut Steps>) -> Answer {
        let answer = self.allocator.place(request, steps.as_deref_mut());
        self.settle(request, answer, born, steps)
    }

    fn remove(&mut self, addr: u64, behind: Behind, mut steps: Option<&mut Steps>) -> Answer {
        let from = steps.as_deref().map_or(0, Vec::len);
        match self.allocator.free(addr, steps.as_deref_mut()) {
            Ok(freed) => {
                if let Some(memory) = &mut self.memory {
                    memory.removed(freed.extent, behind, from, steps);
                }
                Answer::Freed(freed)
            }
            Err(unknown) => {
                if let Some(steps) = steps {
                    steps.push(Step::UnknownFree { addr: unknown.addr });
                }
                Answer::UnknownFree(unknown.addr)
            }
        }
    }

    fn after_purge(&mut self, purged: &Purged, steps: Option<&mut Steps>) {
        if let Some(memory) = &mut self.memory {
            memory.purged(purged.flush, steps);
        }
    }

    /// Carries out the answer `place` gave for this very state: what [`Op::Alloc`] does after its search.
    pub(crate) fn settle(
        &mut self,
        request: &Request,
        answer: Result<Placement, Refusal>,
        born: u32,
        steps: Option<&mut Steps>,
    ) -> Answer {
        match (self.allocator.settle(request, answer, born, steps), answer) {
            (Some(extent), _) => {
                if self.memory.is_none() {
                    self.tables.map(self.geometry, extent);
                }
                Answer::Placed(extent)
            }
            (None, Err(refusal)) => {
                self.failures += 1;
                Answer::Refused(refusal)
            }
            (None, Ok(_)) => unreachable!("a placement settles into an area"),
        }
    }

    /// The allocator.
    pub fn allocator(&self) -> &dyn Allocator {
        self.allocator.as_ref()
    }

    /// Page-table geometry of the machine.
    pub fn geometry(&self) -> &'static Geometry {
        self.geometry
    }

    /// What is behind the areas, if that is followed.
    pub fn memory(&self) -> Option<&Memory> {
        self.memory.as_deref()
    }

    /// Page tables that areas have needed so far, without those that exist from boot.
    pub fn n_tables(&self) -> u64 {
        self.memory.as_ref().map_or_else(|| self.tables.count(), |memory| memory.tables().count())
    }

    /// Requests refused so far.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// A hash of the whole state: same input, same digest, on any machine.
    pub fn digest(&self) -> u64 {
        digest_of(self.allocator(), false)
    }

    /// Memory held, in bytes.
    pub fn heap_bytes(&self) -> u64 {
        let memory = self.memory.as_ref().map_or(0, |memory| memory.heap_bytes());
        self.allocator.heap_bytes() + self.tables.heap_bytes() + memory
    }
}
