//! Purging: all at once, or in the parts a trace with probes shows.

use crate::model::{AreaId, HelperOrder, NIL, PurgeKind, PurgePart, Purged, Sink, Step, Tree};

use super::super::rules::LazyStore;
use super::{Augmented, Queue};

/// How far a purge has got with a node.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum PurgePhase {
    /// No purge runs, or it has not come to this node.
    #[default]
    Untouched,
    /// Its pools have decayed; its lazy areas are taken next.
    Decayed,
    /// Its lazy areas are taken off, and wait for the TLB flush.
    Detached(Tree),
    /// They are back, this many.
    Returned(u32),
    /// They are in the hands of a purge whose steps are told one by one (`InHand`).
    InHand,
}

impl Augmented {
    /// `__purge_vmap_area_lazy`. Nodes are detached in ascending order, each after its pools decayed; what was detached
    /// is returned node by node once the TLB is flushed. Of a purge that is under way, what is left of it.
    pub(super) fn purge_with<S: Sink>(&mut self, kind: PurgeKind, helpers: HelperOrder, sink: &mut S) -> Purged {
        let full = kind == PurgeKind::Full;
        let lazy_before = self.lazy_pages;
        sink.step(|| Step::PurgeBegun { full, lazy_pages: lazy_before });
        let mut flush: Option<(u64, u64)> = None;
        let mut detached: Vec<(u32, Tree, Queue)> = Vec::new();
        let mut num_purged = 0;
        for node in 0..self.nodes.len() as u32 {
            let state = &mut self.nodes[node as usize];
            if let Some((low, high)) = state.in_hand.bounds.take() {
                flush = Some(flush.map_or((low, high), |(start, end)| (start.min(low), end.max(high))));
            }
            let lazy = match std::mem::take(&mut state.phase) {
                PurgePhase::Returned(n_areas) => {
                    num_purged += n_areas;
                    continue;
                }
                PurgePhase::Detached(lazy) => lazy,
                PurgePhase::InHand => {
                    num_purged += self.finish_in_hand(node, full, sink);
                    self.nodes[node as usize].phase = PurgePhase::Untouched;
                    continue;
                }
                PurgePhase::Decayed => std::mem::take(&mut state.lazy),
                PurgePhase::Untouched => {
                    self.decay(node, full, sink);
                    std::mem::take(&mut self.nodes[node as usize].lazy)
                }
            };
            let queued = std::mem::take(&mut self.nodes[node as usize].queued);
            if lazy.len == 0 && queued.is_empty() {
                continue;
            }
            let (lazy, queued) = self.ordered(node, lazy, queued);
            let (low, high) = self.bounds_of(&lazy, &queued);
            flush = Some(flush.map_or((low, high), |(start, end)| (start.min(low), end.max(high))));
            detached.push((node, lazy, queued));
        }
        if let Some((start, end)) = flush {
            sink.step(|| Step::Flushed { start, end });
            self.order_for_helpers(&mut detached, helpers);
            for (node, lazy, queued) in detached {
                num_purged += self.purge_node(node, lazy, queued, full, sink);
            }
        }
        let lazy_pages = self.lazy_pages;
        sink.step(|| Step::PurgeEnded { n_areas: num_purged, lazy_pages });
        Purged { flush, num_purged, pages: lazy_before.saturating_sub(lazy_pages) }
    }

    /// One part of a purge, where a probe saw it; answers the areas it returned. Any part shows that the node which
    /// decayed before it has been detached.
    pub(super) fn purge_part_with<S: Sink>(&mut self, part: PurgePart, sink: &mut S) -> u32 {
        for state in &mut self.nodes {
            if matches!(state.phase, PurgePhase::Decayed) {
                state.phase = PurgePhase::Detached(std::mem::take(&mut state.lazy));
            }
        }
        let n_nodes = self.nodes.len() as u32;
        match part {
            PurgePart::Decay { node, full } if node < n_nodes => {
                if matches!(self.nodes[node as usize].phase, PurgePhase::Untouched) {
                    self.decay(node, full, sink);
                    let state = &mut self.nodes[node as usize];
                    // After the last node comes the TLB flush: its areas are off long before the next part shows it.
                    state.phase = if node + 1 == n_nodes {
                        PurgePhase::Detached(std::mem::take(&mut state.lazy))
                    } else {
                        PurgePhase::Decayed
                    };
                }
                0
            }
            PurgePart::Return { node, full } if node < n_nodes => {
                let PurgePhase::Detached(lazy) = self.nodes[node as usize].phase else { return 0 };
                let n_areas = self.purge_node(node, lazy, Vec::new(), full, sink);
                self.nodes[node as usize].phase = PurgePhase::Returned(n_areas);
                n_areas
            }
            part => self.step_by_step(part, sink),
        }
    }

