//! Randomised placement: every aligned address at which the area fits is as likely as every other.
//!
//! Numbers are drawn by `SplitMix64` from a state that follows from the seed and from how many requests came before, so
//! that the answer to a request depends on nothing else. An address is drawn from all aligned ones of the window and
//! kept if the area fits there; after [`TRIES`] that do not, those that fit are counted and one of them is drawn. Either
//! way each of them has the same chance.

use crate::model::search::align_up;
use crate::model::{AreaId, Extent, Look, RuleOrder, Sink, Step};

use super::super::rules::Layers;
use super::super::setup::split_mix;
use super::coalescing::Index;
use super::ground::{Ground, Wanted};

/// Draws before the places that fit are counted. With a quarter of the window free for a size, one in 10⁸ requests gets
/// there.
const TRIES: u32 = 64;

/// Draws, and keeps nothing but its seed.
#[derive(Debug, Clone)]
pub(super) struct Draw {
    seed: u64,
}

impl Draw {
    /// What the numbers for one request are drawn from.
    fn state(&self, nth: u64) -> u64 {
        let (mut seed, mut nth) = (self.seed, nth);
        split_mix(&mut seed) ^ split_mix(&mut nth).rotate_left(32)
    }
}

/// A number below `n`, each as likely as the others: the upper half of a product, drawn again where that would favour
/// some.
fn below(n: u64, state: &mut u64) -> u64 {
    loop {
        let product = u128::from(split_mix(state)) * u128::from(n);
        if n.wrapping_neg() % n <= product as u64 {
            return (product >> 64) as u64;
        }
    }
}

/// Aligned addresses of `[low, high)` at which the area fits: the lowest, and how many.
fn places(low: u64, high: u64, wanted: &Wanted) -> Option<(u64, u64)> {
    let first = align_up(low, wanted.align);
    let last = high.checked_sub(wanted.size)?;
    (low <= first && first <= last).then(|| (first, (last - first) / wanted.align + 1))
}

impl Index for Draw {
    fn new(layers: &Layers, _arena: Extent, _page_size: u64) -> Self {
        Self { seed: layers.seed }
    }

    fn find<S: Sink>(&self, ground: &Ground, wanted: &Wanted, sink: &mut S) -> Option<(AreaId, u64)> {
        let mut state = self.state(wanted.nth);
        let (first, n) = places(wanted.low, wanted.high, wanted)?;
        sink.step(|| Step::RuleBegun { order: RuleOrder::Drawn { places: n } });
        for _ in 0..TRIES {
            let addr = first + below(n, &mut state) * wanted.align;
            let hole = ground.hole_at(addr).filter(|(_, hole)| wanted.size <= hole.end() - addr);
            sink.step(|| Step::Drawn { addr, fits: hole.is_some() });
            if let Some((id, _)) = hole {
                return Some((id, addr));
            }
        }
        let window = Extent::new(wanted.low, wanted.high)?;
        let all = || {
            let parts = ground.holes_in(window).filter_map(|(id, hole)| Some((id, hole, wanted.clip(hole)?)));
            parts.map(|(id, hole, part)| (id, hole, places(part.start(), part.end(), wanted)))
        };
        let n: u64 = all().filter_map(|(.., places)| places).map(|(_, n)| n).sum();
        sink.step(|| Step::RuleBegun { order: RuleOrder::Counted { places: n } });
        if n == 0 {
            return None;
        }
        let mut left = below(n, &mut state);
        for (id, hole, places) in all() {
            match places {
                Some((first, n)) if left < n => {
                    sink.step(|| Step::Looked { hole, look: Look::Taken });
                    return Some((id, first + left * wanted.align));
                }
                Some((_, n)) => left -= n,
                None => {}
            }
            sink.step(|| Step::Looked { hole, look: if places.is_some() { Look::Worse } else { Look::NoFit } });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_below_a_bound_are_even() {
        let mut state = 7;
        let mut counts = [0_u32; 5];
        for _ in 0..50_000 {
            counts[below(5, &mut state) as usize] += 1;
        }
        assert!(counts.iter().all(|n| (9_700..10_300).contains(n)), "{counts:?}");
    }
}
