//! [`Checkpoints`]: copies of the state along the log, within a budget of bytes.

use crate::model::AddressSpace;

/// States by the number of records applied.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    start: AddressSpace,
    /// Ascending; kept through the whole replay.
    even: Vec<(usize, AddressSpace)>,
    /// Ascending; dense, around the last place somebody looked at.
    near: Vec<(usize, AddressSpace)>,
    every: usize,
    even_bytes: u64,
}

/// Records between two checkpoints to begin with: replaying this many forward stays well under a frame.
const EVERY: usize = 2048;
/// What the even checkpoints may hold; when more is needed every second one goes.
const BUDGET_BYTES: u64 = 256 << 20;
/// Records between two dense checkpoints.
const NEAR_EVERY: usize = 64;
/// Dense checkpoints kept.
const NEAR_MAX: usize = 40;
/// What one dense checkpoint may hold: above, a copy costs more than the records it saves.
const NEAR_MAX_BYTES: u64 = 2 << 20;

impl Checkpoints {
    /// Begins with the initial state.
    pub fn new(start: AddressSpace) -> Self {
        Self { start, even: Vec::new(), near: Vec::new(), every: EVERY, even_bytes: 0 }
    }

    /// The initial state.
    pub fn start(&self) -> &AddressSpace {
        &self.start
    }

    /// Offers the state after `at` records, in ascending order; it is kept if one is due there.
    pub fn offer(&mut self, at: usize, state: &AddressSpace) {
        if at == 0 || !at.is_multiple_of(self.every) {
            return;
        }
        let copy = state.clone();
        self.even_bytes += copy.heap_bytes();
        self.even.push((at, copy));
        if self.even_bytes > BUDGET_BYTES && self.even.len() > 2 {
            self.every *= 2;
            let every = self.every;
            self.even.retain(|(at, _)| at.is_multiple_of(every));
            self.even_bytes = self.even.iter().map(|(_, state)| state.heap_bytes()).sum();
        }
    }

    /// Forgets every state after more than `at` records: what they did has been resolved differently.
    pub fn forget_from(&mut self, at: usize) {
        self.even.retain(|&(k, _)| k <= at);
        self.near.retain(|&(k, _)| k <= at);
        self.even_bytes = self.even.iter().map(|(_, state)| state.heap_bytes()).sum();
    }

    /// Offers a state on the way to `target`: the last stretch before it is kept densely, so that the next steps back
    /// are short.
    pub fn offer_near(&mut self, at: usize, target: usize, state: &AddressSpace) {
        let is_close = target.saturating_sub(at) <= NEAR_EVERY * NEAR_MAX;
        if !is_close || !at.is_multiple_of(NEAR_EVERY) || state.heap_bytes() > NEAR_MAX_BYTES {
            return;
        }
        let Err(place) = self.near.binary_search_by_key(&at, |&(at, _)| at) else { return };
        self.near.insert(place, (at, state.clone()));
        if self.near.len() > NEAR_MAX {
            // The one farther from the target goes.
            let first = target.abs_diff(self.near[0].0);
            let last = self.near.last().map_or(0, |&(at, _)| target.abs_diff(at));
            if first > last {
                self.near.remove(0);
            } else {
                self.near.pop();
            }
        }
    }

    /// The latest state at or before `at` records.
    pub fn at_or_before(&self, at: usize) -> (&AddressSpace, usize) {
        let best = |list: &'_ [(usize, AddressSpace)]| list.partition_point(|&(k, _)| k <= at).checked_sub(1);
        let even = best(&self.even).map(|i| (&self.even[i].1, self.even[i].0));
        let near = best(&self.near).map(|i| (&self.near[i].1, self.near[i].0));
        [Some((&self.start, 0)), even, near].into_iter().flatten().max_by_key(|&(_, k)| k).unwrap_or((&self.start, 0))
    }

    /// Memory held, in bytes.
    pub fn heap_bytes(&self) -> u64 {
        self.even_bytes + self.near.iter().map(|(_, state)| state.heap_bytes()).sum::<u64>()
    }
}
