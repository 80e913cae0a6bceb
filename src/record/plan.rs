//! [`Plan`]: every change a recording makes to this machine, and what takes each back. Worked out before anything is
//! done, and without doing anything; `--dry-run` prints it.

use std::fmt;
use std::path::PathBuf;

use super::error::RecordError;
use super::facts::{Facts, KPTR};
use super::probes::{Definition, Unusable, instead_of_events, of_purges};
use super::settings::Settings;

/// What is done to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// `mkdir`.
    MakeDir,
    /// `rmdir`.
    RemoveDir,
    /// Written to a file that is there.
    Write(String),
    /// Appended to a file that is there.
    Append(String),
    /// A file that was not there.
    Create(String),
    /// `rm`.
    RemoveFile,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is changed.
    pub path: PathBuf,
    /// How.
    pub action: Action,
    /// What takes it back.
    pub undo: Option<Action>,
    /// Older and newer kernels do without: it is no failure if the file is not there or does not take the text.
    pub is_optional: bool,
    /// What it is good for.
    pub why: &'static str,
}

impl Step {
    fn new(path: PathBuf, action: Action, why: &'static str) -> Self {
        Self { path, action, undo: None, is_optional: false, why }
    }

    fn undone_by(self, undo: Action) -> Self {
        Self { undo: Some(undo), ..self }
    }

    fn optional(self) -> Self {
        Self { is_optional: true, ..self }
    }
}

/// As one would type it.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_command(f, &self.action, &self.path)
    }
}

/// A change as one would type it.
pub struct Command<'a>(pub &'a Action, pub &'a std::path::Path);

impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_command(f, self.0, self.1)
    }
}

fn write_command(f: &mut fmt::Formatter<'_>, action: &Action, path: &std::path::Path) -> fmt::Result {
    let path = quoted(&path.to_string_lossy());
    match action {
        Action::MakeDir => write!(f, "mkdir {path}"),
        Action::RemoveDir => write!(f, "rmdir {path}"),
        Action::RemoveFile => write!(f, "rm {path}"),
        Action::Write(text) => write!(f, "echo {} > {path}", quoted(text)),
        Action::Append(text) => write!(f, "echo {} >> {path}", quoted(text)),
        Action::Create(text) => write!(f, "echo {} > {path}    # a new file", quoted(text)),
    }
}

/// As a shell would want it.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/_-.,:+=%@".contains(c);
    let text = crate::log::escape(text.as_bytes());
    if !text.is_empty() && text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// Everything that is going to be changed.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The instance.
    pub instance: PathBuf,
    /// Done in this order before the first event; undone in the other order.
    pub steps: Vec<Step>,
    /// The last step of all: from here on there are events.
    pub start: Step,
    /// Right behind it, if it was asked for: what no snapshot shows is emptied.
    pub empty_pools: Option<Step>,
    /// Around each read of `/proc/vmallocinfo`, if addresses would be hidden.
    pub around_reads: Vec<Step>,
    /// Folders of the recorded events, below `events`.
    pub events: Vec<String>,
    /// Probes that stand for events or show more.
    pub probes: Vec<Definition>,
    /// What could not be probed and is done without.
    pub left_out: Vec<Unusable>,
    /// KiB of each CPU's buffer.
    pub buffer_kib: u64,
}

/// KiB of buffer that every CPU gets if there is memory enough: 5 s of 25,000 events with stacks each second.
const BUFFER_KIB: u64 = 8192;
/// What a new instance takes for each CPU before its size can be changed, in KiB.
const FRESH_KIB: u64 = 1410;
/// A buffer of a few pages loses events between two looks.
const LEAST_KIB: u64 = 64;

/// Writing 2 asks every shrinker of the kernel for what it can give.
const DROP_CACHES: &str = "/proc/sys/vm/drop_caches";

const EVENTS: [&str; 3] = ["alloc_vmap_area", "free_vmap_area_noflush", "purge_vmap_area_lazy"];

