//! Looks into recorded pages with the program's own reader: for what ends a recording, and for what is to be said of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use parsers::ftrace::probe::{Probed, Returned, recognise};
use parsers::record::{Body, Record};
use parsers::trace_dat::{RawPages, ReadAt, TraceDat};

use crate::log::Window;

use super::probes::Definition;

/// What pages cannot be read without.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// Text of `events/header_page`.
    pub header_page: Vec<u8>,
    /// Format files of all events that are recorded.
    pub formats: Vec<Vec<u8>>,
    /// The probes among them.
    pub probes: Vec<Definition>,
}

impl Layout {
    /// Shows `visit` every record of these pages.
    fn records(&self, cpus: &[(u16, &dyn ReadAt)], visit: &mut dyn FnMut(&Record<'_>)) {
        let formats: Vec<&[u8]> = self.formats.iter().map(Vec::as_slice).collect();
        let raw = RawPages::new(&self.header_page, &formats, cpus);
        if let Ok(mut dat) = TraceDat::from_pages(&raw) {
            dat.records(|record, _| visit(record));
        }
    }

    /// What an own probe's record says. Without symbols it does not tell where it sits; its name does.
    fn probed(&self, name: &[u8], args: &[u8]) -> Option<Probed> {
        let probe = self.probes.iter().find(|probe| probe.event.as_bytes() == name)?;
        let at = if probe.is_return { format!("f <- {}", probe.function) } else { probe.function.to_owned() };
        recognise(at.as_bytes(), args)
    }

    /// Did an allocation fail in this page?
    pub fn has_failure(&self, cpu: u16, page: &[u8]) -> bool {
        let mut failed = false;
        self.records(&[(cpu, &page)], &mut |record| {
            failed |= match &record.body {
                Body::Alloc(alloc) => alloc.failed,
                Body::Probe { name, args, .. } => self.probed(name, args) == Some(Probed::Return(Returned::Failed)),
                _ => false,
            };
        });
        failed
    }

    /// Goes through everything that was recorded.
    pub fn digest(&self, cpus: &[(u16, &dyn ReadAt)]) -> Digest {
        let mut digest = Digest::default();
        self.digest_more(cpus, &mut digest);
        digest
    }

    /// Goes through what has been recorded since.
    pub fn digest_more(&self, cpus: &[(u16, &dyn ReadAt)], digest: &mut Digest) {
        self.records(cpus, &mut |record| digest.take(self, record));
    }
}

/// What there is to say of a recording.
#[derive(Debug, Clone, Default)]
pub struct Digest {
    /// Allocations, failed ones included.
    pub allocs: u64,
    /// Failed ones among them.
    pub failed: u64,
    /// Frees.
    pub frees: u64,
    /// Purges.
    pub purges: u64,
    /// Everything else: marks, stacks, entries of probed functions.
    pub others: u64,
    /// Notices of loss.
    pub losses: u64,
    /// The widest window that an allocation asks for: modules and test windows are small beside it.
    pub window: Option<Window>,
    /// Addresses of code that occur.
    pub addresses: BTreeSet<u64>,
    /// The functions that own probes sit on, by their addresses.
    pub probed: BTreeMap<u64, &'static str>,
    /// Stamps of own marks.
    pub marks: HashMap<String, u64>,
    /// Tasks that occur.
    pub pids: BTreeSet<i32>,
}

impl Digest {
    fn take(&mut self, layout: &Layout, record: &Record<'_>) {
        if let Some(prefix) = &record.prefix {
            self.pids.insert(prefix.pid);
        }
        let widest = &mut self.window;
        let mut window = |vstart: u64, vend: u64| {
            if widest.map_or(0, |widest| widest.vend - widest.vstart) < vend.saturating_sub(vstart) {
                *widest = Some(Window { vstart, vend });
            }
        };
        match &record.body {
            Body::Alloc(alloc) => {
                self.allocs += 1;
                self.failed += u64::from(alloc.failed);
                window(alloc.vstart, alloc.vend);
            }
            Body::Free(_) => self.frees += 1,
            Body::Purge(_) => self.purges += 1,
            Body::Stack(frames) => {
                self.others += 1;
                self.addresses.extend(frames.iter().filter_map(|frame| frame.address));
            }
            Body::Probe { name, at, args } => {
                match layout.probed(name, args) {
                    Some(Probed::Request(request)) => window(request.vstart, request.vend),
                    Some(Probed::Return(returned)) => {
                        self.allocs += 1;
                        self.failed += u64::from(returned == Returned::Failed);
                    }
                    Some(Probed::Free { .. }) => self.frees += 1,
                    Some(Probed::PurgeReturn(_)) => self.purges += 1,
                    _ => self.others += 1,
                }
                self.place(layout, name, at);
            }
            Body::Marker(text) => {
                self.others += 1;
                let stamp = record.prefix.as_ref().map(|prefix| prefix.stamp);
                if let Some(parsers::record::Stamp::Nanos(at)) = stamp
                    && text.starts_with(b"vmaplens:")
                {
                    self.marks.insert(String::from_utf8_lossy(text).trim().to_owned(), at);
                }
            }
            Body::Lost { .. } => self.losses += 1,
            _ => self.others += 1,
        }
    }

