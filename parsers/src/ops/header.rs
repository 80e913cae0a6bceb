//! The lines before the ops: the machine a script is run on.

use nom::Parser;
use nom::combinator::all_consuming;

use super::field;
use crate::lex::{trim, word};

/// What the lines before the ops say. Header lines are accepted anywhere; the last one counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScriptHeader {
    /// Text of the first comment.
    pub title: Option<String>,
    /// Which kernel's allocator the script was written for; only informative.
    pub era: Option<String>,
    /// Line of `era`, from 1; 0 without one.
    pub era_line: u32,
    /// `VMALLOC_START` and `VMALLOC_END` as the kernel passes them (the end is often the last byte).
    pub range: Option<(u64, u64)>,
    /// Online CPUs.
    pub cpus: Option<u32>,
    /// Possible CPUs, which is the number of allocator nodes up to 128.
    pub possible: Option<u32>,
    /// Areas `(start, end)` that exist before the allocator starts.
    pub early: Vec<(u64, u64)>,
    /// Run pending drain work after every op.
    pub autowork: bool,
    /// When the purge helpers of 6.12 run.
    pub helpers: Helpers,
    /// Architecture and page tables, as written; x86-64 with four levels if not given.
    pub arch: Option<String>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// NUMA nodes.
    pub numa: Option<u32>,
    /// `NR_CPUS` of the configuration.
    pub nr_cpus: Option<u32>,
    /// `(size, align)` of areas registered before the allocator starts, in order.
    pub registered: Vec<(u64, u64)>,
}

/// When the purge helper works of 6.12 run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Helpers {
    /// When they are waited for, in node order.
    #[default]
    Flush,
    /// As soon as they are scheduled.
    Sched,
}

/// One header line.
pub(super) enum Entry {
    Era(String),
    Range(u64, u64),
    Cpus(u32),
    Possible(u32),
    Early(u64, u64),
    Autowork(bool),
    Helpers(Helpers),
    Arch(String),
    Memory(u64),
    Numa(u32),
    NrCpus(u32),
    Register(u64, u64),
}

impl ScriptHeader {
    /// Can a machine be like that? Ranges are not empty, early areas ascend and lie apart.
    pub(super) fn accepts(&self, entry: &Entry) -> bool {
        match *entry {
            Entry::Range(start, end) => start < end,
            Entry::Early(start, end) => self.early.last().map_or(1, |&(_, last)| last) <= start && start < end,
            Entry::Cpus(n) | Entry::Possible(n) | Entry::Numa(n) | Entry::NrCpus(n) => 0 < n,
            Entry::Memory(bytes) => (1..=1 << 50).contains(&bytes),
            Entry::Register(size, align) => 0 < size && align.is_power_of_two(),
            Entry::Era(_) | Entry::Autowork(_) | Entry::Helpers(_) | Entry::Arch(_) => true,
        }
    }

    pub(super) fn take(&mut self, entry: Entry, line: u32) {
        match entry {
            Entry::Era(era) => (self.era, self.era_line) = (Some(era), line),
            Entry::Range(start, end) => self.range = Some((start, end)),
            Entry::Cpus(n) => self.cpus = Some(n),
            Entry::Possible(n) => self.possible = Some(n),
            Entry::Early(start, end) => self.early.push((start, end)),
            Entry::Autowork(on) => self.autowork = on,
            Entry::Helpers(helpers) => self.helpers = helpers,
            Entry::Arch(arch) => self.arch = Some(arch),
            Entry::Memory(bytes) => self.memory = Some(bytes),
            Entry::Numa(n) => self.numa = Some(n),
            Entry::NrCpus(n) => self.nr_cpus = Some(n),
            Entry::Register(size, align) => self.registered.push((size, align)),
        }
    }
}

pub(super) fn entry(text: &[u8]) -> Option<Entry> {
    let (rest, name) = word(text).ok()?;
    let one = || all_consuming(field).parse(rest).ok().map(|(_, value)| value);
    let small = || one().and_then(|value| u32::try_from(value).ok());
    let two = || all_consuming((field, field)).parse(rest).ok().map(|(_, pair)| pair);
    match name {
        b"era" => Some(Entry::Era(String::from_utf8_lossy(trim(rest)).into_owned())),
        b"range" => two().map(|(start, end)| Entry::Range(start, end)),
        b"early" => two().map(|(start, end)| Entry::Early(start, end)),
        b"cpus" => small().map(Entry::Cpus),
        b"possible" => small().map(Entry::Possible),
        b"arch" => Some(Entry::Arch(String::from_utf8_lossy(trim(rest)).into_owned())),
        b"ram" => one().map(Entry::Memory),
        b"numa" => small().map(Entry::Numa),
        b"nr_cpus" => small().map(Entry::NrCpus),
        b"register" => two().map(|(size, align)| Entry::Register(size, align)),
        b"autowork" => one().filter(|&on| on <= 1).map(|on| Entry::Autowork(on == 1)),
        b"helpers" => match trim(rest) {
            b"flush" => Some(Entry::Helpers(Helpers::Flush)),
            b"sched" => Some(Entry::Helpers(Helpers::Sched)),
            _ => None,
        },
        _ => None,
    }
}
