//! `vmaplens verify`: did the model choose the addresses the kernel chose?

mod rows;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use serde::Serialize;

use crate::log::{Around, InputKind, Log, escape};
use crate::replay::truth::{check_after, check_state};
use crate::replay::{Follow, Replay, Settings};
use crate::source::{Input, open_log};
use crate::view::text;

use super::args::VerifyArgs;
use super::error::CliError;
use super::json::document;
use super::{EXIT_NO, decisions, output};
use rows::{After, Checks, DivergenceRow, Hypotheses, State, Told, row};

/// The document of `verify --json`.
#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    input: String,
    kernel: Option<String>,
    policy: String,
    release: String,
    /// How the policy was chosen: `option`, `kernel`, `events` or `assumed`.
    policy_from: &'static str,
    cpus: u32,
    nodes: u32,
    from_boot: bool,
    events: Events,
    allocs: u64,
    exact: u64,
    inferred: u64,
    adopted: u64,
    causes: BTreeMap<&'static str, u64>,
    assumed: Hypotheses,
    divergences: Vec<DivergenceRow>,
    checks: Checks,
    problems: usize,
    /// What is inferred was read from a file beside the input.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    from_cache: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<After>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    /// The rules are those of another era than the kernel's.
    #[serde(skip)]
    foreign_rules: bool,
}

#[derive(Debug, Serialize)]
struct Events {
    alloc: u64,
    free: u64,
    purge: u64,
    lost: u64,
    other: u64,
}

/// Divergences written out for people; the JSON has them all.
const SHOWN: usize = 20;

/// Runs the command: 0 if nothing had to be adopted, 1 otherwise.
///
/// # Errors
/// The input cannot be opened or replayed.
pub fn run(args: &VerifyArgs) -> Result<u8, CliError> {
    let input = Input::from_args(&args.input.input, Input::Embedded);
    let log = Arc::new(open_log(&input, &args.input.reading())?);
    output::report_problems(&log, &args.input)?;
    if let Some(policy) = args.input.policy_beyond_eras() {
        return Err(CliError::Other {
            what: format!("verify asks whether a kernel's rules chose the recorded addresses; {policy} is no kernel's"),
            hint: format!("vmaplens compare INPUT --policy auto,{policy} runs the same requests under both"),
        });
    }
    // What is behind the areas decides no address.
    let settings = Settings { memory: Follow::Nothing, ..args.input.settings() };
    let mut replay = Replay::open(Arc::clone(&log), &settings)?;
    decisions::report(replay.plan(), &args.input);
    if log.counts().alloc == 0 {
        return Err(CliError::Other {
            what: format!("{} has no allocation records to verify", input.name()),
            hint: match log.origin.kind {
                InputKind::Snapshot => "it is a snapshot, one moment without requests: vmaplens inspect shows it",
                _ => {
                    "record with events/vmalloc/enable switched on (Linux 6.2 and later), before that with the probes of \
                     README.md: their arguments have to tell size and address"
                }
            }
            .to_owned(),
        });
    }
    // What the kernel said at the end is compared with the model at that moment: a trace can go on behind it.
    replay.seek(log.last_snapshot_place().unwrap_or(replay.len()), usize::MAX);
    let report = report(&log, &replay);
    let told = if args.output.json { document(&report) } else { describe(&report) };
    output::write(&args.output, &told)?;
    Ok(if report.adopted == 0 { 0 } else { EXIT_NO })
}

fn report(log: &Log, replay: &Replay) -> Report {
    let plan = replay.plan();
    let machine = &plan.machine;
    let counts = log.counts();
    let tally = plan.tally(replay.len());
    let mut causes = BTreeMap::new();
    for divergence in &plan.divergences {
        *causes.entry(Told::of(divergence).cause).or_default() += 1;
    }
    let checks = plan.checks;
    let after = log.settled(Around::After).map(|after| check_after(replay.space(), &after));
    let state = log.truth.as_ref().map(|truth| check_state(replay.space(), truth));
    Report {
        schema: "vmaplens.verify/1",
        input: log.origin.name.clone(),
        kernel: log.origin.kernel.clone(),
        policy: machine.policy.name(),
        release: machine.policy.release.to_string(),
        policy_from: machine.policy_from.name(),
        cpus: machine.cpus_online,
        nodes: replay.space().allocator().n_nodes(),
        from_boot: machine.from_boot,
        events: Events {
            alloc: counts.alloc,
            free: counts.free,
            purge: counts.purge,
            lost: counts.lost,
            other: counts.other,
        },
        allocs: tally.allocs,
        exact: tally.exact,
        inferred: tally.inferred,
        adopted: tally.adopted,
        causes,
        assumed: plan.hypotheses(log).into(),
        divergences: plan.divergences.iter().map(|d| row(log, plan, d)).collect(),
        checks: Checks {
            nr_lazy_differs: checks.nr_lazy_differs,
            num_purged_differs: checks.num_purged_differs,
            unknown_frees: checks.unknown_frees,
            older_areas: checks.older_areas,
            displaced: checks.displaced,
        },
        problems: log.problems.len(),
        from_cache: plan.kept.is_used,
        after_reason: (log.after.is_some() && after.is_none())
            .then_some("the addresses of vmallocinfo.after are hidden: it cannot be compared"),
        after: after.map(After::from),
        state: state.map(State::from),
        foreign_rules: machine.has_foreign_rules(log),
    }
}

