//! Op scripts: run, time what follows `mark`, compare with expected results byte for byte.

use std::fmt::Write;
use std::time::{Duration, Instant};

use parsers::ops::Op;
use serde::Serialize;

use crate::log::{Log, ScriptLog, escape};
use crate::model::Answer;
use crate::model::bulk::Sum;
use crate::replay::script::{BulkRun, BulkScript, Comparison, Done, Mismatch, ScriptRun, compare};

use super::super::args::ReplayArgs;
use super::super::error::CliError;
use super::super::json::document;
use super::super::{EXIT_NO, output};
use super::timing;

/// Lines of a state written out for people; the JSON has them all.
const SHOWN: usize = 48;
/// A script is run again until this much time has been spent, so that a short one is not all noise.
const LONG_ENOUGH: Duration = Duration::from_millis(400);
/// Passes at most.
const MAX_PASSES: usize = 9;

/// The document of `replay --json` for an op script.
#[derive(Debug, Serialize)]
struct Report<'a> {
    schema: &'static str,
    input: &'a str,
    policy: String,
    release: String,
    ops: usize,
    matched: Option<usize>,
    first_mismatch: Option<MismatchRow<'a>>,
    /// Nanoseconds, behind the last `mark`, for each op there.
    ns_per_event: f64,
    events_per_second: u64,
    /// Allocations and frees (of a script with requests: all ops) behind the last `mark`.
    ops_timed: u64,
    /// Purges among them that had something to flush.
    purges: u64,
    /// FNV-1a over the addresses given out, setup included, 0 for a failure.
    sum: &'a str,
    peak_bytes: Option<u64>,
    metrics: super::Metrics,
    digest: String,
}

#[derive(Debug, Serialize)]
struct MismatchRow<'a> {
    op: usize,
    line: u32,
    expected_line: u32,
    model: &'a str,
    expected: &'a str,
    state_before: &'a str,
    state_after: &'a str,
    /// The nearest state among the expected results; `null` if none is dumped close by.
    expected_state: Option<ExpectedState<'a>>,
}

#[derive(Debug, Serialize)]
struct ExpectedState<'a> {
    op: usize,
    line: u32,
    state: &'a str,
}

/// Runs a script: 0, or 1 if an answer differs from the expected one.
pub(super) fn run(args: &ReplayArgs, log: &Log, script: &ScriptLog) -> Result<u8, CliError> {
    if let Some(first) = log.problems.first() {
        let problem = &first.problem;
        return Err(CliError::Other {
            what: format!("{}: {}", first.place(), problem.kind),
            hint: "an op script has to be right to the last line: one op left out changes every answer after it"
                .to_owned(),
        });
    }
    let settings = args.input.settings();
    let compared = match script.expected {
        Some(_) => Some(compare(script, &settings)?),
        None => None,
    };
    let name = &log.origin.name;
    let text = match &compared {
        _ if args.output.json => {
            let mut run = ScriptRun::new(script, &settings)?;
            let timed = timed_run(script, &mut run);
            document(&report(name, script, &run, &timed, compared.as_ref()))
        }
        Some(comparison) => describe(name, comparison),
        None => crate::replay::script::output(script, &settings)?,
    };
    output::write(&args.output, &text)?;
    let differs = compared.is_some_and(|comparison| comparison.first_mismatch.is_some());
    Ok(if differs { EXIT_NO } else { 0 })
}

/// What a run has cost.
struct Spent {
    ns_per_event: f64,
    sum: String,
    ops_timed: u64,
    purges: u64,
}

/// Runs every op, `run` to its end, and times those behind the last `mark`; answers are not put into words.
///
/// Plain ops are run in bulk, and a short script several times, each from a fresh state: the median of the passes
/// counts. Purges and drain work in the timed part count as time, not as ops.
fn timed_run(script: &ScriptLog, run: &mut ScriptRun) -> Spent {
    let Some(bulk) = BulkScript::new(script, run) else { return one_by_one(script, run) };
    let (fresh, begun) = (run.clone(), Instant::now());
    let mut passes = Vec::new();
    loop {
        let mut pass = BulkRun::up_to_mark(&bulk, fresh.clone());
        let since = Instant::now();
        pass.timed_part();
        passes.push(since.elapsed());
        let is_last = passes.len() == MAX_PASSES || begun.elapsed() >= LONG_ENOUGH;
        if is_last {
            let (sum, purges) = pass.sum_and_purges();
            *run = pass.finish();
            passes.sort_unstable();
            let median = passes[passes.len() / 2].as_nanos() as f64;
            let ops_timed = bulk.timed_ops();
            let ns_per_event = median / ops_timed.max(1) as f64;
            return Spent { ns_per_event, sum: hex(sum), ops_timed, purges };
        }
    }
}

