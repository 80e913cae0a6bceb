//! `vmaplens inspect`: what one `/proc/vmallocinfo` adds up to.

mod text;

use clap::Args;
use serde::Serialize;

use crate::insight::hashed::Known;
use crate::insight::{self, Group, NodeRow, Summary};
use crate::log::baseline::pointers_word;
use crate::log::{Baseline, InputKind, Log, Pointers, Window};
use crate::replay::machine::widest_window;
use crate::source::{Input, SourceError, formats, open_log};
use crate::view;

use super::args::{InputArgs, OutputArgs};
use super::error::CliError;
use super::json::{document, hex, hex_window};
use super::output;

/// Options of `inspect`.
#[derive(Debug, Clone, Args)]
pub struct InspectArgs {
    /// The input; without one this machine's /proc/vmallocinfo. Of a capture its last snapshot is taken.
    #[command(flatten)]
    pub input: InputArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Show every caller, not only those with the most address space.
    #[arg(long)]
    pub all: bool,
}

/// The document of `inspect --json`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    schema: &'static str,
    input: &'a str,
    /// The member of a capture that is shown.
    member: Option<&'static str>,
    kind: &'static str,
    /// A debugger's list may tell neither guard pages nor data.
    #[serde(skip)]
    tells_pages: bool,
    kernel: Option<&'a str>,
    pointers: &'static str,
    page_size: u64,
    areas: u64,
    virtual_bytes: u64,
    guard_bytes: u64,
    physical_pages: u64,
    unpurged_areas: u64,
    unpurged_bytes: u64,
    by_caller: Vec<ByCaller<'a>>,
    by_kind: Vec<ByKind>,
    by_module: Vec<ByModule<'a>>,
    by_node: Vec<ByNode>,
    holes: Option<Holes>,
    /// Why there are no `holes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    chains: Option<Chains>,
    /// What a file of hashed addresses tells about where areas lie.
    #[serde(skip_serializing_if = "Option::is_none")]
    layout: Option<LayoutRow>,
    #[serde(skip)]
    layout_words: Vec<String>,
    problems: usize,
}

/// What is certain, likely and unknown of a hashed file.
#[derive(Debug, Serialize)]
struct LayoutRow {
    runs: u64,
    touching_pairs: u64,
    /// Equal hashes that chance may have made: in no run.
    likely_touching_pairs: u64,
    /// Hashes that contradict each other: nothing of that is believed.
    contradictions: usize,
    order: &'static str,
    because: String,
    nodes: Option<u32>,
    ordered_pairs: u64,
    pairs: u64,
    ordered_areas: u64,
    certain_areas: u64,
    bounded_areas: u64,
    unknown_areas: u64,
    at_least_holes: u64,
}

/// The numbers of a row.
#[derive(Debug, Clone, Copy, Serialize)]
struct Sums {
    areas: u64,
    virtual_bytes: u64,
    pages: u64,
}

#[derive(Debug, Serialize)]
struct ByCaller<'a> {
    caller: Option<&'a str>,
    module: Option<&'a str>,
    kind: &'static str,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Debug, Serialize)]
