//! [`Pyramid`]: the metrics of every state of a trace, so kept that any stretch of it is told in a few steps.
//!
//! State `k` is the one after `k` records. The lowest level has a bucket for each state, or for each `2^n` of them once
//! there are many; each level above takes four buckets of the one below together. The extremes of a stretch are those of
//! a few buckets from each level:
//!
//! ```text
//!   level 2   |               .               |
//!   level 1   |   .   .   .   |   .   .   .   |      four below are one above
//!   level 0   |. . . . . . . . . . . . . . . . |     min and max of 2^n states, and the last
//! ```

use std::ops::Range;

use super::packed::Packed;

/// Something that is known of every state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Pages in use, guard pages included.
    Busy,
    /// Pages freed, not purged.
    Lazy,
    /// Pages parked in pools.
    Pooled,
    /// Holes that reach into the vmalloc window.
    Holes,
    /// The largest hole inside the window, in bytes.
    Largest,
    /// External fragmentation inside the window, in billionths: see [`crate::model::Gauges::fragmentation`].
    Fragmentation,
    /// Page tables that exist, without those from boot.
    Tables,
}

/// Every metric, in the order of [`Metric`].
pub const METRICS: [Metric; 7] =
    [Metric::Busy, Metric::Lazy, Metric::Pooled, Metric::Holes, Metric::Largest, Metric::Fragmentation, Metric::Tables];

/// The value of each metric, in the order of [`METRICS`].
pub type Values = [u64; METRICS.len()];

/// Buckets of the lowest level. With 10 million records each stands for 64 states, and all levels together hold less
/// than two bytes for each; 160,000 records and fewer have a bucket for each state.
pub const MAX_BUCKETS: usize = 160_000;
/// Buckets that are one on the level above.
const FACTOR: usize = 4;

/// The lowest and the highest value of a stretch, and its last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extremes {
    /// The lowest.
    pub min: u64,
    /// The highest.
    pub max: u64,
    /// That of the last state.
    pub last: u64,
}

impl Extremes {
    fn of(value: u64) -> Self {
        Self { min: value, max: value, last: value }
    }

    fn add(&mut self, value: u64) {
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.last = value;
    }
}

/// One metric.
#[derive(Debug, Clone, Default)]
struct Column {
    /// Of each bucket of the lowest level.
    last: Packed,
    /// The lowest level first. That is empty while each bucket is one state: then `last` says it all.
    levels: Vec<(Packed, Packed)>,
}

/// The metrics of every state.
#[derive(Debug, Clone, Default)]
pub struct Pyramid {
    columns: [Column; METRICS.len()],
    /// A bucket of the lowest level stands for so many states, as a power of two.
    shift: u32,
    /// States taken in.
    n_states: usize,
    /// The bucket that is being filled.
    open: [Extremes; METRICS.len()],
}

impl Pyramid {
    /// Takes in the next state.
    pub fn push(&mut self, values: &Values) {
        let place = self.n_states & ((1 << self.shift) - 1);
        self.fill(place == 0, values);
        self.n_states += 1;
        if place + 1 == 1 << self.shift {
            self.close();
        }
    }

    fn fill(&mut self, is_first: bool, values: &Values) {
        for (open, &value) in self.open.iter_mut().zip(values) {
            if is_first {
                *open = Extremes::of(value);
            } else {
                open.add(value);
            }
        }
    }

    fn close(&mut self) {
        for (column, open) in self.columns.iter_mut().zip(&self.open) {
            column.last.push(open.last);
            if let Some((min, max)) = column.levels.first_mut() {
                min.push(open.min);
                max.push(open.max);
            }
        }
        if self.n_buckets() == MAX_BUCKETS {
            self.columns.iter_mut().for_each(Column::halve);
            self.shift += 1;
        }
    }

    /// All states are there: closes the last bucket and builds the levels above the lowest.
    pub fn finish(&mut self) {
        if self.n_buckets() << self.shift < self.n_states {
            self.close();
        }
        self.columns.iter_mut().for_each(Column::build);
    }

    fn n_buckets(&self) -> usize {
        self.columns[0].last.len()
    }

    /// States taken in.
    pub fn len(&self) -> usize {
        self.n_states
    }

    /// Has no state been taken in?
    pub fn is_empty(&self) -> bool {
        self.n_states == 0
    }

    /// States a bucket of the lowest level stands for: no stretch is told finer.
    pub fn bucket_states(&self) -> usize {
        1 << self.shift
    }

    /// The extremes of a metric over `states`, widened to whole buckets; `None` if none of them has been taken in.
    pub fn extremes(&self, metric: Metric, states: Range<usize>) -> Option<Extremes> {
        let low = states.start >> self.shift;
        let high = (states.end.min(self.n_states) + (1 << self.shift) - 1) >> self.shift;
        let high = high.min(self.n_buckets());
        (states.start < states.end && low < high).then(|| self.columns[metric as usize].extremes(low, high))
    }

    /// The value after `state` records, or of the end of its bucket.
    pub fn at(&self, metric: Metric, state: usize) -> Option<u64> {
        let bucket = state >> self.shift;
        (bucket < self.n_buckets()).then(|| self.columns[metric as usize].last.get(bucket))
    }

