//! States put aside and taken up again: copies that cost what differs, as far as areas go.

use super::{AddressSpace, Memory};

impl AddressSpace {
    /// A copy to put aside, for [`AddressSpace::restore`] alone: its areas cannot be read. Areas that have not changed since
    /// the last one are shared with it; what is behind them is packed.
    pub(crate) fn keep(&mut self) -> Self {
        let kept = self.allocator.areas_mut().keep();
        let awake = std::mem::replace(self.allocator.areas_mut(), kept);
        let mut memory = self.memory.take();
        let mut copy = self.clone();
        copy.memory = memory.as_mut().map(|memory| Box::new(memory.keep()));
        self.memory = memory;
        *self.allocator.areas_mut() = awake;
        copy
    }

    /// Is a plain copy made sooner than one to put aside?
    pub(crate) fn copies_fast(&self) -> bool {
        self.allocator.areas().copies_fast() && self.memory.as_ref().is_none_or(|memory| memory.copies_fast())
    }

    /// Becomes what was put aside. Costs what differs, as far as areas go.
    pub(crate) fn restore(&mut self, kept: &Self) {
        let mut areas = std::mem::take(self.allocator.areas_mut());
        self.allocator = kept.allocator.clone();
        areas.restore(kept.allocator.areas());
        *self.allocator.areas_mut() = areas;
        self.copy_rest(kept);
        match (&mut self.memory, &kept.memory) {
            (Some(own), Some(memory)) => own.restore(memory),
            (own, memory) => *own = memory.as_ref().map(|memory| Box::new(Memory::from_kept(memory))),
        }
    }

    /// Becomes a copy of `from`, which stays what it is. Costs what differs, as far as areas go.
    pub(crate) fn copy_from(&mut self, from: &mut Self) {
        let mut areas = std::mem::take(self.allocator.areas_mut());
        let theirs = std::mem::take(from.allocator.areas_mut());
        areas.clone_from(&theirs);
        self.allocator = from.allocator.clone();
        *self.allocator.areas_mut() = areas;
        *from.allocator.areas_mut() = theirs;
        self.copy_rest(from);
        match (&mut self.memory, &from.memory) {
            (Some(own), Some(memory)) => own.clone_from(memory),
            (own, memory) => own.clone_from(memory),
        }
    }

    /// All but the allocator and what is behind its areas.
    fn copy_rest(&mut self, from: &Self) {
        self.tables.clone_from(&from.tables);
        (self.geometry, self.failures) = (from.geometry, from.failures);
    }

    /// Memory that a copy put aside holds and `before` does not, in bytes.
    pub(crate) fn kept_bytes_beside(&self, before: &Self) -> u64 {
        let areas = self.allocator.areas().kept_bytes_beside(before.allocator.areas());
        let memory = self.memory.as_ref().map_or(0, |memory| memory.kept_bytes_beside(before.memory.as_deref()));
        self.allocator.heap_bytes() + self.tables.heap_bytes() + areas + memory
    }
}
