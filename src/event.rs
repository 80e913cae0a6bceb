//! [`Event`]: the one event type. Every input format ends here, every display starts here.

use std::fmt;

/// A kernel virtual address.
///
/// Prints as `0x` and sixteen digits, the way the kernel prints a 64-bit pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Addr(pub u64);

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:016x}", self.0)
    }
}

/// Index of an event in its log, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub u32);

impl Seq {
    /// As an index into the log's events.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A trace time stamp: nanoseconds, or ticks where the trace clock counts something else (see
/// [`crate::log::Clock`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Nanos(pub u64);

/// Index of a task (comm and pid) in the log's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TaskId(pub u32);

/// Index of a text (marker, foreign event name) in the log's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TextId(pub u32);

/// Index of a `[vstart, vend)` request window in the log's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WindowId(pub u32);

/// One record of a capture, in the order of the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// When the record was written. The change it reports happened before (see `spec/tracepoints`).
    pub at: Nanos,
    /// Line of the input, from 1; 0 if the input has no lines.
    pub line: u32,
    /// Who was running.
    pub task: TaskId,
    /// The CPU whose ring buffer held the record; [`Event::NO_CPU`] where the input does not tell.
    pub cpu: u16,
    /// What happened.
    pub kind: EventKind,
}

impl Event {
    /// The input does not tell which CPU it was.
    pub const NO_CPU: u16 = u16::MAX;

    /// The CPU, if the input tells.
    pub fn known_cpu(&self) -> Option<u16> {
        (self.cpu != Self::NO_CPU).then_some(self.cpu)
    }

    /// The CPU that the model takes: the first, where the input does not tell.
    pub fn assumed_cpu(&self) -> u32 {
        self.known_cpu().map_or(0, u32::from)
    }
}

/// What a record reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// `alloc_vmap_area`: one *attempt* to find space (6.2 and later), or a whole call, seen by probes at its two ends.
    Alloc {
        /// The address chosen; meaningless if `failed` (`vend` up to 6.14, a negative errno from 6.19).
        addr: Addr,
        /// Bytes asked of the allocator, guard page included.
        size: u64,
        /// Alignment asked of the search, in bytes; 1 means page alignment.
        align: u64,
        /// The request's window.
        window: WindowId,
        /// No space was found.
        failed: bool,
    },
    /// `free_vmap_area_noflush`: an area went to the lazy store.
    Free {
        /// Start of the area.
        addr: Addr,
        /// Lazily freed pages after this free, as counted by this free.
        nr_lazy: u64,
        /// `lazy_max_pages()` at that time, in pages.
        nr_lazy_max: u64,
    },
    /// `purge_vmap_area_lazy`: the *end* of a purge.
    Purge {
        /// Lowest address flushed; all ones if nothing was.
        start: Addr,
        /// End of the flushed range; 0 if nothing was.
        end: Addr,
        /// Areas returned (6.9 and later) or fused ranges (6.2 to 6.8).
        num_purged: u32,
    },
    /// Entry of `alloc_vmap_area`, seen by a probe. The model does nothing here: the answer comes with the return.
    Request {
        /// Bytes asked of the allocator, guard page included.
        size: u64,
        /// Alignment, in bytes.
        align: u64,
        /// The request's window.
        window: WindowId,
    },
    /// Return of `alloc_vmap_area` without its entry: where the area lies is known, what was asked for is not.
    Unasked {
        /// Start of the area.
        addr: Addr,
        /// Its end.
        end: Addr,
    },
    /// Entry of `free_vmap_area_noflush`, seen by a probe, which knows the area's end and not `nr_lazy`.
    FreeProbe {
        /// Start of the area.
        addr: Addr,
        /// Its end; equal to the start if the probe did not fetch it.
        end: Addr,
    },
    /// Entry of `__purge_vmap_area_lazy`, seen by a probe. The model does nothing here.
    PurgeEntry {
        /// Lowest address the caller wants flushed; all ones if it wants nothing flushed, or nothing was fetched.
        start: Addr,
        /// End of that range.
        end: Addr,
    },
    /// Return of `__purge_vmap_area_lazy`, seen by a probe: the end of a purge.
    PurgeReturn {
        /// Did anything come back? `None` if the probe did not say.
        purged: Option<bool>,
    },
    /// Entry of `decay_va_pool_node`, seen by a probe (6.9 and later): a purge has come to this node's pools.
    NodeDecay {
        /// The node.
        node: u16,
        /// Pools decay completely; `None` if the probe did not say.
        full: Option<bool>,
    },
    /// Entry of `purge_vmap_node`, seen by a probe (6.9 and later): what a purge has taken off this node comes back.
    NodeReturn {
        /// The node.
        node: u16,
    },
    /// The ring buffer of `cpu` dropped records before this one.
    Lost {
        /// How many; 0 if the kernel did not say.
        count: u32,
    },
    /// A marker written to `trace_marker`.
    Mark {
        /// Its text.
        text: TextId,
    },
    /// The kernel's log says that a request failed. The model does nothing: the attempts are records of their own.
    Report {
        /// Bytes asked for, the guard page included where the message includes it; 0 if it does not tell.
        size: u64,
        /// The message.
        text: TextId,
    },
    /// A record of another kind, kept so that nothing read is lost.
    Other {
        /// Its event name.
        name: TextId,
    },
    /// An op of a script that no trace has a record for.
    Script(ScriptOp),
}

/// What a script can ask besides allocations, frees and purges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScriptOp {
    /// A free of an id that has no area: its allocation failed, or there was none. Nothing is done.
    NoArea,
    /// Run the drain work if it is queued.
    Work,
    /// Empty the pools.
    Shrink,
    /// How many lazy pages are there?
    Lazy,
    /// Do all invariants hold?
    Check,
    /// A hash of the state.
    Hash,
    /// The state as text.
    Dump,
    /// A request that neither looked for an area nor freed one, or a question about requests.
    Request,
}

impl EventKind {
    /// The end of a purge.
    pub fn ends_purge(&self) -> bool {
        matches!(self, Self::Purge { .. } | Self::PurgeReturn { .. })
    }

    /// The end of a purge that returned something, as far as its record says.
    pub fn returned_something(&self) -> bool {
        match *self {
            Self::Purge { num_purged, .. } => num_purged > 0,
            Self::PurgeReturn { purged } => purged != Some(false),
            _ => false,
        }
    }

    /// A short word for lists and counts.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Alloc { failed: false, .. } => "alloc",
            Self::Alloc { failed: true, .. } => "failed",
            Self::Request { .. } => "asks",
            Self::Unasked { .. } => "alloc",
            Self::Free { .. } | Self::FreeProbe { .. } => "free",
            Self::PurgeEntry { .. } => "purges",
            Self::Purge { .. } | Self::PurgeReturn { .. } => "purge",
            Self::NodeDecay { .. } => "decays",
            Self::NodeReturn { .. } => "return",
            Self::Lost { .. } => "lost",
            Self::Mark { .. } => "mark",
            Self::Report { .. } => "report",
            Self::Other { .. } => "other",
            Self::Script(op) => op.word(),
        }
    }
}

impl ScriptOp {
    /// Its word in the script.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoArea => "free",
            Self::Work => "work",
            Self::Shrink => "shrink",
            Self::Lazy => "lazy",
            Self::Check => "check",
            Self::Hash => "hash",
            Self::Dump => "dump",
            Self::Request => "request",
        }
    }
}
