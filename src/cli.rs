//! The command line: clap types here, one file per subcommand.

pub mod args;
pub mod check;
pub mod compare;
pub mod decisions;
pub mod diff;
pub mod error;
pub mod explain;
pub mod export;
pub mod generate;
pub mod inspect;
pub mod json;
pub mod lesson;
pub mod live;
pub mod marks;
pub mod output;
pub mod parse;
pub mod record;
pub mod replay;
pub mod sink;
pub mod survey;
pub mod ui;
pub mod verify;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use error::CliError;

/// Exit code of a "no" that was asked for.
pub const EXIT_NO: u8 = 1;
/// Exit code of a usage or input error.
const EXIT_ERROR: u8 = 2;

/// Parses the arguments, runs the command, reports errors in one line with a hint.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            output::report_usage(&error.render().to_string());
            return ExitCode::from(EXIT_ERROR);
        }
        // --help and --version.
        Err(error) => error.exit(),
    };
    match run(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::report_error(&error);
            ExitCode::from(EXIT_ERROR)
        }
    }
}

fn run(cli: &Cli) -> Result<u8, CliError> {
    match &cli.command {
        Some(Command::Verify(args)) => verify::run(args),
        Some(Command::Replay(args)) => replay::run(args),
        Some(Command::Compare(args)) => compare::run(args),
        Some(Command::Inspect(args)) => inspect::run(args),
        Some(Command::Live(args)) => live::run(args),
        Some(Command::Explain(args)) => explain::run(args),
        Some(Command::Diff(args)) => diff::run(args),
        Some(Command::Check(args)) => check::run(args),
        Some(Command::Parse(args)) => parse::run(args),
        Some(Command::Record(args)) => record::run(args),
        Some(Command::Lesson(args)) => lesson::run(args),
        Some(Command::Export(args)) => export::run(args),
        Some(Command::Survey(args)) => survey::run(args),
        Some(Command::Generate(args)) => generate::run(args),
        None => ui::run(&cli.ui),
    }
}
