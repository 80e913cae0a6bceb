//! States put aside and taken up again: copies that cost what differs, as far as areas go.

use super::AddressSpace;

impl AddressSpace {
    /// A copy to put aside, for [`AddressSpace::restore`] alone: its areas cannot be read. Areas that have not changed since
    /// the last one are shared with it.
    pub(crate) fn keep(&mut self) -> Self {
        let kept = self.allocator.areas_mut().keep();
        let awake = std::mem::replace(self.allocator.areas_mut(), kept);
        let copy = self.clone();
        *self.allocator.areas_mut() = awake;
        copy
    }

    /// Is a plain copy made sooner than one to put aside?
    pub(crate) fn copies_fast(&self) -> bool {
        self.allocator.areas().copies_fast()
    }

    /// Becomes what was put aside. Costs what differs, as far as areas go.
    pub(crate) fn restore(&mut self, kept: &Self) {
        let mut areas = std::mem::take(self.allocator.areas_mut());
        self.allocator = kept.allocator.clone();
        areas.restore(kept.allocator.areas());
        *self.allocator.areas_mut() = areas;
        self.copy_rest(kept);
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
    }

    /// All but the allocator.
    fn copy_rest(&mut self, from: &Self) {
        self.tables.clone_from(&from.tables);
        (self.geometry, self.failures) = (from.geometry, from.failures);
        match (&mut self.memory, &from.memory) {
            (Some(own), Some(memory)) => own.clone_from(memory),
            (own, memory) => own.clone_from(memory),
        }
    }

    /// Memory that a copy put aside holds and `before` does not, in bytes.
    pub(crate) fn kept_bytes_beside(&self, before: &Self) -> u64 {
        self.heap_bytes() + self.allocator.areas().kept_bytes_beside(before.allocator.areas())
    }
}
