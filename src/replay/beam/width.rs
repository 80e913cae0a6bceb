//! Which states are kept: the cheapest, and some that differ from them where it takes long to tell who is right.

use std::collections::{HashMap, HashSet};

use super::state::State;

/// States kept.
pub(super) const WIDTH: usize = 12;
/// Of those that believe other records than the cheapest does, for each set of such records.
const WIDTH_BESIDE: usize = 6;
/// All together.
const WIDEST: usize = 32;
/// Shapes followed, times records: fewer and fewer.
const SHAPE_RECORDS: u32 = 1 << 15;
/// Ways of each shape that are kept besides, where there are several.
const WAYS: usize = 3;

/// Cheap states are kept if their purge took the lists off elsewhere than all the cheaper ones: so many together.
const MAX_CUTS: usize = 16;
const CUT_MARGIN: f64 = 1.0;

/// Keeps the cheapest of states in order. Besides: of each of the best shapes the cheapest, the cheapest that believe other
/// records or have taken the lists off elsewhere, and where nothing but an address shows which frees came before a purge
/// (`by_frees`) the cheapest of some of those ways too.
pub(super) fn give_up(states: &mut Vec<State>, n_records: u32, by_frees: bool) {
    if states.len() <= WIDTH {
        return;
    }
    let n_shapes = (SHAPE_RECORDS / n_records.max(1)) as usize;
    let is_one = states.iter().all(|state| state.start == states[0].start);
    let most = if is_one { WIDTH } else { WAYS };
    // By shape: which frees.
    let mut kept: Vec<(usize, Vec<u64>)> = Vec::new();
    let mut place = 0;
    let (first, best) = (states[0].beliefs, states[0].cost);
    let (mut n_of, mut n_beside) = (HashMap::new(), 0);
    let mut cuts = HashSet::new();
    states.retain(|state| {
        place += 1;
        let n = n_of.entry(state.beliefs).or_insert(0);
        *n += 1;
        let believes = *n <= if state.beliefs == first { WIDTH } else { WIDTH_BESIDE };
        let is_beside = WIDTH < place && believes && n_beside < WIDEST - WIDTH;
        n_beside += usize::from(is_beside);
        let is_cheap = state.cost <= best + CUT_MARGIN && cuts.len() < MAX_CUTS;
        let is_cut = is_cheap && cuts.insert((state.beliefs, state.purge.cut())) && WIDTH < place;
        let way = if by_frees { state.frees_hash() } else { 0 };
        let is_full = n_shapes.max(1) <= kept.len();
        let is_new = match kept.iter_mut().find(|(start, _)| *start == state.start) {
            Some((_, ways)) => {
                let is_new = ways.len() < most && !ways.contains(&way);
                ways.extend(is_new.then_some(way));
                is_new
            }
            None if !is_full => {
                kept.push((state.start, vec![way]));
                true
            }
            None => false,
        };
        is_new || is_beside || is_cut || place <= WIDTH
    });
}
