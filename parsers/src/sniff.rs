//! Tells formats apart by their content.
//!
//! Names of files say little: traces arrive as `trace.txt`, `log`, `1.out` or on standard input. Each line votes
//! for the format that alone could have printed it, so that prose around a pasted file does no harm.

use crate::lex::{Lines, trim, trim_end, upto};
use crate::listing::Dialect;
use crate::{allocator_state, bpftrace, dmesg, ftrace, listing, ops, perf, report, vmallocinfo};

/// How much of an input is looked at.
const HEAD: usize = 64 * 1024;

/// What files of a known kind start with.
const MAGIC: [(&[u8], Format); 9] = [
    (&[0x28, 0xb5, 0x2f, 0xfd], Format::Zstd),
    (&[0x1f, 0x8b], Format::Gzip),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], Format::Xz),
    (b"\x17\x08\x44tracing", Format::TraceDat),
    (b"PERFILE2", Format::PerfData),
    (b"2ELIFREP", Format::PerfData),
    (b"\x7fELF", Format::Core),
    (b"KDUMP   ", Format::Core),
    (b"makedumpfile", Format::Core),
];

/// A format that evidence comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text of the tracefs files `trace`, `trace_pipe`, `snapshot`.
    FtraceText,
    /// `/proc/vmallocinfo`.
    Vmallocinfo,
    /// A listing of areas by something else: a debugger, a vendor's kernel.
    Listing(Dialect),
    /// The log of a kernel.
    KernelLog,
    /// An op script.
    OpScript,
    /// The allocator's whole state.
    AllocatorState,
    /// Compressed by zstd.
    Zstd,
    /// Compressed by gzip.
    Gzip,
    /// Compressed by xz.
    Xz,
    /// The binary file of trace-cmd.
    TraceDat,
    /// Text of `perf script`.
    PerfScript,
    /// Text of `trace-cmd report`.
    TraceCmdReport,
    /// Text of `perf trace`.
    PerfTrace,
    /// What `perf data convert --to-json` writes.
    PerfJson,
    /// Output of bpftrace, plain or JSON.
    Bpftrace,
    /// Text in UTF-16, as some shells of Windows redirect it.
    Utf16,
    /// The binary file of perf.
    PerfData,
    /// A dump of memory, or a program: an ELF file, a dump of makedumpfile.
    Core,
    /// Bytes that are no text and no format we know.
    Binary,
    /// Nothing but blanks.
    Empty,
    /// Text that we do not know.
    Unknown,
}

impl Format {
    /// What to call it in a message.
    pub fn title(self) -> &'static str {
        match self {
            Self::FtraceText => "ftrace text",
            Self::Vmallocinfo => "/proc/vmallocinfo",
            Self::Listing(dialect) => dialect.title(),
            Self::KernelLog => "kernel log",
            Self::OpScript => "op script",
            Self::AllocatorState => "allocator state",
            Self::Zstd => "zstd-compressed file",
            Self::Gzip => "gzip-compressed file",
            Self::Xz => "xz-compressed file",
            Self::TraceDat => "trace-cmd's trace.dat",
            Self::PerfScript => "text of perf script",
            Self::TraceCmdReport => "text of trace-cmd report",
            Self::PerfTrace => "text of perf trace",
            Self::PerfJson => "JSON of perf data convert",
            Self::Bpftrace => "output of bpftrace",
            Self::Utf16 => "text in UTF-16 (`iconv -f UTF-16 -t UTF-8` makes UTF-8 of it)",
            Self::PerfData => "perf's perf.data",
            Self::Core => "ELF file or memory dump",
            Self::Binary => "binary file of an unknown format",
            Self::Empty => "empty file",
            Self::Unknown => "text of an unknown format",
        }
    }
}

/// Looks at the first 64 KiB at most.
pub fn sniff(head: &[u8]) -> Format {
    judge(head).0
}

/// The same, and what an input could be as well, if more than a quarter of its telling lines are of another format.
pub fn judge(head: &[u8]) -> (Format, Option<Doubt>) {
    let head = upto(head, HEAD);
    if let Some((_, format)) = MAGIC.into_iter().find(|(magic, _)| head.starts_with(magic)) {
        return (format, None);
    }
    if head.iter().all(|b| b.is_ascii_whitespace() || *b == 0) {
        return (Format::Empty, None);
    }
    if perf::is_json(head) {
        return (Format::PerfJson, None);
    }
    if is_utf16(head) {
        return (Format::Utf16, None);
    }
    // The option `bin` leaves the header as it is; the trace's own reader knows what to say about it.
    if is_binary(head) && !head.starts_with(b"# tracer:") {
        return (Format::Binary, None);
    }
    let mut votes = Votes::default();
    // Lines that look the same in a report and in ftrace's text.
    let mut n_either = 0;
    for line in Lines::new(head) {
        if report::is_ftrace_as_well(line.bytes) {
            n_either += 1;
            continue;
        }
        let Some(format) = vote(line.bytes) else { continue };
        // A header names its format beyond doubt, unless something else came first.
        if votes.0.is_empty() && line.bytes.starts_with(b"# tracer:") {
            return (format, None);
        }
        votes.add(format, 1);
    }
    let is_report = votes.of(Format::FtraceText) < votes.of(Format::TraceCmdReport);
    let either = if is_report { Format::TraceCmdReport } else { Format::FtraceText };
    votes.add(either, n_either);
    match votes.winner() {
        None if vmallocinfo::holds_rows(head) => (Format::Vmallocinfo, None),
        None if is_log(head) => (Format::KernelLog, None),
        None => (Format::Unknown, None),
        // Words such as `check` and `purge` are in other texts as well.
        Some(Format::OpScript | Format::AllocatorState) if !votes.are_most_of(head) => (Format::Unknown, None),
        Some(format) => (format, votes.doubt(format)),
    }
}

