//! [`Locks`]: how often CPUs would have waited for each other, estimated from the stamps of the trace.
//!
//! # What is assumed
//!
//! * An operation begins at the stamp of its record, in every lane: nobody issues requests later because a lane is slow.
//! * It takes the locks of its release one after the other and holds each for [`HOLD_NS`], plus [`STEP_NS`] for each area or
//!   hole that its search looks at under that lock; a purge holds the lock of the free space [`RETURN_NS`] for each area it
//!   returns.
//! * A lock that another CPU still holds is waited for; the CPU's own operations are one after the other anyway.
//!
//! | releases | an allocation takes | a free takes | a purge takes |
//! | --- | --- | --- | --- |
//! | to 2.6.27 | `vmlist_lock` | `vmlist_lock` | |
//! | 2.6.28 to 5.1 | `vmap_area_lock` | the same | the same |
//! | 5.2 to 6.8 | `free_vmap_area_lock`, `vmap_area_lock` | `vmap_area_lock` | `free_vmap_area_lock` |
//! | 6.9 and later | the pool of its node, and if that has none `free_vmap_area_lock`; the busy tree of the address's node | the busy tree of the address's node, the lazy store of the owner's | `free_vmap_area_lock` |
//! | others | one lock | the same | the same |
//!
//! Stamps are as fine as the trace clock, and that is mostly a microsecond: the estimate compares lanes, it is no
//! prediction.

use std::collections::HashMap;

use crate::log::{Clock, Log};
use crate::model::{Allocator, Extent};
use crate::policy::Rules;
use crate::policy::rules::{FreeSpace, LazyStore};

/// Nanoseconds a lock is held at least.
pub const HOLD_NS: u64 = 50;
/// Nanoseconds for each area or hole a search looks at.
pub const STEP_NS: u64 = 10;
/// Nanoseconds for each area a purge returns.
pub const RETURN_NS: u64 = 50;

/// A lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Lock {
    /// Of the free space, or the only one.
    Space,
    /// Of all areas in use (5.2 to 6.8).
    Busy,
    /// The pools of a node.
    Pool(u32),
    /// The areas in use of a node.
    BusyOf(u32),
    /// The lazy store of a node.
    LazyOf(u32),
}

/// Which locks a release has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    One,
    Two,
    Nodes,
}

/// The estimate.
#[derive(Debug, Clone)]
pub struct Locks {
    scheme: Scheme,
    n_nodes: u32,
    /// Bytes that have a node together.
    node_bytes: u64,
    /// Until when each lock is held, and by which CPU.
    held: HashMap<Lock, (u64, u16)>,
    now: u64,
    cpu: u16,
    /// Sections that had to wait.
    pub contended: u64,
    /// Nanoseconds they waited.
    pub wait_ns: u64,
    /// Sections.
    pub sections: u64,
}

/// Pages that have a node together (`VMAP_ZONE_SIZE`: 16 pages).
const NODE_PAGES: u64 = 16;

impl Locks {
    /// `None` where the trace has no times, or not the CPUs.
    pub fn of(log: &Log, rules: &Rules, allocator: &dyn Allocator) -> Option<Self> {
        let has_times = log.origin.clock == Clock::Nanos && log.script.is_none();
        let has_cpus = log.events.first().is_some_and(|event| event.known_cpu().is_some());
        let scheme = match (rules.free_space, rules.lazy) {
            (FreeSpace::FreeTree, LazyStore::PerNode) => Scheme::Nodes,
            (FreeSpace::FreeTree, _) => Scheme::Two,
            _ => Scheme::One,
        };
        (has_times && has_cpus).then(|| Self {
            scheme,
            n_nodes: allocator.n_nodes().max(1),
            node_bytes: NODE_PAGES * allocator.page_size(),
            held: HashMap::new(),
            now: 0,
            cpu: 0,
            contended: 0,
            wait_ns: 0,
            sections: 0,
        })
    }

    /// What follows happens at this stamp, on this CPU.
    pub fn begin(&mut self, at: u64, cpu: u16) {
        (self.now, self.cpu) = (at, cpu);
    }

    /// An allocation, or an attempt at one: its steps, whether a pool had it, and its area.
    pub fn alloc(&mut self, steps: u64, from_pool: bool, area: Option<Extent>) {
        let searched = HOLD_NS + steps * STEP_NS;
        match self.scheme {
            Scheme::One => self.hold(Lock::Space, searched),
            Scheme::Two => {
                self.hold(Lock::Space, searched);
                self.hold_busy(area);
            }
            Scheme::Nodes => {
                self.hold(Lock::Pool(u32::from(self.cpu) % self.n_nodes), HOLD_NS);
                if !from_pool {
                    self.hold(Lock::Space, searched);
                }
                self.hold_busy(area);
            }
        }
    }

    /// A free.
    pub fn free(&mut self, area: Extent) {
        match self.scheme {
            Scheme::One => self.hold(Lock::Space, HOLD_NS),
            Scheme::Two => self.hold(Lock::Busy, HOLD_NS),
            Scheme::Nodes => {
                self.hold_busy(Some(area));
                self.hold(Lock::LazyOf(self.node_of(area)), HOLD_NS);
            }
        }
    }

    /// A purge that returns so many areas.
    pub fn purge(&mut self, n_areas: u64) {
        self.hold(Lock::Space, HOLD_NS + n_areas * RETURN_NS);
    }

    fn hold_busy(&mut self, area: Option<Extent>) {
        let Some(area) = area else { return };
        let lock = if self.scheme == Scheme::Nodes { Lock::BusyOf(self.node_of(area)) } else { Lock::Busy };
        self.hold(lock, HOLD_NS);
    }

    fn node_of(&self, area: Extent) -> u32 {
        ((area.start() / self.node_bytes) % u64::from(self.n_nodes)) as u32
    }

    fn hold(&mut self, lock: Lock, nanos: u64) {
        let (until, by) = self.held.get(&lock).copied().unwrap_or((0, self.cpu));
        self.sections += 1;
        if self.now < until && by != self.cpu {
            self.contended += 1;
            self.wait_ns += until - self.now;
            self.now = until;
        }
        self.now = self.now.saturating_add(nanos);
        self.held.insert(lock, (self.now, self.cpu));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locks(scheme: Scheme) -> Locks {
        let held = HashMap::new();
        Locks { scheme, n_nodes: 2, node_bytes: 65_536, held, now: 0, cpu: 0, contended: 0, wait_ns: 0, sections: 0 }
    }

    #[test]
    fn sections_that_overlap_wait() {
        let mut one = locks(Scheme::One);
        one.begin(1000, 0);
        one.alloc(5, false, None);
        one.begin(1040, 1);
        one.free(Extent::new(0, 4096).expect("not empty"));
        assert_eq!((one.contended, one.wait_ns), (1, 60));
        one.begin(1100, 1);
        one.alloc(0, false, None);
        assert_eq!(one.contended, 1, "its own operations are one after the other");
    }

    #[test]
    fn pools_of_different_nodes_do_not_meet() {
        let area = |start: u64| Extent::new(start, start + 4096);
        let mut nodes = locks(Scheme::Nodes);
        nodes.begin(1000, 0);
        nodes.alloc(0, true, area(0));
        nodes.begin(1000, 1);
        nodes.alloc(0, true, area(65_536));
        assert_eq!((nodes.contended, nodes.sections), (0, 4));
        nodes.begin(1010, 1);
        nodes.alloc(0, false, area(65_536));
        nodes.begin(1010, 0);
        nodes.alloc(0, false, area(0));
        assert_eq!(nodes.contended, 1, "the tree is one");
    }
}
