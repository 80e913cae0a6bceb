//! `vmaplens replay`: headless replay of a capture or an op script.

mod cost;
mod script;
mod timing;
mod until;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use serde::Serialize;

use crate::log::escape;
use crate::model;
use crate::replay::{Follow, Replay};
use crate::source::{Expect, Input, open};
use crate::view::text::{bytes, count, plural};

use super::args::ReplayArgs;
use super::error::CliError;
use super::json::document;
use super::{decisions, output};

/// The document of `replay --json` for a capture.
#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    input: String,
    kernel: Option<String>,
    policy: String,
    /// The policy is no kernel's, so the addresses are not its own.
    #[serde(skip)]
    is_asked: bool,
    release: String,
    events: u64,
    exact: u64,
    inferred: u64,
    adopted: u64,
    events_per_second: u64,
    ns_per_event: f64,
    /// The same with what is behind the areas: page tables, frames, objects.
    ns_per_event_with_memory: f64,
    peak_bytes: Option<u64>,
    metrics: Metrics,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<cost::Cost>,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    seeks: Option<timing::Seeks>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resident_bytes: Option<u64>,
    /// What holds memory, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_bytes: Option<BTreeMap<&'static str, u64>>,
}

/// What a state amounts to.
#[derive(Debug, Serialize)]
struct Metrics {
    busy_areas: u64,
    busy_bytes: u64,
    lazy_areas: u64,
    lazy_pages: u64,
    pooled_areas: u64,
    pooled_bytes: u64,
    free_bytes: u64,
    holes: u64,
    largest_hole: u64,
    span_bytes: u64,
    page_table_pages: Option<u64>,
    failures: u64,
}

impl Metrics {
    fn of(metrics: &model::Metrics, page_table_pages: Option<u64>, failures: u64) -> Self {
        Self {
            busy_areas: metrics.busy_areas,
            busy_bytes: metrics.busy_bytes,
            lazy_areas: metrics.lazy_areas,
            lazy_pages: metrics.lazy_pages,
            pooled_areas: metrics.pooled_areas,
            pooled_bytes: metrics.pooled_bytes,
            free_bytes: metrics.free_bytes,
            holes: metrics.holes,
            largest_hole: metrics.largest_hole,
            span_bytes: metrics.span_bytes,
            page_table_pages,
            failures,
        }
    }
}

/// Runs the command: 0, or 1 if an op script's answers differ from the expected ones.
///
/// # Errors
/// The input cannot be opened or replayed.
pub fn run(args: &ReplayArgs) -> Result<u8, CliError> {
    let until = args.until.as_deref().map(until::parse).transpose()?;
    let input = Input::from_args(&args.input.input, Input::Embedded);
    let mut reading = args.input.reading();
    reading.expect = args.expect.clone().map_or(Expect::No, Expect::File);
    let log = Arc::new(open(&input, &reading)?);
    if let Some(until) = &until {
        output::report_problems(&log, &args.input)?;
        let mut replay = Replay::open(log, &args.input.settings())?;
        decisions::report(replay.plan(), &args.input);
        return until::run(&mut replay, until, &args.output);
    }
    if let Some(script) = &log.script {
        return script::run(args, &log, script);
    }
    output::report_problems(&log, &args.input)?;
    let mut replay = Replay::open(Arc::clone(&log), &args.input.settings())?;
    decisions::report(replay.plan(), &args.input);
    let seeks = args.seeks.map(|n| timing::seeks(&mut replay, n));
    let resident_bytes = seeks.is_some().then(timing::resident_bytes).flatten();
    let held_bytes = seeks.is_some().then(|| replay.heap_parts().into_iter().collect());
    // After what is loaded has been measured: a pass has states of its own.
    let ns_per_event = timing::ns_per_event(&replay, Follow::Nothing);
    let ns_per_event_with_memory = timing::ns_per_event(&replay, Follow::Memory);
    replay.seek(replay.len(), usize::MAX);
    let machine = &replay.plan().machine;
    let tally = replay.tally();
    let report = Report {
        schema: "vmaplens.replay/1",
        input: log.origin.name.clone(),
        kernel: log.origin.kernel.clone(),
        is_asked: machine.policy.layers().is_some(),
        policy: machine.policy.name(),
        release: machine.policy.release.to_string(),
        events: replay.len() as u64,
        exact: tally.exact,
        inferred: tally.inferred,
        adopted: tally.adopted,
        events_per_second: if ns_per_event > 0.0 { (1e9 / ns_per_event) as u64 } else { 0 },
        ns_per_event,
        ns_per_event_with_memory,
        peak_bytes: timing::peak_bytes(),
        metrics: Metrics::of(
            &replay.space().allocator().metrics(),
            Some(replay.space().n_tables()),
            replay.space().failures(),
        ),
        cost: cost::of(&replay),
        digest: format!("{:016x}", replay.space().digest()),
        seeks,
        resident_bytes,
        held_bytes,
    };
    let text = if args.output.json { document(&report) } else { describe(&report) };
    output::write(&args.output, &text)?;
    Ok(0)
}

fn describe(report: &Report) -> String {
    let mut out = String::new();
    let metrics = &report.metrics;
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "{}: {} events under {} ({}), {:.0} ns an event ({:.0} with what is behind the areas), {} events a second\n\
         exact {}  inferred {}  adopted {}  failures {}\n\
         at the end: {} areas in use ({}), {} lazy pages, {} pooled areas, {}, the largest {}\n\
         page tables needed so far: {}   digest {}",
        escape(report.input.as_bytes()),
        report.events,
        report.policy,
        report.release,
        report.ns_per_event,
        report.ns_per_event_with_memory,
        count(report.events_per_second),
        report.exact,
        report.inferred,
        report.adopted,
        metrics.failures,
        metrics.busy_areas,
        bytes(metrics.busy_bytes),
        metrics.lazy_pages,
        metrics.pooled_areas,
        plural(metrics.holes, "hole", "holes"),
        bytes(metrics.largest_hole),
        metrics.page_table_pages.unwrap_or(0),
        report.digest,
    );
    if report.is_asked {
        let _ = writeln!(
            out,
            "the addresses are the trace's: {} was asked where it would have placed each area, in the state the trace had;\n\
             vmaplens compare places them by it",
            report.policy
        );
    }
    if let Some(cost) = &report.cost {
        out.push_str(&cost.describe());
    }
    if let Some(seeks) = &report.seeks {
        let _ = writeln!(
            out,
            "{} random seeks: half within {} µs, 99 % within {} µs, all within {} µs; \
             step 99 % within {} µs, step back 99 % within {} µs",
            seeks.n, seeks.p50_us, seeks.p99_us, seeks.max_us, seeks.step_p99_us, seeks.step_back_p99_us
        );
    }
    out
}
