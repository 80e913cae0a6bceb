//! [`Ground`]: the holes of a textbook policy by address, and what its caches hold.
//!
//! Whatever lists a rule keeps besides, each hole is a node of one augmented tree: neighbours, the largest hole and the
//! lowest one that fits are a few looks away. Holes of different arenas are nodes of the same tree and never joined.

use crate::log::Window;
use crate::model::search::align_up;
use crate::model::{AreaId, Areas, At, Extent, NIL, Sink, Step, Tree, TreeId, TreeView, Turn};

/// What a search is looking for, in one arena.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Bytes, with the guard page if the guard rule wants one.
    pub(super) size: u64,
    /// The same in pages, rounded up.
    pub(super) pages: u64,
    /// Alignment, a power of two of at least a page.
    pub(super) align: u64,
    /// Lowest address allowed: the window of the request, clipped to the arena.
    pub(super) low: u64,
    /// The area ends here or below.
    pub(super) high: u64,
    /// The window covers the whole arena.
    pub(super) is_whole: bool,
    /// The calling CPU.
    pub(super) cpu: u32,
    /// Requests before this one.
    pub(super) nth: u64,
}

impl Wanted {
    /// Where the area would start in a hole; `None` if it does not fit.
    pub(super) fn start_in(&self, hole: Extent) -> Option<u64> {
        let from = hole.start().max(self.low);
        let start = align_up(from, self.align);
        let end = start.checked_add(self.size)?;
        (from <= start && end <= hole.end().min(self.high)).then_some(start)
    }

    /// The highest address at which the area would start in a hole.
    pub(super) fn highest_in(&self, hole: Extent) -> Option<u64> {
        let start = hole.end().min(self.high).checked_sub(self.size)? & !(self.align - 1);
        (hole.start().max(self.low) <= start).then_some(start)
    }

    /// What of a hole lies in the window.
    pub(super) fn clip(&self, hole: Extent) -> Option<Extent> {
        Extent::new(hole.start().max(self.low), hole.end().min(self.high))
    }
}

/// The holes, and what caches hold.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    pub(super) areas: Areas,
    pub(super) free: Tree,
    /// Ranges that caches hold.
    pub(super) cached: Tree,
    pub(super) window: Window,
    pub(super) page_size: u64,
    /// Bytes of holes inside the window.
    pub(super) free_bytes: u64,
    /// Holes that reach into the window.
    pub(super) holes_inside: u32,
    pub(super) cached_bytes: u64,
}

impl Ground {
    pub(super) fn new(window: Window, page_size: u64) -> Self {
        Self {
            areas: Areas::default(),
            free: Tree::default(),
            cached: Tree::default(),
            window,
            page_size,
            free_bytes: 0,
            holes_inside: 0,
            cached_bytes: 0,
        }
    }

    /// Pages of a range, rounded down.
    pub(super) fn pages(&self, extent: Extent) -> u64 {
        extent.len_bytes() / self.page_size
    }

    /// Bytes of a range inside the window.
    pub(super) fn inside(&self, extent: Extent) -> u64 {
        extent.end().min(self.window.vend).saturating_sub(extent.start().max(self.window.vstart))
    }

    pub(super) fn add_hole(&mut self, hole: Extent) -> AreaId {
        let Some(link) = self.areas.find_link(&self.free, hole.start(), hole.end()) else {
            unreachable!("a hole overlaps no other");
        };
        let id = self.areas.add(hole.start(), hole.end());
        self.areas.insert::<true, ()>(&mut self.free, id, link, &mut At { tree: TreeId::Free, sink: &mut () });
        let inside = self.inside(hole);
        self.free_bytes += inside;
        self.holes_inside += u32::from(inside > 0);
        id
    }

    pub(super) fn drop_hole(&mut self, id: AreaId) -> Option<Extent> {
        let hole = self.areas.extent(id)?;
        self.areas.erase::<true, ()>(&mut self.free, id, &mut At { tree: TreeId::Free, sink: &mut () });
        self.areas.remove(id);
        let inside = self.inside(hole);
        self.free_bytes -= inside;
        self.holes_inside -= u32::from(inside > 0);
        Some(hole)
    }

