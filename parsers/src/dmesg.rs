//! Kernel logs: failed vmalloc requests, who made them and on which way, and what the kernel says of itself.
//!
//! [`Log`] reads `dmesg`, syslog, the journal, serial consoles and logcat, line by line. A failure message becomes a
//! record with [`Body::Failure`]; if the kernel printed a report behind it, the record has its task and CPU, and the
//! call trace follows as [`Body::Stack`]. Some kernels tell one failed request in two messages, first the search for a
//! hole and then the request: both are records and both get the report's task.
//!
//! A dump of the trace buffer inside a log is left to the reader of traces ([`Dump`]).

mod dump;
mod facts;
mod pending;
mod prefix;
mod report;
mod wording;

use crate::ftrace::Header;
use crate::lex::{Line, Lines};
use crate::problem::Problems;
use crate::record::{Body, Failure, Record, Stamp};
use crate::stream::{Form, MAX_LINE, Window};
use crate::{Problem, ProblemKind};

pub use dump::Dump;
pub use facts::Facts;
pub use wording::Wording;

use pending::{Failed, Pending};
use prefix::{Entry, entry};
use report::Piece;

/// Whether a line is a message about a failure, whatever log it is from.
pub(crate) fn accepts(line: &[u8]) -> bool {
    wording::message(entry(line).text).is_some_and(|message| message.failure.is_some())
}

/// Whether a line is of a kernel's log, though it may say nothing of vmalloc.
pub(crate) fn is_entry(line: &[u8]) -> bool {
    let entry = entry(line);
    entry.stamp != Stamp::Unknown || entry.has_prefix && memchr::memmem::find(line, b"kernel").is_some()
}

/// Reads a kernel log: a [`Form`].
#[derive(Debug, Default)]
pub struct Log {
    facts: Facts,
    problems: Problems,
    dump: Dump,
    /// The failure whose report is being read.
    pending: Option<Pending>,
}

impl Log {
    /// What the log told of its kernel so far.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    fn line(&mut self, line: Line<'_>, offset: u64, visit: &mut impl FnMut(&Record<'_>)) {
        if MAX_LINE < line.bytes.len() {
            self.problem(line, offset, ProblemKind::LineTooLong);
            return;
        }
        if self.dump.takes(line.bytes) {
            return;
        }
        let entry = entry(line.bytes);
        match wording::message(entry.text) {
            Some(message) => match message.failure {
                Some(failure) => {
                    let failed = Failed::new((line.number, offset), &entry, message.comm, &failure);
                    self.failure(failed, &entry, visit);
                }
                None => {
                    self.flush(visit);
                    self.problem(line, offset, ProblemKind::BrokenFailure);
                }
            },
            None => {
                self.facts.read(entry.text);
                self.report(&entry, line.number, offset, visit);
            }
        }
    }

    /// A failure belongs to the one before it, or begins a report of its own.
    fn failure(&mut self, failed: Failed, entry: &Entry<'_>, visit: &mut impl FnMut(&Record<'_>)) {
        match &mut self.pending {
            Some(pending) if pending.continues(&failed, entry.caller) => pending.push(failed),
            _ => {
                self.flush(visit);
                self.pending = Some(Pending::new(failed, entry.caller));
            }
        }
    }

    /// Another line of the log: of the report, or its end.
    fn report(&mut self, entry: &Entry<'_>, line: u32, offset: u64, visit: &mut impl FnMut(&Record<'_>)) {
        let Some(pending) = &mut self.pending else { return };
        // Where every line has its author, those of others are no end.
        if pending.is_of_another(entry.caller) {
            return;
        }
        match report::piece(entry.text) {
            Piece::Task(task) if !pending.has_task() => pending.take_task(&task),
            Piece::Comm(comm) if !pending.has_task() => pending.take_comm(comm),
            Piece::Heading if !pending.has_frames() => pending.begin_stack(line, offset),
            Piece::Frame(frame) if pending.may_have_frames() => pending.push_frame(&frame, line, offset),
            Piece::Skipped => {}
            _ => self.flush(visit),
        }
    }

    /// Hands out the failure whose report is complete.
    fn flush(&mut self, visit: &mut impl FnMut(&Record<'_>)) {
        let Some(pending) = self.pending.take() else { return };
        for failed in pending.failed() {
            let prefix = Some(pending.prefix(failed));
            visit(&Record { line: failed.line, offset: failed.offset, prefix, body: Body::Failure(failed.failure()) });
        }
        if let Some((line, offset, frames, last)) = pending.stack() {
            let prefix = Some(pending.prefix(last));
            visit(&Record { line, offset, prefix, body: Body::Stack(frames) });
        }
    }

    fn problem(&mut self, line: Line<'_>, offset: u64, kind: ProblemKind) {
        self.problems.push(Problem { line: line.number, column: 1, offset, kind });
    }
}

impl Form for Log {
    fn starts_item(_: &[u8]) -> bool {
        // What is pending goes along from window to window.
        true
    }

    fn window(&mut self, window: Window<'_>, visit: &mut impl FnMut(&Record<'_>)) -> u32 {
        let mut next = window.line;
        for line in Lines::new(window.bytes) {
            let line = Line { number: next, ..line };
            let offset = window.offset.saturating_add(line.start as u64);
            self.line(line, offset, visit);
            next = next.saturating_add(u32::from(line.ended));
        }
        if window.last {
            self.flush(visit);
        }
        next
    }

    fn finish(self) -> (Header, Vec<Problem>) {
        let mut header = Header::default();
        header.kernel_release.clone_from(&self.facts.release);
        (header, self.problems.into_list())
    }
}

/// Reads the message of a failure again: [`Failure::text`]. `None` if it is none, or its numbers cannot be read.
pub fn failure(text: &[u8]) -> Option<Failure<'_>> {
    wording::message(text)?.failure
}
