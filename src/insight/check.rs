//! [`check`]: what cannot be right in an input: areas that overlap, freed twice or never asked for, of sizes no kernel gives,
//! outside of their window, and what is missing.
//!
//! This goes through records and rows by themselves, without the model: a trace that the model cannot follow can be sound,
//! and one that it follows can show a broken kernel.

use std::collections::BTreeMap;

use parsers::ProblemKind;

use crate::event::{EventKind, Seq};
use crate::log::{Baseline, BaselineState, Log, Pointers, escape};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Two areas in use have an address in common.
    Overlap,
    /// An area is freed that is freed already.
    DoubleFree,
    /// An address is freed at which nothing begins.
    FreeOfNothing,
    /// A size that no kernel gives out, or that the rows contradict.
    WrongSize,
    /// An area outside of the window of its request.
    OutsideWindow,
    /// An area that is not aligned as its request asks.
    Misaligned,
    /// The same row twice.
    Duplicate,
    /// Records that the kernel lost, or that were cut off.
    Lost,
    /// A place of the input that cannot be read.
    Damaged,
    /// A figure beyond what was asked for.
    Threshold,
}

impl Fault {
    /// Every one, in the order they are told.
    pub const ALL: [Self; 10] = [
        Self::Overlap,
        Self::DoubleFree,
        Self::FreeOfNothing,
        Self::WrongSize,
        Self::OutsideWindow,
        Self::Misaligned,
        Self::Duplicate,
        Self::Lost,
        Self::Damaged,
        Self::Threshold,
    ];

    /// Its word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Overlap => "overlap",
            Self::DoubleFree => "double_free",
            Self::FreeOfNothing => "free_of_nothing",
            Self::WrongSize => "wrong_size",
            Self::OutsideWindow => "outside_window",
            Self::Misaligned => "misaligned",
            Self::Duplicate => "duplicate",
            Self::Lost => "lost",
            Self::Damaged => "damaged",
            Self::Threshold => "threshold",
        }
    }

    /// Its words for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Overlap => "overlap",
            Self::DoubleFree => "double free",
            Self::FreeOfNothing => "free of nothing",
            Self::WrongSize => "wrong size",
            Self::OutsideWindow => "outside its window",
            Self::Misaligned => "misaligned",
            Self::Duplicate => "there twice",
            Self::Lost => "records lost",
            Self::Damaged => "damaged",
            Self::Threshold => "threshold",
        }
    }

    /// Is the kernel that was recorded at fault, rather than the recording?
    pub fn is_of_kernel(self) -> bool {
        !matches!(self, Self::Duplicate | Self::Lost | Self::Damaged | Self::Threshold)
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub fault: Fault,
    /// File or member, where there are several; escaped for display.
    pub file: String,
    /// Line of the input, from 1; 0 where there are none.
    pub line: u32,
    /// The line of the other area or record it is about; 0 if there is none.
    pub other: u32,
    /// The record.
    pub seq: Option<Seq>,
    /// The address it is about.
    pub addr: Option<u64>,
    /// One sentence.
    pub what: String,
}

/// What is in use at an address: its end, and the line that says so.
#[derive(Debug, Clone, Copy)]
struct Known {
    end: u64,
    line: u32,
}

/// Everything that cannot be right, in the order of the input.
pub fn check(log: &Log) -> Vec<Finding> {
    let mut found = Vec::new();
    problems(log, &mut found);
    for (name, snapshot) in [("before", &log.before), ("after", &log.after)] {
        if let Some(snapshot) = snapshot {
            rows(name, snapshot, page_size(log), &mut found);
        }
    }
    Records::new(log).check(&mut found);
    found
}

fn page_size(log: &Log) -> u64 {
    log.origin.page_size.unwrap_or(4096).max(1)
}

