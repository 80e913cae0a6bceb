//! What a purge has in hand: what becomes of it when a record contradicts, and its end.

use std::rc::Rc;

use crate::model::{Op, PurgeKind};

use super::super::plan::purge_op;
use super::busy::Area;
use super::facts::PurgeFacts;
use super::pools::MAX_PAGES;
use super::purge::{Purge, Stage};
use super::state::{Env, State};

impl PurgeFacts {
    /// Does an area that was taken off go to a pool?
    pub(super) fn can_park(&self, env: &Env, area: &Area) -> bool {
        !self.full && is_parkable(env, area)
    }
}

fn is_parkable(env: &Env, area: &Area) -> bool {
    area.owner != 0 && area.start < area.end && env.pages(area) <= MAX_PAGES
}

impl State {
    /// What a purge has in hand and overlaps a range is free.
    pub(super) fn evict_in_hand(&mut self, env: &Env, start: u64, end: u64) {
        while let Some(at) = self.purge.decayed.iter().position(|&(from, to)| from < end && start < to) {
            let (start, end) = self.purge.decayed.remove(at);
            self.holes_mut().give_back(start, end);
        }
        for index in 0..self.purge.lists.len() {
            let worker =
                self.purge.workers.iter().find(|worker| (worker.list as usize..worker.end as usize).contains(&index));
            let is_done = self.purge.stage == Stage::Returning && worker.is_none();
            let begun = worker.filter(|worker| worker.list as usize == index);
            let (at, is_subtracted) = begun.map_or((0, false), |worker| (worker.at as usize, worker.is_subtracted));
            loop {
                if is_done {
                    break;
                }
                let areas = &self.purge.lists[index].areas;
                let is_here = |(place, area): (usize, &Area)| {
                    let is_parked =
                        place < at && (env.returns_singly() || (!self.purge.full && is_parkable(env, area)));
                    // One that is gone already is empty.
                    area.start < area.end && area.start < end && start < area.end && !is_parked
                };
                let Some(place) = areas.iter().enumerate().position(is_here) else { break };
                let area = areas[place];
                // Its place stays: those before it have been looked at.
                Rc::make_mut(&mut self.purge.lists[index].areas)[place].end = area.start;
                if !is_subtracted {
                    self.counter = self.counter.saturating_sub(env.pages(&area));
                }
                self.holes_mut().give_back(area.start, area.end);
            }
        }
    }

    /// The purge is over; nothing of it is left to do. One that began behind so many acts is told as a whole, unless
    /// something was freed in its midst.
    pub(super) fn end_purge(&mut self, began: Option<usize>, facts: &PurgeFacts) {
        let parts = |from: &usize| self.acts[*from..].iter().all(|op| matches!(op, Op::PurgePart(_)));
        if let Some(from) = began.filter(parts)
            && self.purge.workers.len() <= 1
        {
            self.acts.truncate(from);
        }
        self.acts.push(purge_op(if facts.full { PurgeKind::Full } else { PurgeKind::Partial }));
        self.purge = Purge::default();
    }
}

impl Purge {
    /// Does anything that was taken off, or out of a pool, contain the address?
    pub(super) fn holds(&self, addr: u64) -> bool {
        self.decayed.iter().any(|&(start, end)| start <= addr && addr < end)
            || self.lists.iter().flat_map(|list| list.areas.iter()).any(|area| area.start <= addr && addr < area.end)
    }
}
