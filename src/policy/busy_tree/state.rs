//! Looking at the state: what lies where, as text, and whether it holds together.

use std::fmt::Write;

use crate::model::audit::{Broken, check_tree, compare};
use crate::model::metrics::check_gauges;
use crate::model::{AreaId, Gauges, Metrics, NIL, Place, TreeView, VmapArea};

use super::super::dump::{Line, write_tree};
use super::super::rules::PurgeOrder;
use super::BusyTree;

impl BusyTree {
    pub(super) fn view(&self) -> TreeView<'_> {
        TreeView { areas: &self.areas, tree: self.tree, augmented: false }
    }

    pub(super) fn lookup_addr(&self, addr: u64) -> Place {
        let above = self.areas.first_above(&self.tree, addr);
        if above != NIL && self.areas[above].start <= addr {
            let (node, area) = (0, above);
            return if self.areas[area].lazy { Place::Lazy { node, area } } else { Place::Busy { node, area } };
        }
        let below = if above == NIL { self.tree.last } else { self.areas[above].prev };
        match self.gaps.between(&self.areas, below, above) {
            Some(extent) if extent.contains_addr(addr) => Place::Free { hole: NIL, extent },
            _ => Place::Unknown,
        }
    }

    /// Calls `visit` with each lazily freed area, in the order of its store: flagged areas in the list of all areas,
    /// or a stack from its head.
    pub(super) fn each_lazy(&self, visit: &mut dyn FnMut(&VmapArea)) {
        match self.rules.purge_order {
            PurgeOrder::Ascending => {
                self.view().ascending().filter(|(_, area)| area.lazy).for_each(|(_, area)| visit(area));
            }
            PurgeOrder::NewestFirst => self.lazy.iter().rev().for_each(|&id| visit(&self.areas[id])),
        }
    }

    pub(super) fn count_metrics(&self) -> Metrics {
        Metrics {
            busy_areas: self.busy_areas,
            busy_bytes: self.busy_bytes,
            lazy_areas: self.lazy.len() as u64,
            lazy_pages: self.lazy_pages,
            ..self.gaps.metrics(&self.areas, &self.tree)
        }
    }

    pub(super) fn read_gauges(&self) -> Gauges {
        let of_gaps = self.gaps.gauges();
        Gauges { busy_areas: self.busy_areas, busy_bytes: self.busy_bytes, lazy_pages: self.lazy_pages, ..of_gaps }
    }

    pub(super) fn write_dump(&self, free_only: bool, out: &mut dyn Write) -> std::fmt::Result {
        if free_only {
            return Ok(());
        }
        writeln!(out, "S lazy={} pending=0", self.lazy_pages)?;
        writeln!(out, "B 0 {}", self.tree.len)?;
        write_tree(&self.areas, &self.tree, Line::Plain('b'), out)?;
        writeln!(out, "L 0 {}", self.lazy.len())?;
        let mut result = Ok(());
        self.each_lazy(&mut |area| {
            if result.is_ok() {
                result = writeln!(out, "l {:x} {:x}", area.start, area.end);
            }
        });
        result?;
        match self.areas.extent(self.cached.area) {
            Some(area) => write!(out, "C {:x}", area.start())?,
            None => write!(out, "C -")?,
        }
        let cached = &self.cached;
        writeln!(out, " {:x} {:x} {:x} {:x}", cached.hole, cached.vstart, cached.align, self.pcpu_hole)
    }

    /// The tree, the list, the lazy areas and every counter, and that the cached hole hides no space.
    pub(super) fn audit_all(&self) -> Result<(), Broken> {
        check_tree(self.view())?;
        let (mut busy, mut bytes, mut lazy, mut pages) = (0, 0, 0, 0);
        for (_, area) in self.view().ascending() {
            if area.lazy {
                lazy += 1;
                pages += area.len_bytes() / self.page_size;
            } else {
                busy += 1;
                bytes += area.len_bytes();
            }
        }
        compare("busy areas", self.busy_areas, busy)?;
        compare("busy bytes", self.busy_bytes, bytes)?;
        compare("lazy pages", self.lazy_pages, pages)?;
        compare("areas in the arena", self.areas.live().into(), busy + lazy)?;
        let mut waiting: Vec<AreaId> = self.lazy.iter().copied().filter(|&id| self.areas[id].lazy).collect();
        waiting.sort_unstable();
        waiting.dedup();
        compare("lazy areas", self.lazy.len() as u64, lazy)?;
        compare("lazy areas that are flagged", waiting.len() as u64, lazy)?;
        self.gaps.audit(&self.areas, &self.tree)?;
        check_gauges(&self.read_gauges(), &self.count_metrics())?;
        self.check_cached_hole()
    }

    /// A request that does not rewind begins behind the cached area. So no hole below that area may be longer than
    /// `cached_hole_size`, as far as it lies above `cached_vstart` and once it is aligned to `cached_align`.
    fn check_cached_hole(&self) -> Result<(), Broken> {
        let cache = self.cached.area;
        if cache == NIL {
            return Ok(());
        }
        let Some(extent) = self.areas.extent(cache) else { return Err(Broken::List { start: 0 }) };
        let is_in_tree = self.areas.find_containing(&self.tree, extent.start()) == cache;
        if !self.rules.cached_hole || !is_in_tree {
            return Err(Broken::List { start: extent.start() });
        }
        let floor = self.cached.vstart;
        let mut id = cache;
        let mut longest = 0;
        while id != NIL && self.areas[id].start > floor {
            longest = longest.max(self.room_below(&self.areas[id], floor, self.cached.align));
            id = self.areas[id].prev;
        }
        compare("cached hole", self.cached.hole, self.cached.hole.max(longest))
    }
}
