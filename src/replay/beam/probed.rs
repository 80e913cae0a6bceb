//! Records of probes: a free shows where it begins, and neither where it takes effect nor what the counter was.

use crate::model::{Extent, Owner, VmapArea};

use super::busy::Area;
use super::facts::{PurgeFacts, Record};
use super::path::Tag;
use super::purge::Stage;
use super::state::{Late, State};
use super::{Beam, COPY};

/// A free that had begun before a purge, and came after the purge had taken the lists off; or the other way round.
const RACED: f64 = 0.5;
/// A free of an area that is not in use.
const UNKNOWN: f64 = 2.0;

impl Beam<'_> {
    /// A free has begun. A purge that has begun before it has most likely taken the lists off by now, and those that begin
    /// before its CPU goes on most likely have not.
    pub(super) fn free_begins(
        &self,
        state: &State,
        record: &Record,
        (addr, end): (u64, u64),
        n_purges: u32,
        out: &mut Vec<State>,
    ) {
        self.works(COPY);
        let mut state = state.clone();
        let Some(area) = self.area_at(&mut state, addr, end) else { return };
        let behind = self.detached(&state);
        if n_purges > 0 {
            let mut late = behind.as_ref().unwrap_or(&state).clone();
            late.late.push(Late { area, cpu: record.cpu, n_purges });
            late.cost += RACED;
            out.push(late);
        }
        if let Some(mut behind) = behind {
            behind.free(&self.env, &area);
            out.push(behind);
            state.cost += RACED;
        }
        state.free(&self.env, &area);
        out.push(state);
    }

    /// A purge is over, and frees that had begun before it have not got any further.
    pub(super) fn finish_without_late(&self, state: &State, purge: &PurgeFacts, out: &mut Vec<State>) {
        let later: Vec<Late> = state.late.iter().filter(|late| late.n_purges > 1).copied().collect();
        if later.is_empty() {
            return;
        }
        let mut waits = state.clone();
        waits.late.retain(|late| late.n_purges <= 1);
        let from = out.len();
        self.finish(&waits, purge, out);
        for way in &mut out[from..] {
            way.cost += RACED;
            way.late.extend(later.iter().map(|late| Late { n_purges: late.n_purges - 1, ..*late }));
        }
    }

    /// The area that is freed; one that nobody knows has been there all along.
    fn area_at(&self, state: &mut State, addr: u64, end: u64) -> Option<Area> {
        let known = state.busy.get(addr);
        if let Some(area) = known.filter(|area| area.end == end || end <= addr) {
            return Some(area);
        }
        state.cost += UNKNOWN;
        state.adopt(&self.env, Extent::new(addr, end)?, Owner::Nobody, VmapArea::UNBORN);
        state.busy.get(addr)
    }

    /// The state once the purge that has begun has taken the lists off; `None` if it has, or none has begun.
    fn detached(&self, state: &State) -> Option<State> {
        let purge = self.facts.under_way(self.now)?;
        let is_before = |state: &State| matches!(state.purge.stage, Stage::Idle | Stage::Pools { .. });
        if !is_before(state) {
            return None;
        }
        self.works(COPY);
        let mut state = state.clone();
        while is_before(&state) {
            state.step(&self.env, purge, 0)?;
        }
        Some(state)
    }

    /// The CPU of a late free goes on: the free is done, so the purge has taken the lists off before.
    pub(super) fn caught_up(&self, state: &State, record: &Record) -> Option<State> {
        let is_due = state.late.iter().any(|late| late.cpu == record.cpu);
        if is_due { self.detached(state) } else { None }
    }

    /// An area is there that nobody saw being asked for.
    pub(super) fn lies_there(&self, state: &State, record: &Record, addr: u64, end: u64) -> Option<State> {
        let mut state = state.clone();
        state.adopt(&self.env, Extent::new(addr, end)?, Owner::Nobody, record.index);
        state.tag = Tag::Believed;
        Some(state)
    }
}
