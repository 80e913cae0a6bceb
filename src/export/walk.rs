//! [`Walk`]: once through the records of a replay, with the areas that begin and end at each of them.
//!
//! It holds one state of the model, and what the areas that exist in it are known by; nothing of the records gone by.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event::{Event, EventKind, Nanos, Seq};
use crate::log::{Clock, Log};
use crate::model::{AddressSpace, Answer, Extent, Gauges, Op, Place, Provenance, Usage, Usages, VmapArea};
use crate::replay::{Plan, Replay};

/// An area and what is known of its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// Where it lies, guard page included.
    pub extent: Extent,
    /// The record that allocated it; `None`: it is older than the trace, or no record announces it.
    pub alloc: Option<Seq>,
    /// When it began; `None`: before the trace, or the trace has no times.
    pub from: Option<Nanos>,
    /// When it was freed.
    pub lazy: Option<Nanos>,
    /// The record that freed it.
    pub free: Option<Seq>,
    /// When its place could be used again.
    pub to: Option<Nanos>,
    /// Records before its life, before its freeing and before its end: places that do not need a clock.
    pub places: Places,
    /// Is the address the recorded one, or the model's?
    pub addr_from: Provenance,
}

/// Where in the log an area's life has its turns: after so many records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Places {
    /// It began; 0: it was there before the first record.
    pub from: u32,
    /// It was freed.
    pub lazy: Option<u32>,
    /// Its place could be used again.
    pub to: Option<u32>,
}

impl Area {
    /// Bytes, guard page included.
    pub fn len_bytes(&self) -> u64 {
        self.extent.len_bytes()
    }

    /// Is it in use?
    pub fn is_busy(&self) -> bool {
        self.places.lazy.is_none()
    }
}

/// What has been counted so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Allocations.
    pub allocs: u64,
    /// Frees.
    pub frees: u64,
    /// Failed attempts.
    pub fails: u64,
    /// Purges.
    pub purges: u64,
}

/// Once through a replay.
#[derive(Debug)]
pub struct Walk<'a> {
    replay: &'a Replay,
    space: AddressSpace,
    busy: BTreeMap<u64, Area>,
    lazy: BTreeMap<u64, Area>,
    next: usize,
    /// What the last record began.
    pub begun: Vec<Area>,
    /// What it freed; what was free at once is in `ended` as well.
    pub freed: Vec<Area>,
    /// What could be used again after it.
    pub ended: Vec<Area>,
    /// Areas in use that had to go for it.
    pub displaced: u32,
    /// Counted up to and including it.
    pub counted: Counted,
}

impl<'a> Walk<'a> {
    /// Before the first record.
    pub fn new(replay: &'a Replay) -> Self {
        let space = replay.start().without_memory();
        let mut walk = Self {
            replay,
            space,
            busy: BTreeMap::new(),
            lazy: BTreeMap::new(),
            next: 0,
            begun: Vec::new(),
            freed: Vec::new(),
            ended: Vec::new(),
            displaced: 0,
            counted: Counted::default(),
        };
        let allocator = walk.space.allocator();
        for node in 0..allocator.n_nodes() {
            allocator.visit_busy(node, &mut |area| {
                walk.busy.extend(older(area).map(|older| (area.start, older)));
            });
            allocator.visit_lazy(node, &mut |area| {
                let freed = |older: Area| Area { places: Places { lazy: Some(0), ..older.places }, ..older };
                walk.lazy.extend(older(area).map(|older| (area.start, freed(older))));
            });
        }
        walk
    }

    /// Goes over the next record; `None` at the end.
    pub fn step(&mut self) -> Option<(Seq, Event)> {
        let event = self.log().events.get(self.next)?;
        let seq = Seq(self.next as u32);
        self.begun.clear();
        self.freed.clear();
        self.ended.clear();
        self.displaced = 0;
        let replay = self.replay;
        self.next += 1;
        for op in replay.plan().ops_of(replay.log(), seq.index()) {
            let answer = self.space.apply(&op, None);
            self.take(seq, &event, &op, &answer);
        }
        self.count(&event.kind);
        Some((seq, event))
    }

