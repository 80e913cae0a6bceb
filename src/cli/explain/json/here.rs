//! `explain --at --json`.

use serde::Serialize;

use super::short_word;
use crate::cli::json::hex;
use crate::insight::explain::{Answered, Reason, WhyHere};
use crate::model::Extent;

/// Why an area lies where it lies.
#[derive(Debug, Serialize)]
pub(super) struct Here {
    area: [String; 2],
    answered: &'static str,
    node: Option<u32>,
    model: Option<String>,
    hole: Option<[String; 2]>,
    /// The state looked at is that before the allocation.
    state_is_then: bool,
    lower: Vec<LowerCount>,
}

#[derive(Debug, Serialize)]
struct LowerCount {
    reason: &'static str,
    count: u64,
    least_missing: u64,
    most_missing: u64,
    closest: Vec<LowerRow>,
}

#[derive(Debug, Serialize)]
struct LowerRow {
    start: String,
    end: String,
    missing: u64,
}

pub(super) fn here_of(here: &WhyHere, narrow: bool) -> Here {
    let pair = |extent: Extent| [hex(extent.start(), narrow), hex(extent.end(), narrow)];
    let (answered, node, model, hole) = match here.answered {
        Answered::Search { hole } => ("search", None, None, Some(pair(hole))),
        Answered::Pool { node } => ("pool", Some(node), None, None),
        Answered::TopDown => ("top-down", None, None, None),
        Answered::Recorded { model } => ("recorded", None, model.map(|at| hex(at, narrow)), None),
        Answered::Untold => ("unknown", None, None, None),
    };
    let lower = here.counts.iter().map(|&(reason, count, least, most)| LowerCount {
        reason: reason_word(reason),
        count,
        least_missing: least,
        most_missing: most,
        closest: here
            .lower
            .iter()
            .filter(|place| place.reason == reason)
            .map(|place| LowerRow {
                start: hex(place.extent.start(), narrow),
                end: hex(place.extent.end(), narrow),
                missing: place.missing,
            })
            .collect(),
    });
    Here { area: pair(here.area), answered, node, model, hole, state_is_then: here.is_then, lower: lower.collect() }
}

fn reason_word(reason: Reason) -> &'static str {
    match reason {
        Reason::Short(why) => short_word(why),
        Reason::Lazy => "lazy",
        Reason::Pooled => "pooled",
        Reason::Padded => "passed-by",
        Reason::NotLooked => "not-looked-at",
        Reason::FreeToday => "fits-today",
        Reason::Below => "below-the-window",
    }
}
