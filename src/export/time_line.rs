//! What Perfetto and Chrome's viewer are shown of a replay: lifetimes in lanes, counters, purges, failures, lost records.
//!
//! Time here never goes back: a stamp that is earlier than one before counts as that one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::ExportError;
use super::about::About;
use super::counters::{COUNTERS, values};
use super::csv::plain;
use super::walk::{Area, Walk};
use crate::event::{Addr, Event, EventKind, Seq};
use crate::log::Clock;
use crate::replay::{Plan, Replay};
use crate::view::text::bytes;

/// Lifetimes that are drawn where nobody says how many: viewers get slow beyond.
pub const MAX_LIVES: u64 = 1_000_000;

/// The value of an annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arg {
    /// A number.
    Number(u64),
    /// An address.
    Addr(u64),
    /// A text.
    Text(String),
}

/// Annotations, in order.
pub type Args = Vec<(&'static str, Arg)>;

/// Something that happened at one moment, and where it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Track {
    /// What the file says of itself.
    About,
    /// Purges.
    Purges,
    /// Failed attempts, and what the kernel's log says.
    Failures,
    /// Lost records.
    Lost,
    /// Markers.
    Marks,
    /// Allocations and frees of a CPU.
    Cpu(u16),
}

/// Which lifetime: a lane in which lives do not overlap, and a key that no other life has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// The lane, from 0.
    pub lane: usize,
    /// Where the area lies.
    pub addr: u64,
    /// Records before it began: addresses are used again.
    pub from: u32,
}

/// Something a time line is written to.
pub trait TimeLine {
    /// A replay begins; more can follow, each a group of its own.
    ///
    /// # Errors
    /// What is written to says no; so for all of these.
    fn group(&mut self, about: &About, at: u64, args: &Args) -> Result<(), ExportError>;
    /// An area begins.
    ///
    /// # Errors
    /// As above.
    fn begins(&mut self, life: Life, at: u64, name: &str, args: &Args) -> Result<(), ExportError>;
    /// It is freed and waits for a purge.
    ///
    /// # Errors
    /// As above.
    fn is_lazy(&mut self, life: Life, at: u64) -> Result<(), ExportError>;
    /// Its place can be used again.
    ///
    /// # Errors
    /// As above.
    fn ends(&mut self, life: Life, at: u64, name: &str, was_lazy: bool) -> Result<(), ExportError>;
    /// A moment. What has the same flow belongs together.
    ///
    /// # Errors
    /// As above.
    fn instant(&mut self, track: Track, at: u64, name: &str, flow: Option<u64>, args: &Args)
    -> Result<(), ExportError>;
    /// A counter has another value; `which` of [`COUNTERS`].
    ///
    /// # Errors
    /// As above.
    fn counter(&mut self, which: usize, at: u64, value: u64) -> Result<(), ExportError>;
    /// That was all.
    ///
    /// # Errors
    /// As above.
    fn finish(&mut self) -> Result<(), ExportError>;
}

/// A life that is being drawn.
struct Open {
    life: Life,
    name: String,
    is_lazy: bool,
}

/// Draws one replay.
///
/// # Errors
/// What is written to says no.
pub fn draw(replay: &Replay, max_lives: u64, to: &mut dyn TimeLine) -> Result<(), ExportError> {
    let shortest = shortest_life(replay, max_lives);
    let mut drawing = Drawing {
        walk: Walk::new(replay),
        about: About::of(replay),
        shortest,
        open: BTreeMap::new(),
        lanes: BinaryHeap::new(),
        n_lanes: 0,
        shown: [None; COUNTERS.len()],
        latest: 0,
        left_out: 0,
        to,
    };
    drawing.run()
}

struct Drawing<'a, 'b> {
    walk: Walk<'a>,
    about: About,
    /// Shorter lives are counted and not drawn.
    shortest: u64,
    /// By the address they begin at.
    open: BTreeMap<u64, Open>,
    lanes: BinaryHeap<Reverse<usize>>,
    n_lanes: usize,
    shown: [Option<u64>; COUNTERS.len()],
    latest: u64,
    left_out: u64,
    to: &'b mut dyn TimeLine,
}

impl Drawing<'_, '_> {
    fn run(&mut self) -> Result<(), ExportError> {
        let first = self.walk.log().events.first().map_or(0, |event| self.stamp(Seq(0), &event));
        let args = about_args(&self.about, self.shortest);
        self.to.group(&self.about, first, &args)?;
        let there: Vec<Area> = self.walk.busy().chain(self.walk.lazy()).copied().collect();
        for area in there {
            self.begin(&area, first)?;
            if !area.is_busy() {
                self.free(&area, first)?;
            }
        }
        self.counters(first)?;
        while let Some((seq, event)) = self.walk.step() {
            self.record(seq, &event)?;
        }
        // What still exists ends where the trace does.
        for open in std::mem::take(&mut self.open).into_values() {
            self.to.ends(open.life, self.latest, &open.name, open.is_lazy)?;
        }
        if 0 < self.left_out {
            let args =
                vec![("left_out", Arg::Number(self.left_out)), ("shortest_life_drawn", Arg::Number(self.shortest))];
            let name = format!("{} short lives are not drawn", self.left_out);
            self.to.instant(Track::About, self.latest, &name, None, &args)?;
        }
        Ok(())
    }

