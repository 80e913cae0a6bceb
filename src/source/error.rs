//! [`SourceError`]: why an input cannot be opened, and what to do about it.

use parsers::ProblemKind;
use parsers::sniff::Format;

use crate::log::FileProblem;

/// One plain sentence; [`SourceError::hint`] says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file cannot be read.
    #[error("cannot read {name}: {reason}")]
    Unreadable {
        /// The file.
        name: String,
        /// What the system said.
        reason: std::io::Error,
    },
    /// Nothing in it.
    #[error("{name} is empty")]
    Empty {
        /// The file.
        name: String,
    },
    /// Known, but not to this program.
    #[error("{name}: {what}, which this program cannot read")]
    NotReadable {
        /// The file.
        name: String,
        /// What it is.
        what: &'static str,
    },
    /// Packed by something this program does not unpack.
    #[error("{name} is {what}, which this program cannot unpack")]
    OtherPacker {
        /// The file.
        name: String,
        /// What it is.
        what: &'static str,
        /// What unpacks it.
        hint: &'static str,
    },
    /// An archive or a packed file that no recorder makes.
    #[error("{name} was not read: {why}")]
    Refused {
        /// The file.
        name: String,
        /// What is in it.
        why: String,
    },
    /// Known, but too damaged to be read.
    #[error("cannot read {name}: {why}")]
    Damaged {
        /// The file.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// Inputs that do not belong together.
    #[error("{why}")]
    Apart {
        /// Which, and how that is known.
        why: String,
        /// What to do.
        hint: &'static str,
    },
    /// A compressed file is damaged.
    #[error("cannot decompress {name}: {reason}")]
    Compressed {
        /// The file.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// Text without vmalloc events.
    #[error("{name} has no vmalloc events{}", others(*other))]
    NoEvents {
        /// The file.
        name: String,
        /// Other records in it.
        other: u64,
        /// The first damaged place: where and what.
        damage: Option<String>,
    },
    /// A kernel log that tells of no failure.
    #[error("{name} is the log of a kernel, and tells of no failed vmalloc request")]
    NoFailures {
        /// The file.
        name: String,
    },
    /// A folder or an archive without a trace or a snapshot.
    #[error("{name} holds neither a trace nor a snapshot")]
    NoMembers {
        /// The folder.
        name: String,
    },
    /// A snapshot without a single area.
    #[error("{name} holds no vmalloc areas")]
    NoAreas {
        /// The file.
        name: String,
    },
    /// The snapshot is of another kernel or boot.
    #[error(
        "the snapshot does not belong to this trace: {outside} of its {areas} areas lie outside \
         0x{vstart:x}-0x{vend:x}, where the trace allocates"
    )]
    AnotherMachine {
        /// Areas of the snapshot.
        areas: usize,
        /// Those outside.
        outside: usize,
        /// Start of the trace's vmalloc range.
        vstart: u64,
        /// Its end.
        vend: u64,
    },
    /// An op script where a capture is wanted.
    #[error("{name} is an op script, not a capture")]
    IsScript {
        /// The file.
        name: String,
    },
    /// A capture where an op script is wanted.
    #[error("{name} is a capture: --expect compares op scripts")]
    NoScript {
        /// The file.
        name: String,
    },
    /// `meta.toml` cannot be used.
    #[error("cannot use {name}: {reason}")]
    Meta {
        /// The file.
        name: String,
        /// What is wrong, with line and column.
        reason: String,
    },
}

fn others(n: u64) -> String {
    match n {
        0 => String::new(),
        1 => " (1 record of another kind)".to_owned(),
        n => format!(" ({n} records of other kinds)"),
    }
}

impl SourceError {
    /// The events are missing; if something was damaged, that is why.
    pub fn no_events(name: &str, other: u64, problems: &[FileProblem]) -> Self {
        let tells = |found: &&FileProblem| found.problem.kind != ProblemKind::NotAnEvent;
        let first = problems.iter().find(tells).map(|first| format!("{}: {}", first.place(), first.problem.kind));
        let none = || "none of its lines is an event: is it what --format says?".to_owned();
        let damage = first.or_else(|| (!problems.is_empty()).then(none));
        Self::NoEvents { name: name.to_owned(), other, damage }
    }

    /// What to do about it, in one line.
    pub fn hint(&self) -> String {
        let hint = match self {
            Self::Unreadable { reason, .. } if reason.kind() == std::io::ErrorKind::PermissionDenied => {
                "run as root, or copy the file with sudo and open the copy"
            }
            Self::Unreadable { reason, .. } if reason.kind() == std::io::ErrorKind::NotFound => {
                "check the name; without INPUT a built-in capture opens"
            }
            Self::Unreadable { .. } => "check that it is a readable file or a capture folder",
            Self::Empty { .. } => "was tracing on? README.md shows how to record",
            Self::NotReadable { what, .. } if *what == Format::AllocatorState.title() => {
                "answers of an op script go with it: vmaplens FILE.ops --expect FILE.out; a kernel's state is read as \
                 allocator-state.before in a capture folder"
            }
            Self::NotReadable { what, .. } if *what == Format::PerfJson.title() => {
                "it has neither events nor their arguments; write text instead: perf script --ns -F \
                 comm,pid,tid,cpu,time,event,ip,sym,symoff,trace"
            }
            Self::NotReadable { what, .. } if *what == Format::PerfData.title() => {
                "let perf print it as text: perf script --ns -F comm,pid,tid,cpu,time,event,ip,sym,symoff,trace -i perf.data"
            }
            Self::NotReadable { what, .. } if *what == Format::Core.title() => {
                "its areas can be read once a debugger has listed them: kmem -v of crash, lx-vmallocinfo of gdb, or drgn"
            }
            Self::NotReadable { .. } => {
                "traces (ftrace, trace-cmd, perf script, bpftrace), lists of areas (/proc/vmallocinfo, debuggers), kernel \
                 logs, op scripts and captures can be opened, also packed; --format KIND says what it is"
            }
            Self::OtherPacker { hint, .. } | Self::Apart { hint, .. } => hint,
            Self::Refused { .. } => {
                "unpack it with a tool you trust, look at what is in it, and open the file or the folder"
            }
            Self::Compressed { .. } => "the file may be cut short; copy it again",
            Self::Damaged { .. } => "the file may be cut short, or not be what --format says",
            Self::NoEvents { damage: Some(damage), .. } => return damage.clone(),
            Self::NoFailures { .. } => "it can go with a trace or a snapshot of the same boot: name them together",
            Self::NoEvents { .. } => {
                "switch on events/vmalloc/enable before recording (from Linux 6.2 on); before 6.2 set the probes of README.md"
            }
            Self::NoMembers { .. } => {
                "a capture has events.trace, trace.txt or vmallocinfo.before in it; files of other names are opened by \
                 naming them"
            }
            Self::NoAreas { .. } => "read /proc/vmallocinfo as root; if --format was given, is it right?",
            Self::AnotherMachine { .. } => "take the snapshot in the same boot as the trace, or leave it out",
            Self::IsScript { .. } => {
                "compare its answers with: vmaplens replay FILE.ops --expect FILE.out; step it with: vmaplens FILE.ops"
            }
            Self::NoScript { .. } => "use verify to compare a capture with its own record",
            Self::Meta { .. } => "correct it or take it out of the folder",
        };
        hint.to_owned()
    }
}
