//! [`Reuse`]: how long freed addresses rest before they are given out again.

use std::collections::BTreeMap;

use super::histogram::Histogram;
use crate::model::Extent;

/// Stretches that were freed and have not been given out since, with the record that freed them.
#[derive(Debug, Clone, Default)]
pub struct Reuse {
    /// By start: end and record, apart from each other.
    rested: BTreeMap<u64, (u64, u32)>,
    /// Records between the free and the placement, of placements that use a freed address again.
    pub distances: Histogram,
    /// Placements that use no address that was freed before.
    pub fresh: u64,
}

impl Reuse {
    /// A range was freed at a record.
    pub fn freed(&mut self, extent: Extent, record: u32) {
        self.cut(extent);
        self.rested.insert(extent.start(), (extent.end(), record));
    }

    /// A range is given out at a record: the distance is that to the latest free of any of it.
    pub fn placed(&mut self, extent: Extent, record: u32) {
        match self.cut(extent) {
            Some(freed_at) => self.distances.add(u64::from(record.saturating_sub(freed_at))),
            None => self.fresh += 1,
        }
    }

    /// Takes a range out; answers the latest record that freed any of it.
    fn cut(&mut self, extent: Extent) -> Option<u32> {
        let mut latest = None;
        while let Some((&start, &(end, record))) = self.rested.range(..extent.end()).next_back() {
            if end <= extent.start() {
                break;
            }
            latest = latest.max(Some(record));
            self.rested.remove(&start);
            if extent.end() < end {
                self.rested.insert(extent.end(), (end, record));
            }
            if start < extent.start() {
                self.rested.insert(start, (extent.start(), record));
            }
        }
        latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(start: u64, end: u64) -> Extent {
        Extent::new(start, end).expect("not empty")
    }

    #[test]
    fn the_latest_free_of_any_page_counts() {
        let mut reuse = Reuse::default();
        reuse.freed(extent(0, 4), 1);
        reuse.freed(extent(4, 8), 3);
        reuse.placed(extent(2, 6), 10);
        assert_eq!((reuse.distances.sum(), reuse.fresh), (7, 0));
        reuse.placed(extent(0, 2), 11);
        assert_eq!(reuse.distances.sum(), 17);
        reuse.placed(extent(0, 6), 12);
        assert_eq!((reuse.distances.n(), reuse.fresh), (2, 1));
        reuse.placed(extent(7, 9), 13);
        assert_eq!(reuse.distances.sum(), 27);
    }

    /// Against an array with a cell for each page.
    #[test]
    fn stretches_are_what_single_pages_are() {
        let (mut reuse, mut pages, mut state) = (Reuse::default(), [None; 64], 1_u64);
        let mut next = |n: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % n
        };
        for record in 0..5_000 {
            let start = next(60);
            let range = extent(start, start + 1 + next(4));
            let cells = &mut pages[range.start() as usize..range.end() as usize];
            if next(2) == 0 {
                reuse.freed(range, record);
                cells.fill(Some(record));
            } else {
                let latest = cells.iter().copied().max().flatten();
                let (n, sum, fresh) = (reuse.distances.n(), reuse.distances.sum(), reuse.fresh);
                reuse.placed(range, record);
                match latest {
                    Some(latest) => {
                        assert_eq!((reuse.distances.n(), reuse.fresh), (n + 1, fresh));
                        assert_eq!(reuse.distances.sum() - sum, u128::from(record - latest));
                    }
                    None => assert_eq!((reuse.distances.n(), reuse.fresh), (n, fresh + 1)),
                }
                cells.fill(None);
            }
        }
    }
}