    /// A place on the axis of time.
    fn stamp(&self, seq: Seq, event: &Event) -> u64 {
        match self.about.unit {
            Clock::None => u64::from(seq.0),
            Clock::Nanos | Clock::Ticks => event.at.0.max(self.latest),
        }
    }

    fn record(&mut self, seq: Seq, event: &Event) -> Result<(), ExportError> {
        let at = self.stamp(seq, event);
        self.latest = at;
        let freed = std::mem::take(&mut self.walk.freed);
        let ended = std::mem::take(&mut self.walk.ended);
        let begun = std::mem::take(&mut self.walk.begun);
        for area in &freed {
            self.free(area, at)?;
        }
        for area in &ended {
            self.end(area, at)?;
        }
        for area in &begun {
            self.begin(area, at)?;
        }
        (self.walk.freed, self.walk.ended, self.walk.begun) = (freed, ended, begun);
        self.instants(seq, event, at)?;
        self.counters(at)
    }

    fn begin(&mut self, area: &Area, at: u64) -> Result<(), ExportError> {
        if self.is_short(area) {
            self.left_out += 1;
            return Ok(());
        }
        let lane = self.lanes.pop().map_or(self.n_lanes, |Reverse(lane)| lane);
        self.n_lanes = self.n_lanes.max(lane + 1);
        let life = Life { lane, addr: area.extent.start(), from: area.places.from };
        let usages = self.walk.replay().usages();
        let usage = self.walk.usage(area);
        let caller = usage.and_then(|usage| usages.caller_name(usage.caller));
        let kind = usage.map_or("area", |usage| usage.kind.word());
        let name = format!("{} {}", caller.unwrap_or(kind), bytes(area.len_bytes()));
        let mut args: Args = vec![
            ("addr", Arg::Addr(area.extent.start())),
            ("size", Arg::Number(area.len_bytes())),
            ("addr_from", Arg::Text(area.addr_from.word().to_owned())),
        ];
        args.extend(area.alloc.map(|seq| ("alloc_seq", Arg::Number(u64::from(seq.0)))));
        if let Some(event) = area.alloc.and_then(|seq| self.walk.log().get(seq)) {
            args.push(("task", Arg::Text(plain(self.walk.log().names.task(event.task).label().as_bytes()))));
        }
        self.to.begins(life, at, &name, &args)?;
        self.open.insert(life.addr, Open { life, name, is_lazy: false });
        Ok(())
    }

    fn free(&mut self, area: &Area, at: u64) -> Result<(), ExportError> {
        if let Some(open) = self.open.get_mut(&area.extent.start()).filter(|open| !open.is_lazy) {
            open.is_lazy = true;
            self.to.is_lazy(open.life, at)?;
        }
        Ok(())
    }

    fn end(&mut self, area: &Area, at: u64) -> Result<(), ExportError> {
        if let Some(open) = self.open.remove(&area.extent.start()) {
            self.lanes.push(Reverse(open.life.lane));
            self.to.ends(open.life, at, &open.name, open.is_lazy)?;
        }
        Ok(())
    }

    fn is_short(&self, area: &Area) -> bool {
        let Some(alloc) = area.alloc else { return false };
        life_of(self.walk.replay(), self.walk.plan(), alloc).is_some_and(|lived| lived < self.shortest)
    }

