//! [`Threshold`]: what has to hold in a lane, for use in CI.
//!
//! A threshold is a condition on states (`largest_hole >= 2M`, see [`parsers::condition`]), which has to hold after every
//! record, or a comparison of a metric (`search_steps_mean <= 10`, see [`super::metrics`]), which has to hold at the end.

use parsers::condition::{self, Comparison, Condition, Figure, Measure, Number};

use super::lane::Lane;
use super::metrics::{Counts, METRICS, MetricRow};
use super::score::Score;
use crate::model::AddressSpace;
use crate::replay::figure::{self, ONE};

/// What has to hold.
#[derive(Debug, Clone)]
pub struct Threshold {
    text: String,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    /// Of every state.
    Always(Condition),
    /// Of the lane as a whole.
    AtTheEnd(&'static MetricRow, Comparison, Number),
}

/// Why a text is no threshold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct ThresholdError {
    /// One sentence.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

/// A threshold that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The threshold, as it was typed.
    pub threshold: String,
    /// Records after which it is first violated; `None` if it is about the whole.
    pub after: Option<usize>,
    /// The figures it asks for, with their values there, in what they count (a share in billionths).
    pub values: Vec<(&'static str, u64)>,
}

impl Threshold {
    /// Reads a threshold.
    ///
    /// # Errors
    /// It is none, or it is about records.
    pub fn parse(text: &str) -> Result<Self, ThresholdError> {
        let text = text.trim();
        let what = match of_metric(text) {
            Some(found) => found?,
            None => {
                let condition = condition::parse(text).map_err(|error| ThresholdError {
                    what: format!("{text:?} is no threshold: {error}"),
                    hint: hint(),
                })?;
                if asks_records(&condition) || figures(&condition).contains(&Figure::Time) {
                    let what = format!("{text:?} asks for a record; a threshold is about states and metrics");
                    return Err(ThresholdError { what, hint: hint() });
                }
                What::Always(condition)
            }
        };
        Ok(Self { text: text.to_owned(), what })
    }

    /// Is it about every state, rather than about the lane as a whole?
    pub fn is_about_states(&self) -> bool {
        matches!(self.what, What::Always(_))
    }

    /// Looks at a state; what is violated there, if anything.
    pub fn look(&self, after: usize, space: &AddressSpace, score: &Score) -> Option<Violation> {
        let What::Always(condition) = &self.what else { return None };
        if holds(condition, space, score) {
            return None;
        }
        let value = |figure: Figure| {
            let parts = value_of(figure, space, score);
            let whole = if figure.measure() == Measure::Share { parts } else { parts / ONE };
            (figure.word(), u64::try_from(whole).unwrap_or(u64::MAX))
        };
        let values = figures(condition).into_iter().map(value).collect();
        Some(Violation { threshold: self.text.clone(), after: Some(after), values })
    }

    /// Looks at a lane that is through. A metric that a lane does not have violates nothing.
    pub fn look_at_end(&self, lane: &Lane) -> Option<Violation> {
        let What::AtTheEnd(row, comparison, number) = &self.what else { return None };
        let value = (row.value)(lane)?;
        let limit = number.billionths_of(measure_of(row.counts), lane.machine().page_size);
        if comparison.holds(value.billionths(), limit) {
            return None;
        }
        let shown = value.billionths() / if row.counts == Counts::Share { 1 } else { ONE };
        let shown = u64::try_from(shown).unwrap_or(u64::MAX);
        Some(Violation { threshold: self.text.clone(), after: None, values: vec![(row.key, shown)] })
    }
}

fn hint() -> String {
    let figures = Figure::ALL.iter().filter(|figure| **figure != Figure::Time).map(|figure| figure.word());
    format!(
        "figures of every state: {}; metrics at the end: {}",
        figures.collect::<Vec<_>>().join(", "),
        METRICS.iter().map(|row| row.key).collect::<Vec<_>>().join(", ")
    )
}

/// A comparison of a metric; `None` if the text begins with no key of one. A word that is a figure too means the figure:
/// that holds at every state, or it does not hold.
fn of_metric(text: &str) -> Option<Result<What, ThresholdError>> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let (key, rest) = text.split_at(end);
    let row = METRICS.iter().find(|row| row.key.eq_ignore_ascii_case(key))?;
    if Figure::ALL.iter().any(|figure| figure.word() == row.key) {
        return None;
    }
    // Numbers and signs are those of conditions: a figure that counts the same stands in for the metric.
    let figure = match row.counts {
        Counts::Things | Counts::Record => Figure::Holes,
        Counts::Bytes => Figure::LargestHole,
        Counts::Pages => Figure::Lazy,
        Counts::Share => Figure::Fragmentation,
        Counts::Nanos => Figure::Time,
    };
    let found = condition::parse(&format!("{} {rest}", figure.word()));
    Some(match found {
        Ok(Condition::State(_, comparison, number)) => Ok(What::AtTheEnd(row, comparison, number)),
        _ => Err(ThresholdError {
            what: format!("{text:?} is no threshold: a comparison of {} with a number is wanted", row.key),
            hint: "such as: failures <= 3, largest_hole >= 2M, fragmentation < 50%, search_steps_mean <= 10".to_owned(),
        }),
    })
}

