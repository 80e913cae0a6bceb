//! Listings of vmalloc areas that are not `/proc/vmallocinfo`: what debuggers, vendors and an oops print.
//!
//! Every dialect becomes rows of a [`Snapshot`]. What a dialect does not tell is left out of the row, and
//! [`Dialect`] says what that is; nothing is computed that a reader of the text could not see in it.

mod crash;
mod log;
mod page_tables;
mod plain;
mod qualcomm;
mod row;

use crate::lex::{Line, Lines, after, column, trim, upto};
use crate::problem::Problems;
use crate::vmallocinfo::{Area, Confidence, Pointers, Snapshot};
use crate::{Problem, ProblemKind};

/// How much of an input [`detect`] looks at.
const HEAD: usize = 64 * 1024;

/// A tool or place that lists areas in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// A drgn script in the style of `/proc/vmallocinfo`; callers without offset.
    Drgn,
    /// `lx-vmallocinfo` of the kernel's gdb scripts; callers as `<symbol+decimal>`.
    Gdb,
    /// `kmem -v` of crash: addresses of the descriptors, address range, size.
    Crash,
    /// The `vmalloc` command of Qualcomm's plugin for crash.
    Qualcomm,
    /// A Perl script for crash: no `0x`, blanks around the dash, the caller aligned to the right.
    Perl,
    /// What Amlogic's kernels write to their log when an allocation fails: `dump_vmalloc, va:…`.
    Amlogic,
    /// What 32-bit ARM kernels say of registers in an oops: `4-page vmalloc region starting at …`.
    ArmOops,
    /// `kernel_page_tables` of debugfs: what is mapped in the vmalloc range. Its rows are mapped ranges, not areas.
    PageTables,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 8] = [
        Self::Drgn,
        Self::Gdb,
        Self::Crash,
        Self::Qualcomm,
        Self::Perl,
        Self::Amlogic,
        Self::ArmOops,
        Self::PageTables,
    ];

    /// What to call it in a message.
    pub fn title(self) -> &'static str {
        match self {
            Self::Drgn => "vmallocinfo of drgn",
            Self::Gdb => "lx-vmallocinfo of gdb",
            Self::Crash => "kmem -v of crash",
            Self::Qualcomm => "vmalloc of Qualcomm's plugin for crash",
            Self::Perl => "vmalloc listing of a crash script",
            Self::Amlogic => "dump_vmalloc of an Amlogic kernel",
            Self::ArmOops => "registers of an ARM oops",
            Self::PageTables => "kernel_page_tables",
        }
    }

    /// Whether a row is an area. A row of [`Self::PageTables`] is a run of equal page-table entries: an area may have
    /// several, and neighbours may share one.
    pub fn lists_areas(self) -> bool {
        self != Self::PageTables
    }

    /// Whether all areas of the moment are listed. An oops names those that registers point to.
    pub fn is_complete(self) -> bool {
        self != Self::ArmOops
    }

    /// Whether sizes and ends include the guard page of an area that has one.
    pub fn includes_guard(self) -> bool {
        !matches!(self, Self::ArmOops | Self::PageTables)
    }

    /// Whether rows can tell who asked for the area.
    pub fn tells_callers(self) -> bool {
        !matches!(self, Self::Crash | Self::PageTables)
    }
}

/// What one line turned out to be.
#[derive(Debug)]
enum Read<'a> {
    /// A row, and what had to be repaired in it.
    Row(Area<'a>, Option<ProblemKind>),
    /// A row that is already there.
    Again,
    /// More about the row before it.
    More(Area<'a>),
    /// A heading, a prompt, another log line: no loss.
    Aside,
    /// A line that should be a row.
    Bad(ProblemKind),
}

/// Looks for the dialect of a text in its first 64 KiB: the one that most lines speak.
pub fn detect(head: &[u8]) -> Option<Dialect> {
    let mut votes = [0_usize; Dialect::ALL.len()];
    for line in Lines::new(upto(head, HEAD)) {
        let Some(dialect) = accepts(line.bytes) else { continue };
        for (n, known) in votes.iter_mut().zip(Dialect::ALL) {
            *n += usize::from(known == dialect);
        }
    }
    let best = Dialect::ALL.into_iter().zip(votes).rev().max_by_key(|(_, n)| *n);
    best.filter(|(_, n)| 0 < *n).map(|(dialect, _)| dialect)
}

/// The dialect that alone could have printed a line.
pub(crate) fn accepts(line: &[u8]) -> Option<Dialect> {
    log::accepts(line)
        .or_else(|| page_tables::accepts(line).then_some(Dialect::PageTables))
        .or_else(|| qualcomm::accepts(line).then_some(Dialect::Qualcomm))
        .or_else(|| crash::accepts(line).then_some(Dialect::Crash))
        .or_else(|| plain::accepts(line))
}

/// Reads a text as a listing in the given dialect.
pub fn parse(dialect: Dialect, text: &[u8]) -> Snapshot<'_> {
    let mut areas: Vec<Area<'_>> = Vec::new();
    let mut problems = Problems::default();
    let mut pages = page_tables::Reader::new(dialect, text);
    for line in Lines::new(text) {
        if trim(line.bytes).is_empty() {
            continue;
        }
        let read = match dialect {
            Dialect::Drgn | Dialect::Gdb | Dialect::Perl => plain::line(dialect, line.bytes),
            Dialect::Crash => crash::line(line.bytes),
            Dialect::Qualcomm => qualcomm::line(line.bytes, areas.last()),
            Dialect::Amlogic => log::amlogic(line.bytes),
            Dialect::ArmOops => log::oops(line.bytes, &areas),
            Dialect::PageTables => pages.line(line.bytes),
        };
        take(line, read, &mut areas, &mut problems);
    }
    let pointers = pointers(&areas);
    Snapshot { areas, pointers, problems: problems.into_list() }
}

fn take<'a>(line: Line<'a>, read: Read<'a>, areas: &mut Vec<Area<'a>>, problems: &mut Problems) {
    let offset = line.start as u64;
    let mut say = |kind| {
        let first = upto(line.bytes, line.bytes.len() - trim_front(line.bytes).len()).len();
        let column = column(line.bytes, after(line.bytes, first));
        problems.push(Problem { line: line.number, column, offset, kind });
    };
    match read {
        Read::Row(area, why) => {
            let exact = why.as_ref().is_none_or(|why| matches!(why, ProblemKind::UnknownWord(_)));
            let confidence = if exact { Confidence::Exact } else { Confidence::Repaired };
            areas.push(Area { line: line.number, offset, confidence, ..area });
            if let Some(why) = why {
                say(why);
            }
        }
        Read::More(area) => {
            if let Some(last) = areas.last_mut() {
                *last = area;
            }
        }
        Read::Bad(kind) => say(kind),
        Read::Again | Read::Aside => {}
    }
}

/// Without the blanks at the start, where a problem would point at nothing.
fn trim_front(line: &[u8]) -> &[u8] {
    crate::lex::trim_start(line)
}

/// Debuggers show addresses as they are; a text in which ends and sizes never agree was made unreadable on purpose.
fn pointers(areas: &[Area<'_>]) -> Pointers {
    let n_zero = areas.iter().filter(|area| area.start == 0).count();
    let n_real = areas.iter().filter(|area| area.end.wrapping_sub(area.start) == area.size).count();
    if areas.is_empty() {
        Pointers::None
    } else if areas.len() < 2 * n_zero {
        Pointers::Zeroed
    } else if areas.len() <= 2 * n_real {
        Pointers::Real
    } else {
        Pointers::Hashed
    }
}
