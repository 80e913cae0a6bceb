//! `vmaplens check`: what cannot be, and thresholds.

use std::fmt::Write;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use crate::insight::check::{self, Finding, Severity};
use crate::insight::{self, page_size_of};
use crate::log::escape;
use crate::log::{Baseline, Log, Pointers, Window};
use crate::model::Gauges;
use crate::replay::{Follow, Replay, Settings};
use crate::source::{Input, open_log};
use crate::view::line::wrap;
use crate::view::text::{bytes, count, plural};
use crate::view::{Role, UNICODE};

use super::args::{InputArgs, OutputArgs};
use super::error::CliError;
use super::json::document;
use super::{EXIT_NO, decisions, output};

/// Options of `check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// The input.
    #[command(flatten)]
    pub input: InputArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
    /// At most so many areas in use, at the end.
    #[arg(long, value_name = "N")]
    pub max_areas: Option<u64>,
    /// At most so much address space in use, at the end.
    #[arg(long, value_name = "SIZE", value_parser = crate::log::size::parse_bytes)]
    pub max_virtual: Option<u64>,
    /// At most so much freed and not purged, at the end.
    #[arg(long, value_name = "SIZE", value_parser = crate::log::size::parse_bytes)]
    pub max_unpurged: Option<u64>,
    /// The largest hole of the vmalloc range is at least so large, at the end.
    #[arg(long, value_name = "SIZE", value_parser = crate::log::size::parse_bytes)]
    pub min_largest_hole: Option<u64>,
    /// At most so many failed allocations.
    #[arg(long, value_name = "N")]
    pub max_failures: Option<u64>,
    /// Show every finding, not only the first of each kind.
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'static str,
    input: &'a str,
    records: u64,
    /// `null`: no snapshot with rows.
    areas: Option<u64>,
    figures: Figures,
    errors: usize,
    warnings: usize,
    findings: Vec<Row<'a>>,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    rule: &'static str,
    severity: &'static str,
    file: Option<&'a str>,
    line: Option<u32>,
    seq: Option<u32>,
    what: &'a str,
    why: &'static str,
}

/// What thresholds are about; `None` where the input does not tell.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Figures {
    areas: Option<u64>,
    virtual_bytes: Option<u64>,
    unpurged_bytes: Option<u64>,
    largest_hole: Option<u64>,
    failures: Option<u64>,
}

/// Findings of a kind that are shown without `--all`.
const SHOWN: usize = 5;
const WIDTH: usize = 80;

/// Runs the command: 1 if there is any finding.
///
/// # Errors
/// The input cannot be opened or replayed.
pub fn run(args: &CheckArgs) -> Result<u8, CliError> {
    let input = Input::from_args(&args.input.input, Input::Live);
    let log = Arc::new(open_log(&input, &args.input.reading())?);
    if args.input.strict {
        output::first_problem(&log)?;
    }
    let settings = Settings { memory: Follow::Nothing, ..args.input.settings() };
    let mut replay = if log.events.is_empty() { None } else { Some(Replay::open(Arc::clone(&log), &settings)?) };
    if let Some(replay) = &replay {
        decisions::report(replay.plan(), &args.input);
    }
    let mut findings = check::all(&log, replay.as_mut());
    let figures = figures(args, &log, replay.as_ref());
    findings.extend(thresholds(args, figures));
    let text = if args.output.json { json(&log, figures, &findings) } else { describe(&log, &findings, args.all) };
    output::write(&args.output, &text)?;
    Ok(if findings.is_empty() { 0 } else { EXIT_NO })
}

/// The state at the end: of a trace the model's, else the last snapshot's.
fn figures(args: &CheckArgs, log: &Log, replay: Option<&Replay>) -> Figures {
    if let Some(replay) = replay {
        let allocator = replay.space().allocator();
        let Gauges { busy_areas, busy_bytes, lazy_pages, largest_hole, .. } = allocator.gauges();
        return Figures {
            areas: Some(busy_areas),
            virtual_bytes: Some(busy_bytes),
            unpurged_bytes: Some(lazy_pages.saturating_mul(allocator.page_size())),
            largest_hole: Some(largest_hole),
            failures: Some(log.counts().failed),
        };
    }
    let Some(snapshot) = log.after.as_ref().or(log.before.as_ref()) else { return Figures::default() };
    let summary = insight::summarize(snapshot, page_size_of(log, snapshot));
    let (all, unpurged) = (summary.totals, summary.unpurged);
    Figures {
        areas: Some(all.areas - unpurged.areas),
        virtual_bytes: Some(all.virtual_bytes.saturating_sub(unpurged.virtual_bytes)),
        unpurged_bytes: Some(unpurged.virtual_bytes),
        largest_hole: range_of(args, log, snapshot)
            .and_then(|range| insight::holes(snapshot, range))
            .map(|holes| holes.largest),
        failures: None,
    }
}

fn range_of(args: &CheckArgs, log: &Log, snapshot: &Baseline) -> Option<Window> {
    args.input.range.or(log.origin.vmalloc).or_else(|| insight::span(snapshot))
}

