//! [`Asked`]: what was asked for, and how that is known.

use parsers::dmesg::{self, Wording};

use crate::event::{Event, EventKind, Seq};
use crate::log::{Baseline, BaselineArea, Log, Window};

use super::ground::{Doubt, Ground, RangeFrom};

/// What the number that was given means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeFrom {
    /// The whole area, guard page included: records, and the kernel's messages about holes.
    Area,
    /// What a caller asks for: whole pages are made of it, and the guard page is added.
    Data(u64),
}

/// Who says what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedFrom {
    /// A record of the trace.
    Event(Seq),
    /// A message of the kernel's log; the wording, if it is one that is known.
    Message(Seq, Option<Wording>),
    /// The user.
    Option,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Bytes of the area, guard page included.
    pub size: u64,
    /// How that is known.
    pub size_from: SizeFrom,
    /// Alignment, a power of two; 1 and the page mean the same.
    pub align: u64,
    /// Where it may lie.
    pub window: Window,
    /// Who says so.
    pub from: AskedFrom,
    /// What is assumed.
    pub doubts: Vec<Doubt>,
}

impl Asked {
    /// A request of a user for an area of `size` bytes. A size that is not in whole pages can be no area's: then it is
    /// what a caller asks for.
    pub fn of_option(size: u64, page_size: u64, align: Option<u64>, window: Window) -> Self {
        if size.is_multiple_of(page_size) {
            let mut asked = Self::of_data(size, page_size, align, window);
            (asked.size, asked.size_from) = (size, SizeFrom::Area);
            return asked;
        }
        Self::of_data(size, page_size, align, window)
    }

    /// A request of a user who knows what a caller asks for.
    pub fn of_data(data: u64, page_size: u64, align: Option<u64>, window: Window) -> Self {
        Self {
            size: with_guard(data, page_size),
            size_from: SizeFrom::Data(data),
            align: align.unwrap_or(1).max(1),
            window,
            from: AskedFrom::Option,
            doubts: Vec::new(),
        }
    }

    /// What the area of a row asked for, as far as it shows: the alignment is what others of its caller and size have in
    /// common, and of an ioremap what its kind asks for.
    pub fn of_row(baseline: &Baseline, row: &BaselineArea, page_size: u64, window: Window) -> Self {
        let is_ioremap = row.kind() == "ioremap";
        let data = row.size.saturating_sub(page_size).max(1);
        let align = match common_align(baseline, row) {
            // A power of two at or above the size, up to a limit of the architecture, which the address shows.
            _ if is_ioremap => data.checked_next_power_of_two().unwrap_or(1 << 63).min(own_align(row)),
            Some(common) => common,
            None => 1,
        };
        Self {
            size: row.size,
            size_from: SizeFrom::Area,
            align: align.max(page_size),
            window,
            from: AskedFrom::Option,
            doubts: vec![Doubt::AlignmentShown],
        }
    }

    /// Bytes behind the area's first address that are data, if a guard page ends it.
    pub fn data_bytes(&self, page_size: u64) -> u64 {
        match self.size_from {
            SizeFrom::Data(bytes) => bytes,
            SizeFrom::Area => self.size.saturating_sub(page_size),
        }
    }

    /// Bytes of the window. `VMALLOC_END` of x86-64 is the last byte.
    pub fn window_bytes(&self) -> u64 {
        self.window.len_bytes()
    }
}

/// The largest power of two that an area's address is a multiple of.
fn own_align(row: &BaselineArea) -> u64 {
    1 << row.start.trailing_zeros().min(63)
}

/// Areas of a caller that have to be there before what their addresses have in common says something.
const ENOUGH: usize = 4;

/// The alignment that the areas of a row's caller and size have in common.
fn common_align(baseline: &Baseline, row: &BaselineArea) -> Option<u64> {
    let alike =
        |other: &&BaselineArea| other.size == row.size && other.caller == row.caller && other.kind() == row.kind();
    let alike = baseline.areas.iter().filter(alike).filter(|other| !other.caller.is_empty());
    let (n, align) = alike.fold((0, u64::MAX), |(n, least), other| (n + 1, least.min(own_align(other))));
    (ENOUGH <= n).then_some(align)
}

/// Whole pages and a guard page.
fn with_guard(data: u64, page_size: u64) -> u64 {
    let page = page_size.max(1);
    data.div_ceil(page).saturating_mul(page).saturating_add(page)
}

/// The records of a log that tell of a failure, ascending: failed attempts, and messages that have a size.
pub fn failures_of(log: &Log) -> Vec<Seq> {
    let tells = |event: &Event| match event.kind {
        EventKind::Alloc { failed, .. } => failed,
        EventKind::Report { size, .. } => 0 < size,
        _ => false,
    };
    let found = log.events.iter().enumerate().filter(|(_, event)| tells(event));
    found.map(|(index, _)| Seq(index as u32)).collect()
}

/// Of the failures of a kernel's log the one to begin with: the last that tells of the search for a hole, since a
/// snapshot shows what came after; else the last. Of a trace the first one.
pub fn which_failure(log: &Log, failures: &[Seq]) -> Option<Seq> {
    let attempt = |seq: &&Seq| log.get(**seq).is_some_and(|event| matches!(event.kind, EventKind::Alloc { .. }));
    let search = |seq: &&Seq| matches!(wording_of(log, **seq), Some(Wording::NoHole | Wording::NoHoleInWindow));
    let first = failures.iter().find(attempt);
    let last = || failures.iter().rev().find(search).or(failures.last());
    first.or_else(last).copied()
}

fn wording_of(log: &Log, seq: Seq) -> Option<Wording> {
    match log.get(seq)?.kind {
        EventKind::Report { text, .. } => Wording::of(log.names.text(text)),
        _ => None,
    }
}

/// The request that a message tells of; `None` if it has no size. `align` is what the user knows of it.
pub fn of_message(log: &Log, seq: Seq, ground: &Ground, align: Option<u64>, window: Option<Window>) -> Option<Asked> {
    let EventKind::Report { size, text } = log.get(seq)?.kind else { return None };
    let text = log.names.text(text);
    let told = dmesg::failure(text);
    let includes_guard = told.is_some_and(|told| told.includes_guard);
    let told_window = told.and_then(|told| told.window).map(|(vstart, vend)| Window { vstart, vend });
    let page = ground.page_size.max(1);
    let (size, size_from) = match includes_guard {
        _ if size == 0 => return None,
        true => (size, SizeFrom::Area),
        false => (with_guard(size, page), SizeFrom::Data(size)),
    };
    let mut doubts = Vec::new();
    if align.is_none() {
        doubts.push(Doubt::Alignment);
    }
    if told_window.or(window).is_none() && ground.range_from != RangeFrom::Areas {
        doubts.push(Doubt::Window);
    }
    Some(Asked {
        size,
        size_from,
        align: align.unwrap_or(1).max(1),
        window: window.or(told_window).unwrap_or(ground.range),
        from: AskedFrom::Message(seq, Wording::of(text)),
        doubts,
    })
}