fn measure_of(counts: Counts) -> Measure {
    match counts {
        Counts::Things | Counts::Record => Measure::Count,
        Counts::Bytes => Measure::Bytes,
        Counts::Pages => Measure::Pages,
        Counts::Share => Measure::Share,
        Counts::Nanos => Measure::Time,
    }
}

fn asks_records(condition: &Condition) -> bool {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => parts.iter().any(asks_records),
        Condition::Not(inner) => asks_records(inner),
        Condition::Record(_) => true,
        Condition::State(..) => false,
    }
}

fn figures(condition: &Condition) -> Vec<Figure> {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => {
            let mut all: Vec<Figure> = Vec::new();
            for figure in parts.iter().flat_map(figures) {
                if !all.contains(&figure) {
                    all.push(figure);
                }
            }
            all
        }
        Condition::Not(inner) => figures(inner),
        Condition::Record(_) => Vec::new(),
        Condition::State(figure, ..) => vec![*figure],
    }
}

fn holds(condition: &Condition, space: &AddressSpace, score: &Score) -> bool {
    match condition {
        Condition::All(parts) => parts.iter().all(|part| holds(part, space, score)),
        Condition::Any(parts) => parts.iter().any(|part| holds(part, space, score)),
        Condition::Not(inner) => !holds(inner, space, score),
        Condition::Record(_) => true,
        Condition::State(figure, comparison, number) => {
            let limit = number.billionths_of(figure.measure(), space.allocator().page_size());
            comparison.holds(value_of(*figure, space, score), limit)
        }
    }
}

/// A figure in billionths.
fn value_of(figure: Figure, space: &AddressSpace, score: &Score) -> u128 {
    match figure {
        // Requests, as everywhere in a comparison; elsewhere a refused attempt counts.
        Figure::Failures => u128::from(score.failures) * ONE,
        // Those that reach into the window, as the metric of that name.
        Figure::Holes => u128::from(space.allocator().gauges().holes) * ONE,
        _ => figure::billionths(figure, space).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_of_states_or_of_the_whole() {
        for text in ["largest_hole >= 2M", "failures = 0", "not lazy > 100M", "fragmentation < 50% or holes < 10"] {
            assert!(Threshold::parse(text).expect(text).is_about_states(), "{text}");
        }
        for text in ["search_steps_mean <= 10", "footprint_bytes < 1G", "pool_hit_rate>=0.5", "lock_wait_ns < 1ms"] {
            assert!(!Threshold::parse(text).expect(text).is_about_states(), "{text}");
        }
    }

    #[test]
    fn what_is_no_threshold_is_said() {
        for text in
            ["", "failed", "largest_hole", "search_steps_mean", "search_steps_mean < 2M", "time < 3", "speed < 3"]
        {
            let error = Threshold::parse(text).expect_err(text);
            assert!(!error.what.is_empty() && !error.hint.is_empty(), "{text}");
        }
    }
}
