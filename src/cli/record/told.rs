//! What `record` says: its plan, what is possible, what came of it.

use std::fmt::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::log::baseline::pointers_word;
use crate::log::escape;
use crate::record::check::{Need, is_possible};
use crate::record::finish::Bundle;
use crate::record::leftovers::Leftover;
use crate::record::loss::{self, Loss};
use crate::record::plan::{Command, Step};
use crate::record::session::{End, Taken};
use crate::record::snapshot::Snapshot;
use crate::record::{Facts, Plan, Settings};
use crate::view::text::{bytes, count};

/// What a killed recording has left, in words.
pub fn leftover(leftover: &Leftover) -> String {
    match leftover {
        Leftover::Instance(path) => format!("{} is left of a recording that was killed", path.display()),
        Leftover::Probe(_, probe) => format!("the probe {probe} is left of a recording that was killed"),
        Leftover::Setting(_, before) => {
            format!("kernel.kptr_restrict was {before} before a recording that was killed changed it")
        }
    }
}

/// `--check` for people.
pub fn check(facts: &Facts, needs: &[Need], left: &[Leftover]) -> String {
    // Writing to a string cannot fail, here and below.
    let mut out = format!("Linux {} on {}\n\n", facts.release, facts.machine);
    for need in needs {
        let word = match (need.met, need.must) {
            (true, _) => "yes",
            (false, true) => "no",
            (false, false) => "not",
        };
        let _ = writeln!(out, "{word:<4} {:<10} {}", need.need, need.because);
        if let Some(remedy) = &need.remedy {
            let _ = writeln!(out, "                → {remedy}");
        }
    }
    out.push('\n');
    for one in left {
        let _ = writeln!(out, "{}: the next recording removes it", leftover(one));
    }
    let shown = facts.pointers.is_some();
    out.push_str(match (is_possible(needs), shown) {
        (true, true) => "A recording can be made here.\n",
        (true, false) => "A recording can be made here, but without the areas that are there already.\n",
        (false, _) => "No recording can be made here.\n",
    });
    out
}

/// The same for programs.
#[derive(Debug, Serialize)]
pub struct Checked<'a> {
    schema: &'static str,
    kernel: &'a str,
    arch: &'a str,
    possible: bool,
    tracefs: String,
    source: &'static str,
    pointers: Option<&'static str>,
    kptr_restrict: Option<u8>,
    needs: &'a [Need],
    leftovers: Vec<String>,
}

impl<'a> Checked<'a> {
    /// Puts it together.
    pub fn new(facts: &'a Facts, needs: &'a [Need], left: &[Leftover]) -> Self {
        Self {
            schema: "vmaplens.record-check/1",
            kernel: &facts.release,
            arch: &facts.machine,
            possible: is_possible(needs),
            tracefs: facts.tracefs.path().to_string_lossy().into_owned(),
            source: if facts.has_events { "events" } else { "probes" },
            pointers: facts.pointers.map(pointers_word),
            kptr_restrict: facts.kptr,
            needs,
            leftovers: left.iter().map(leftover).collect(),
        }
    }
}

/// `--dry-run` for people: commands, as one would type them.
pub fn plan(facts: &Facts, settings: &Settings, plan: &Plan) -> String {
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    let n = plan.writes().count();
    line(&format!("# {n} changes, taken back at the end; nothing is done now"));
    for why in &plan.left_out {
        line(&format!("# {why}"));
    }
    for step in plan.steps.iter().chain([&plan.start]) {
        line(&said(step));
    }
    let reads = |when: &str| {
        let mut text = format!("# {when}, up to five times, until nothing happens meanwhile:\n");
        for step in &plan.around_reads {
            let _ = writeln!(text, "{step}");
        }
        let mark = plan.instance.join("trace_marker");
        let _ = writeln!(text, "echo vmaplens:{when}:begin 1 > {}", mark.display());
        let _ = writeln!(text, "cat /proc/vmallocinfo > vmallocinfo.{when}");
        let _ = writeln!(text, "echo vmaplens:{when}:end 1 > {}", mark.display());
        for step in plan.around_reads.iter().rev() {
            let Some(undo) = &step.undo else { continue };
            let _ = writeln!(text, "{}", Command(undo, &step.path));
        }
        text
    };
    if let Some(step) = &plan.empty_pools {
        line(&said(step));
    }
    line(reads("before").trim_end());
    if let Some(program) = settings.command.first() {
        line(&format!("# meanwhile: {}", escape(program.to_string_lossy().as_bytes())));
    }
    for cpu in &facts.online {
        line(&format!(
            "cat {} > events.pages/cpu{cpu}",
            plan.instance.join(format!("per_cpu/cpu{cpu}/trace_pipe_raw")).display()
        ));
    }
    line(reads("after").trim_end());
    line("# and back:");
    for step in plan.steps.iter().chain([&plan.start]).rev() {
        let Some(undo) = &step.undo else { continue };
        line(&Command(undo, &step.path).to_string());
    }
    out
}

fn said(step: &Step) -> String {
    let optional = if step.is_optional { ", if there is such a thing" } else { "" };
    format!("{step}    # {}{optional}", step.why)
}

/// The same for programs.
#[derive(Debug, Serialize)]
pub struct Planned {
    schema: &'static str,
    instance: String,
    buffer_kib: u64,
    events: Vec<String>,
    writes: Vec<PlannedWrite>,
}

