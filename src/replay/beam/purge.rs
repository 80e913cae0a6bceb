//! [`Purge`]: a purge in the steps between which other CPUs can act.
//!
//! Node after node: pool after pool decays, what was taken out joins the free tree, the lazy list is taken off. Then the
//! TLB is flushed and helpers are counted. Then list after list: what can be is parked, the pages leave the counter, the
//! rest joins the free tree. Of that last part each helper does its own list beside the others.

use std::rc::Rc;

use crate::model::{Op, PurgePart};
use crate::policy::rules::Decay;

use super::busy::Area;
use super::facts::PurgeFacts;
use super::mix;
use super::state::{Env, State};

/// What a step changed that a request or a free can feel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// A pool of a node decayed.
    Decayed { node: u32, pages: u32 },
    /// Decayed areas joined the free tree.
    DecayMerged,
    /// A node's lazy list was taken off.
    Detached { node: u32 },
    /// An area was parked.
    Parked { node: u32, pages: u64 },
    /// Pages left the counter.
    Subtracted,
    /// A list, or a fused range, joined the free tree.
    Merged,
}

/// How far a purge has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Stage {
    /// It has not begun.
    #[default]
    Idle,
    /// At the pools of a node, behind those of so many pages.
    Pools { node: u32, behind: u32 },
    /// Everything is taken off; the TLB is flushed.
    Flushed,
    /// What was taken off comes back.
    Returning,
}

/// Where one of those who return lists has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Worker {
    /// Its present list, and the first that is not its own.
    pub(super) list: u32,
    pub(super) end: u32,
    /// Areas of the list looked at for parking; up to 6.8 pieces returned.
    pub(super) at: u32,
    pub(super) is_subtracted: bool,
}

/// A list taken off a node.
#[derive(Debug, Clone)]
pub(super) struct List {
    pub(super) node: u32,
    pub(super) areas: Rc<Vec<Area>>,
}

/// The purge whose record comes next.
#[derive(Debug, Clone, Default)]
pub(super) struct Purge {
    pub(super) stage: Stage,
    /// Pools decay wholly and are not refilled.
    pub(super) full: bool,
    /// Taken out of the pools of the present node.
    pub(super) decayed: Vec<(u64, u64)>,
    pub(super) lists: Vec<List>,
    pub(super) workers: Vec<Worker>,
    /// Areas, or up to 6.8 fused ranges, taken off.
    n_detached: u64,
    pages_detached: u64,
    /// Pages by which what is told of its fall is too low: areas of which no record told the size.
    pub(super) untold_pages: i128,
    /// Lazy pages when the last list was taken off.
    counter_then: u64,
    /// Lowest start and highest end of what was taken off.
    bounds: (u64, u64),
    /// What has been charged already, a bit each.
    charged: u8,
}

/// Prior costs of what the record of a purge does not agree with.
const COUNT_DIFFERS: f64 = 3.0;
const SUM_DIFFERS: f64 = 2.5;
const BOUNDS_DIFFER: f64 = 2.5;

impl Purge {
    pub(super) fn hash(&self) -> u64 {
        let stage = match self.stage {
            Stage::Idle => 0,
            Stage::Pools { node, behind } => 1 + (u64::from(node) << 32 | u64::from(behind)) * 4,
            Stage::Flushed => 2,
            Stage::Returning => 3,
        };
        let worker = |w: &Worker| u64::from(w.list) << 40 | u64::from(w.at) << 4 | u64::from(w.is_subtracted);
        let workers = self.workers.iter().fold(stage, |hash, w| mix(hash ^ worker(w)));
        let lists = self.lists.iter().fold(workers, |hash, list| mix(hash ^ list.areas.len() as u64));
        lists ^ mix(self.pages_detached ^ u64::from(self.charged) << 56) ^ mix(self.untold_pages as u64)
    }

    /// Tells apart where the lists were taken off.
    pub(super) fn cut(&self) -> u64 {
        self.lists.iter().fold(0, |hash, list| mix(hash ^ u64::from(list.node) << 32 ^ list.areas.len() as u64))
    }

    /// Those who return lists; one at other times.
    pub(super) fn n_workers(&self) -> usize {
        if self.stage == Stage::Returning { self.workers.len() } else { 1 }
    }

    /// Those who are not done.
    pub(super) fn busy_workers(&self) -> Vec<usize> {
        (0..self.workers.len()).filter(|&at| self.workers[at].list < self.workers[at].end).collect()
    }

    /// Where everybody stands, for telling positions apart.
    pub(super) fn positions(&self) -> Vec<(u32, u32, bool)> {
        self.workers.iter().map(|w| (w.list, w.at, w.is_subtracted)).collect()
    }

    /// The pool that decays next.
    pub(super) fn next_pool(&self, pools: &[Rc<super::pools::Pools>]) -> Option<(u32, u32)> {
        let Stage::Pools { node, behind } = self.stage else { return None };
        pools[node as usize].next_above(behind).map(|(pages, _)| (node, pages))
    }

