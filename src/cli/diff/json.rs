//! The document of `diff --json`.

use serde::Serialize;

use super::{By, Growth, Report};
use crate::cli::json::document;
use crate::insight::{Measure, Totals};
use crate::log::baseline::pointers_word;
use crate::view::growth::reason;

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'static str,
    snapshots: Vec<Snapshot<'a>>,
    by: &'static str,
    measure: &'static str,
    /// The snapshot that the last one is compared with, from 1.
    base: usize,
    /// Rows that grow steadily.
    growing: usize,
    /// Rows that grew more than `--max-growth`.
    exceeding: usize,
    max_growth: Option<u64>,
    /// The most grown first.
    rows: Vec<Row<'a>>,
}

#[derive(Debug, Serialize)]
struct Snapshot<'a> {
    input: &'a str,
    member: Option<&'static str>,
    /// Seconds since any moment.
    at: Option<f64>,
    pointers: &'static str,
    #[serde(flatten)]
    sums: Sums,
    unpurged_areas: u64,
    unpurged_bytes: u64,
}

#[derive(Debug, Serialize)]
struct Sums {
    areas: u64,
    virtual_bytes: u64,
    pages: u64,
}

#[derive(Debug, Serialize)]
struct Grew {
    areas: i128,
    virtual_bytes: i128,
    pages: i128,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    caller: Option<&'a str>,
    module: Option<&'a str>,
    /// `null` by module.
    kind: Option<&'static str>,
    first: Sums,
    base: Sums,
    last: Sums,
    /// Since the base.
    grew: Grew,
    /// Of the measure; `null` if the times are not known.
    per_second: Option<f64>,
    per_hour: Option<f64>,
    verdict: &'static str,
    reason: String,
    /// The measure in each snapshot.
    values: Vec<u64>,
}

pub(super) fn document_of(report: &Report) -> String {
    let snapshots = report.shots.iter().map(|shot| Snapshot {
        input: &shot.input,
        member: shot.member,
        at: shot.at,
        pointers: pointers_word(shot.pointers),
        sums: sums(&shot.totals),
        unpurged_areas: shot.unpurged.areas,
        unpurged_bytes: shot.unpurged.virtual_bytes,
    });
    let word = |found: Option<&'static str>| found.unwrap_or_default();
    document(&Document {
        schema: "vmaplens.diff/1",
        snapshots: snapshots.collect(),
        by: word(super::GROUPINGS.iter().find(|row| row.0.0 == report.by).map(|row| row.1)),
        measure: word(super::MEASURES.iter().find(|row| row.0.0 == report.measure).map(|row| row.1)),
        base: report.base + 1,
        growing: report.growing().count(),
        exceeding: report.exceeding().count(),
        max_growth: report.max_growth,
        rows: report.rows.iter().map(|growth| row(report, growth)).collect(),
    })
}

fn row<'a>(report: &Report, growth: &'a Growth) -> Row<'a> {
    let key = &growth.key;
    Row {
        caller: key.caller.as_deref(),
        module: key.module.as_deref(),
        kind: (report.by != By::Module).then_some(key.kind),
        first: sums(&growth.first),
        base: sums(&growth.base),
        last: sums(&growth.last),
        grew: Grew {
            areas: growth.since_base(Measure::Areas),
            virtual_bytes: growth.since_base(Measure::Virtual),
            pages: growth.since_base(Measure::Pages),
        },
        per_second: growth.per_second,
        per_hour: growth.per_second.map(|per_second| per_second * 3600.0),
        verdict: growth.verdict.word(),
        reason: reason(&growth.verdict, report.measure),
        values: report.curve(growth, report.shots.len()),
    }
}

fn sums(totals: &Totals) -> Sums {
    let Totals { areas, virtual_bytes, pages } = *totals;
    Sums { areas, virtual_bytes, pages }
}
