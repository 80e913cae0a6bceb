//! [`Checkpoints`]: states put aside along the log, within a budget of bytes. What has not changed between two of them they
//! share (`AddressSpace::keep`).

use std::ops::Range;

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

/// A state near the cursor. Those are made at each far move, and soon used or thrown away.
#[derive(Debug, Clone)]
struct Near {
    /// Records applied.
    at: usize,
    /// Where that is fast, a plain copy; else one that is asleep.
    state: AddressSpace,
    is_asleep: bool,
}

/// States by the number of records applied.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    start: AddressSpace,
    start_kept: Kept,
    /// Ascending; kept through the whole replay.
    even: Vec<Kept>,
    /// Ascending; around the last place somebody looked at.
    near: Vec<Near>,
    /// Records from an even one to the next that is laid.
    every: usize,
    /// No even one is due after so many records.
    quiet: Range<usize>,
    even_bytes: u64,
    budget_bytes: u64,
    /// Records there are.
    n_records: usize,
}

/// Records between two checkpoints at least: replaying this many forward stays well under a frame.
const EVERY: usize = 2048;
/// What the checkpoints of a replay may hold where nobody says, in bytes.
pub const BUDGET_BYTES: u64 = 144 << 20;
/// How many of the last ones tell what the next ones will hold: bases come once in a few.
const TELLING: usize = 16;
/// How far before a place that is sought states are kept, so that the next steps back are short: the shortest distance is
/// what one step back replays, each longer one what it takes to make the shorter ones anew.
const NEAR: [usize; 2] = [64, 1024];
/// States kept around places somebody looked at, at most.
const NEAR_MAX: usize = 24;
/// Part of the budget that those may hold.
const NEAR_SHARE: u64 = 12;

impl Checkpoints {
    /// Begins with the initial state of a log of `n_records`; the even ones may hold `budget_bytes`.
    pub fn new(mut start: AddressSpace, budget_bytes: u64, n_records: usize) -> Self {
        let start_kept = Kept { at: 0, asleep: start.keep(), bytes: 0 };
        Self {
            start,
            start_kept,
            even: Vec::new(),
            near: Vec::new(),
            every: EVERY,
            quiet: 0..1,
            even_bytes: 0,
            budget_bytes,
            n_records,
        }
    }

    /// What the even ones may hold from now on, in bytes.
    pub fn set_budget(&mut self, bytes: u64) {
        self.budget_bytes = bytes;
    }

    /// Begins again with another initial state.
    pub fn begin_anew(&mut self, start: AddressSpace) {
        *self = Self::new(start, self.budget_bytes, self.n_records);
    }

    /// The initial state.
    pub fn start(&self) -> &AddressSpace {
        &self.start
    }

    /// How many are kept, and how many records lie between two even ones at most.
    pub fn spacing(&self) -> (usize, usize) {
        let places = || self.even.iter().map(|kept| kept.at);
        let between = places().zip([0].into_iter().chain(places())).map(|(at, before)| at - before).max();
        (self.even.len(), between.unwrap_or(self.every))
    }

    /// Offers the state after `at` records; it is kept if one is due there.
    #[inline]
    pub fn offer(&mut self, at: usize, state: &mut AddressSpace) {
        if !self.quiet.contains(&at) {
            self.keep_if_due(at, state);
        }
    }

    #[inline(never)]
    fn keep_if_due(&mut self, at: usize, state: &mut AddressSpace) {
        let place = self.even.partition_point(|kept| kept.at < at);
        let before = place.checked_sub(1).map_or(&self.start_kept, |i| &self.even[i]);
        let (due, after) = (before.at + self.every, self.even.get(place).map_or(usize::MAX, |kept| kept.at));
        if at < due || after - at < self.every / 2 {
            self.quiet = if at < due { at..due.min(after) } else { at..after.saturating_add(1) };
            return;
        }
        let asleep = state.keep();
        let bytes = asleep.kept_bytes_beside(&before.asleep);
        self.even_bytes += bytes;
        self.even.insert(place, Kept { at, asleep, bytes });
        self.quiet = at..at + 1;
        while self.even_bytes > self.budget_bytes && self.even.len() > 1 {
            let mut nth = 0;
            self.even.retain(|_| {
                nth += 1;
                nth % 2 == 0
            });
            self.every *= 2;
            self.count_bytes();
        }
        self.space_out(at);
    }

    /// Sets the next ones so far apart that the budget lasts to the end of the log.
    fn space_out(&mut self, at: usize) {
        let last = &self.even[self.even.len().saturating_sub(TELLING)..];
        let each = last.iter().map(|kept| kept.bytes).sum::<u64>() / last.len().max(1) as u64;
        let (left, n_left) = (self.budget_bytes.saturating_sub(self.even_bytes), self.n_records.saturating_sub(at));
        if n_left > 0 {
            let n_more = usize::try_from(left / each.max(1)).unwrap_or(usize::MAX).max(1);
            self.every = (n_left / n_more).max(EVERY);
        }
    }

