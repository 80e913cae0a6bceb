//! Recordings in the kernel's own binary form: `trace.dat` of trace-cmd (versions 6 and 7), and raw pages of
//! `per_cpu/cpuN/trace_pipe_raw` with the format files that describe them.
//!
//! [`TraceDat`] hands out the same [`Record`]s as the readers of text, CPUs merged by stamp. Nothing about layouts is
//! assumed: they come from the recording. Only a window of each CPU's pages is in memory. Decompressors are the
//! caller's ([`Unpack`]), because this crate holds no foreign code.
//!
//! ```text
//! header ─ options ┬ formats ──► decode ┐
//!                  ├ symbols, names ────┤
//!                  └ regions ──► window ─ page ─ merge ──► records
//! ```

mod damage;
mod decode;
mod flags;
mod format;
mod header;
mod input;
mod kind;
mod merge;
mod options;
mod page;
mod pages;
mod print;
mod section;
mod symbols;
mod window;

use std::collections::BTreeSet;
use std::fmt;

pub use damage::DatDamage;
pub use input::{ReadAt, read_into};
pub use pages::RawPages;

use crate::problem::{Problem, ProblemKind, Problems};
use crate::record::Record;
use decode::Tables;
use merge::Merge;
use page::{Layout, Stream};
use window::{Region, window_size};

/// The bytes that every trace.dat begins with.
pub const MAGIC: &[u8; 10] = b"\x17\x08\x44tracing";

/// A way to compress parts of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Zstandard frames.
    Zstd,
    /// A zlib stream (not gzip, not raw deflate).
    Zlib,
}

/// What unpacks compressed parts.
pub trait Unpack {
    /// Appends the unpacked bytes, at most `size`, to `out`, which is empty.
    ///
    /// # Errors
    /// What is wrong, in a few words; also if there are more than `size` bytes.
    fn unpack(&self, method: Method, packed: &[u8], size: usize, out: &mut Vec<u8>) -> Result<(), String>;
}

/// Unpacks nothing: for raw pages and version 6, which are never compressed.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoUnpack;

impl Unpack for NoUnpack {
    fn unpack(&self, method: Method, _: &[u8], _: usize, _: &mut Vec<u8>) -> Result<(), String> {
        Err(format!("{method:?} is not supported here"))
    }
}

/// Why an input cannot be read at all. Prints as a lower-case sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It does not begin like a trace.dat.
    NotTraceDat,
    /// A version that is neither 6 nor 7: what it is called.
    Version(String),
    /// A compression that is neither zstd nor zlib: what it is called.
    Compression(String),
    /// The recorder did not finish the file, and without its end nothing can be found.
    Unfinished,
    /// A part that everything after depends on is broken: what, and where.
    Broken(&'static str, u64),
    /// Nothing describes the ring-buffer pages.
    NoHeaderPage,
    /// The file cannot be read: why.
    Unreadable(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTraceDat => f.write_str("this is no trace.dat file"),
            Self::Version(version) => write!(f, "this is a trace.dat of version {version:?}, only 6 and 7 can be read"),
            Self::Compression(name) => {
                write!(f, "this trace.dat is compressed with {name:?}, only zstd and zlib can be read")
            }
            Self::Unfinished => f.write_str("the recorder did not finish this trace.dat: the options are missing"),
            Self::Broken(what, offset) => write!(f, "the {what} at byte {offset} of this trace.dat cannot be read"),
            Self::NoHeaderPage => f.write_str("nothing in this recording tells how its ring-buffer pages are laid out"),
            Self::Unreadable(why) => write!(f, "the file cannot be read: {why}"),
        }
    }
}

impl std::error::Error for Refusal {}

/// What a recording tells about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// 6 or 7; 0 for raw pages.
    pub version: u8,
    /// Byte order of the traced machine.
    pub is_big_endian: bool,
    /// Bytes of the traced kernel's `long`.
    pub long_bytes: u8,
    /// Bytes of a page of the traced machine.
    pub page_bytes: u32,
    /// Name of the compression, `none` without.
    pub compression: String,
    /// `uname` of the traced machine: system, node, release, machine.
    pub uname: Vec<u8>,
    /// CPUs of the traced machine.
    pub n_cpus: u32,
    /// Version of the recorder.
    pub recorder: Vec<u8>,
    /// Nanoseconds that were added to every stamp (options DATE and OFFSET).
    pub offset_ns: i64,
    /// Whether the recorder was stopped before it wrote the pages.
    pub is_unfinished: bool,
    /// Ring buffers: the main one, whose name is empty, and those of instances.
    pub instances: Vec<Instance>,
    /// Statistics of the ring buffers.
    pub stats: Vec<CpuStat>,
    /// Texts of latency tracers, which no event of the pages repeats.
    pub texts: Vec<BufferText>,
}

impl Facts {
    /// Release of the traced kernel: the last word but one of [`Self::uname`].
    pub fn kernel_release(&self) -> Option<&[u8]> {
        let mut words = self.uname.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        words.next_back()?;
        words.next_back()
    }
}

/// One ring buffer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Instance {
    /// Empty for the main one.
    pub name: Vec<u8>,
    /// Name of its clock: `local`, `x86-tsc`.
    pub clock: Vec<u8>,
    /// Bytes of a sub-buffer.
    pub subbuf_bytes: usize,
    /// CPUs with pages.
    pub cpus: Vec<u16>,
}

