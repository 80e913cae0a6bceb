//! ftrace text → events.

use parsers::ftrace::{Body, LastEvents, Reader, Record, Stamp};

use crate::event::{Addr, Event, EventKind, Nanos, Seq, TaskId};
use crate::log::{Clock, FileProblem, Log, Window};

use super::probes::Probes;

/// Reads a trace; what is damaged is added to the log's problems.
pub fn read(name: &str, text: &[u8], log: &mut Log) {
    let mut reader = Reader::new(text);
    // Whose records without a prefix are.
    let mut last = Last { at: Nanos(0), task: log.names.add_task(b"<...>", -1) };
    let mut probes = Probes::default();
    let mut owners = LastEvents::default();
    for record in reader.by_ref() {
        let index = log.events.len();
        match &record.body {
            Body::Stack(frames) => {
                if let Some(owner) = owners.owner_of(record.prefix.as_ref()) {
                    log.stacks.note(Seq(owner as u32), frames);
                }
                continue;
            }
            Body::UserStack(_) | Body::BufferStarted { .. } => continue,
            Body::Lost { .. } => {}
            _ => owners.note(record.prefix.as_ref(), index as u64),
        }
        probes.note(&record, index);
        if let Some(event) = event_of(&record, &mut last, log) {
            log.events.push(event);
        }
    }
    let (header, problems) = reader.into_parts();
    probes.settle(name, log);
    log.problems.extend(problems.into_iter().map(|problem| FileProblem { file: name.to_owned(), problem }));
    let origin = &mut log.origin;
    if let (Some(written), Some(kept)) = (header.entries_written, header.entries_in_buffer) {
        origin.overwritten = written.saturating_sub(kept);
    }
    if origin.kernel.is_none() {
        origin.kernel = header.kernel_release;
    }
    origin.cpus_online = origin.cpus_online.or(header.online_cpus);
}

/// What a record without a prefix takes over from the one before.
struct Last {
    at: Nanos,
    task: TaskId,
}

fn event_of(record: &Record<'_>, last: &mut Last, log: &mut Log) -> Option<Event> {
    let mut cpu = 0;
    match &record.prefix {
        Some(prefix) => {
            cpu = prefix.cpu;
            last.task = log.names.add_task(prefix.comm, prefix.pid);
            let (at, clock) = match prefix.stamp {
                Stamp::Nanos(at) | Stamp::Relative(at) => (at, Clock::Nanos),
                Stamp::Ticks(at) => (at, Clock::Ticks),
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
        Body::Probe { name, .. } | Body::Other { name, .. } => EventKind::Other { name: log.names.add_text(name) },
        Body::Lost { cpu: of, count } => {
            cpu = *of;
            EventKind::Lost { count: count.map_or(0, |count| u32::try_from(count).unwrap_or(u32::MAX)) }
        }
        Body::Stack(_) | Body::UserStack(_) | Body::BufferStarted { .. } => return None,
    };
    Some(Event { at: last.at, line: record.line, task: last.task, cpu, kind })
}
