//! `compare --json`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Number, Value};

use super::Row;
use crate::cli::json::document;
use crate::compare::{Changes, Counts, Follows, METRICS, MetricRow, Value as Measured};
use crate::event::Seq;
use crate::replay::Replay;

/// The document.
#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    input: String,
    kernel: Option<String>,
    /// The trace's own policy and its release.
    policy: &'static str,
    release: String,
    events: u64,
    /// Demands that every lane was given.
    demands: u64,
    /// What is changed for every lane, as it can be typed.
    changes: String,
    policies: Vec<Policy>,
    violations: Vec<Violated>,
}

/// A lane.
#[derive(Debug, Serialize)]
struct Policy {
    /// As it was asked for, with what is changed.
    id: String,
    policy: &'static str,
    release: String,
    /// Whose places and timings: `itself`, `timings` of the trace, or its `records`.
    follows: &'static str,
    failures: u64,
    first_failure_seq: Option<u32>,
    /// First request whose place is not the one in the trace.
    first_divergence_seq: Option<u32>,
    /// First request whose place is not the one in the first lane.
    first_parting_seq: Option<u32>,
    metrics: Map<String, Value>,
    search_steps_mean: Option<f64>,
    search_steps_max: Option<u64>,
    page_table_pages: u64,
    tlb_flushes: u64,
    /// With `--time` alone: it is the one figure that two runs can differ in.
    ns_per_op: Option<f64>,
    digest: String,
}

/// A threshold that does not hold.
#[derive(Debug, Serialize)]
struct Violated {
    id: String,
    check: String,
    /// Events after which it is first violated; `null` if it is about the whole.
    after_event: Option<usize>,
    values: BTreeMap<&'static str, f64>,
}

/// The document of a comparison.
pub(super) fn document_of(replay: &Replay, rows: &[Row], changes: &Changes) -> String {
    let log = replay.log();
    let machine = &replay.plan().machine;
    let first = rows.first();
    let policies = rows.iter().map(|row| {
        let parting = first.and_then(|first| row.lane.first_parting(&first.lane));
        policy(row, parting)
    });
    document(&Report {
        schema: "vmaplens.compare/1",
        input: log.origin.name.clone(),
        kernel: log.origin.kernel.clone(),
        policy: machine.policy.entry.id,
        release: machine.policy.release.to_string(),
        events: replay.len() as u64,
        demands: first.map_or(0, |row| row.lane.demands().n_demands() as u64),
        changes: changes.to_string(),
        policies: policies.collect(),
        violations: rows.iter().flat_map(violated).collect(),
    })
}

fn policy(row: &Row, parting: Option<Seq>) -> Policy {
    let lane = &row.lane;
    let score = lane.score();
    let searches = lane.follows() != Follows::Records;
    let mean = METRICS.iter().find(|metric| metric.key == "search_steps_mean").and_then(|metric| (metric.value)(lane));
    let metrics = METRICS.iter().map(|metric| (metric.key.to_owned(), value_of(metric, (metric.value)(lane))));
    Policy {
        id: row.id.clone(),
        policy: lane.machine().policy.entry.id,
        release: lane.machine().policy.release.to_string(),
        follows: match lane.follows() {
            Follows::Itself => "itself",
            Follows::Timings => "timings",
            Follows::Records => "records",
        },
        failures: score.failures,
        first_failure_seq: score.first_failure,
        first_divergence_seq: lane.first_divergence().map(|seq| seq.0),
        first_parting_seq: parting.map(|seq| seq.0),
        metrics: metrics.collect(),
        search_steps_mean: mean.map(Measured::as_f64),
        search_steps_max: searches.then(|| score.search_steps.max()),
        page_table_pages: lane.end().map_or(0, |end| end.tables),
        tlb_flushes: score.tlb_flushes,
        ns_per_op: row.ns_per_op,
        digest: format!("{:016x}", lane.end().map_or(0, |end| end.digest)),
    }
}

fn value_of(_metric: &MetricRow, value: Option<Measured>) -> Value {
    match value {
        None => Value::Null,
        Some(Measured::Whole(whole)) => Value::Number(whole.into()),
        Some(quotient) => Number::from_f64(quotient.as_f64()).map_or(Value::Null, Value::Number),
    }
}

fn violated(row: &Row) -> impl Iterator<Item = Violated> {
    row.violations.iter().map(|violation| {
        let is_share = |key: &str| {
            key == "fragmentation" || METRICS.iter().any(|metric| metric.key == key && metric.counts == Counts::Share)
        };
        let value =
            |&(key, value): &(&'static str, u64)| (key, if is_share(key) { value as f64 / 1e9 } else { value as f64 });
        Violated {
            id: row.id.clone(),
            check: violation.threshold.clone(),
            after_event: violation.after,
            values: violation.values.iter().map(value).collect(),
        }
    })
}
