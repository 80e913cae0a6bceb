//! `vmaplens export`: what is known of an input, in the format of another program.

use std::fs;
use std::io::{BufWriter, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use crate::compare::{Lane, LaneSpec, RECORDED, SpecError, demands_of};
use crate::export::chrome::Chrome;
use crate::export::folded::{self, MEASURES, Measure};
use crate::export::perfetto::Perfetto;
use crate::export::picture;
use crate::export::tables::{self, Format, Outputs, TABLES};
use crate::export::time_line::{self, MAX_LIVES, TimeLine};
use crate::export::{About, EXPORTS, Export, ExportError, lanes, openmetrics, ops, vmallocinfo};
use crate::replay::{Follow, Replay, Settings};
use crate::source::{Expect, Input, open};
use crate::ui::still;

use super::args::{Background, InputArgs};
use super::error::CliError;
use super::sink::Sink;
use super::{decisions, output};

/// What checkpoints may hold here, in bytes: nobody goes back.
const CHECKPOINT_BYTES: u64 = 1 << 20;
/// Bytes that are written at once.
const BUFFER: usize = 256 * 1024;

/// `--policy` of an export.
const POLICY: &str = "\
Allocator rules: `auto` (the kernel's own), an era or a release. perfetto and chrome draw the trace without it; with it they \
draw a group for each of several lanes with a comma between them, as `compare` runs them: \
`recorded,linux-5.2,linux-6.9:cpus=16`";

/// Options of `export`.
#[derive(Debug, Clone, Args)]
#[command(mut_arg("policy", |arg| arg.help("Allocator rules; of perfetto and chrome several, see --help").long_help(POLICY)))]
pub struct ExportArgs {
    /// The input.
    #[command(flatten)]
    pub input: InputArgs,
    /// The format.
    #[arg(long, value_name = "KIND", value_enum)]
    pub to: To,
    /// Write to FILE instead of standard output (`-`); the file appears whole or not at all. A folder, or a name that
    /// ends in `/`, gets every table of jsonl, csv and parquet.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Which table of jsonl, csv and parquet.
    #[arg(long, value_name = "TABLE", value_parser = TABLES)]
    pub table: Option<String>,
    /// Of the table metrics a row after every N records.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub every: u64,
    /// The state after N records, for openmetrics, vmallocinfo and panes; without it the last.
    #[arg(long, value_name = "N")]
    pub at: Option<usize>,
    /// Callers that openmetrics names, of a snapshot: those with the most address space, the rest as `other`.
    #[arg(long, value_name = "N", default_value_t = openmetrics::snapshot::TOP)]
    pub top: usize,
    /// What folded stacks add up.
    #[arg(long, value_name = "MEASURE", value_enum, default_value_t = Sum(Measure::Bytes))]
    pub measure: Sum,
    /// The first frame of folded stacks is the task.
    #[arg(long)]
    pub by_task: bool,
    /// Frames of folded stacks keep their offsets.
    #[arg(long)]
    pub offsets: bool,
    /// Frames of folded stacks lose `_noprof`, `.constprop.0`, `.isra.0`, `.cold` and the like.
    #[arg(long)]
    pub strip: bool,
    /// Lifetimes that perfetto and chrome draw at most: the longest.
    #[arg(long, value_name = "N", default_value_t = MAX_LIVES)]
    pub lives: u64,
    /// What svg shows: `address-time`, `screen`, or a pane by its name, such as map, tree, free, events.
    #[arg(long, value_name = "VIEW", default_value = "address-time")]
    pub view: String,
    /// Records to the right of the picture `address-time`, not time.
    #[arg(long)]
    pub by_records: bool,
    /// Columns and rows of the screen that svg shows.
    #[arg(long, value_name = "COLUMNSxROWS", default_value = "120x40", value_parser = parse_size)]
    pub size: (u16, u16),
    /// Colours of svg, for a dark or a light background.
    #[arg(long, value_name = "BACKGROUND", value_enum, default_value_t = Background::Auto)]
    pub theme: Background,
}

/// `--to`: a row of [`EXPORTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct To(pub &'static Export);

impl ValueEnum for To {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [To; EXPORTS.len()] = {
            let mut all = [To(&EXPORTS[0]); EXPORTS.len()];
            let mut n = 0;
            while n < EXPORTS.len() {
                all[n] = To(&EXPORTS[n]);
                n += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.kind).help(self.0.title))
    }
}

/// `--measure`: a row of [`MEASURES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum(pub Measure);