impl Plan {
    /// Works it out.
    ///
    /// # Errors
    /// It cannot work on this machine.
    pub fn new(facts: &Facts, settings: &Settings) -> Result<Self, RecordError> {
        let buffer_kib = buffer_kib(facts, settings)?;
        let instance = facts.tracefs_file("instances").join(facts.owner.instance());
        let group = facts.owner.group();
        let (probes, left_out) = probes(facts, settings, &group)?;
        let mut events: Vec<String> =
            if facts.has_events { EVENTS.iter().map(|event| format!("vmalloc/{event}")).collect() } else { Vec::new() };
        events.extend(probes.iter().map(|probe| format!("{group}/{}", probe.event)));

        let mut steps = Vec::new();
        for probe in &probes {
            let sign = Action::Append(format!("-:{group}/{}", probe.event));
            let why = "a probe of our own, where the kernel has no event";
            let define = Step::new(facts.tracefs_file("kprobe_events"), Action::Append(probe.line.clone()), why);
            steps.push(define.undone_by(sign));
        }
        let make =
            Step::new(instance.clone(), Action::MakeDir, "an instance of our own: nobody else's tracing changes");
        steps.push(make.undone_by(Action::RemoveDir));
        let own = |name: &str, text: &str, why: &'static str| {
            Step::new(instance.join(name), Action::Write(text.to_owned()), why)
        };
        steps.push(own("tracing_on", "0", "new instances are switched on"));
        steps.push(own("trace_clock", &settings.clock, "first of all: it empties the buffer"));
        steps.push(own("buffer_size_kb", &buffer_kib.to_string(), "for each CPU"));
        let overwrite = "a loss then shows at its place: taken over from the top level otherwise";
        steps.push(own("options/overwrite", "1", overwrite).optional());
        steps.push(own("options/record-cmd", "1", "names of tasks").optional());
        steps.push(own("options/stacktrace", "0", "no stacks but those asked for").optional());
        steps.push(own("buffer_percent", "12", "how full a buffer wakes the reader").optional());
        let allocation = events.first().map(|event| format!("events/{event}")).unwrap_or_default();
        if let Some(filter) = &settings.filter {
            let step = own(&format!("{allocation}/filter"), filter, "only these allocations");
            steps.push(step.undone_by(Action::Write("0".to_owned())));
        }
        if settings.stacks {
            let step = own(&format!("{allocation}/trigger"), "stacktrace", "who asks: a stack for each allocation");
            steps.push(step.undone_by(Action::Write("!stacktrace".to_owned())));
        }
        for event in &events {
            let step = own(&format!("events/{event}/enable"), "1", "in this instance only");
            steps.push(step.undone_by(Action::Write("0".to_owned())));
        }
        let start = own("tracing_on", "1", "from here on there are events").undone_by(Action::Write("0".to_owned()));
        let around_reads = around_reads(facts, settings);
        let empty_pools = settings.empty_pools.then(|| {
            let why = "the allocator's pools are in no snapshot: shrinkers empty them (6.9 and later); nothing takes this back";
            Step::new(DROP_CACHES.into(), Action::Write("2".to_owned()), why)
        });
        Ok(Self { instance, steps, start, empty_pools, around_reads, events, probes, left_out, buffer_kib })
    }

    /// All steps, in the order in which they are done; those around reads once.
    pub fn writes(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().chain([&self.start]).chain(&self.empty_pools).chain(&self.around_reads)
    }
}

/// Probes in place of events, or beside them.
fn probes(facts: &Facts, settings: &Settings, group: &str) -> Result<(Vec<Definition>, Vec<Unusable>), RecordError> {
    if facts.has_events && !settings.probes {
        return Ok((Vec::new(), Vec::new()));
    }
    let Some(arch) = facts.arch else {
        return Err(RecordError::new(
            format!(
                "nothing is known of where {} has the arguments of a function, so it cannot be probed",
                facts.machine
            ),
            if facts.has_events {
                "without --probes the events are recorded"
            } else {
                "Linux 6.2 and later has events"
            },
        ));
    };
    if facts.has_events {
        return Ok(of_purges(arch, group, &facts.symbols, &settings.probed));
    }
    instead_of_events(arch, group, &facts.symbols).map_err(|unusable| {
        RecordError::new(unusable.to_string(), "Linux 6.2 and later has events, and needs no probes")
    })
}

/// Where addresses would be hidden and it is allowed: the setting that shows them, and back.
fn around_reads(facts: &Facts, settings: &Settings) -> Vec<Step> {
    use crate::log::Pointers;
    let Some(before) = facts.kptr.filter(|_| settings.allow_kptr && facts.pointers != Some(Pointers::Real)) else {
        return Vec::new();
    };
    let noted = Step::new(facts.note(), Action::Create(before.to_string()), "should this program be killed");
    let shown = Step::new(KPTR.into(), Action::Write("1".to_owned()), "real addresses, for as long as a read takes");
    vec![noted.undone_by(Action::RemoveFile), shown.undone_by(Action::Write(before.to_string()))]
}

/// How large each CPU's buffer is to be.
fn buffer_kib(facts: &Facts, settings: &Settings) -> Result<u64, RecordError> {
    let cpus = facts.n_cpus();
    let available = facts.available_kib.unwrap_or(u64::MAX);
    let wanted = match settings.buffer_kib {
        Some(kib) => kib,
        None => (available / 8 / cpus).clamp(LEAST_KIB, BUFFER_KIB),
    };
    let total = wanted.max(FRESH_KIB).saturating_mul(cpus);
    if available / 2 < total {
        return Err(RecordError::new(
            format!(
                "the buffers of {cpus} CPUs would take {total} KiB, more than half of the {available} KiB that can be had"
            ),
            format!("--buffer-size {}K is as much as is sensible here", (available / 8 / cpus).max(LEAST_KIB)),
        ));
    }
    Ok(wanted)
}
