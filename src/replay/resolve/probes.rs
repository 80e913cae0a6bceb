//! Records of probes: frees with their end, purges with their return, areas whose request was not seen.

use crate::event::{Addr, Event, EventKind, Seq};
use crate::model::{Answer, Extent, Op, Owner, Place, VmapArea};

use super::{Overflow, Resolver, purge_op};

impl Resolver<'_> {
    /// Resolves a record that only probes write; the others are not touched.
    pub(super) fn probed(&mut self, index: usize, event: &Event) {
        match event.kind {
            EventKind::Request { size, align, window } => {
                // A purge of this task inside the call is the overflow's.
                let slot = self.slot_of(event.task);
                let window = self.log.names.window(window);
                if let Some(overflow) = self.overflow.get_mut(slot) {
                    *overflow = Overflow::Purging(size, align, window);
                }
            }
            EventKind::Unasked { addr, end } => self.take_as_it_lies(addr, end, index as u32),
            EventKind::FreeProbe { addr, end } => self.free_probed(index, addr, end),
            EventKind::PurgeReturn { purged } => self.purge_returned(index, event, purged),
            EventKind::NodeDecay { .. } | EventKind::NodeReturn { .. } => self.purge_part(index, event),
            _ => {}
        }
    }

    fn take_as_it_lies(&mut self, addr: Addr, end: Addr, born: u32) {
        let Some(extent) = Extent::new(addr.0, end.0) else { return };
        self.uncover(extent);
        if let Answer::Adopted { displaced, .. } = self.apply(Op::Adopt { extent, owner: Owner::Nobody, born }) {
            self.plan.checks.displaced += u64::from(displaced);
        }
    }

    /// The probe knows the area's end: an area the model does not have as it was is brought in first, as one that is
    /// older than the trace, so that the lazy pages agree.
    fn free_probed(&mut self, index: usize, addr: Addr, end: Addr) {
        let allocator = self.space.allocator();
        let is_known = match allocator.lookup(addr.0) {
            Place::Busy { area, .. } => {
                let area = &allocator.areas()[area];
                area.start == addr.0 && (area.end == end.0 || end <= addr)
            }
            _ => false,
        };
        let stand_in = if is_known { None } else { self.stand_in_of(addr.0) };
        let target = stand_in.unwrap_or(addr.0);
        if !is_known && stand_in.is_none() {
            self.plan.checks.unknown_frees += 1;
            self.take_as_it_lies(addr, end, VmapArea::UNBORN);
        }
        if let Answer::Freed(freed) = self.apply(Op::Free { addr: target })
            && freed.born != VmapArea::UNBORN
        {
            self.plan.mates[index] = freed.born;
            self.plan.mates[freed.born as usize] = index as u32;
        }
    }

    /// A purge takes effect at its return. One that says it returned nothing has found nothing lazy; from 6.9 on it has
    /// let pools decay all the same.
    fn purge_returned(&mut self, index: usize, event: &Event, purged: Option<bool>) {
        let kind = self.purge_kind(event);
        if self.purged_early == Some(index) {
            self.purged_early = None;
            return;
        }
        let has_lazy = self.space.allocator().lazy_pages() > 0;
        self.plan.checks.num_purged_differs += u64::from(purged.is_some_and(|purged| purged != has_lazy));
        if has_lazy && purged == Some(false) {
            return;
        }
        if has_lazy {
            self.plan.timeline.purges.push(Seq(index as u32).0);
            if self.can_be_exchanged() {
                self.remember_before(index);
            }
        }
        self.apply(purge_op(kind));
    }
}