impl ValueEnum for Sum {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Sum; MEASURES.len()] = {
            let mut all = [Sum(Measure::Bytes); MEASURES.len()];
            let mut n = 0;
            while n < MEASURES.len() {
                all[n] = Sum(MEASURES[n].0);
                n += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        MEASURES.iter().find(|row| row.0 == self.0).map(|row| PossibleValue::new(row.1).help(row.2))
    }
}

/// Runs the command.
///
/// # Errors
/// The input cannot be opened or replayed, or the output not be written.
pub fn run(args: &ExportArgs) -> Result<u8, CliError> {
    let to = args.output.as_deref().filter(|path| path.as_os_str() != "-");
    if args.to.0.is_binary && to.is_none() && std::io::stdout().is_terminal() {
        return Err(CliError::Other {
            what: format!("{} is binary, and standard output is a terminal", args.to.0.kind),
            hint: format!("-o FILE.{} writes a file", args.to.0.extension),
        });
    }
    if args.table.is_some() && !args.to.0.has_tables {
        return Err(CliError::Other {
            what: format!("{} has no tables", args.to.0.kind),
            hint: "--table goes with --to jsonl, csv or parquet".to_owned(),
        });
    }
    let input = Input::from_args(&args.input.input, Input::Embedded);
    let mut reading = args.input.reading();
    reading.expect = Expect::No;
    let log = Arc::new(open(&input, &reading)?);
    output::report_problems(&log, &args.input)?;
    let is_pane = args.to.0.kind == "svg" && args.view != "address-time";
    let own = args.input.settings();
    let specs = match args.to.0.kind {
        "perfetto" | "chrome" if own.policy.as_deref() != Some("auto") => specs_of(&args.input.policy)?,
        _ => Vec::new(),
    };
    // Lanes are measured against the trace under its own rules.
    let own = if specs.is_empty() { own } else { Settings { policy: None, ..own } };
    let settings = if is_pane {
        own
    } else {
        let checkpoint_bytes = own.checkpoint_bytes.or(Some(CHECKPOINT_BYTES));
        Settings { memory: Follow::Nothing, checkpoint_bytes, ..own }
    };
    let replay = Replay::open(log, &settings)?;
    decisions::report(replay.plan(), &args.input);
    let done = match (table_format(args.to.0), to) {
        (Some(format), Some(folder)) if args.table.is_none() && is_folder(folder) => {
            write_folder(args, &replay, format, folder)
        }
        (format, to) => write_file(args, replay, &specs, format, to),
    };
    match done {
        Err(error) if error.is_closed_pipe() => Ok(0),
        done => done.map(|()| 0),
    }
}

/// An existing folder, or a name that asks for one.
fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.to_string_lossy().ends_with('/')
}

fn table_format(export: &Export) -> Option<Format> {
    Some(match export.kind {
        "jsonl" => Format::Jsonl,
        "csv" => Format::Csv,
        #[cfg(feature = "parquet")]
        "parquet" => Format::Parquet,
        _ => return None,
    })
}

/// Every table, and what they say of themselves.
fn write_folder(args: &ExportArgs, replay: &Replay, format: Format, folder: &Path) -> Result<(), CliError> {
    fs::create_dir_all(folder).map_err(|reason| CliError::Write { name: folder.display().to_string(), reason })?;
    let path = |table: &str| folder.join(format!("{table}.{}", args.to.0.extension));
    let mut sinks = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        sinks.push(BufWriter::with_capacity(BUFFER, Sink::open(Some(&path(table)))?));
    }
    let mut outputs: Outputs<&mut BufWriter<Sink>> = [const { None }; TABLES.len()];
    for (output, sink) in outputs.iter_mut().zip(&mut sinks) {
        *output = Some(sink);
    }
    tables::write(replay, format, outputs, args.every).map_err(|error| failed(error, &folder.display().to_string()))?;
    for sink in sinks {
        finish(sink)?;
    }
    let mut about = Sink::open(Some(&folder.join("about.json")))?;
    about.write(&About::of(replay).document())?;
    about.finish()
}

fn write_file(
    args: &ExportArgs,
    replay: Replay,
    specs: &[LaneSpec],
    format: Option<Format>,
    to: Option<&Path>,
) -> Result<(), CliError> {
    let mut sink = BufWriter::with_capacity(BUFFER, Sink::open(to)?);
    let name = sink.get_ref().name().to_owned();
    let done = match format {
        Some(format) => {
            let table = args.table.as_deref().unwrap_or(TABLES[0]);
            let mut outputs: Outputs<&mut BufWriter<Sink>> = [const { None }; TABLES.len()];
            if let Some(place) = TABLES.iter().position(|name| *name == table) {
                outputs[place] = Some(&mut sink);
            }
            tables::write(&replay, format, outputs, args.every)
        }
        None => write_other(args, replay, specs, &mut sink)?,
    };
    done.map_err(|error| failed(error, &name))?;
    finish(sink)
}

