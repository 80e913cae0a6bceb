//! `vmaplens survey`: many captures, all cores, one row for each capture and policy.

mod find;
mod pool;

use std::io::{BufWriter, IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use crate::compare::{Demands, Lane, LaneSpec, demands_of};
use crate::export::About;
use crate::export::survey::{Result as Outcome, SurveyRow, Surveyed};
use crate::export::tables::{Format, Table};
use crate::log::escape;
use crate::policy::POLICIES;
use crate::replay::{Follow, Replay, Settings};
use crate::source::{Expect, Input, Reading, SourceError, open};
use crate::view::text::{count, plural};

use super::decisions::store_for;
use super::error::CliError;
use super::export::{failed, finish};
use super::output;
use super::sink::Sink;
use find::{Found, find};
use pool::{Job, Pool};

/// What checkpoints may hold, in bytes: nobody goes back.
const CHECKPOINT_BYTES: u64 = 1 << 20;

/// Options of `survey`.
#[derive(Debug, Clone, Args)]
pub struct SurveyArgs {
    /// Captures, or folders of captures: what is in them is looked through.
    #[arg(value_name = "DIR|FILE", required = true)]
    pub input: Vec<PathBuf>,
    /// Policies, with a comma between them: `auto` (the rules of each capture's own kernel), `recorded`, any id of
    /// `compare`, or `all`. What-if changes go behind a colon, as in `linux-6.9:cpus=16`.
    #[arg(long, value_name = "A,B,…", default_value = "auto")]
    pub policy: String,
    /// The format of the rows.
    #[arg(long, value_name = "KIND", value_enum, default_value_t = Kind::DEFAULT)]
    pub to: Kind,
    /// Write to FILE instead of standard output (`-`); the file appears whole or not at all.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Threads at work; without it one for each core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub jobs: Option<u32>,
    /// The exit code is 1 if a row has an error.
    #[arg(long)]
    pub strict: bool,
    /// Say nothing on standard error but errors.
    #[arg(long)]
    pub quiet: bool,
}

/// `--to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Parquet: for databases and notebooks
    #[cfg(feature = "parquet")]
    Parquet,
    /// CSV
    Csv,
    /// JSON Lines
    Jsonl,
}

impl Kind {
    #[cfg(feature = "parquet")]
    const DEFAULT: Self = Self::Parquet;
    #[cfg(not(feature = "parquet"))]
    const DEFAULT: Self = Self::Csv;

    fn format(self) -> Format {
        match self {
            #[cfg(feature = "parquet")]
            Self::Parquet => Format::Parquet,
            Self::Csv => Format::Csv,
            Self::Jsonl => Format::Jsonl,
        }
    }

    fn is_binary(self) -> bool {
        !matches!(self, Self::Csv | Self::Jsonl)
    }
}

/// Runs the command.
///
/// # Errors
/// A policy is not known, nothing is found, or the output cannot be written. A capture that cannot be read is a row.
pub fn run(args: &SurveyArgs) -> Result<u8, CliError> {
    let to = args.output.as_deref().filter(|path| path.as_os_str() != "-");
    if args.to.is_binary() && to.is_none() && std::io::stdout().is_terminal() {
        return Err(CliError::Other {
            what: "Parquet is binary, and standard output is a terminal".to_owned(),
            hint: "-o FILE.parquet writes a file, --to csv a text".to_owned(),
        });
    }
    let specs = specs_of(&args.policy)?;
    let found: Vec<Found> = args.input.iter().flat_map(|path| find(path)).collect();
    if found.is_empty() {
        return Err(CliError::Other {
            what: "there are no files in these folders".to_owned(),
            hint: "a capture is a folder with a trace in it, a bundle, or a file".to_owned(),
        });
    }
    let done = survey(args, &found, &specs, to);
    match done {
        Err(error) if error.is_closed_pipe() => Ok(0),
        done => done,
    }
}

fn specs_of(text: &str) -> Result<Vec<LaneSpec>, CliError> {
    if text.trim() == "all" {
        return Ok(POLICIES.iter().map(|row| LaneSpec::of(row.id)).collect());
    }
    let specs =
        LaneSpec::parse_list(text).map_err(|error| CliError::Other { what: error.to_string(), hint: error.hint() })?;
    if specs.is_empty() {
        return Err(CliError::Other {
            what: "no policy is named".to_owned(),
            hint: "--policy auto takes the rules of each capture's own kernel".to_owned(),
        });
    }
    Ok(specs)
}

/// What a worker hands in.
enum Handed {
    /// A capture is through: its place and its rows; `None` of a file that happened to lie there and is none.
    Rows(usize, Option<Vec<SurveyRow>>),
    /// So long somebody was at work.
    Worked(Duration),
}

