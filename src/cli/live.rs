//! `vmaplens live`: the terminal UI on what this machine's `/proc/vmallocinfo` shows, again and again.

use std::io::{IsTerminal, stdout};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::log::duration::parse_duration;
use crate::log::{InputKind, Log};
use crate::replay::{Follow, Replay, Settings};
use crate::source::{Expect, Input, Reading, open_log};
use crate::ui::{Feed, run_live};

use super::args::{ScreenArgs, When};
use super::error::CliError;
use super::inspect::explain;

/// Options of `live`.
#[derive(Debug, Clone, Args)]
pub struct LiveArgs {
    /// A file to read instead of `/proc/vmallocinfo`: one that somebody writes again and again.
    #[arg(value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// How often it is read, as in `500ms`, `2s` or `1min`. What takes long is read more seldom: reading takes a twentieth of
    /// a CPU at most.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = interval)]
    pub interval: Duration,
    /// Colours.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto)]
    pub color: When,
    /// The screen.
    #[command(flatten)]
    pub screen: ScreenArgs,
}

/// The shortest interval.
const LEAST: Duration = Duration::from_millis(100);

fn interval(text: &str) -> Result<Duration, String> {
    parse_duration(text).and_then(|time| if time < LEAST { Err("100ms is the shortest".to_owned()) } else { Ok(time) })
}

/// Runs the command; the status is the one shells expect of how it ended.
///
/// # Errors
/// The file cannot be read or tells nothing, or there is no terminal.
pub fn run(args: &LiveArgs) -> Result<u8, CliError> {
    let input = Input::from_arg(args.input.as_deref(), Input::Live);
    let reading = Reading { expect: Expect::No, ..Reading::default() };
    // What this machine may show is said before a terminal is asked for.
    let log = read(&input, &reading)?;
    if !stdout().is_terminal() {
        return Err(CliError::Other {
            what: "live needs a terminal on standard output".to_owned(),
            hint: "vmaplens inspect prints one reading; diff compares several files".to_owned(),
        });
    }
    drop(log);
    // Sums need no page tables, and the map none.
    let settings = Settings { memory: Follow::Nothing, ..Settings::default() };
    let options = args.screen.options(args.color);
    let again = settings.clone();
    let read = move || {
        let log = read(&input, &reading).map_err(|error| error.to_string())?;
        Replay::open(Arc::new(log), &again).map_err(|error| error.to_string())
    };
    // Its own hooks come on top and run first. Installing twice is harmless.
    let _ = color_eyre::install();
    let feed = Feed { every: args.interval, settings, read };
    run_live(feed, &options).map(crate::ui::Ended::status).map_err(|report| CliError::Other {
        what: format!("{report:#}"),
        hint: "vmaplens inspect works without a screen".to_owned(),
    })
}

/// Reads it once; a moment without areas is none.
fn read(input: &Input, reading: &Reading) -> Result<Log, CliError> {
    let mut log = open_log(input, reading).map_err(|error| explain(input, error))?;
    if log.origin.kind != InputKind::Snapshot || log.before.is_none() {
        return Err(CliError::Other {
            what: format!("{} is no list of areas", log.origin.name),
            hint: "live reads /proc/vmallocinfo, or a file that looks like it; a trace opens with: vmaplens FILE"
                .to_owned(),
        });
    }
    if matches!(input, Input::Live) {
        // What the file does not tell, the program knows: it runs there.
        let origin = &mut log.origin;
        origin.arch = origin.arch.take().or_else(|| Some(std::env::consts::ARCH.to_owned()));
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok();
        origin.kernel = origin.kernel.take().or(release.map(|release| release.trim().to_owned()));
        let cpus = std::thread::available_parallelism().ok().and_then(|cpus| u32::try_from(cpus.get()).ok());
        origin.cpus_online = origin.cpus_online.or(cpus);
    }
    Ok(log)
}
