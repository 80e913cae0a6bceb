//! Which rows touch, by equal hashes, and how likely chance made that.

use std::collections::HashMap;

use super::{Certainty, SMALL};
use crate::log::{BaselineArea, BaselineState};

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
    /// The same between any others, by [`Far`]; `None` if there are no such joins, so that none is claimed.
    by_chance_far: [Option<f64>; 2],
}

/// What rows are joined that do not follow each other in the file. Lazily freed areas can be many, in an order of their
/// own, and most touch nothing: what chance does there says nothing about areas in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Far {
    /// Two areas in use.
    Busy,
    /// One of them is lazily freed.
    Lazy,
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
        let by_chance_far = [Far::Busy, Far::Lazy].map(|far| chance_of_far(areas, &next, far));
        Self {
            next,
            contradictions,
            has_twins: 0 < twins,
            by_chance_close: areas.len() as f64 / n_values(areas),
            by_chance_far,
        }
    }

    /// Those that are certain, and how many others there are.
    pub(super) fn certain(&self, areas: &[BaselineArea]) -> (Vec<Option<u32>>, u64) {
        // Each kind by itself may be sure, and all together not.
        let mut budget = self.by_chance_close;
        let mut is_sure = [grade(budget) == Certainty::Certain, false, false];
        for (n, chance) in self.by_chance_far.iter().enumerate() {
            budget += chance.unwrap_or(0.0);
            is_sure[n + 1] = grade(budget) == Certainty::Certain;
        }
        let kind = |n: u32, after: u32| match far(areas, n, after) {
            None => 0,
            Some(Far::Busy) => 1,
            Some(Far::Lazy) => 2,
        };
        let sure = |(n, after): (u32, &Option<u32>)| after.filter(|after| is_sure[kind(n, *after)]);
        let certain: Vec<Option<u32>> = (0..).zip(&self.next).map(sure).collect();
        let n_of = |next: &[Option<u32>]| next.iter().flatten().count() as u64;
        let others = n_of(&self.next) - n_of(&certain);
        (certain, others)
    }
}

/// How two rows that touch are apart in the file; `None` if they follow each other.
fn far(areas: &[BaselineArea], n: u32, after: u32) -> Option<Far> {
    let is_lazy = |n: u32| areas[n as usize].state == BaselineState::Unpurged;
    match after == n + 1 {
        true => None,
        false if is_lazy(n) || is_lazy(after) => Some(Far::Lazy),
        false => Some(Far::Busy),
    }
}

/// How many hashes there can be. The kernel keeps 32 bits; where fewer are in use, chance makes more equal.
fn n_values(areas: &[BaselineArea]) -> f64 {
    let highest = areas.iter().map(|area| area.start.max(area.end)).max().unwrap_or(0);
    f64::from(64 - highest.leading_zeros()).exp2()
}

fn chance_of_far(areas: &[BaselineArea], next: &[Option<u32>], wanted: Far) -> Option<f64> {
    let is_lazy = |n: u32| areas[n as usize].state == BaselineState::Unpurged;
    let mut joined = (0..).zip(next).filter_map(|(n, after)| Some((n, (*after)?)));
    if !joined.any(|(n, after)| far(areas, n, after) == Some(wanted)) {
        return None;
    }
    // Rows that another could be put behind, or before: those that the next line does not continue.
    let mut open = [0.0, 0.0];
    for n in 0..areas.len() as u32 {
        let continues = next[n as usize] == Some(n + 1);
        open[usize::from(is_lazy(n))] += f64::from(u8::from(!continues));
    }
    let [busy, lazy] = open;
    let pairs = if wanted == Far::Busy { busy * busy } else { lazy * (lazy + 2.0 * busy) };
    Some(pairs / n_values(areas))
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