struct ByKind {
    kind: &'static str,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Debug, Serialize)]
struct ByModule<'a> {
    /// `null`: the kernel itself.
    module: Option<&'a str>,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Debug, Serialize)]
struct ByNode {
    node: u16,
    areas: u64,
    pages: u64,
}

#[derive(Debug, Serialize)]
struct Holes {
    count: u64,
    largest: u64,
    largest_at: String,
    total: u64,
    range: [String; 2],
    range_from: &'static str,
    outside: u64,
    overlaps: u64,
}

#[derive(Debug, Serialize)]
struct Chains {
    count: u64,
    longest_areas: u64,
    longest_bytes: u64,
    touching_areas: u64,
}

const HASHED: &str = "the addresses are hashed";
const HIDDEN: &str = "the addresses are hidden: sums and the order of lines are all there is";

/// Runs the command.
///
/// # Errors
/// The input cannot be opened or has no snapshot in it.
pub fn run(args: &InspectArgs) -> Result<u8, CliError> {
    let input = Input::from_args(&args.input.input, Input::Live);
    let log = open_log(&input, &args.input.reading()).map_err(|error| explain(&input, error))?;
    output::report_problems(&log, &args.input)?;
    let (baseline, member) = snapshot_of(&log)?;
    let page_size = args.input.page_size.or(log.origin.page_size);
    let page_size = page_size.unwrap_or_else(|| insight::guess_page_size(baseline));
    let summary = insight::summarize(baseline, page_size);
    let range = range_of(args.input.range, &log, baseline);
    let mut report = report(&log, baseline, &summary, range, page_size, member);
    if baseline.pointers == Pointers::Hashed {
        let mut origin = log.origin.clone();
        origin.kernel = args.input.kernel.clone().or(origin.kernel);
        origin.cpus_possible = args.input.cpus.or(origin.cpus_possible);
        origin.page_size = args.input.page_size.or(origin.page_size);
        let layout = insight::Layout::of(baseline, Known::of(&origin));
        report.layout = Some(layout_row(&layout));
        report.layout_words = view::hashed::sentences(&layout);
    }
    let text = if args.output.json { document(&report) } else { text::describe(&report, args.all) };
    output::write(&args.output, &text)?;
    Ok(0)
}

/// This machine's own file can be there and still tell nothing.
pub(super) fn explain(input: &Input, error: SourceError) -> CliError {
    match (input, error) {
        (Input::Live, SourceError::Empty { .. } | SourceError::NoAreas { .. }) => CliError::Other {
            what: "this machine's /proc/vmallocinfo shows no areas".to_owned(),
            hint: "run outside of the container or sandbox, as root".to_owned(),
        },
        (_, error) => error.into(),
    }
}

/// The latest snapshot of a capture, and the name of the member it is from.
fn snapshot_of(log: &Log) -> Result<(&Baseline, Option<&'static str>), CliError> {
    match (&log.after, &log.before) {
        (Some(after), _) => Ok((after, Some("vmallocinfo.after"))),
        (None, Some(before)) if log.origin.kind == InputKind::Snapshot => Ok((before, None)),
        (None, Some(before)) => Ok((before, Some("vmallocinfo.before"))),
        (None, None) => Err(CliError::Other {
            what: format!("{} has no snapshot of the areas", log.origin.name),
            hint: "add one with --after FILE, or replay the trace with: vmaplens replay INPUT".to_owned(),
        }),
    }
}

/// The vmalloc range and where it is known from.
fn range_of(asked: Option<Window>, log: &Log, baseline: &Baseline) -> Option<(Window, &'static str)> {
    let asked = asked.map(|range| (range, "--range"));
    let capture = log.origin.vmalloc.map(|range| (range, "meta.toml"));
    let trace = widest_window(log).map(|range| (range, "the trace's requests"));
    let span = || insight::span(baseline).map(|range| (range, "the areas themselves"));
    asked.or(capture).or(trace).or_else(span)
}

fn report<'a>(
    log: &'a Log,
    baseline: &Baseline,
    summary: &Summary<'a>,
    range: Option<(Window, &'static str)>,
    page_size: u64,
    member: Option<&'static str>,
) -> Report<'a> {
    let found = range.and_then(|(range, from)| insight::holes(baseline, range).map(|holes| (holes, range, from)));
    let holes = found.map(|(holes, range, range_from)| {
        let is_32_bit = u32::try_from(range.vend).is_ok();
        let insight::Holes { count, largest, largest_at, total, outside, overlaps } = holes;
        let (largest_at, range) = (hex(largest_at, is_32_bit), hex_window(range, is_32_bit));
        Holes { count, largest, largest_at, total, range, range_from, outside, overlaps }
    });
    let chains = insight::chains(baseline).map(|chains| {
        let insight::Chains { count, longest_areas, longest_bytes, touching_areas } = chains;
        Chains { count, longest_areas, longest_bytes, touching_areas }
    });
    let is_listing = |row: &&formats::Row| {
        Some(row.format) == log.origin.form && matches!(row.format, parsers::sniff::Format::Listing(_))
    };
    let form = formats::FORMATS.iter().find(is_listing);
    Report {
        schema: "vmaplens.inspect/1",
        input: &log.origin.name,
        member,
        kind: form.map_or("vmallocinfo", |row| row.kind),
        tells_pages: form.is_none() || 0 < summary.totals.pages || 0 < summary.guard_bytes,
        kernel: log.origin.kernel.as_deref(),
        pointers: pointers_word(baseline.pointers),
        page_size,
        areas: summary.totals.areas,
        virtual_bytes: summary.totals.virtual_bytes,
        guard_bytes: summary.guard_bytes,
        physical_pages: summary.totals.pages,
        unpurged_areas: summary.unpurged.areas,
        unpurged_bytes: summary.unpurged.virtual_bytes,
        by_caller: summary.by_caller.iter().map(by_caller).collect(),
        by_kind: summary.by_kind.iter().map(|group| ByKind { kind: group.kind, sums: sums(group) }).collect(),
        by_module: summary.by_module.iter().map(|group| ByModule { module: group.module, sums: sums(group) }).collect(),
        by_node: summary.by_node.iter().map(by_node).collect(),
        reason: holes.is_none().then_some(if baseline.pointers == Pointers::Hashed { HASHED } else { HIDDEN }),
        holes,
        chains,
        layout: None,
        layout_words: Vec::new(),
        problems: log.problems.len(),
    }
}

fn layout_row(layout: &insight::Layout) -> LayoutRow {
    let figures = layout.figures();
    LayoutRow {
        runs: figures.runs,
        touching_pairs: figures.joins,
        likely_touching_pairs: figures.likely_joins,
        contradictions: layout.contradictions,
        order: layout.order.word(),
        because: view::hashed::order(layout),
        nodes: layout.n_nodes,
        ordered_pairs: figures.ordered_pairs,
        pairs: figures.pairs,
        ordered_areas: figures.ordered_rows,
        certain_areas: figures.certain,
        bounded_areas: figures.bounded,
        unknown_areas: figures.unknown,
        at_least_holes: figures.least_holes,
    }
}

fn by_caller<'a>(group: &Group<'a>) -> ByCaller<'a> {
    ByCaller { caller: group.caller, module: group.module, kind: group.kind, sums: sums(group) }
}

fn by_node(row: &NodeRow) -> ByNode {
    let NodeRow { node, areas, pages } = *row;
    ByNode { node, areas, pages }
}

fn sums(group: &Group<'_>) -> Sums {
    let insight::Totals { areas, virtual_bytes, pages } = group.totals;
    Sums { areas, virtual_bytes, pages }
}
