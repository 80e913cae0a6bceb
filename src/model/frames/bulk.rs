//! The pages of one allocation: how each release asks for them (`vm_area_alloc_pages`, before 5.14 a loop in
//! `__vmalloc_area_node`), and what that took.

use super::{FrameRun, Frames, ZoneKind};

/// Pages of one call to `alloc_pages_bulk`: more are asked for in several calls, so that none holds on for long.
pub const BULK_REQUEST: u64 = 100;

/// How base pages are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PageStrategy {
    /// One by one: 2.4 to 5.13, and 5.14 and 5.15 where the caller names no node.
    Single,
    /// In requests of at most [`BULK_REQUEST`], what is missing then one by one: 5.14 and 5.15 with a node, 6.1 and
    /// later always.
    Bulk,
    /// Blocks first, as large as the rest allows and the largest order at most, one order less after each failure;
    /// each is split to base pages. What is left is asked for in bulk: 6.19 and later.
    LargeOrders,
}

/// Blocks of one order that were asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OrderTold {
    /// How often it was asked for.
    pub tried: u32,
    /// How often there was one.
    pub got: u32,
}

/// What asking for pages took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PagesTold {
    /// Pages asked for.
    pub asked: u64,
    /// Pages obtained.
    pub got: u64,
    /// Calls of `alloc_pages_bulk`.
    pub bulk_calls: u64,
    /// Pages asked for one by one, the one that failed included.
    pub single_calls: u64,
    /// Blocks asked for, order by order as it went.
    pub orders: [OrderTold; 16],
    /// Times the allocator cut a block in two.
    pub splits: u64,
    /// Times a block found its buddy free: only where something was given back.
    pub merges: u64,
}

impl PagesTold {
    /// Were all pages obtained?
    pub fn is_complete(&self) -> bool {
        self.got == self.asked
    }

    /// What asking takes where only pages are counted: which blocks they come from, and what is split, is left open.
    pub(in crate::model) fn counted(got: u64, asked: u64, order: u32, strategy: PageStrategy) -> Self {
        let mut told = Self { asked, got, ..Self::default() };
        match (order, strategy) {
            (0, PageStrategy::Single) => told.single_calls = asked.min(got + 1),
            (0, _) => {
                told.bulk_calls = asked.div_ceil(BULK_REQUEST).min(got / BULK_REQUEST + 1);
                told.single_calls = u64::from(got < asked);
            }
            (order, _) => {
                let blocks = |pages: u64| u32::try_from(pages >> order).unwrap_or(u32::MAX);
                if let Some(at) = told.orders.get_mut(order as usize) {
                    *at = OrderTold { tried: blocks(asked), got: blocks(got) };
                }
            }
        }
        told
    }

    fn note_order(&mut self, order: u32, is_found: bool) {
        if let Some(told) = self.orders.get_mut(order as usize) {
            told.tried += 1;
            told.got += u32::from(is_found);
        }
    }
}

impl Frames {
    /// Asks for `n` base pages and appends what there is to `out`, in page order. Fewer than asked is a failed
    /// allocation, and the pages obtained stay the caller's: `vmalloc` frees them with the area.
    ///
    /// Base pages come from the smallest free blocks first, so asking for many is the same as asking for each, and is
    /// done a block at a time.
    pub fn alloc_bulk(
        &mut self,
        n: u64,
        limit: ZoneKind,
        strategy: PageStrategy,
        out: &mut Vec<FrameRun>,
    ) -> PagesTold {
        let mut told = PagesTold { asked: n, ..PagesTold::default() };
        if strategy == PageStrategy::LargeOrders {
            self.alloc_large(n, limit, out, &mut told);
        }
        let wanted = n - told.got;
        let got = self.alloc_base(wanted, limit, out, &mut told);
        match strategy {
            PageStrategy::Single => told.single_calls = wanted.min(got + 1),
            PageStrategy::Bulk | PageStrategy::LargeOrders => {
                // A call that comes back short is the last, and the next page is asked for by itself: in vain.
                told.bulk_calls = wanted.div_ceil(BULK_REQUEST).min(got / BULK_REQUEST + 1);
                told.single_calls = u64::from(got < wanted);
            }
        }
        told
    }

    /// Asks for `n_blocks` blocks of `order`, one by one: the pages of a huge mapping. All or nothing: on failure the
    /// blocks obtained are given back and `out` is as it was.
    pub fn alloc_huge(&mut self, n_blocks: u64, order: u32, limit: ZoneKind, out: &mut Vec<FrameRun>) -> PagesTold {
        let mut told = PagesTold { asked: n_blocks.saturating_mul(1 << order.min(32)), ..PagesTold::default() };
        let mut blocks = Vec::new();
        for _ in 0..n_blocks {
            let block = self.alloc_block(order, limit, &mut told);
            let Some(run) = block else { break };
            run.push_to(&mut blocks);
        }
        if told.is_complete() {
            for run in blocks {
                run.push_to(out);
            }
            return told;
        }
        told.got = 0;
        for run in blocks {
            for first in (run.first..run.end()).step_by(1 << order) {
                told.merges += self.buddy.give_back(FrameRun { first, n: 1 << order }).merges;
            }
        }
        told
    }

    /// Blocks as large as the rest allows; a failure makes all later ones smaller.
    fn alloc_large(&mut self, n: u64, limit: ZoneKind, out: &mut Vec<FrameRun>, told: &mut PagesTold) {
        let mut largest = self.max_order();
        while told.got < n {
            let order = largest.min((n - told.got).ilog2());
            if order == 0 {
                return;
            }
            match self.alloc_block(order, limit, told) {
                Some(run) => run.push_to(out),
                None => largest = order - 1,
            }
        }
    }

    fn alloc_block(&mut self, order: u32, limit: ZoneKind, told: &mut PagesTold) -> Option<FrameRun> {
        let taken = self.take(order, 1 << order.min(super::MAX_ORDER_LIMIT), limit);
        told.note_order(order, taken.is_some());
        let (run, rest) = taken?;
        told.got += run.n;
        told.splits += rest;
        Some(run)
    }

    /// Base pages, a block at a time. Answers how many there were.
    fn alloc_base(&mut self, n: u64, limit: ZoneKind, out: &mut Vec<FrameRun>, told: &mut PagesTold) -> u64 {
        let mut got = 0;
        while got < n {
            let Some((run, rest)) = self.take(0, n - got, limit) else { break };
            run.push_to(out);
            got += run.n;
            // Page by page, a block falls into these pages and the rest; each split makes one block more.
            told.splits += run.n + rest - 1;
        }
        told.got += got;
        got
    }
}
