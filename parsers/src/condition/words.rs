//! [`WORDS`]: the language as a table: reading names near words from it, the prompt, the manual and a test of the
//! documents go through it.

/// A word of the language, for the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// As it is typed.
    pub word: &'static str,
    /// An example of its use.
    pub example: &'static str,
    /// What it means.
    pub means: &'static str,
    /// Is it about the state behind a record, rather than about the record?
    pub of_state: bool,
}

const fn record(word: &'static str, example: &'static str, means: &'static str) -> Word {
    Word { word, example, means, of_state: false }
}

const fn state(word: &'static str, example: &'static str, means: &'static str) -> Word {
    Word { word, example, means, of_state: true }
}

/// Every word that begins a test, in the order of the help.
pub const WORDS: &[Word] = &[
    record("failed", "failed", "the request failed, or the kernel's log reports a failure"),
    record("addr", "addr 0xffffc90000004000", "allocates, frees or purges an area that contains the address"),
    record("size", "size > 1M", "bytes asked for, or of the area that is freed; the guard page counts"),
    record("align", "align >= 2M", "alignment asked for; 1 is page alignment"),
    record("caller", "caller xfs_*", "a function of the record's stack, or the caller of its area"),
    record("task", "task systemd", "name or process id of who was running; * and ? stand for letters"),
    record("cpu", "cpu 3", "the CPU that wrote the record"),
    record("kind", "kind free", "failed, alloc, free, purge, lost, mark, report, divergence, inferred or adopted"),
    record("divergence", "divergence", "the model's first answer is not the recorded one"),
    record("inferred", "inferred", "it is under one of the timings that the trace leaves open"),
    record("adopted", "adopted", "the recorded address was forced into the state"),
    record("alloc", "alloc", "an area was placed"),
    record("purge", "purge", "a purge has ended"),
    record("lost", "lost", "the kernel lost records before this one"),
    record("mark", "mark", "a marker in the trace"),
    record("report", "report", "the kernel's log reports a failure"),
    state("largest_hole", "largest_hole < 2M", "the largest hole inside the range"),
    state("lazy", "lazy > 100M", "freed and not purged; a bare number counts pages"),
    state("busy", "busy > 1G", "bytes in use"),
    state("pooled", "pooled > 1M", "bytes parked in pools (6.9 and later)"),
    state("free", "free < 10M", "bytes of all holes inside the range; alone: a free"),
    state("holes", "holes > 1000", "holes, outside the range as well"),
    state("fragmentation", "fragmentation > 0.5", "1 - largest hole / free bytes"),
    state("page_tables", "page_tables > 50", "page tables that areas have needed"),
    state("failures", "failures >= 3", "requests refused so far"),
    state("time", "time > 1.5s", "the stamp of the record"),
];
