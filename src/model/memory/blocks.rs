//! [`Blocks`]: the blocks `vm_map_ram` of few pages is served from (`vmap_block`, 2.6.28 and later).

use crate::model::extent::Extent;

/// Words of the largest bitmap: 1024 pages.
const WORDS: usize = 16;
/// Pages of the largest block (`VMAP_BBMAP_BITS_MAX`).
const MAX_BITS: u32 = 1024;

/// One block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its area.
    pub extent: Extent,
    /// The CPU whose list it is in, or was.
    pub cpu: u32,
    /// Pages of the block.
    pub bits: u32,
    /// Pages never taken.
    pub free: u32,
    /// Pages taken and given back: never taken again.
    pub dirty: u32,
    /// It is in its CPU's list: something is left.
    pub is_listed: bool,
    /// Pages taken at some time, one bit each.
    taken: [u64; WORDS],
}

/// Where pages for a request are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockPlan {
    /// Start of the block.
    pub block: u64,
    /// First page, counted from there.
    pub first: u32,
}

impl Block {
    fn new(extent: Extent, cpu: u32, page_size: u64) -> Self {
        let bits = u32::try_from(extent.len_bytes() / page_size).unwrap_or(MAX_BITS).min(MAX_BITS);
        Self { extent, cpu, bits, free: bits, dirty: 0, is_listed: true, taken: [0; WORDS] }
    }

    /// Was the page ever taken?
    pub fn is_taken(&self, page: u32) -> bool {
        self.taken.get((page / 64) as usize).is_some_and(|word| word >> (page % 64) & 1 == 1)
    }

    /// Pages in use.
    pub fn used(&self) -> u32 {
        self.bits - self.free - self.dirty
    }

    /// Nothing in it is in use, and not everything was used up (`free + dirty == VMAP_BBMAP_BITS`).
    pub fn is_fragmented(&self) -> bool {
        self.free + self.dirty == self.bits && self.dirty != self.bits
    }

    /// The page a bump allocation takes next (4.15 and later).
    pub fn bump(&self) -> u32 {
        self.bits - self.free
    }

    /// The lowest naturally aligned run of that many pages never taken (`bitmap_find_free_region`, to 3.10).
    pub fn lowest_run(&self, pages: u32) -> Option<u32> {
        let starts = (0..self.bits).step_by(pages.max(1) as usize);
        let mut fitting = starts.filter(|&first| first + pages <= self.bits);
        fitting.find(|&first| (first..first + pages).all(|page| !self.is_taken(page)))
    }
}

/// Every block, and the list of each CPU.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blocks {
    /// In the order of the lists, all CPUs together; blocks that left theirs are at the end.
    list: Vec<Block>,
}

impl Blocks {
    /// The blocks in the list of a CPU, in the order they are tried.
    pub fn of_cpu(&self, cpu: u32) -> impl Iterator<Item = &Block> {
        self.list.iter().filter(move |block| block.cpu == cpu && block.is_listed)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Block> {
        self.list.iter()
    }

    /// The block that holds an address.
    pub fn holding(&self, addr: u64) -> Option<&Block> {
        self.list.iter().find(|block| block.extent.start() <= addr && addr < block.extent.end())
    }

    pub(super) fn add(&mut self, extent: Extent, cpu: u32, at_head: bool, page_size: u64) {
        let block = Block::new(extent, cpu, page_size);
        let at = if at_head { 0 } else { self.list.len() };
        self.list.insert(at, block);
    }

    pub(super) fn get_mut(&mut self, start: u64) -> Option<&mut Block> {
        self.list.iter_mut().find(|block| block.extent.start() == start)
    }

    pub(super) fn remove(&mut self, start: u64) -> Option<Block> {
        let at = self.list.iter().position(|block| block.extent.start() == start)?;
        Some(self.list.remove(at))
    }

    pub(super) fn heap_bytes(&self) -> u64 {
        (self.list.capacity() * size_of::<Block>()) as u64
    }
}

impl Block {
    /// Marks pages as taken; answers whether they were never taken before.
    pub(super) fn take(&mut self, first: u32, pages: u32) -> bool {
        if self.bits < first.saturating_add(pages) || (first..first + pages).any(|page| self.is_taken(page)) {
            return false;
        }
        for page in first..first + pages {
            self.taken[(page / 64) as usize] |= 1 << (page % 64);
        }
        self.free -= pages;
        self.is_listed = 0 < self.free;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bitmap_block_fills_the_gaps_of_alignment() {
        let extent = Extent::sized(0x40_0000, 64 * 4096).expect("extent");
        let mut block = Block::new(extent, 0, 4096);
        assert_eq!((block.bits, block.lowest_run(1)), (64, Some(0)));
        assert!(block.take(0, 1));
        assert_eq!(block.lowest_run(4), Some(4));
        assert!(block.take(4, 4) && !block.take(6, 2));
        assert_eq!((block.lowest_run(2), block.lowest_run(1)), (Some(2), Some(1)));
        assert_eq!((block.used(), block.free, block.lowest_run(64)), (5, 59, None));
    }
}
