//! [`Checkpoints`]: states put aside along the log, within a budget of bytes. What has not changed between two of them they
//! share (`AddressSpace::keep`).

use crate::model::AddressSpace;

/// A state put aside: it can be taken up again, and nothing else.
#[derive(Debug, Clone)]
struct Kept {
    /// Records applied.
    at: usize,
    /// A copy whose areas cannot be read.
    asleep: AddressSpace,
    /// Memory it holds and the one before it does not, in bytes.
    bytes: u64,
}

/// States by the number of records applied.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    start: AddressSpace,
    start_kept: Kept,
    /// Ascending; kept through the whole replay.
    even: Vec<Kept>,
    /// Ascending; around the last place somebody looked at.
    near: Vec<Kept>,
    every: usize,
    even_bytes: u64,
    budget_bytes: u64,
}

/// Records between two checkpoints to begin with: replaying this many forward stays well under a frame.
const EVERY: usize = 2048;
/// What the checkpoints of a replay may hold where nobody says, in bytes.
pub const BUDGET_BYTES: u64 = 192 << 20;
/// How far before a place that is sought states are kept, so that the next steps back are short: the shortest distance is
/// what one step back replays, each longer one what it takes to make the shorter ones anew.
const NEAR: [usize; 2] = [64, 1024];
/// States kept around places somebody looked at, at most.
const NEAR_MAX: usize = 24;
/// Part of the budget that those may hold.
const NEAR_SHARE: u64 = 8;

impl Checkpoints {
    /// Begins with the initial state; the even ones may hold `budget_bytes`.
    pub fn new(mut start: AddressSpace, budget_bytes: u64) -> Self {
        let start_kept = Kept { at: 0, asleep: start.keep(), bytes: 0 };
        let (even, near) = (Vec::new(), Vec::new());
        Self { start, start_kept, even, near, every: EVERY, even_bytes: 0, budget_bytes }
    }

    /// What the even ones may hold from now on, in bytes.
    pub fn set_budget(&mut self, bytes: u64) {
        self.budget_bytes = bytes;
    }

    /// Begins again with another initial state.
    pub fn begin_anew(&mut self, start: AddressSpace) {
        *self = Self::new(start, self.budget_bytes);
    }

    /// The initial state.
    pub fn start(&self) -> &AddressSpace {
        &self.start
    }

    /// How many are kept, and how many records lie between two even ones.
    pub fn spacing(&self) -> (usize, usize) {
        (self.even.len(), self.every)
    }

    /// Offers the state after `at` records; it is kept if one is due there and none is.
    pub fn offer(&mut self, at: usize, state: &mut AddressSpace) {
        if at == 0 || !at.is_multiple_of(self.every) {
            return;
        }
        let Err(place) = self.even.binary_search_by_key(&at, |kept| kept.at) else { return };
        let asleep = state.keep();
        let bytes = asleep.kept_bytes_beside(&place.checked_sub(1).map_or(&self.start_kept, |i| &self.even[i]).asleep);
        self.even_bytes += bytes;
        self.even.insert(place, Kept { at, asleep, bytes });
        while self.even_bytes > self.budget_bytes && self.even.len() > 1 {
            self.every *= 2;
            let every = self.every;
            self.even.retain(|kept| kept.at.is_multiple_of(every));
            self.count_bytes();
        }
    }

    /// Forgets every state after more than `at` records: what they did has been resolved differently.
    pub fn forget_from(&mut self, at: usize) {
        self.even.retain(|kept| kept.at <= at);
        self.near.retain(|kept| kept.at <= at);
        self.count_bytes();
    }

    /// Offers a state on the way to `target`: some shortly before it are kept, so that the next steps back are short.
    pub fn offer_near(&mut self, at: usize, target: usize, state: &mut AddressSpace) {
        if !NEAR.contains(&(target.saturating_sub(at))) {
            return;
        }
        let Err(place) = self.near.binary_search_by_key(&at, |kept| kept.at) else { return };
        let asleep = state.keep();
        let own = asleep.kept_bytes_beside(&self.start_kept.asleep);
        self.near.insert(place, Kept { at, asleep, bytes: own });
        // At least the nearest two, or a step back would take long.
        let n_near = (self.budget_bytes / NEAR_SHARE / own.max(1)).clamp(2, NEAR_MAX as u64) as usize;
        while self.near.len() > n_near {
            // The one farther from the target goes.
            let first = target.abs_diff(self.near[0].at);
            let last = self.near.last().map_or(0, |kept| target.abs_diff(kept.at));
            if first > last {
                self.near.remove(0);
            } else {
                self.near.pop();
            }
        }
    }

    /// How many records the latest state at or before `at` records has applied.
    pub fn at_or_before(&self, at: usize) -> usize {
        self.latest(at).at
    }

    /// Makes `state` the latest one at or before `at` records; answers how many it has applied.
    pub fn restore(&self, at: usize, state: &mut AddressSpace) -> usize {
        let kept = self.latest(at);
        state.restore(&kept.asleep);
        kept.at
    }

    fn latest(&self, at: usize) -> &Kept {
        let best = |list: &[Kept]| list.partition_point(|kept| kept.at <= at).checked_sub(1);
        let even = best(&self.even).map(|i| &self.even[i]);
        let near = best(&self.near).map(|i| &self.near[i]);
        [even, near].into_iter().flatten().max_by_key(|kept| kept.at).unwrap_or(&self.start_kept)
    }

    fn count_bytes(&mut self) {
        let mut before = &self.start_kept.asleep;
        let mut total = 0;
        for kept in &mut self.even {
            kept.bytes = kept.asleep.kept_bytes_beside(before);
            total += kept.bytes;
            before = &kept.asleep;
        }
        self.even_bytes = total;
    }

    /// Memory held, in bytes.
    pub fn heap_bytes(&self) -> u64 {
        let mut bytes = self.even_bytes + self.start.heap_bytes();
        let mut before = &self.start_kept.asleep;
        for kept in &self.near {
            bytes += kept.asleep.kept_bytes_beside(before);
            before = &kept.asleep;
        }
        bytes
    }
}