    /// The lowest nodes are handed to workers, the more the further the counter is above the limit. A worker bound to
    /// an online CPU can run as soon as it is queued; one that is not bound runs when the purging task waits for it.
    fn order_for_helpers<T>(&self, detached: &mut [(u32, Tree, T)], helpers: HelperOrder) {
        let quotient = self.lazy_pages / self.lazy_max_pages.max(1);
        let n_helpers = (quotient.clamp(1, detached.len().max(1) as u64) - 1) as usize;
        let at_once = match helpers {
            HelperOrder::AtFlush => 0,
            HelperOrder::AtSchedule => {
                detached.iter().take(n_helpers).filter(|(node, ..)| *node < self.cpus_online).count()
            }
        };
        detached[at_once..].rotate_left(n_helpers - at_once);
    }

    /// What waits in a node, in the order of its store: either as its tree, or as the areas a bulk run has queued, which
    /// then need no tree any more.
    fn ordered(&mut self, node: u32, mut lazy: Tree, mut queued: Queue) -> (Tree, Queue) {
        if lazy.len > 0 && !queued.is_empty() {
            // Some were there before the run: theirs is the tree.
            std::mem::swap(&mut self.nodes[node as usize].lazy, &mut lazy);
            for (_, id) in queued.drain(..) {
                self.join_lazy(node, id, &mut ());
            }
            lazy = std::mem::take(&mut self.nodes[node as usize].lazy);
        }
        // No two start at the same address.
        queued.sort_unstable_by_key(|&(start, _)| start);
        if self.rules.lazy == LazyStore::MergingTree {
            queued.dedup_by(|&mut (start, upper), &mut (_, lower)| {
                let touches = self.areas[lower].end == start;
                if touches {
                    self.areas[lower].end = self.areas[upper].end;
                    self.areas.remove(upper);
                }
                touches
            });
        }
        (lazy, queued)
    }

    /// Lowest start and highest end of a lazy store; a stack is in no order.
    fn bounds_of(&self, lazy: &Tree, queued: &[(u64, AreaId)]) -> (u64, u64) {
        if let (Some(&(start, _)), Some(&(_, last))) = (queued.first(), queued.last()) {
            return (start, self.areas[last].end);
        }
        if self.rules.lazy != LazyStore::Stack {
            return (self.areas[lazy.first].start, self.areas[lazy.last].end);
        }
        let mut bounds = (u64::MAX, 0);
        let mut id = lazy.first;
        while id != NIL {
            bounds = (bounds.0.min(self.areas[id].start), bounds.1.max(self.areas[id].end));
            id = self.areas[id].next;
        }
        bounds
    }

    /// Of areas in descending order that touch, all but the first of each row become one. Returned one by one, the second
    /// and each later one would join the node of the first from below, and only the last can touch a hole below it as
    /// well: returned at once they make the same tree.
    pub(super) fn fuse_below_first(&mut self, ids: &mut Vec<AreaId>) {
        let (mut kept, mut row) = (0, 0);
        for at in 0..ids.len() {
            let id = ids[at];
            let touches = kept > 0 && self.areas[id].end == self.areas[ids[kept - 1]].start;
            row = if touches { row + 1 } else { 0 };
            if row < 2 {
                ids[kept] = id;
                kept += 1;
            } else {
                self.areas[ids[kept - 1]].start = self.areas[id].start;
                self.areas.remove(id);
            }
        }
        ids.truncate(kept);
    }

    /// `purge_vmap_node`: poolable areas are parked in ascending order, the others returned in descending order. Before
    /// 6.9 everything is returned in the order of the store.
    fn purge_node<S: Sink>(&mut self, node: u32, lazy: Tree, mut queued: Queue, full: bool, sink: &mut S) -> u32 {
        let mut ids = std::mem::take(&mut self.scratch);
        ids.clear();
        ids.extend(queued.drain(..).map(|(_, id)| id));
        // The vector is kept for what is freed next.
        self.nodes[node as usize].queued = queued;
        let mut id = lazy.first;
        while id != NIL {
            ids.push(id);
            id = self.areas[id].next;
        }
        let mut pages = 0;
        let mut n_areas = 0;
        ids.retain(|&id| {
            pages += self.areas[id].len_bytes() >> self.page_shift;
            n_areas += 1;
            let parked = self.areas[id].owner != 0 && !full && self.join_pool(node, id);
            if parked && let Some(extent) = self.areas.extent(id) {
                sink.step(|| Step::Pooled { node, extent });
            }
            !parked
        });
        // Records can name sizes that are no whole pages; fused, they round differently.
        self.lazy_pages = self.lazy_pages.saturating_sub(pages);
        if self.rules.lazy == LazyStore::PerNode {
            ids.reverse();
            if !S::WANTED {
                self.fuse_below_first(&mut ids);
            }
        }
        for &id in &ids {
            self.give_back(id, sink);
        }
        self.scratch = ids;
        n_areas
    }
}
