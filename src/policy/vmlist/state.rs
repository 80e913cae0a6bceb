//! Looking at the list: what lies where, as text, and whether it holds together.

use std::fmt::Write;

use crate::model::audit::{Broken, compare};
use crate::model::metrics::check_gauges;
use crate::model::{AreaId, Gauges, Metrics, NIL, Place};

use super::VmList;

impl VmList {
    /// Every area, ascending.
    pub(super) fn each(&self) -> impl Iterator<Item = AreaId> {
        let mut id = self.list.first;
        std::iter::from_fn(move || {
            let found = (id != NIL).then_some(id)?;
            id = self.areas[id].next;
            Some(found)
        })
    }

    pub(super) fn lookup_addr(&self, addr: u64) -> Place {
        let above = self.each().find(|&id| addr < self.areas[id].end).unwrap_or(NIL);
        if above != NIL && self.areas[above].start <= addr {
            return Place::Busy { node: 0, area: above };
        }
        let below = if above == NIL { self.list.last } else { self.areas[above].prev };
        match self.gaps.between(&self.areas, below, above) {
            Some(extent) if extent.contains_addr(addr) => Place::Free { hole: NIL, extent },
            _ => Place::Unknown,
        }
    }

    pub(super) fn count_metrics(&self) -> Metrics {
        let of_gaps = self.gaps.metrics(&self.areas, &self.list);
        Metrics { busy_areas: self.list.len.into(), busy_bytes: self.busy_bytes, ..of_gaps }
    }

    pub(super) fn read_gauges(&self) -> Gauges {
        let of_gaps = self.gaps.gauges();
        Gauges { busy_areas: self.list.len.into(), busy_bytes: self.busy_bytes, ..of_gaps }
    }

    pub(super) fn write_dump(&self, free_only: bool, out: &mut dyn Write) -> std::fmt::Result {
        if free_only {
            return Ok(());
        }
        writeln!(out, "V {}", self.list.len)?;
        for id in self.each() {
            writeln!(out, "v {:x} {:x}", self.areas[id].start, self.areas[id].len_bytes())?;
        }
        Ok(())
    }

    /// Links both ways, ascending and apart, and the counters. Areas may touch and may lie outside every window.
    pub(super) fn audit_all(&self) -> Result<(), Broken> {
        let (mut n, mut bytes, mut below) = (0, 0, NIL);
        for id in self.each() {
            let area = &self.areas[id];
            let is_behind = below == NIL || self.areas[below].end <= area.start;
            if area.prev != below || area.start >= area.end || !is_behind || area.lazy {
                return Err(Broken::List { start: area.start });
            }
            n += 1;
            bytes += area.len_bytes();
            below = id;
        }
        if self.list.last != below {
            return Err(Broken::List { start: self.areas[below].start });
        }
        compare("list length", self.list.len.into(), n)?;
        compare("areas in the arena", self.areas.live().into(), n)?;
        compare("busy bytes", self.busy_bytes, bytes)?;
        check_gauges(&self.read_gauges(), &self.count_metrics())?;
        self.gaps.audit(&self.areas, &self.list)
    }
}
