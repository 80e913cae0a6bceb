//! Real texts of every layout of ftrace, to be damaged and cut.

/// One text of each layout.
pub(crate) const TRACES: [&[u8]; 11] = [
    include_bytes!("../data/default.txt"),
    include_bytes!("../data/record-tgid.txt"),
    include_bytes!("../data/nocontext-info.txt"),
    include_bytes!("../data/latency-format.txt"),
    include_bytes!("../data/latency-verbose.txt"),
    include_bytes!("../data/fields.txt"),
    include_bytes!("../data/raw.txt"),
    include_bytes!("../data/stack-sym-addr.txt"),
    include_bytes!("../data/pipe-lost.txt"),
    include_bytes!("../data/kprobes-5.10.txt"),
    include_bytes!("../data/function-graph.txt"),
];
