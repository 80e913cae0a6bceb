//! What is tried when no state goes on as recorded: another order, another pool. Beliefs come last (`beliefs.rs`).

use crate::model::Request;

use super::facts::{Record, What};
use super::path::Tag;
use super::state::{Found, State};
use super::{Beam, EARLY, OTHER_POOL};

/// How far behind a record one of another task can stand that took effect before it, in records.
const AHEAD: u32 = 300;
/// How far one of another CPU: an emulated or interrupted one can stand still between a change and its record.
pub(super) const FAR_AHEAD: u32 = 4096;
/// A free whose `nr_lazy` says that it came first hardly counts as a doubt.
const COUNTED_FIRST: f64 = 0.05;

impl Beam<'_> {
    /// The next record of each other CPU (from 6.19 on: task) that can have taken effect before this one.
    pub(super) fn candidates(&self, state: &State, record: &Record) -> Vec<Record> {
        let by_task = self.env.rules.reschedules_before_record;
        let is_window = self.facts.under_way(self.now).is_some();
        let (mut cpus, mut tasks) = (vec![record.cpu], vec![record.task]);
        let mut found = Vec::new();
        let end = record.index.saturating_add(FAR_AHEAD).min(self.n_records);
        for index in record.index + 1..end {
            self.works(1);
            // A task's next record is near; a CPU that was stopped can come last of all.
            if cpus.len() >= self.n_cpus && (!by_task || record.index + AHEAD < index) {
                break;
            }
            let other = self.facts.record(index);
            if matches!(other.what, What::Nothing) || state.early.binary_search(&index).is_ok() {
                continue;
            }
            let is_new_task = !tasks.contains(&other.task);
            let is_new_cpu = !cpus.contains(&other.cpu);
            if is_new_task {
                tasks.push(other.task);
            }
            if is_new_cpu {
                cpus.push(other.cpu);
            }
            let fits = match (record.what, other.what) {
                (What::Alloc { .. }, What::Alloc { recorded, .. }) => recorded.is_some(),
                // It counted lower, or a purge has taken pages off since.
                (What::Free { nr_lazy, .. }, What::Free { nr_lazy: earlier, .. }) => is_window || earlier < nr_lazy,
                (What::Purge(_), What::Free { .. }) => true,
                _ => false,
            };
            // Before it is asked for, nothing is taken.
            let fits = fits && other.since < record.index;
            if fits && is_new_task && (is_new_cpu || by_task) {
                found.push(other);
            }
        }
        found
    }

    /// Up to `depth` later records took effect before this one.
    pub(super) fn with_early(&self, state: &State, record: &Record, depth: u32, out: &mut Vec<State>) {
        for other in self.candidates(state, record) {
            let mut ways = Vec::new();
            self.fitting(state, &other, &mut ways);
            for mut way in ways {
                way.cost += if matches!(record.what, What::Free { .. }) { COUNTED_FIRST } else { EARLY };
                way.tag = Tag::Plain;
                way.take_early(other.index);
                if self.limit() < way.cost {
                    continue;
                }
                if depth > 1 {
                    self.with_early(&way, record, depth - 1, out);
                } else {
                    let from = out.len();
                    self.fitting(&way, record, out);
                    for child in &mut out[from..] {
                        child.tag = Tag::Exchanged;
                    }
                }
            }
        }
    }

    /// The pool of another node was looked at, or the own one was empty.
    pub(super) fn with_other_pool(&self, state: &State, record: &Record, out: &mut Vec<State>) {
        let What::Alloc { recorded, .. } = record.what else { return };
        self.with_answer_of_other_pool(state, record, &[recorded], out);
    }

    /// The same for any of these answers.
    pub(super) fn with_answer_of_other_pool(
        &self,
        state: &State,
        record: &Record,
        answers: &[Option<u64>],
        out: &mut Vec<State>,
    ) {
        let What::Alloc { request, recorded, chunk } = record.what else { return };
        if !request.first_attempt || !self.env.is_poolable(&request) {
            return;
        }
        let try_request = |request: Request, tag: Tag, out: &mut Vec<State>| {
            if answers.contains(&state.place(&self.env, &request).map(Found::start)) {
                let record = Record { what: What::Alloc { request, recorded, chunk }, ..*record };
                out.push(self.settle(state.clone(), &record, tag));
            }
        };
        let from = out.len();
        let own = request.cpu % self.env.n_nodes;
        for node in (0..self.env.n_nodes).filter(|&node| node != own) {
            try_request(Request { cpu: node, ..request }, Tag::OtherNode, out);
        }
        let is_window = self.facts.under_way(self.now).is_some();
        let first_missed = out.len();
        try_request(Request { first_attempt: false, ..request }, Tag::PoolMissed, out);
        for (at, child) in out.iter_mut().enumerate().skip(from) {
            child.cost += OTHER_POOL + if at >= first_missed && !is_window { 1.0 } else { 0.0 };
        }
    }

    /// The model's own answer, for showing what it would have said.
    pub(super) fn answer(&self, state: &State, record: &Record) -> Option<u64> {
        let What::Alloc { request, .. } = record.what else { return None };
        if request.check(self.env.page_size).is_err() {
            return None;
        }
        state.place(&self.env, &request).map(Found::start)
    }
}
