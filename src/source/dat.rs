//! Binary recordings: `trace.dat`, read at its places, and raw pages with the files that describe them.

use std::fmt;
use std::sync::Arc;

use parsers::Problem;
use parsers::record::Record;
use parsers::trace_dat::{self, Facts, RawPages, TraceDat};

use crate::log::FileProblem;

use super::SourceError;
use super::members::{ENDINGS, Members};
use super::read_at::{Places, ReadAt};
use super::stream::Stream;
use super::unpack::Decompressors;

/// The folder of a bundle that has raw pages: `cpuN` of each CPU.
pub const PAGES: &str = "events.pages";

/// Raw pages of `trace_pipe_raw`, and what a recorder saved with them.
pub struct Pages {
    /// Text of `events/header_page`.
    pub header_page: Vec<u8>,
    /// Format files of the events.
    pub formats: Vec<Vec<u8>>,
    /// Pages of each CPU, back to back.
    pub cpus: Vec<(u16, Arc<Places>)>,
    /// Names of tasks, as the kernel prints them.
    pub saved_cmdlines: Vec<u8>,
    /// Names of functions, as lines of kallsyms.
    pub kallsyms: Vec<u8>,
    /// Text of `printk_formats`.
    pub printk_formats: Vec<u8>,
    /// Text of `trace_clock`.
    pub trace_clock: Vec<u8>,
    /// `uname -r`.
    pub release: Vec<u8>,
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("n_cpus", &self.cpus.len()).finish_non_exhaustive()
    }
}

/// Has a capture raw pages?
pub fn has_pages(members: &Members) -> bool {
    members.names().any(|name| cpu_of(name).is_some())
}

/// `events.pages/cpuN`, packed or not.
fn cpu_of(name: &str) -> Option<u16> {
    let cpu = name.strip_prefix(PAGES)?.strip_prefix("/cpu")?;
    ENDINGS.iter().find_map(|ending| cpu.strip_suffix(ending)).unwrap_or(cpu).parse().ok()
}

/// Raw pages of a capture as one recording, and what is damaged in the packing of its members. `clock` and `release` are
/// what the capture says elsewhere.
///
/// # Errors
/// A member is refused.
pub fn pages(
    members: &Members,
    clock: Option<&str>,
    release: Option<&str>,
) -> Result<(Option<Stream>, Vec<FileProblem>), SourceError> {
    let mut problems = Vec::new();
    let mut whole = |name: &str| -> Result<Vec<u8>, SourceError> {
        let Some(mut stream) = members.open(name, &mut problems)? else { return Ok(Vec::new()) };
        let bytes = stream.whole()?;
        problems.extend(stream.finish()?);
        Ok(bytes)
    };
    let mut found: Vec<(u16, &str)> = members.names().filter_map(|name| Some((cpu_of(name)?, name))).collect();
    // The same CPU packed and unpacked is there once.
    found.sort_unstable();
    found.dedup_by_key(|(cpu, _)| *cpu);
    if found.is_empty() {
        return Ok((None, problems));
    }
    let formats = members.names().filter(|name| name.starts_with("formats/")).map(&mut whole);
    let formats = formats.collect::<Result<Vec<_>, _>>()?;
    let mut kallsyms = whole("kallsyms")?;
    kallsyms.extend(symbols(&whole("symbols.txt")?));
    let mut trace_clock = whole("trace_clock")?;
    if let Some(clock) = clock.filter(|_| trace_clock.is_empty()) {
        trace_clock = format!("[{clock}]").into_bytes();
    }
    let mut pages = Pages {
        header_page: whole("header_page")?,
        formats: formats.into_iter().filter(|format| !format.is_empty()).collect(),
        cpus: Vec::new(),
        saved_cmdlines: whole("saved_cmdlines")?,
        kallsyms,
        printk_formats: whole("printk_formats")?,
        trace_clock,
        release: release.unwrap_or_default().as_bytes().to_vec(),
    };
    for (cpu, name) in found {
        let Some(mut stream) = members.open(name, &mut problems)? else { continue };
        pages.cpus.push((cpu, stream.places()?));
        problems.extend(stream.finish()?);
    }
    Ok((Some(Stream::of_pages(PAGES, pages)), problems))
}

/// `ADDR NAME+OFF [mod]` of a bundle as lines of kallsyms.
pub fn symbols(text: &[u8]) -> Vec<u8> {
    let line = |line: &[u8]| {
        let line = std::str::from_utf8(line).ok()?;
        let mut words = line.split_ascii_whitespace();
        let addr = u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok()?;
        let word = words.next()?;
        let module = words.next().map_or(String::new(), |module| format!("\t{module}"));
        let (name, offset) = word.split_once('+').unwrap_or((word, "0"));
        let offset = u64::from_str_radix(offset.split('/').next()?.trim_start_matches("0x"), 16).ok()?;
        Some(format!("{:x} t {name}{module}\n", addr.checked_sub(offset)?))
    };
    text.split(|byte| *byte == b'\n').filter_map(line).collect::<String>().into_bytes()
}

/// Shows `visit` every record, by stamp; what the recording says about itself, and its damaged places. A file on disk is
/// read page by page; one that is packed or piped is in memory.
///
/// # Errors
/// It is no recording that can be read.
pub fn read(stream: &mut Stream, visit: &mut dyn FnMut(&Record<'_>)) -> Result<(Facts, Vec<Problem>), SourceError> {
    let name = stream.name.clone();
    let refused = |refusal: trace_dat::Refusal| SourceError::Damaged { name: name.clone(), why: refusal.to_string() };
    if let Some(pages) = &stream.pages {
        let formats: Vec<&[u8]> = pages.formats.iter().map(Vec::as_slice).collect();
        let cpus: Vec<(u16, &dyn ReadAt)> =
            pages.cpus.iter().map(|(cpu, bytes)| (*cpu, &**bytes as &dyn ReadAt)).collect();
        let raw = RawPages {
            saved_cmdlines: &pages.saved_cmdlines,
            kallsyms: &pages.kallsyms,
            printk_formats: &pages.printk_formats,
            trace_clock: &pages.trace_clock,
            release: &pages.release,
            ..RawPages::new(&pages.header_page, &formats, &cpus)
        };
        let mut dat = TraceDat::from_pages(&raw).map_err(refused)?;
        dat.records(|record, _| visit(record));
        return Ok(dat.into_parts());
    }
    let bytes = stream.places()?;
    let unpack = Decompressors::default();
    let mut dat = TraceDat::open(&*bytes, &unpack).map_err(refused)?;
    dat.records(|record, _| visit(record));
    Ok(dat.into_parts())
}