/// Each cause once, the ones that cost most first, with what would have decided it; then the first divergences.
fn describe_causes(report: &Report, out: &mut String) {
    let mut causes: Vec<_> = report.causes.iter().collect();
    causes.sort_by_key(|&(cause, n)| (std::cmp::Reverse(n), cause));
    for (cause, n) in causes {
        let Some(row) = report.divergences.iter().find(|row| row.cause == *cause) else { continue };
        wrapped(out, (2, 6), &format!("{n} {} ({cause}): {}", row.verdict, row.because));
        wrapped(out, (6, 8), &format!("decided by: {}", row.decided_by));
        let of_cause = report.divergences.iter().filter(|row| row.cause == *cause);
        let mut probes: BTreeMap<_, u64> = BTreeMap::new();
        for row in of_cause {
            *probes.entry(row.probe.map(|probe| (probe, row.record_with))).or_default() += 1;
        }
        let told = probes.into_iter().filter_map(|(probe, n)| {
            let (probe, option) = probe?;
            let option = option.map_or(String::new(), |option| format!(": record {option}"));
            Some(format!("{probe} ({n}{option})"))
        });
        let told: Vec<String> = told.collect();
        if !told.is_empty() {
            wrapped(out, (6, 8), &format!("single probe: {}", told.join(", ")));
        }
    }
    if report.divergences.is_empty() {
        return;
    }
    let place = |addr: &Option<String>| addr.clone().unwrap_or_else(|| "no space".to_owned());
    let shown: Vec<_> =
        report.divergences.iter().take(SHOWN).map(|row| (row, [&row.model, &row.recorded].map(place))).collect();
    let room = shown.iter().flat_map(|(_, places)| places).map(String::len).max().unwrap_or(0);
    // A binary recording has no lines.
    let has_lines = report.divergences.iter().all(|row| row.line != 0);
    let place_word = if has_lines { "line" } else { "event" };
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "{:>6} {:>8} {:>7}  {:room$} {:room$} cause, probe",
        place_word, "size", "align", "model", "record"
    );
    for (row, [model, recorded]) in shown {
        let at = if has_lines { row.line } else { row.seq + 1 };
        let align = if row.align > 1 { text::bytes(row.align) } else { String::new() };
        let size = text::bytes(row.size);
        let _ = writeln!(
            out,
            "{:>6} {size:>8} {align:>7}  {model:room$} {recorded:room$} {} {}",
            at,
            row.cause,
            row.probe.unwrap_or_default()
        );
    }
}

/// Columns of the text; only tables of long addresses are wider.
const COLUMNS: usize = 80;

/// A sentence, broken between words; the first line and the others are indented.
fn wrapped(out: &mut String, (first, others): (usize, usize), sentence: &str) {
    let mut used = first;
    out.push_str(&" ".repeat(first));
    for (place, word) in sentence.split(' ').enumerate() {
        let width = text::width(word);
        if place > 0 && used + 1 + width > COLUMNS {
            out.push('\n');
            out.push_str(&" ".repeat(others));
            used = others;
        } else if place > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += width;
    }
    out.push('\n');
}

fn describe(report: &Report) -> String {
    let mut out = String::new();
    let kernel = report.kernel.as_deref().unwrap_or("unknown kernel");
    let percent = if report.allocs == 0 { 100.0 } else { report.exact as f64 * 100.0 / report.allocs as f64 };
    let input = escape(report.input.as_bytes());
    let (policy, release, from) = (&report.policy, &report.release, report.policy_from);
    let (cpus, nodes) = (report.cpus, report.nodes);
    let machine = format!("{kernel}, {policy} ({release}; from: {from}), CPUs: {cpus}, nodes: {nodes}");
    wrapped(&mut out, (0, 2), &format!("{input}: {machine}"));
    let (exact, inferred, adopted) = (report.exact, report.inferred, report.adopted);
    let sums = format!("{exact} exact ({percent:.2} %), {inferred} inferred, {adopted} adopted");
    wrapped(&mut out, (0, 2), &format!("{} allocations judged: {sums}", report.allocs));
    if report.foreign_rules {
        let note = "the rules asked for are not those of this kernel: differences are to be expected";
        wrapped(&mut out, (0, 2), note);
    }
    if report.assumed.purges_begun + report.assumed.exchanged > 0 {
        let Hypotheses { purges_begun, purge_steps, exchanged, .. } = report.assumed;
        let purges = text::plural(purges_begun, "purge", "purges");
        let note = format!(
            "{purges} had begun before the record ({} given a place), {} taken before earlier records",
            text::plural(purge_steps, "step", "steps"),
            text::plural(exchanged, "allocation", "allocations"),
        );
        wrapped(&mut out, (2, 6), &note);
    }
    if report.from_cache {
        wrapped(&mut out, (2, 6), "what is inferred was read from the file beside the input, and done anew");
    }
    describe_causes(report, &mut out);
    if report.divergences.len() > SHOWN {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  … and {} more; --json lists them all", report.divergences.len() - SHOWN);
    }
    if let Some(after) = &report.after {
        let _ = writeln!(
            out,
            "vmallocinfo after: {} areas, model {}: {} missing, {} extra",
            after.areas_recorded, after.areas_model, after.missing, after.extra
        );
    }
    if let Some(reason) = report.after_reason {
        let _ = writeln!(out, "{reason}");
    }
    if let Some(state) = &report.state {
        let word = |equal| if equal { "equal" } else { "different" };
        let [free, pools, lazy, busy] =
            [state.free_equal, state.pools_equal, state.lazy_equal, state.busy_equal].map(word);
        let holes = format!("{} holes, model {}", state.free_recorded, state.free_model);
        let shape = state.tree_equal.map_or(String::new(), |equal| format!(", shape of the tree {}", word(equal)));
        let lists = format!("free {free} ({holes}), pools {pools}, lazy {lazy}, busy {busy}{shape}");
        wrapped(&mut out, (0, 2), &format!("kernel's own state after: {lists}"));
    }
    out
}
