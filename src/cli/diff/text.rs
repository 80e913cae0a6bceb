//! The report of `diff` for people, at most 80 columns wide.

use std::fmt::Write;

use super::{By, CURVE, Growth, Report, Verdict};
use crate::insight::Measure;
use crate::log::Pointers;
use crate::log::baseline::pointers_word;
use crate::view::growth::{clipped, figure, rate, sentence, signed, sparkline};
use crate::view::line::wrap;
use crate::view::text::{bytes, count, plural, width};
use crate::view::{Role, UNICODE};

const WIDTH: usize = 80;
/// Rows shown without `--all`.
const ROWS_SHOWN: usize = 20;
/// Columns of a difference and of a figure.
const FIGURE: usize = 10;
/// Columns of areas.
const AREAS: usize = 7;
/// Columns of the longest verdict.
const VERDICT: usize = 14;

/// The report; with `all` every row.
pub(super) fn describe(report: &Report, all: bool) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = head(&mut out, report);
    let changed: Vec<&Growth> =
        report.rows.iter().filter(|row| all || row.verdict != Verdict::Steady || row.first != row.last).collect();
    // The most grown come first, so the most shrunk are last: of many both ends are shown.
    let n_shown = if all { changed.len() } else { changed.len().min(ROWS_SHOWN) };
    let n_last = changed.iter().rev().take_while(|row| row.since_base(report.measure) < 0).count().min(n_shown / 4);
    let (first, last) = (&changed[..n_shown - n_last], &changed[changed.len() - n_last..]);
    let _ = table(&mut out, report, first, changed.len() - n_shown, last);
    let n_same = report.rows.len() - changed.len();
    if 0 < n_same {
        let _ = writeln!(out, "{} did not change", plural(n_same as u64, "row", "rows"));
    }
    let _ = reasons(&mut out, report);
    out
}

fn head(out: &mut String, report: &Report) -> std::fmt::Result {
    let n_shots = report.shots.len();
    let (first, last) = (&report.shots[report.base], &report.shots[n_shots - 1]);
    for (n, shot) in report.shots.iter().enumerate() {
        // Of many the ends are enough.
        if n == 3 && 6 < n_shots {
            writeln!(out, "     …")?;
        }
        if 3 <= n && n + 3 <= n_shots && 6 < n_shots {
            continue;
        }
        let member = shot.member.map(|member| format!(" {member}")).unwrap_or_default();
        let hidden = if shot.pointers == Pointers::Real { "" } else { pointers_word(shot.pointers) };
        let sums = format!("{} in {}", bytes(shot.totals.virtual_bytes), plural(shot.totals.areas, "area", "areas"));
        let line = format!("{:>4} {sums:<28} {}{member} {hidden}", n + 1, shot.input);
        writeln!(out, "{}", clipped(line.trim_end(), WIDTH, &UNICODE))?;
    }
    let all = |measure: Measure| i128::from(measure.of(&last.totals)) - i128::from(measure.of(&first.totals));
    let unpurged = i128::from(last.unpurged.virtual_bytes) - i128::from(first.unpurged.virtual_bytes);
    let since = if report.base == 0 { "the first".to_owned() } else { format!("snapshot {}", report.base + 1) };
    writeln!(
        out,
        "since {since}: {}, {} areas, {} pages; waiting for a purge {}",
        signed(Measure::Virtual, all(Measure::Virtual)),
        signed(Measure::Areas, all(Measure::Areas)),
        signed(Measure::Pages, all(Measure::Pages)),
        signed(Measure::Virtual, unpurged),
    )?;
    let times = (report.shots[0].at, last.at);
    match times {
        (Some(start), Some(end)) => writeln!(out, "over {} s", count((end - start) as u64)),
        _ => writeln!(out, "no rates: when they were taken is not told (--interval TIME)"),
    }
}

fn table(
    out: &mut String,
    report: &Report,
    first: &[&Growth],
    n_left_out: usize,
    last: &[&Growth],
) -> std::fmt::Result {
    let curve = if report.shots.len() < 3 { 0 } else { report.shots.len().min(CURVE) };
    let has_rates = report.rows.iter().any(|row| row.per_second.is_some());
    let room = WIDTH - 2 * (FIGURE + 1) - (AREAS + 1) - (VERDICT + 1) - if curve == 0 { 0 } else { curve + 1 };
    let what = match report.by {
        By::Caller => "caller",
        By::Module => "module",
        By::Kind => "kind",
    };
    let third = if has_rates { "rate" } else { "now" };
    let title = format!("{:>FIGURE$} {third:>FIGURE$} {:>AREAS$} {what:<room$}", "grew", "areas");
    writeln!(out, "\n{}", format!("{title} {:curve$} verdict", "").trim_end())?;
    for (n, row) in first.iter().chain(last).enumerate() {
        if n == first.len() && 0 < n_left_out {
            writeln!(out, "… {}; --all shows them", plural(n_left_out as u64, "row", "rows"))?;
        }
        let grew = signed(report.measure, row.since_base(report.measure));
        let second = match row.per_second {
            Some(per_second) if has_rates => rate(report.measure, per_second),
            _ if has_rates => String::new(),
            _ => short(report.measure, report.measure.of(&row.last)),
        };
        let areas = signed(Measure::Areas, row.since_base(Measure::Areas));
        let name = clipped(&row.key.name(), room, &UNICODE);
        let pad = " ".repeat(room - width(&name));
        let bars = sparkline(&report.curve(row, curve), &UNICODE);
        let bars = if curve == 0 { String::new() } else { format!("{bars} ") };
        writeln!(out, "{grew:>FIGURE$} {second:>FIGURE$} {areas:>AREAS$} {name}{pad} {bars}{}", row.verdict.word())?;
    }
    if last.is_empty() && 0 < n_left_out {
        writeln!(out, "… {}; --all shows them", plural(n_left_out as u64, "row", "rows"))?;
    }
    Ok(())
}

/// A figure without its noun.
fn short(measure: Measure, n: u64) -> String {
    if measure == Measure::Virtual { bytes(n) } else { count(n) }
}

/// What is behind the verdicts that matter.
fn reasons(out: &mut String, report: &Report) -> std::fmt::Result {
    let mut say = |text: &str| {
        wrap(text, Role::Text, WIDTH, 2, &UNICODE).iter().try_for_each(|row| writeln!(out, "{}", row.text()))
    };
    if report.growing().next().is_some() {
        say("")?;
    }
    for row in report.growing().take(ROWS_SHOWN) {
        say(&sentence(row, report.measure))?;
    }
    for row in report.exceeding() {
        let (grew, most) = (signed(report.measure, row.since_base(report.measure)), report.max_growth.unwrap_or(0));
        say(&format!("{}: grew by {grew}, more than {}", row.key.name(), figure(report.measure, most)))?;
    }
    Ok(())
}
