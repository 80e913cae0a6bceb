//! The ways one state can go on at one record.

use std::collections::{HashSet, VecDeque};

use super::facts::{PurgeFacts, Record, What};
use super::path::Tag;
use super::purge::{Effect, Stage};
use super::state::{Env, Found, State};
use super::{Beam, COPY, HYPOTHESIS};
use crate::model::Request;

/// Ways kept of one state at one record.
const MAX_CHILDREN: usize = 6;
/// Positions of several helpers looked at for one state at one record.
const MAX_POSITIONS: usize = 96;

/// What has to come out for a record to fit.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'r> {
    /// One of these addresses, or none.
    Answer { request: &'r Request, answers: &'r [Option<u64>] },
    /// So many lazy pages before the free; its area belongs to this node.
    Counter { before: u64, node: u32 },
}

impl Wanted<'_> {
    fn comes_out(&self, env: &Env, state: &State) -> bool {
        match *self {
            Self::Answer { request, answers } => answers.contains(&state.place(env, request).map(Found::start)),
            Self::Counter { before, .. } => state.counter == before,
        }
    }

    /// Can the step have changed whether it does?
    fn feels(&self, env: &Env, effect: Effect, from_pool: bool) -> bool {
        match (*self, effect) {
            (Self::Counter { node, .. }, Effect::Detached { node: at }) => at == node,
            (Self::Counter { .. }, Effect::Subtracted) => true,
            (Self::Counter { .. }, Effect::Merged) => env.returns_singly(),
            (Self::Counter { .. }, _) => false,
            (Self::Answer { request, .. }, Effect::Decayed { node, pages }) => {
                env.is_poolable(request)
                    && request.cpu % env.n_nodes == node
                    && request.size / env.page_size == u64::from(pages)
            }
            (Self::Answer { request, .. }, Effect::Parked { node, pages }) => {
                env.is_poolable(request) && request.cpu % env.n_nodes == node && request.size / env.page_size == pages
            }
            (Self::Answer { .. }, Effect::DecayMerged | Effect::Merged) => !from_pool,
            (Self::Answer { .. }, _) => false,
        }
    }
}