/// What the readers have said of the text.
fn problems(log: &Log, found: &mut Vec<Finding>) {
    for problem in &log.problems {
        let kind = &problem.problem.kind;
        let (fault, other) = match kind {
            ProblemKind::Overlap(other) => (Fault::Overlap, *other),
            ProblemKind::Duplicate(other) => (Fault::Duplicate, *other),
            ProblemKind::ImpossibleRow(_) | ProblemKind::SizeMismatch => (Fault::WrongSize, 0),
            // What could be put right is right.
            kind if kind.is_repair() => continue,
            _ => (Fault::Damaged, 0),
        };
        let line = problem.problem.line;
        let what = kind.to_string();
        found.push(Finding { fault, file: problem.file.clone(), line, other, seq: None, addr: None, what });
    }
    if 0 < log.origin.overwritten {
        let what = format!("{} records were overwritten before the first one", log.origin.overwritten);
        found.push(Finding { fault: Fault::Lost, file: String::new(), line: 0, other: 0, seq: None, addr: None, what });
    }
}

/// Rows that are in order by themselves: overlaps and copies are named by the reader.
fn rows(name: &str, snapshot: &Baseline, page_size: u64, found: &mut Vec<Finding>) {
    if snapshot.pointers != Pointers::Real {
        return;
    }
    for area in &snapshot.areas {
        if area.start.is_multiple_of(page_size) && area.end.is_multiple_of(page_size) {
            continue;
        }
        let what = format!("0x{:x}-0x{:x} does not lie on whole pages of {page_size} bytes", area.start, area.end);
        let (file, line, addr) = (format!("vmallocinfo.{name}"), area.line, Some(area.start));
        found.push(Finding { fault: Fault::WrongSize, file, line, other: 0, seq: None, addr, what });
    }
}

/// Goes through the records.
struct Records<'a> {
    log: &'a Log,
    page_size: u64,
    /// In use, by start.
    busy: BTreeMap<u64, Known>,
    /// Freed, and nothing has been there since: by start, with the line of the free.
    freed: BTreeMap<u64, Known>,
    /// What was there before the first record is known.
    is_known: bool,
}

impl<'a> Records<'a> {
    fn new(log: &'a Log) -> Self {
        // Of a trace from boot it was taken in the midst of it, or at its end.
        let is_before = log.origin.from_boot != Some(true);
        let snapshot = log.before.as_ref().filter(|before| is_before && before.pointers == Pointers::Real);
        let mut busy = BTreeMap::new();
        let mut freed = BTreeMap::new();
        if !log.events.is_empty() {
            for area in snapshot.into_iter().flat_map(|before| &before.areas).filter(|area| area.start < area.end) {
                let known = Known { end: area.end, line: 0 };
                let of = if area.state == BaselineState::Unpurged { &mut freed } else { &mut busy };
                of.insert(area.start, known);
            }
        }
        Self { log, page_size: page_size(log), busy, freed, is_known: snapshot.is_some() }
    }

    fn check(mut self, found: &mut Vec<Finding>) {
        for (event, index) in self.log.events.iter().zip(0_u32..) {
            let seq = Seq(index);
            let mut tell = |fault, addr: u64, other, what: String| {
                found.push(Finding {
                    fault,
                    file: String::new(),
                    line: event.line,
                    other,
                    seq: Some(seq),
                    addr: Some(addr),
                    what,
                });
            };
            match event.kind {
                EventKind::Alloc { addr, size, align, window, failed: false } => {
                    let window = self.log.names.window(window);
                    let end = addr.0.saturating_add(size);
                    if size == 0 || !size.is_multiple_of(self.page_size) {
                        tell(Fault::WrongSize, addr.0, 0, format!("{size} bytes are no whole pages"));
                    }
                    if addr.0 < window.vstart || window.vend < end {
                        let (from, to) = (window.vstart, window.vend);
                        let what = format!("0x{:x}-0x{end:x} lies outside of 0x{from:x}-0x{to:x}", addr.0);
                        tell(Fault::OutsideWindow, addr.0, 0, what);
                    }
                    if 1 < align && !addr.0.is_multiple_of(align) {
                        tell(Fault::Misaligned, addr.0, 0, format!("0x{:x} is no multiple of {align}", addr.0));
                    }
                    self.place(addr.0, end, event.line, &mut tell);
                }
                EventKind::Unasked { addr, end } => self.place(addr.0, end.0, event.line, &mut tell),
                EventKind::Free { addr, .. } => self.free(addr.0, None, event.line, &mut tell),
                EventKind::FreeProbe { addr, end } => self.free(addr.0, Some(end.0), event.line, &mut tell),
                EventKind::Lost { count } => {
                    let records = if count == 0 { "records".to_owned() } else { format!("{count} records") };
                    tell(Fault::Lost, 0, 0, format!("the kernel dropped {records} before this one"));
                    // What they did is not known: what was known may be gone.
                    self.busy.clear();
                    self.freed.clear();
                    self.is_known = false;
                }
                _ => {}
            }
        }
    }