/// A script with requests: each op with what it consists of.
fn one_by_one(script: &ScriptLog, run: &mut ScriptRun) -> Spent {
    let (mut done, mut sum) = (Done::default(), Sum::default());
    let (mut since, mut ops_timed, mut purges) = (Instant::now(), 0_u64, 0);
    for line in &script.ops {
        run.run(&line.op, 0, &mut done);
        ops_timed += 1;
        for answer in &done.answers {
            match answer {
                Answer::Purged(purged) => purges += u64::from(purged.flush.is_some()),
                Answer::Drained(all) => purges += all.iter().filter(|purged| purged.flush.is_some()).count() as u64,
                _ => {}
            }
        }
        let id = match &line.op {
            Op::Alloc { id, .. } => Some(*id),
            Op::Request(request) => request.names(),
            _ => None,
        };
        if let Some(id) = id {
            sum.add(run.address_of(id).unwrap_or(0));
        }
        if line.op == Op::Mark {
            (since, ops_timed, purges) = (Instant::now(), 0, 0);
        }
    }
    let ns_per_event = since.elapsed().as_nanos() as f64 / ops_timed.max(1) as f64;
    Spent { ns_per_event, sum: hex(sum.0), ops_timed, purges }
}

fn hex(number: u64) -> String {
    format!("{number:016x}")
}

fn report<'a>(
    name: &'a str,
    script: &ScriptLog,
    run: &ScriptRun,
    timed: &'a Spent,
    compared: Option<&'a Comparison>,
) -> Report<'a> {
    let policy = &run.machine().policy;
    Report {
        schema: "vmaplens.replay/1",
        input: name,
        policy: policy.name(),
        release: policy.release.to_string(),
        ops: script.ops.len(),
        matched: compared.map(|comparison| comparison.matched),
        first_mismatch: compared.and_then(|comparison| comparison.first_mismatch.as_ref()).map(row),
        ns_per_event: timed.ns_per_event,
        events_per_second: if timed.ns_per_event > 0.0 { (1e9 / timed.ns_per_event) as u64 } else { 0 },
        ops_timed: timed.ops_timed,
        purges: timed.purges,
        sum: &timed.sum,
        peak_bytes: timing::peak_bytes(),
        metrics: super::Metrics::of(&run.allocator().metrics(), Some(run.space().n_tables()), run.failures()),
        digest: hex(run.space().digest()),
    }
}

fn row(mismatch: &Mismatch) -> MismatchRow<'_> {
    let Mismatch { op, line, expected_line, model, expected, before, after, expected_state } = mismatch;
    let state = expected_state.as_ref();
    MismatchRow {
        op: *op,
        line: *line,
        expected_line: *expected_line,
        model,
        expected,
        state_before: before,
        state_after: after,
        expected_state: state.map(|found| ExpectedState { op: found.op, line: found.line, state: &found.text }),
    }
}

fn describe(name: &str, comparison: &Comparison) -> String {
    let name = escape(name.as_bytes());
    let Some(mismatch) = &comparison.first_mismatch else {
        return format!("{name}: all {} ops answered as expected, byte for byte\n", comparison.ops);
    };
    let mut out = String::new();
    let quoted = |answer: &str| if answer.is_empty() { "nothing".to_owned() } else { escape(answer.as_bytes()) };
    let what = if mismatch.op < comparison.ops {
        format!("{name}:{}: op {} of {} differs", mismatch.line, mismatch.op + 1, comparison.ops)
    } else {
        format!("{name}: all {} ops answered as expected, but the expected results go on", comparison.ops)
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "{what} (line {} of the expected results)\n  model     {}\n  expected  {}",
        mismatch.expected_line,
        quoted(&mismatch.model),
        quoted(&mismatch.expected),
    );
    state(&mut out, "the model before it", &mismatch.before);
    if mismatch.before == mismatch.after {
        let _ = writeln!(out, "the model after it: the same");
    } else {
        state(&mut out, "the model after it", &mismatch.after);
    }
    match &mismatch.expected_state {
        Some(found) => {
            let title = format!("expected after op {} (line {} of the expected results)", found.op + 1, found.line);
            state(&mut out, &title, &found.text);
        }
        None => {
            let _ = writeln!(out, "expected state: none is dumped near it");
        }
    }
    out
}

/// A state under its title, cut where it gets long.
fn state(out: &mut String, title: &str, text: &str) {
    let _ = writeln!(out, "{title}:");
    for line in text.lines().take(SHOWN) {
        let _ = writeln!(out, "  {}", escape(line.as_bytes()));
    }
    let more = text.lines().count().saturating_sub(SHOWN);
    if more > 0 {
        let _ = writeln!(out, "  … and {more} more lines; --json has them all");
    }
}
