//! Which rows touch, by equal hashes, and how likely chance made that.

use std::collections::HashMap;

use super::{Certainty, SMALL};
use crate::log::BaselineArea;

/// Which row begins where each row ends.
#[derive(Debug)]
pub(super) struct Joins {
    pub(super) next: Vec<Option<u32>>,
    /// Rows that were not joined because that would contradict something.
    pub(super) contradictions: usize,
    /// Two rows begin at one place.
    pub(super) has_twins: bool,
    /// Equal hashes that chance makes between a row and the one printed after it, in a file like this.
    by_chance_close: f64,
    /// The same between any others.
    by_chance_far: f64,
    has_far: bool,
}

impl Joins {
    pub(super) fn find(areas: &[BaselineArea]) -> Self {
        // Two areas cannot start at one place: a doubled line or a collision, and neither is a neighbour.
        let mut by_start: HashMap<u64, Option<u32>> = HashMap::with_capacity(areas.len());
        for (n, area) in (0..).zip(areas) {
            by_start.entry(area.start).and_modify(|known| *known = None).or_insert(Some(n));
        }
        let twins = areas.len() - by_start.len();
        let mut contradictions = 0;
        let mut next: Vec<Option<u32>> = vec![None; areas.len()];
        let mut n_before = vec![0_u32; areas.len()];
        for (n, area) in areas.iter().enumerate() {
            match by_start.get(&area.end) {
                Some(Some(after)) => {
                    next[n] = Some(*after);
                    n_before[*after as usize] += 1;
                }
                Some(None) => contradictions += 1,
                None => {}
            }
        }
        // Nor can two areas end at one place.
        for after in next.iter_mut().filter(|after| after.is_some_and(|n| 1 < n_before[n as usize])) {
            *after = None;
            contradictions += 1;
        }
        contradictions += cut_circles(&mut next);
        let is_close = |n: usize, after: u32| after as usize == n + 1;
        let n_close = (0..).zip(&next).filter(|(n, after)| after.is_some_and(|after| is_close(*n, after))).count();
        let has_far = (0..).zip(&next).any(|(n, after)| after.is_some_and(|after| !is_close(n, after)));
        // The kernel keeps 32 bits of the hash; where fewer are in use, chance makes more equal.
        let highest = areas.iter().map(|area| area.start.max(area.end)).max().unwrap_or(0);
        let n_values = 2.0_f64.powi(64 - highest.leading_zeros() as i32);
        let ends = (areas.len() - n_close) as f64;
        Self {
            next,
            contradictions,
            has_twins: 0 < twins,
            by_chance_close: areas.len() as f64 / n_values,
            by_chance_far: ends * ends / n_values,
            has_far,
        }
    }

    /// How sure all of it is.
    pub(super) fn certainty(&self) -> Certainty {
        let far = if self.has_far { self.by_chance_far } else { 0.0 };
        grade(self.by_chance_close + far)
    }

    /// How sure it is that rows which follow each other touch.
    pub(super) fn certainty_of_close(&self) -> Certainty {
        grade(self.by_chance_close)
    }

    /// Without those between rows that do not follow each other.
    pub(super) fn close_only(&self) -> Vec<Option<u32>> {
        (0..).zip(&self.next).map(|(n, after)| after.filter(|after| *after == n + 1)).collect()
    }
}

fn grade(by_chance: f64) -> Certainty {
    match by_chance {
        ..=SMALL => Certainty::Certain,
        ..1.0 => Certainty::Likely,
        _ => Certainty::Unknown,
    }
}

/// Real areas form no circle: none of its rows is joined. How many that are.
fn cut_circles(next: &mut [Option<u32>]) -> usize {
    let mut seen = vec![false; next.len()];
    let mut has_before = vec![false; next.len()];
    next.iter().flatten().for_each(|&after| has_before[after as usize] = true);
    let mut heads: Vec<u32> = (0..next.len() as u32).filter(|&n| !has_before[n as usize]).collect();
    while let Some(n) = heads.pop() {
        seen[n as usize] = true;
        heads.extend(next[n as usize]);
    }
    let circling = (0..next.len()).filter(|&n| !seen[n]);
    circling.map(|n| next[n] = None).count()
}
