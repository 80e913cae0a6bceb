//! A purge told step by step: between any two of them other CPUs can act.
//!
//! Pool after pool of a node decays, what was taken out joins the free tree, the lazy list is taken off; once that is done
//! for every node, list after list is parked, counted off and merged.

use crate::model::{AreaId, Extent, NIL, PurgePart, Sink, Step, VmapArea};

use super::super::rules::LazyStore;
use super::Augmented;
use super::purge::PurgePhase;

/// What a purge has in hand of one node.
#[derive(Debug, Clone, Default)]
pub(super) struct InHand {
    /// Taken out of pools, not free yet.
    decayed: Vec<AreaId>,
    /// Taken off the lazy list, in its order; [`NIL`] for what has been parked or returned since.
    list: Vec<AreaId>,
    /// How many of the list have been looked at for parking.
    at: u32,
    /// Pages of the list that the counter still has.
    pub(super) due: u64,
    /// Areas, or fused ranges, in the list at first.
    n_areas: u32,
    /// Lowest start and highest end of them; `None` if there are none.
    pub(super) bounds: Option<(u64, u64)>,
}

impl InHand {
    pub(super) fn is_empty(&self) -> bool {
        self.decayed.is_empty() && self.list.is_empty()
    }

    /// Every area in hand.
    pub(super) fn each(&self) -> impl Iterator<Item = AreaId> + '_ {
        self.decayed.iter().chain(&self.list).copied().filter(|&id| id != NIL)
    }
}

impl Augmented {
    /// One step; answers the areas that came back with its end.
    pub(super) fn step_by_step<S: Sink>(&mut self, part: PurgePart, sink: &mut S) -> u32 {
        let n_nodes = self.nodes.len() as u32;
        let n_areas = self.areas_of(part);
        sink.step(|| Step::PurgeGoesOn { part, n_areas });
        match part {
            PurgePart::DecayPool { node, pages, full } if node < n_nodes => {
                if let Some(pool) = self.nodes[node as usize].pools.of_pages(pages.into()) {
                    let mut taken = std::mem::take(&mut self.nodes[node as usize].in_hand.decayed);
                    let from = taken.len();
                    self.decay_pool(node, (pages, pool), full, &mut taken, sink);
                    for &id in &taken[from..] {
                        self.unlink(id);
                    }
                    self.nodes[node as usize].in_hand.decayed = taken;
                }
            }
            PurgePart::MergeDecayed { node } if node < n_nodes => {
                let taken = std::mem::take(&mut self.nodes[node as usize].in_hand.decayed);
                self.return_decayed(node, &taken, sink);
            }
            PurgePart::Detach { node } if node < n_nodes => self.take_in_hand(node),
            PurgePart::Fill { node, upto, full } if node < n_nodes => self.fill(node, upto, full, sink),
            PurgePart::Subtract { node, full } if node < n_nodes => self.subtract(node, full, sink),
            PurgePart::Merge { node } if node < n_nodes => return self.merge_in_hand(node, sink),
            PurgePart::Ranges { n } => return self.return_ranges(n, sink),
            _ => {}
        }
        0
    }

    /// How many areas a step is about.
    fn areas_of(&self, part: PurgePart) -> u32 {
        let node = |node: u32| self.nodes.get(node as usize);
        match part {
            PurgePart::DecayPool { node: of, pages, .. } => {
                node(of).and_then(|node| node.pools.of_pages(pages.into())).map_or(0, |pool| pool.len)
            }
            PurgePart::MergeDecayed { node: of } => node(of).map_or(0, |node| node.in_hand.decayed.len() as u32),
            PurgePart::Detach { node: of } => node(of).map_or(0, |node| node.lazy.len),
            PurgePart::Subtract { node: of, .. } | PurgePart::Fill { node: of, .. } => {
                node(of).map_or(0, |node| node.in_hand.n_areas)
            }
            PurgePart::Merge { node: of } => {
                node(of).map_or(0, |node| node.in_hand.list.iter().filter(|&&id| id != NIL).count() as u32)
            }
            PurgePart::Ranges { n } => n,
            PurgePart::Decay { .. } | PurgePart::Return { .. } => 0,
        }
    }

    /// No links are kept of what is in no tree and in no pool.
    fn unlink(&mut self, id: AreaId) {
        let VmapArea { start, end, owner, born, .. } = self.areas[id];
        self.areas[id] = VmapArea { start, end, born, owner, ..VmapArea::default() };
    }

    fn take_in_hand(&mut self, node: u32) {
        self.catch_up();
        let lazy = std::mem::take(&mut self.nodes[node as usize].lazy);
        let mut list = Vec::with_capacity(lazy.len as usize);
        let mut id = lazy.first;
        while id != NIL {
            list.push(id);
            id = self.areas[id].next;
        }
        for &id in &list {
            self.unlink(id);
        }
        let due = list.iter().map(|&id| self.areas[id].len_bytes() >> self.page_shift).sum();
        let n_areas = list.len() as u32;
        // A stack is in no order.
        let bounds = list.iter().map(|&id| (self.areas[id].start, self.areas[id].end));
        let bounds = bounds.reduce(|(low, high), (start, end)| (low.min(start), high.max(end)));
        let state = &mut self.nodes[node as usize];
        let decayed = std::mem::take(&mut state.in_hand.decayed);
        state.in_hand = InHand { decayed, list, at: 0, due, n_areas, bounds };
        state.phase = PurgePhase::InHand;
    }

