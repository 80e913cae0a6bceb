//! [`Series`]: what can be followed along a trace, how it is called, and how its values are written.

use std::ops::Range;

use super::text;
use super::visible::Happened;
use super::{Role, Scene};
use crate::model::ALL_FRAGMENTED;
use crate::replay::Metric;

/// A number that has a value at every moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Series {
    /// A metric of the state.
    Metric(Metric),
    /// Failures: how many there were.
    Failures,
}

/// All of them, in the order they are listed.
pub const SERIES: [Series; 8] = [
    Series::Metric(Metric::Busy),
    Series::Metric(Metric::Lazy),
    Series::Metric(Metric::Holes),
    Series::Metric(Metric::Largest),
    Series::Metric(Metric::Fragmentation),
    Series::Metric(Metric::Tables),
    Series::Metric(Metric::Pooled),
    Series::Failures,
];

/// The lowest and the highest value of a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Band {
    /// The lowest.
    pub min: u64,
    /// The highest.
    pub max: u64,
}

impl Series {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Metric(Metric::Busy) => "busy",
            Self::Metric(Metric::Lazy) => "lazy pages",
            Self::Metric(Metric::Pooled) => "pooled",
            Self::Metric(Metric::Holes) => "holes",
            Self::Metric(Metric::Largest) => "largest hole",
            Self::Metric(Metric::Fragmentation) => "fragmentation",
            Self::Metric(Metric::Tables) => "page tables",
            Self::Failures => "failures",
        }
    }

    /// What it means, for those who ask.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Metric(Metric::Busy) => "areas in use, guard pages included",
            Self::Metric(Metric::Lazy) => "freed, waiting for a purge",
            Self::Metric(Metric::Pooled) => "parked in pools (6.9 on)",
            Self::Metric(Metric::Holes) => "free ranges of the window",
            Self::Metric(Metric::Largest) => "largest free range",
            Self::Metric(Metric::Fragmentation) => "1 - largest hole / free",
            Self::Metric(Metric::Tables) => "without those from boot",
            Self::Failures => "failed attempts, per column",
        }
    }

    /// What it is drawn in.
    pub(crate) fn role(self) -> Role {
        match self {
            Self::Metric(Metric::Busy) => Role::Busy,
            Self::Metric(Metric::Lazy) => Role::Lazy,
            Self::Metric(Metric::Pooled) => Role::Pooled,
            Self::Metric(Metric::Holes) => Role::Number,
            Self::Metric(Metric::Largest) => Role::Free,
            Self::Metric(Metric::Fragmentation) => Role::Warn,
            Self::Metric(Metric::Tables) => Role::PerCpu,
            Self::Failures => Role::Bad,
        }
    }

    /// A value with its unit.
    pub(crate) fn words(self, scene: &Scene<'_>, value: u64) -> String {
        let page = scene.replay.space().allocator().page_size();
        match self {
            Self::Metric(Metric::Busy | Metric::Pooled) => text::bytes(value.saturating_mul(page)),
            Self::Metric(Metric::Lazy) => text::plural(value, "page", "pages"),
            Self::Metric(Metric::Holes | Metric::Tables) | Self::Failures => text::count(value),
            Self::Metric(Metric::Largest) => text::bytes(value),
            Self::Metric(Metric::Fragmentation) => percent(value),
        }
    }

    /// The same for an axis, where there is little room.
    pub(crate) fn short(self, scene: &Scene<'_>, value: u64) -> String {
        match self {
            Self::Metric(Metric::Lazy) => text::count(value),
            _ => self.words(scene, value),
        }
    }

    /// The extremes over states; `None` if nothing is known of them.
    pub(crate) fn band(self, scene: &Scene<'_>, states: Range<usize>) -> Option<Band> {
        match self {
            Self::Metric(metric) => {
                let found = scene.replay.plan().timeline.metrics.extremes(metric, states)?;
                Some(Band { min: found.min, max: found.max })
            }
            Self::Failures => {
                let n = Happened::Failed.count(scene.replay, &records_of(&states));
                Some(Band { min: 0, max: n })
            }
        }
    }

    /// The value at the cursor, from the state itself; of failures how many there were so far.
    pub(crate) fn now(self, scene: &Scene<'_>) -> u64 {
        let space = scene.replay.space();
        match self {
            Self::Metric(metric) => crate::replay::timeline::values_of(space)[metric as usize],
            Self::Failures => Happened::Failed.count(scene.replay, &(0..scene.replay.cursor())),
        }
    }

    /// A line not to be crossed.
    pub(crate) fn limit(self, scene: &Scene<'_>) -> Option<u64> {
        let limit = scene.replay.space().allocator().lazy_max_pages();
        (self == Self::Metric(Metric::Lazy) && limit > 0).then_some(limit)
    }
}

/// The records that led to states: the one before each.
pub(crate) fn records_of(states: &Range<usize>) -> Range<usize> {
    states.start.saturating_sub(1)..states.end.saturating_sub(1)
}

/// Billionths as percent, with two digits that say something: `12.4 %`, `0.00059 %`.
pub(crate) fn percent(billionths: u64) -> String {
    const ONE: u64 = ALL_FRAGMENTED / 100;
    if billionths == 0 {
        return "0 %".to_owned();
    }
    let (whole, rest) = (billionths / ONE, billionths % ONE);
    if 10 <= whole {
        return format!("{whole}.{} %", rest / (ONE / 10));
    }
    let digits = format!("{rest:07}");
    let zeros = if whole > 0 { 0 } else { digits.len() - digits.trim_start_matches('0').len() };
    format!("{whole}.{} %", &digits[..(zeros + 2).min(digits.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_have_digits_that_say_something() {
        let cases = [
            (0, "0 %"),
            (1, "0.0000001 %"),
            (596, "0.000059 %"),
            (5_960, "0.00059 %"),
            (12_345_678, "1.23 %"),
            (99_999_999, "9.99 %"),
            (124_000_000, "12.4 %"),
            (1_000_000_000, "100.0 %"),
        ];
        for (billionths, expected) in cases {
            assert_eq!(percent(billionths), expected);
        }
    }
}
