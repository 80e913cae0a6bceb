//! Events of several CPUs, put in order.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::line::{Event, frame};
use crate::lex::{Lines, upto};
use crate::record::{Alloc, Body, Free, Prefix, Purge, Record, Stamp};
use crate::{Problem, ProblemKind};

/// Events that wait for older ones. bpftrace's buffer of one CPU holds fewer.
pub const REORDERED: usize = 16_384;

/// Bytes of a task's name that are kept; the kernel has 15.
const NAME: usize = 24;

/// What an item says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Alloc(Alloc),
    Free(Free),
    Purge(Purge),
    Lost(Option<u64>),
}

/// An event that waits.
#[derive(Debug, Clone)]
pub(super) struct Item {
    nanos: u64,
    seq: u64,
    line: u32,
    offset: u64,
    cpu: Option<u16>,
    pid: i32,
    comm: [u8; NAME],
    comm_len: u8,
    what: What,
    /// Lines of its stack.
    frames: Vec<u8>,
}

impl Item {
    pub(super) fn new(event: &Event<'_>, what: What, (line, offset): (u32, u64)) -> Self {
        let mut comm = [0; NAME];
        let kept = upto(event.comm, NAME);
        comm.iter_mut().zip(kept).for_each(|(to, from)| *to = *from);
        let (nanos, cpu, pid, comm_len) = (event.nanos, event.cpu, event.pid, kept.len() as u8);
        Self { nanos, seq: 0, line, offset, cpu, pid, comm, comm_len, what, frames: Vec::new() }
    }

    /// Something that no CPU did.
    pub(super) fn remark(what: What, nanos: u64, (line, offset): (u32, u64)) -> Self {
        Self { nanos, seq: 0, line, offset, cpu: None, pid: -1, comm: [0; NAME], comm_len: 0, what, frames: Vec::new() }
    }

    pub(super) fn add_frame(&mut self, line: &[u8]) {
        self.frames.extend_from_slice(line);
        self.frames.push(b'\n');
    }

    fn visit(&self, visit: &mut impl FnMut(&Record<'_>)) {
        let comm = upto(&self.comm, usize::from(self.comm_len));
        let (line, offset) = (self.line, self.offset);
        let prefix =
            Prefix { comm, pid: self.pid, tgid: None, cpu: self.cpu, flags: b"", stamp: Stamp::Nanos(self.nanos) };
        let body = match self.what {
            What::Alloc(alloc) => Body::Alloc(alloc),
            What::Free(free) => Body::Free(free),
            What::Purge(purge) => Body::Purge(purge),
            What::Lost(count) => {
                return visit(&Record { line, offset, prefix: None, body: Body::Lost { cpu: self.cpu, count } });
            }
        };
        if self.frames.is_empty() {
            return visit(&Record { line, offset, prefix: Some(prefix), body });
        }
        visit(&Record { line, offset, prefix: Some(prefix.clone()), body });
        let frames = Lines::new(&self.frames).map(|line| frame(line.bytes)).collect();
        visit(&Record { line, offset, prefix: Some(prefix), body: Body::Stack(frames) });
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Item {}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Item {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.nanos, self.seq).cmp(&(other.nanos, other.seq))
    }
}

/// What waits, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Order {
    waiting: BinaryHeap<Reverse<Item>>,
    n_items: u64,
    /// The newest that was read, and the newest that has left.
    newest: u64,
    gone: u64,
}

impl Order {
    /// The newest nanoseconds so far.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// Takes an event; the oldest leaves if too many wait. One that is older than what has left leaves at once, and that
    /// is a problem.
    pub(super) fn add(&mut self, mut item: Item, visit: &mut impl FnMut(&Record<'_>)) -> Option<Problem> {
        item.seq = self.n_items;
        self.n_items += 1;
        if item.nanos < self.gone {
            item.visit(visit);
            return Some(Problem { line: item.line, column: 1, offset: item.offset, kind: ProblemKind::TooLate });
        }
        self.newest = self.newest.max(item.nanos);
        self.waiting.push(Reverse(item));
        if REORDERED < self.waiting.len() {
            self.leave(visit);
        }
        None
    }

    fn leave(&mut self, visit: &mut impl FnMut(&Record<'_>)) -> bool {
        let Some(Reverse(item)) = self.waiting.pop() else { return false };
        self.gone = item.nanos;
        item.visit(visit);
        true
    }

    /// Nothing follows.
    pub(super) fn finish(&mut self, visit: &mut impl FnMut(&Record<'_>)) {
        while self.leave(visit) {}
    }
}