    /// The hole that contains an address.
    pub(super) fn hole_at(&self, addr: u64) -> Option<(AreaId, Extent)> {
        let id = self.areas.find_containing(&self.free, addr);
        Some((id, self.areas.extent(id)?))
    }

    /// The hole that ends at an address.
    pub(super) fn hole_ending(&self, addr: u64) -> Option<(AreaId, Extent)> {
        self.hole_at(addr.checked_sub(1)?).filter(|(_, hole)| hole.end() == addr)
    }

    /// The hole that starts at an address.
    pub(super) fn hole_starting(&self, addr: u64) -> Option<(AreaId, Extent)> {
        self.hole_at(addr).filter(|(_, hole)| hole.start() == addr)
    }

    /// The holes that overlap a range, ascending.
    pub(super) fn holes_in(&self, extent: Extent) -> impl Iterator<Item = (AreaId, Extent)> {
        self.areas.overlapping(&self.free, extent)
    }

    pub(super) fn add_cached(&mut self, extent: Extent) -> AreaId {
        let Some(link) = self.areas.find_link(&self.cached, extent.start(), extent.end()) else {
            unreachable!("what a cache holds overlaps nothing it holds already");
        };
        let id = self.areas.add(extent.start(), extent.end());
        self.areas.insert::<false, ()>(&mut self.cached, id, link, &mut At { tree: TreeId::Lazy(0), sink: &mut () });
        self.cached_bytes += extent.len_bytes();
        id
    }

    /// Takes out the cached range that contains an address.
    pub(super) fn drop_cached(&mut self, addr: u64) -> Option<Extent> {
        let id = self.areas.find_containing(&self.cached, addr);
        let extent = self.areas.extent(id)?;
        self.areas.erase::<false, ()>(&mut self.cached, id, &mut At { tree: TreeId::Lazy(0), sink: &mut () });
        self.areas.remove(id);
        self.cached_bytes -= extent.len_bytes();
        Some(extent)
    }

    pub(super) fn free_view(&self) -> TreeView<'_> {
        TreeView { areas: &self.areas, tree: self.free, augmented: true }
    }

    /// The holes, ascending.
    pub(super) fn holes(&self) -> impl Iterator<Item = Extent> {
        self.free_view().ascending().filter_map(|(id, _)| self.areas.extent(id))
    }

    /// The lowest hole that fits, of those that start below `before`. Only subtrees with a hole long enough are entered;
    /// whether it fits once aligned is seen at the hole itself.
    pub(super) fn lowest_fit<S: Sink>(&self, wanted: &Wanted, before: u64, sink: &mut S) -> Option<(AreaId, u64)> {
        let mut above = Vec::new();
        let mut id = self.free.root;
        loop {
            while id != NIL {
                let hole = &self.areas[id];
                above.push(id);
                let [left, _] = hole.child;
                let is_worth_it = wanted.size <= self.areas[left].subtree_max() && wanted.low < hole.start;
                id = if is_worth_it {
                    self.visited(id, Turn::Left, sink);
                    left
                } else {
                    NIL
                };
            }
            id = above.pop()?;
            let hole = self.areas.extent(id)?;
            if before <= hole.start() || wanted.high <= hole.start() {
                return None;
            }
            if let Some(start) = wanted.start_in(hole) {
                self.visited(id, Turn::Fits, sink);
                return Some((id, start));
            }
            let [_, right] = self.areas[id].child;
            let is_worth_it = wanted.size <= self.areas[right].subtree_max();
            self.visited(id, if is_worth_it { Turn::Right } else { Turn::Up }, sink);
            id = if is_worth_it { right } else { NIL };
        }
    }

    fn visited<S: Sink>(&self, id: AreaId, turn: Turn, sink: &mut S) {
        sink.step(|| Step::Visited {
            hole: id,
            extent: self.areas.extent(id).expect("a hole in a tree is never empty"),
            subtree_max: self.areas.subtree_max(id),
            turn,
        });
    }
}
