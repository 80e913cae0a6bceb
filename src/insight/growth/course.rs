//! [`Course`]: a figure over snapshots, as the places where it changes; [`Clock`]: when they were taken.

/// A figure over snapshots that follow each other, kept as runs of equal values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Snapshots.
    len: usize,
    /// First snapshot of each run, from 0, and its value; two that follow each other differ.
    runs: Vec<(usize, u64)>,
}

impl Course {
    /// Of plain values; `None` if there are none.
    pub fn new(values: &[u64]) -> Option<Self> {
        let mut before = 0;
        let steps = values.iter().enumerate().map(|(at, &value)| {
            let now = i128::from(value);
            (at, now - std::mem::replace(&mut before, now))
        });
        Self::from_steps(values.len(), &steps.collect::<Vec<_>>())
    }

    /// Of steps up and down, in the order of snapshots; `None` if there are no snapshots. What is too large counts as
    /// the largest that is not.
    pub(super) fn from_steps(len: usize, steps: &[(usize, i128)]) -> Option<Self> {
        if len == 0 {
            return None;
        }
        let mut runs: Vec<(usize, u64)> = vec![(0, 0)];
        let mut sum = 0_i128;
        for &(at, step) in steps {
            sum = sum.saturating_add(step);
            let value = u64::try_from(sum.max(0)).unwrap_or(u64::MAX);
            match runs.last_mut() {
                Some(last) if last.0 == at => last.1 = value,
                _ => runs.push((at, value)),
            }
        }
        runs.dedup_by_key(|(_, value)| *value);
        Some(Self { len, runs })
    }

    /// Snapshots; at least one.
    pub fn n_snapshots(&self) -> usize {
        self.len
    }

    /// First snapshot of each run of equal values, and the value.
    pub fn runs(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.runs.iter().copied()
    }

    /// The value of the first snapshot.
    pub fn first(&self) -> u64 {
        self.runs.first().map_or(0, |(_, value)| *value)
    }

    /// The value of the last.
    pub fn last(&self) -> u64 {
        self.runs.last().map_or(0, |(_, value)| *value)
    }

    /// The lowest value of each of `n` parts that are as equal as possible; there are no more parts than snapshots.
    pub fn floors(&self, n: usize) -> Vec<u64> {
        self.parts(n, u64::MAX, u64::min)
    }

    /// The highest value of each part.
    pub fn ceilings(&self, n: usize) -> Vec<u64> {
        self.parts(n, 0, u64::max)
    }

    fn parts(&self, n: usize, start: u64, join: impl Fn(u64, u64) -> u64) -> Vec<u64> {
        let n = n.min(self.len);
        if n == 0 {
            return Vec::new();
        }
        let mut parts = vec![start; n];
        // The part that a snapshot is in: parts begin at part × len / n, rounded down.
        let part_of = |snapshot: usize| ((snapshot + 1) * n - 1) / self.len;
        for (number, &(from, value)) in self.runs.iter().enumerate() {
            let last = self.runs.get(number + 1).map_or(self.len, |(next, _)| *next) - 1;
            for part in &mut parts[part_of(from)..=part_of(last)] {
                *part = join(*part, value);
            }
        }
        parts
    }
}

/// When snapshots were taken.
#[derive(Debug, Clone)]
pub struct Clock {
    /// Seconds since the first, added up: of `n` snapshots at place `n`.
    sums: Vec<f64>,
    mean: f64,
    /// Σ (t − mean)².
    spread: f64,
}

impl Clock {
    /// `None` if a time is unknown, goes back, or all are the same.
    pub fn new(times: &[Option<f64>]) -> Option<Self> {
        let start = (*times.first()?)?;
        let mut sums = vec![0.0];
        let (mut sum, mut before) = (0.0, start);
        let mut elapsed = Vec::with_capacity(times.len());
        for time in times {
            let time = (*time).filter(|time| before <= *time)?;
            before = time;
            elapsed.push(time - start);
            sum += time - start;
            sums.push(sum);
        }
        let mean = sum / times.len() as f64;
        let spread: f64 = elapsed.iter().map(|time| (time - mean) * (time - mean)).sum();
        (0.0 < spread && spread.is_finite()).then_some(Self { sums, mean, spread })
    }

    /// The slope of the line that fits best. Of two snapshots it is their difference over the time between.
    pub fn per_second(&self, course: &Course) -> Option<f64> {
        if self.sums.len() != course.len + 1 {
            return None;
        }
        // Differences to the first value are smaller numbers, and a constant changes no slope.
        let first = i128::from(course.first());
        let mut products = 0.0;
        for (number, &(from, value)) in course.runs.iter().enumerate() {
            let end = course.runs.get(number + 1).map_or(course.len, |(next, _)| *next);
            let times = self.sums[end] - self.sums[from] - self.mean * (end - from) as f64;
            products += (i128::from(value) - first) as f64 * times;
        }
        Some(products / self.spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_where_it_changes() {
        let course = Course::new(&[3, 3, 5, 5, 5, 3]).expect("values");
        assert_eq!(course.runs().collect::<Vec<_>>(), [(0, 3), (2, 5), (5, 3)]);
        assert_eq!((course.first(), course.last()), (3, 3));
        assert_eq!(Course::new(&[]), None);
        assert_eq!(Course::new(&[0]).expect("one").runs().collect::<Vec<_>>(), [(0, 0)]);
    }

    #[test]
    fn parts_are_as_equal_as_possible() {
        let course = Course::new(&[1, 2, 3, 4, 5, 6, 7]).expect("values");
        assert_eq!(course.floors(3), [1, 3, 5]);
        assert_eq!(course.ceilings(3), [2, 4, 7]);
        assert_eq!(course.ceilings(100), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(course.floors(0), [0; 0]);
    }

    #[test]
    fn the_slope_is_that_of_the_line() {
        let times = |times: &[f64]| Clock::new(&times.iter().copied().map(Some).collect::<Vec<_>>());
        let clock = times(&[10.0, 12.0, 14.0, 20.0]).expect("times");
        let slope = clock.per_second(&Course::new(&[100, 106, 112, 130]).expect("values")).expect("a slope");
        assert!((slope - 3.0).abs() < 1e-9, "{slope}");
        let down = times(&[0.0, 4.0]).expect("times").per_second(&Course::new(&[8, 0]).expect("values"));
        assert!((down.expect("a slope") + 2.0).abs() < 1e-9);
        assert!(Clock::new(&[Some(1.0), None]).is_none());
        assert!(times(&[2.0, 1.0]).is_none());
        assert!(times(&[2.0, 2.0]).is_none());
    }
}
