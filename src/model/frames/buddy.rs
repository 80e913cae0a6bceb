//! Blocks: finding, splitting, giving back, merging. No zones here, only parts.

use std::ops::Range;

use super::blocks::Place;
use super::memory::{Chunks, NONE, SEGMENT_CHUNKS, Segments};
use super::{FrameRun, FreeError, FreeTold, MAX_ORDER_LIMIT};

/// Blocks of parts, found lowest first.
#[derive(Debug, Default)]
pub(super) struct Buddy {
    pub(super) max_order: u32,
    /// Ascending; blocks of two parts never touch as buddies.
    pub(super) parts: Vec<Part>,
    pub(super) segments: Segments,
    pub(super) chunks: Chunks,
}

/// A stretch of memory: whole chunks, or less than one at a ragged edge.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// First frame and first after.
    pub(super) first: u64,
    pub(super) end: u64,
    /// Segment by segment its slot; [`NONE`] and everything behind the end is free and untouched.
    pub(super) directory: Vec<u32>,
    /// Which segments of the directory have a free block: for each 64 segments a word for each order.
    pub(super) has: Vec<u64>,
    /// Free blocks by order.
    pub(super) free_blocks: [u64; MAX_ORDER_LIMIT as usize + 1],
    /// Orders that have one, as bits.
    pub(super) orders: u32,
    pub(super) free_pages: u64,
}

/// A block: part, chunk counted from the part's first, bit in the chunk's heap.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub(super) part: usize,
    pub(super) chunk: u64,
    pub(super) node: u32,
}

impl Buddy {
    pub(super) fn new(max_order: u32) -> Self {
        Self { max_order, ..Self::default() }
    }

    /// Adds free memory behind all there is. Its ragged ends become parts of their own: no block crosses the border of a
    /// chunk, so nothing is lost, and the body needs no bookkeeping.
    pub(super) fn add_memory(&mut self, first: u64, end: u64) {
        let chunk = 1_u64 << self.max_order;
        let body = first.next_multiple_of(chunk).min(end);
        let tail = (end / chunk * chunk).max(body);
        self.add_ragged(first, body);
        if body < tail {
            let mut part = Part { first: body, end: tail, free_pages: tail - body, ..Part::default() };
            part.free_blocks[self.max_order as usize] = (tail - body) >> self.max_order;
            part.orders = 1 << self.max_order;
            self.parts.push(part);
        }
        self.add_ragged(tail, end);
    }

    /// Less than a chunk, inside one.
    fn add_ragged(&mut self, first: u64, end: u64) {
        if first == end {
            return;
        }
        let part = self.parts.len();
        let segment = self.segments.claim(self.n_orders());
        let has = vec![0; self.n_orders()];
        self.parts.push(Part { first, end, directory: vec![segment], has, ..Part::default() });
        let place = self.place(part, 0);
        self.put_run(&place, FrameRun { first, n: end - first });
    }

    /// The lowest block of the smallest sufficient order in these parts.
    pub(super) fn find(&self, parts: Range<usize>, order: u32) -> Option<Spot> {
        let first = parts.start;
        let parts = &self.parts[parts];
        let orders = parts.iter().fold(0, |all, part| all | part.orders) >> order << order;
        if orders == 0 {
            return None;
        }
        let order = orders.trailing_zeros();
        let at = parts.iter().position(|part| part.orders & 1 << order != 0)?;
        Some(self.lowest(first + at, order))
    }

    /// Takes the first `pages` frames of a free block, at most all, and puts the rest back as blocks. Answers the run and
    /// how many blocks the rest is.
    pub(super) fn take(&mut self, spot: Spot, pages: u64) -> (FrameRun, u64) {
        let block = self.run_of(spot);
        let run = FrameRun { first: block.first, n: pages.min(block.n) };
        let place = self.place(spot.part, spot.chunk);
        self.pull(&place, spot.node);
        let rest = self.put_run(&place, FrameRun { first: run.end(), n: block.n - run.n });
        self.drop_if_empty(&place);
        (run, rest)
    }

    /// Gives a run back if all its frames are memory and in use.
    pub(super) fn free(&mut self, run: FrameRun) -> Result<FreeTold, FreeError> {
        if run.n == 0 {
            return Err(FreeError::Empty);
        }
        let end = run.first.checked_add(run.n).ok_or(FreeError::NotMemory { frame: u64::MAX })?;
        let (place, node, n) = self.used_block(run.first, end)?;
        if n == run.n {
            // One block, as most are: what was looked up serves to free it.
            return Ok(FreeTold { pages: n, blocks: 1, merges: self.merge(&place, node) });
        }
        let mut at = run.first + n;
        while at < end {
            at += self.used_block(at, end)?.2;
        }
        Ok(self.give_back(run))
    }

    /// Gives back frames that are memory and in use.
    pub(super) fn give_back(&mut self, run: FrameRun) -> FreeTold {
        let mut told = FreeTold { pages: run.n, ..FreeTold::default() };
        let mut at = run.first;
        while at < run.end() {
            let Ok((place, node, n)) = self.used_block(at, run.end()) else { break };
            told.merges += self.merge(&place, node);
            told.blocks += 1;
            at += n;
        }
        debug_assert_eq!(at, run.end(), "all of it was in use");
        told
    }

