//! The report of `inspect` for people.

use std::fmt::Write;

use crate::log::escape;
use crate::view::hashed::HOW;
use crate::view::line::wrap;
use crate::view::text::{bytes, count, plural, width};
use crate::view::{Role, UNICODE};

use super::{ByCaller, Report, Sums};

/// Columns of what is told in sentences.
const WIDTH: usize = 80;
/// Callers shown without `--all`.
const CALLERS_SHOWN: usize = 20;

/// The report as text; with `all` every caller.
pub(super) fn describe(report: &Report<'_>, all: bool) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = head(&mut out, report);
    let _ = layout(&mut out, report);
    let shown = if all { report.by_caller.len() } else { CALLERS_SHOWN };
    let callers: Vec<_> = report.by_caller.iter().take(shown).map(|row| (caller_name(row), row.sums)).collect();
    let _ = table(&mut out, "caller", &callers);
    let hidden = report.by_caller.len().saturating_sub(shown);
    if 0 < hidden {
        let _ = writeln!(out, "… and {}; --all shows them", plural(hidden as u64, "caller", "callers"));
    }
    let kinds: Vec<_> = report.by_kind.iter().map(|row| (row.kind.to_owned(), row.sums)).collect();
    let _ = table(&mut out, "kind", &kinds);
    let modules: Vec<_> = report.by_module.iter().map(|row| (module_name(row.module), row.sums)).collect();
    if 1 < modules.len() {
        let _ = table(&mut out, "module", &modules);
    }
    if !report.by_node.is_empty() {
        let _ = writeln!(out, "\n{:>14}  {:>9}  NUMA node", "pages", "areas");
        for row in &report.by_node {
            let _ = writeln!(out, "{:>14}  {:>9}  N{}", count(row.pages), count(row.areas), row.node);
        }
    }
    out
}

fn head(out: &mut String, report: &Report<'_>) -> std::fmt::Result {
    write!(out, "{}", escape(report.input.as_bytes()))?;
    if let Some(member) = report.member {
        write!(out, ", {member}")?;
    }
    if let Some(kernel) = report.kernel {
        write!(out, ", Linux {}", escape(kernel.as_bytes()))?;
    }
    let (areas, space) = (plural(report.areas, "area", "areas"), bytes(report.virtual_bytes));
    write!(out, "\n{areas}, {space} of address space")?;
    if report.tells_pages {
        let data = bytes(report.physical_pages.saturating_mul(report.page_size));
        writeln!(out, ", of it {} guard pages; {data} of data", bytes(report.guard_bytes))?;
    } else {
        writeln!(out, "; guard pages and data are not told")?;
    }
    match report.unpurged_areas {
        0 => writeln!(out, "no area waits for a purge"),
        n => writeln!(
            out,
            "of these, {}, {}, freed but not purged",
            plural(n, "area", "areas"),
            bytes(report.unpurged_bytes)
        ),
    }
}

fn layout(out: &mut String, report: &Report<'_>) -> std::fmt::Result {
    if let Some(holes) = &report.holes {
        let [start, end] = &holes.range;
        writeln!(
            out,
            "{} in {start}-{end} (from {}){}",
            plural(holes.count, "hole", "holes"),
            holes.range_from,
            match holes.count {
                0 => String::new(),
                _ => {
                    let (total, largest) = (bytes(holes.total), bytes(holes.largest));
                    format!(": {total} free, the largest {largest} at {}", holes.largest_at)
                }
            },
        )?;
        if 0 < holes.outside {
            writeln!(out, "outside of it: {}", plural(holes.outside, "area", "areas"))?;
        }
        if 0 < holes.overlaps {
            writeln!(out, "overlapping an earlier one: {}", plural(holes.overlaps, "area", "areas"))?;
        }
    }
    if let Some(reason) = report.reason {
        let told = format!("holes: not known, {reason}; to see them {HOW}");
        wrap(&told, Role::Text, WIDTH, 2, &UNICODE).iter().try_for_each(|row| writeln!(out, "{}", row.text()))?;
    }
    if let Some(chains) = &report.chains {
        writeln!(
            out,
            "{} of touching areas, the longest {} and {}",
            plural(chains.count, "run", "runs"),
            plural(chains.longest_areas, "area", "areas"),
            bytes(chains.longest_bytes),
        )?;
    }
    for words in &report.layout_words {
        wrap(words, Role::Text, WIDTH, 2, &UNICODE).iter().try_for_each(|row| writeln!(out, "{}", row.text()))?;
    }
    Ok(())
}

/// Numbers first: they line up whatever the names are.
fn table(out: &mut String, title: &str, rows: &[(String, Sums)]) -> std::fmt::Result {
    let sizes: Vec<_> = rows.iter().map(|(_, sums)| bytes(sums.virtual_bytes)).collect();
    let room = sizes.iter().map(|size| width(size)).max().unwrap_or(0).max("space".len());
    writeln!(out, "\n{:>room$}  {:>9}  {:>12}  {title}", "space", "areas", "pages")?;
    for (size, (name, sums)) in sizes.iter().zip(rows) {
        writeln!(out, "{size:>room$}  {:>9}  {:>12}  {name}", count(sums.areas), count(sums.pages))?;
    }
    Ok(())
}

/// `move_module [nf_tables] (vmalloc)`; a row without a caller is called by its kind alone.
fn caller_name(row: &ByCaller<'_>) -> String {
    let Some(caller) = row.caller else { return format!("({})", row.kind) };
    let module = row.module.map_or_else(String::new, |module| format!(" [{}]", escape(module.as_bytes())));
    format!("{}{module} ({})", escape(caller.as_bytes()), row.kind)
}

fn module_name(module: Option<&str>) -> String {
    module.map_or_else(|| "(the kernel itself)".to_owned(), |module| escape(module.as_bytes()))
}