    /// Forgets every state after more than `at` records: what they did has been resolved differently.
    pub fn forget_from(&mut self, at: usize) {
        self.even.retain(|kept| kept.at <= at);
        self.near.retain(|near| near.at <= at);
        self.quiet = 0..1;
        self.count_bytes();
    }

    /// Offers a state on the way to `target`: some shortly before it are kept, so that the next steps back are short.
    #[inline]
    pub fn offer_near(&mut self, at: usize, target: usize, state: &mut AddressSpace) {
        if NEAR.contains(&(target.saturating_sub(at))) {
            self.keep_near(at, target, state);
        }
    }

    #[inline(never)]
    fn keep_near(&mut self, at: usize, target: usize, state: &mut AddressSpace) {
        if self.near.binary_search_by_key(&at, |near| near.at).is_ok() {
            return;
        }
        let is_asleep = !state.copies_fast();
        let mut spare = None;
        // At least the nearest two, or a step back would take long.
        let own = self.near.last().map_or(0, |near| near.bytes_beside(&self.start_kept));
        let n_near = (self.budget_bytes / NEAR_SHARE / own.max(1)).clamp(2, NEAR_MAX as u64) as usize;
        while n_near <= self.near.len() {
            // The one farthest from the target goes.
            let first = target.abs_diff(self.near[0].at);
            let last = self.near.last().map_or(0, |near| target.abs_diff(near.at));
            let gone = if first > last { Some(self.near.remove(0)) } else { self.near.pop() };
            spare = gone.filter(|near| !near.is_asleep).map(|near| near.state).or(spare);
        }
        let state = match spare {
            _ if is_asleep => state.keep(),
            Some(mut spare) => {
                spare.copy_from(state);
                spare
            }
            None => state.clone(),
        };
        let place = self.near.partition_point(|near| near.at < at);
        self.near.insert(place, Near { at, state, is_asleep });
    }

    /// How many records the latest state at or before `at` records has applied.
    pub fn at_or_before(&self, at: usize) -> usize {
        let near = self.latest_near(at).map_or(0, |index| self.near[index].at);
        self.latest(at).at.max(near)
    }

    /// Makes `state` the latest one at or before `at` records; answers how many it has applied.
    pub fn restore(&mut self, at: usize, state: &mut AddressSpace) -> usize {
        match self.latest_near(at) {
            Some(index) if self.latest(at).at < self.near[index].at => {
                let near = &mut self.near[index];
                if near.is_asleep {
                    state.restore(&near.state);
                } else {
                    state.copy_from(&mut near.state);
                }
                near.at
            }
            _ => self.restore_even(at, state),
        }
    }

    /// The same without those near the cursor.
    pub fn restore_even(&self, at: usize, state: &mut AddressSpace) -> usize {
        let kept = self.latest(at);
        state.restore(&kept.asleep);
        kept.at
    }

    /// Goes towards the state after `stop` records: from where a state under way stands, or from the latest kept one, and
    /// `budget` records at most, each done by `apply`. Hands the state out when it is there, else says how far it is.
    ///
    /// # Errors
    /// The budget is used up: the records applied so far.
    pub fn go(
        &mut self,
        under_way: &mut Option<(AddressSpace, usize)>,
        (stop, budget): (usize, usize),
        mut apply: impl FnMut(usize, &mut AddressSpace),
    ) -> Result<AddressSpace, usize> {
        let kept = self.at_or_before(stop);
        let (mut state, mut at) = match under_way.take() {
            Some((state, at)) if kept <= at && at <= stop => (state, at),
            old => {
                let mut state = old.map_or_else(|| self.start.clone(), |(state, _)| state);
                let at = self.restore(stop, &mut state);
                (state, at)
            }
        };
        let end = stop.min(at.saturating_add(budget));
        while at < end {
            apply(at, &mut state);
            at += 1;
            self.offer(at, &mut state);
            self.offer_near(at, stop, &mut state);
        }
        if at < stop {
            *under_way = Some((state, at));
            return Err(at);
        }
        Ok(state)
    }

    fn latest(&self, at: usize) -> &Kept {
        let place = self.even.partition_point(|kept| kept.at <= at);
        place.checked_sub(1).map_or(&self.start_kept, |index| &self.even[index])
    }

    fn latest_near(&self, at: usize) -> Option<usize> {
        self.near.partition_point(|near| near.at <= at).checked_sub(1)
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
        let near = self.near.iter().map(|near| near.bytes_beside(&self.start_kept));
        self.even_bytes + self.start.heap_bytes() + near.sum::<u64>()
    }
}

impl Near {
    /// Memory it holds and `start` does not, in bytes.
    fn bytes_beside(&self, start: &Kept) -> u64 {
        if self.is_asleep { self.state.kept_bytes_beside(&start.asleep) } else { self.state.heap_bytes() }
    }
}
