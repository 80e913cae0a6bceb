//! `vmaplens check`: what cannot be right in an input, and figures beyond what was asked for; for people and for CI.

use std::fmt::Write;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use crate::insight::check::{Fault, Finding, check, place};
use crate::insight::{guess_page_size, holes, span, summarize};
use crate::log::{Baseline, BaselineState, Log};
use crate::replay::{Follow, Replay, Settings};
use crate::source::{Input, open_log};
use crate::view::text::{bytes, count, plural};

use super::args::{InputArgs, OutputArgs};
use super::error::CliError;
use super::json::{document, hex};
use super::{EXIT_NO, output};

/// Options of `check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// The input; without one this machine's /proc/vmallocinfo.
    #[command(flatten)]
    pub input: InputArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
    /// More areas in use than this are a finding.
    #[arg(long, value_name = "N")]
    pub max_areas: Option<u64>,
    /// More address space in use than this is a finding, as in `2G`.
    #[arg(long, value_name = "SIZE", value_parser = crate::log::size::parse_bytes)]
    pub max_virtual: Option<u64>,
    /// More data pages than this are a finding.
    #[arg(long, value_name = "N")]
    pub max_pages: Option<u64>,
    /// More address space freed and not purged than this is a finding.
    #[arg(long, value_name = "SIZE", value_parser = crate::log::size::parse_bytes)]
    pub max_unpurged: Option<u64>,
    /// More failed requests than this are a finding.
    #[arg(long, value_name = "N")]
    pub max_failures: Option<u64>,
    /// A largest hole below this is a finding; where the addresses are not real nobody knows, which is one too.
    #[arg(long, value_name = "SIZE", value_parser = crate::log::size::parse_bytes)]
    pub min_largest_hole: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    schema: &'static str,
    input: &'a str,
    ok: bool,
    counts: std::collections::BTreeMap<&'static str, u64>,
    findings: Vec<Row<'a>>,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    fault: &'static str,
    /// Of the kernel that was recorded; else of the recording, or of what was asked for.
    of_kernel: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other_line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    addr: Option<String>,
    what: &'a str,
}

/// Findings of one kind that text names one by one; the rest is counted.
const NAMED: usize = 10;

/// Runs the command: 1 if there is a finding.
///
/// # Errors
/// The input cannot be opened, or the result cannot be written.
pub fn run(args: &CheckArgs) -> Result<u8, CliError> {
    let input = Input::from_args(&args.input.input, Input::Live);
    let log = open_log(&input, &args.input.reading()).map_err(|error| super::inspect::explain(&input, error))?;
    let mut findings = check(&log);
    findings.extend(thresholds(args, &log)?);
    findings.sort_by_key(|finding| finding.fault);
    let text = if args.output.json { document(&report(&log, &findings)) } else { describe(&log, &findings) };
    output::write(&args.output, &text)?;
    Ok(if findings.is_empty() { 0 } else { EXIT_NO })
}

/// The last state in numbers.
struct Figures {
    areas: u64,
    virtual_bytes: u64,
    pages: Option<u64>,
    unpurged_bytes: u64,
    largest_hole: Option<u64>,
}

fn thresholds(args: &CheckArgs, log: &Log) -> Result<Vec<Finding>, CliError> {
    let asks_state = [args.max_areas, args.max_virtual, args.max_pages, args.max_unpurged, args.min_largest_hole];
    let mut found = Vec::new();
    let mut tell = |what: String| {
        found.push(Finding {
            fault: Fault::Threshold,
            file: String::new(),
            line: 0,
            other: 0,
            seq: None,
            addr: None,
            what,
        });
    };
    if let Some(most) = args.max_failures {
        let failures = log.counts().failed;
        if most < failures {
            tell(format!("{} failed, more than {}", plural(failures, "request", "requests"), count(most)));
        }
    }
    if asks_state.iter().all(Option::is_none) {
        return Ok(found);
    }
    let figures = figures(args, log)?;
    let mut at_most = |name: &str, value: u64, most: Option<u64>, show: &dyn Fn(u64) -> String| {
        if let Some(most) = most.filter(|&most| most < value) {
            tell(format!("{name}: {}, more than {}", show(value), show(most)));
        }
    };
    at_most("areas in use", figures.areas, args.max_areas, &count);
    at_most("address space in use", figures.virtual_bytes, args.max_virtual, &bytes);
    at_most("freed and not purged", figures.unpurged_bytes, args.max_unpurged, &bytes);
    if let Some(pages) = figures.pages {
        at_most("data pages", pages, args.max_pages, &count);
    }
    match (args.min_largest_hole, figures.largest_hole) {
        (Some(least), Some(largest)) if largest < least => {
            tell(format!("largest hole: {}, less than {}", bytes(largest), bytes(least)));
        }
        (Some(_), None) => tell("largest hole: not known, the addresses are not real".to_owned()),
        _ => {}
    }
    Ok(found)
}

