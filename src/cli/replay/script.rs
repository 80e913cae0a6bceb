//! Op scripts: run, time what follows `mark`, compare with expected results byte for byte.

use std::fmt::Write;
use std::time::Instant;

use parsers::ops::Op;
use serde::Serialize;

use crate::log::{Log, ScriptLog, escape};
use crate::replay::script::{Comparison, Done, Mismatch, ScriptRun, compare};

use super::super::args::ReplayArgs;
use super::super::error::CliError;
use super::super::json::document;
use super::super::{EXIT_NO, output};
use super::timing;

/// Lines of a state written out for people; the JSON has them all.
const SHOWN: usize = 48;

/// The document of `replay --json` for an op script.
#[derive(Debug, Serialize)]
struct Report<'a> {
    schema: &'static str,
    input: &'a str,
    policy: &'static str,
    release: String,
    ops: usize,
    matched: Option<usize>,
    first_mismatch: Option<MismatchRow<'a>>,
    ns_per_event: f64,
    events_per_second: u64,
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
    let mut run = ScriptRun::new(script, &settings)?;
    let mut answers = String::new();
    let ns_per_event = timed_run(script, &mut run, &mut answers);
    let text = if args.output.json {
        document(&report(name, script, &run, ns_per_event, compared.as_ref()))
    } else {
        match &compared {
            Some(comparison) => describe(name, comparison),
            None => answers,
        }
    };
    output::write(&args.output, &text)?;
    let differs = compared.is_some_and(|comparison| comparison.first_mismatch.is_some());
    Ok(if differs { EXIT_NO } else { 0 })
}

/// Runs every op; answers the nanoseconds each of those behind the last `mark` took.
fn timed_run(script: &ScriptLog, run: &mut ScriptRun, answers: &mut String) -> f64 {
    let mut done = Done::default();
    let mut since = Instant::now();
    let mut timed = 0_u64;
    for line in &script.ops {
        run.print(&line.op, 0, &mut done, answers);
        timed += 1;
        if line.op == Op::Mark {
            since = Instant::now();
            timed = 0;
        }
    }
    since.elapsed().as_nanos() as f64 / timed.max(1) as f64
}

fn report<'a>(
    name: &'a str,
    script: &ScriptLog,
    run: &ScriptRun,
    ns_per_event: f64,
    compared: Option<&'a Comparison>,
) -> Report<'a> {
    let policy = &run.machine().policy;
    Report {
        schema: "vmaplens.replay/1",
        input: name,
        policy: policy.entry.id,
        release: policy.release.to_string(),
        ops: script.ops.len(),
        matched: compared.map(|comparison| comparison.matched),
        first_mismatch: compared.and_then(|comparison| comparison.first_mismatch.as_ref()).map(row),
        ns_per_event,
        events_per_second: if ns_per_event > 0.0 { (1e9 / ns_per_event) as u64 } else { 0 },
        peak_bytes: timing::peak_bytes(),
        metrics: super::Metrics::of(&run.allocator().metrics(), Some(run.space().n_tables()), run.failures()),
        digest: format!("{:016x}", run.space().digest()),
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
