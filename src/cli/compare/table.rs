//! `compare` for people: up to four lanes beside each other, more of them one line each; and as CSV.

use std::fmt::Write;

use super::Row;
use crate::compare::{Counts, Follows, METRICS, MetricRow, Value};
use crate::event::Seq;
use crate::log::escape;
use crate::replay::Replay;
use crate::view::text::{bytes, bytes_short, count};

/// Lanes that stand beside each other in 80 columns.
const BESIDE: usize = 4;
/// Columns of a metric's name, and of a value.
const NAME: usize = 20;
const CELL: usize = 15;
/// Columns of a lane's name where each lane is a line.
const LANE: usize = 16;

/// Metrics where each lane is a line, with their headings.
const IN_LINE: [(&str, &str); 8] = [
    ("failures", "failed"),
    ("footprint_bytes", "footpr."),
    ("holes", "holes"),
    ("fragmentation", "fragm."),
    ("page_table_pages", "tables"),
    ("search_steps_mean", "steps"),
    ("search_steps_max", "most"),
    ("tlb_flushes", "flushes"),
];

/// The comparison for people.
pub(super) fn describe(replay: &Replay, rows: &[Row]) -> String {
    let mut out = String::new();
    let log = replay.log();
    let machine = &replay.plan().machine;
    let kernel = log.origin.kernel.as_deref().map_or(String::new(), |kernel| format!(" of {kernel}"));
    let kernel = escape(kernel.as_bytes());
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "{}: {} events{kernel}\nown policy {} ({})",
        escape(log.origin.name.as_bytes()),
        count(replay.len() as u64),
        machine.policy.entry.id,
        machine.policy.release
    );
    if rows.len() <= BESIDE {
        beside(rows, &mut out);
    } else {
        in_lines(rows, &mut out);
    }
    for line in violations(rows) {
        let _ = writeln!(out, "{line}");
    }
    out
}

/// One line for each violated threshold and lane.
pub(super) fn violations(rows: &[Row]) -> Vec<String> {
    let lines = rows.iter().flat_map(|row| {
        row.violations.iter().map(|violation| {
            let values = violation.values.iter().map(|&(key, value)| format!("{key} is {}", figure(key, value)));
            let place = match violation.after {
                Some(after) => format!("after event {}", count(after as u64)),
                None => "at the end".to_owned(),
            };
            let values = values.collect::<Vec<_>>().join(", ");
            format!("violated: {} under {} {place}: {values}", escape(violation.threshold.as_bytes()), row.id)
        })
    });
    lines.collect()
}

/// A value of a violation; shares are in billionths.
fn figure(key: &str, value: u64) -> String {
    let counts = METRICS.iter().find(|row| row.key == key).map_or_else(|| of_figure(key), |row| row.counts);
    match counts {
        Counts::Share => format!("{:.3}", value as f64 / 1e9),
        Counts::Bytes => bytes(value),
        Counts::Pages => format!("{} pages", count(value)),
        Counts::Nanos => format!("{} ns", count(value)),
        Counts::Things | Counts::Record => count(value),
    }
}

/// What a figure of conditions counts that is no metric by itself.
fn of_figure(word: &str) -> Counts {
    match word {
        "busy" | "pooled" | "free" => Counts::Bytes,
        "lazy" => Counts::Pages,
        _ => Counts::Things,
    }
}

fn beside(rows: &[Row], out: &mut String) {
    let fits = rows.iter().all(|row| row.id.len() < CELL);
    let letter = |index: usize| char::from(b'A' + index as u8).to_string();
    for (index, row) in rows.iter().enumerate().filter(|_| !fits) {
        let _ = writeln!(out, "{}  {} ({})", letter(index), row.id, row.lane.machine().policy.release);
    }
    let heads = rows.iter().enumerate().map(|(index, row)| if fits { row.id.clone() } else { letter(index) });
    line("", heads, out);
    line("release", rows.iter().map(|row| row.lane.machine().policy.release.to_string()), out);
    line("timings of", rows.iter().map(|row| follows(row).to_owned()), out);
    line("parts from trace", rows.iter().map(|row| seq(row.lane.first_divergence())), out);
    if let Some((first, _)) = rows.split_first() {
        line("parts from first", rows.iter().map(|row| seq(row.lane.first_parting(&first.lane))), out);
    }
    for metric in METRICS {
        let values: Vec<Option<Value>> = rows.iter().map(|row| (metric.value)(&row.lane)).collect();
        if values.iter().any(Option::is_some) {
            line(metric.title, values.iter().map(|value| cell(metric, *value)), out);
        }
    }
    if rows.iter().any(|row| row.ns_per_op.is_some()) {
        line("ns an operation", rows.iter().map(nanos), out);
    }
}