fn figures(args: &CheckArgs, log: &Log) -> Result<Figures, CliError> {
    if log.events.is_empty() && log.script.is_none() {
        let Some(snapshot) = log.after.as_ref().or(log.before.as_ref()) else {
            return Ok(Figures { areas: 0, virtual_bytes: 0, pages: None, unpurged_bytes: 0, largest_hole: None });
        };
        return Ok(of_snapshot(args, log, snapshot));
    }
    let settings = Settings { memory: Follow::Nothing, ..args.input.settings() };
    let mut replay = Replay::open(Arc::new(log.clone()), &settings)?;
    replay.seek(replay.len(), usize::MAX);
    let metrics = replay.space().allocator().metrics();
    Ok(Figures {
        areas: metrics.busy_areas,
        virtual_bytes: metrics.busy_bytes,
        pages: None,
        unpurged_bytes: metrics.lazy_pages.saturating_mul(replay.plan().machine.page_size),
        largest_hole: Some(metrics.largest_hole),
    })
}

fn of_snapshot(args: &CheckArgs, log: &Log, snapshot: &Baseline) -> Figures {
    let page_size = log.origin.page_size.unwrap_or_else(|| guess_page_size(snapshot));
    let summary = summarize(snapshot, page_size);
    let lazy = snapshot.areas.iter().filter(|area| area.state == BaselineState::Unpurged).count() as u64;
    let range = args.input.range.or(log.origin.vmalloc).or_else(|| span(snapshot));
    Figures {
        areas: summary.totals.areas - lazy,
        virtual_bytes: summary.totals.virtual_bytes.saturating_sub(summary.unpurged.virtual_bytes),
        pages: Some(summary.totals.pages),
        unpurged_bytes: summary.unpurged.virtual_bytes,
        largest_hole: range.and_then(|range| holes(snapshot, range)).map(|holes| holes.largest),
    }
}

fn report<'a>(log: &'a Log, findings: &'a [Finding]) -> Report<'a> {
    let known = |line: u32| Some(line).filter(|&line| 0 < line);
    let row = |finding: &'a Finding| Row {
        fault: finding.fault.word(),
        of_kernel: finding.fault.is_of_kernel(),
        file: &finding.file,
        line: known(finding.line),
        other_line: known(finding.other),
        seq: finding.seq.map(|seq| seq.0),
        addr: finding.addr.map(|addr| hex(addr, false)),
        what: &finding.what,
    };
    let mut counts = std::collections::BTreeMap::new();
    for finding in findings {
        *counts.entry(finding.fault.word()).or_default() += 1;
    }
    Report {
        schema: "vmaplens.check/1",
        input: &log.origin.name,
        ok: findings.is_empty(),
        counts,
        findings: findings.iter().map(row).collect(),
    }
}

fn describe(log: &Log, findings: &[Finding]) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = match findings.len() as u64 {
        0 => writeln!(text, "{}: nothing wrong found", log.origin.name),
        n => writeln!(text, "{}: {}", log.origin.name, plural(n, "finding", "findings")),
    };
    for of_one in findings.chunk_by(|a, b| a.fault == b.fault) {
        let fault = of_one[0].fault;
        let _ = writeln!(text, "\n{} ({})", fault.title(), count(of_one.len() as u64));
        for finding in of_one.iter().take(NAMED) {
            let _ = writeln!(text, "  {}  {}", place(finding, &log.origin.name), finding.what);
        }
        if NAMED < of_one.len() {
            let _ = writeln!(text, "  and {} more: --json names all", count((of_one.len() - NAMED) as u64));
        }
    }
    text
}
