//! [`About`]: what every export says of itself.

use parsers::sniff::Format;

use super::json::Object;
use crate::log::{Clock, InputKind, Log};
use crate::replay::Replay;

/// The source of rows about many inputs.
const SURVEY: &str = "survey";

/// What every export says of itself, in one order.
#[derive(Debug, Clone)]
pub struct About {
    /// `vmaplens` and its version.
    pub tool: String,
    /// `trace` (measured), `replay` (a trace under rules that are not its kernel's), `model` (an op script) or `snapshot`.
    pub source: &'static str,
    /// Name of the input; no folder.
    pub input: String,
    /// Kernel release, as `uname -r`.
    pub kernel: Option<String>,
    /// The policy that made the modelled values.
    pub policy: String,
    /// Its release.
    pub release: String,
    /// How it was chosen.
    pub policy_from: &'static str,
    /// CPUs that could ever be there.
    pub cpus: u32,
    /// Bytes in a page.
    pub page_size: u64,
    /// Digits of an address.
    pub digits: usize,
    /// `VMALLOC_START` and `VMALLOC_END`.
    pub range: (u64, u64),
    /// Name of the trace clock; `unknown` where the input does not say.
    pub clock: String,
    /// What its stamps count.
    pub unit: Clock,
    /// Nanoseconds between two stamps that differ, where the form of the input tells.
    pub time_resolution_ns: Option<u64>,
    /// Records in the input.
    pub records: u64,
    /// Records that are missing.
    pub lost: u64,
    /// Those of them that were overwritten before the first one.
    pub overwritten: u64,
    /// Damaged places that were skipped.
    pub problems: u64,
}

impl About {
    /// What is known of a replay.
    pub fn of(replay: &Replay) -> Self {
        let (log, machine) = (replay.log(), &replay.plan().machine);
        let origin = &log.origin;
        Self {
            tool: concat!("vmaplens ", env!("CARGO_PKG_VERSION")).to_owned(),
            source: match origin.kind {
                InputKind::Trace if machine.has_foreign_rules(log) => "replay",
                InputKind::Trace => "trace",
                InputKind::Snapshot => "snapshot",
                InputKind::Script => "model",
            },
            input: origin.name.clone(),
            kernel: origin.kernel.clone(),
            policy: machine.policy.entry.id.to_owned(),
            release: machine.policy.release.to_string(),
            policy_from: machine.policy_from.name(),
            cpus: machine.cpus_possible,
            page_size: machine.page_size,
            digits: if machine.is_32_bit { 8 } else { 16 },
            range: (machine.window.vstart, machine.window.vend),
            clock: origin.clock_name.clone().unwrap_or_else(|| "unknown".to_owned()),
            unit: origin.clock,
            time_resolution_ns: resolution(log),
            records: log.events.len() as u64,
            lost: log.counts().lost,
            overwritten: origin.overwritten,
            problems: log.problems.len() as u64,
        }
    }

    /// Of rows about many inputs: what holds for each of them stands in its row.
    pub fn of_survey() -> Self {
        Self {
            tool: concat!("vmaplens ", env!("CARGO_PKG_VERSION")).to_owned(),
            source: SURVEY,
            input: String::new(),
            kernel: None,
            policy: String::new(),
            release: String::new(),
            policy_from: "",
            cpus: 0,
            page_size: 0,
            digits: 16,
            range: (0, 0),
            clock: String::new(),
            unit: Clock::None,
            time_resolution_ns: None,
            records: 0,
            lost: 0,
            overwritten: 0,
            problems: 0,
        }
    }

    /// The word for what stamps count.
    pub fn unit_word(&self) -> &'static str {
        match self.unit {
            Clock::Nanos => "ns",
            Clock::Ticks => "ticks",
            Clock::None => "none",
        }
    }

    /// An address as text formats write it.
    pub fn addr(&self, addr: u64) -> String {
        format!("0x{addr:0digits$x}", digits = self.digits)
    }

    /// Everything as keys and texts, in a fixed order; what is not known is left out.
    pub fn pairs(&self, schema: &str) -> Vec<(&'static str, String)> {
        let mut pairs =
            vec![("schema", schema.to_owned()), ("tool", self.tool.clone()), ("source", self.source.to_owned())];
        if self.source == SURVEY {
            return pairs;
        }
        pairs.push(("input", self.input.clone()));
        pairs.extend(self.kernel.clone().map(|kernel| ("kernel_release", kernel)));
        pairs.extend([
            ("policy", self.policy.clone()),
            ("release", self.release.clone()),
            ("policy_from", self.policy_from.to_owned()),
            ("cpus", self.cpus.to_string()),
            ("page_size", self.page_size.to_string()),
            ("vmalloc_start", self.addr(self.range.0)),
            ("vmalloc_end", self.addr(self.range.1)),
            ("clock", self.clock.clone()),
            ("time", self.unit_word().to_owned()),
        ]);
        pairs.extend(self.time_resolution_ns.map(|ns| ("time_resolution_ns", ns.to_string())));
        pairs.extend([
            ("records", self.records.to_string()),
            ("lost", self.lost.to_string()),
            ("overwritten", self.overwritten.to_string()),
            ("problems", self.problems.to_string()),
        ]);
        pairs
    }

    /// The first line of a file of JSON Lines; `columns` says how the values of each key came about.
    pub(crate) fn header_line(&self, schema: &str, columns: &str, out: &mut Vec<u8>) {
        let mut object = Object::open(out, "header");
        object.text("schema", schema.as_bytes());
        self.fields(&mut object);
        object.raw("provenance", columns.as_bytes());
        object.close();
    }

    /// Everything but the schema, as members of an object.
    pub(crate) fn fields(&self, object: &mut Object<'_>) {
        object.text("tool", self.tool.as_bytes());
        object.text("source", self.source.as_bytes());
        if self.source == SURVEY {
            return;
        }
        object.text("input", self.input.as_bytes());
        object.text_or_null("kernel_release", self.kernel.as_deref().map(str::as_bytes));
        object.text("policy", self.policy.as_bytes());
        object.text("release", self.release.as_bytes());
        object.text("policy_from", self.policy_from.as_bytes());
        object.number("cpus", u64::from(self.cpus));
        object.number("page_size", self.page_size);
        object.address("vmalloc_start", self.range.0, self.digits);
        object.address("vmalloc_end", self.range.1, self.digits);
        object.text("clock", self.clock.as_bytes());
        object.text("time", self.unit_word().as_bytes());
        object.number_or_null("time_resolution_ns", self.time_resolution_ns);
        object.number("records", self.records);
        object.number("lost", self.lost);
        object.number("overwritten", self.overwritten);
        object.number("problems", self.problems);
    }

    /// One JSON document, for the formats that have no place for it in themselves.
    pub fn document(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut object = Object::open_first(&mut out, "schema", b"vmaplens.about/1");
        self.fields(&mut object);
        object.close();
        out
    }
}

/// How fine stamps are: ftrace prints microseconds, binary recordings keep nanoseconds. How many digits a report or perf
/// prints is up to its options.
fn resolution(log: &Log) -> Option<u64> {
    if log.origin.clock != Clock::Nanos || log.origin.kind != InputKind::Trace {
        return None;
    }
    match log.origin.form? {
        Format::TraceCmdReport | Format::PerfScript | Format::PerfTrace => None,
        Format::TraceDat | Format::Bpftrace => Some(1),
        _ => Some(1000),
    }
}
