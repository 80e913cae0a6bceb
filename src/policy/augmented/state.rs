//! Looking at the state: what lies where, what it amounts to, and whether it holds together.

use crate::model::audit::{Broken, check_tree, compare};
use crate::model::metrics::check_gauges;
use crate::model::search::largest_hole_in;
use crate::model::{AreaId, Extent, Gauges, Metrics, NIL, Place, Tree, TreeView};

use super::super::rules::LazyStore;
use super::purge::PurgePhase;
use super::{Augmented, Node};

impl Augmented {
    pub(super) fn lookup_addr(&self, addr: u64) -> Place {
        // Where it most likely is comes first: with many nodes the others take long.
        let node = self.node_of(addr);
        let area = self.areas.find_containing(&self.nodes[node as usize].busy, addr);
        if area != NIL {
            return Place::Busy { node, area };
        }
        let hole = self.areas.find_containing(&self.free, addr);
        if let Some(extent) = self.areas.extent(hole) {
            return Place::Free { hole, extent };
        }
        if let Some((node, area)) = self.find_busy(addr) {
            return Place::Busy { node, area };
        }
        if let Some((node, area)) = self.find_lazy(addr) {
            return Place::Lazy { node, area };
        }
        let pooled = Extent::sized(addr, 1).map(|extent| self.pooled_overlapping(extent)).unwrap_or_default();
        match pooled.first() {
            Some(&(node, area)) => Place::Pooled { node, area },
            None => Place::Unknown,
        }
    }

    /// The lazily freed area that contains an address. Only what is in no tree is gone through one by one.
    fn find_lazy(&self, addr: u64) -> Option<(u32, AreaId)> {
        let is_detached = |node: &Node| matches!(node.phase, PurgePhase::Detached(_)) || !node.in_hand.is_empty();
        if self.rules.lazy == LazyStore::Stack || self.nodes.iter().any(is_detached) {
            return self.each_lazy().find(|&(_, id)| self.contains(id, addr));
        }
        let mut found = self.nodes.iter().map(|node| self.areas.find_containing(&node.lazy, addr)).zip(0..);
        found.find(|&(id, _)| id != NIL).map(|(id, node)| (node, id))
    }

    fn contains(&self, id: AreaId, addr: u64) -> bool {
        self.areas.extent(id).is_some_and(|extent| extent.contains_addr(addr))
    }

    /// Every lazily freed area with its node, in the order of its store.
    pub(super) fn each_lazy(&self) -> impl Iterator<Item = (u32, AreaId)> {
        let detached = |node: &Node| match node.phase {
            PurgePhase::Detached(list) => list,
            _ => Tree::default(),
        };
        let lists =
            self.nodes.iter().zip(0_u32..).flat_map(move |(node, index)| [(node.lazy, index), (detached(node), index)]);
        let in_lists = lists.flat_map(move |(list, index)| {
            let mut id = list.first;
            std::iter::from_fn(move || {
                let found = (id != NIL).then_some((index, id))?;
                id = self.areas[id].next;
                Some(found)
            })
        });
        let nodes = self.nodes.iter().zip(0_u32..);
        in_lists.chain(nodes.flat_map(|(node, index)| node.in_hand.each().map(move |id| (index, id))))
    }

    pub(super) fn count_metrics(&self) -> Metrics {
        let window = self.window;
        let mut metrics = Metrics {
            busy_areas: self.busy_areas,
            busy_bytes: self.busy_bytes,
            lazy_areas: self.each_lazy().count() as u64,
            lazy_pages: self.lazy_pages,
            pooled_areas: self.pooled_areas,
            pooled_bytes: self.pooled_bytes,
            largest_hole: largest_hole_in(&self.areas, &self.free, window.vstart, window.vend),
            ..Metrics::default()
        };
        let mut id = self.free.first;
        while id != NIL {
            let hole = &self.areas[id];
            let inside = self.inside(hole.start, hole.end);
            metrics.free_bytes += inside;
            metrics.holes += u64::from(inside > 0);
            id = hole.next;
        }
        let middle = window.vstart + window.len_bytes() / 2;
        let highest = self.nodes.iter().filter_map(|node| self.highest_below(node.busy.root, middle)).max();
        metrics.span_bytes = highest.map_or(0, |end| end.saturating_sub(window.vstart));
        metrics
    }