    /// Where an own probe sits: an address, as long as there are no symbols.
    fn place(&mut self, layout: &Layout, name: &[u8], at: &[u8]) {
        let Some(probe) = layout.probes.iter().find(|probe| probe.event.as_bytes() == name) else { return };
        let at = String::from_utf8_lossy(at);
        let address = |text: &str| u64::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok();
        let (caller, function) = match at.split_once(" <- ") {
            Some((caller, function)) => (Some(caller), function),
            None => (None, at.as_ref()),
        };
        if let Some(function) = address(function) {
            self.probed.insert(function, probe.function);
        }
        self.addresses.extend(caller.and_then(address));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// Pages of a recording, and how to read them.
    fn recorded() -> (Layout, Vec<(u16, Vec<u8>)>) {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/bundles/amd64-612-record.tar.zst");
        let packed = std::fs::read(path).expect("there");
        let plain = zstd::stream::decode_all(packed.as_slice()).expect("zstd");
        let (mut layout, mut cpus) = (Layout::default(), Vec::new());
        for entry in tar::Archive::new(plain.as_slice()).entries().expect("a tar") {
            let mut entry = entry.expect("whole");
            let name = entry.path().expect("a name").to_string_lossy().into_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("whole");
            if name == "header_page" {
                layout.header_page = bytes;
            } else if name.starts_with("formats/") {
                layout.formats.push(bytes);
            } else if let Some(cpu) = name.strip_prefix("events.pages/cpu") {
                cpus.push((cpu.parse().expect("a number"), bytes));
            }
        }
        (layout, cpus)
    }

    #[test]
    fn a_failure_is_seen_in_its_page_alone() {
        let (layout, cpus) = recorded();
        let mut n_pages = 0;
        for (cpu, pages) in &cpus {
            for page in pages.chunks(4096) {
                assert!(!layout.has_failure(*cpu, page));
                let mut digest = Digest::default();
                layout.records(&[(*cpu, &page)], &mut |record| digest.take(&layout, record));
                let window = layout.digest(&[(*cpu, &page)]).window;
                let Some(window) = window.filter(|_| digest.allocs > 0) else { continue };
                // `failed` stands behind `vend`.
                let bounds = [window.vstart.to_le_bytes(), window.vend.to_le_bytes()].concat();
                let at = page.windows(16).position(|bytes| bytes == bounds).expect("an allocation") + 16;
                let mut failing = page.to_vec();
                failing[at] = 1;
                assert!(layout.has_failure(*cpu, &failing));
                n_pages += 1;
            }
        }
        assert!(n_pages > 0);
    }

    #[test]
    fn damaged_pages_are_survived() {
        let (layout, cpus) = recorded();
        let page = &cpus.iter().find(|(_, pages)| !pages.is_empty()).expect("one").1[..4096];
        for at in 0..page.len() {
            let mut damaged = page.to_vec();
            damaged[at] ^= 0xff;
            layout.has_failure(0, &damaged);
        }
        assert!(!Layout::default().has_failure(0, page));
    }
}
