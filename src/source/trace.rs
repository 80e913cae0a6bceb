//! Records of a trace → events.

use std::io::{self, Read};

use parsers::bpftrace::Bpftrace;
use parsers::ftrace::{Header, LastEvents, Trace};
use parsers::record::{Body, Record, Stamp};
use parsers::report::Report;
use parsers::sniff::Format;
use parsers::stream::{self, Form};
use parsers::{Problem, perf};

use crate::event::{Addr, Event, EventKind, Nanos, Seq, TaskId};
use crate::log::{Clock, FileProblem, Log, Progress, Window};

use super::probes::Probes;

/// Reads ftrace text; what is damaged is added to the log's problems.
///
/// # Errors
/// What `source` fails with; what was read before is in the log.
pub fn read(name: &str, source: impl Read, log: &mut Log) -> io::Result<()> {
    read_form(name, source, Trace::default(), log)
}

/// Reads a trace in the form that was found; text of no known form is tried as ftrace's.
///
/// # Errors
/// As [`read`].
pub fn read_as(format: Format, name: &str, source: impl Read, log: &mut Log) -> io::Result<()> {
    match format {
        Format::TraceCmdReport => read_form(name, source, Report::default(), log),
        Format::PerfScript => read_form(name, source, perf::Script::default(), log),
        Format::PerfTrace => read_form(name, source, perf::Trace::default(), log),
        Format::Bpftrace => read_form(name, source, Bpftrace::default(), log),
        _ => read(name, source, log),
    }
}

/// Reads a trace in any form of text.
///
/// # Errors
/// As [`read`].
pub fn read_form(name: &str, source: impl Read, mut form: impl Form, log: &mut Log) -> io::Result<()> {
    let done = read_records(name, source, &mut form, log);
    let (header, problems) = form.finish();
    note(header, log);
    damaged(name, problems, log);
    done
}

/// Reads the records alone, for a form that is asked for more than its header.
///
/// # Errors
/// As [`read`].
pub fn read_records(name: &str, source: impl Read, form: &mut impl Form, log: &mut Log) -> io::Result<()> {
    let mut intake = Intake::new(log);
    let done = stream::read(source, form, &mut |record| intake.record(record));
    intake.settle(name);
    done
}

/// What an input said about itself.
fn note(header: Header, log: &mut Log) {
    let origin = &mut log.origin;
    if let (Some(written), Some(kept)) = (header.entries_written, header.entries_in_buffer) {
        origin.overwritten = written.saturating_sub(kept);
    }
    origin.kernel = origin.kernel.take().or(header.kernel_release);
    origin.cpus_online = origin.cpus_online.or(header.online_cpus);
}

/// Keeps the damaged places of a file.
pub fn damaged(name: &str, problems: Vec<Problem>, log: &mut Log) {
    log.problems.extend(problems.into_iter().map(|problem| FileProblem { file: name.to_owned(), problem }));
}

/// Turns records into events of a log, whatever form they come from.
#[derive(Debug)]
pub struct Intake<'a> {
    log: &'a mut Log,
    last: Last,
    probes: Probes,
    owners: LastEvents,
    /// The first event of this input.
    first: usize,
}

impl<'a> Intake<'a> {
    /// Appends to `log`.
    pub fn new(log: &'a mut Log) -> Self {
        // Whose records without a prefix are.
        let last = Last { at: Nanos(0), task: log.names.add_task(b"<...>", -1) };
        let first = log.events.len();
        Self { log, last, probes: Probes::default(), owners: LastEvents::default(), first }
    }

    /// Events there are by now.
    pub fn n_events(&self) -> usize {
        self.log.events.len()
    }

    /// Takes one record.
    pub fn record(&mut self, record: &Record<'_>) {
        let index = self.log.events.len();
        match &record.body {
            Body::Stack(frames) => {
                if let Some(owner) = self.owners.owner_of(record.prefix.as_ref()) {
                    self.log.stacks.note(Seq(owner as u32), frames);
                }
                return;
            }
            Body::UserStack(_) | Body::BufferStarted { .. } => return,
            Body::Lost { .. } => {}
            _ => self.owners.note(record.prefix.as_ref(), index as u64),
        }
        self.probes.note(record, index);
        if let Some(event) = event_of(record, &mut self.last, self.log) {
            self.log.events.push(event);
            if self.log.events.len().is_multiple_of(Progress::EVERY) && self.log.watched.is_some() {
                self.tell();
            }
        }
    }

