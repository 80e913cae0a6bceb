//! [`History`]: the states before the latest records, to go back to where a late record took effect.

use std::collections::VecDeque;
use std::rc::Rc;

use super::facts::{Record, What};
use super::path::Tag;
use super::state::State;
use super::{Beam, EARLY};

/// Records kept.
const RECORDS: usize = 120;
/// What the states kept may hold, in bytes.
const MAX_BYTES: u64 = 96 << 20;

/// The states before the latest records.
#[derive(Debug, Default)]
pub(super) struct History {
    before: VecDeque<(Record, Vec<Rc<State>>, u64)>,
    bytes: u64,
}

impl History {
    /// Keeps the states before a record.
    pub(super) fn remember(&mut self, record: &Record, states: &[Rc<State>]) {
        let bytes = states.iter().map(|state| state.heap_bytes()).sum();
        self.before.push_back((*record, states.to_vec(), bytes));
        self.bytes += bytes;
        while self.before.len() > RECORDS || (self.bytes > MAX_BYTES && self.before.len() > 1) {
            if let Some((.., bytes)) = self.before.pop_front() {
                self.bytes -= bytes;
            }
        }
    }
}

impl Beam<'_> {
    /// The record may have taken effect before others that are recorded before it: back to the last record of its CPU
    /// (from 6.19 on: its task), and forward again with it taken before any of those since.
    pub(super) fn look_back(&mut self, record: &Record, next: &mut Vec<State>) {
        if !matches!(record.what, What::Alloc { .. } | What::Free { .. }) {
            return;
        }
        let by_task = self.env.rules.reschedules_before_record;
        let is_own = |other: &Record| other.task == record.task || (!by_task && other.cpu == record.cpu);
        let n = self.history.before.len();
        let is_before = |other: &Record| is_own(other) || other.index < record.since;
        let from = (0..n - 1).rev().find(|&at| is_before(&self.history.before[at].0)).map_or(0, |at| at + 1);
        let now = self.now;
        let mut taken: Vec<Rc<State>> = Vec::new();
        for at in from..n - 1 {
            let (other, before, _) = &self.history.before[at];
            let other = *other;
            self.now = other.index;
            let mut ways: Vec<State> = Vec::new();
            for state in before {
                let first = ways.len();
                if state.early.binary_search(&record.index).is_err() {
                    self.fitting(state, record, &mut ways);
                    self.with_orphan(state, record, &mut ways);
                }
                for way in &mut ways[first..] {
                    way.cost += EARLY;
                    way.tag = Tag::Plain;
                    way.take_early(record.index);
                }
            }
            let mut going = Vec::new();
            for state in ways.iter().chain(taken.iter().map(|state| &**state)) {
                let first = going.len();
                self.children(state, &other, &mut going);
                if going.len() == first {
                    self.with_early(state, &other, 1, &mut going);
                    self.with_other_pool(state, &other, &mut going);
                }
            }
            if going.is_empty() {
                continue;
            }
            taken = self.keep(going, other.index);
        }
        self.now = now;
        for state in &taken {
            self.children(state, record, next);
        }
    }
}
