//! Parts of a purge that probes show at their beginning. When a part is done is not recorded; `nr_lazy` and the addresses
//! that follow tell.

use crate::event::{Event, EventKind};
use crate::model::{Op, PurgePart};

use super::timings::{Case, MAX_COPIED_BYTES};
use super::{BeforePurge, Overflow, Resolver, Timing};

/// What is known of the parts of the purge that runs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Parts {
    /// The trace has records of parts.
    pub(super) seen: bool,
    /// The purge empties the pools.
    is_full: bool,
    /// A part that has begun and is known not to be done.
    under_way: Option<PurgePart>,
    /// Pages that the latest part took off the counter.
    pages: u64,
}

impl Resolver<'_> {
    /// A part begins. It is taken to be done at once, until something says otherwise.
    pub(super) fn purge_part(&mut self, index: usize, event: &Event) {
        self.end_part();
        self.parts.seen = true;
        let part = match event.kind {
            EventKind::NodeDecay { node, full } => {
                let slot = self.slot_of(event.task);
                let overflows = matches!(self.overflow.get(slot), Some(Overflow::Purging(..)));
                self.parts.is_full = full.unwrap_or(overflows);
                PurgePart::Decay { node: u32::from(node), full: self.parts.is_full }
            }
            EventKind::NodeReturn { node } => PurgePart::Return { node: u32::from(node), full: self.parts.is_full },
            _ => return,
        };
        if self.can_be_exchanged() {
            self.remember_before(index);
        }
        self.do_part(part);
    }

    fn do_part(&mut self, part: PurgePart) {
        let before = self.space.allocator().lazy_pages();
        self.apply(Op::PurgePart(part));
        self.parts.pages = before.saturating_sub(self.space.allocator().lazy_pages());
    }

    /// The part that is under way has come to its end.
    pub(super) fn end_part(&mut self) {
        if let Some(part) = self.parts.under_way.take() {
            self.do_part(part);
        }
    }

    /// Before a free that would leave `own` lazy pages: does the recorded count say that the latest part was not done
    /// yet, or that the one under way is?
    pub(super) fn time_part(&mut self, index: usize, recorded: u64, own: u64) {
        if self.parts.pages == 0 || recorded == own {
            return;
        }
        if self.parts.under_way.is_some() {
            if own.checked_sub(self.parts.pages) == Some(recorded) {
                self.end_part();
            }
        } else if own + self.parts.pages == recorded {
            self.put_part_off(index);
        }
    }

    /// Takes the latest part back, if all that was recorded since comes out without it.
    fn put_part_off(&mut self, index: usize) {
        let Some(before) = self.before_purge.as_ref().filter(|_| self.copied_bytes < MAX_COPIED_BYTES) else { return };
        let (from, n_before) = (before.index, before.n_before);
        let Some(Op::PurgePart(part)) = self.plan.ops_of(self.log, from).nth(n_before) else { return };
        let mut space = before.space.clone();
        self.copied_bytes += space.heap_bytes();
        if !self.comes_out(&mut space, from, n_before + 1) {
            return;
        }
        self.space = space;
        let mut ops: Vec<Op> = self.plan.ops_of(self.log, from).collect();
        ops.remove(n_before);
        self.plan.ops.set(self.log, from, &ops);
        self.before_purge = None;
        self.parts.under_way = Some(part);
        self.checkpoints.forget_from(from);
        self.rewritten.push((from, index));
        self.shadows.clear();
        self.shapes.forget();
    }

    /// The part under way may be done by now: it is, if that gives the recorded address.
    pub(super) fn try_part_done(&mut self, case: &Case<'_>) -> Option<Timing> {
        let n_before = self.now.len();
        let space = self.accept_behind(Op::PurgePart(self.parts.under_way?), case)?;
        self.before_purge = Some(BeforePurge { index: case.index, n_before, space });
        self.parts.under_way = None;
        Some(Timing::AfterPurge)
    }
}