    /// Says how far it is to somebody who waits, and hands out the beginning when there is enough of it.
    #[cold]
    fn tell(&self) {
        let Some(watched) = &self.log.watched else { return };
        let n = self.log.events.len();
        watched.set_events(n as u64);
        if watched.wants_part(n) {
            let mut part = self.log.clone();
            self.probes.clone().settle("", &mut part);
            watched.hand_out(part);
        }
    }

    /// Settles what only the end decides.
    pub fn settle(self, name: &str) {
        let mut own = self.log.events.range(self.first..);
        let places = |event: Event| matches!(event.kind, EventKind::Alloc { .. } | EventKind::Other { .. });
        if own.clone().any(places) && own.all(|event| event.known_cpu().is_none()) {
            self.log.notes.push(format!("{name} does not tell the CPU of a record: all are taken for those of one"));
        }
        self.probes.settle(name, self.log);
    }
}

/// What a record without a prefix takes over from the one before.
#[derive(Debug)]
struct Last {
    at: Nanos,
    task: TaskId,
}

fn event_of(record: &Record<'_>, last: &mut Last, log: &mut Log) -> Option<Event> {
    let mut cpu = Event::NO_CPU;
    match &record.prefix {
        Some(prefix) => {
            cpu = prefix.cpu.unwrap_or(Event::NO_CPU);
            last.task = log.names.add_task(prefix.comm, prefix.pid);
            let (at, clock) = match prefix.stamp {
                Stamp::Nanos(at) | Stamp::Relative(at) => (at, Clock::Nanos),
                Stamp::Ticks(at) => (at, Clock::Ticks),
                Stamp::Unknown => (log.events.len() as u64, Clock::None),
            };
            last.at = Nanos(at);
            log.origin.clock = clock;
        }
        None if matches!(record.body, Body::Lost { .. } | Body::BufferStarted { .. }) => {}
        None => {
            // No context at all: order is all there is.
            log.origin.clock = Clock::None;
            last.at = Nanos(log.events.len() as u64);
        }
    }
    let kind = match &record.body {
        Body::Alloc(alloc) => EventKind::Alloc {
            addr: Addr(alloc.va_start),
            size: alloc.size,
            align: alloc.align,
            window: log.names.add_window(Window { vstart: alloc.vstart, vend: alloc.vend }),
            failed: alloc.failed,
        },
        Body::Free(free) => {
            EventKind::Free { addr: Addr(free.va_start), nr_lazy: free.nr_lazy, nr_lazy_max: free.nr_lazy_max }
        }
        Body::Purge(purge) => EventKind::Purge {
            start: Addr(purge.start),
            end: Addr(purge.end),
            num_purged: u32::try_from(purge.num_purged).unwrap_or(u32::MAX),
        },
        Body::Marker(text) => EventKind::Mark { text: log.names.add_text(text) },
        Body::Failure(failure) => {
            if let Some((vstart, vend)) = failure.window {
                log.names.add_window(Window { vstart, vend });
            }
            EventKind::Report { size: failure.size.unwrap_or(0), text: log.names.add_text(failure.text) }
        }
        Body::Probe { name, .. } | Body::Other { name, .. } => EventKind::Other { name: log.names.add_text(name) },
        Body::Lost { cpu: of, count } => {
            cpu = of.unwrap_or(Event::NO_CPU);
            EventKind::Lost { count: count.map_or(0, |count| u32::try_from(count).unwrap_or(u32::MAX)) }
        }
        Body::Stack(_) | Body::UserStack(_) | Body::BufferStarted { .. } => return None,
    };
    Some(Event { at: last.at, line: record.line, task: last.task, cpu, kind })
}
