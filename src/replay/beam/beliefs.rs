//! What is tried when nothing explains a record: it is believed, or it is not, and then a free behind it can say what it
//! should have been.

use crate::model::{Extent, Op, Owner, Request, VmapArea};

use super::busy::Area;
use super::children::Wanted;
use super::facts::{Record, What};
use super::path::Tag;
use super::state::{Found, State};
use super::{BELIEF, Beam, COPY, EARLY};

/// The record is wrong, and a free behind it says what it should have been.
const ORPHAN: f64 = 6.0;
/// Such frees looked at.
const MAX_ORPHANS: usize = 64;
/// Of believing and not believing the less likely one.
const LESS_LIKELY: f64 = 0.75;
/// The counter is not what the record says, and nothing explains it.
const COUNTER_DIFFERS: f64 = 2.0;

impl Beam<'_> {
    /// The record is wrong: the state answers with an address that is freed later and that no record allocated.
    pub(super) fn with_orphan(&self, state: &State, record: &Record, out: &mut Vec<State>) {
        let What::Alloc { request, recorded: Some(recorded), .. } = record.what else { return };
        let orphans = self.facts.orphans_behind(record.index).take(MAX_ORPHANS);
        let is_other = |addr: &u64| *addr != recorded && state.busy.get(*addr).is_none();
        let answers: Vec<Option<u64>> = orphans.filter(is_other).map(Some).collect();
        if answers.is_empty() || request.check(self.env.page_size).is_err() {
            return;
        }
        let from = out.len();
        self.with_purge(state, record, &Wanted::Answer { request: &request, answers: &answers }, out);
        if out.len() == from {
            self.with_answer_of_other_pool(state, record, &answers, out);
        }
        for child in &mut out[from..] {
            child.cost += ORPHAN;
            child.tag = Tag::Disbelieved;
            child.side_with(record.index, false);
        }
    }

    /// Nothing explains the record: it is believed, or it is not.
    pub(super) fn with_belief(&self, state: &State, record: &Record, out: &mut Vec<State>) {
        match record.what {
            What::Alloc { request, recorded, .. } => {
                self.believe_or_not(state, record, &request, recorded, out);
                self.with_exchanged_lie(state, record, out);
            }
            What::Free { addr, nr_lazy } => out.extend(self.count_anew(state, record, addr, nr_lazy)),
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
        let owner = env.owner_of(request);
        let can_be = extent.is_some_and(|extent| self.is_possible(state, request, extent));
        let (against, against_not) = if can_be { (0.0, LESS_LIKELY) } else { (LESS_LIKELY, 0.0) };
        self.works(COPY);
        let mut child = state.clone();
        if let Some(extent) = extent {
            child.adopt(env, extent, owner, record.index);
        }
        self.add_chunk(&mut child, record);
        child.cost += BELIEF + if own.is_some() && extent.is_some() { against } else { 0.0 };
        child.tag = Tag::Believed;
        child.side_with(record.index, true);
        out.push(child);
        if let (Some(_), Some(mut child)) = (extent, self.disbelieve(state, record, request)) {
            child.cost += against_not;
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

    /// Of two records in the wrong order one is wrong as well.
    fn with_exchanged_lie(&self, state: &State, record: &Record, out: &mut Vec<State>) {
        for other in self.candidates(state, record) {
            let mut ways = Vec::new();
            self.fitting(state, &other, &mut ways);
            let n_true = ways.len();
            self.without_belief(state, &other, &mut ways);
            for (mut way, is_true) in ways.into_iter().zip((0..).map(|at| at < n_true)) {
                way.cost += EARLY;
                way.tag = Tag::Plain;
                way.take_early(other.index);
                way.side_with(other.index, is_true);
                let from = out.len();
                if is_true {
                    self.without_belief(&way, record, out);
                } else {
                    self.fitting(&way, record, out);
                    out[from..].iter_mut().for_each(|child| child.tag = Tag::Exchanged);
                }
            }
        }
    }

    /// The record is wrong: what the state answers stands for it.
    fn without_belief(&self, state: &State, record: &Record, out: &mut Vec<State>) {
        let from = out.len();
        self.with_orphan(state, record, out);
        let What::Alloc { request, recorded: Some(_), .. } = record.what else { return };
        if out.len() == from && request.check(self.env.page_size).is_ok() {
            out.extend(self.disbelieve(state, record, &request));
        }
    }

    fn disbelieve(&self, state: &State, record: &Record, request: &Request) -> Option<State> {
        let What::Alloc { recorded, .. } = record.what else { return None };
        let found = state.place(&self.env, request).filter(|found| Some(found.start()) != recorded)?;
        self.works(COPY);
        let mut child = state.clone();
        child.alloc(&self.env, request, Some(found), record.index);
        self.add_chunk(&mut child, record);
        child.cost += BELIEF;
        child.tag = Tag::Disbelieved;
        child.side_with(record.index, false);
        Some(child)
    }

    /// A free of an area nobody knows, or with a counter nothing explains.
    fn count_anew(&self, state: &State, record: &Record, addr: u64, nr_lazy: u64) -> Option<State> {
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
        self.note_untold(&mut child, record.index, &area);
        if let Some(purge) = self.facts.next_purge(self.now) {
            child.charge_surplus(env, purge);
        }
        debug_assert!(matches!(child.acts.last(), Some(Op::Free { .. })), "freed");
        Some(child)
    }

    /// The size of an area that no record allocated is a guess where the falls of the counter are told. A state knows it.
    pub(super) fn note_untold(&self, state: &mut State, index: u32, area: &Area) {
        if let Some(assumed) = self.facts.assumed_pages(index) {
            let more = i128::from(self.env.pages(area)) - i128::from(assumed);
            state.purge.untold_pages = state.purge.untold_pages.saturating_add(more);
        }
    }
}