    /// Goes over the records up to `n` of them.
    pub fn go_to(&mut self, n: usize) {
        while self.next < n && self.step().is_some() {}
    }

    /// Records gone over.
    pub fn at(&self) -> usize {
        self.next
    }

    /// The log.
    pub fn log(&self) -> &'a Arc<Log> {
        self.replay.log()
    }

    /// The plan.
    pub fn plan(&self) -> &'a Plan {
        self.replay.plan()
    }

    /// The replay.
    pub fn replay(&self) -> &'a Replay {
        self.replay
    }

    /// The state.
    pub fn space(&self) -> &AddressSpace {
        &self.space
    }

    /// What is cheap to know of it.
    pub fn gauges(&self) -> Gauges {
        self.space.allocator().gauges()
    }

    /// The areas in use, by address.
    pub fn busy(&self) -> impl DoubleEndedIterator<Item = &Area> {
        self.busy.values()
    }

    /// The areas freed and not purged, by address.
    pub fn lazy(&self) -> impl DoubleEndedIterator<Item = &Area> {
        self.lazy.values()
    }

    /// How many of them there are.
    pub fn n_lazy(&self) -> usize {
        self.lazy.len()
    }

    /// From the start of the vmalloc window to the end of the highest area in use below its middle, in bytes: as
    /// [`Metrics::span_bytes`](crate::model::Metrics).
    pub fn span_bytes(&self) -> u64 {
        let window = self.space.allocator().window();
        let middle = window.vstart + window.len_bytes() / 2;
        let highest = self.busy.range(..middle).next_back();
        highest.map_or(0, |(_, area)| area.extent.end().saturating_sub(window.vstart))
    }

    /// A stamp, where the clock counts time.
    pub fn time(&self, at: Nanos) -> Option<Nanos> {
        (self.log().origin.clock == Clock::Nanos).then_some(at)
    }

    /// What an area is used for.
    pub fn usage(&self, area: &Area) -> Option<Usage> {
        usage_of(self.replay.usages(), area)
    }

    fn take(&mut self, seq: Seq, event: &Event, op: &Op, answer: &Answer) {
        match (op, answer) {
            (Op::Alloc { born, .. } | Op::Search { born, .. }, Answer::Placed(extent)) => {
                self.begin(*extent, Some(Seq(*born)), seq);
            }
            (Op::Adopt { born, .. }, Answer::Adopted { extent, displaced }) => {
                self.displaced += displaced;
                self.displace(*extent, event);
                self.begin(*extent, Some(Seq(*born)), seq);
            }
            (_, Answer::Chunk(Some(extent))) => self.begin(*extent, None, seq),
            (_, Answer::Chunks(extents)) => extents.iter().for_each(|extent| self.begin(*extent, Some(seq), seq)),
            (_, Answer::Freed(freed)) => {
                let known = self.busy.remove(&freed.extent.start());
                let mut area = known.unwrap_or_else(|| {
                    let born = Some(freed.born).filter(|&born| born != VmapArea::UNBORN).map(Seq);
                    Area { extent: freed.extent, alloc: born, ..unknown(freed.extent) }
                });
                // Its own record can stand later than its effect, with another stamp.
                let mate = area.alloc.and_then(|alloc| self.plan().mate(alloc));
                let by = mate.unwrap_or(seq);
                let at = self.log().get(by).map_or(event.at, |event| event.at);
                area.free = Some(by);
                area.lazy = self.time(at);
                area.places.lazy = Some(self.next as u32);
                self.freed.push(area);
                if matches!(self.space.allocator().lookup(area.extent.start()), Place::Lazy { .. }) {
                    self.lazy.insert(area.extent.start(), area);
                } else {
                    self.end(area, event);
                }
                // The freeing task itself purges, in the eras that do.
                if freed.drain_due && self.space.allocator().drains_inline() {
                    self.purged(event);
                }
            }
            (_, Answer::Purged(_) | Answer::Returned(_) | Answer::Drained(_)) => self.purged(event),
            _ => {}
        }
    }

    fn begin(&mut self, extent: Extent, alloc: Option<Seq>, seq: Seq) {
        let record = self.log().get(alloc.unwrap_or(seq));
        let is_recorded = record.is_some_and(|record| match record.kind {
            EventKind::Alloc { addr, failed, .. } => !failed && addr.0 == extent.start(),
            EventKind::Unasked { addr, .. } => addr.0 == extent.start(),
            _ => false,
        });
        let is_script = self.log().script.is_some();
        let from = record.and_then(|record| self.time(record.at));
        let area = Area {
            alloc,
            from,
            places: Places { from: self.next as u32, ..Places::default() },
            addr_from: if is_recorded && !is_script { Provenance::Observed } else { Provenance::Modelled },
            ..unknown(extent)
        };
        self.busy.insert(extent.start(), area);
        self.begun.push(area);
    }

    fn end(&mut self, mut area: Area, event: &Event) {
        area.to = self.time(event.at);
        area.places.to = Some(self.next as u32);
        self.ended.push(area);
    }

    /// What an adopted area pushes out of the way.
    fn displace(&mut self, extent: Extent, event: &Event) {
        for is_lazy in [false, true] {
            let list = if is_lazy { &mut self.lazy } else { &mut self.busy };
            // Areas are apart: of those that begin before it, only the last can reach into it.
            let before = list.range(..extent.start()).next_back().map(|(_, area)| *area);
            let inside = list.range(extent.start()..extent.end()).map(|(_, area)| *area);
            let gone: Vec<Area> =
                before.into_iter().chain(inside).filter(|area| area.extent.overlaps(extent)).collect();
            for area in gone {
                let list = if is_lazy { &mut self.lazy } else { &mut self.busy };
                list.remove(&area.extent.start());
                self.end(area, event);
            }
        }
    }

    /// What was lazy and is not any more has ended.
    fn purged(&mut self, event: &Event) {
        if self.lazy.is_empty() {
            return;
        }
        let allocator = self.space.allocator();
        let is_lazy = |area: &Area| matches!(allocator.lookup(area.extent.start()), Place::Lazy { .. });
        let gone: Vec<Area> = self.lazy.values().filter(|area| !is_lazy(area)).copied().collect();
        if gone.len() == self.lazy.len() {
            self.lazy.clear();
        }
        for area in gone {
            self.lazy.remove(&area.extent.start());
            self.end(area, event);
        }
    }

    fn count(&mut self, kind: &EventKind) {
        let counter = match kind {
            EventKind::Alloc { failed: true, .. } => &mut self.counted.fails,
            EventKind::Alloc { .. } | EventKind::Unasked { .. } => &mut self.counted.allocs,
            EventKind::Free { .. } | EventKind::FreeProbe { .. } => &mut self.counted.frees,
            kind if kind.ends_purge() => &mut self.counted.purges,
            _ => return,
        };
        *counter += 1;
    }
}

/// What is known of an area's use.
pub fn usage_of(usages: &Usages, area: &Area) -> Option<Usage> {
    usages.of(area.alloc.map_or(VmapArea::UNBORN, |alloc| alloc.0), area.extent)
}

/// An area of which only its place is known.
fn unknown(extent: Extent) -> Area {
    Area {
        extent,
        alloc: None,
        from: None,
        lazy: None,
        free: None,
        to: None,
        places: Places::default(),
        addr_from: Provenance::Observed,
    }
}

/// An area that was there before the first record.
fn older(area: &VmapArea) -> Option<Area> {
    Extent::new(area.start, area.end).map(unknown)
}
