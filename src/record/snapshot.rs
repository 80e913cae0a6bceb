//! `/proc/vmallocinfo` between two marks in the trace.
//!
//! The file is not read at one moment, so what was recorded between the marks decides what it means. The fewer records
//! there are the better: a read in which something happened is done again.

use std::io;
use std::path::Path;

use crate::log::Pointers;

use super::facts::{VMALLOCINFO, pointers_of};
use super::files::Files;
use super::guard::Guard;
use super::loss;
use super::plan::Plan;

/// How often it is read at most.
const TRIES: u32 = 5;
/// Room for the file, allocated before anything is recorded: growing it would be in the trace.
const ROOM: usize = 4 << 20;

/// Before or after what is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Right after tracing was switched on.
    Before,
    /// Right before it is switched off.
    After,
}

impl When {
    /// The word in marks and names.
    pub fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// The read that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The file.
    pub text: Vec<u8>,
    /// The number of the try, as its marks have it.
    pub kept: u32,
    /// Records between its marks, the marks left out.
    pub records: u64,
    /// What its addresses show.
    pub pointers: Pointers,
}

/// Two buffers that are there before the recording begins.
#[derive(Debug)]
pub struct Room {
    now: Vec<u8>,
    best: Vec<u8>,
}

impl Room {
    /// Takes the memory, and touches it.
    pub fn new() -> Self {
        let touched = || {
            let mut room = vec![1; ROOM];
            room.clear();
            room
        };
        Self { now: touched(), best: touched() }
    }
}

impl Default for Room {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads it until nothing happens meanwhile, and keeps the best.
///
/// # Errors
/// It cannot be read, or the marks cannot be written.
pub fn take(
    files: &dyn Files,
    guard: &mut Guard<'_>,
    plan: &Plan,
    cpus: &[u16],
    when: When,
    room: &mut Room,
) -> io::Result<Snapshot> {
    let depth = guard.depth();
    for step in &plan.around_reads {
        guard.apply(step)?;
    }
    let taken = take_best(files, &plan.instance, cpus, when, room);
    guard.undo_to(depth);
    let (kept, records) = taken?;
    mark(files, &plan.instance, &format!("vmaplens:{}:kept {kept}", when.word()))?;
    let text = room.best.clone();
    let pointers = pointers_of(&text);
    Ok(Snapshot { text, kept, records, pointers })
}

/// The number of the best try, whose text is then in `room.best`, and how many records stand between its marks.
fn take_best(files: &dyn Files, instance: &Path, cpus: &[u16], when: When, room: &mut Room) -> io::Result<(u32, u64)> {
    let mut best: Option<(u32, u64)> = None;
    for number in 1..=TRIES {
        let written = || loss::total(&loss::read(files, instance, cpus)).written();
        let before = written();
        mark(files, instance, &format!("vmaplens:{}:begin {number}", when.word()))?;
        room.now.clear();
        files.read_into(Path::new(VMALLOCINFO), &mut room.now)?;
        mark(files, instance, &format!("vmaplens:{}:end {number}", when.word()))?;
        // The marks are records too.
        let records = written().saturating_sub(before).saturating_sub(2);
        if best.is_none_or(|(_, least)| records < least) {
            best = Some((number, records));
            std::mem::swap(&mut room.now, &mut room.best);
        }
        if records == 0 {
            break;
        }
    }
    Ok(best.unwrap_or_default())
}

/// A line of our own in the trace.
pub(super) fn mark(files: &dyn Files, instance: &Path, text: &str) -> io::Result<()> {
    files.write(&instance.join("trace_marker"), text)
}
