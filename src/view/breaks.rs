//! Why a run stopped: what a condition asked for, before the current record and after it.

use parsers::condition::{Condition, Figure, Measure};

use super::script::noun;
use super::text;
use crate::event::Nanos;
use crate::insight::{figure, figures_of};
use crate::replay::Replay;

/// Figures that are told; a condition with more says the rest by itself.
const MOST: usize = 4;

/// `largest_hole 1.9 MiB, was 2.1 MiB`, for each figure of the condition; of one about records alone what the record is.
pub fn why(replay: &Replay, condition: &Condition) -> String {
    let at = replay.cursor();
    let told = figures_of(condition).into_iter().take(MOST).filter_map(|of| {
        let now = figure(of, replay, at, replay.space())?;
        let before = at.checked_sub(1).and_then(|before| figure(of, replay, before, replay.before()));
        let was = before.filter(|&before| before != now).map(|before| format!(", was {}", value(replay, of, before)));
        Some(format!("{} {}{}", of.word(), value(replay, of, now), was.unwrap_or_default()))
    });
    let told: Vec<String> = told.collect();
    match replay.current() {
        _ if !told.is_empty() => told.join("; "),
        Some((_, event)) => format!("{} {} is {}", noun(replay.log()), text::count(at as u64), a(event.kind.word())),
        None => String::new(),
    }
}

fn a(word: &str) -> String {
    match word {
        "failed" => "a failed allocation".to_owned(),
        "alloc" => "an allocation".to_owned(),
        "lost" => "a notice of lost records".to_owned(),
        other => format!("a {other}"),
    }
}

/// A figure with its unit.
pub fn value(replay: &Replay, figure: Figure, value: u64) -> String {
    match figure.measure() {
        Measure::Bytes => text::bytes(value),
        Measure::Pages => {
            let page_size = replay.plan().machine.page_size;
            format!("{} ({})", text::plural(value, "page", "pages"), text::bytes(value.saturating_mul(page_size)))
        }
        Measure::Count => text::count(value),
        // Billionths.
        Measure::Share => format!("{}.{:04}", value / 1_000_000_000, value % 1_000_000_000 / 100_000),
        Measure::Time => text::stamp(replay.log(), Nanos(value)),
    }
}
