//! Which runs lie below which: what pairs of rows tell, and what follows from that.

use std::collections::BTreeSet;

/// More runs than this are not compared each with each: two megabytes of bits.
const MOST: usize = 4096;

/// Runs in an order that contradicts nothing.
#[derive(Debug)]
pub(super) struct Sorted {
    /// The order.
    pub(super) runs: Vec<u32>,
    /// What is known to lie above each run, next to it in some list.
    above: Vec<Vec<u32>>,
}

/// Sorts runs by what is known of pairs of them, and where nothing is by their first row; `None` if that is a circle.
pub(super) fn sort(first_rows: &[u32], pairs: impl Iterator<Item = (u32, u32)>) -> Option<Sorted> {
    let mut above: Vec<Vec<u32>> = vec![Vec::new(); first_rows.len()];
    for (low, high) in pairs {
        above[low as usize].push(high);
    }
    let mut n_below = vec![0_u32; first_rows.len()];
    for highs in &mut above {
        highs.sort_unstable();
        highs.dedup();
        for &high in highs.iter() {
            n_below[high as usize] += 1;
        }
    }
    let mut free: BTreeSet<(u32, u32)> =
        (0..).zip(first_rows).filter(|(run, _)| n_below[*run as usize] == 0).map(|(run, &row)| (row, run)).collect();
    let mut runs = Vec::with_capacity(first_rows.len());
    while let Some((_, run)) = free.pop_first() {
        runs.push(run);
        for &high in &above[run as usize] {
            n_below[high as usize] -= 1;
            if n_below[high as usize] == 0 {
                free.insert((first_rows[high as usize], high));
            }
        }
    }
    (runs.len() == first_rows.len()).then_some(Sorted { runs, above })
}

/// Runs by their first row; nothing is known of their order.
pub(super) fn unsorted(first_rows: &[u32]) -> Sorted {
    let mut runs: Vec<u32> = (0..first_rows.len() as u32).collect();
    runs.sort_by_key(|&run| first_rows[run as usize]);
    Sorted { runs, above: vec![Vec::new(); first_rows.len()] }
}

/// Which run lies below which, by their places in the sorted list.
#[derive(Debug, Clone)]
pub(super) struct Below {
    /// Of each run a bit for each above it.
    above: Vec<Vec<u64>>,
    /// Whether another run is known to lie below or above.
    knows: Vec<bool>,
}

impl Below {
    pub(super) fn nothing(n_runs: usize) -> Self {
        Self { above: vec![Vec::new(); n_runs], knows: vec![false; n_runs] }
    }

    /// All that follows: what is above one that is above is above.
    pub(super) fn of(sorted: &Sorted, new_place: &[u32]) -> Self {
        let n_runs = sorted.runs.len();
        let mut below = Self::nothing(n_runs);
        if MOST < n_runs {
            return below;
        }
        for (place, &run) in sorted.runs.iter().enumerate().rev() {
            let mut bits = vec![0_u64; n_runs.div_ceil(64)];
            for &high in &sorted.above[run as usize] {
                let high = new_place[high as usize] as usize;
                bits[high / 64] |= 1 << (high % 64);
                for (bits, more) in bits.iter_mut().zip(&below.above[high]) {
                    *bits |= more;
                }
                below.knows[high] = true;
                below.knows[place] = true;
            }
            below.above[place] = bits;
        }
        below
    }

    pub(super) fn contains(&self, low: u32, high: u32) -> bool {
        let bits = self.above.get(low as usize).and_then(|bits| bits.get(high as usize / 64));
        bits.is_some_and(|bits| bits >> (high % 64) & 1 == 1)
    }

    pub(super) fn knows(&self, run: u32) -> bool {
        self.knows.get(run as usize) == Some(&true)
    }

    /// Pairs of rows in different runs whose order is known.
    pub(super) fn pairs(&self, rows: impl Fn(usize) -> u64) -> u64 {
        let mut pairs = 0;
        for (low, bits) in self.above.iter().enumerate() {
            let highs = (0..bits.len() * 64).filter(|high| bits[high / 64] >> (high % 64) & 1 == 1);
            pairs += rows(low) * highs.map(&rows).sum::<u64>();
        }
        pairs
    }
}
