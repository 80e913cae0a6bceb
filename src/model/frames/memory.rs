//! Where the bookkeeping of blocks lives: flat vectors that grow with what was touched.

/// No slot.
pub(super) const NONE: u32 = u32::MAX;
/// Chunks of a segment: one word has a bit for each.
pub(super) const SEGMENT_CHUNKS: u64 = 64;

/// Segments of 64 chunks, those of which a frame was handed out.
#[derive(Debug, Default)]
pub(super) struct Segments {
    /// 64 a segment: the slot of the chunk in [`Chunks`], [`NONE`] if it is whole, free or used.
    pub(super) slots: Vec<u32>,
    /// One word for each order a segment: the chunks that have a free block of that order.
    pub(super) masks: Vec<u64>,
    /// Segments nobody uses; their slots are [`NONE`], their words 0.
    pub(super) spare: Vec<u32>,
}

/// Chunks (blocks of the largest order) that are partly free.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    /// A bit for each block of each order that is free, as a heap: bit 1 is the chunk, bits 2 and 3 its halves, and so
    /// on. The buddy of `i` is `i ^ 1`, the block both make up is `i / 2`.
    pub(super) bits: Vec<u64>,
    /// Free blocks of each order but the largest.
    pub(super) counts: Vec<u16>,
    /// Free blocks in all.
    pub(super) totals: Vec<u32>,
    /// Slots nobody uses, all 0.
    pub(super) spare: Vec<u32>,
}

impl Segments {
    pub(super) fn claim(&mut self, n_orders: usize) -> u32 {
        if let Some(slot) = self.spare.pop() {
            return slot;
        }
        let slot = (self.slots.len() / SEGMENT_CHUNKS as usize) as u32;
        self.slots.resize(self.slots.len() + SEGMENT_CHUNKS as usize, NONE);
        self.masks.resize(self.masks.len() + n_orders, 0);
        slot
    }
}

impl Chunks {
    pub(super) fn claim(&mut self, words: usize, n_orders: usize) -> u32 {
        if let Some(slot) = self.spare.pop() {
            return slot;
        }
        let slot = self.totals.len() as u32;
        self.bits.resize(self.bits.len() + words, 0);
        self.counts.resize(self.counts.len() + n_orders, 0);
        self.totals.push(0);
        slot
    }
}

impl Clone for Segments {
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        copy.clone_from(self);
        copy
    }

    fn clone_from(&mut self, from: &Self) {
        self.slots.clone_from(&from.slots);
        self.masks.clone_from(&from.masks);
        self.spare.clone_from(&from.spare);
    }
}

impl Clone for Chunks {
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        copy.clone_from(self);
        copy
    }

    fn clone_from(&mut self, from: &Self) {
        self.bits.clone_from(&from.bits);
        self.counts.clone_from(&from.counts);
        self.totals.clone_from(&from.totals);
        self.spare.clone_from(&from.spare);
    }
}