    /// The largest aligned block from `at` on that ends by `end`, if it is memory and in use.
    fn used_block(&self, at: u64, end: u64) -> Result<(Place, u32, u64), FreeError> {
        let part = self.part_of(at).ok_or(FreeError::NotMemory { frame: at })?;
        let (first, n) = self.block_at(at, end.min(self.parts[part].end));
        let chunk = (first >> self.max_order) - (self.parts[part].first >> self.max_order);
        let node = self.node_of(first, n);
        match self.look(part, chunk) {
            Some(place) if self.is_used(&place, node) => Ok((place, node, n)),
            _ => Err(FreeError::AlreadyFree { first, n }),
        }
    }

    /// The part a frame lies in.
    pub(super) fn part_of(&self, frame: u64) -> Option<usize> {
        let at = self.parts.partition_point(|part| part.end <= frame);
        (self.parts.get(at)?.first <= frame).then_some(at)
    }

    /// Each free block, ascending; untouched memory as one run.
    pub(super) fn each_free_block(&self, mut see: impl FnMut(FrameRun)) {
        for (at, part) in self.parts.iter().enumerate() {
            for (segment, &slot) in part.directory.iter().enumerate() {
                let first = segment as u64 * SEGMENT_CHUNKS;
                if slot == NONE {
                    see(self.chunks_run(part, first, self.chunks_in(part, segment as u64)));
                    continue;
                }
                for chunk in first..first + self.chunks_in(part, segment as u64) {
                    self.each_below(Spot { part: at, chunk, node: 1 }, &mut see);
                }
            }
            let touched = part.directory.len() as u64 * SEGMENT_CHUNKS;
            let n_chunks = self.n_chunks(part);
            if touched < n_chunks {
                see(self.chunks_run(part, touched, n_chunks - touched));
            }
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let words = |n: usize| n * 8;
        let part = |part: &Part| part.directory.capacity() * 4 + words(part.has.capacity());
        let segments = (self.segments.slots.capacity() + self.segments.spare.capacity()) * 4;
        let chunks = (self.chunks.totals.capacity() + self.chunks.spare.capacity()) * 4;
        self.parts.capacity() * size_of::<Part>()
            + self.parts.iter().map(part).sum::<usize>()
            + words(self.segments.masks.capacity() + self.chunks.bits.capacity())
            + segments
            + chunks
            + self.chunks.counts.capacity() * 2
    }

    pub(super) fn n_orders(&self) -> usize {
        self.max_order as usize + 1
    }

    /// Words of a chunk's heap.
    pub(super) fn words(&self) -> usize {
        (2_usize << self.max_order).div_ceil(64)
    }

    pub(super) fn n_chunks(&self, part: &Part) -> u64 {
        (part.end - part.first).div_ceil(1 << self.max_order)
    }

    /// Chunks of a segment: fewer in the last.
    pub(super) fn chunks_in(&self, part: &Part, segment: u64) -> u64 {
        (self.n_chunks(part) - segment * SEGMENT_CHUNKS).min(SEGMENT_CHUNKS)
    }

    /// Is every chunk of the part whole? A ragged part never returns to being untouched.
    pub(super) fn is_body(&self, part: &Part) -> bool {
        (part.end - part.first).is_multiple_of(1 << self.max_order)
    }

    pub(super) fn order_of(&self, node: u32) -> u32 {
        self.max_order - node.ilog2()
    }

    pub(super) fn run_of(&self, spot: Spot) -> FrameRun {
        let order = self.order_of(spot.node);
        let chunk = (self.parts[spot.part].first >> self.max_order) + spot.chunk;
        let inside = u64::from(spot.node - (1 << spot.node.ilog2())) << order;
        FrameRun { first: (chunk << self.max_order) + inside, n: 1 << order }
    }

    /// Is the block itself in its chunk's heap?
    pub(super) fn is_free(&self, slot: u32, node: u32) -> bool {
        let word = slot as usize * self.words() + node as usize / 64;
        self.chunks.bits[word] & 1 << (node % 64) != 0
    }

    /// Slots of the segment and the chunk; [`NONE`] where there is none.
    pub(super) fn slots(&self, spot: Spot) -> (u32, u32) {
        let segment = self.parts[spot.part].directory.get((spot.chunk / SEGMENT_CHUNKS) as usize);
        match segment {
            None | Some(&NONE) => (NONE, NONE),
            Some(&segment) => {
                let at = segment as usize * SEGMENT_CHUNKS as usize + (spot.chunk % SEGMENT_CHUNKS) as usize;
                (segment, self.segments.slots[at])
            }
        }
    }

    fn chunks_run(&self, part: &Part, chunk: u64, n: u64) -> FrameRun {
        FrameRun { first: part.first + (chunk << self.max_order), n: n << self.max_order }
    }

    /// Depth is bounded by the largest order.
    fn each_below(&self, spot: Spot, see: &mut impl FnMut(FrameRun)) {
        let (segment, slot) = self.slots(spot);
        let is_whole = self.segments.masks[self.mask_at(segment, self.max_order)] & 1 << (spot.chunk % 64) != 0;
        if spot.node == 1 && is_whole || slot != NONE && self.is_free(slot, spot.node) {
            see(self.run_of(spot));
        } else if slot != NONE && spot.node < 1 << self.max_order {
            self.each_below(Spot { node: spot.node * 2, ..spot }, see);
            self.each_below(Spot { node: spot.node * 2 + 1, ..spot }, see);
        }
    }

    fn mask_at(&self, segment: u32, order: u32) -> usize {
        segment as usize * self.n_orders() + order as usize
    }

    /// The largest aligned block that starts at `at` and ends by `end`.
    pub(super) fn block_at(&self, at: u64, end: u64) -> (u64, u64) {
        let order = at.trailing_zeros().min((end - at).ilog2()).min(self.max_order);
        (at, 1 << order)
    }

    /// The bit of an aligned block in its chunk's heap.
    pub(super) fn node_of(&self, first: u64, n: u64) -> u32 {
        let chunk = 1 << self.max_order;
        ((chunk | first & (chunk - 1)) >> n.trailing_zeros()) as u32
    }

    /// The lowest block of an order the part has.
    fn lowest(&self, part: usize, order: u32) -> Spot {
        let this = &self.parts[part];
        let n_orders = self.n_orders();
        let words = this.has.iter().skip(order as usize).step_by(n_orders);
        let in_directory = words.enumerate().find(|(_, word)| **word != 0);
        let segment = match in_directory {
            Some((at, word)) => at as u64 * 64 + u64::from(word.trailing_zeros()),
            None => this.directory.len() as u64,
        };
        let slot = this.directory.get(segment as usize).copied().unwrap_or(NONE);
        if slot == NONE {
            return Spot { part, chunk: segment * SEGMENT_CHUNKS, node: 1 };
        }
        let mask = self.segments.masks[self.mask_at(slot, order)];
        let chunk = segment * SEGMENT_CHUNKS + u64::from(mask.trailing_zeros());
        if order == self.max_order {
            return Spot { part, chunk, node: 1 };
        }
        let (_, slot) = self.slots(Spot { part, chunk, node: 1 });
        Spot { part, chunk, node: self.lowest_in(slot, order) }
    }

    /// The lowest free block of an order in a chunk that has one. Nodes of an order are neighbours in the heap.
    fn lowest_in(&self, slot: u32, order: u32) -> u32 {
        let from = 1_usize << (self.max_order - order);
        let heap = &self.chunks.bits[slot as usize * self.words()..][..self.words()];
        if from < 64 {
            let bits = heap[0] >> from & ((1 << from) - 1);
            return from as u32 + bits.trailing_zeros();
        }
        let words = &heap[from / 64..];
        let at = words.iter().position(|word| *word != 0).unwrap_or_default();
        (from + at * 64) as u32 + words[at].trailing_zeros()
    }

    /// Is no frame of the block free?
    fn is_used(&self, place: &Place, node: u32) -> bool {
        if self.segments.masks[place.masks + self.max_order as usize] & place.chunk_bit != 0 {
            return false;
        }
        place.slot == NONE || !self.lies_in_free(place.slot, node) && !self.has_free_below(place.slot, node)
    }

    fn lies_in_free(&self, slot: u32, node: u32) -> bool {
        let heap = &self.chunks.bits[slot as usize * self.words()..][..self.words()];
        let mut at = node as usize;
        while at > 1 {
            if heap[at / 64] & 1 << (at % 64) != 0 {
                return true;
            }
            at /= 2;
        }
        false
    }

    fn has_free_below(&self, slot: u32, node: u32) -> bool {
        let counts = &self.chunks.counts[slot as usize * self.n_orders()..];
        let order = self.order_of(node);
        (0..order).any(|below| {
            let n = 1_usize << (order - below);
            counts[below as usize] != 0 && self.any_bit(slot, node as usize * n, n)
        })
    }

    /// Is any of the `n` bits from `from` on set? Both are such that a stretch is whole words or lies in one.
    fn any_bit(&self, slot: u32, from: usize, n: usize) -> bool {
        let words = &self.chunks.bits[slot as usize * self.words() + from / 64..];
        if n < 64 {
            return words[0] >> (from % 64) & ((1 << n) - 1) != 0;
        }
        words[..n / 64].iter().any(|word| *word != 0)
    }
}

impl Clone for Buddy {
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        copy.clone_from(self);
        copy
    }

    fn clone_from(&mut self, from: &Self) {
        self.max_order = from.max_order;
        self.parts.clone_from(&from.parts);
        self.segments.clone_from(&from.segments);
        self.chunks.clone_from(&from.chunks);
    }
}

impl Clone for Part {
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        copy.clone_from(self);
        copy
    }

    fn clone_from(&mut self, from: &Self) {
        let Self { first, end, directory, has, free_blocks, orders, free_pages } = from;
        (self.first, self.end, self.free_blocks, self.orders, self.free_pages) =
            (*first, *end, *free_blocks, *orders, *free_pages);
        self.directory.clone_from(directory);
        self.has.clone_from(has);
    }
}
