//! A lane of a comparison as a time line: a group of its own beside that of the trace.
//!
//! A lane says where it has placed an area, and the trace says when that is asked for and freed. So the lane runs record by
//! record, and areas are looked up where their requests are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use super::ExportError;
use super::about::About;
use super::counters::{COUNTERS, values};
use super::time_line::{Arg, Args, Life, TimeLine, Track, about_args, life_of, shortest_life, show};
use crate::compare::{Demand, Id, Lane};
use crate::event::{Event, EventKind, Seq};
use crate::log::Clock;
use crate::model::{AddressSpace, Extent, Place};
use crate::replay::Replay;
use crate::view::text::bytes;

/// A life that is being drawn.
struct Open {
    life: Life,
    name: String,
}

struct Drawing<'a, 'b> {
    replay: &'a Replay,
    about: About,
    shortest: u64,
    /// By the area.
    busy: HashMap<Id, Open>,
    /// Freed and not purged, by address.
    lazy: BTreeMap<u64, Open>,
    lanes: BinaryHeap<Reverse<usize>>,
    n_lanes: usize,
    shown: [Option<u64>; COUNTERS.len()],
    latest: u64,
    to: &'b mut dyn TimeLine,
}

/// Runs a lane from its first record to its last, and draws it.
///
/// # Errors
/// What is written to says no.
pub fn draw(replay: &Replay, lane: &mut Lane, max_lives: u64, to: &mut dyn TimeLine) -> Result<(), ExportError> {
    let mut about = About::of(replay);
    about.policy = lane.spec().to_string();
    about.release = lane.machine().policy.release.to_string();
    about.source = "replay";
    about.range = (lane.machine().window.vstart, lane.machine().window.vend);
    let mut drawing = Drawing {
        replay,
        about,
        shortest: shortest_life(replay, max_lives),
        busy: HashMap::new(),
        lazy: BTreeMap::new(),
        lanes: BinaryHeap::new(),
        n_lanes: 0,
        shown: [None; COUNTERS.len()],
        latest: 0,
        to,
    };
    drawing.run(lane)
}

impl Drawing<'_, '_> {
    fn run(&mut self, lane: &mut Lane) -> Result<(), ExportError> {
        let events = &self.replay.log().events;
        self.latest = events.first().map_or(0, |event| self.stamp(0, &event));
        let args = about_args(&self.about, self.shortest);
        self.to.group(&self.about, self.latest, &args)?;
        for id in 0..lane.demands().n_start() {
            let size = lane.demands().older(id).map_or(0, Extent::len_bytes);
            self.begin(lane, id, size, None)?;
        }
        for record in 0..events.len() {
            let event = events.nth(record);
            self.latest = self.stamp(record as u32, &event);
            let failures = lane.score().refusals;
            let mut now = None;
            let mut ended = Vec::new();
            let lazy = &self.lazy;
            lane.run_with(1, &mut |_, (space, score)| {
                now = Some(values(space, score.refusals));
                ended = no_longer_lazy(lazy, space);
            });
            for addr in ended {
                self.end_lazy(addr)?;
            }
            if failures < lane.score().refusals {
                let args = vec![("seq", Arg::Number(record as u64))];
                self.to.instant(Track::Failures, self.latest, "refused", None, &args)?;
            }
            for demand in lane.demands().of(record).to_vec() {
                self.demand(lane, demand, record)?;
            }
            if let EventKind::Mark { text } = event.kind {
                let text = super::csv::plain(self.replay.log().names.text(text));
                self.to.instant(Track::Marks, self.latest, text.trim_end(), None, &Args::new())?;
            }
            if let Some(now) = now {
                show(self.to, &mut self.shown, self.latest, now)?;
            }
        }
        // In the order of lanes: a map has none of its own.
        let mut left: Vec<Open> = std::mem::take(&mut self.busy).into_values().collect();
        left.sort_by_key(|open| open.life.lane);
        for open in left {
            self.to.ends(open.life, self.latest, &open.name, false)?;
        }
        for open in std::mem::take(&mut self.lazy).into_values() {
            self.to.ends(open.life, self.latest, &open.name, true)?;
        }
        Ok(())
    }

