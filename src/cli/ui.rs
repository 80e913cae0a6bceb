//! `vmaplens [INPUT]`: the terminal UI.

use std::io::{IsTerminal, stdout};
use std::sync::Arc;

use crate::log::{Log, Progress};
use crate::replay::{Replay, Settings};
use crate::source::{Expect, Input, complete, open};
use crate::ui::{MarkStore, Source, UiOptions, run as run_ui};

use super::args::{ScreenArgs, UiArgs, When};
use super::error::CliError;
use super::marks::store_for;

/// Runs the command; the status is the one shells expect of how it ended.
///
/// # Errors
/// The input cannot be opened or replayed, or there is no terminal.
pub fn run(args: &UiArgs) -> Result<u8, CliError> {
    let input = Input::from_args(&args.input.input, Input::Embedded);
    let name = input.name();
    let mut reading = args.input.reading();
    reading.expect = args.expect.clone().map_or(Expect::Beside, Expect::File);
    if !stdout().is_terminal() {
        // What is wrong with the input is the better answer, if something is.
        open(&input, &reading)?;
    }
    let store = store_for(&input);
    let settings = args.input.settings();
    let strict = args.input.strict;
    let progress = Arc::new(Progress::default());
    reading.watched = Some(Arc::clone(&progress));
    let part = {
        // What is kept is of the whole.
        let settings = Settings { decisions: None, ..settings.clone() };
        let (input, reading) = (input.clone(), reading.clone());
        move |part: Log| Replay::open(Arc::new(complete(part, &input, &reading)?), &settings).ok()
    };
    let watched = Arc::clone(&progress);
    let all = move || -> Result<Replay, CliError> {
        let log = open(&input, &reading)?;
        if strict {
            super::output::first_problem(&log)?;
        }
        Ok(Replay::open_watched(Arc::new(log), &settings, &watched)?)
    };
    show(Source { name, progress, all, part }, &args.screen.options(args.input.color), store.as_ref())
}

/// Opens the terminal UI on what a source reads; the status is the one shells expect of how it ended.
///
/// # Errors
/// What the source says, or there is no terminal.
pub fn show<F, P>(source: Source<F, P>, options: &UiOptions, store: &dyn MarkStore) -> Result<u8, CliError>
where
    F: FnOnce() -> Result<Replay, CliError> + Send + 'static,
    P: Fn(Log) -> Option<Replay> + Send + Sync + 'static,
{
    if !stdout().is_terminal() {
        return Err(CliError::Other {
            what: "the terminal UI needs a terminal on standard output".to_owned(),
            hint: "verify, replay, inspect and parse print to files and pipes; add --json for programs".to_owned(),
        });
    }
    // Before the UI takes the terminal over: its own hooks come on top and run first. Installing twice is harmless.
    let _ = color_eyre::install();
    match run_ui(source, options, store) {
        Ok(ended) => Ok(ended.status()),
        Err(report) => Err(report.downcast::<CliError>().unwrap_or_else(|report| CliError::Other {
            what: format!("{report:#}"),
            hint: "verify, replay, inspect and parse work without a screen".to_owned(),
        })),
    }
}

impl ScreenArgs {
    /// As the interface wants them.
    pub fn options(&self, color: When) -> UiOptions {
        UiOptions {
            color: color.into(),
            ascii: self.ascii,
            theme: self.theme.into(),
            mouse: !self.no_mouse,
            keys: None,
        }
    }
}
