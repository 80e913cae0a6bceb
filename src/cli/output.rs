//! Standard output and error: data on one, talk on the other; a closed pipe is success.

use std::io::Write;
use std::path::Path;

use crate::log::{FileProblem, Log};
use crate::view::text::count;

use super::args::{InputArgs, OutputArgs};
use super::error::CliError;
use super::sink::Sink;

/// Problems named one by one on standard error; the rest is counted.
pub const PROBLEMS_SHOWN: usize = 10;

/// Writes the result where it was asked for.
///
/// # Errors
/// What the system says; a closed pipe is none.
pub fn write(args: &OutputArgs, text: &str) -> Result<(), CliError> {
    write_to(args.output.as_deref(), text)
}

/// Writes to FILE, or to standard output.
///
/// # Errors
/// What the system says; a closed pipe is none.
pub fn write_to(path: Option<&Path>, text: &str) -> Result<(), CliError> {
    let written = Sink::open(path).and_then(|mut sink| {
        sink.write(text.as_bytes())?;
        sink.finish()
    });
    written.or_else(|error| if error.is_closed_pipe() { Ok(()) } else { Err(error) })
}

/// One line on standard error.
pub fn talk(line: &str) {
    // Nobody to tell if standard error is closed.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Where something is damaged, and what.
pub fn talk_problem(found: &FileProblem) {
    talk(&format!("{}: {}", found.place(), found.problem.kind));
}

/// The error and its hint.
pub fn report_error(error: &CliError) {
    talk(&format!("error: {error}"));
    talk(&format!(" hint: {}", error.hint()));
}

/// A mistake on the command line: what clap says first, and where to look.
pub fn report_usage(said: &str) {
    let first = said.lines().next().unwrap_or("error: the command line cannot be read");
    let tip = said.lines().map(str::trim).find_map(|line| line.strip_prefix("tip: "));
    talk(first);
    talk(&format!(" hint: {}", tip.unwrap_or("vmaplens --help, or --help after the command, tells what can be given")));
}

/// Fails on the first damaged place: `--strict`.
///
/// # Errors
/// There is one.
pub fn first_problem(log: &Log) -> Result<(), CliError> {
    let Some(first) = log.problems.first() else { return Ok(()) };
    Err(CliError::Strict { place: first.place(), what: first.problem.kind.to_string() })
}

/// Names damaged places on standard error, or fails on the first with `--strict`.
///
/// # Errors
/// `--strict`, and there is one.
pub fn report_problems(log: &Log, args: &InputArgs) -> Result<(), CliError> {
    if args.strict {
        first_problem(log)?;
    }
    if args.quiet {
        return Ok(());
    }
    for note in &log.notes {
        talk(&format!("note: {note}"));
    }
    for found in log.problems.iter().take(PROBLEMS_SHOWN) {
        talk_problem(found);
    }
    if log.problems.len() > PROBLEMS_SHOWN {
        let more = count((log.problems.len() - PROBLEMS_SHOWN) as u64);
        talk(&format!("… and {more} more problems: vmaplens parse --count --problems names them"));
    }
    Ok(())
}
