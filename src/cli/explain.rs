//! `explain`: why a request found no place and what would make it fit; why an area lies where it lies.

pub mod args;
mod json;
mod list;
mod recording;
mod snapshot;

pub use args::ExplainArgs;

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use super::args::InputArgs;
use super::error::CliError;
use super::{EXIT_NO, output};
use crate::event::{EventKind, Seq};
use crate::insight::explain::{Explanation, WhyHere};
use crate::log::{Log, Window};
use crate::source::{Input, open};
use crate::view::explain::{Page, here_rows, rows};
use crate::view::{Row, UNICODE};

/// Columns of the text.
const WIDTH: usize = 80;

/// What was found out.
enum Found {
    /// Of a request.
    Request(Box<Explanation>),
    /// Of an area, with what its request meets.
    Here(Box<WhyHere>, Box<Explanation>),
    /// No request failed.
    Nothing,
}

/// An answer, and what else could be asked.
struct Answer {
    found: Found,
    /// Failures of the input, ascending.
    failures: Vec<Seq>,
    /// The one that is told.
    told: Option<Seq>,
}

/// Runs the command: 0 if the request is served, 1 if it is not or nobody can tell.
///
/// # Errors
/// The input cannot be opened, or nothing was asked.
pub fn run(args: &ExplainArgs) -> Result<u8, CliError> {
    let inputs: Vec<PathBuf> = args.input.input.iter().chain(&args.dmesg).cloned().collect();
    let input = match (&args.input.input[..], &args.dmesg) {
        ([], Some(dmesg)) => Input::Several(vec![Input::Live, Input::from_arg(Some(dmesg), Input::Stdin)]),
        _ => Input::from_args(&inputs, Input::Live),
    };
    let log = Arc::new(open(&input, &args.input.reading())?);
    output::report_problems(&log, &args.input)?;
    if args.all {
        return list::run(args, &log);
    }
    let (answer, log) =
        if is_recording(&log) { recording::answer(args, log)? } else { (snapshot::answer(args, &log)?, log) };
    let text = if args.output.json { json::document_of(&answer, &log) } else { describe(&answer, &log) };
    output::write(&args.output, &text)?;
    Ok(match &answer.found {
        Found::Request(told) if !told.verdict.is_served() => EXIT_NO,
        _ => 0,
    })
}

/// Is there more than areas of a moment and failures that a log tells?
fn is_recording(log: &Log) -> bool {
    log.script.is_some() || log.events.iter().any(|event| !matches!(event.kind, EventKind::Report { .. }))
}

/// The answer in text.
fn describe(answer: &Answer, log: &Log) -> String {
    let is_32_bit = match &answer.found {
        Found::Request(told) | Found::Here(_, told) => told.is_32_bit,
        Found::Nothing => false,
    };
    let page = Page { log, glyphs: &UNICODE, width: WIDTH, is_32_bit };
    let mut text = match &answer.found {
        Found::Request(told) => lines(&rows(told, &page)),
        Found::Here(told, _) => lines(&here_rows(told, &page)),
        Found::Nothing => "No request failed here. --size N asks whether one would, --at ADDR says why an\n\
                           area lies where it lies.\n"
            .to_owned(),
    };
    let others = answer.failures.iter().filter(|seq| Some(**seq) != answer.told).count() as u64;
    if 0 < others && matches!(answer.found, Found::Request(_)) {
        let first = answer.failures.iter().find(|seq| Some(**seq) != answer.told).map_or(0, |seq| seq.0 + 1);
        let more = crate::view::text::plural(others, "more failure", "more failures");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n{more}: --all tells them in turn, --event {first} that one.");
    }
    text
}

/// Rows as text; blanks at their ends are left out.
fn lines(rows: &[Row]) -> String {
    rows.iter().flat_map(|row| [row.text().trim_end().to_owned(), "\n".to_owned()]).collect()
}

/// The record of `--event`.
fn event_of(args: &ExplainArgs, log: &Log) -> Result<Option<Seq>, CliError> {
    let Some(number) = args.event else { return Ok(None) };
    let seq = Seq(number - 1);
    if log.get(seq).is_none() {
        return Err(CliError::Other {
            what: format!("there is no event {number}: the input has {}", log.events.len()),
            hint: "--all lists the failures with their numbers".to_owned(),
        });
    }
    Ok(Some(seq))
}

/// The event that was asked for tells of no request.
fn asks_nothing(seq: Seq, log: &Log, failures: &[Seq]) -> CliError {
    let word = log.get(seq).map_or("no event", |event| event.kind.word());
    let near = failures.iter().find(|failure| seq < **failure).or(failures.last());
    CliError::Other {
        what: format!("event {} asks for no place: it is of the kind {word}", seq.0 + 1),
        hint: match near {
            Some(near) => format!("the nearest failure is --event {}; --all lists them", near.0 + 1),
            None => "no request failed here; --size N asks whether one would".to_owned(),
        },
    }
}

/// The window that the user restricts the request to.
fn window_of(input: &InputArgs) -> Option<Window> {
    input.range
}
