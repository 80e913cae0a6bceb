//! `vmaplens diff`: what grew and shrank between snapshots.

mod json;
mod text;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::insight::{By, Growth, History, Measure, Summary, Verdict, page_size_of, summarize};
use crate::log::{Baseline, InputKind, Log, Pointers};
use crate::source::{Input, Reading, open_log};

use super::args::{Kind, OutputArgs};
use super::error::CliError;
use super::{EXIT_NO, output};

/// Options of `diff`.
#[derive(Debug, Clone, Args)]
pub struct DiffArgs {
    /// Snapshots in the order they were taken, two or more: `/proc/vmallocinfo`, debuggers' lists, also packed; `-` is
    /// standard input. A capture or bundle counts with its snapshot before and the one after.
    #[arg(value_name = "INPUT", required = true)]
    pub input: Vec<PathBuf>,
    /// What rows are put together by.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Grouping(By::Caller))]
    pub by: Grouping,
    /// What is followed: address space, data pages, or areas.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Followed(Measure::Virtual))]
    pub measure: Followed,
    /// Compare with snapshot N, from 1, and not with the first.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub base: Option<u32>,
    /// The time between two snapshots, such as 60s, 5m or 2h: rates are told only with it, or where a recording tells
    /// when its snapshots were taken.
    #[arg(long, value_name = "TIME", value_parser = crate::log::duration::parse_duration)]
    pub interval: Option<std::time::Duration>,
    /// Growth of a row that is too much: in bytes or as 64M, with `--measure pages` and `areas` a number. Exit code 1 if
    /// any grew more.
    #[arg(long, value_name = "SIZE", value_parser = crate::log::size::parse_bytes)]
    pub max_growth: Option<u64>,
    /// Show every row, also those that did not change.
    #[arg(long)]
    pub all: bool,
    /// What the inputs are, where their content does not tell.
    #[arg(long, value_name = "KIND", value_enum, default_value_t = Kind::AUTO)]
    pub format: Kind,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
    /// A damaged row is an error instead of a reported problem.
    #[arg(long)]
    pub strict: bool,
    /// Say nothing on standard error but errors.
    #[arg(long)]
    pub quiet: bool,
}

/// `--by`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grouping(pub By);

/// `--measure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Followed(pub Measure);

/// What can be given, its word, and what it means.
const GROUPINGS: [(Grouping, &str, &str); 3] = [
    (Grouping(By::Caller), "caller", "The function that asked, with its module and the kind of area"),
    (Grouping(By::Module), "module", "The module of that function"),
    (Grouping(By::Kind), "kind", "The kind of area"),
];
const MEASURES: [(Followed, &str, &str); 3] = [
    (Followed(Measure::Virtual), "virtual", "Bytes of address space, guard pages included"),
    (Followed(Measure::Pages), "pages", "Data pages"),
    (Followed(Measure::Areas), "areas", "How many areas"),
];

impl ValueEnum for Grouping {
    fn value_variants<'a>() -> &'a [Self] {
        const { &[GROUPINGS[0].0, GROUPINGS[1].0, GROUPINGS[2].0] }
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let row = GROUPINGS.iter().find(|row| row.0 == *self)?;
        Some(clap::builder::PossibleValue::new(row.1).help(row.2))
    }
}

impl ValueEnum for Followed {
    fn value_variants<'a>() -> &'a [Self] {
        const { &[MEASURES[0].0, MEASURES[1].0, MEASURES[2].0] }
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let row = MEASURES.iter().find(|row| row.0 == *self)?;
        Some(clap::builder::PossibleValue::new(row.1).help(row.2))
    }
}

/// One snapshot, as it is reported.
#[derive(Debug)]
struct Shot {
    input: String,
    member: Option<&'static str>,
    pointers: Pointers,
    totals: crate::insight::Totals,
    unpurged: crate::insight::Totals,
    /// Seconds since any moment.
    at: Option<f64>,
}

/// All there is to report.
#[derive(Debug)]
struct Report {
    shots: Vec<Shot>,
    by: By,
    measure: Measure,
    /// The snapshot that others are compared with, from 0.
    base: usize,
    history: History,
    rows: Vec<Growth>,
    max_growth: Option<u64>,
}

/// Columns of a curve at most.
const CURVE: usize = 12;

