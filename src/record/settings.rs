//! [`Settings`]: what a user asks of a recording.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The clock that is taken if none is asked for: nanoseconds that all CPUs and user space share.
pub const CLOCK: &str = "mono";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Trace clock.
    pub clock: String,
    /// KiB of each CPU's buffer; `None`: by the memory there is.
    pub buffer_kib: Option<u64>,
    /// Only allocations for which this is true.
    pub filter: Option<String>,
    /// A stack with each allocation.
    pub stacks: bool,
    /// Probes on the parts of a purge, beside the events.
    pub probes: bool,
    /// Only those on these functions; all if there is none.
    pub probed: Vec<String>,
    /// The allocator's pools are emptied before the first snapshot, together with other caches of the kernel.
    pub empty_pools: bool,
    /// `kptr_restrict` may be changed while `/proc/vmallocinfo` is read.
    pub allow_kptr: bool,
    /// Names that tell of the machine or its users are replaced.
    pub anonymise: bool,
    /// When it ends.
    pub limits: Limits,
    /// What to run meanwhile.
    pub command: Vec<OsString>,
    /// Where tracefs is, if not where it usually is.
    pub tracefs: Option<PathBuf>,
}

/// When a recording ends by itself; the first that is reached counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// After this time.
    pub duration: Option<Duration>,
    /// At so many bytes of records.
    pub bytes: Option<u64>,
    /// At the first allocation that fails.
    pub until_failed: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            clock: CLOCK.to_owned(),
            buffer_kib: None,
            filter: None,
            stacks: false,
            probes: false,
            probed: Vec::new(),
            empty_pools: false,
            allow_kptr: false,
            anonymise: false,
            limits: Limits::default(),
            command: Vec::new(),
            tracefs: None,
        }
    }
}
