//! Purges of a trace that has no records of purges: the counter of the frees falls, and addresses come back.

use crate::event::{Event, EventKind};
use crate::log::{Log, Window};
use crate::model::PurgeKind;

use super::timings::Case;
use super::{Overflow, Resolver, Timing, purge_op};

/// What a trace leaves out altogether.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Unseen {
    /// There is no record of any purge.
    pub(super) purges: bool,
    /// A failed attempt has a record of its own: the kernel purges everything behind it.
    attempts_shown: bool,
}

impl Unseen {
    pub(super) fn of(log: &Log) -> Self {
        let has = |wanted: fn(&EventKind) -> bool| log.events.iter().any(|event| wanted(&event.kind));
        Self {
            purges: !has(|kind| kind.ends_purge() || matches!(kind, EventKind::PurgeEntry { .. })),
            attempts_shown: !log.events.are_probed()
                || !has(|kind| matches!(kind, EventKind::Request { .. } | EventKind::Unasked { .. })),
        }
    }
}

impl Resolver<'_> {
    /// The second attempt of a request whose first one failed: everything has been purged in between.
    pub(super) fn purge_before_retry(&mut self, event: &Event, window: Window) {
        let EventKind::Alloc { size, align, .. } = event.kind else { return };
        if !self.unseen.purges || !self.unseen.attempts_shown {
            return;
        }
        let slot = self.slot_of(event.task);
        if self.overflow.get(slot) == Some(&Overflow::Purging(size, align, window)) {
            self.overflow[slot] = Overflow::Retrying(size, align, window);
            self.apply(purge_op(PurgeKind::Full));
        }
    }

    /// A free that leaves fewer lazy pages than there must be shows a purge before it.
    pub(super) fn purge_if_counter_fell(&mut self, recorded: u64, own: u64) {
        if self.unseen.purges && recorded < own && self.space.allocator().lazy_pages() > 0 {
            self.older.counter_fell();
            self.apply(purge_op(PurgeKind::Partial));
        }
    }

    /// A purge may have come before the allocation: it did, if that gives the recorded address.
    pub(super) fn try_unseen_purge(&mut self, case: &Case<'_>) -> Option<Timing> {
        if !self.unseen.purges || self.space.allocator().lazy_pages() == 0 {
            return None;
        }
        self.accept_behind(purge_op(PurgeKind::Partial), case)?;
        Some(Timing::UnseenPurge)
    }
}
