//! [`Run`]: the records at which something becomes true, forwards and backwards, a stretch at a time.
//!
//! What is looked for is an *edge*: something holds after record `k` that did not hold after record `k - 1`. An edge
//! belongs to its record, whatever direction one comes from. There is no way to run an allocator backwards, so backwards
//! means: from a kept state before the place forwards to the place, remember the edges, answer the last; then the stretch
//! before it. Every record is applied once, in either direction.

use std::ops::RangeInclusive;

use super::condition::{About, Compiled, Outcome};
use super::states::States;
use crate::model::{AddressSpace, Allocator, Answer, Extent, Op, Place};
use crate::replay::Replay;

/// Conditions that can be watched at once: an edge says which of them it is of.
pub const MAX_WATCHED: usize = 64;
/// Shorter stretches backwards cost more for the copy of their state than for their records.
const MIN_STRETCH: usize = 1024;
/// A record that is only looked at costs less than one that is applied.
const CHEAPER: usize = 16;

/// What is looked for.
#[derive(Debug, Clone)]
pub enum Watch {
    /// One of these conditions becomes true; at most [`MAX_WATCHED`].
    Conditions(Vec<Compiled>),
    /// What lies at this address is placed, freed, taken back or reused, or its hole is split or merged.
    Place(u64),
}

/// A direction of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To the end.
    Forward,
    /// To the start.
    Back,
}

/// Something became true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// Records applied: the record is the last of them.
    pub at: usize,
    /// Which conditions, by bit.
    pub which: u64,
}

/// How far a run got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The budget is used up; call again.
    Going,
    /// Here. Calling again goes on to the next one.
    Found(Edge),
    /// There is no other.
    Ended,
}

/// A run under way.
#[derive(Debug, Clone)]
pub struct Run {
    watch: Watch,
    way: Way,
    from: usize,
    prepared: bool,
    walker: Option<Walker>,
    /// Forwards: edges up to here are not looked for. Backwards: those behind here are done with, or in `edges`.
    at: usize,
    /// Backwards: where the stretch under way begins, and its edges so far, ascending.
    begins: usize,
    edges: Vec<Edge>,
}

impl Watch {
    /// Is a look at the records enough?
    fn is_scan(&self, states: &impl States) -> bool {
        match self {
            Self::Conditions(list) => {
                states.is_as_recorded() && list.iter().all(|condition| condition.about() == About::Records)
            }
            Self::Place(_) => false,
        }
    }

    fn needs_memory(&self) -> bool {
        match self {
            Self::Conditions(list) => list.iter().any(Compiled::needs_memory),
            Self::Place(_) => false,
        }
    }

    fn prepare(&mut self, replay: &Replay, budget: usize) -> bool {
        match self {
            Self::Conditions(list) => list.iter_mut().all(|condition| condition.prepare(replay, budget)),
            Self::Place(_) => true,
        }
    }
}

impl Run {
    /// Looks for edges after (or before) `from` records.
    pub fn new(watch: Watch, way: Way, from: usize) -> Self {
        Self { watch, way, from, prepared: false, walker: None, at: from, begins: from, edges: Vec::new() }
    }

    /// The direction.
    pub fn way(&self) -> Way {
        self.way
    }

    /// Records looked at, and how many there are to look at.
    pub fn progress(&self, replay: &Replay) -> (usize, usize) {
        let walked = self.walker.as_ref().map(|walker| walker.at);
        match self.way {
            Way::Forward => (self.at.saturating_sub(self.from), replay.len().saturating_sub(self.from)),
            Way::Back => {
                let done =
                    walked.map_or(self.from - self.begins, |at| self.from - self.at + at.saturating_sub(self.begins));
                (done, self.from)
            }
        }
    }

    /// Goes on for about `budget` records.
    pub fn turn(&mut self, mut replay: &Replay, budget: usize) -> Turn {
        self.turn_over(&mut replay, budget, 0..=usize::MAX)
    }

    /// The same up to `limit` records; [`Turn::Ended`] there, and with a later limit it goes on. Only forwards.
    pub fn turn_to(&mut self, mut replay: &Replay, budget: usize, limit: usize) -> Turn {
        self.turn_over(&mut replay, budget, 0..=limit)
    }