    /// Does anything of what is still to come park areas of this size in this node, or decay its pool?
    pub(super) fn will_park(&self, node: u32) -> bool {
        match self.stage {
            Stage::Idle | Stage::Flushed => true,
            Stage::Pools { node: at, .. } => at <= node || self.lists.iter().any(|list| list.node == node),
            Stage::Returning => self
                .workers
                .iter()
                .any(|worker| (worker.list..worker.end).any(|list| self.lists[list as usize].node == node)),
        }
    }

    fn charge(&mut self, bit: u8, cost: f64) -> f64 {
        if self.charged & bit != 0 {
            return 0.0;
        }
        self.charged |= bit;
        cost
    }
}

impl State {
    /// Takes the next step of the purge, of one of those who return lists where there are several. `None` if there is
    /// none, or if helpers have to be counted first ([`State::count_helpers`]).
    pub(super) fn step(&mut self, env: &Env, facts: &PurgeFacts, worker: usize) -> Option<Effect> {
        loop {
            match self.purge.stage {
                Stage::Idle => {
                    self.purge.full = facts.full;
                    self.purge.stage = Stage::Pools { node: 0, behind: 0 };
                }
                Stage::Pools { node, behind } => return Some(self.step_pools(env, facts, node, behind)),
                Stage::Flushed => return None,
                Stage::Returning => return self.step_return(env, facts, worker),
            }
        }
    }

    fn step_pools(&mut self, env: &Env, facts: &PurgeFacts, node: u32, behind: u32) -> Effect {
        if let Some((pages, len)) = self.pools[node as usize].next_above(behind) {
            self.purge.stage = Stage::Pools { node, behind: pages };
            let quarter = len / 4;
            let take = match (facts.full, env.rules.decay) {
                (true, _) => len,
                (false, Decay::Wrapping) if quarter == 0 => len,
                (false, _) => quarter,
            };
            if take > 0 {
                let bytes = u64::from(pages) * env.page_size;
                let taken = Rc::make_mut(&mut self.pools[node as usize]).take(pages, take);
                self.purge.decayed.extend(taken.into_iter().map(|start| (start, start + bytes)));
                self.acts.push(Op::PurgePart(PurgePart::DecayPool { node, pages, full: facts.full }));
            }
            return Effect::Decayed { node, pages };
        }
        if !self.purge.decayed.is_empty() {
            let mut decayed = std::mem::take(&mut self.purge.decayed);
            decayed.sort_unstable();
            decayed.dedup_by(|upper, lower| {
                let touches = lower.1 == upper.0;
                if touches {
                    lower.1 = upper.1;
                }
                touches
            });
            for (start, end) in decayed {
                self.holes_mut().give_back(start, end);
            }
            self.acts.push(Op::PurgePart(PurgePart::MergeDecayed { node }));
            return Effect::DecayMerged;
        }
        self.acts.push(Op::PurgePart(PurgePart::Detach { node }));
        if !self.lazy[node as usize].is_empty() {
            self.detach(env, node);
        }
        self.purge.stage = if node + 1 < env.n_nodes {
            Stage::Pools { node: node + 1, behind: 0 }
        } else {
            self.purge.counter_then = self.counter;
            self.cost += self.compare_with_record(env, facts);
            for late in std::mem::take(&mut self.late) {
                self.free(env, &late.area);
            }
            if self.purge.lists.is_empty() { Stage::Returning } else { Stage::Flushed }
        };
        // Even an empty list: what is freed from here on is not in it.
        Effect::Detached { node }
    }

    fn detach(&mut self, env: &Env, node: u32) {
        let mut areas = self.take_lazy(env, node);
        let low = areas.iter().map(|area| area.start).min().unwrap_or(0);
        let high = areas.iter().map(|area| area.end).max().unwrap_or(0);
        self.purge.pages_detached += areas.iter().map(|area| env.pages(area)).sum::<u64>();
        if env.fuses() {
            Rc::make_mut(&mut areas).dedup_by(|upper, lower| {
                let touches = lower.end == upper.start;
                if touches {
                    lower.end = upper.end;
                }
                touches
            });
        }
        let purge = &mut self.purge;
        purge.bounds =
            if purge.n_detached == 0 { (low, high) } else { (low.min(purge.bounds.0), high.max(purge.bounds.1)) };
        purge.n_detached += areas.len() as u64;
        purge.lists.push(List { node, areas });
    }

    /// By how much the records say that the counter falls; what they leave open this state knows.
    fn told_sum(&self, env: &Env, facts: &PurgeFacts) -> Option<u64> {
        let mut sum = i128::from(facts.sum?).saturating_add(self.purge.untold_pages);
        if let Some((addr, assumed)) = facts.sum_lacks {
            sum = sum.saturating_add(i128::from(env.pages(&self.busy.get(addr)?)) - i128::from(assumed));
        }
        u64::try_from(sum).ok()
    }