#[derive(Debug, Serialize)]
struct PlannedWrite {
    path: String,
    does: String,
    undo: Option<String>,
    optional: bool,
    why: &'static str,
}

impl Planned {
    /// Puts it together.
    pub fn new(plan: &Plan) -> Self {
        let write = |step: &Step| PlannedWrite {
            path: step.path.to_string_lossy().into_owned(),
            does: step.to_string(),
            undo: step.undo.as_ref().map(|undo| Command(undo, &step.path).to_string()),
            optional: step.is_optional,
            why: step.why,
        };
        Self {
            schema: "vmaplens.record-plan/1",
            instance: plan.instance.to_string_lossy().into_owned(),
            buffer_kib: plan.buffer_kib,
            events: plan.events.clone(),
            writes: plan.writes().map(write).collect(),
        }
    }
}

/// What is said when a recording begins.
pub fn begins(facts: &Facts, settings: &Settings, plan: &Plan) -> String {
    let what = if facts.has_events { "the allocator's events" } else { "probes on the allocator" };
    let ends = match (settings.limits.duration, settings.command.first()) {
        (Some(duration), _) => format!("for {} s", duration.as_secs_f64()),
        (None, Some(program)) => format!("until {} ends", escape(program.to_string_lossy().as_bytes())),
        (None, None) => "until Ctrl-C".to_owned(),
    };
    format!("recording {what} {ends}, {} KiB of buffer for each of {} CPUs", plan.buffer_kib, facts.n_cpus())
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Summary {
    schema: &'static str,
    output: String,
    bytes: u64,
    members: usize,
    kernel: String,
    source: &'static str,
    ended_by: &'static str,
    elapsed_ms: u64,
    command_status: Option<String>,
    events: Events,
    lost: u64,
    loss: Loss,
    snapshots: Snapshots,
    replayable: bool,
    kept: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Events {
    alloc: u64,
    failed: u64,
    free: u64,
    purge: u64,
    other: u64,
}

#[derive(Debug, Serialize)]
struct Snapshots {
    before: Option<OneSnapshot>,
    after: Option<OneSnapshot>,
}

#[derive(Debug, Serialize)]
struct OneSnapshot {
    pointers: &'static str,
    tries: u32,
    records_meanwhile: u64,
}

impl Summary {
    /// Puts it together.
    pub fn new(target: &Path, facts: &Facts, settings: &Settings, taken: &Taken, bundle: &Bundle) -> Self {
        let digest = &bundle.digest;
        let loss = loss::total(&taken.stats);
        let one = |snapshot: &Snapshot| OneSnapshot {
            pointers: pointers_word(snapshot.pointers),
            tries: snapshot.kept,
            records_meanwhile: snapshot.records,
        };
        let before = taken.before.as_ref();
        Self {
            schema: "vmaplens.record/1",
            output: escape(target.to_string_lossy().as_bytes()),
            bytes: bundle.bytes,
            members: bundle.n_members,
            kernel: facts.release.clone(),
            source: if facts.has_events { "events" } else { "probes" },
            ended_by: match taken.end {
                End::Duration => "duration",
                End::Size => "size",
                End::Failed => "failed",
                End::Command => "command",
                End::Signal => "signal",
            },
            elapsed_ms: taken.elapsed.as_millis() as u64,
            command_status: taken.status.map(|status| status.to_string()),
            events: Events {
                alloc: digest.allocs,
                failed: digest.failed,
                free: digest.frees,
                purge: digest.purges,
                other: digest.others,
            },
            lost: loss.lost(),
            loss,
            replayable: settings.filter.is_none() && crate::record::manifest::is_real(before),
            snapshots: Snapshots { before: before.map(one), after: taken.after.as_ref().map(one) },
            kept: taken.kept.iter().map(|kept| kept.what.clone()).collect(),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, .. } = self;
        let seconds = self.elapsed_ms as f64 / 1000.0;
        writeln!(
            f,
            "{}: {} in {} members, {seconds:.1} s, ended by {}",
            self.output,
            bytes(self.bytes),
            self.members,
            self.ended_by
        )?;
        let failed = if events.failed > 0 { format!(" ({} failed)", count(events.failed)) } else { String::new() };
        let (allocs, frees, purges) = (count(events.alloc), count(events.free), count(events.purge));
        writeln!(f, "{allocs} allocations{failed}, {frees} frees, {purges} purges; {} lost", count(self.lost))?;
        if let Some(status) = self.command_status.as_ref().filter(|status| *status != "exit status: 0") {
            writeln!(f, "the command ended with {status}")?;
        }
        for (when, snapshot) in [("before", &self.snapshots.before), ("after", &self.snapshots.after)] {
            match snapshot {
                None => writeln!(f, "no areas {when}: /proc/vmallocinfo could not be read")?,
                Some(one) => writeln!(
                    f,
                    "areas {when}: {} addresses, try {}, {} records meanwhile",
                    one.pointers,
                    one.tries,
                    count(one.records_meanwhile)
                )?,
            }
        }
        if self.lost > 0 {
            writeln!(f, "lost records break a replay: --buffer-size takes more")?;
        }
        if self.replayable {
            writeln!(f, "vmaplens {} opens it, vmaplens verify {} replays it", self.output, self.output)?;
        }
        Ok(())
    }
}
