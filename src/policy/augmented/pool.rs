//! Pools: areas of 1 to 256 pages that a purge parks per node instead of merging them (6.9 and later).

use std::sync::Arc;

use crate::model::{AreaId, At, Extent, NIL, Placement, PoolAnswer, Request, Sink, Source, Step, Tree, TreeId};

use super::super::rules::Decay;
use super::Augmented;

/// Pools of a node: one per size, up to this many pages.
const MAX_POOLED_PAGES: u64 = 256;

/// Areas of one size, linked through `prev` and `next`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pool {
    /// Given out next.
    pub(super) head: AreaId,
    /// Given out last.
    pub(super) tail: AreaId,
    /// Areas in it.
    pub(super) len: u32,
}

/// The pools of one node, made when the first area is parked. Copies share them until one of them changes: with 128 nodes
/// they would be most of a checkpoint.
#[derive(Debug, Clone, Default)]
pub(super) struct Pools {
    by_pages: Option<Arc<[Pool; MAX_POOLED_PAGES as usize]>>,
}

impl Pools {
    /// The pool of areas of `pages` pages; `None` if areas of that size are never pooled.
    pub(super) fn of_pages(&self, pages: u64) -> Option<Pool> {
        let index = usize::try_from(pages.checked_sub(1)?).ok()?;
        (pages <= MAX_POOLED_PAGES).then(|| self.by_pages.as_ref().map_or_else(Pool::default, |pools| pools[index]))
    }

    /// The same, to change it.
    fn of_pages_mut(&mut self, pages: u64) -> Option<&mut Pool> {
        if pages == 0 || pages > MAX_POOLED_PAGES {
            return None;
        }
        let empty = || Arc::new([Pool::default(); MAX_POOLED_PAGES as usize]);
        Arc::make_mut(self.by_pages.get_or_insert_with(empty)).get_mut(pages as usize - 1)
    }

    /// Pools that hold something, with their size in pages, ascending.
    pub(super) fn non_empty(&self) -> impl Iterator<Item = (u32, Pool)> {
        self.by_pages
            .iter()
            .flat_map(|pools| pools.iter())
            .zip(1_u32..)
            .filter(|(pool, _)| pool.head != NIL)
            .map(|(pool, pages)| (pages, *pool))
    }

    /// Memory held, in bytes: what is shared counts in parts.
    pub(super) fn heap_bytes(&self) -> usize {
        let part = |pools: &Arc<_>| MAX_POOLED_PAGES as usize * size_of::<Pool>() / Arc::strong_count(pools);
        self.by_pages.as_ref().map_or(0, part)
    }
}

impl Augmented {
    /// `node_pool_del_va`: the pool's head, if the request may use pools and the head is aligned. Changes nothing.
    #[inline]
    pub(super) fn ask_pool<S: Sink>(&self, request: &Request, sink: &mut S) -> Option<Placement> {
        if self.nodes.len() == 1 {
            return None;
        }
        let node = self.cpu_node(request.cpu);
        let pages = request.size >> self.page_shift;
        let mut answered = |answer| sink.step(|| Step::PoolAsked { node, pages, answer });
        if !request.first_attempt || !self.is_poolable(request) {
            answered(PoolAnswer::NotEligible);
            return None;
        }
        let Some(pool) = self.nodes[node as usize].pools.of_pages(pages) else {
            answered(PoolAnswer::NoSuchPool);
            return None;
        };
        let Some(head) = self.areas.extent(pool.head) else {
            answered(PoolAnswer::Empty);
            return None;
        };
        if head.start() & (request.align - 1) == 0 {
            answered(PoolAnswer::Hit(head));
            return Some(Placement { start: head.start(), source: Source::Pool { node, area: pool.head } });
        }
        answered(PoolAnswer::Rotated(head));
        None
    }

    /// Node whose pools the CPU uses.
    #[inline]
    pub(super) fn cpu_node(&self, cpu: u32) -> u32 {
        let n_nodes = self.nodes.len() as u32;
        if n_nodes.is_power_of_two() { cpu & (n_nodes - 1) } else { cpu % n_nodes }
    }

    /// Parks an area at the head of its pool; `false` if areas of that size are never pooled.
    pub(super) fn join_pool(&mut self, node: u32, id: AreaId) -> bool {
        let bytes = self.areas[id].len_bytes();
        let Some(pool) = self.nodes[node as usize].pools.of_pages_mut(bytes >> self.page_shift) else { return false };
        let old = pool.head;
        pool.head = id;
        pool.len += 1;
        if old == NIL {
            pool.tail = id;
        } else {
            self.areas[old].prev = id;
        }
        self.areas[id].prev = NIL;
        self.areas[id].next = old;
        self.pooled_areas += 1;
        self.pooled_bytes += bytes;
        true
    }

    /// Takes an area out of its pool, wherever in it.
    pub(super) fn leave_pool(&mut self, node: u32, id: AreaId) {
        let bytes = self.areas[id].len_bytes();
        let (prev, next) = (self.areas[id].prev, self.areas[id].next);
        let Some(pool) = self.nodes[node as usize].pools.of_pages_mut(bytes >> self.page_shift) else { return };
        if prev == NIL {
            pool.head = next;
        } else {
            self.areas[prev].next = next;
        }
        if next == NIL {
            pool.tail = prev;
        } else {
            self.areas[next].prev = prev;
        }
        pool.len -= 1;
        self.pooled_areas -= 1;
        self.pooled_bytes -= bytes;
    }

