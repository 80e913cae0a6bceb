//! The `#` lines at the start of a trace file.

use nom::Parser;
use nom::bytes::complete::take_until;
use nom::sequence::{preceded, separated_pair};

use crate::lex::{Lines, Res, decimal, lit, trim, word};

/// What the comment lines of a trace file tell. `trace_pipe` has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// The current tracer, `nop` if only events were traced.
    pub tracer: Option<String>,
    /// Entries that were still in the buffer, events of all kinds.
    pub entries_in_buffer: Option<u64>,
    /// Entries that were ever written; what exceeds `entries_in_buffer` was overwritten or already read.
    pub entries_written: Option<u64>,
    /// CPUs that were online; not the highest CPU number.
    pub online_cpus: Option<u32>,
    /// The kernel's release; only the latency format has it.
    pub kernel_release: Option<String>,
    /// The column line names a thread group id.
    pub has_tgid: bool,
    /// The column line draws a flags column.
    pub has_flags: bool,
    /// There is a column line at all; without one the lines may lack their prefix (`nocontext-info`).
    pub(super) has_columns: bool,
}

impl Header {
    /// Reads the comment lines that a text begins with.
    pub fn of_head(text: &[u8]) -> Self {
        let mut header = Self::default();
        for line in Lines::new(text).take_while(|line| line.bytes.starts_with(b"#")) {
            header.read(line.bytes);
        }
        header
    }

    /// Takes one line, `#` included.
    pub(super) fn read(&mut self, line: &[u8]) {
        if let Some(name) = tracer(line) {
            self.tracer = Some(String::from_utf8_lossy(name).into_owned());
        } else if let Ok((_, (in_buffer, written))) = entries(line) {
            self.entries_in_buffer = Some(in_buffer);
            self.entries_written = Some(written);
        } else if let Ok((_, release)) = release(line) {
            self.kernel_release = Some(String::from_utf8_lossy(release).into_owned());
        }
        if let Ok((_, cpus)) = online(line) {
            self.online_cpus = u32::try_from(cpus).ok();
        }
        self.has_columns |= contains(line, b"TASK-PID") || contains(line, b"cmd     pid");
        self.has_tgid |= contains(line, b"TASK-PID") && contains(line, b"TGID");
        self.has_flags |= contains(line, b"||||") && (contains(line, b"TASK-PID") || contains(line, b"cmd "));
    }
}

/// `# tracer: nop`
pub(super) fn tracer(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(b"# tracer:").map(trim)
}

/// `# entries-in-buffer/entries-written: 301/5937   #P:2`, and `# latency: 0 us, #89/89, CPU#0 | …`
fn entries(line: &[u8]) -> Res<'_, (u64, u64)> {
    let counts = || separated_pair(decimal, lit(b"/"), decimal);
    let long = preceded(lit(b"# entries-in-buffer/entries-written: "), counts());
    let short = preceded((lit(b"# latency: "), take_until(&b"#"[..]), lit(b"#")), counts());
    nom::branch::alt((long, short)).parse(line)
}

/// `#P:2`
fn online(line: &[u8]) -> Res<'_, u64> {
    preceded((take_until(&b"#P:"[..]), lit(b"#P:")), decimal).parse(line)
}

/// `# nop latency trace v1.1.5 on 6.12.117+deb12-cloud-amd64`
fn release(line: &[u8]) -> Res<'_, &[u8]> {
    let mark = &b" latency trace v"[..];
    preceded((take_until(mark), take_until(&b" on "[..]), lit(b" on ")), word).parse(line)
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(line, part).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(lines: &[&str]) -> Header {
        let mut header = Header::default();
        for line in lines {
            header.read(line.as_bytes());
        }
        header
    }

    #[test]
    fn default_header() {
        let got = header(&[
            "# tracer: nop",
            "#",
            "# entries-in-buffer/entries-written: 301/5937   #P:2",
            "#                                _-----=> irqs-off/BH-disabled",
            "#           TASK-PID       TGID    CPU#  |||||  TIMESTAMP  FUNCTION",
        ]);
        assert_eq!(got.tracer.as_deref(), Some("nop"));
        assert_eq!((got.entries_in_buffer, got.entries_written, got.online_cpus), (Some(301), Some(5937), Some(2)));
        assert!(got.has_tgid && got.has_flags && got.has_columns);
    }

    #[test]
    fn latency_header() {
        let got = header(&[
            "# nop latency trace v1.1.5 on 6.12.117+deb12-cloud-amd64",
            "# latency: 0 us, #88/89, CPU#0 | (M:desktop VP:0, KP:0, SP:0 HP:0 #P:2)",
            "#  cmd     pid     |||||| time  |   caller     ",
        ]);
        assert_eq!(got.kernel_release.as_deref(), Some("6.12.117+deb12-cloud-amd64"));
        assert_eq!((got.entries_in_buffer, got.entries_written, got.online_cpus), (Some(88), Some(89), Some(2)));
        assert!(got.has_flags && !got.has_tgid);
    }

    #[test]
    fn damaged_counts_are_left_open() {
        let got = header(&["# entries-in-buffer/entries-written: 301/   #P:", "# tracer"]);
        assert_eq!(got, Header::default());
    }
}
