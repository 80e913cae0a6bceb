//! Entering and removing free blocks, and every count and summary that follows.

use super::FrameRun;
use super::buddy::{Buddy, Part};
use super::memory::{NONE, SEGMENT_CHUNKS};

/// Where the bookkeeping of a chunk is: looked up once for an operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) part: usize,
    /// The segment's number in the part's directory.
    pub(super) number: usize,
    /// Its slot.
    pub(super) segment: u32,
    /// Where the chunk's slot is kept.
    pub(super) slot_at: usize,
    /// The chunk's slot.
    pub(super) slot: u32,
    /// Start of the segment's words in [`Segments::masks`].
    pub(super) masks: usize,
    /// Start of the words in [`Part::has`].
    pub(super) has: usize,
    /// The chunk in its segment's words.
    pub(super) chunk_bit: u64,
}

impl Buddy {
    /// Puts a block back, joined with its buddy as long as that is free. Answers how often.
    pub(super) fn merge(&mut self, place: &Place, mut node: u32) -> u64 {
        let mut merges = 0;
        while place.slot != NONE && node > 1 && self.is_free(place.slot, node ^ 1) {
            self.pull(place, node ^ 1);
            node /= 2;
            merges += 1;
        }
        if node == 1 {
            self.drop_if_empty(place);
            self.put(place, node);
            self.forget_if_whole(place);
        } else {
            let place = self.with_heap(place);
            self.put(&place, node);
        }
        merges
    }

    /// Puts free frames of one chunk back as blocks, none of which has a free buddy. Answers how many.
    pub(super) fn put_run(&mut self, place: &Place, run: FrameRun) -> u64 {
        if run.n == 0 {
            return 0;
        }
        let place = self.with_heap(place);
        let (mut at, mut n_blocks) = (run.first, 0);
        while at < run.end() {
            let (first, n) = self.block_at(at, run.end());
            self.put(&place, self.node_of(first, n));
            at += n;
            n_blocks += 1;
        }
        n_blocks
    }

    /// Where the bookkeeping of a chunk is; `None` in a segment that is untouched.
    pub(super) fn look(&self, part: usize, chunk: u64) -> Option<Place> {
        let number = (chunk / SEGMENT_CHUNKS) as usize;
        let segment = *self.parts[part].directory.get(number)?;
        if segment == NONE {
            return None;
        }
        let slot_at = segment as usize * SEGMENT_CHUNKS as usize + (chunk % SEGMENT_CHUNKS) as usize;
        Some(Place {
            part,
            number,
            segment,
            slot_at,
            slot: self.segments.slots[slot_at],
            masks: segment as usize * self.n_orders(),
            has: number / 64 * self.n_orders(),
            chunk_bit: 1 << (chunk % SEGMENT_CHUNKS),
        })
    }

    /// The same, and made if the segment is untouched.
    pub(super) fn place(&mut self, part: usize, chunk: u64) -> Place {
        if let Some(place) = self.look(part, chunk) {
            return place;
        }
        self.touch(part, (chunk / SEGMENT_CHUNKS) as usize);
        self.look(part, chunk).expect("the segment was made just now")
    }

    /// The chunk gets a heap if it has none.
    fn with_heap(&mut self, place: &Place) -> Place {
        let mut place = *place;
        if place.slot == NONE {
            place.slot = self.chunks.claim(self.words(), self.n_orders());
            self.segments.slots[place.slot_at] = place.slot;
        }
        place
    }

    /// A chunk without free blocks needs no heap.
    pub(super) fn drop_if_empty(&mut self, place: &Place) {
        if place.slot != NONE && self.chunks.totals[place.slot as usize] == 0 {
            self.chunks.spare.push(place.slot);
            self.segments.slots[place.slot_at] = NONE;
        }
    }

    /// Enters a free block; below the largest order the chunk has a heap.
    fn put(&mut self, place: &Place, node: u32) {
        let order = self.order_of(node) as usize;
        let mut is_first = true;
        if node != 1 {
            let slot = place.slot as usize;
            let word = slot * self.words() + node as usize / 64;
            let count_at = slot * self.n_orders() + order;
            self.chunks.bits[word] |= 1 << (node % 64);
            self.chunks.totals[slot] += 1;
            let count = &mut self.chunks.counts[count_at];
            *count += 1;
            is_first = *count == 1;
        }
        let part = &mut self.parts[place.part];
        if is_first {
            let mask = &mut self.segments.masks[place.masks + order];
            if *mask == 0 {
                part.has[place.has + order] |= 1 << (place.number % 64);
            }
            *mask |= place.chunk_bit;
        }
        part.free_blocks[order] += 1;
        part.orders |= 1 << order;
        part.free_pages += 1 << order;
    }

    /// Removes a free block.
    pub(super) fn pull(&mut self, place: &Place, node: u32) {
        let order = self.order_of(node) as usize;
        let mut is_last = true;
        if node != 1 {
            let slot = place.slot as usize;
            let word = slot * self.words() + node as usize / 64;
            let count_at = slot * self.n_orders() + order;
            self.chunks.bits[word] &= !(1 << (node % 64));
            self.chunks.totals[slot] -= 1;
            let count = &mut self.chunks.counts[count_at];
            *count -= 1;
            is_last = *count == 0;
        }
        let part = &mut self.parts[place.part];
        if is_last {
            let mask = &mut self.segments.masks[place.masks + order];
            *mask &= !place.chunk_bit;
            if *mask == 0 {
                part.has[place.has + order] &= !(1 << (place.number % 64));
            }
        }
        part.free_blocks[order] -= 1;
        if part.free_blocks[order] == 0 {
            part.orders &= !(1 << order);
        }
        part.free_pages -= 1 << order;
    }

    /// Bookkeeping for a segment that was untouched. Lowest first means that the directory grows by one at a time.
    fn touch(&mut self, part: usize, number: usize) {
        let n_orders = self.n_orders();
        let segment = self.segments.claim(n_orders);
        let all = self.all_chunks(&self.parts[part], number);
        let top = self.max_order as usize;
        self.segments.masks[segment as usize * n_orders + top] = all;
        let part = &mut self.parts[part];
        if number < part.directory.len() {
            part.directory[number] = segment;
        } else {
            part.directory.push(segment);
            if number.is_multiple_of(64) {
                part.has.resize(part.has.len() + n_orders, 0);
            }
            part.has[number / 64 * n_orders + top] |= 1 << (number % 64);
        }
    }

    /// A segment whose chunks are all free is as good as untouched. Its bit for the largest order stays.
    fn forget_if_whole(&mut self, place: &Place) {
        let part = &self.parts[place.part];
        let mask = place.masks + self.max_order as usize;
        if self.segments.masks[mask] == self.all_chunks(part, place.number) && self.is_body(part) {
            self.segments.masks[mask] = 0;
            self.segments.spare.push(place.segment);
            self.parts[place.part].directory[place.number] = NONE;
        }
    }

    /// A bit for each chunk of a segment.
    fn all_chunks(&self, part: &Part, number: usize) -> u64 {
        u64::MAX >> (SEGMENT_CHUNKS - self.chunks_in(part, number as u64))
    }
}
