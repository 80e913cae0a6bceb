//! [`Beam`]: several states of the allocator side by side, until the records decide which one is right.
//!
//! With several CPUs a purge is recorded at its end and acts before, and a change can be recorded after another CPU's that
//! came later. What is open is a small closed set: how far the purge has got, which later record took effect before,
//! which pool was looked at. Each answer costs something; the cheapest states are kept, and what follows binds them.

mod asked;
mod beliefs;
mod busy;
mod children;
mod doubts;
mod facts;
mod history;
mod holes;
mod in_hand;
mod path;
mod pools;
mod probed;
mod purge;
mod shapes;
mod state;
mod width;

use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::rc::Rc;

use crate::log::Log;
use crate::model::AddressSpace;

use super::Machine;
pub(super) use asked::{Ask, Asked, MOST_AHEAD};
use facts::{Facts, Record, What};
use history::History;
pub(super) use path::Tag;
use shapes::starts;
use state::{Env, State};
use width::{WIDTH, give_up};

/// The purge had got further: nearly free, and still not nothing.
const HYPOTHESIS: f64 = 0.005;
/// A later record took effect before.
const EARLY: f64 = 1.0;
/// Another pool was looked at.
const OTHER_POOL: f64 = 1.5;
/// Nothing explains the record.
const BELIEF: f64 = 8.0;
/// Less than it costs not to believe a record.
const LIE: f64 = 5.0;
/// States dearer than the cheapest by more are given up.
const MARGIN: f64 = 9.0;
/// Later records that can take effect before one.
const MAX_EARLY: u32 = 3;
/// What may be done for each record, in steps of purges, and for the first ones together. A trace that takes more is one
/// that the states cannot explain, whatever is tried.
const WORK_PER_RECORD: u64 = 4000;
const WORK_AT_FIRST: u64 = 3_000_000;
/// What a copy of a state costs in such steps.
const COPY: u64 = 20;
/// A state that is worse by so much at once is a reason to look back.
const LOOK_BACK: f64 = 1.9;

/// Scrambles a number.
fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^ (x >> 32)
}

/// What was decided about one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decided {
    pub(super) index: u32,
    pub(super) tag: Tag,
    pub(super) ops: Box<[crate::model::Op]>,
}

/// An allocation that the front-runner would have placed elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Missed {
    pub(super) index: u32,
    /// Where; `None`: nowhere.
    pub(super) own: Option<u64>,
    /// The state at the start that it comes from.
    pub(super) start: usize,
}

/// How it came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decisions {
    /// Per record that did something, ascending.
    pub(super) decided: Vec<Decided>,
    /// Allocations that were not exact, ascending.
    pub(super) missed: Vec<Missed>,
    /// The state at the start: the first one, or which of the others.
    pub(super) start: usize,
}

/// The states, and the place they have reached.
#[derive(Debug)]
pub(super) struct Beam<'a> {
    env: Env,
    facts: Facts<'a>,
    n_records: u32,
    n_cpus: usize,
    /// The record at hand.
    now: u32,
    /// The cheapest first.
    states: Vec<Rc<State>>,
    /// Shapes that the free tree can have had at the start.
    n_starts: usize,
    history: History,
    /// Steps of purges taken so far, and what costs as much.
    work: Cell<u64>,
}

/// Goes through the records with a beam of states.
/// `None` if that takes longer than it can tell.
pub(super) fn decide(
    log: &Log,
    machine: &Machine,
    space: &AddressSpace,
    others: impl Iterator<Item = AddressSpace>,
    progress: impl Fn(usize),
) -> Option<Decisions> {
    let env = Env::new(machine, space);
    let facts = Facts::read(log, machine, &env, space);
    let first = facts.first as u32;
    let states = starts(&env, space, others);
    let n_starts = states.len();
    let mut beam = Beam {
        env,
        facts,
        n_records: log.events.len() as u32,
        n_cpus: machine.cpus_online.max(1) as usize,
        now: first,
        states,
        n_starts,
        history: History::default(),
        work: Cell::new(0),
    };
    let mut missed = Vec::new();
    for index in first..beam.n_records {
        if index % 1024 == 0 {
            progress(index as usize);
        }
        let record = beam.facts.record(index);
        beam.now = index;
        if let What::Alloc { recorded, .. } = record.what {
            let own = beam.answer(&beam.states[0], &record);
            if own != recorded || beam.states[0].early.contains(&index) {
                missed.push(Missed { index, own, start: beam.states[0].start });
            }
        }
        beam.advance(&record);
        // Several shapes are as many traces.
        let records = u64::from(index - first) * (1 + n_starts / WIDTH) as u64;
        if beam.work.get() > WORK_AT_FIRST + records * WORK_PER_RECORD {
            return None;
        }
    }
    let mut decided = Vec::new();
    if let Some(best) = beam.states.first() {
        best.path.visit_back(|link| {
            decided.push(Decided { index: link.index, tag: link.tag, ops: link.ops.clone() });
        });
    }
    decided.reverse();
    let start = beam.states.first().map_or(0, |best| best.start);
    Some(Decisions { decided, missed, start })
}