    /// What a look at a pool with a misaligned head leaves behind: the head goes to the tail.
    #[inline]
    pub(super) fn rotate_pool(&mut self, request: &Request) {
        if !request.first_attempt || !self.is_poolable(request) {
            return;
        }
        let node = self.cpu_node(request.cpu);
        let Some(pool) = self.nodes[node as usize].pools.of_pages(request.size >> self.page_shift) else { return };
        if pool.len < 2 || self.areas[pool.head].start & (request.align - 1) == 0 {
            return;
        }
        self.head_to_tail(node, pool.head);
    }

    fn head_to_tail(&mut self, node: u32, id: AreaId) {
        let pages = self.areas[id].len_bytes() / self.page_size;
        let Some(pool) = self.nodes[node as usize].pools.of_pages_mut(pages) else { return };
        let (second, tail) = (self.areas[id].next, pool.tail);
        pool.head = second;
        pool.tail = id;
        self.areas[second].prev = NIL;
        self.areas[tail].next = id;
        self.areas[id].prev = tail;
        self.areas[id].next = NIL;
    }

    /// `decay_va_pool_node`: part of each pool, or all of it, goes back to the free tree.
    pub(super) fn decay<S: Sink>(&mut self, node: u32, full: bool, sink: &mut S) {
        let pools: Vec<(u32, Pool)> = self.nodes[node as usize].pools.non_empty().collect();
        let mut taken = Vec::new();
        for (pages, pool) in pools {
            self.decay_pool(node, (pages, pool), full, &mut taken, sink);
        }
        self.return_decayed(node, &taken, sink);
    }

    /// Takes part of a pool out, or all of it.
    pub(super) fn decay_pool<S: Sink>(
        &mut self,
        node: u32,
        (pages, pool): (u32, Pool),
        full: bool,
        taken: &mut Vec<AreaId>,
        sink: &mut S,
    ) {
        let quarter = pool.len / 4;
        let take = match (full, self.rules.decay) {
            (true, _) => pool.len,
            // The counter of a pool below four starts at 0 and wraps: all of it goes.
            (false, Decay::Wrapping) if quarter == 0 => pool.len,
            (false, _) => quarter,
        };
        if take == 0 {
            return;
        }
        sink.step(|| Step::Decayed { node, pages, taken: take, left: pool.len - take });
        let mut id = pool.head;
        for _ in 0..take {
            let next = self.areas[id].next;
            self.leave_pool(node, id);
            taken.push(id);
            id = next;
        }
    }

    /// What was taken out of pools is merged among itself first and returned in ascending order.
    pub(super) fn return_decayed<S: Sink>(&mut self, node: u32, taken: &[AreaId], sink: &mut S) {
        let mut decayed = Tree::default();
        for &id in taken {
            // Pooled areas lie apart, so the private tree cannot refuse one.
            let to = &mut At { tree: TreeId::Lazy(node), sink: &mut () };
            let _ = self.areas.merge_or_add::<false, ()>(&mut decayed, id, to);
        }
        let mut id = decayed.first;
        while id != NIL {
            let next = self.areas[id].next;
            self.give_back(id, sink);
            id = next;
        }
    }

    /// Merges an area that is in no tree into the free tree. A range that overlaps free space is dropped, as the
    /// kernel drops it with a warning.
    pub(super) fn give_back<S: Sink>(&mut self, id: AreaId, sink: &mut S) {
        let range = self.areas.extent(id);
        let to = &mut At { tree: TreeId::Free, sink };
        match (self.areas.merge_or_add::<true, S>(&mut self.free, id, to), range) {
            (Ok((hole, merge)), Some(extent)) => {
                let whole = self.areas.extent(hole).unwrap_or(extent);
                to.sink.step(|| Step::Returned { extent, hole: whole, merge });
                self.free_bytes += self.inside(extent.start(), extent.end());
                self.holes_inside += self.is_inside(whole.start(), whole.end());
                self.holes_inside -= self.is_inside(whole.start(), extent.start());
                self.holes_inside -= self.is_inside(extent.end(), whole.end());
            }
            (Ok(_), None) => {}
            (Err(_), _) => self.areas.remove(id),
        }
    }

    /// `vmap_node_shrink_scan`: every pool of every node, completely.
    pub(super) fn shrink_with<S: Sink>(&mut self, sink: &mut S) -> Option<u32> {
        if self.rules.decay == Decay::None {
            return None;
        }
        let n_areas = self.pooled_areas as u32;
        for node in 0..self.nodes.len() as u32 {
            self.decay(node, true, sink);
        }
        sink.step(|| Step::Shrunk { n_areas });
        Some(n_areas)
    }

    /// Pooled areas that overlap `extent`, with their node.
    pub(super) fn pooled_overlapping(&self, extent: Extent) -> Vec<(u32, AreaId)> {
        let mut found = Vec::new();
        for (node, state) in self.nodes.iter().enumerate() {
            for (_, pool) in state.pools.non_empty() {
                let mut id = pool.head;
                while id != NIL {
                    if self.areas.extent(id).is_some_and(|pooled| pooled.overlaps(extent)) {
                        found.push((node as u32, id));
                    }
                    id = self.areas[id].next;
                }
            }
        }
        found
    }
}
