//! `vmaplens live`: the terminal UI on what this machine's `/proc/vmallocinfo` shows, again and again; with `--trace` on what
//! the allocator does besides.

pub mod trace;

use std::io::{IsTerminal, stdout};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::log::duration::parse_duration;
use crate::log::{InputKind, Log};
use crate::replay::{Follow, Replay, Settings};
use crate::source::{Expect, Input, Reading, open_log};
use crate::ui::{Feed, Tracer, run_live};

use super::args::{ScreenArgs, When};
use super::error::CliError;
use super::inspect::explain;
use trace::{Cleaned, Recorder};

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
    /// Trace the allocator from the start, and follow: what `record` does, in memory. Needs root; in the screen R begins and
    /// ends it.
    #[arg(long, conflicts_with = "input")]
    pub trace: bool,
    /// A trace ends when it has so many events; it can be looked at then, and another one begun.
    #[arg(long, value_name = "N", default_value_t = 250_000, value_parser = clap::value_parser!(u32).range(1..=50_000_000))]
    pub max_events: u32,
    /// A trace has a kernel stack with each allocation: who asked.
    #[arg(long)]
    pub stacks: bool,
    /// A trace has probes on the parts of a purge besides (6.9 and later), as with `record`.
    #[arg(long)]
    pub probes: bool,
    /// A trace begins with slab caches dropped (`vm.drop_caches` = 2), which empties the allocator's pools, as with `record`.
    #[arg(long)]
    pub empty_pools: bool,
    /// A trace may set `kernel.kptr_restrict` to 1 while it reads `/proc/vmallocinfo`, and back each time, as with `record`.
    #[arg(long)]
    pub allow_kptr: bool,
    /// Where tracefs is, if it is not where it usually is.
    #[arg(long, value_name = "DIR")]
    pub tracefs: Option<PathBuf>,
    /// Colours.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto)]
    pub color: When,
    /// The screen.
    #[command(flatten)]
    pub screen: ScreenArgs,
}

impl LiveArgs {
    /// What a trace is to be.
    fn recording(&self) -> crate::record::Settings {
        crate::record::Settings {
            stacks: self.stacks,
            probes: self.probes,
            empty_pools: self.empty_pools,
            allow_kptr: self.allow_kptr,
            tracefs: self.tracefs.clone(),
            ..crate::record::Settings::default()
        }
    }
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
    let recorder = Recorder::new(args.recording());
    if args.trace {
        recorder.prepare()?;
    }
    if !stdout().is_terminal() {
        return Err(CliError::Other {
            what: "live needs a terminal on standard output".to_owned(),
            hint: "vmaplens inspect prints one reading; diff compares several files".to_owned(),
        });
    }
    drop(log);
    // Sums need no page tables, and the map none.
    let is_here = input == Input::Live;
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
    // Only this machine can be traced, and only what is asked for: a tracer that nobody asks does nothing.
    let tracer = is_here.then(|| (Box::new(recorder.tracer(args.max_events as usize)) as Box<dyn Tracer>, args.trace));
    let _cleaned = Cleaned(&recorder);
    run_live(feed, tracer, &options).map(crate::ui::Ended::status).map_err(|report| CliError::Other {
        what: format!("{report:#}"),
        hint: "vmaplens inspect works without a screen".to_owned(),
    })
}

/// Reads it once; a moment without areas is none.
fn read(input: &Input, reading: &Reading) -> Result<Log, CliError> {
    let log = open_log(input, reading).map_err(|error| explain(input, error))?;
    if log.origin.kind != InputKind::Snapshot || log.before.is_none() {
        return Err(CliError::Other {
            what: format!("{} is no list of areas", log.origin.name),
            hint: "live reads /proc/vmallocinfo, or a file that looks like it; a trace opens with: vmaplens FILE"
                .to_owned(),
        });
    }
    Ok(log)
}