/// What has no tables.
fn write_other(
    args: &ExportArgs,
    replay: Replay,
    specs: &[LaneSpec],
    to: &mut BufWriter<Sink>,
) -> Result<Result<(), ExportError>, CliError> {
    let at = args.at.unwrap_or(replay.len());
    let is_light = args.theme == Background::Light;
    Ok(match args.to.0.kind {
        "perfetto" => draw(&replay, specs, args.lives, &mut Perfetto::new(to))?,
        "chrome" => draw(&replay, specs, args.lives, &mut Chrome::new(to, &About::of(&replay)))?,
        "folded" => {
            let Sum(measure) = args.measure;
            let ExportArgs { by_task, offsets, strip, .. } = *args;
            folded::write(&replay, folded::Options { measure, by_task, offsets, strip }, to)
        }
        // A snapshot alone has no state that the model made.
        "openmetrics" if replay.is_empty() && args.at.is_none() => {
            match openmetrics::snapshot::write(replay.log(), args.top, &mut *to) {
                Ok(false) => openmetrics::write(&replay, at, to),
                done => done.map(|_| ()),
            }
        }
        "openmetrics" => openmetrics::write(&replay, at, to),
        "vmallocinfo" => vmallocinfo::write(&replay, at, to),
        "ops" => ops::write(&replay, to),
        _ if args.view == "address-time" => {
            picture::write(&replay, picture::Style { is_light, by_records: args.by_records }, to)
        }
        _ => {
            let view = still::View { name: &args.view, size: args.size, is_light, at };
            still::write_svg(replay, view, to).ok_or_else(|| CliError::Other {
                what: format!("this input has no view {:?}", args.view),
                hint: format!("views are address-time, {}", still::names().join(", ")),
            })?
        }
    })
}

/// The lanes that are asked for.
fn specs_of(text: &str) -> Result<Vec<LaneSpec>, CliError> {
    LaneSpec::parse_list(text).map_err(|error| wrong(&error))
}

fn wrong(error: &SpecError) -> CliError {
    CliError::Other { what: error.to_string(), hint: error.hint() }
}

/// The trace, or a group for each of several policies.
fn draw(
    replay: &Replay,
    specs: &[LaneSpec],
    lives: u64,
    to: &mut dyn TimeLine,
) -> Result<Result<(), ExportError>, CliError> {
    if specs.is_empty() {
        return Ok(time_line::draw(replay, lives, to).and_then(|()| to.finish()));
    }
    let demands = demands_of(replay);
    for spec in specs {
        let drawn = if spec.policy == RECORDED && spec.changes.is_empty() {
            time_line::draw_recorded(replay, lives, to)
        } else {
            let mut lane =
                Lane::new(replay, &demands, spec.clone(), CHECKPOINT_BYTES).map_err(|error| wrong(&error))?;
            lanes::draw(replay, &mut lane, lives, to)
        };
        if drawn.is_err() {
            return Ok(drawn);
        }
    }
    Ok(to.finish())
}

pub(super) fn finish(sink: BufWriter<Sink>) -> Result<(), CliError> {
    match sink.into_inner() {
        Ok(sink) => sink.finish(),
        Err(failed) => {
            let (reason, sink) = failed.into_parts();
            Err(CliError::Write { name: sink.get_ref().name().to_owned(), reason })
        }
    }
}

/// In the words of the command line.
pub(super) fn failed(error: ExportError, name: &str) -> CliError {
    match error {
        ExportError::Write(reason) => CliError::Write { name: name.to_owned(), reason },
        ExportError::Nothing { what, hint } => CliError::Other { what, hint },
        ExportError::Format(what) => CliError::Other {
            what: format!("cannot write {name}: {what}"),
            hint: "another format can hold it".to_owned(),
        },
    }
}

/// `120x40`.
fn parse_size(text: &str) -> Result<(u16, u16), String> {
    let size = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    size.filter(|(width, height)| (20..=500).contains(width) && (5..=300).contains(height))
        .ok_or_else(|| "columns and rows are wanted, as 120x40".to_owned())
}