    /// When everything is taken off: what of it the records contradict.
    fn compare_with_record(&mut self, env: &Env, facts: &PurgeFacts) -> f64 {
        let sum = self.told_sum(env, facts);
        let purge = &mut self.purge;
        let mut cost = 0.0;
        let n = purge.n_detached;
        if facts.num_purged.is_some_and(|num| u64::from(num) != n) || facts.found.is_some_and(|found| found != (0 < n))
        {
            cost += purge.charge(1, COUNT_DIFFERS);
        }
        if sum.is_some_and(|sum| sum != purge.pages_detached) {
            cost += purge.charge(2, SUM_DIFFERS);
        }
        if purge.n_detached > 0
            && let Some((start, end)) = facts.bounds
        {
            let is_inside = start <= purge.bounds.0 && purge.bounds.1 <= end;
            let differs = if facts.bounds_are_exact { (start, end) != purge.bounds } else { !is_inside };
            if differs {
                cost += purge.charge(4, BOUNDS_DIFFER);
            }
        }
        cost
    }

    /// What is waiting now will be taken off: more than the record says cannot be.
    pub(super) fn charge_surplus(&mut self, env: &Env, facts: &PurgeFacts) {
        let first = match self.purge.stage {
            Stage::Idle => 0,
            Stage::Pools { node, .. } => node,
            Stage::Flushed | Stage::Returning => return,
        };
        if env.returns_singly() {
            return;
        }
        let waiting = || self.lazy[first as usize..].iter();
        let n = self.purge.n_detached + waiting().map(|list| list.len() as u64).sum::<u64>();
        if facts.num_purged.is_some_and(|most| n > u64::from(most)) {
            self.cost += self.purge.charge(1, COUNT_DIFFERS);
        }
        if let Some(most) = self.told_sum(env, facts) {
            let pages = waiting().flat_map(|list| list.iter()).map(|area| env.pages(area)).sum::<u64>();
            if self.purge.pages_detached + pages > most {
                self.cost += self.purge.charge(2, SUM_DIFFERS);
            }
        }
    }

    /// How many helpers there can be: as many as follow from the counter now, and from what it was before.
    pub(super) fn helpers(&self, env: &Env) -> (u32, u32) {
        let most = self.purge.lists.len().max(1) as u64;
        let of = |counter: u64| ((counter / env.lazy_max).clamp(1, most) - 1) as u32;
        (of(self.counter), of(self.purge.counter_then))
    }

    /// Goes on after the flush.
    pub(super) fn count_helpers(&mut self, n_helpers: u32) {
        let n = self.purge.lists.len() as u32;
        let worker = |list, end| Worker { list, end, at: 0, is_subtracted: false };
        self.purge.workers = (0..n_helpers).map(|list| worker(list, list + 1)).collect();
        self.purge.workers.push(worker(n_helpers, n));
        self.purge.stage = Stage::Returning;
    }

    fn step_return(&mut self, env: &Env, facts: &PurgeFacts, at: usize) -> Option<Effect> {
        let worker = *self.purge.workers.get(at)?;
        if worker.list >= worker.end {
            return None;
        }
        let List { node, areas } = self.purge.lists[worker.list as usize].clone();
        if env.returns_singly() {
            let range = areas[worker.at as usize];
            self.counter = self.counter.saturating_sub(env.pages(&range));
            self.holes_mut().give_back(range.start, range.end);
            let is_last = worker.at as usize + 1 == areas.len();
            let worker = &mut self.purge.workers[at];
            worker.at += 1;
            if is_last {
                (worker.list, worker.at) = (worker.list + 1, 0);
            }
            self.note_part(PurgePart::Ranges { n: 1 });
            return Some(Effect::Merged);
        }
        let is_parked = |area: &Area| facts.can_park(env, area);
        for (index, area) in areas.iter().enumerate().skip(worker.at as usize) {
            if is_parked(area) {
                self.park(env, node, area);
                self.purge.workers[at].at = index as u32 + 1;
                self.note_part(PurgePart::Fill { node, upto: index as u32 + 1, full: facts.full });
                return Some(Effect::Parked { node, pages: env.pages(area) });
            }
        }
        self.purge.workers[at].at = areas.len() as u32;
        if !worker.is_subtracted {
            self.purge.workers[at].is_subtracted = true;
            self.counter = self.counter.saturating_sub(areas.iter().map(|area| env.pages(area)).sum());
            self.note_part(PurgePart::Subtract { node, full: facts.full });
            return Some(Effect::Subtracted);
        }
        for area in areas.iter().rev().filter(|area| !is_parked(area)) {
            self.holes_mut().give_back(area.start, area.end);
        }
        self.note_part(PurgePart::Merge { node });
        let worker = &mut self.purge.workers[at];
        (worker.list, worker.at, worker.is_subtracted) = (worker.list + 1, 0, false);
        Some(Effect::Merged)
    }

    /// Notes a part; one that goes on where the last one stopped replaces it.
    fn note_part(&mut self, part: PurgePart) {
        match (self.acts.last_mut(), part) {
            (
                Some(Op::PurgePart(PurgePart::Fill { node, upto, .. })),
                PurgePart::Fill { node: same, upto: now, .. },
            ) if *node == same => {
                *upto = now;
            }
            (Some(Op::PurgePart(PurgePart::Ranges { n })), PurgePart::Ranges { .. }) => *n += 1,
            _ => self.acts.push(Op::PurgePart(part)),
        }
    }
}