fn thresholds(args: &CheckArgs, figures: Figures) -> Vec<Finding> {
    let at_most = [
        ("areas in use", "--max-areas", args.max_areas, figures.areas),
        ("bytes in use", "--max-virtual", args.max_virtual, figures.virtual_bytes),
        ("bytes freed and not purged", "--max-unpurged", args.max_unpurged, figures.unpurged_bytes),
        ("failed allocations", "--max-failures", args.max_failures, figures.failures),
    ];
    let mut findings = Vec::new();
    let mut say = |what: String| findings.push(Finding::of_all(check::THRESHOLD, what));
    for (what, option, most, value) in at_most {
        match (most, value) {
            (Some(most), Some(value)) if most < value => {
                say(format!("{} {what}, more than {option} {}", count(value), count(most)));
            }
            (Some(_), None) => say(format!("{option}: the input does not tell the {what}")),
            _ => {}
        }
    }
    match (args.min_largest_hole, figures.largest_hole) {
        (Some(least), Some(value)) if value < least => {
            say(format!("the largest hole has {}, less than --min-largest-hole {}", bytes(value), bytes(least)));
        }
        (Some(_), None) => say("--min-largest-hole: the input does not tell where holes are".to_owned()),
        _ => {}
    }
    findings
}

fn json(log: &Log, figures: Figures, findings: &[Finding]) -> String {
    let rows = findings.iter().map(|finding| Row {
        rule: finding.rule.name,
        severity: finding.rule.severity.word(),
        file: finding.file.as_deref(),
        line: finding.line,
        seq: finding.seq,
        what: &finding.what,
        why: finding.rule.why,
    });
    let errors = findings.iter().filter(|finding| finding.rule.severity == Severity::Error).count();
    document(&Document {
        schema: "vmaplens.check/1",
        input: &log.origin.name,
        records: log.events.len() as u64,
        areas: log.after.as_ref().or(log.before.as_ref()).map(|snapshot| snapshot.areas.len() as u64),
        figures,
        errors,
        warnings: findings.len() - errors,
        findings: rows.collect(),
    })
}

/// Findings kind by kind, the worst first; each kind says once why it is one.
fn describe(log: &Log, findings: &[Finding], all: bool) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = report(&mut out, log, findings, all);
    out
}

fn report(out: &mut String, log: &Log, findings: &[Finding], all: bool) -> std::fmt::Result {
    let looked =
        [(log.events.len() as u64, "record", "records"), (rows_of(log), "row of snapshots", "rows of snapshots")];
    let looked: Vec<_> = looked.iter().filter(|(n, ..)| 0 < *n).map(|(n, one, many)| plural(*n, one, many)).collect();
    let n = findings.len() as u64;
    let found = if n == 0 { "nothing found".to_owned() } else { plural(n, "finding", "findings") };
    writeln!(out, "{}: {} looked at, {found}", log.origin.name, looked.join(" and "))?;
    let hidden = [&log.before, &log.after].into_iter().flatten().any(|rows| rows.pointers != Pointers::Real);
    if hidden {
        let words = "addresses of a snapshot are hashed or hidden: of its rows only sizes were looked at";
        wrap(words, Role::Text, WIDTH, 2, &UNICODE).iter().try_for_each(|row| writeln!(out, "{}", row.text()))?;
    }
    for severity in [Severity::Error, Severity::Warning] {
        for rule in check::RULES.iter().filter(|rule| rule.severity == severity) {
            let of_rule: Vec<&Finding> = findings.iter().filter(|finding| finding.rule == *rule).collect();
            if of_rule.is_empty() {
                continue;
            }
            let n = of_rule.len();
            writeln!(out)?;
            let title =
                format!("{} {}: {} ({})", severity.word(), rule.name, plural(n as u64, "place", "places"), rule.why);
            wrap(&title, Role::Text, WIDTH, 2, &UNICODE).iter().try_for_each(|row| writeln!(out, "{}", row.text()))?;
            let shown = if all { n } else { n.min(SHOWN) };
            for finding in &of_rule[..shown] {
                let text = format!("  {}{}", place(finding), finding.what);
                wrap(&text, Role::Text, WIDTH, 4, &UNICODE)
                    .iter()
                    .try_for_each(|row| writeln!(out, "{}", row.text()))?;
            }
            if shown < n {
                writeln!(out, "  … and {} more; --all shows them", count((n - shown) as u64))?;
            }
        }
    }
    Ok(())
}

fn rows_of(log: &Log) -> u64 {
    [&log.before, &log.after].into_iter().flatten().map(|rows| rows.areas.len() as u64).sum()
}

/// `vmallocinfo.after:12: `, `line 7: `, or nothing.
fn place(finding: &Finding) -> String {
    let file = finding.file.as_ref().map(|file| escape(file.as_bytes()));
    match (file, finding.line) {
        (Some(file), Some(line)) => format!("{file}:{line}: "),
        (Some(file), None) => format!("{file}: "),
        (None, Some(line)) => format!("line {line}: "),
        (None, None) => String::new(),
    }
}
