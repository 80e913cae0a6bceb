//! [`Histogram`]: how often each value came, exactly.

use std::collections::BTreeMap;

/// Values up to here have a counter each that is found at once.
const SMALL: usize = 256;

/// How often each value came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    small: Vec<u64>,
    large: BTreeMap<u64, u64>,
    n: u64,
    sum: u128,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { small: vec![0; SMALL], large: BTreeMap::new(), n: 0, sum: 0, max: 0 }
    }
}

impl Histogram {
    /// Counts a value.
    pub fn add(&mut self, value: u64) {
        match usize::try_from(value).ok().and_then(|at| self.small.get_mut(at)) {
            Some(counter) => *counter += 1,
            None => *self.large.entry(value).or_default() += 1,
        }
        self.n += 1;
        self.sum += u128::from(value);
        self.max = self.max.max(value);
    }

    /// Values counted.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Their sum.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// The largest.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The least value that at least `percent` of a hundred values are not above; `None` without values.
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let wanted = (u128::from(self.n) * u128::from(percent)).div_ceil(100).max(1);
        let small = self.small.iter().enumerate().map(|(value, &n)| (value as u64, n));
        let mut seen = 0_u128;
        for (value, n) in small.chain(self.large.iter().map(|(&value, &n)| (value, n))) {
            seen += u128::from(n);
            if wanted <= seen {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_list() {
        let mut state = 7_u64;
        for n in [1, 2, 99, 100, 101, 1000] {
            let mut histogram = Histogram::default();
            let mut list: Vec<u64> = (0..n)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 33) % 700
                })
                .collect();
            list.iter().for_each(|&value| histogram.add(value));
            list.sort_unstable();
            for percent in [1, 50, 99, 100] {
                let place = (list.len() * percent).div_ceil(100).max(1) - 1;
                assert_eq!(histogram.percentile(percent as u64), Some(list[place]), "{percent} of {n}");
            }
            assert_eq!(histogram.max(), list[list.len() - 1]);
            assert_eq!(histogram.sum(), list.iter().map(|&value| u128::from(value)).sum());
        }
        assert_eq!(Histogram::default().percentile(50), None);
    }
}