    /// A place on the axis of time, which never goes back.
    fn stamp(&self, record: u32, event: &Event) -> u64 {
        match self.about.unit {
            Clock::None => u64::from(record),
            Clock::Nanos | Clock::Ticks => event.at.0.max(self.latest),
        }
    }

    fn demand(&mut self, lane: &Lane, demand: Demand, record: usize) -> Result<(), ExportError> {
        match demand {
            Demand::Ask { id, shape, .. } | Demand::AskAgain { id, shape } | Demand::Chunk { id, shape } => {
                let size = lane.demands().request(shape).map_or(0, |request| request.size);
                self.begin(lane, id, size, Some(Seq(record as u32)))
            }
            Demand::Chunks { id, groups } => {
                let Some((groups, _)) = lane.demands().groups(groups).copied() else { return Ok(()) };
                let sizes = groups.bytes(lane.machine().page_size);
                (id..).zip(sizes).try_for_each(|(id, (_, size))| self.begin(lane, id, size, None))
            }
            Demand::Older { id } => {
                let size = lane.demands().older(id).map_or(0, Extent::len_bytes);
                self.begin(lane, id, size, None)
            }
            Demand::Free { id } | Demand::Gone { id } => self.free(id),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, lane: &Lane, id: Id, size: u64, seq: Option<Seq>) -> Result<(), ExportError> {
        let Some(addr) = lane.place_of(id).filter(|_| !self.busy.contains_key(&id)) else { return Ok(()) };
        let lived = seq.and_then(|seq| life_of(self.replay, self.replay.plan(), seq));
        if lived.is_some_and(|lived| lived < self.shortest) {
            return Ok(());
        }
        let taken = self.lanes.pop().map_or(self.n_lanes, |Reverse(lane)| lane);
        self.n_lanes = self.n_lanes.max(taken + 1);
        let life = Life { lane: taken, addr, from: seq.map_or(0, |seq| seq.0 + 1) };
        let usages = self.replay.usages();
        let usage = seq.and_then(|seq| usages.of_record(seq.0));
        let caller = usage.and_then(|usage| usages.caller_name(usage.caller));
        let name = format!("{} {}", caller.unwrap_or(usage.map_or("area", |usage| usage.kind.word())), bytes(size));
        let mut args = vec![("addr", Arg::Addr(addr)), ("size", Arg::Number(size))];
        args.extend(seq.map(|seq| ("alloc_seq", Arg::Number(u64::from(seq.0)))));
        args.push(("addr_from", Arg::Text("modelled".to_owned())));
        self.to.begins(life, self.latest, &name, &args)?;
        self.busy.insert(id, Open { life, name });
        Ok(())
    }

    fn free(&mut self, id: Id) -> Result<(), ExportError> {
        let Some(open) = self.busy.remove(&id) else { return Ok(()) };
        self.to.is_lazy(open.life, self.latest)?;
        // Where another one waits already, its purge has passed unseen.
        match self.lazy.insert(open.life.addr, open) {
            Some(old) => self.close(&old, true),
            None => Ok(()),
        }
    }

    fn end_lazy(&mut self, addr: u64) -> Result<(), ExportError> {
        self.lazy.remove(&addr).map_or(Ok(()), |open| self.close(&open, true))
    }

    fn close(&mut self, open: &Open, was_lazy: bool) -> Result<(), ExportError> {
        self.lanes.push(Reverse(open.life.lane));
        self.to.ends(open.life, self.latest, &open.name, was_lazy)
    }
}

/// What was lazy before a record and is not after it.
fn no_longer_lazy(lazy: &BTreeMap<u64, Open>, space: &AddressSpace) -> Vec<u64> {
    let allocator = space.allocator();
    let is_lazy = |addr: u64| matches!(allocator.lookup(addr), Place::Lazy { .. });
    // A purge takes everything, or a part of it: nothing has gone while the first and the last are there, mostly.
    let ends = lazy.first_key_value().into_iter().chain(lazy.last_key_value());
    if ends.map(|(&addr, _)| addr).all(is_lazy) {
        return Vec::new();
    }
    lazy.keys().copied().filter(|&addr| !is_lazy(addr)).collect()
}
