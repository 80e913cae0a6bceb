//! `replay --until CONDITION`: where it becomes true first.

use std::fmt::Write;

use parsers::condition::{self, Condition, Measure};
use serde::Serialize;

use crate::cli::EXIT_NO;
use crate::cli::args::OutputArgs;
use crate::cli::error::CliError;
use crate::cli::json::document;
use crate::cli::output;
use crate::insight::{Compiled, Run, Turn, Watch, Way, figure, figures_of};
use crate::log::{Clock, escape};
use crate::replay::Replay;
use crate::view::breaks::why;
use crate::view::script::noun;
use crate::view::text::{count, stamp};

/// The document of `replay --until --json`.
#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    input: String,
    until: String,
    found: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<At>,
}

/// Where it became true.
#[derive(Debug, Serialize)]
struct At {
    /// Counted from 1.
    event: u64,
    line: Option<u32>,
    time_ns: Option<u64>,
    kind: &'static str,
    values: Vec<Value>,
}

/// A figure of the condition.
#[derive(Debug, Serialize)]
struct Value {
    figure: &'static str,
    unit: &'static str,
    before: Option<f64>,
    after: Option<f64>,
}

/// Reads the condition.
///
/// # Errors
/// It is none: the hint has the place.
pub(super) fn parse(text: &str) -> Result<Condition, CliError> {
    condition::parse(text).map_err(|error| {
        // The text is the user's own, but it goes to a terminal.
        let shown = escape(text.as_bytes());
        let place = if shown == text { format!("{text}\n       {}", error.caret(text)) } else { shown };
        CliError::Other { what: format!("--until: {error}"), hint: place }
    })
}

/// Runs from the start to where the condition becomes true; 1 if it never does.
///
/// # Errors
/// The result cannot be written.
pub(super) fn run(replay: &mut Replay, until: &Condition, args: &OutputArgs) -> Result<u8, CliError> {
    let watch = Watch::Conditions(vec![Compiled::new(until, replay)]);
    let mut run = Run::new(watch, Way::Forward, 0);
    let found = loop {
        match run.turn(replay, usize::MAX / 64) {
            Turn::Going => {}
            Turn::Found(edge) => break Some(edge.at),
            Turn::Ended => break None,
        }
    };
    if let Some(at) = found {
        replay.seek(at, usize::MAX);
    }
    let text = if args.json { document(&report(replay, until, found)) } else { describe(replay, until, found) };
    output::write(args, &text)?;
    Ok(if found.is_some() { 0 } else { EXIT_NO })
}

fn report(replay: &Replay, until: &Condition, found: Option<usize>) -> Report {
    let origin = &replay.log().origin;
    let at = found.and_then(|at| {
        let (_, event) = replay.current()?;
        let values = figures_of(until).into_iter().map(|of| {
            let share = of.measure() == Measure::Share;
            let number = |value: u64| if share { value as f64 / 1e9 } else { value as f64 };
            Value {
                figure: of.word(),
                unit: match of.measure() {
                    Measure::Bytes => "bytes",
                    Measure::Pages => "pages",
                    Measure::Count => "",
                    Measure::Share => "share",
                    Measure::Time => "ns",
                },
                before: figure(of, replay, at - 1, replay.before()).map(number),
                after: figure(of, replay, at, replay.space()).map(number),
            }
        });
        Some(At {
            event: at as u64,
            line: Some(event.line).filter(|&line| line > 0),
            time_ns: (origin.clock == Clock::Nanos).then_some(event.at.0),
            kind: event.kind.word(),
            values: values.collect(),
        })
    });
    Report {
        schema: "vmaplens.replay.until/1",
        input: origin.name.clone(),
        until: until.to_string(),
        found: found.is_some(),
        at,
    }
}

fn describe(replay: &Replay, until: &Condition, found: Option<usize>) -> String {
    let log = replay.log();
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = match (found, replay.current()) {
        (Some(at), Some((_, event))) => {
            let line = if event.line > 0 { format!("  line {}", event.line) } else { String::new() };
            let time =
                if log.origin.clock == Clock::Nanos { format!("  {} s", stamp(log, event.at)) } else { String::new() };
            writeln!(
                out,
                "{} {}{line}{time}  {}\n{until}: {}",
                noun(log),
                count(at as u64),
                event.kind.word(),
                why(replay, until)
            )
        }
        _ => writeln!(out, "never: {until}"),
    };
    out
}