/// How many lines only each format prints, in the order of their first lines.
#[derive(Debug, Default)]
struct Votes(Vec<(Format, usize)>);

impl Votes {
    fn add(&mut self, format: Format, lines: usize) {
        match self.0.iter_mut().find(|(known, _)| *known == format) {
            Some((_, n)) => *n += lines,
            None if 0 < lines => self.0.push((format, lines)),
            None => {}
        }
    }

    fn of(&self, format: Format) -> usize {
        self.0.iter().find(|(known, _)| *known == format).map_or(0, |(_, n)| *n)
    }

    /// The one with the most lines, of equals the first.
    fn winner(&self) -> Option<Format> {
        self.0.iter().rev().max_by_key(|(_, n)| *n).map(|(format, _)| *format)
    }

    /// Do more lines tell something than not? Comments and empty lines do not count.
    fn are_most_of(&self, head: &[u8]) -> bool {
        let told: usize = self.0.iter().map(|(_, n)| n).sum();
        let counts = |line: &[u8]| !line.is_empty() && !line.starts_with(b"#");
        Lines::new(head).filter(|line| counts(trim(line.bytes))).count() <= told * 2
    }

    fn doubt(&self, format: Format) -> Option<Doubt> {
        // The two layouts of ftrace text differ only in their columns.
        let family = |format| if format == Format::TraceCmdReport { Format::FtraceText } else { format };
        let of = self.0.iter().map(|(_, n)| n).sum();
        let others = self.0.iter().copied().filter(|(known, _)| family(*known) != family(format));
        let (other, other_lines) = others.max_by_key(|(_, n)| *n).filter(|(_, n)| of < n * 4)?;
        let own = self.0.iter().filter(|(known, _)| family(*known) == family(format));
        Some(Doubt { format, lines: own.map(|(_, n)| n).sum(), other, other_lines, of })
    }
}

/// A log without a failure: it may still tell the kernel's release and range.
fn is_log(head: &[u8]) -> bool {
    let lines = || Lines::new(head).filter(|line| !trim(line.bytes).is_empty());
    let n_entries = lines().filter(|line| dmesg::is_entry(line.bytes)).count();
    lines().count() < n_entries * 2
}

/// What speaks against the answer of [`sniff`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// The answer.
    pub format: Format,
    /// Lines that only this format prints.
    pub lines: usize,
    /// What else it could be.
    pub other: Format,
    /// Lines that only that one prints.
    pub other_lines: usize,
    /// Lines that only one format prints.
    pub of: usize,
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { format, lines, other, other_lines, of } = self;
        let (format, other) = (format.title(), other.title());
        write!(f, "looks like {format} ({lines} of {of} lines), could be {other} ({other_lines})")
    }
}

/// The format that alone prints such a line.
fn vote(line: &[u8]) -> Option<Format> {
    let line = trim_end(line);
    if line.starts_with(b"# tracer:") {
        return Some(Format::FtraceText);
    }
    if line.is_empty() {
        None
    } else if vmallocinfo::is_exact(line) {
        Some(Format::Vmallocinfo)
    } else if perf::accepts(line) {
        Some(Format::PerfScript)
    } else if report::accepts(line) {
        Some(Format::TraceCmdReport)
    } else if ftrace::accepts(line) {
        Some(Format::FtraceText)
    } else if let Some(dialect) = listing::accepts(line) {
        Some(Format::Listing(dialect))
    } else if dmesg::accepts(line) {
        Some(Format::KernelLog)
    } else if bpftrace::accepts(line) {
        Some(Format::Bpftrace)
    } else if perf::accepts_trace(line) {
        Some(Format::PerfTrace)
    } else if vmallocinfo::accepts(line) {
        Some(Format::Vmallocinfo)
    } else if ops::accepts(line) {
        Some(Format::OpScript)
    } else if allocator_state::accepts(line) {
        Some(Format::AllocatorState)
    } else {
        None
    }
}