fn line(name: &str, cells: impl Iterator<Item = String>, out: &mut String) {
    let mut text = format!("{name:<NAME$}");
    for cell in cells {
        let _ = write!(text, "{cell:>CELL$}");
    }
    out.push_str(text.trim_end());
    out.push('\n');
}

fn in_lines(rows: &[Row], out: &mut String) {
    let mut head = format!("{:<LANE$}", "");
    for (_, title) in IN_LINE {
        let _ = write!(head, "{title:>8}");
    }
    out.push_str(&head);
    out.push('\n');
    for row in rows {
        let mut text = format!("{:<LANE$}", row.id);
        if text.len() > LANE {
            text = format!("{}\n{:LANE$}", row.id, "");
        }
        for (key, _) in IN_LINE {
            let metric = METRICS.iter().find(|metric| metric.key == key);
            let cell = metric.map_or(String::new(), |metric| short(metric, (metric.value)(&row.lane)));
            let _ = write!(text, "{cell:>8}");
        }
        out.push_str(&text);
        out.push('\n');
    }
    out.push_str("footpr.: highest address used; fragm.: 1 - largest hole / free; steps: looks of\n");
    out.push_str("a search, mean and most. Every metric: --json, --csv, or up to four policies.\n");
}

fn follows(row: &Row) -> &'static str {
    match row.lane.follows() {
        Follows::Itself => "its own",
        Follows::Timings | Follows::Records => "the trace",
    }
}

fn seq(seq: Option<Seq>) -> String {
    seq.map_or_else(|| "nowhere".to_owned(), |seq| format!("event {}", count(u64::from(seq.0) + 1)))
}

fn nanos(row: &Row) -> String {
    row.ns_per_op.map_or_else(|| "-".to_owned(), |nanos| format!("{nanos:.0}"))
}

fn cell(metric: &MetricRow, value: Option<Value>) -> String {
    let Some(value) = value else { return "-".to_owned() };
    match (metric.counts, value) {
        (Counts::Record, Value::Whole(record)) => format!("event {}", count(record + 1)),
        (Counts::Share, value) => format!("{:.4}", value.as_f64()),
        (Counts::Bytes, value) => bytes(value.as_f64() as u64),
        (_, Value::Whole(whole)) => count(whole),
        (_, quotient) => format!("{:.2}", quotient.as_f64()),
    }
}

fn short(metric: &MetricRow, value: Option<Value>) -> String {
    let Some(value) = value else { return "-".to_owned() };
    match (metric.counts, value) {
        (Counts::Bytes, value) => bytes_short(value.as_f64() as u64),
        (Counts::Share, value) => format!("{:.4}", value.as_f64()),
        (_, Value::Whole(whole)) if whole < 1_000_000 => whole.to_string(),
        (_, value) if value.as_f64() < 100.0 => format!("{:.2}", value.as_f64()),
        (_, value) if value.as_f64() < 1e6 => format!("{:.0}", value.as_f64()),
        (_, value) => format!("{:.1}M", value.as_f64() / 1e6),
    }
}

/// One line for each lane, every metric a column.
pub(super) fn csv(replay: &Replay, rows: &[Row]) -> String {
    let mut out = String::from("input,id,policy,release,first_divergence_seq,first_parting_seq");
    for metric in METRICS {
        let _ = write!(out, ",{}", metric.key);
    }
    out.push_str(",ns_per_op\n");
    let first = rows.first();
    for row in rows {
        let machine = row.lane.machine();
        let number = |seq: Option<Seq>| seq.map_or_else(String::new, |seq| seq.0.to_string());
        let parting = first.and_then(|first| row.lane.first_parting(&first.lane));
        let mut cells = vec![
            quoted(&escape(replay.log().origin.name.as_bytes())),
            quoted(&row.id),
            machine.policy.entry.id.to_owned(),
            machine.policy.release.to_string(),
            number(row.lane.first_divergence()),
            number(parting),
        ];
        cells.extend(METRICS.iter().map(|metric| match (metric.value)(&row.lane) {
            None => String::new(),
            Some(Value::Whole(whole)) => whole.to_string(),
            Some(quotient) => quotient.as_f64().to_string(),
        }));
        cells.push(row.ns_per_op.map_or_else(String::new, |nanos| nanos.to_string()));
        out.push_str(&cells.join(","));
        out.push('\n');
    }
    out
}

/// A cell that may have a comma in it.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
