//! The second direction: every count and every summary of the frames is recomputed from the blocks.

use super::buddy::{Buddy, Part, Spot};
use super::memory::{NONE, SEGMENT_CHUNKS};
use super::{FrameRun, Frames};

/// What does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramesBroken {
    /// A block is free whose buddy is free as well, or which lies in a free block.
    #[error("the free block of {n} frames at 0x{first:x}: {rule}")]
    Block {
        /// First frame.
        first: u64,
        /// Frames of it.
        n: u64,
        /// The rule.
        rule: &'static str,
    },
    /// A count or a summary differs from what it sums up.
    #[error("{name} is {stored}, counted {counted}")]
    Count {
        /// What.
        name: &'static str,
        /// Stored value.
        stored: u64,
        /// Value by counting.
        counted: u64,
    },
}

impl Frames {
    /// Checks every free block, its buddy and its place, and recomputes every count and summary.
    ///
    /// # Errors
    /// Names the first thing that does not hold.
    pub fn audit(&self) -> Result<(), FramesBroken> {
        let buddy = &self.buddy;
        let mut n_segments = 0;
        let mut n_chunks = 0;
        for at in 0..buddy.parts.len() {
            let (segments, chunks) = check_part(buddy, at)?;
            n_segments += segments;
            n_chunks += chunks;
        }
        let slots = (buddy.segments.slots.len() / SEGMENT_CHUNKS as usize) as u64;
        compare("segments in use", slots - buddy.segments.spare.len() as u64, n_segments)?;
        compare("chunks in use", (buddy.chunks.totals.len() - buddy.chunks.spare.len()) as u64, n_chunks)?;
        check_spare(buddy)?;
        let pages = buddy.parts.iter().map(|part| part.end - part.first).sum();
        compare("pages of all zones", self.pages(), pages)?;
        let free = self.free_runs();
        for pair in free.windows(2) {
            if pair[1].first < pair[0].end() {
                return Err(broken(pair[1], "it overlaps the one before"));
            }
        }
        compare("free pages", self.free_pages(), free.iter().map(|run| run.n).sum())
    }
}

/// Blocks of one part by order, and what is set in its summaries.
struct Count {
    blocks: Vec<u64>,
    n_chunks: u64,
}

fn check_part(buddy: &Buddy, at: usize) -> Result<(u64, u64), FramesBroken> {
    let part = &buddy.parts[at];
    let mut count = Count { blocks: vec![0; buddy.n_orders()], n_chunks: 0 };
    let mut n_segments = 0;
    for (number, &segment) in part.directory.iter().enumerate() {
        let n_here = buddy.chunks_in(part, number as u64);
        let mut masks = vec![0; buddy.n_orders()];
        if segment == NONE {
            masks[buddy.max_order as usize] = u64::MAX;
            count.blocks[buddy.max_order as usize] += n_here;
        } else {
            n_segments += 1;
            for chunk in number as u64 * SEGMENT_CHUNKS..number as u64 * SEGMENT_CHUNKS + n_here {
                check_chunk(buddy, Spot { part: at, chunk, node: 1 }, &mut masks, &mut count)?;
            }
        }
        for (order, &mask) in masks.iter().enumerate() {
            if segment != NONE {
                let stored = buddy.segments.masks[segment as usize * buddy.n_orders() + order];
                compare("chunks with a block of an order", stored, mask)?;
            }
            let word = part.has[number / 64 * buddy.n_orders() + order];
            compare("segment with a block of an order", word >> (number % 64) & 1, u64::from(mask != 0))?;
        }
    }
    let untouched = buddy.n_chunks(part).saturating_sub(part.directory.len() as u64 * SEGMENT_CHUNKS);
    count.blocks[buddy.max_order as usize] += untouched;
    check_counts(part, &count)?;
    Ok((n_segments, count.n_chunks))
}