/// A byte order mark, and then every other byte is zero; people's texts are nearly all ASCII.
fn is_utf16(head: &[u8]) -> bool {
    let zero_at = match head {
        [0xff, 0xfe, ..] => 1,
        [0xfe, 0xff, ..] => 0,
        _ => return false,
    };
    let units = head.chunks_exact(2);
    units.len() < units.filter(|unit| unit.get(zero_at) == Some(&0)).count() * 2
}

/// Text has hardly any control bytes; task names may have some.
fn is_binary(head: &[u8]) -> bool {
    let control = head.iter().filter(|&&b| b < b' ' && !b.is_ascii_whitespace()).count();
    let no_text: usize = head.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    head.len() < (control + no_text) * 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magic_numbers() {
        assert_eq!(sniff(&[0x28, 0xb5, 0x2f, 0xfd, 0, 1]), Format::Zstd);
        assert_eq!(sniff(&[0x1f, 0x8b, 8, 0]), Format::Gzip);
        assert_eq!(sniff(b"\xfd7zXZ\0\0"), Format::Xz);
        assert_eq!(sniff(b"\x17\x08\x44tracing6\0"), Format::TraceDat);
        assert_eq!(sniff(b"\x7fELF\x02\x01"), Format::Core);
        assert_eq!(sniff(b"KDUMP   \x06\0\0\0"), Format::Core);
        assert_eq!(sniff(b"PERFILE2\x68\0\0\0"), Format::PerfData);
        assert_eq!(sniff(b"\0\x01\x02a\0\0\0\x03"), Format::Binary);
        assert_eq!(sniff(b"\xff\xfe0\0x\0f\0"), Format::Utf16);
        assert_eq!(sniff(b"\xfe\xff\x000\0x\0f"), Format::Utf16);
        assert_eq!(sniff(b"\xff\xfe0x\0\x01\0\x02\0"), Format::Binary);
    }

    #[test]
    fn a_mixture_is_doubtful() {
        let row = "0xffffc90000000000-0xffffc90000005000   20480 x+0x1/0x2 vmap\n";
        let event = "            init-1       [001] .....     5.463743: free_vmap_area_noflush: va_start=0x1000 nr_lazy=1 nr_lazy_max=2\n";
        let said = |text: String| judge(text.as_bytes()).1.map(|doubt| doubt.to_string());
        assert_eq!(said(row.repeat(9)), None);
        assert_eq!(said(row.repeat(9) + &event.repeat(3)), None);
        assert_eq!(
            said(row.repeat(8) + &event.repeat(3)).as_deref(),
            Some("looks like /proc/vmallocinfo (8 of 11 lines), could be ftrace text (3)")
        );
        assert_eq!(said("# tracer: nop\n".to_owned() + &row.repeat(8)), None);
        assert_eq!(said(String::new()), None);
    }

    #[test]
    fn texts() {
        let event = "            init-1       [001] .....     5.463743: free_vmap_area_noflush: va_start=0x1000 nr_lazy=1 nr_lazy_max=2";
        let report = "           <...>-1036  [000]    35.245532: alloc_vmap_area:      va_start: 18405698627120480256 size=20480";
        let perf = "    a b-c [x] :1   153 [000]     9.084739:        vmalloc:alloc_vmap_area: va_start: 1 size=2";
        for (text, want) in [
            ("# tracer: nop\n#\n", Format::FtraceText),
            (event, Format::FtraceText),
            ("CPU:0 [LOST 2718 EVENTS]\n", Format::FtraceText),
            ("1 1 5463743010 type: 687\n", Format::FtraceText),
            ("# tracer: nop\n\0\0\0\0\u{1}\0\0\0\u{1}\0\0\0\u{1}\0\0\0", Format::FtraceText),
            ("# tracer: function_graph\n", Format::FtraceText),
            (" 1) ! 225.555 us  |    insert_vmap_area();\n", Format::FtraceText),
            (report, Format::TraceCmdReport),
            ("cpus=2\n", Format::TraceCmdReport),
            (perf, Format::PerfScript),
            ("0xffffc90000000000-0xffffc90000005000   20480 x+0x1/0x2 vmap\n", Format::Vmallocinfo),
            ("Hi all,\n> 0xf8802000-0xf8804000    8192 x+0x1/0x2\n> vmap\n", Format::Vmallocinfo),
            ("# steps\nera 6.12\na 0 4096\nf 0\n", Format::OpScript),
            ("vmalloc_base 0xffffd17680000000\nfree 0x1 0xffffd17680000000\n", Format::AllocatorState),
            (" \r\n\0", Format::Empty),
            ("[    0.000000] Linux version 6.1.0\n[    0.100000] x: y\n", Format::KernelLog),
            ("vmap allocation for size 8192 failed: use vmalloc=<size> to increase size\n", Format::KernelLog),
            ("Dear all, this is a letter: it has no rows.\n", Format::Unknown),
            ("name = \"x\"\narch = \"amd64\"\nkernel = \"6.12\"\ncpus = 2\nhost = \"y\"\ncheck\n", Format::Unknown),
        ] {
            assert_eq!(sniff(text.as_bytes()), want, "{text}");
        }
    }
}
