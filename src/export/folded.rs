//! Folded stacks: `root;…;leaf VALUE`, one line for each different stack, for flame graphs.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use super::ExportError;
use super::csv::plain;
use super::walk::{Area, Walk};
use crate::event::{EventKind, Nanos, Seq, TaskId};
use crate::log::{Clock, FrameRef};
use crate::replay::Replay;

/// What is added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Measure {
    /// Allocations.
    Count,
    /// Bytes allocated, guard pages included.
    #[default]
    Bytes,
    /// Bytes times the seconds they were held, up to the free or the end of the trace.
    ByteSeconds,
    /// Failed attempts.
    Failures,
    /// Bytes in use at the end.
    Live,
}

/// Every measure with its name on the command line.
pub const MEASURES: [(Measure, &str, &str); 5] = [
    (Measure::Count, "count", "Allocations"),
    (Measure::Bytes, "bytes", "Bytes allocated"),
    (Measure::ByteSeconds, "byte-seconds", "Bytes times the seconds they were held"),
    (Measure::Failures, "failures", "Failed attempts"),
    (Measure::Live, "live", "Bytes in use at the end"),
];

/// How stacks are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// What is added up.
    pub measure: Measure,
    /// The task's name is the first frame.
    pub by_task: bool,
    /// Frames keep `+0x…/0x…`.
    pub offsets: bool,
    /// Frames lose what a compiler or a profiler of allocations has put behind their names.
    pub strip: bool,
}

/// What a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    /// A stack of the log.
    Stack(u32, Option<TaskId>),
    /// A caller by name, for areas without a stack.
    Caller(u32, Option<TaskId>),
    /// Neither is known: what the area is for.
    Kind(&'static str, Option<TaskId>),
}

/// Frames of the recorder, innermost: they say how the stack was taken and not who asked.
const RECORDER: [&[u8]; 10] = [
    b"trace_event_",
    b"__traceiter_",
    b"perf_",
    b"ftrace_",
    b"__ftrace_",
    b"stack_trace",
    b"kprobe_",
    b"kretprobe_",
    b"bpf_",
    b"__bpf_",
];

/// What says nothing about the source.
const TAILS: [&str; 7] = ["_noprof", ".constprop.", ".isra.", ".cold", ".part.", ".llvm.", ".lto_priv."];

/// Writes the folded stacks of a replay.
///
/// # Errors
/// What is written to says no; or the measure needs times, and there are none.
pub fn write(replay: &Replay, options: Options, mut to: impl Write) -> Result<(), ExportError> {
    let log = replay.log();
    if options.measure == Measure::ByteSeconds && log.origin.clock != Clock::Nanos {
        return Err(ExportError::Nothing {
            what: "the input has no times, so nothing was held for seconds".to_owned(),
            hint: "--measure count, bytes, failures or live".to_owned(),
        });
    }
    let mut sums: HashMap<Key, u128> = HashMap::new();
    let mut walk = Walk::new(replay);
    let first = log.events.first().map_or(Nanos(0), |event| event.at);
    let mut last = first;
    while let Some((seq, event)) = walk.step() {
        last = last.max(event.at);
        match options.measure {
            Measure::Count | Measure::Bytes => {
                for area in &walk.begun {
                    let value = if options.measure == Measure::Count { 1 } else { u128::from(area.len_bytes()) };
                    *sums.entry(key_of(&walk, area, options)).or_default() += value;
                }
            }
            Measure::ByteSeconds => {
                // Areas that were displaced were held until then.
                let displaced = walk.ended.iter().filter(|area| area.is_busy());
                for area in walk.freed.iter().chain(displaced) {
                    let to = area.lazy.unwrap_or(event.at);
                    *sums.entry(key_of(&walk, area, options)).or_default() += held(area, first, to);
                }
            }
            Measure::Failures => {
                if matches!(event.kind, EventKind::Alloc { failed: true, .. }) {
                    let task = options.by_task.then_some(event.task);
                    let stack = log.stacks.of(seq);
                    let key = stack.map_or(Key::Kind("failed", task), |stack| Key::Stack(stack.0, task));
                    *sums.entry(key).or_default() += 1;
                }
            }
            Measure::Live => {}
        }
    }
    for area in walk.busy() {
        let value = match options.measure {
            Measure::Live => u128::from(area.len_bytes()),
            Measure::ByteSeconds => held(area, first, last),
            _ => continue,
        };
        *sums.entry(key_of(&walk, area, options)).or_default() += value;
    }
    // Different stacks can read the same without offsets; sorted, the bytes are the same every time.
    let mut lines: BTreeMap<String, u128> = BTreeMap::new();
    for (key, value) in sums {
        *lines.entry(line_of(replay, key, options)).or_default() += value;
    }
    let unit = if options.measure == Measure::ByteSeconds { 1_000_000_000 } else { 1 };
    for (line, value) in lines {
        if unit <= value {
            writeln!(to, "{line} {}", value / unit)?;
        }
    }
    Ok(to.flush()?)
}

