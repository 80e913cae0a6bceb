//! [`Origin`]: what an input says about the machine it was taken on.

use super::Window;

/// What kind of input a log was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InputKind {
    /// A trace, with or without snapshots around it.
    #[default]
    Trace,
    /// A `/proc/vmallocinfo` alone: a log without events.
    Snapshot,
    /// An op script: what is asked is given, the answers are the model's.
    Script,
}

/// What the numbers in [`crate::event::Nanos`] count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clock {
    /// Nanoseconds of some kernel clock.
    #[default]
    Nanos,
    /// Events, jiffies or cycles: order, no duration.
    Ticks,
    /// The input has no times; the number is the index.
    None,
}

/// Facts about the capture. A field is `None` where the input does not say.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// Name of the input for people: file or folder name, or `-`.
    pub name: String,
    /// One sentence about the capture.
    pub description: Option<String>,
    /// Trace, snapshot or script.
    pub kind: InputKind,
    /// Kernel release, as `uname -r`.
    pub kernel: Option<String>,
    /// Architecture, as the capture spells it.
    pub arch: Option<String>,
    /// Bytes in a page.
    pub page_size: Option<u64>,
    /// CPUs that could ever be there: the number of allocator nodes from 6.9 on.
    pub cpus_possible: Option<u32>,
    /// CPUs online: what `lazy_max_pages` is made of.
    pub cpus_online: Option<u32>,
    /// `VMALLOC_START` and `VMALLOC_END` as the kernel passes them.
    pub vmalloc: Option<Window>,
    /// Page-table levels.
    pub paging_levels: Option<u32>,
    /// Bytes of memory.
    pub ram_bytes: Option<u64>,
    /// `VmallocUsed` of `/proc/meminfo` at the end, in bytes: from 5.3 on the data pages of the `vmalloc` family.
    pub vmalloc_used_bytes: Option<u64>,
    /// The first record is the first allocation of that kernel.
    pub from_boot: Option<bool>,
    /// What the recording, or the snapshot alone, was printed by.
    pub form: Option<parsers::sniff::Format>,
    /// The recorder kept only allocations for which this is true.
    pub filter: Option<String>,
    /// Clock of the stamps.
    pub clock: Clock,
    /// Name of the trace clock.
    pub clock_name: Option<String>,
    /// Records overwritten before the first one, by the header's counts.
    pub overwritten: u64,
}
