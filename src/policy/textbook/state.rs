//! Looking at the state: what lies where, what it amounts to, and whether it holds together.

use std::fmt::Write;

use crate::model::audit::{Broken, check_tree, compare};
use crate::model::metrics::check_gauges;
use crate::model::search::largest_hole_in;
use crate::model::{Extent, Gauges, Metrics, NIL, Place, Tree, TreeView};

use super::placing::Placing;
use super::{Arena, Textbook};

impl<P: Placing> Textbook<P> {
    pub(super) fn view(&self, tree: Tree) -> TreeView<'_> {
        TreeView { areas: &self.ground.areas, tree, augmented: false }
    }

    pub(super) fn lookup_addr(&self, addr: u64) -> Place {
        let areas = &self.ground.areas;
        let in_tree = |tree: &Tree| Some(areas.find_containing(tree, addr)).filter(|&id| id != NIL);
        if let Some(area) = in_tree(&self.busy) {
            return Place::Busy { node: 0, area };
        }
        if let Some((hole, extent)) = self.ground.hole_at(addr) {
            let shown = self.shown(extent).filter(|shown| shown.contains_addr(addr));
            return shown.map_or(Place::Unknown, |extent| Place::Free { hole, extent });
        }
        if let Some(area) = in_tree(&self.lazy) {
            return Place::Lazy { node: 0, area };
        }
        in_tree(&self.ground.cached).map_or(Place::Unknown, |area| Place::Pooled { node: 0, area })
    }

    /// A hole without the page that only a shared guard may use.
    pub(super) fn shown(&self, hole: Extent) -> Option<Extent> {
        let arena = self.arenas.iter().find(|arena| arena.managed.contains_addr(hole.start()))?;
        hole.intersection(arena.range)
    }

    /// Holes that are nothing but such a page.
    pub(super) fn n_hidden(&self) -> u32 {
        let is_hidden = |arena: &&Arena<P>| {
            arena.range.end() < arena.managed.end() && self.ground.hole_starting(arena.range.end()).is_some()
        };
        self.arenas.iter().filter(is_hidden).count() as u32
    }

    fn largest(&self) -> u64 {
        let window = self.ground.window;
        largest_hole_in(&self.ground.areas, &self.ground.free, window.vstart, window.vend)
    }

    pub(super) fn read_gauges(&self) -> Gauges {
        Gauges {
            busy_areas: self.busy.len.into(),
            busy_bytes: self.busy_bytes,
            lazy_pages: self.lazy_pages,
            pooled_bytes: self.ground.cached_bytes,
            free_bytes: self.ground.free_bytes,
            holes: self.ground.holes_inside.into(),
            largest_hole: self.largest(),
        }
    }

    pub(super) fn count_metrics(&self) -> Metrics {
        let window = self.ground.window;
        let inside = || self.ground.holes().map(|hole| self.ground.inside(hole)).filter(|&bytes| bytes > 0);
        let middle = window.vstart + window.len_bytes() / 2;
        let highest = self.view(self.busy).ascending().take_while(|(_, area)| area.start < middle).last();
        Metrics {
            busy_areas: self.busy.len.into(),
            busy_bytes: self.busy_bytes,
            lazy_areas: self.lazy.len.into(),
            lazy_pages: self.lazy_pages,
            pooled_areas: self.ground.cached.len.into(),
            pooled_bytes: self.ground.cached_bytes,
            free_bytes: inside().sum(),
            holes: inside().count() as u64,
            largest_hole: inside().max().unwrap_or(0),
            span_bytes: highest.map_or(0, |(_, area)| area.end.saturating_sub(window.vstart)),
        }
    }

    pub(super) fn write_dump(&self, free_only: bool, out: &mut dyn Write) -> std::fmt::Result {
        if !free_only {
            writeln!(out, "S lazy={} pending=0", self.lazy_pages)?;
        }
        writeln!(out, "F {}", self.ground.free.len)?;
        self.ground.holes().try_for_each(|hole| writeln!(out, "f {:x} {:x}", hole.start(), hole.end()))?;
        if free_only {
            return Ok(());
        }
        for (name, line, tree) in [('B', 'b', self.busy), ('L', 'l', self.lazy)] {
            writeln!(out, "{name} 0 {}", tree.len)?;
            self.view(tree)
                .ascending()
                .try_for_each(|(_, area)| writeln!(out, "{line} {:x} {:x}", area.start, area.end))?;
        }
        self.arenas.iter().try_for_each(|arena| arena.placing.write(&self.ground, out))
    }

    /// Trees, counters, what rules keep of holes, and that busy, lazy, cached, slack and free tile each arena.
    pub(super) fn audit_all(&self) -> Result<(), Broken> {
        check_tree(self.ground.free_view())?;
        for tree in [self.busy, self.lazy, self.ground.cached] {
            check_tree(self.view(tree))?;
        }
        let bytes = |tree: Tree| self.view(tree).ascending().map(|(_, area)| area.len_bytes()).sum::<u64>();
        compare("busy bytes", self.busy_bytes, bytes(self.busy))?;
        compare("cached bytes", self.ground.cached_bytes, bytes(self.ground.cached))?;
        let page = self.ground.page_size;
        let lazy_pages = self.view(self.lazy).ascending().map(|(_, area)| area.len_bytes() / page).sum();
        compare("lazy pages", self.lazy_pages, lazy_pages)?;
        let in_trees = self.ground.free.len + self.ground.cached.len + self.busy.len + self.lazy.len;
        compare("areas in the arena", self.ground.areas.live().into(), in_trees.into())?;
        for (place, arena) in self.arenas.iter().enumerate() {
            let is_apart = self.arenas[..place].iter().all(|other| !other.managed.overlaps(arena.managed));
            compare("arenas that are apart", u64::from(is_apart), 1)?;
            arena.placing.audit(&self.ground)?;
            self.check_tiling(arena)?;
        }
        check_gauges(&self.read_gauges(), &self.count_metrics())
    }

    /// No overlap, and no gap in which a page would have room.
    fn check_tiling(&self, arena: &Arena<P>) -> Result<(), Broken> {
        let ground = &self.ground;
        let inside = |tree: Tree| self.view(tree).ascending().filter_map(|(id, _)| ground.areas.extent(id));
        let mut tiles: Vec<Extent> = ground.holes().collect();
        for tree in [self.busy, self.lazy, ground.cached] {
            tiles.extend(inside(tree));
        }
        arena.placing.visit_slack(&mut |slack| tiles.push(slack));
        tiles.sort_unstable();
        let mut at = arena.managed.start();
        for tile in tiles.into_iter().filter_map(|tile| tile.intersection(arena.managed)) {
            if tile.start() < at {
                return Err(Broken::Tiling { at, what: "an overlap" });
            }
            if ground.page_size <= tile.start() - at {
                return Err(Broken::Tiling { at, what: "a gap" });
            }
            at = tile.end();
        }
        // The last shared guard page belongs to the area below it, and is not a part of it.
        let end = if at == arena.range.end() { at } else { arena.managed.end() };
        let gap = end.saturating_sub(at);
        if gap < ground.page_size { Ok(()) } else { Err(Broken::Tiling { at, what: "a gap at the top" }) }
    }
}