/// Bytes times nanoseconds.
fn held(area: &Area, first: Nanos, to: Nanos) -> u128 {
    let from = area.from.unwrap_or(first);
    u128::from(area.len_bytes()) * u128::from(to.0.saturating_sub(from.0))
}

fn key_of(walk: &Walk<'_>, area: &Area, options: Options) -> Key {
    let log = walk.log();
    let task = area.alloc.and_then(|seq| log.events.task(seq.index())).filter(|_| options.by_task);
    if let Some(stack) = area.alloc.and_then(|seq: Seq| log.stacks.of(seq)) {
        return Key::Stack(stack.0, task);
    }
    let usage = walk.usage(area);
    let caller = usage.filter(|usage| walk.replay().usages().caller_name(usage.caller).is_some());
    match caller {
        Some(usage) => Key::Caller(usage.caller.0, task),
        None => Key::Kind(usage.map_or("unknown", |usage| usage.kind.word()), task),
    }
}

fn line_of(replay: &Replay, key: Key, options: Options) -> String {
    let log = replay.log();
    let (mut frames, task) = match key {
        Key::Stack(id, task) => {
            let list: Vec<FrameRef<'_>> = log.stacks.frames(crate::log::StackId(id)).collect();
            let n_recorder = list.iter().take_while(|frame| is_recorder(frame.symbol)).count();
            // A stack of the recorder alone is better than none.
            let from = if n_recorder < list.len() { n_recorder } else { 0 };
            (list[from..].iter().rev().map(|frame| frame_text(frame, options)).collect::<Vec<_>>(), task)
        }
        Key::Caller(id, task) => {
            let name = replay.usages().caller_name(crate::model::CallerId(id)).unwrap_or("unknown");
            (vec![safe(&stripped(name, options))], task)
        }
        Key::Kind(word, task) => (vec![format!("[{word}]")], task),
    };
    if let Some(task) = task {
        frames.insert(0, task_text(&log.names.task(task).comm));
    }
    frames.join(";")
}

fn is_recorder(symbol: &[u8]) -> bool {
    RECORDER.iter().any(|prefix| symbol.starts_with(prefix))
}

fn frame_text(frame: &FrameRef<'_>, options: Options) -> String {
    if options.offsets {
        return safe(&plain(frame.text));
    }
    let name = plain(frame.symbol);
    let name = stripped(&name, options);
    if frame.module.is_empty() { safe(&name) } else { safe(&format!("{name} [{}]", plain(frame.module))) }
}

fn stripped(name: &str, options: Options) -> String {
    if !options.strip {
        return name.to_owned();
    }
    let end = TAILS.iter().filter_map(|tail| name.find(tail)).filter(|&at| 0 < at).min();
    name[..end.unwrap_or(name.len())].to_owned()
}

/// Many workers, one name: `kworker/0:1` and `kworker/u4:2` do the work of others.
fn task_text(comm: &[u8]) -> String {
    if comm.starts_with(b"kworker/") { "kworker".to_owned() } else { safe(&plain(comm)) }
}

/// What would be taken for the end of a frame.
fn safe(text: &str) -> String {
    if text.is_empty() { "?".to_owned() } else { text.replace(';', ":").replace(['\n', '\r'], "?") }
}