    /// The same over any states, forwards up to the end of `within`, backwards while there are edges that are not before its
    /// start; [`Turn::Ended`] there, and with other bounds it goes on.
    pub fn turn_over(&mut self, states: &mut impl States, budget: usize, within: RangeInclusive<usize>) -> Turn {
        if !self.prepared {
            self.prepared = self.watch.prepare(states.replay(), budget.saturating_mul(CHEAPER));
            if !self.prepared {
                return Turn::Going;
            }
        }
        let limit = (*within.end()).min(states.n_records());
        let is_scan = self.watch.is_scan(states);
        match (self.way, is_scan) {
            (Way::Forward, true) => self.scan_forward(states.replay(), budget.saturating_mul(CHEAPER), limit),
            (Way::Back, true) => self.scan_back(states.replay(), budget.saturating_mul(CHEAPER)),
            (Way::Forward, false) => self.walk_forward(states, budget, limit),
            (Way::Back, false) => self.walk_back(states, budget, *within.start()),
        }
    }

    /// Records applied up to which everything has been looked at, going forwards.
    pub fn reached(&self) -> usize {
        self.at
    }

    /// Which conditions about records alone are true at the record before `at`.
    fn at_record(&self, replay: &Replay, at: usize) -> u64 {
        let Watch::Conditions(list) = &self.watch else { return 0 };
        bits(list, |condition| condition.is_true_at(replay, at, None, Outcome::AsRecorded))
    }

    fn scan_forward(&mut self, replay: &Replay, budget: usize, limit: usize) -> Turn {
        let end = limit.min(self.at.saturating_add(budget));
        while self.at < end {
            self.at += 1;
            let which = self.at_record(replay, self.at);
            if which != 0 {
                return Turn::Found(Edge { at: self.at, which });
            }
        }
        if self.at < limit { Turn::Going } else { Turn::Ended }
    }

    fn scan_back(&mut self, replay: &Replay, budget: usize) -> Turn {
        for _ in 0..budget {
            if self.at <= 1 {
                return Turn::Ended;
            }
            self.at -= 1;
            self.begins = self.at;
            let which = self.at_record(replay, self.at);
            if which != 0 {
                return Turn::Found(Edge { at: self.at, which });
            }
        }
        Turn::Going
    }

    /// A walker as near before `at` records as there is a state.
    fn walker_before(&self, states: &impl States, at: usize) -> Walker {
        let (space, begins) = states.kept(at, self.watch.needs_memory());
        Walker { space, at: begins, held: Held::default() }
    }

    fn walk_forward(&mut self, states: &mut impl States, budget: usize, limit: usize) -> Turn {
        let mut walker = match self.walker.take() {
            Some(walker) => walker,
            None => {
                let mut walker = self.walker_before(states, self.at);
                walker.look(&self.watch, states.replay());
                walker
            }
        };
        let mut turn = Turn::Ended;
        for done in 0.. {
            if walker.at >= limit {
                break;
            }
            if done >= budget {
                turn = Turn::Going;
                break;
            }
            let which = walker.step(&self.watch, states);
            if which != 0 && self.at < walker.at {
                turn = Turn::Found(Edge { at: walker.at, which });
                break;
            }
        }
        self.at = self.at.max(walker.at);
        self.walker = Some(walker);
        turn
    }

    fn walk_back(&mut self, states: &mut impl States, budget: usize, least: usize) -> Turn {
        if self.walker.is_none() {
            if let Some(edge) = self.edges.pop() {
                return Turn::Found(edge);
            }
            // Edges behind `begins` are done with; the record at `from` itself is not looked for.
            let upto = if self.at == self.from { self.from.saturating_sub(1) } else { self.begins };
            if upto < least.max(1) {
                return Turn::Ended;
            }
            let at = upto.saturating_sub(MIN_STRETCH).min(upto - 1);
            let mut walker = self.walker_before(states, at);
            walker.look(&self.watch, states.replay());
            self.at = upto;
            self.begins = walker.at;
            self.walker = Some(walker);
        }
        let Some(walker) = &mut self.walker else { return Turn::Going };
        for _ in 0..budget {
            if walker.at >= self.at {
                break;
            }
            let which = walker.step(&self.watch, states);
            if which != 0 {
                self.edges.push(Edge { at: walker.at, which });
            }
        }
        if walker.at >= self.at {
            self.walker = None;
        }
        Turn::Going
    }
}

