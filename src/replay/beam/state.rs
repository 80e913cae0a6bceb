//! [`State`]: one way the allocator can have come to stand, with the way it came.

use std::rc::Rc;

use crate::log::Window;
use crate::model::{AddressSpace, AreaId, Extent, Op, Owner, Request, TreeId, VmapArea};
use crate::policy::rules::{LazyStore, Rules};

use super::super::Machine;
use super::busy::{Area, Busy};
use super::holes::Holes;
use super::mix;
use super::path::{Path, Tag};
use super::pools::{MAX_PAGES, Pools};
use super::purge::Purge;

/// What is the same in every state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Env {
    pub(super) rules: Rules,
    pub(super) window: Window,
    pub(super) page_size: u64,
    pub(super) n_nodes: u32,
    pub(super) lazy_max: u64,
    /// Bytes of a stretch of addresses that belongs to one node.
    zone: u64,
}

impl Env {
    pub(super) fn new(machine: &Machine, space: &AddressSpace) -> Self {
        Self {
            rules: machine.policy.rules,
            window: machine.window,
            page_size: machine.page_size,
            n_nodes: space.allocator().n_nodes(),
            lazy_max: space.allocator().lazy_max_pages().max(1),
            zone: 16 * machine.page_size,
        }
    }

    pub(super) fn node_of(&self, addr: u64) -> u32 {
        (addr / self.zone % u64::from(self.n_nodes)) as u32
    }

    /// The node whose lazy list an area joins.
    pub(super) fn lazy_node(&self, area: &Area) -> u32 {
        if area.owner == 0 { self.node_of(area.start) } else { area.owner - 1 }
    }

    pub(super) fn pages(&self, area: &Area) -> u64 {
        (area.end - area.start) / self.page_size
    }

    /// Whose the area of a request is: its CPU's node if it can go to a pool.
    pub(super) fn owner_of(&self, request: &Request) -> Owner {
        if self.is_poolable(request) { Owner::Node(request.cpu % self.n_nodes) } else { Owner::Nobody }
    }

    pub(super) fn is_poolable(&self, request: &Request) -> bool {
        self.n_nodes > 1 && request.window == self.window
    }

    /// Does a purge return what it took off piece by piece, other CPUs in between (up to 6.8)?
    pub(super) fn returns_singly(&self) -> bool {
        self.fuses() || self.is_stack()
    }

    /// Are those pieces ascending fused ranges?
    pub(super) fn fuses(&self) -> bool {
        self.rules.lazy == LazyStore::MergingTree
    }

    /// Are they areas, the newest first?
    fn is_stack(&self) -> bool {
        self.rules.lazy == LazyStore::Stack
    }
}

/// An area whose free has begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Late {
    pub(super) area: Area,
    /// Where.
    pub(super) cpu: u16,
    /// So many purges begin before the CPU goes on.
    pub(super) n_purges: u32,
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Pool { node: u32, start: u64 },
    Tree { hole: AreaId, start: u64 },
}

impl Found {
    pub(super) fn start(self) -> u64 {
        match self {
            Self::Pool { start, .. } | Self::Tree { start, .. } => start,
        }
    }
}

/// A state of the allocator among others.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) holes: Rc<Holes>,
    pub(super) busy: Busy,
    /// By node.
    pub(super) pools: Vec<Rc<Pools>>,
    /// By node: freed, not yet taken off by a purge.
    pub(super) lazy: Vec<Rc<Vec<Area>>>,
    lazy_hash: u64,
    /// Lazy pages as the kernel counts them.
    pub(super) counter: u64,
    /// How far the purge has got that is recorded next.
    pub(super) purge: Purge,
    /// Records that took effect before their place, ascending.
    pub(super) early: Vec<u32>,
    /// Which records it believed and which not, where nothing explained them: equal for equal beliefs.
    pub(super) beliefs: u64,
    /// Areas whose free has begun, and comes after the purge that is recorded next has taken the lists off.
    pub(super) late: Vec<Late>,
    /// Which of the states at the start it comes from.
    pub(super) start: usize,
    /// What is against it.
    pub(super) cost: f64,
    /// What it did in the present record.
    pub(super) acts: Vec<Op>,
    /// How the present record is explained.
    pub(super) tag: Tag,
    pub(super) path: Path,
}

