//! Op scripts: run, time what follows `mark`, compare with expected results byte for byte.

use std::fmt::Write;
use std::time::Instant;

use parsers::ops::{Op, Script};
use serde::Serialize;

use crate::replay::script::{Comparison, Mismatch, ScriptRun, compare};

use super::super::args::ReplayArgs;
use super::super::error::CliError;
use super::super::json::document;
use super::super::{EXIT_NO, output};
use super::{read_expected, timing};

/// The document of `replay --json` for an op script.
#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    input: String,
    ops: usize,
    matched: Option<usize>,
    first_mismatch: Option<MismatchRow>,
    ns_per_event: f64,
    events_per_second: u64,
    peak_bytes: Option<u64>,
    metrics: super::Metrics,
    digest: String,
}

#[derive(Debug, Serialize)]
struct MismatchRow {
    op: usize,
    line: u32,
    expected_line: usize,
    model: String,
    expected: String,
}

/// Runs a script: 0, or 1 if an answer differs from the expected one.
pub(super) fn run(args: &ReplayArgs, name: &str, script: &Script) -> Result<u8, CliError> {
    if let Some(first) = script.problems.first() {
        return Err(CliError::Other {
            what: format!("{name}:{}:{}: {}", first.line, first.column, first.kind),
            hint: "an op script has to be right to the last line: one op left out changes every answer after it"
                .to_owned(),
        });
    }
    let policy = Some(args.input.policy.as_str()).filter(|id| *id != "auto");
    let compared = match &args.expect {
        Some(path) => Some(compare(script, policy, &read_expected(path)?)?),
        None => None,
    };
    let (answers, report) = timed_run(script, policy, name, compared.as_ref())?;
    let text = if args.output.json {
        document(&report)
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

fn timed_run(
    script: &Script,
    policy: Option<&str>,
    name: &str,
    compared: Option<&Comparison>,
) -> Result<(String, Report), CliError> {
    let mut run = ScriptRun::new(&script.header, policy)?;
    let mut answers = String::new();
    let mut since = Instant::now();
    let mut timed = 0_u64;
    for line in &script.ops {
        run.run(&line.op, &mut answers);
        timed += 1;
        if line.op == Op::Mark {
            since = Instant::now();
            timed = 0;
        }
    }
    let ns_per_event = since.elapsed().as_nanos() as f64 / timed.max(1) as f64;
    let report = Report {
        schema: "vmaplens.replay/1",
        input: name.to_owned(),
        ops: script.ops.len(),
        matched: compared.map(|comparison| comparison.matched),
        first_mismatch: compared.and_then(|comparison| comparison.first_mismatch.as_ref()).map(row),
        ns_per_event,
        events_per_second: if ns_per_event > 0.0 { (1e9 / ns_per_event) as u64 } else { 0 },
        peak_bytes: timing::peak_bytes(),
        metrics: super::Metrics::of(&run.allocator().metrics(), None, run.failures()),
        digest: format!(
            "{:016x}",
            crate::model::space::fnv1a(crate::model::space::FNV_OFFSET, run.dump(false).as_bytes())
        ),
    };
    Ok((answers, report))
}

fn row(mismatch: &Mismatch) -> MismatchRow {
    MismatchRow {
        op: mismatch.op,
        line: mismatch.line,
        expected_line: mismatch.expected_line,
        model: mismatch.model.clone(),
        expected: mismatch.expected.clone(),
    }
}

fn describe(name: &str, comparison: &Comparison) -> String {
    let Some(mismatch) = &comparison.first_mismatch else {
        return format!("{name}: all {} ops answered as expected, byte for byte\n", comparison.ops);
    };
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "{name}:{}: op {} of {} differs (line {} of the expected results)\n  model     {}\n  expected  {}\n\
         state of the model after it:\n{}",
        mismatch.line,
        mismatch.op + 1,
        comparison.ops,
        mismatch.expected_line,
        mismatch.model,
        mismatch.expected,
        mismatch.state,
    );
    out
}