/// Runs the command: 1 if a row grows steadily or grew more than it may.
///
/// # Errors
/// An input cannot be opened or has no snapshot; there is only one.
pub fn run(args: &DiffArgs) -> Result<u8, CliError> {
    let mut shots = Vec::new();
    let mut history = History::default();
    for path in &args.input {
        let input = Input::from_arg(Some(path), Input::Stdin);
        let reading = Reading { format: args.format.into(), ..Reading::default() };
        let log = open_log(&input, &reading)?;
        talk(&log, args)?;
        let times = if args.input.len() == 1 && args.interval.is_none() { times_of(&log) } else { [None; 2] };
        for ((baseline, member), recorded) in snapshots_of(&log).into_iter().zip(times) {
            let at = args.interval.map(|interval| interval.as_secs_f64() * shots.len() as f64).or(recorded);
            let summary = summarize(baseline, page_size_of(&log, baseline));
            history.push(&summary.by_caller, at);
            shots.push(shot(&log, member, baseline, &summary, at));
        }
    }
    if shots.len() < 2 {
        return Err(CliError::Other {
            what: format!(
                "{} to compare; two are wanted",
                if shots.is_empty() { "no snapshot" } else { "one snapshot" }
            ),
            hint: "name two or more in the order they were taken: vmaplens diff BEFORE AFTER".to_owned(),
        });
    }
    let base = args.base.map_or(0, |base| base as usize - 1);
    if shots.len() <= base {
        return Err(CliError::Other {
            what: format!("--base {}: there are {} snapshots", base + 1, shots.len()),
            hint: "they count from 1, in the order they are named".to_owned(),
        });
    }
    let (by, measure) = (args.by.0, args.measure.0);
    let rows = history.growth(history.snapshots(), base, by, measure);
    let report = Report { shots, by, measure, base, history, rows, max_growth: args.max_growth };
    let text = if args.output.json { json::document_of(&report) } else { text::describe(&report, args.all) };
    output::write(&args.output, &text)?;
    let is_bad = report.growing().next().is_some() || report.exceeding().next().is_some();
    Ok(if is_bad { EXIT_NO } else { 0 })
}

impl Report {
    /// Rows that grow steadily.
    fn growing(&self) -> impl Iterator<Item = &Growth> {
        self.rows.iter().filter(|row| matches!(row.verdict, Verdict::Grows { .. }))
    }

    /// Rows that grew more than they may.
    fn exceeding(&self) -> impl Iterator<Item = &Growth> {
        let most = self.max_growth.map(i128::from);
        self.rows.iter().filter(move |row| most.is_some_and(|most| most < row.since_base(self.measure)))
    }

    fn curve(&self, row: &Growth, columns: usize) -> Vec<u64> {
        self.history.columns(&row.key, self.history.snapshots(), self.by, self.measure, columns)
    }
}

fn talk(log: &Log, args: &DiffArgs) -> Result<(), CliError> {
    if args.strict {
        output::first_problem(log)?;
    }
    if !args.quiet {
        log.problems.iter().take(output::PROBLEMS_SHOWN).for_each(output::talk_problem);
    }
    Ok(())
}

/// The snapshots of an input, with the members they are.
fn snapshots_of(log: &Log) -> Vec<(&Baseline, Option<&'static str>)> {
    let is_alone = log.origin.kind == InputKind::Snapshot && log.after.is_none();
    let before = log.before.as_ref().map(|before| (before, (!is_alone).then_some("vmallocinfo.before")));
    let after = log.after.as_ref().map(|after| (after, Some("vmallocinfo.after")));
    before.into_iter().chain(after).collect()
}

/// When a recording says that its snapshots were taken, in seconds of its clock.
fn times_of(log: &Log) -> [Option<f64>; 2] {
    let is_time = log.origin.clock == crate::log::Clock::Nanos;
    let at = |place: Option<usize>| {
        let event = log.events.get(place.filter(|_| is_time)?.checked_sub(1)?)?;
        Some(event.at.0 as f64 / 1e9)
    };
    [at(log.snapshot_place()), at(log.last_snapshot_place())]
}

fn shot(log: &Log, member: Option<&'static str>, baseline: &Baseline, summary: &Summary<'_>, at: Option<f64>) -> Shot {
    let (totals, unpurged) = (summary.totals, summary.unpurged);
    Shot { input: log.origin.name.clone(), member, pointers: baseline.pointers, totals, unpurged, at }
}
