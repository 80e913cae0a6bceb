//! A failure whose report is still being read. It owns its bytes, because a report may go on in the next window.

use super::prefix::{Caller, Entry};
use super::report::Task;
use crate::record::{Failure, Frame, Prefix, Stamp};

/// Frames of a call trace that are kept.
const MAX_FRAMES: usize = 128;

/// Most by which the two messages of one request differ: rounding to a page, and a guard page of 64 KiB.
const MAX_DIFFERENCE: u64 = 2 * 64 * 1024;

/// One message about a failure.
#[derive(Debug)]
pub(super) struct Failed {
    pub line: u32,
    pub offset: u64,
    stamp: Stamp,
    cpu: Option<u16>,
    comm: Vec<u8>,
    numbers: Failure<'static>,
    text: Vec<u8>,
}

impl Failed {
    pub(super) fn new(place: (u32, u64), entry: &Entry<'_>, comm: &[u8], failure: &Failure<'_>) -> Self {
        let (line, offset) = place;
        let numbers = Failure { text: b"", ..*failure };
        let (comm, text) = (comm.to_vec(), failure.text.to_vec());
        Self { line, offset, stamp: entry.stamp, cpu: entry.cpu, comm, numbers, text }
    }

    pub(super) fn failure(&self) -> Failure<'_> {
        Failure { text: &self.text, ..self.numbers }
    }
}

/// A frame that owns its names.
#[derive(Debug)]
struct OwnedFrame {
    symbol: Vec<u8>,
    module: Option<Vec<u8>>,
    numbers: Frame<'static>,
}

/// Messages about one request, and what is known of it so far.
#[derive(Debug)]
pub(super) struct Pending {
    failed: Vec<Failed>,
    caller: Caller,
    cpu: Option<u16>,
    pid: Option<i32>,
    comm: Vec<u8>,
    /// Where the stack begins.
    stack: Option<(u32, u64)>,
    frames: Vec<OwnedFrame>,
}

impl Pending {
    pub(super) fn new(failed: Failed, caller: Caller) -> Self {
        let comm = failed.comm.clone();
        Self { failed: vec![failed], caller, cpu: None, pid: None, comm, stack: None, frames: Vec::new() }
    }

    /// Whether a message tells more of the same request: the search for a hole failed, so the request did.
    pub(super) fn continues(&self, next: &Failed, caller: Caller) -> bool {
        let Some(last) = self.failed.last() else { return false };
        let sizes = last.numbers.size.zip(next.numbers.size);
        let fits = sizes.is_none_or(|(with, without)| with.checked_sub(without).is_some_and(|n| n <= MAX_DIFFERENCE));
        let order = last.numbers.includes_guard && !next.numbers.includes_guard;
        self.failed.len() == 1 && order && fits && caller == self.caller && !self.has_task() && !self.has_frames()
    }

    pub(super) fn push(&mut self, failed: Failed) {
        if !failed.comm.is_empty() {
            self.comm.clone_from(&failed.comm);
        }
        self.failed.push(failed);
    }

    /// Whether a line has another author than this failure.
    pub(super) fn is_of_another(&self, caller: Caller) -> bool {
        caller != self.caller && caller != Caller::Unknown && self.caller != Caller::Unknown
    }

    pub(super) fn has_task(&self) -> bool {
        self.pid.is_some()
    }

    pub(super) fn has_frames(&self) -> bool {
        !self.frames.is_empty()
    }

    /// A stack follows its heading, or the task it is of.
    pub(super) fn may_have_frames(&self) -> bool {
        self.stack.is_some() || self.has_task()
    }

    pub(super) fn take_task(&mut self, task: &Task<'_>) {
        self.pid = Some(task.pid);
        self.cpu = task.cpu;
        self.comm = task.comm.to_vec();
    }

    pub(super) fn take_comm(&mut self, comm: &[u8]) {
        self.comm = comm.get(..comm.len().min(15)).unwrap_or_default().to_vec();
    }

    pub(super) fn begin_stack(&mut self, line: u32, offset: u64) {
        self.stack.get_or_insert((line, offset));
    }

    pub(super) fn push_frame(&mut self, frame: &Frame<'_>, line: u32, offset: u64) {
        self.begin_stack(line, offset);
        if self.frames.len() < MAX_FRAMES {
            self.frames.push(OwnedFrame {
                symbol: frame.symbol.to_vec(),
                module: frame.module.map(<[u8]>::to_vec),
                numbers: Frame { symbol: b"", module: None, ..*frame },
            });
        }
    }

    pub(super) fn failed(&self) -> &[Failed] {
        &self.failed
    }

    /// Who and when, of one of the messages.
    pub(super) fn prefix(&self, failed: &Failed) -> Prefix<'_> {
        let task = match self.caller {
            Caller::Task(task) => i32::try_from(task).ok(),
            Caller::Unknown | Caller::Cpu(_) => None,
        };
        Prefix {
            comm: &self.comm,
            pid: self.pid.or(task).unwrap_or(-1),
            tgid: None,
            cpu: self.cpu.or(failed.cpu),
            flags: b"",
            stamp: failed.stamp,
        }
    }

    /// The stack: where it begins, its frames, and the message it belongs to.
    pub(super) fn stack(&self) -> Option<(u32, u64, Vec<Frame<'_>>, &Failed)> {
        let (line, offset) = self.stack.filter(|_| self.has_frames())?;
        let frames = self.frames.iter().map(|frame| Frame {
            symbol: &frame.symbol,
            module: frame.module.as_deref(),
            ..frame.numbers
        });
        Some((line, offset, frames.collect(), self.failed.last()?))
    }
}
