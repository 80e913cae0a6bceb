//! One yes or no for each frame. Free blocks are found by reading all of them; nothing is remembered.

use vmaplens::model::frames::{FrameRun, PageStrategy, ZoneCounts, ZoneKind, ZoneSpan};

pub(crate) struct Naive {
    spans: Vec<ZoneSpan>,
    max_order: u32,
    /// Indexed by frame: memory, and free.
    is_free: Vec<bool>,
}

pub(crate) fn frames_of(runs: &[FrameRun]) -> Vec<u64> {
    runs.iter().flat_map(|run| run.first..run.end()).collect()
}

impl Naive {
    pub(crate) fn new(spans: &[ZoneSpan], max_order: u32) -> Self {
        let end = spans.iter().map(|span| span.end).max().unwrap_or(0);
        let is_memory = |frame| spans.iter().any(|span| (span.first..span.end).contains(&frame));
        Self { spans: spans.to_vec(), max_order, is_free: (0..end).map(is_memory).collect() }
    }

    /// Free blocks of one zone, ascending: from each frame the largest aligned one that lies in a single span.
    fn blocks(&self, kind: ZoneKind) -> Vec<(u32, u64)> {
        let mut blocks = Vec::new();
        for span in self.spans.iter().filter(|span| span.kind == kind) {
            let mut at = span.first;
            while at < span.end {
                let fits = |order: u32| {
                    let n = 1 << order;
                    at.is_multiple_of(n) && at + n <= span.end && (at..at + n).all(|i| self.is_free[i as usize])
                };
                match (0..=self.max_order).rev().find(|order| fits(*order)) {
                    Some(order) => {
                        blocks.push((order, at));
                        at += 1 << order;
                    }
                    None => at += 1,
                }
            }
        }
        blocks
    }

    pub(crate) fn n_free_blocks(&self) -> u64 {
        ZoneKind::ALL.iter().map(|kind| self.blocks(*kind).len() as u64).sum()
    }

    pub(crate) fn alloc(&mut self, order: u32, limit: ZoneKind) -> Option<FrameRun> {
        let has_zone = self.spans.iter().any(|span| span.kind == limit);
        let limit = if has_zone || limit == ZoneKind::HighMem { limit } else { ZoneKind::Normal };
        let zones = ZoneKind::ALL.into_iter().rev().filter(|kind| *kind <= limit);
        let blocks = zones.filter_map(|kind| self.blocks(kind).into_iter().filter(|block| order <= block.0).min());
        let (_, first) = { blocks }.next()?;
        for frame in first..first + (1 << order) {
            self.is_free[frame as usize] = false;
        }
        Some(FrameRun { first, n: 1 << order })
    }

    /// The frames in page order, and in how many blocks they came.
    pub(crate) fn alloc_bulk(&mut self, n: u64, limit: ZoneKind, strategy: PageStrategy) -> (Vec<u64>, u64) {
        let mut frames = Vec::new();
        let mut pieces = 0;
        let mut largest = if strategy == PageStrategy::LargeOrders { self.max_order } else { 0 };
        while (frames.len() as u64) < n {
            let order = largest.min((n - frames.len() as u64).ilog2());
            match self.alloc(order, limit) {
                Some(run) => {
                    frames.extend(run.first..run.end());
                    pieces += 1;
                }
                None if order == 0 => break,
                None => largest = order - 1,
            }
        }
        (frames, pieces)
    }

    pub(crate) fn free(&mut self, run: FrameRun) {
        for frame in run.first..run.end() {
            self.is_free[frame as usize] = true;
        }
    }

    pub(crate) fn free_frames(&self) -> Vec<u64> {
        (0..self.is_free.len() as u64).filter(|frame| self.is_free[*frame as usize]).collect()
    }

    pub(crate) fn zones(&self) -> Vec<ZoneCounts> {
        let mut kinds: Vec<ZoneKind> = self.spans.iter().map(|span| span.kind).collect();
        kinds.dedup();
        let counts = |kind: ZoneKind| {
            let blocks = self.blocks(kind);
            let of_order = |order| blocks.iter().filter(|block| block.0 == order).count() as u64;
            let spans = self.spans.iter().filter(|span| span.kind == kind);
            ZoneCounts {
                kind,
                pages: spans.map(|span| span.end - span.first).sum(),
                free_pages: blocks.iter().map(|block| 1 << block.0).sum(),
                free_blocks: (0..=self.max_order).map(of_order).collect(),
            }
        };
        kinds.into_iter().map(counts).collect()
    }
}
