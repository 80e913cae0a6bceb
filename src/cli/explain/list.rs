//! `explain --all`: every failure in turn, and how often each reason was the one.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use serde::Serialize;

use super::json::short_word;
use super::{ExplainArgs, WIDTH, is_recording, recording, snapshot};
use crate::cli::error::CliError;
use crate::cli::json::{document, hex_window};
use crate::cli::{EXIT_NO, output};
use crate::event::Seq;
use crate::insight::explain::{Explanation, Short, Verdict, failures_of};
use crate::log::{Log, escape};
use crate::view::UNICODE;
use crate::view::text::{bytes, clip, count, plural, task};

#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    input: String,
    kernel: Option<String>,
    n_failures: usize,
    served: usize,
    reasons: Vec<ReasonRow>,
    failures: Vec<FailureRow>,
}

/// How often.
#[derive(Debug, Serialize)]
struct ReasonRow {
    verdict: &'static str,
    /// Why the hole that came closest was refused.
    reason: Option<&'static str>,
    failures: usize,
}

#[derive(Debug, Serialize)]
struct FailureRow {
    /// Counted from 1.
    event: u64,
    verdict: &'static str,
    reason: Option<&'static str>,
    size: u64,
    align: u64,
    range: [String; 2],
    holes: u64,
    largest_hole: u64,
    largest_after_purge: u64,
    short_by: u64,
}

/// One failure, explained.
struct One {
    seq: Seq,
    told: Explanation,
}

impl One {
    /// Why the hole that came closest was refused.
    fn reason(&self) -> Option<Short> {
        self.told.close.first().and_then(|close| close.why)
    }
}

/// Runs it: 0 if every request is served, after a purge at the latest.
///
/// # Errors
/// As for one failure.
pub(super) fn run(args: &ExplainArgs, log: &Arc<Log>) -> Result<u8, CliError> {
    let (all, log) = if is_recording(log) {
        let mut replay = recording::replay_of(args, Arc::clone(log))?;
        let failures = failures_of(replay.log());
        let explained = failures.into_iter().filter_map(|seq| {
            let told = recording::failure(args, &mut replay, seq)?;
            Some(One { seq, told })
        });
        let all: Vec<One> = explained.collect();
        (all, Arc::clone(replay.log()))
    } else {
        let all = snapshot::each(args, log)?;
        (all.into_iter().map(|(seq, told)| One { seq, told }).collect(), Arc::clone(log))
    };
    let text = if args.output.json { document(&report(&all, &log)) } else { describe(&all, &log) };
    output::write(&args.output, &text)?;
    Ok(if all.iter().all(|one| one.told.verdict.is_served()) { 0 } else { EXIT_NO })
}

/// How many failures there are of each verdict and each reason.
fn tally(all: &[One]) -> BTreeMap<(&'static str, Option<Short>), usize> {
    let mut tally = BTreeMap::new();
    for one in all {
        *tally.entry((one.told.verdict.word(), one.reason())).or_default() += 1;
    }
    tally
}

fn report(all: &[One], log: &Log) -> Report {
    let reasons = tally(all).into_iter().map(|((verdict, reason), failures)| ReasonRow {
        verdict,
        reason: reason.map(short_word),
        failures,
    });
    let failure = |one: &One| FailureRow {
        event: u64::from(one.seq.0) + 1,
        verdict: one.told.verdict.word(),
        reason: one.reason().map(short_word),
        size: one.told.asked.size,
        align: one.told.asked.align,
        range: hex_window(one.told.asked.window, one.told.is_32_bit),
        holes: one.told.now.holes,
        largest_hole: one.told.now.largest,
        largest_after_purge: one.told.purged.largest,
        short_by: one.told.short_by,
    };
    Report {
        schema: "vmaplens.explain.all/1",
        input: log.origin.name.clone(),
        kernel: log.origin.kernel.clone(),
        n_failures: all.len(),
        served: all.iter().filter(|one| one.told.verdict.is_served()).count(),
        reasons: reasons.collect(),
        failures: all.iter().map(failure).collect(),
    }
}

fn describe(all: &[One], log: &Log) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut out, all, log);
    out
}

fn write_text(out: &mut String, all: &[One], log: &Log) -> std::fmt::Result {
    writeln!(out, "{}: {}", escape(log.origin.name.as_bytes()), plural(all.len() as u64, "failure", "failures"))?;
    if all.is_empty() {
        return Ok(());
    }
    let head = format!("{:>9} {:>9} {:>7} {:>9} {:>9} {:<13} who", "event", "size", "align", "largest", "short by", "");
    writeln!(out, "\n{head}")?;
    for One { seq, told } in all {
        let Some(event) = log.get(*seq) else { continue };
        let short = match told.verdict {
            Verdict::Fits { .. } => "-".to_owned(),
            _ => bytes(told.short_by),
        };
        let align = if told.asked.align <= told.page_size { "page".to_owned() } else { bytes(told.asked.align) };
        let line = format!(
            "{:>9} {:>9} {align:>7} {:>9} {short:>9} {:<13} {}",
            count(u64::from(seq.0) + 1),
            bytes(told.asked.size),
            bytes(told.now.largest),
            brief(told.verdict),
            task(log.names.task(event.task)),
        );
        writeln!(out, "{}", clip(&line, WIDTH, &UNICODE))?;
    }
    writeln!(out, "\n{:>9}  {:<24} the hole that came closest", "failures", "what it came to")?;
    for ((verdict, reason), n) in tally(all) {
        writeln!(out, "{:>9}  {:<24} {}", count(n as u64), in_words(verdict), reason_words(reason))?;
    }
    Ok(())
}

fn brief(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fits { .. } => "fits",
        Verdict::FitsAfterPurge { .. } => "after purge",
        Verdict::PassedBy { .. } => "passed by",
        Verdict::DoesNotFit => "does not fit",
        Verdict::CannotFit => "cannot fit",
        Verdict::NotKnown => "not known",
    }
}

fn in_words(verdict: &str) -> &'static str {
    match verdict {
        "fits" => "fits",
        "fits-after-purge" => "fits after a purge",
        "passed-by" => "passed by the search",
        "cannot-fit" => "window too short",
        "not-known" => "cannot be told",
        _ => "does not fit",
    }
}

fn reason_words(reason: Option<Short>) -> &'static str {
    match reason {
        Some(Short::TooSmall) => "is too small",
        Some(Short::Clipped) => "has enough, but not in the window",
        Some(Short::Alignment) => "has enough, but not once aligned",
        None => "is long enough, or there is none",
    }
}