impl State {
    /// The state before the first record.
    pub(super) fn new(env: &Env, space: &AddressSpace) -> Self {
        let allocator = space.allocator();
        let holes = allocator.tree(TreeId::Free).map(|view| Holes::of(&view)).unwrap_or_default();
        let mut new = Self {
            holes: Rc::new(holes),
            busy: Busy::default(),
            pools: vec![Rc::default(); env.n_nodes as usize],
            lazy: vec![Rc::default(); env.n_nodes as usize],
            lazy_hash: 0,
            counter: allocator.lazy_pages(),
            purge: Purge::default(),
            early: Vec::new(),
            beliefs: 0,
            late: Vec::new(),
            start: 0,
            cost: 0.0,
            acts: Vec::new(),
            tag: Tag::Plain,
            path: Path::default(),
        };
        let area = |area: &VmapArea| Area { start: area.start, end: area.end, owner: area.owner, born: area.born };
        for node in 0..env.n_nodes {
            allocator.visit_busy(node, &mut |busy| new.busy.insert(area(busy)));
            allocator.visit_lazy(node, &mut |lazy| new.add_lazy(node, area(lazy)));
            if env.is_stack() {
                // They came the newest first.
                Rc::make_mut(&mut new.lazy[node as usize]).reverse();
            }
        }
        let mut pooled = Vec::new();
        allocator.visit_pools(&mut |node, area| pooled.push((node, area.start, area.end)));
        for (node, start, end) in pooled.into_iter().rev() {
            Rc::make_mut(&mut new.pools[node as usize]).push((end - start) / env.page_size, start);
        }
        new
    }

    /// The holes, to change them: copied if another state has the same ones.
    pub(super) fn holes_mut(&mut self) -> &mut Holes {
        Rc::make_mut(&mut self.holes)
    }

    /// What the state answers to a request.
    pub(super) fn place(&self, env: &Env, request: &Request) -> Option<Found> {
        if let Some(found) = self.ask_pool(env, request) {
            return Some(found);
        }
        let (hole, start) = self.holes.find(&env.rules, env.page_size, request)?;
        Some(Found::Tree { hole, start })
    }

    fn ask_pool(&self, env: &Env, request: &Request) -> Option<Found> {
        if !request.first_attempt || !env.is_poolable(request) {
            return None;
        }
        let node = request.cpu % env.n_nodes;
        let start = self.pools[node as usize].head(request.size / env.page_size)?;
        (start & (request.align - 1) == 0).then_some(Found::Pool { node, start })
    }

    /// Carries out the answer `place` gave.
    pub(super) fn alloc(&mut self, env: &Env, request: &Request, found: Option<Found>, born: u32) {
        self.acts.push(Op::Alloc { request: *request, born });
        let node = request.cpu % env.n_nodes;
        let pages = request.size / env.page_size;
        let poolable = env.is_poolable(request);
        match found {
            Some(Found::Pool { node, .. }) => {
                Rc::make_mut(&mut self.pools[node as usize]).pop(pages);
            }
            Some(Found::Tree { .. }) | None => {
                if poolable && request.first_attempt && self.pools[node as usize].head(pages).is_some() {
                    Rc::make_mut(&mut self.pools[node as usize]).rotate(pages);
                }
            }
        }
        let Some(extent) = found.and_then(|found| Extent::sized(found.start(), request.size)) else { return };
        if let Some(Found::Tree { hole, .. }) = found {
            self.holes_mut().carve(hole, extent);
        }
        let owner = if poolable { node + 1 } else { 0 };
        self.busy.insert(Area { start: extent.start(), end: extent.end(), owner, born });
    }

    /// A per-CPU chunk that no record announces.
    pub(super) fn chunk(&mut self, env: &Env, size: u64, align: u64) {
        self.acts.push(Op::Chunk { size, align });
        if let Some((hole, extent)) = self.holes.chunk_place(size, align, env.window) {
            self.holes_mut().carve(hole, extent);
            self.busy.insert(Area { start: extent.start(), end: extent.end(), owner: 0, born: VmapArea::UNBORN });
        }
    }