/// `per_cpu/cpuN/stats` at the end of the recording.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuStat {
    /// Name of the instance, empty for the main buffer.
    pub instance: Vec<u8>,
    /// The CPU.
    pub cpu: u32,
    /// Events that were overwritten before they could be read.
    pub overrun: u64,
    /// Events that were lost because a write was interrupted too often.
    pub commit_overrun: u64,
    /// Events that were not written because the buffer was full.
    pub dropped: u64,
}

/// Text of a latency tracer in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BufferText {
    /// From this byte of the file on, this many.
    At(u64, u64),
    /// Unpacked.
    Unpacked(Vec<u8>),
}

/// How stamps of an instance become times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    /// Nanoseconds, and what to add.
    Nanos(i64),
    /// A number without a known unit.
    Ticks,
    /// `((ticks - offset) * mult) >> shift` nanoseconds, and what to add.
    Tsc { mult: u32, shift: u32, offset: u64, add: i64 },
}

impl Clock {
    #[inline]
    fn time(self, stamp: u64) -> u64 {
        match self {
            Self::Nanos(add) => stamp.wrapping_add_signed(add),
            Self::Ticks => stamp,
            Self::Tsc { mult, shift, offset, add } => {
                let wide = u128::from(stamp.wrapping_sub(offset)) * u128::from(mult);
                (wide.checked_shr(shift).unwrap_or_default() as u64).wrapping_add_signed(add)
            }
        }
    }
}

/// What reading pages collects and reuses.
#[derive(Debug, Default)]
pub(crate) struct Tools {
    problems: Problems,
    packed: Vec<u8>,
    unknown: BTreeSet<u16>,
}

impl Tools {
    fn problem(&mut self, offset: u64, kind: ProblemKind) {
        self.problems.push(Problem { line: 0, column: 0, offset, kind });
    }

    fn damage(&mut self, offset: u64, damage: DatDamage) {
        self.problem(offset, ProblemKind::Dat(damage));
    }

    /// Told once for each number.
    fn unknown_event(&mut self, id: u16, offset: u64) {
        if self.unknown.insert(id) {
            self.damage(offset, DatDamage::UnknownEvent(id));
        }
    }
}

/// An opened recording.
pub struct TraceDat<'s> {
    facts: Facts,
    tables: Tables,
    layout: Layout,
    clocks: Vec<Clock>,
    regions: Vec<Region<'s>>,
    unpack: &'s dyn Unpack,
    tools: Tools,
}

impl<'s> TraceDat<'s> {
    /// Reads everything but the pages.
    ///
    /// # Errors
    /// If it is no trace.dat, or one whose pages cannot be found or understood.
    pub fn open(source: &'s dyn ReadAt, unpack: &'s dyn Unpack) -> Result<Self, Refusal> {
        header::read(source, unpack)?.finish(unpack)
    }

    /// Raw pages with what is needed to understand them.
    ///
    /// # Errors
    /// If `header_page` tells no layout.
    pub fn from_pages(pages: &RawPages<'s>) -> Result<Self, Refusal> {
        pages.parts().finish(&NoUnpack)
    }

    /// What the recording tells about itself.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Text of an event's format file.
    pub fn format(&self, event: &[u8]) -> Option<&[u8]> {
        self.tables.events.iter().find(|known| known.format.name == event).map(|known| known.format.text.as_slice())
    }

    /// Adds pages that a recorder left in `trace.dat.cpuN` when it did not finish its file.
    pub fn add_pages(&mut self, cpu: u16, source: &'s dyn ReadAt) {
        let stride = self.facts.instances.first().map_or(self.layout.stride, |instance| instance.subbuf_bytes);
        self.regions.push(Region { source, cpu, instance: 0, offset: 0, size: source.len(), method: None, stride });
        self.regions.sort_by_key(|region| (region.instance, region.cpu));
    }

    /// Hands out every record and the number of its instance (in [`Facts::instances`]), by stamp, lowest CPU first if
    /// stamps are equal, and in the order of its CPU in any case.
    pub fn records(&mut self, mut visit: impl FnMut(&Record<'_>, usize)) {
        let window = window_size(self.regions.len());
        let order = self.tables.order;
        let stream = |region: &Region<'s>| Stream::new(*region, order, self.layout, window);
        let streams = self.regions.iter().map(stream).collect();
        let (tables, clocks) = (&self.tables, self.clocks.as_slice());
        Merge { streams, tables, clocks, unpack: self.unpack, tools: &mut self.tools }.run(&mut visit);
    }

    /// Damaged places found so far.
    pub fn problems(&self) -> &[Problem] {
        self.tools.problems.list()
    }

    /// The facts and all problems.
    pub fn into_parts(self) -> (Facts, Vec<Problem>) {
        (self.facts, self.tools.problems.into_list())
    }
}

impl fmt::Debug for TraceDat<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceDat").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// Reads any bytes as a trace.dat and counts records and problems: the whole of this module in one call, for fuzzing.
///
/// # Errors
/// Those of [`TraceDat::open`].
pub fn count(input: &[u8], unpack: &dyn Unpack) -> Result<(u64, usize), Refusal> {
    let mut dat = TraceDat::open(&input, unpack)?;
    let mut n_records = 0;
    dat.records(|_, _| n_records += 1);
    Ok((n_records, dat.problems().len()))
}
