//! What is behind the areas put aside and taken up again. What is large is packed: entries of areas, range objects, bitmaps of
//! page tables. The rest is a few kilobytes, and copied.

use std::sync::Arc;

use super::Memory;
use super::live::Live;

/// Memory of up to this many bytes is copied in less than a millisecond.
const SMALL_BYTES: u64 = 1 << 20;

impl Memory {
    /// A copy to put aside, for [`Memory::restore`] alone: what is behind an area cannot be read there.
    pub(in crate::model) fn keep(&mut self) -> Self {
        let mut packed = Vec::new();
        self.known().pack(&self.live, &mut packed);
        self.tables.pack_bitmaps(&mut packed);
        self.objects.put_aside();
        let (live, tables, ranges) =
            (std::mem::take(&mut self.live), self.tables.take_bitmaps(), self.objects.take_ranges());
        let mut copy = self.clone();
        copy.aside = Some(Arc::from(packed));
        self.live = live;
        self.tables.put_bitmaps(tables);
        self.objects.put_ranges(ranges);
        debug_assert!(Self::from_kept(&copy).is_same(self), "what was put aside is what is there");
        copy
    }

    /// What was put aside, awake again.
    pub(in crate::model) fn from_kept(kept: &Self) -> Self {
        let mut copy = kept.clone();
        copy.restore(kept);
        copy
    }

    /// Becomes what was put aside, in the memory it has.
    pub(in crate::model) fn restore(&mut self, kept: &Self) {
        let (live, tables, ranges) =
            (std::mem::take(&mut self.live), self.tables.take_bitmaps(), self.objects.take_ranges());
        self.clone_from(kept);
        self.tables.put_bitmaps(tables);
        self.objects.put_ranges(ranges);
        self.live = live;
        let Some(packed) = self.aside.take() else { return self.clone_from(kept) };
        let rest = &mut &*packed;
        let mut live = std::mem::take(&mut self.live);
        self.known().unpack(&mut live, rest);
        self.live = live;
        self.tables.unpack_bitmaps(rest);
        self.objects.take_up();
        debug_assert!(rest.is_empty(), "all that was put aside is taken up");
    }

    /// Is a plain copy made sooner than one to put aside?
    pub(in crate::model) fn copies_fast(&self) -> bool {
        self.heap_bytes() <= SMALL_BYTES
    }

    /// Memory that a copy put aside holds and `before` does not, in bytes.
    pub(in crate::model) fn kept_bytes_beside(&self, before: Option<&Self>) -> u64 {
        self.heap_bytes() + self.objects.kept_bytes_beside(before.map(|before| &before.objects))
    }

    /// Whether both are in the same state, as far as any of it is packed.
    fn is_same(&self, other: &Self) -> bool {
        let has_all = |own: &Live, other: &Live| own.iter().all(|one| other.get(one.extent.start()) == Some(one));
        self.live.len() == other.live.len()
            && has_all(&self.live, &other.live)
            && self.objects.has_same_ranges(&other.objects)
            && self.tables.has_same_bitmaps(&other.tables)
    }
}