    /// An area leaves the busy ones and joins its lazy list.
    pub(super) fn free(&mut self, env: &Env, area: &Area) {
        self.acts.push(Op::Free { addr: area.start });
        self.busy.remove(area.start);
        self.counter = self.counter.saturating_add(env.pages(area));
        self.add_lazy(env.lazy_node(area), *area);
    }

    fn add_lazy(&mut self, node: u32, area: Area) {
        self.lazy_hash ^= area.hash().rotate_left(node);
        Rc::make_mut(&mut self.lazy[node as usize]).push(area);
    }

    /// Takes a node's lazy list off, in the order in which a purge goes through it: ascending, or the newest first.
    pub(super) fn take_lazy(&mut self, env: &Env, node: u32) -> Rc<Vec<Area>> {
        let mut list = std::mem::take(&mut self.lazy[node as usize]);
        for area in list.iter() {
            self.lazy_hash ^= area.hash().rotate_left(node);
        }
        let areas = Rc::make_mut(&mut list);
        if env.is_stack() {
            areas.reverse();
        } else {
            areas.sort_unstable_by_key(|area| area.start);
        }
        list
    }

    /// Parks an area; `false` if its size is never parked.
    pub(super) fn park(&mut self, env: &Env, node: u32, area: &Area) -> bool {
        let pages = env.pages(area);
        let fits = area.owner != 0 && pages <= MAX_PAGES;
        if fits {
            Rc::make_mut(&mut self.pools[node as usize]).push(pages, area.start);
        }
        fits
    }

    /// Forces a recorded address into the state, as `Op::Adopt` does.
    pub(super) fn adopt(&mut self, env: &Env, extent: Extent, owner: Owner, born: u32) {
        self.acts.push(Op::Adopt { extent, owner, born });
        let (start, end) = (extent.start(), extent.end());
        while let Some(area) = self.busy.overlapping(start, end) {
            self.busy.remove(area.start);
            self.holes_mut().give_back(area.start, area.end);
        }
        for node in 0..env.n_nodes {
            let overlaps = |area: &Area| area.start < end && start < area.end;
            while let Some(at) = self.lazy[node as usize].iter().position(overlaps) {
                let area = Rc::make_mut(&mut self.lazy[node as usize]).swap_remove(at);
                self.lazy_hash ^= area.hash().rotate_left(node);
                self.counter = self.counter.saturating_sub(env.pages(&area));
                self.holes_mut().give_back(area.start, area.end);
            }
            while let Some((start, end)) = Rc::make_mut(&mut self.pools[node as usize]).evict(start, end, env.page_size)
            {
                self.holes_mut().give_back(start, end);
            }
        }
        self.evict_in_hand(env, start, end);
        self.holes_mut().carve_all(extent);
        let owner = match owner {
            Owner::Node(node) => node + 1,
            Owner::Nobody => 0,
        };
        self.busy.insert(Area { start, end, owner, born });
    }

    /// Notes whether a record that nothing explains was believed.
    pub(super) fn side_with(&mut self, index: u32, believes: bool) {
        self.beliefs = mix(self.beliefs ^ u64::from(index) << 1 ^ u64::from(believes));
    }

    /// Marks a record as done before its place.
    pub(super) fn take_early(&mut self, index: u32) {
        let at = self.early.partition_point(|&early| early < index);
        self.early.insert(at, index);
    }

    /// Equal where the same frees came before the latest purge.
    pub(super) fn frees_hash(&self) -> u64 {
        self.late.iter().fold(self.lazy_hash, |hash, late| mix(hash ^ late.area.hash()))
    }

    /// Equal for states that will do the same.
    pub(super) fn hash(&self) -> u64 {
        let pools = self.pools.iter().fold(0, |hash, pools| mix(hash ^ pools.hash()));
        let early = self.early.iter().fold(1, |hash, &index| mix(hash ^ u64::from(index)));
        let late = self.late.iter().fold(2, |hash, late| mix(hash ^ late.area.hash()));
        let lists = [self.busy.hash, self.lazy_hash, self.counter, pools, early, late];
        let parts = lists.into_iter().chain([self.holes.hash(), self.purge.hash()]);
        parts.fold(0, |hash, part| mix(hash ^ part))
    }

    /// Memory held alone, in bytes.
    pub(super) fn heap_bytes(&self) -> u64 {
        self.holes.heap_bytes() / Rc::strong_count(&self.holes) as u64 + 1024
    }
}