fn check_counts(part: &Part, count: &Count) -> Result<(), FramesBroken> {
    let mut pages = 0;
    for (order, &blocks) in count.blocks.iter().enumerate() {
        compare("free blocks of an order", part.free_blocks[order], blocks)?;
        compare("an order with free blocks", u64::from(part.orders >> order & 1), u64::from(blocks != 0))?;
        pages += blocks << order;
    }
    compare("free pages of a part", part.free_pages, pages)
}

/// One chunk: whole, or a heap of blocks of which none lies in another and no two are buddies.
fn check_chunk(buddy: &Buddy, root: Spot, masks: &mut [u64], count: &mut Count) -> Result<(), FramesBroken> {
    let (segment, slot) = buddy.slots(root);
    let bit = 1 << (root.chunk % SEGMENT_CHUNKS);
    let top = buddy.max_order as usize;
    if buddy.segments.masks[segment as usize * buddy.n_orders() + top] & bit != 0 {
        masks[top] |= bit;
        count.blocks[top] += 1;
        return if slot == NONE { Ok(()) } else { Err(broken(buddy.run_of(root), "it is whole and cut")) };
    }
    if slot == NONE {
        return Ok(());
    }
    count.n_chunks += 1;
    let mut total = 0;
    let mut by_order = vec![0_u64; buddy.n_orders()];
    for node in 1..2_u32 << buddy.max_order {
        if !buddy.is_free(slot, node) {
            continue;
        }
        let run = buddy.run_of(Spot { node, ..root });
        let part = &buddy.parts[root.part];
        if run.first < part.first || part.end < run.end() {
            return Err(broken(run, "it is not memory"));
        }
        if node == 1 || buddy.is_free(slot, node ^ 1) {
            return Err(broken(run, "its buddy is free and they are not one block"));
        }
        if (1..node.ilog2()).any(|up| buddy.is_free(slot, node >> up)) {
            return Err(broken(run, "it lies in a free block"));
        }
        let order = buddy.order_of(node) as usize;
        by_order[order] += 1;
        masks[order] |= bit;
        count.blocks[order] += 1;
        total += 1;
    }
    compare("free blocks of a chunk", u64::from(buddy.chunks.totals[slot as usize]), total)?;
    for (order, &blocks) in by_order.iter().enumerate() {
        let stored = buddy.chunks.counts[slot as usize * buddy.n_orders() + order];
        compare("free blocks of an order in a chunk", u64::from(stored), blocks)?;
    }
    if total == 0 { Err(broken(buddy.run_of(root), "a used chunk keeps its heap")) } else { Ok(()) }
}

/// What nobody uses is empty.
fn check_spare(buddy: &Buddy) -> Result<(), FramesBroken> {
    for &slot in &buddy.chunks.spare {
        let at = slot as usize;
        let heap = &buddy.chunks.bits[at * buddy.words()..][..buddy.words()];
        compare("bits of a spare heap", heap.iter().map(|word| u64::from(word.count_ones())).sum(), 0)?;
        compare("blocks of a spare heap", u64::from(buddy.chunks.totals[at]), 0)?;
    }
    for &segment in &buddy.segments.spare {
        let slots = &buddy.segments.slots[segment as usize * SEGMENT_CHUNKS as usize..][..SEGMENT_CHUNKS as usize];
        compare("chunks of a spare segment", slots.iter().filter(|slot| **slot != NONE).count() as u64, 0)?;
        let masks = &buddy.segments.masks[segment as usize * buddy.n_orders()..][..buddy.n_orders()];
        compare("blocks of a spare segment", masks.iter().filter(|mask| **mask != 0).count() as u64, 0)?;
    }
    Ok(())
}

fn broken(run: FrameRun, rule: &'static str) -> FramesBroken {
    FramesBroken::Block { first: run.first, n: run.n, rule }
}

fn compare(name: &'static str, stored: u64, counted: u64) -> Result<(), FramesBroken> {
    if stored == counted { Ok(()) } else { Err(FramesBroken::Count { name, stored, counted }) }
}