/// A capture that is open.
struct Opened {
    place: usize,
    name: String,
    replay: Replay,
    demands: Arc<Demands>,
    capture: Surveyed,
    /// The rows that are there, by policy.
    rows: Mutex<Vec<Option<SurveyRow>>>,
}

fn survey(args: &SurveyArgs, found: &[Found], specs: &[LaneSpec], to: Option<&Path>) -> Result<u8, CliError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let n_jobs = args.jobs.map_or(cores, |jobs| jobs as usize).min(found.len() * specs.len()).max(1);
    let mut sink = BufWriter::new(Sink::open(to)?);
    let name = sink.get_ref().name().to_owned();
    let begun = Instant::now();
    // What takes longest is begun first: nobody waits for a long one at the end. Rows keep the order of the captures.
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by_key(|&place| std::cmp::Reverse(found[place].bytes));
    let pool = Pool::new(order);
    let (hand_in, handed) = mpsc::channel::<Handed>();
    let mut writing = Writing::new(args, &mut sink, found.len())?;
    let written = std::thread::scope(|scope| {
        for _ in 0..n_jobs {
            let hand_in = hand_in.clone();
            let pool = &pool;
            scope.spawn(move || {
                while let Some(job) = pool.next() {
                    let begun = Instant::now();
                    let rows = match job {
                        Job::Open(place) => opened(pool, place, &found[place], specs),
                        Job::Part(opened, at) => part(&opened, specs, at),
                    };
                    let worked = std::iter::once(Handed::Worked(begun.elapsed()));
                    // Nobody takes rows any more: whoever wrote them has failed.
                    if worked.chain(rows).try_for_each(|handed| hand_in.send(handed)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(hand_in);
        let written = writing.all(&handed, found);
        // Those who are still at work hand in to nobody.
        drop(handed);
        pool.give_up();
        written
    });
    written.map_err(|error| failed(error, &name))?;
    let code = writing.sum_up(n_jobs, begun.elapsed());
    finish(sink)?;
    Ok(code)
}

/// Opens a capture; hands in its rows at once if it cannot be opened.
fn opened(pool: &Pool<Opened>, place: usize, found: &Found, specs: &[LaneSpec]) -> Option<Handed> {
    let name = escape(found.name.as_bytes());
    let looked = catch_unwind(AssertUnwindSafe(|| {
        let replay = replay_of(found)?;
        let demands = demands_of(&replay);
        let capture = Surveyed::of(&replay);
        Ok((replay, demands, capture))
    }));
    let error = match looked {
        Ok(Ok((replay, demands, capture))) => {
            let rows = Mutex::new(vec![None; specs.len()]);
            let opened = Opened { place, name, replay, demands, capture, rows };
            pool.opened(Some((opened, specs.len())));
            return None;
        }
        Ok(Err(Trouble::NoCapture)) => {
            pool.opened(None);
            return Some(Handed::Rows(place, None));
        }
        Ok(Err(Trouble::Error(error))) => error,
        Err(_) => "an error of this program while reading".to_owned(),
    };
    pool.opened(None);
    let row = |spec: &LaneSpec| SurveyRow {
        input: name.clone(),
        policy: spec.to_string(),
        error: Some(error.clone()),
        capture: None,
        result: None,
    };
    Some(Handed::Rows(place, Some(specs.iter().map(row).collect())))
}

/// One policy of an open capture; whoever does the last one hands in all rows.
fn part(opened: &Opened, specs: &[LaneSpec], at: usize) -> Option<Handed> {
    let spec = &specs[at];
    let run = catch_unwind(AssertUnwindSafe(|| {
        let mut lane = Lane::new(&opened.replay, &opened.demands, spec.clone(), CHECKPOINT_BYTES)?;
        lane.run(usize::MAX);
        Ok(Outcome::of(&lane, &opened.replay))
    }));
    let (result, error) = match run {
        Ok(Ok(result)) => (Some(result), None),
        Ok(Err::<_, crate::compare::SpecError>(error)) => (None, Some(error.to_string())),
        Err(_) => (None, Some("an error of this program under this policy".to_owned())),
    };
    let capture = Some(opened.capture.clone());
    let row = SurveyRow { input: opened.name.clone(), policy: spec.to_string(), error, capture, result };
    let mut rows = opened.rows.lock().unwrap_or_else(PoisonError::into_inner);
    rows[at] = Some(row);
    let all = rows.iter().all(Option::is_some).then(|| rows.drain(..).flatten().collect());
    all.map(|all| Handed::Rows(opened.place, Some(all)))
}

/// Why a capture cannot be surveyed.
enum Trouble {
    /// It is none, and nobody said so.
    NoCapture,
    /// What is told in its rows.
    Error(String),
}

fn replay_of(found: &Found) -> Result<Replay, Trouble> {
    let reading = Reading { expect: Expect::No, ..Reading::default() };
    let log = open(&Input::Path(found.path.clone()), &reading).map_err(|error| match error {
        SourceError::NotReadable { .. } | SourceError::NoFailures { .. } | SourceError::NoMembers { .. }
            if !found.was_named =>
        {
            Trouble::NoCapture
        }
        error => Trouble::Error(error.to_string()),
    })?;
    // Its snapshots may be there, but nothing that a policy could be asked.
    if log.events.is_empty() && log.script.is_none() {
        let damage = log.problems.first().map(|first| format!("{}: {}", first.place(), first.problem.kind));
        return Err(Trouble::Error(damage.unwrap_or_else(|| "it has no records, only areas of one moment".to_owned())));
    }
    let settings = Settings {
        memory: Follow::Nothing,
        checkpoint_bytes: Some(CHECKPOINT_BYTES),
        decisions: store_for(&Input::Path(found.path.clone()), false),
        ..Settings::default()
    };
    Replay::open(Arc::new(log), &settings).map_err(|error| Trouble::Error(error.to_string()))
}

/// What is known of a place before its turn.
#[derive(Debug, Clone)]
enum Early {
    /// Somebody is still at work there, or nobody has been.
    Missing,
    /// It is no capture.
    NoCapture,
    /// Its rows.
    Rows(Vec<SurveyRow>),
}

/// Rows on their way out, in the order of the captures.
struct Writing<'a> {
    args: &'a SurveyArgs,
    table: Table<'static, &'a mut BufWriter<Sink>>,
    /// Rows of captures that are done before one in front of them.
    early: Vec<Early>,
    next: usize,
    n_done: usize,
    n_rows: u64,
    n_failed: u64,
    n_other: u64,
    busy: Duration,
    shows: bool,
}

impl<'a> Writing<'a> {
    fn new(args: &'a SurveyArgs, sink: &'a mut BufWriter<Sink>, n: usize) -> Result<Self, CliError> {
        let table = Table::new::<SurveyRow>(args.to.format(), sink, &About::of_survey(), None);
        Ok(Self {
            args,
            table: table.map_err(|error| failed(error, "the rows"))?,
            early: vec![Early::Missing; n],
            next: 0,
            n_done: 0,
            n_rows: 0,
            n_failed: 0,
            n_other: 0,
            busy: Duration::ZERO,
            shows: !args.quiet && std::io::stderr().is_terminal(),
        })
    }

    fn all(&mut self, handed: &mpsc::Receiver<Handed>, found: &[Found]) -> Result<(), crate::export::ExportError> {
        for handed in handed {
            let (place, rows) = match handed {
                Handed::Rows(place, rows) => (place, rows),
                Handed::Worked(took) => {
                    self.busy += took;
                    continue;
                }
            };
            self.n_done += 1;
            self.early[place] = rows.map_or(Early::NoCapture, Early::Rows);
            self.show(&found[place].name, found.len());
            while let Some(early @ (Early::Rows(_) | Early::NoCapture)) = self.early.get_mut(self.next) {
                let rows = match std::mem::replace(early, Early::Missing) {
                    Early::Rows(rows) => rows,
                    Early::NoCapture | Early::Missing => {
                        self.n_other += 1;
                        Vec::new()
                    }
                };
                self.next += 1;
                for row in rows {
                    self.n_rows += 1;
                    self.n_failed += u64::from(row.error.is_some());
                    self.table.row(&row)?;
                }
            }
        }
        self.table.finish::<SurveyRow>()
    }

    /// How far it is, on one line of a terminal.
    fn show(&self, name: &str, n: usize) {
        if self.shows {
            // Nobody to tell if standard error is closed.
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K{} of {n}: {}", self.n_done, escape(name.as_bytes()));
        }
    }

    /// Says what became of it all; the exit code.
    fn sum_up(self, n_jobs: usize, took: Duration) -> u8 {
        if self.shows {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
        if !self.args.quiet {
            let captures = (self.next as u64).saturating_sub(self.n_other);
            let cores = self.busy.as_secs_f64() / took.as_secs_f64().max(1e-9);
            let other = if self.n_other == 0 {
                String::new()
            } else {
                format!(", {} passed over", plural(self.n_other, "other file", "other files"))
            };
            output::talk(&format!(
                "{} in {}{other}, {} with an error; {:.1} s, {} at work, {cores:.1} busy on average",
                plural(self.n_rows, "row", "rows"),
                plural(captures, "capture", "captures"),
                count(self.n_failed),
                took.as_secs_f64(),
                plural(n_jobs as u64, "thread", "threads"),
            ));
        }
        if self.args.strict && 0 < self.n_failed { super::EXIT_NO } else { 0 }
    }
}
