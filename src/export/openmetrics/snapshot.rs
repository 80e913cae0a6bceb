//! One snapshot as gauges, for the textfile collector of `node_exporter`: nothing but `gauge`, which both of its formats have.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;

use super::{head, label};
use crate::export::ExportError;
use crate::export::counters::Unit;
use crate::insight::{self, Group, Totals, page_size_of, summarize};
use crate::log::baseline::pointers_word;
use crate::log::{Baseline, Log};

/// Callers that are named without `--top`.
pub const TOP: usize = 20;

/// The three figures of sums: what their names end in, the unit, what they say, their value.
type Figure = (&'static str, Unit, &'static str, fn(&Totals) -> u64);
const FIGURES: [Figure; 3] = [
    ("areas", Unit::Count, "Areas", |totals| totals.areas),
    ("virtual_bytes", Unit::Bytes, "Bytes of address space, guard pages included", |totals| totals.virtual_bytes),
    ("pages", Unit::Count, "Data pages", |totals| totals.pages),
];

/// Writes the last snapshot of a log: by caller the `top` with the most address space, the others as one that is called
/// `other`. False, and nothing, if it has none.
///
/// # Errors
/// What is written to says no.
pub fn write(log: &Log, top: usize, mut to: impl Write) -> Result<bool, ExportError> {
    let Some(snapshot) = log.after.as_ref().or(log.before.as_ref()) else { return Ok(false) };
    let page_size = page_size_of(log, snapshot);
    let summary = summarize(snapshot, page_size);
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = about(&mut out, log, snapshot, page_size);
    for (name, unit, what, value) in FIGURES {
        one(&mut out, name, unit, what, value(&summary.totals));
    }
    one(&mut out, "guard_bytes", Unit::Bytes, "Bytes of guard pages", summary.guard_bytes);
    let unpurged = summary.unpurged;
    one(&mut out, "unpurged_areas", Unit::Count, "Areas freed and not purged", unpurged.areas);
    one(&mut out, "unpurged_bytes", Unit::Bytes, "Bytes freed and not purged", unpurged.virtual_bytes);
    let range = log.origin.vmalloc.or_else(|| insight::span(snapshot));
    if let Some(holes) = range.and_then(|range| insight::holes(snapshot, range)) {
        one(&mut out, "holes", Unit::Count, "Holes of the vmalloc range, or between its areas", holes.count);
        one(&mut out, "largest_hole_bytes", Unit::Bytes, "Bytes of the largest of them", holes.largest);
    }
    let (named, others) = summary.by_caller.split_at(top.min(summary.by_caller.len()));
    let mut callers = labelled(named, |group| {
        let [caller, module] = [group.caller, group.module].map(|name| label(name.unwrap_or_default()));
        format!("caller=\"{caller}\",module=\"{module}\",kind=\"{}\"", group.kind)
    });
    let rest = labelled(others, |_| "caller=\"other\",module=\"\",kind=\"\"".to_owned());
    callers.extend(rest);
    many(&mut out, "caller", "by who asked for them", &callers);
    let kinds = labelled(&summary.by_kind, |group| format!("kind=\"{}\"", group.kind));
    many(&mut out, "kind", "by what they are for", &kinds);
    let modules =
        labelled(&summary.by_module, |group| format!("module=\"{}\"", label(group.module.unwrap_or_default())));
    many(&mut out, "module", "by the module that asked; without a name the kernel itself", &modules);
    if !summary.by_node.is_empty() {
        head(&mut out, "snapshot_node_pages", "gauge", Unit::Count, "Data pages by NUMA node");
        for row in &summary.by_node {
            let _ = writeln!(out, "vmaplens_snapshot_node_pages{{node=\"{}\"}} {}", row.node, row.pages);
        }
    }
    out.push_str("# EOF\n");
    to.write_all(out.as_bytes())?;
    to.flush()?;
    Ok(true)
}

fn about(out: &mut String, log: &Log, snapshot: &Baseline, page_size: u64) -> std::fmt::Result {
    head(out, "snapshot_about", "gauge", Unit::Count, "Always 1; the labels say where the figures are from");
    let (name, kernel) = (label(&log.origin.name), label(log.origin.kernel.as_deref().unwrap_or_default()));
    let pointers = pointers_word(snapshot.pointers);
    writeln!(
        out,
        "vmaplens_snapshot_about{{schema=\"vmaplens.openmetrics/1\",input=\"{name}\",kernel=\"{kernel}\",\
         pointers=\"{pointers}\",page_size=\"{page_size}\"}} 1"
    )
}

fn one(out: &mut String, name: &str, unit: Unit, what: &str, value: u64) {
    let name = format!("snapshot_{name}");
    head(out, &name, "gauge", unit, what);
    let _ = writeln!(out, "vmaplens_{name} {value}");
}

fn many(out: &mut String, by: &str, how: &str, rows: &BTreeMap<String, Totals>) {
    for (name, unit, what, value) in FIGURES {
        let name = format!("snapshot_{by}_{name}");
        head(out, &name, "gauge", unit, &format!("{what}, {how}"));
        for (labels, totals) in rows {
            let _ = writeln!(out, "vmaplens_{name}{{{labels}}} {}", value(totals));
        }
    }
}

/// Sums by the labels they get: what is escaped alike is one series, as a series may be there only once.
fn labelled(groups: &[Group<'_>], labels: impl Fn(&Group<'_>) -> String) -> BTreeMap<String, Totals> {
    let mut rows: BTreeMap<String, Totals> = BTreeMap::new();
    for group in groups {
        rows.entry(labels(group)).or_default().join(&group.totals);
    }
    rows
}