    fn instants(&mut self, seq: Seq, event: &Event, at: u64) -> Result<(), ExportError> {
        let names = &self.walk.log().names;
        let seq_arg = ("seq", Arg::Number(u64::from(seq.0)));
        let task = || ("task", Arg::Text(plain(names.task(event.task).label().as_bytes())));
        match event.kind {
            EventKind::Alloc { failed: true, size, align, window, .. } => {
                let window = names.window(window);
                let args = vec![
                    seq_arg,
                    task(),
                    ("size", Arg::Number(size)),
                    ("align", Arg::Number(align)),
                    ("vstart", Arg::Addr(window.vstart)),
                    ("vend", Arg::Addr(window.vend)),
                ];
                self.to.instant(Track::Failures, at, &format!("failed {}", bytes(size)), None, &args)
            }
            EventKind::Report { size, text } => {
                let args = vec![seq_arg, ("text", Arg::Text(plain(names.text(text))))];
                self.to.instant(Track::Failures, at, &format!("reported {}", bytes(size)), None, &args)
            }
            EventKind::Alloc { addr, size, .. } => self.on_cpu(seq, event, at, ("alloc", seq), addr, Some(size)),
            EventKind::Unasked { addr, end } => {
                self.on_cpu(seq, event, at, ("alloc", seq), addr, end.0.checked_sub(addr.0))
            }
            EventKind::Free { addr, .. } | EventKind::FreeProbe { addr, .. } => {
                let mate = self.walk.plan().mate(seq).unwrap_or(seq);
                self.on_cpu(seq, event, at, ("free", mate), addr, None)
            }
            EventKind::Purge { start, end, num_purged } => {
                let args = vec![
                    seq_arg,
                    task(),
                    ("start", Arg::Addr(start.0)),
                    ("end", Arg::Addr(end.0)),
                    ("purged", Arg::Number(u64::from(num_purged))),
                ];
                self.to.instant(Track::Purges, at, &format!("purge {num_purged}"), None, &args)
            }
            EventKind::PurgeReturn { .. } => self.to.instant(Track::Purges, at, "purge", None, &vec![seq_arg, task()]),
            EventKind::Lost { count } => {
                let args = vec![seq_arg, ("count", Arg::Number(u64::from(count)))];
                self.to.instant(Track::Lost, at, &format!("lost {count}"), None, &args)
            }
            EventKind::Mark { text } => {
                self.to.instant(Track::Marks, at, plain(names.text(text)).trim_end(), None, &vec![seq_arg])
            }
            _ => Ok(()),
        }
    }

    fn on_cpu(
        &mut self,
        seq: Seq,
        event: &Event,
        at: u64,
        (name, alloc): (&str, Seq),
        addr: Addr,
        size: Option<u64>,
    ) -> Result<(), ExportError> {
        let is_short = life_of(self.walk.replay(), self.walk.plan(), alloc).is_some_and(|lived| lived < self.shortest);
        let (Some(cpu), false) = (event.known_cpu(), is_short) else { return Ok(()) };
        let mut args: Args = vec![("seq", Arg::Number(u64::from(seq.0))), ("addr", Arg::Addr(addr.0))];
        args.extend(size.map(|size| ("size", Arg::Number(size))));
        args.push(("task", Arg::Text(plain(self.walk.log().names.task(event.task).label().as_bytes()))));
        let flow = self.walk.plan().mate(seq).map(|_| u64::from(alloc.0) + 1);
        self.to.instant(Track::Cpu(cpu), at, name, flow, &args)
    }

    fn counters(&mut self, at: u64) -> Result<(), ExportError> {
        let now = values(self.walk.space(), self.walk.counted.fails);
        show(self.to, &mut self.shown, at, now)
    }
}

/// Writes the counters that have changed.
pub(super) fn show(
    to: &mut dyn TimeLine,
    shown: &mut [Option<u64>; COUNTERS.len()],
    at: u64,
    now: [u64; COUNTERS.len()],
) -> Result<(), ExportError> {
    for (which, (shown, value)) in shown.iter_mut().zip(now).enumerate() {
        if *shown != Some(value) {
            *shown = Some(value);
            to.counter(which, at, value)?;
        }
    }
    Ok(())
}

/// What a group says of itself.
pub(super) fn about_args(about: &About, shortest: u64) -> Args {
    let pairs = about.pairs("vmaplens.timeline/1").into_iter().map(|(key, value)| (key, Arg::Text(value)));
    pairs.chain([("shortest_life_drawn", Arg::Number(shortest))]).collect()
}

/// How long the area of an allocation was in use; `None` if it was not freed.
pub(super) fn life_of(replay: &Replay, plan: &Plan, alloc: Seq) -> Option<u64> {
    let events = &replay.log().events;
    let free = plan.mate(alloc)?;
    let (from, to) = (events.get(alloc.index())?.at.0, events.get(free.index())?.at.0);
    Some(to.saturating_sub(from))
}

/// The shortest life of those that are drawn, a power of two: of all lives, at most `max` are as long. 0 draws all.
pub(super) fn shortest_life(replay: &Replay, max: u64) -> u64 {
    let mut longer = [0_u64; 65];
    let mut all = 0;
    for (index, event) in replay.log().events.iter().enumerate() {
        if !matches!(event.kind, EventKind::Alloc { failed: false, .. } | EventKind::Unasked { .. }) {
            continue;
        }
        all += 1;
        let bits = life_of(replay, replay.plan(), Seq(index as u32)).map_or(64, |lived| 64 - lived.leading_zeros());
        longer[bits as usize] += 1;
    }
    if all <= max {
        return 0;
    }
    // From the longest down, as many classes as there is room for.
    let mut drawn = 0;
    for bits in (1..=64_usize).rev() {
        drawn += longer[bits];
        if max < drawn {
            return 1_u64.checked_shl(bits as u32).unwrap_or(u64::MAX);
        }
    }
    1
}
