//! Standard output and error: data on one, talk on the other; a closed pipe is success.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::log::{Log, escape};

use super::args::{InputArgs, OutputArgs};
use super::error::CliError;

/// Problems named one by one on standard error; the rest is counted.
const PROBLEMS_SHOWN: usize = 10;

/// Writes the result where it was asked for.
///
/// # Errors
/// What the system says; a closed pipe is none.
pub fn write(args: &OutputArgs, text: &str) -> Result<(), CliError> {
    match &args.output {
        Some(path) => write_file(path, text),
        None => write_stdout(text.as_bytes()),
    }
}

/// Writes to standard output.
///
/// # Errors
/// What the system says; a closed pipe is none.
pub fn write_stdout(bytes: &[u8]) -> Result<(), CliError> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(CliError::Write { name: "standard output".to_owned(), reason: error })
        }
        _ => Ok(()),
    }
}

/// The file appears whole or not at all.
fn write_file(path: &Path, text: &str) -> Result<(), CliError> {
    let failed = |reason| CliError::Write { name: escape(path.to_string_lossy().as_bytes()), reason };
    let part = part_of(path);
    std::fs::write(&part, text).map_err(failed)?;
    std::fs::rename(&part, path).map_err(failed)
}

/// The name of a file that is still being written.
pub(super) fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}

/// One line on standard error.
pub fn talk(line: &str) {
    // Nobody to tell if standard error is closed.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// The error and its hint.
pub fn report_error(error: &CliError) {
    talk(&format!("error: {error}"));
    talk(&format!(" hint: {}", error.hint()));
}

/// Fails on the first damaged place: `--strict`.
///
/// # Errors
/// There is one.
pub fn first_problem(log: &Log) -> Result<(), CliError> {
    let Some(first) = log.problems.first() else { return Ok(()) };
    let problem = &first.problem;
    Err(CliError::Strict {
        file: first.file.clone(),
        line: problem.line,
        column: problem.column,
        what: problem.kind.to_string(),
    })
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
    for found in log.problems.iter().take(PROBLEMS_SHOWN) {
        let problem = &found.problem;
        talk(&format!("{}:{}:{}: {}", found.file, problem.line, problem.column, problem.kind));
    }
    if log.problems.len() > PROBLEMS_SHOWN {
        talk(&format!("… and {} more problems", log.problems.len() - PROBLEMS_SHOWN));
    }
    Ok(())
}
