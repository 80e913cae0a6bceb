//! What is tried when no state goes on as recorded: another order, another pool, another belief.

use crate::model::{Extent, Op, Owner, Request, VmapArea};

use super::busy::Area;
use super::facts::{Record, What};
use super::path::Tag;
use super::state::{Found, State};
use super::{BELIEF, Beam, COPY, EARLY, OTHER_POOL};

/// How far behind a record one of another task can stand that took effect before it, in records.
const AHEAD: u32 = 300;
/// How far one of another CPU: an emulated or interrupted one can stand still between a change and its record.
const FAR_AHEAD: u32 = 4096;
/// A free whose `nr_lazy` says that it came first hardly counts as a doubt.
const COUNTED_FIRST: f64 = 0.05;
/// The counter is not what the record says, and nothing explains it.
const COUNTER_DIFFERS: f64 = 2.0;

impl Beam<'_> {
    /// The next record of each other CPU (from 6.19 on: task) that can have taken effect before this one.
    fn candidates(&self, state: &State, record: &Record) -> Vec<Record> {
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
        let What::Alloc { request, .. } = record.what else { return };
        if !request.first_attempt || !self.env.is_poolable(&request) {
            return;
        }
        let from = out.len();
        let own = request.cpu % self.env.n_nodes;
        for node in (0..self.env.n_nodes).filter(|&node| node != own) {
            let moved = Request { cpu: node, ..request };
            self.with_request(state, record, &moved, Tag::OtherNode, out);
        }
        let missed = Request { first_attempt: false, ..request };
        let is_window = self.facts.under_way(self.now).is_some();
        let first_missed = out.len();
        self.with_request(state, record, &missed, Tag::PoolMissed, out);
        for (at, child) in out.iter_mut().enumerate().skip(from) {
            child.cost += OTHER_POOL + if at >= first_missed && !is_window { 1.0 } else { 0.0 };
        }
    }

    /// Nothing explains the record: it is believed, or it is not.
    pub(super) fn with_belief(&self, state: &State, record: &Record, out: &mut Vec<State>) {
        match record.what {
            What::Alloc { request, recorded, .. } => self.believe_or_not(state, record, &request, recorded, out),
            What::Free { addr, nr_lazy } => out.extend(self.count_anew(state, addr, nr_lazy)),
            What::FreeBegins { .. } | What::Unasked { .. } | What::Purge(_) | What::Nothing => {}
        }
    }

    fn believe_or_not(
        &self,
        state: &State,
        record: &Record,
        request: &Request,
        recorded: Option<u64>,
        out: &mut Vec<State>,
    ) {
        let env = &self.env;
        let is_valid = request.check(env.page_size).is_ok();
        let own = if is_valid { state.place(env, request) } else { None };
        if is_valid && own.map(Found::start) == recorded {
            // There is nothing to doubt in this state.
            return;
        }
        let extent = recorded.and_then(|start| Extent::sized(start, request.size));
        let owner = if env.is_poolable(request) { Owner::Node(request.cpu % env.n_nodes) } else { Owner::Nobody };
        let can_be = extent.is_some_and(|extent| self.is_possible(state, request, extent));
        let (believed, disbelieved) = if can_be { (BELIEF, BELIEF + 0.75) } else { (BELIEF + 0.75, BELIEF) };
        self.works(COPY);
        let mut child = state.clone();
        if let Some(extent) = extent {
            child.adopt(env, extent, owner, record.index);
        }
        child.cost += if own.is_some() && extent.is_some() { believed } else { BELIEF };
        child.tag = Tag::Believed;
        out.push(child);
        if let (Some(found), Some(_)) = (own, recorded) {
            let mut child = state.clone();
            child.alloc(env, request, Some(found), record.index);
            child.cost += disbelieved;
            child.tag = Tag::Disbelieved;
            out.push(child);
        }
    }

    /// Can any carve have given this address: the lowest aligned place of a hole, or of what is parked or waits?
    fn is_possible(&self, state: &State, request: &Request, extent: Extent) -> bool {
        let env = &self.env;
        let start = extent.start();
        if let Some((_, hole)) = state.holes.at(start) {
            let lowest = crate::model::search::align_up(hole.start().max(request.window.vstart), request.align);
            return lowest == start && hole.contains(extent);
        }
        state.pools.iter().any(|pools| pools.covers(start, env.page_size))
            || state.lazy.iter().flat_map(|list| list.iter()).any(|area| area.start <= start && start < area.end)
            || state.purge.holds(start)
    }

    /// A free of an area nobody knows, or with a counter nothing explains.
    fn count_anew(&self, state: &State, addr: u64, nr_lazy: u64) -> Option<State> {
        let env = &self.env;
        let mut child = state.clone();
        let area = match child.busy.get(addr) {
            Some(area) => {
                child.cost += COUNTER_DIFFERS;
                area
            }
            None => {
                let pages = nr_lazy.checked_sub(child.counter).filter(|&pages| pages > 0)?;
                let extent = Extent::sized(addr, pages.checked_mul(env.page_size)?)?;
                let is_apart = child.busy.overlapping(extent.start(), extent.end()).is_none()
                    && child.holes.at(addr).is_none_or(|(_, hole)| hole.contains(extent));
                if !is_apart {
                    return None;
                }
                child.adopt(env, extent, Owner::Nobody, VmapArea::UNBORN);
                Area { start: addr, end: extent.end(), owner: 0, born: VmapArea::UNBORN }
            }
        };
        child.free(env, &area);
        child.counter = nr_lazy;
        if let Some(purge) = self.facts.next_purge(self.now) {
            child.charge_surplus(env, purge);
        }
        debug_assert!(matches!(child.acts.last(), Some(Op::Free { .. })), "freed");
        Some(child)
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