impl Beam<'_> {
    /// Every way a state can go on at a record without a doubt about its order. Early ones only drop their mark.
    pub(super) fn children(&self, state: &State, record: &Record, out: &mut Vec<State>) {
        let caught_up = self.caught_up(state, record);
        let state = caught_up.as_ref().unwrap_or(state);
        if let Ok(at) = state.early.binary_search(&record.index) {
            let mut child = state.clone();
            child.early.remove(at);
            child.tag = Tag::Exchanged;
            out.push(child);
            return;
        }
        self.fitting(state, record, out);
    }

    /// The same of a record at any place.
    pub(super) fn fitting(&self, state: &State, record: &Record, out: &mut Vec<State>) {
        let env = &self.env;
        match record.what {
            What::Alloc { request, recorded, .. } => {
                if request.check(env.page_size).is_err() {
                    return;
                }
                let wanted = Wanted::Answer { request: &request, answers: &[recorded] };
                self.with_purge(state, record, &wanted, out);
            }
            What::Free { addr, nr_lazy } => {
                let Some(area) = state.busy.get(addr) else { return };
                let Some(before) = nr_lazy.checked_sub(env.pages(&area)) else { return };
                let wanted = Wanted::Counter { before, node: env.lazy_node(&area) };
                self.with_purge(state, record, &wanted, out);
            }
            What::FreeBegins { addr, end, n_purges } => self.free_begins(state, record, (addr, end), n_purges, out),
            What::Unasked { addr, end } => out.extend(self.lies_there(state, record, addr, end)),
            What::Purge(at) => {
                self.finish(state, &self.facts.purges[at], out);
                self.finish_without_late(state, &self.facts.purges[at], out);
            }
            What::Nothing => out.push(state.clone()),
        }
    }

    /// What the record says is done, and counted against what the purge's record says.
    pub(super) fn settle(&self, mut state: State, record: &Record, tag: Tag) -> State {
        self.works(COPY);
        let env = &self.env;
        match record.what {
            What::Alloc { request, .. } => {
                let found = state.place(env, &request);
                state.alloc(env, &request, found, record.index);
                self.add_chunk(&mut state, record);
            }
            What::Free { addr, .. } => {
                if let Some(area) = state.busy.get(addr) {
                    state.free(env, &area);
                    self.note_untold(&mut state, record.index, &area);
                    if let Some(purge) = self.facts.next_purge(self.now) {
                        state.charge_surplus(env, purge);
                    }
                }
            }
            What::FreeBegins { .. } | What::Unasked { .. } | What::Purge(_) | What::Nothing => {}
        }
        if state.tag == Tag::Plain {
            state.tag = tag;
        }
        state
    }

    /// The per-CPU chunk that follows on an allocation, if one does.
    pub(super) fn add_chunk(&self, state: &mut State, record: &Record) {
        if let What::Alloc { chunk: Some((size, align)), .. } = record.what {
            state.chunk(&self.env, size, align);
        }
    }

    /// The state as it is, and with the purge that is under way further on.
    pub(super) fn with_purge(&self, state: &State, record: &Record, wanted: &Wanted<'_>, out: &mut Vec<State>) {
        let env = &self.env;
        let fits = wanted.comes_out(env, state);
        if fits {
            out.push(self.settle(state.clone(), record, Tag::Plain));
        }
        // A record that is taken early comes from behind: where the search stands is what counts.
        let Some(purge) = self.facts.under_way(self.now) else { return };
        if !self.can_feel(state, wanted) {
            return;
        }
        let mut found = Vec::new();
        self.walk(state, purge, wanted, fits, &mut |advanced| {
            found.push(advanced);
            found.len() < MAX_CHILDREN
        });
        for (mut advanced, missed) in found {
            advanced.cost += HYPOTHESIS;
            if let (true, What::Alloc { request, recorded, chunk }) = (missed, record.what) {
                // The pool was off at that moment.
                let request = Request { first_attempt: false, ..request };
                let record = Record { what: What::Alloc { request, recorded, chunk }, ..*record };
                out.push(self.settle(advanced, &record, Tag::PoolMissed));
            } else {
                out.push(self.settle(advanced, record, Tag::Advanced));
            }
        }
    }

    /// Is there anything to come that can change the answer?
    fn can_feel(&self, state: &State, wanted: &Wanted<'_>) -> bool {
        match *wanted {
            Wanted::Answer { request, .. } => {
                let node = request.cpu % self.env.n_nodes;
                let from_pool = matches!(state.place(&self.env, request), Some(Found::Pool { .. }));
                !from_pool || state.purge.will_park(node)
            }
            Wanted::Counter { before, .. } => state.counter >= before,
        }
    }

    /// Takes the purge forward, and calls `found` with the states where the record fits: at the first step of each row of
    /// steps where it does, and after each that changes the free tree.
    fn walk(
        &self,
        state: &State,
        purge: &PurgeFacts,
        wanted: &Wanted<'_>,
        fits: bool,
        found: &mut dyn FnMut((State, bool)) -> bool,
    ) {
        let env = &self.env;
        let mut seen = HashSet::new();
        let mut n_positions = 0;
        // With helpers, by how many steps that can be felt: no further than to the first that fits. A state that fits as it
        // is may be one step further; the next record takes it on from there.
        let mut deepest = if fits { 1 } else { u32::MAX };
        let mut pending = VecDeque::from([(state.clone(), fits, 0)]);
        while let Some((mut at, mut fitted, depth)) = pending.pop_front() {
            loop {
                if at.purge.stage == Stage::Flushed {
                    let (now, then) = at.helpers(env);
                    if now != then {
                        let mut other = at.clone();
                        other.count_helpers(then);
                        pending.push_back((other, fitted, depth));
                    }
                    at.count_helpers(now);
                }
                if at.purge.n_workers() > 1 {
                    if depth >= deepest {
                        break;
                    }
                    for worker in at.purge.busy_workers() {
                        let mut next = at.clone();
                        self.works(COPY);
                        let Some(effect) = self.step_felt(&mut next, purge, worker, wanted) else { continue };
                        if n_positions >= MAX_POSITIONS || !seen.insert(next.purge.positions()) {
                            continue;
                        }
                        n_positions += 1;
                        let fits = wanted.comes_out(env, &next);
                        let changes_tree = matches!(effect, Effect::Merged | Effect::DecayMerged);
                        if fits && (!fitted || changes_tree) {
                            deepest = deepest.min(depth + 1);
                            if !found((next.clone(), false)) {
                                return;
                            }
                        }
                        pending.push_back((next, fits, depth + 1));
                    }
                    break;
                }
                if self.is_off_next(&at, wanted) && !found((at.clone(), true)) {
                    return;
                }
                self.works(1);
                let from_pool = is_from_pool(env, &at, wanted);
                let before = at.cost;
                let Some(effect) = at.step(env, purge, 0) else {
                    if at.purge.stage == Stage::Flushed {
                        continue;
                    }
                    break;
                };
                if at.cost - before > 0.0 && at.cost > self.limit() {
                    break;
                }
                if !wanted.feels(env, effect, from_pool) {
                    continue;
                }
                let fits = wanted.comes_out(env, &at);
                let changes_tree = matches!(effect, Effect::Merged | Effect::DecayMerged | Effect::Detached { .. });
                if fits && (!fitted || changes_tree) && !found((at.clone(), false)) {
                    return;
                }
                fitted = fits;
                if let Wanted::Counter { before, .. } = *wanted
                    && at.counter < before
                {
                    break;
                }
            }
        }
    }

    /// Takes one of several helpers to its next step that can be felt.
    fn step_felt(&self, state: &mut State, purge: &PurgeFacts, worker: usize, wanted: &Wanted<'_>) -> Option<Effect> {
        loop {
            let from_pool = is_from_pool(&self.env, state, wanted);
            let effect = state.step(&self.env, purge, worker)?;
            if wanted.feels(&self.env, effect, from_pool) {
                return Some(effect);
            }
        }
    }

    /// Is the request's own pool taken off for a moment next, and would the tree give the recorded address then?
    fn is_off_next(&self, state: &State, wanted: &Wanted<'_>) -> bool {
        let Wanted::Answer { request, answers } = *wanted else { return false };
        let env = &self.env;
        let own = (request.cpu % env.n_nodes, (request.size / env.page_size) as u32);
        if !request.first_attempt || !env.is_poolable(request) || state.purge.next_pool(&state.pools) != Some(own) {
            return false;
        }
        let missed = Request { first_attempt: false, ..*request };
        answers.contains(&state.place(env, &missed).map(Found::start))
    }

    /// The purge is over: what is left of it is done.
    pub(super) fn finish(&self, state: &State, purge: &PurgeFacts, out: &mut Vec<State>) {
        let env = &self.env;
        let began = (state.purge.stage == Stage::Idle).then_some(state.acts.len());
        let mut pending = vec![state.clone()];
        while let Some(mut at) = pending.pop() {
            while at.step(env, purge, 0).is_some() {}
            if at.purge.stage == Stage::Flushed {
                let (now, then) = at.helpers(env);
                if now != then {
                    let mut other = at.clone();
                    other.count_helpers(then);
                    pending.push(other);
                }
                at.count_helpers(now);
                pending.push(at);
                continue;
            }
            let n = at.purge.n_workers();
            if n > 1 {
                // Helpers first, or last: the order shows in the tree alone.
                let mut last = at.clone();
                for worker in (0..n).rev() {
                    while last.step(env, purge, worker).is_some() {}
                }
                last.cost += HYPOTHESIS;
                last.end_purge(began, purge);
                out.push(last);
                for worker in 0..n {
                    while at.step(env, purge, worker).is_some() {}
                }
            }
            at.end_purge(began, purge);
            out.push(at);
        }
    }
}

fn is_from_pool(env: &Env, state: &State, wanted: &Wanted<'_>) -> bool {
    match *wanted {
        Wanted::Answer { request, .. } => {
            let pages = request.size / env.page_size;
            request.first_attempt
                && env.is_poolable(request)
                && state.pools[(request.cpu % env.n_nodes) as usize]
                    .head(pages)
                    .is_some_and(|head| head & (request.align - 1) == 0)
        }
        Wanted::Counter { .. } => false,
    }
}
