//! `OpenMetrics` text: one state as gauges, and counters of what led to it.

pub mod snapshot;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;

use super::ExportError;
use super::about::About;
use super::counters::{COUNTERS, Unit, values};
use super::csv::plain;
use super::walk::Walk;
use crate::replay::Replay;

/// Writes the state after `at` records.
///
/// # Errors
/// What is written to says no.
pub fn write(replay: &Replay, at: usize, mut to: impl Write) -> Result<(), ExportError> {
    let about = About::of(replay);
    let mut walk = Walk::new(replay);
    walk.go_to(at);
    let mut out = String::new();
    // Writing to a string cannot fail.
    let labels: Vec<String> = about
        .pairs("vmaplens.openmetrics/1")
        .iter()
        .map(|(key, value)| format!("{key}=\"{}\"", label(value)))
        .collect();
    let _ = writeln!(out, "# TYPE vmaplens info\n# HELP vmaplens Where the figures are from.");
    let _ = writeln!(out, "vmaplens_info{{{},at=\"{}\"}} 1", labels.join(","), walk.at());
    let policy = label(&about.policy);
    let now = values(walk.space(), walk.counted.fails);
    for (counter, value) in COUNTERS.iter().zip(now).filter(|(counter, _)| counter.name != "failures") {
        head(&mut out, counter.name, "gauge", counter.unit, counter.what);
        let _ = writeln!(out, "vmaplens_{}{{policy=\"{policy}\"}} {value}", counter.name);
    }
    let counted = walk.counted;
    for (name, value, what) in [
        ("allocs", counted.allocs, "Allocations"),
        ("frees", counted.frees, "Frees"),
        ("failures", counted.fails, "Failed attempts"),
        ("purges", counted.purges, "Purges"),
        ("lost", about.lost, "Records that are missing in the whole input"),
    ] {
        head(&mut out, name, "counter", Unit::Count, what);
        let _ = writeln!(out, "vmaplens_{name}_total{{policy=\"{policy}\"}} {value}");
    }
    let callers = by_caller(&walk);
    for (which, (name, unit, what)) in [
        ("caller_areas", Unit::Count, "Areas in use, by who asked"),
        ("caller_bytes", Unit::Bytes, "Their bytes, guard pages included"),
    ]
    .into_iter()
    .enumerate()
    {
        head(&mut out, name, "gauge", unit, what);
        for ((caller, kind), sums) in &callers {
            let value = if which == 0 { sums.0 } else { sums.1 };
            let caller = label(caller);
            let _ = writeln!(out, "vmaplens_{name}{{policy=\"{policy}\",caller=\"{caller}\",kind=\"{kind}\"}} {value}");
        }
    }
    out.push_str("# EOF\n");
    to.write_all(out.as_bytes())?;
    Ok(to.flush()?)
}

fn head(out: &mut String, name: &str, kind: &str, unit: Unit, what: &str) {
    let _ = writeln!(out, "# TYPE vmaplens_{name} {kind}");
    if unit == Unit::Bytes {
        let _ = writeln!(out, "# UNIT vmaplens_{name} bytes");
    }
    let _ = writeln!(out, "# HELP vmaplens_{name} {what}.");
}

/// Areas in use and their bytes, by caller and kind; an empty caller is unknown.
fn by_caller(walk: &Walk<'_>) -> BTreeMap<(String, &'static str), (u64, u64)> {
    let usages = walk.replay().usages();
    let mut callers: BTreeMap<(String, &'static str), (u64, u64)> = BTreeMap::new();
    for area in walk.busy() {
        let usage = walk.usage(area);
        let name = usage.and_then(|usage| usages.caller_name(usage.caller)).unwrap_or_default();
        let kind = usage.map_or("unknown", |usage| usage.kind.word());
        let sums = callers.entry((name.to_owned(), kind)).or_default();
        *sums = (sums.0 + 1, sums.1 + area.len_bytes());
    }
    callers
}

/// A label's value: other people's bytes, and what the format escapes.
fn label(value: &str) -> String {
    plain(value.as_bytes()).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