impl Beam<'_> {
    /// Counts what is being done.
    fn works(&self, steps: u64) {
        self.work.set(self.work.get() + steps);
    }

    /// Dearer states are not worth keeping.
    fn limit(&self) -> f64 {
        self.states.first().map_or(f64::INFINITY, |best| best.cost + MARGIN)
    }

    fn advance(&mut self, record: &Record) {
        if matches!(record.what, What::Nothing) {
            return;
        }
        self.history.remember(record, &self.states);
        let best = self.states[0].cost;
        let mut next = Vec::new();
        for state in &self.states {
            let from = next.len();
            self.children(state, record, &mut next);
            if next.len() == from && self.is_shape_open() {
                next.extend(self.in_another_shape(state, record));
            }
        }
        self.try_doubts(record, best, &mut next);
        if cheapest(&next) >= best + LOOK_BACK {
            self.look_back(record, &mut next);
        }
        self.states = self.keep(next, record.index);
    }

    /// Level by level until one helps.
    fn try_doubts(&self, record: &Record, best: f64, next: &mut Vec<State>) {
        let is_explained = cheapest(next) < best + EARLY;
        if !is_explained || self.facts.is_suspect(record.index) {
            for state in self.open_to(record) {
                self.with_orphan(state, record, next);
            }
        }
        if is_explained {
            return;
        }
        for depth in 1..=MAX_EARLY {
            if cheapest(next) < best + EARLY {
                break;
            }
            for state in self.worth(depth, record) {
                self.with_early(state, record, depth, next);
            }
        }
        if cheapest(next) < best + OTHER_POOL {
            return;
        }
        for state in self.open_to(record) {
            self.with_other_pool(state, record, next);
        }
        if cheapest(next) >= best + LIE {
            for state in self.open_to(record) {
                self.with_belief(state, record, next);
            }
        }
        if next.is_empty() {
            // A free that says nothing that can be: it is passed over.
            next.extend(self.states.iter().map(|state| {
                let mut state = State::clone(state);
                state.cost += 1.0;
                state
            }));
        }
    }

    /// States in which a record has not been taken early: in the others it is done.
    fn open_to(&self, record: &Record) -> impl Iterator<Item = &State> {
        let index = record.index;
        let is_open = move |state: &&State| state.early.binary_search(&index).is_err();
        self.states.iter().map(|state| &**state).filter(is_open)
    }

    /// States for which several early records are tried: that takes long.
    fn worth(&self, depth: u32, record: &Record) -> impl Iterator<Item = &State> {
        let n = match depth {
            1 => WIDTH,
            2 => 4,
            _ => 2,
        };
        let best = self.states[0].cost;
        self.open_to(record).filter(move |state| state.cost <= best + 3.0).take(n)
    }

    /// The cheapest of different states, with what they did in this record written down.
    fn keep(&self, mut states: Vec<State>, index: u32) -> Vec<Rc<State>> {
        states.sort_by(|a, b| a.cost.partial_cmp(&b.cost).unwrap_or(Ordering::Equal));
        let limit = cheapest(&states) + MARGIN;
        let mut seen = HashSet::new();
        let is_alone = states.len() == 1;
        states.retain(|state| state.cost <= limit && (is_alone || seen.insert(state.hash())));
        give_up(&mut states, index - self.facts.first as u32, self.facts.has_probes());
        for state in &mut states {
            let acts = std::mem::take(&mut state.acts);
            let tag = std::mem::take(&mut state.tag);
            if !acts.is_empty() || tag != Tag::Plain {
                state.path.push(index, tag, &acts);
            }
        }
        states.into_iter().map(Rc::new).collect()
    }
}

fn cheapest(states: &[State]) -> f64 {
    states.iter().map(|state| state.cost).fold(f64::INFINITY, f64::min)
}