    /// Parks what can be of the list up to a place.
    fn fill<S: Sink>(&mut self, node: u32, upto: u32, full: bool, sink: &mut S) {
        let mut list = std::mem::take(&mut self.nodes[node as usize].in_hand.list);
        let from = self.nodes[node as usize].in_hand.at as usize;
        let upto = (upto as usize).min(list.len()).max(from);
        for id in &mut list[from..upto] {
            if *id != NIL && self.areas[*id].owner != 0 && !full && self.join_pool(node, *id) {
                if let Some(extent) = self.areas.extent(*id) {
                    sink.step(|| Step::Pooled { node, extent });
                }
                *id = NIL;
            }
        }
        let in_hand = &mut self.nodes[node as usize].in_hand;
        (in_hand.list, in_hand.at) = (list, upto as u32);
    }

    /// The pages of the list leave the counter, once all of it has been looked at.
    fn subtract<S: Sink>(&mut self, node: u32, full: bool, sink: &mut S) {
        self.fill(node, u32::MAX, full, sink);
        let due = std::mem::take(&mut self.nodes[node as usize].in_hand.due);
        self.lazy_pages = self.lazy_pages.saturating_sub(due);
    }

    /// What is left of the list joins the free tree, descending.
    fn merge_in_hand<S: Sink>(&mut self, node: u32, sink: &mut S) -> u32 {
        let mut list = std::mem::take(&mut self.nodes[node as usize].in_hand.list);
        list.retain(|&id| id != NIL);
        list.reverse();
        if !S::WANTED {
            self.fuse_below_first(&mut list);
        }
        for id in list {
            self.give_back(id, sink);
        }
        let state = &mut self.nodes[node as usize];
        let n_areas = std::mem::take(&mut state.in_hand.n_areas);
        state.phase = PurgePhase::Returned(n_areas);
        n_areas
    }

    /// The next areas, or fused ranges, leave the counter and join the free tree (5.2 to 6.8).
    fn return_ranges<S: Sink>(&mut self, n: u32, sink: &mut S) -> u32 {
        let from = self.nodes[0].in_hand.at as usize;
        let to = (from + n as usize).min(self.nodes[0].in_hand.list.len());
        for at in from..to {
            let id = std::mem::replace(&mut self.nodes[0].in_hand.list[at], NIL);
            if id != NIL {
                let pages = self.areas[id].len_bytes() >> self.page_shift;
                self.lazy_pages = self.lazy_pages.saturating_sub(pages);
                self.nodes[0].in_hand.due = self.nodes[0].in_hand.due.saturating_sub(pages);
                self.give_back(id, sink);
            }
        }
        self.nodes[0].in_hand.at = to as u32;
        to.saturating_sub(from) as u32
    }

    /// The rest of a node's list, all at once.
    pub(super) fn finish_in_hand<S: Sink>(&mut self, node: u32, full: bool, sink: &mut S) -> u32 {
        if matches!(self.rules.lazy, LazyStore::MergingTree | LazyStore::Stack) {
            let n_areas = std::mem::take(&mut self.nodes[0].in_hand.n_areas);
            self.return_ranges(u32::MAX, sink);
            self.nodes[0].in_hand = InHand::default();
            return n_areas;
        }
        let taken = std::mem::take(&mut self.nodes[node as usize].in_hand.decayed);
        self.return_decayed(node, &taken, sink);
        self.subtract(node, full, sink);
        self.merge_in_hand(node, sink)
    }

    /// What is in hand and overlaps a range is free.
    pub(super) fn evict_in_hand<S: Sink>(&mut self, node: usize, extent: Extent, sink: &mut S) {
        loop {
            let overlaps = |&&id: &&AreaId| self.areas.extent(id).is_some_and(|range| range.overlaps(extent));
            let in_hand = &self.nodes[node].in_hand;
            if let Some(id) = in_hand.decayed.iter().find(overlaps).copied() {
                self.nodes[node].in_hand.decayed.retain(|&other| other != id);
                self.give_back(id, sink);
            } else if let Some(at) = in_hand.list.iter().position(|id| overlaps(&id)) {
                let pages_due = in_hand.due;
                let id = std::mem::replace(&mut self.nodes[node].in_hand.list[at], NIL);
                let pages = (self.areas[id].len_bytes() >> self.page_shift).min(pages_due);
                self.nodes[node].in_hand.due -= pages;
                self.lazy_pages = self.lazy_pages.saturating_sub(pages);
                self.give_back(id, sink);
            } else {
                return;
            }
        }
    }
}