    pub(super) fn read_gauges(&self) -> Gauges {
        Gauges {
            busy_areas: self.busy_areas,
            busy_bytes: self.busy_bytes,
            lazy_pages: self.lazy_pages,
            pooled_bytes: self.pooled_bytes,
            free_bytes: self.free_bytes,
            holes: self.holes_inside.into(),
            largest_hole: largest_hole_in(&self.areas, &self.free, self.window.vstart, self.window.vend),
        }
    }

    /// End of the highest area of a tree that starts below `limit`.
    fn highest_below(&self, root: AreaId, limit: u64) -> Option<u64> {
        let mut best = None;
        let mut id = root;
        while id != NIL {
            let area = &self.areas[id];
            let [left, right] = area.child;
            if area.start < limit {
                best = Some(area.end);
                id = right;
            } else {
                id = left;
            }
        }
        best
    }

    /// Shape and augmentation of every tree, the counters, and that busy, lazy, pooled and free tile the space.
    pub(super) fn audit_all(&self) -> Result<(), Broken> {
        let view = |tree, augmented| TreeView { areas: &self.areas, tree, augmented };
        check_tree(view(self.free, true))?;
        let mut tiles: Vec<(Extent, bool)> = Vec::new();
        let extent = |id| self.areas.extent(id);
        tiles.extend(view(self.free, true).ascending().filter_map(|(id, _)| extent(id)).map(|e| (e, true)));
        let (mut busy_areas, mut busy_bytes) = (0, 0);
        for node in &self.nodes {
            check_tree(view(node.busy, false))?;
            if self.rules.lazy != LazyStore::Stack {
                check_tree(view(node.lazy, false))?;
            }
            for (id, area) in view(node.busy, false).ascending() {
                busy_areas += 1;
                busy_bytes += area.len_bytes();
                tiles.extend(extent(id).map(|e| (e, false)));
            }
        }
        compare("busy areas", self.busy_areas, busy_areas)?;
        compare("busy bytes", self.busy_bytes, busy_bytes)?;
        let largest = view(self.free, true).ascending().map(|(_, hole)| self.inside(hole.start, hole.end)).max();
        let found = largest_hole_in(&self.areas, &self.free, self.window.vstart, self.window.vend);
        compare("largest hole", found, largest.unwrap_or(0))?;
        let lazy: Vec<Extent> = self.each_lazy().filter_map(|(_, id)| extent(id)).collect();
        let lazy_bytes: u64 = lazy.iter().map(|e| e.len_bytes()).sum();
        let in_hand = |node: &Node| node.in_hand.each().map(|id| self.areas[id].len_bytes()).sum::<u64>();
        let not_counted: u64 = self.nodes.iter().map(in_hand).sum();
        let due: u64 = self.nodes.iter().map(|node| node.in_hand.due).sum();
        compare("lazy pages", self.lazy_pages, (lazy_bytes - not_counted) / self.page_size + due)?;
        tiles.extend(lazy.into_iter().map(|e| (e, false)));
        let pooled = self.pooled_overlapping(Extent::new(0, u64::MAX).unwrap_or_else(|| unreachable!("not empty")));
        compare("pooled areas", self.pooled_areas, pooled.len() as u64)?;
        tiles.extend(pooled.into_iter().filter_map(|(_, id)| extent(id)).map(|e| (e, false)));
        self.check_tiling(tiles)?;
        check_gauges(&self.read_gauges(), &self.count_metrics())
    }

    /// No gap and no overlap from 1 to the top; and no two holes touch, except for ranges the kernel itself leaves so.
    fn check_tiling(&self, mut tiles: Vec<(Extent, bool)>) -> Result<(), Broken> {
        tiles.sort_by_key(|(extent, _)| extent.start());
        let mut at = 1;
        let mut below_is_free = false;
        for (extent, is_free) in tiles {
            if extent.start() != at {
                let what = if extent.start() < at { "an overlap" } else { "a gap" };
                return Err(Broken::Tiling { at, what });
            }
            if below_is_free && is_free {
                return Err(Broken::Unmerged { at });
            }
            at = extent.end();
            below_is_free = is_free;
        }
        if at == self.top { Ok(()) } else { Err(Broken::Tiling { at, what: "a gap at the top" }) }
    }
}
