//! What a kernel says of itself while it boots, as far as it explains a failure.

use nom::Parser;
use nom::combinator::all_consuming;

use super::wording::past;
use crate::lex::{after, decimal, hex0x, trim, trim_end, trim_start, upto, word};

/// What a kernel log tells of its kernel. Of several boots in one log the last counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// `Linux version 6.5.0-0.deb12.4-686 (…)`: the release.
    pub release: Option<String>,
    /// The vmalloc range that the kernel printed in its memory layout: start and end, end exclusive.
    pub vmalloc: Option<(u64, u64)>,
    /// Bytes of `vmalloc=` on the kernel's command line.
    pub vmalloc_option: Option<u64>,
    /// Bytes of memory that were available at boot.
    pub available: Option<u64>,
    /// Messages about failed allocations that the kernel left out because there were too many.
    pub suppressed: u64,
}

impl Facts {
    /// Takes the text of one entry.
    pub(super) fn read(&mut self, text: &[u8]) {
        if let Some(version) = text.strip_prefix(b"Linux version ") {
            let release = word(version).map_or(&b""[..], |(_, release)| release);
            *self = Self { release: Some(String::from_utf8_lossy(release).into_owned()), ..Self::default() };
        } else if let Some(at) = memchr::memmem::find(text, b"ommand line: ") {
            let options = after(text, at + 13).split(|b| *b == b' ');
            // The last one counts, as for the kernel.
            for given in options.filter_map(|option| option.strip_prefix(b"vmalloc=")) {
                self.vmalloc_option = bytes(given).or(self.vmalloc_option);
            }
        } else if let Some(memory) = text.strip_prefix(b"Memory: ") {
            self.available = memory_of(memory).or(self.available);
        } else if let Some(count) = suppressed(text) {
            self.suppressed = self.suppressed.saturating_add(count);
        } else if memchr::memmem::find(text, b"vmalloc").is_some() {
            self.vmalloc = layout(text).or(self.vmalloc);
        }
    }
}

/// `256M`, as the command line has it.
fn bytes(text: &[u8]) -> Option<u64> {
    let (rest, value) = if text.starts_with(b"0x") { hex0x(text) } else { decimal(text) }.ok()?;
    let shift = match rest.first().map(u8::to_ascii_uppercase) {
        None => 0,
        Some(b'K') => 10,
        Some(b'M') => 20,
        Some(b'G') => 30,
        _ => return None,
    };
    value.checked_mul(1 << shift).filter(|_| rest.len() <= 1)
}

/// `926580K/1048044K available (…)`, or `1027016k/1048576k available`
fn memory_of(text: &[u8]) -> Option<u64> {
    let (rest, kilobytes) = decimal(text).ok()?;
    let unit = matches!(rest.first(), Some(b'K' | b'k'));
    let told = memchr::memmem::find(rest, b"available").is_some();
    (unit && told).then_some(kilobytes)?.checked_mul(1024)
}

/// `alloc_vmap_area: 856 callbacks suppressed`
fn suppressed(text: &[u8]) -> Option<u64> {
    let who = [&b"alloc_vmap_area: "[..], b"warn_alloc: ", b"warn_alloc_failed: ", b"__vmalloc_node_range: "];
    let count = who.iter().find_map(|who| text.strip_prefix(*who))?;
    let (rest, count) = decimal(count).ok()?;
    rest.starts_with(b" callbacks suppressed").then_some(count)
}

/// `    vmalloc : 0xf0800000 - 0xff800000   ( 240 MB)`, or `  * 0xf1000000..0xf5110000  : vmalloc & ioremap`
fn layout(text: &[u8]) -> Option<(u64, u64)> {
    let text = trim(text);
    let first = text.strip_prefix(b"* ").and_then(|range| {
        let (rest, (start, end)) = dotted(trim_start(range))?;
        rest.starts_with(b": vmalloc").then_some((start, end))
    });
    let second = || {
        let range = trim_start(trim_start(text.strip_prefix(b"vmalloc")?).strip_prefix(b":")?);
        let dash = memchr::memchr(b'-', range)?;
        let (_, start) = all_consuming(hex0x).parse(trim_end(upto(range, dash))).ok()?;
        let (rest, end) = hex0x(trim_start(after(range, dash + 1))).ok()?;
        rest.first().is_none_or(u8::is_ascii_whitespace).then_some((start, end))
    };
    first.or_else(second).map(|(start, end)| (start, past(end))).filter(|(start, end)| start < end)
}

/// `0xf1000000..0xf5110000  `
fn dotted(text: &[u8]) -> Option<(&[u8], (u64, u64))> {
    let (rest, start) = hex0x(text).ok()?;
    let (rest, end) = hex0x(rest.strip_prefix(b"..")?).ok()?;
    Some((trim_start(rest), (start, end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(lines: &[&str]) -> Facts {
        let mut facts = Facts::default();
        for line in lines {
            facts.read(line.as_bytes());
        }
        facts
    }

    #[test]
    fn what_a_boot_says() {
        let got = facts(&[
            "Linux version 6.12.1-test (a@b) (gcc 12) #1 SMP",
            "Kernel command line: console=ttyS0 vmalloc=48M quiet",
            "Memory: 943564K/1048044K available (16384K kernel code)",
            "vmalloc : 0xf0800000 - 0xff800000   ( 240 MB)",
            "alloc_vmap_area: 856 callbacks suppressed",
            "warn_alloc: 3 callbacks suppressed",
            "net_ratelimit: 5 callbacks suppressed",
        ]);
        let want = Facts {
            release: Some("6.12.1-test".into()),
            vmalloc: Some((0xf080_0000, 0xff80_0000)),
            vmalloc_option: Some(48 << 20),
            available: Some(943_564 << 10),
            suppressed: 859,
        };
        assert_eq!(got, want);
        let again = facts(&["vmalloc : 0xf0800000 - 0xff800000", "Linux version 5.1 x"]);
        assert_eq!(again, Facts { release: Some("5.1".into()), ..Facts::default() });
    }

    #[test]
    fn layouts_of_other_architectures() {
        for (line, want) in [
            ("* 0xf1000000..0xf5110000  : vmalloc & ioremap", Some((0xf100_0000, 0xf511_0000))),
            (
                "vmalloc : 0xffffff8000000000 - 0xffffffbdbfff0000   (   246 GB)",
                Some((0xffff_ff80_0000_0000, 0xffff_ffbd_bfff_0000)),
            ),
            ("vmalloc : 0xffffc90000000000 - 0xffffe8ffffffffff", Some((0xffff_c900_0000_0000, 0xffff_e900_0000_0000))),
            ("vmalloc : 0xff800000 - 0xf0800000", None),
            ("vmalloc : 0xf08", None),
            ("vmalloc error: size 4096, failed", None),
        ] {
            assert_eq!(facts(&[line]).vmalloc, want, "{line}");
        }
    }
}