/// Which conditions hold, by bit.
fn bits(list: &[Compiled], holds: impl Fn(&Compiled) -> bool) -> u64 {
    let mut which = 0;
    for (bit, condition) in list.iter().take(MAX_WATCHED).enumerate() {
        which |= u64::from(holds(condition)) << bit;
    }
    which
}

/// What held after the last record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Held {
    conditions: u64,
    thing: Thing,
}

/// What lies at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Thing {
    state: State,
    extent: Option<Extent>,
    born: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Unknown,
    Busy,
    Lazy,
    Pooled,
    Free,
}

impl Thing {
    fn at(allocator: &dyn Allocator, addr: u64) -> Self {
        let of = |state, id| {
            let area = &allocator.areas()[id];
            Self { state, extent: Extent::new(area.start, area.end), born: area.born }
        };
        match allocator.lookup(addr) {
            Place::Busy { area, .. } => of(State::Busy, area),
            Place::Lazy { area, .. } => of(State::Lazy, area),
            Place::Pooled { area, .. } => of(State::Pooled, area),
            Place::Free { extent, .. } => Self { state: State::Free, extent: Some(extent), born: 0 },
            Place::Unknown => Self::default(),
        }
    }

    /// Can something that was done to `other` have changed it? What it touches can have been joined to it.
    fn meets(&self, other: Extent) -> bool {
        self.extent.is_none_or(|own| own.start() <= other.end() && other.start() <= own.end())
    }

    /// Can an operation with this answer have changed it?
    fn may_change(&self, op: &Op, answer: &Answer) -> bool {
        match answer {
            Answer::Placed(extent) => self.meets(*extent),
            Answer::Freed(freed) => self.meets(freed.extent),
            Answer::Chunk(carved) => carved.is_some_and(|carved| self.meets(carved)),
            Answer::Memory(_) | Answer::Rejected(_) | Answer::Refused(_) | Answer::UnknownFree(_) => false,
            Answer::Purged(_)
            | Answer::Returned(_)
            | Answer::Drained(_)
            | Answer::Shrunk(_)
            | Answer::Adopted { .. }
            | Answer::Chunks(_) => !matches!(op, Op::Memory(_)),
        }
    }
}

/// A state on its way, and what held of it.
#[derive(Debug, Clone)]
struct Walker {
    space: AddressSpace,
    at: usize,
    held: Held,
}

impl Walker {
    /// What holds here, to compare the next record with.
    fn look(&mut self, watch: &Watch, replay: &Replay) {
        self.held = match watch {
            Watch::Conditions(list) => {
                let conditions = bits(list, |condition| condition.is_true_of(replay, self.at, &self.space));
                Held { conditions, ..Held::default() }
            }
            Watch::Place(addr) => Held { thing: Thing::at(self.space.allocator(), *addr), ..Held::default() },
        };
    }

    /// Applies a record; answers what became true with it.
    fn step(&mut self, watch: &Watch, states: &mut impl States) -> u64 {
        let mut may_change = false;
        let thing = self.held.thing;
        let outcome = states.apply(self.at, &mut self.space, |op, answer| may_change |= thing.may_change(op, answer));
        self.at += 1;
        let replay = states.replay();
        let before = self.held;
        match watch {
            Watch::Conditions(list) => {
                let mut became = 0;
                let mut now = 0;
                for (bit, condition) in list.iter().take(MAX_WATCHED).enumerate() {
                    let held = before.conditions >> bit & 1;
                    let holds = u64::from(condition.is_true_of(replay, self.at, &self.space));
                    let with_record = match condition.about() {
                        About::States => holds,
                        // What holds already does not become true.
                        _ if held == 1 => 0,
                        _ => u64::from(condition.is_true_at(replay, self.at, Some(&self.space), outcome)),
                    };
                    became |= (with_record & !held) << bit;
                    now |= holds << bit;
                }
                self.held.conditions = now;
                became
            }
            Watch::Place(addr) if may_change => {
                self.held.thing = Thing::at(self.space.allocator(), *addr);
                u64::from(self.held.thing != before.thing)
            }
            Watch::Place(_) => 0,
        }
    }
}