    fn place(&mut self, start: u64, end: u64, line: u32, tell: &mut impl FnMut(Fault, u64, u32, String)) {
        // What the snapshot has as well was placed while it was read.
        let below = self.busy.range(..end).next_back().filter(|(_, known)| start < known.end);
        if let Some((&other, &known)) =
            below.filter(|(other, known)| (**other, known.end, known.line) != (start, end, 0))
        {
            let whose = if known.line == 0 { "the snapshot before".to_owned() } else { format!("line {}", known.line) };
            let what =
                format!("0x{start:x}-0x{end:x} overlaps 0x{other:x}-0x{:x} of {whose}, which is in use", known.end);
            tell(Fault::Overlap, start, known.line, what);
            self.busy.remove(&other);
        }
        // What was freed there has been reused.
        let gone: Vec<u64> =
            self.freed.range(..end).rev().take_while(|(_, known)| start < known.end).map(|(&start, _)| start).collect();
        for start in gone {
            self.freed.remove(&start);
        }
        if start < end {
            self.busy.insert(start, Known { end, line });
        }
    }

    fn free(&mut self, start: u64, end: Option<u64>, line: u32, tell: &mut impl FnMut(Fault, u64, u32, String)) {
        if let Some(known) = self.busy.remove(&start) {
            if let Some(end) = end.filter(|&end| end != known.end) {
                let (size, was) = (end.saturating_sub(start), known.end - start);
                let what = format!("0x{start:x} is freed with {size} bytes and was given out with {was}");
                tell(Fault::WrongSize, start, known.line, what);
            }
            self.freed.insert(start, Known { end: known.end, line });
            return;
        }
        if let Some(&Known { line: other, .. }) = self.freed.get(&start) {
            let whose = if other == 0 { "before the first record".to_owned() } else { format!("in line {other}") };
            tell(Fault::DoubleFree, start, other, format!("0x{start:x} was freed {whose}, and is not in use"));
            return;
        }
        let around = |of: &BTreeMap<u64, Known>| {
            let below = of.range(..start).next_back().filter(|(_, known)| start < known.end);
            below.map(|(&other, &known)| (other, known))
        };
        if let Some((other, known)) = around(&self.busy) {
            let what = format!("nothing begins at 0x{start:x}: it lies inside of 0x{other:x}-0x{:x}", known.end);
            tell(Fault::FreeOfNothing, start, known.line, what);
        } else if let Some((other, known)) = around(&self.freed) {
            let what = format!("nothing is at 0x{start:x}: 0x{other:x}-0x{:x} was freed before", known.end);
            tell(Fault::FreeOfNothing, start, known.line, what);
        } else if self.is_known {
            let what = format!("nothing is at 0x{start:x}: neither the snapshot before nor a record has it");
            tell(Fault::FreeOfNothing, start, 0, what);
        } else {
            // Older than the trace.
            self.freed.insert(start, Known { end: end.unwrap_or(start + self.page_size), line });
        }
    }
}

/// The name a finding is told under: `FILE:LINE`, or what there is of it.
pub fn place(finding: &Finding, input: &str) -> String {
    let file = if finding.file.is_empty() { input.to_owned() } else { finding.file.clone() };
    let file = if file.is_empty() { escape(input.as_bytes()) } else { file };
    if finding.line == 0 { file } else { format!("{file}:{}", finding.line) }
}
