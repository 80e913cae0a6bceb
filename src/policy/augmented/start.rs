//! A start in the middle: from a snapshot, or from the kernel's own state.

use crate::log::KernelState;
use crate::model::{Extent, Seedling, Tree, VmapArea};

use super::super::rules::LazyStore;
use super::super::setup::Shape;
use super::{Augmented, Setup, remembering};

impl Augmented {
    /// The state a snapshot shows: `busy` and `lazy` areas, ascending and apart; everything else is free. The shape of
    /// the free tree is a guess.
    pub fn from_snapshot(setup: &Setup, busy: &[Extent], lazy: &[Extent], shape: Shape) -> Self {
        let mut new = Self::bare(setup);
        let mut cursor = 1;
        let mut holes = Vec::new();
        for (extent, is_lazy) in Setup::ascending(busy, lazy) {
            if cursor < extent.start() {
                holes.push((cursor, extent.start()));
            }
            cursor = extent.end();
            let owner = new.likely_owner(extent);
            new.add_busy(extent, owner, VmapArea::UNBORN, &mut ());
            if is_lazy {
                // The limit is not asked: the snapshot was taken with these areas already waiting.
                let _ = new.free_with(extent.start(), &mut ());
                new.drain_pending = false;
            }
        }
        if cursor < new.top {
            holes.push((cursor, new.top));
        }
        new.hang(&mut holes, shape);
        new
    }

    /// The kernel's own state, with the shape of its free tree where that is known.
    ///
    /// Whose an area in use is does not stand in such a file. From 6.9 on nearly every area of the vmalloc range was
    /// asked for over the whole range and carries its CPU's node: freed and purged it is parked there, and not free
    /// again. Which node is not known; the one of its address is taken. A wrong node puts it into the wrong pool; no
    /// node would make it a hole that the kernel does not have.
    pub fn from_kernel(setup: &Setup, state: &KernelState, shape: Shape) -> Self {
        let mut new = Self::bare(setup);
        if !new.plant_free(state) {
            new.hang(&mut state.holes.clone(), shape);
        }
        for extent in state.busy.iter().filter_map(|&(start, end)| Extent::new(start, end)) {
            let owner = new.likely_owner(extent);
            new.add_busy(extent, owner, VmapArea::UNBORN, &mut ());
        }
        let n_nodes = new.nodes.len() as u32;
        let mut lazy: Vec<_> = state.lazy.clone();
        if new.rules.lazy == LazyStore::Stack {
            // The newest stands first.
            lazy.reverse();
        }
        for (node, extent) in lazy.iter().filter_map(|&(node, start, end)| Some((node, Extent::new(start, end)?))) {
            let id = new.areas.add(extent.start(), extent.end());
            new.areas[id].owner = if new.likely_owner(extent) == 0 { 0 } else { node % n_nodes + 1 };
            new.lazy_pages += extent.len_bytes() / new.page_size;
            new.join_lazy(node % n_nodes, id, &mut ());
        }
        // What is given out next stands first and is parked last.
        for &(node, start, end) in state.pooled.iter().rev() {
            let id = new.areas.add(start, end);
            new.areas[id].owner = node % n_nodes + 1;
            if n_nodes < 2 || !new.join_pool(node % n_nodes, id) {
                new.give_back(id, &mut ());
            }
        }
        new
    }

    /// Neither hole nor area.
    fn bare(setup: &Setup) -> Self {
        let mut new = Self::new(&Setup { early: Vec::new(), ..setup.clone() });
        new.areas = remembering(setup.page_size);
        new.free = Tree::default();
        (new.free_bytes, new.holes_inside) = (0, 0);
        new
    }

    /// Hangs holes, given in ascending order, into the free tree.
    fn hang(&mut self, holes: &mut [(u64, u64)], shape: Shape) {
        shape.arrange(holes);
        for &mut (start, end) in holes {
            self.add_hole(start, end);
        }
    }

    fn plant_free(&mut self, state: &KernelState) -> bool {
        let seedling = |node: &crate::log::TreeNode| {
            Some(Seedling { extent: Extent::new(node.start, node.end)?, black: node.black, child: node.child })
        };
        let nodes: Option<Vec<Seedling>> = state.tree.iter().map(seedling).collect();
        let Some(tree) = nodes.filter(|nodes| !nodes.is_empty()).and_then(|nodes| self.areas.plant(&nodes)) else {
            return false;
        };
        self.free = tree;
        let counted = self.count_metrics();
        (self.free_bytes, self.holes_inside) = (counted.free_bytes, counted.holes as u32);
        true
    }

    /// The owner an area that was there before most likely has: the node of the CPU that asked for it. A single CPU
    /// online is CPU 0, which nothing can take offline; of several, which one it was does not show.
    fn likely_owner(&self, extent: Extent) -> u32 {
        let inside = self.window.vstart <= extent.start() && extent.end() <= self.window.vend;
        match (self.nodes.len() > 1 && inside, self.cpus_online) {
            (false, _) => 0,
            (true, 1) => self.cpu_node(0) + 1,
            (true, _) => self.node_of(extent.start()) + 1,
        }
    }
}
