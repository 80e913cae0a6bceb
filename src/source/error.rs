//! [`SourceError`]: why an input cannot be opened, and what to do about it.

use parsers::sniff::Format;

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
    #[error("{name} is {what}, which this program cannot read")]
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
    #[error("{name} has no vmalloc events ({other} other records)")]
    NoEvents {
        /// The file.
        name: String,
        /// Other records in it.
        other: u64,
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

impl SourceError {
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
            Self::NotReadable { .. } => {
                "ftrace text, /proc/vmallocinfo text, op scripts, capture folders and bundles can be opened, also packed"
            }
            Self::OtherPacker { hint, .. } | Self::Apart { hint, .. } => hint,
            Self::Refused { .. } => {
                "unpack it with a tool you trust, look at what is in it, and open the file or the folder"
            }
            Self::Compressed { .. } => "the file may be cut short; copy it again",
            Self::NoEvents { .. } => {
                "switch on events/vmalloc/enable before recording (from Linux 6.2 on); before 6.2 set the probes of README.md"
            }
            Self::NoMembers { .. } => "a capture has events.trace, trace.txt or vmallocinfo.before in it",
            Self::NoAreas { .. } => "read /proc/vmallocinfo as root",
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