    /// The whole buckets that hold any of the given stretches of states, as states, ascending and apart.
    pub fn whole_buckets(&self, stretches: impl Iterator<Item = Range<usize>>) -> Vec<Range<usize>> {
        let mut all: Vec<Range<usize>> = stretches
            .map(|states| {
                let start = states.start >> self.shift << self.shift;
                start..(((states.end + (1 << self.shift) - 1) >> self.shift) << self.shift).min(self.n_states)
            })
            .filter(|states| !states.is_empty())
            .collect();
        all.sort_unstable_by_key(|states| states.start);
        let mut joined: Vec<Range<usize>> = Vec::new();
        for states in all {
            match joined.last_mut() {
                Some(last) if states.start <= last.end => last.end = last.end.max(states.end),
                _ => joined.push(states),
            }
        }
        joined
    }

    /// Takes a state in once more, which has become another one since. Whole buckets, in ascending order, after
    /// [`Pyramid::finish`], which is then due again.
    pub fn again(&mut self, state: usize, values: &Values) {
        self.fill(state & ((1 << self.shift) - 1) == 0, values);
        self.keep_again(state, 0..METRICS.len());
    }

    /// The same of one metric alone.
    pub fn metric_again(&mut self, metric: Metric, state: usize, value: u64) {
        let open = &mut self.open[metric as usize];
        if state & ((1 << self.shift) - 1) == 0 {
            *open = Extremes::of(value);
        } else {
            open.add(value);
        }
        self.keep_again(state, metric as usize..metric as usize + 1);
    }

    /// Writes the bucket that `state` ends.
    fn keep_again(&mut self, state: usize, metrics: Range<usize>) {
        let is_last = (state + 1) & ((1 << self.shift) - 1) == 0 || state + 1 == self.n_states;
        if !is_last {
            return;
        }
        let bucket = state >> self.shift;
        for (column, open) in self.columns[metrics.clone()].iter_mut().zip(&self.open[metrics]) {
            column.last.set(bucket, open.last);
            if let (Some((min, max)), true) = (column.levels.first_mut(), self.shift > 0) {
                min.set(bucket, open.min);
                max.set(bucket, open.max);
            }
        }
    }

    /// Memory held, in bytes.
    pub fn heap_bytes(&self) -> u64 {
        self.columns.iter().map(Column::heap_bytes).sum()
    }
}

impl Column {
    /// Two buckets become one.
    fn halve(&mut self) {
        let n = self.last.len() / 2;
        let pair = |of: &Packed, at: usize| (of.get(2 * at), of.get(2 * at + 1));
        let (mut min, mut max, mut last) = (Packed::default(), Packed::default(), Packed::default());
        {
            let (lows, highs) = self.levels.first().map_or((&self.last, &self.last), |(min, max)| (min, max));
            for at in 0..n {
                let (a, b) = pair(lows, at);
                min.push(a.min(b));
                let (a, b) = pair(highs, at);
                max.push(a.max(b));
                last.push(pair(&self.last, at).1);
            }
        }
        self.last = last;
        self.levels = vec![(min, max)];
    }

    /// Builds the levels above the lowest.
    fn build(&mut self) {
        self.levels.truncate(1);
        if self.levels.first().is_none_or(|(min, _)| min.len() != self.last.len()) {
            self.levels = vec![(Packed::default(), Packed::default())];
        }
        loop {
            let level = self.levels.len() - 1;
            let n = self.len_of(level);
            if n <= FACTOR {
                break;
            }
            let (mut min, mut max) = (Packed::default(), Packed::default());
            for from in (0..n).step_by(FACTOR) {
                let to = (from + FACTOR).min(n);
                let (low, high) = self.scan(level, from, to);
                min.push(low);
                max.push(high);
            }
            self.levels.push((min, max));
        }
        self.last.shrink();
        for (min, max) in &mut self.levels {
            min.shrink();
            max.shrink();
        }
    }

    fn len_of(&self, level: usize) -> usize {
        match level {
            0 => self.last.len(),
            _ => self.levels[level].0.len(),
        }
    }

    /// The extremes of buckets `from..to` of a level, one by one.
    fn scan(&self, level: usize, from: usize, to: usize) -> (u64, u64) {
        let (min, max) = match self.levels.get(level) {
            Some((min, max)) if min.len() > 0 => (min, max),
            _ => (&self.last, &self.last),
        };
        let low = (from..to).map(|at| min.get(at)).min().unwrap_or(u64::MAX);
        (low, (from..to).map(|at| max.get(at)).max().unwrap_or(0))
    }

    /// The extremes of buckets `low..high` of the lowest level: what sticks out on each side is taken from that level,
    /// and what is left from the one above.
    fn extremes(&self, low: usize, high: usize) -> Extremes {
        let (mut min, mut max) = (u64::MAX, 0);
        let mut take = |found: (u64, u64)| {
            min = min.min(found.0);
            max = max.max(found.1);
        };
        let (mut from, mut to, mut level) = (low, high, 0);
        while from < to {
            let is_top = level + 1 >= self.levels.len();
            let inner = from.next_multiple_of(FACTOR)..to / FACTOR * FACTOR;
            if is_top || inner.start >= inner.end {
                take(self.scan(level, from, to));
                break;
            }
            take(self.scan(level, from, inner.start));
            take(self.scan(level, inner.end, to));
            (from, to) = (inner.start / FACTOR, inner.end / FACTOR);
            level += 1;
        }
        Extremes { min, max, last: self.last.get(high - 1) }
    }

    fn heap_bytes(&self) -> u64 {
        let levels: u64 = self.levels.iter().map(|(min, max)| min.heap_bytes() + max.heap_bytes()).sum();
        self.last.heap_bytes() + levels
    }
}

#[cfg(test)]
mod tests;
