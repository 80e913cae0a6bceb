//! Records as JSON Lines.

use parsers::ftrace::{Header, LastEvents};
use parsers::ops::{Helpers, Op, OpLine, ScriptHeader};
use parsers::record::{Body, Frame, Prefix, Record, Stamp};
use parsers::sniff::Format;
use parsers::vmallocinfo::{Area, Confidence, Pointers, State};

use crate::source::formats::FORMATS;

use super::{SCHEMA, kind_of, probe, request};
use crate::export::json::Object;

/// Turns records into lines in a buffer that the caller empties.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Whole lines.
    out: Vec<u8>,
    /// The last of them, if it is an event: a stack of it would go before it.
    held: Option<Held>,
    n_events: u64,
    n_stacks: u64,
    /// Digits of an address: trace text does not pad them.
    digits: usize,
    /// What stacks belong to.
    last_events: LastEvents,
}

/// The line of an event whose stack may follow.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// Where it begins.
    at: usize,
    /// CPU and pid.
    task: (Option<u16>, i32),
}

/// The end of a line without a stack.
const NO_STACK: &[u8] = b"null}\n";

impl Lines {
    /// The lines that nothing can be added to.
    pub(super) fn ready(&self) -> &[u8] {
        self.out.get(..self.held.map_or(self.out.len(), |held| held.at)).unwrap_or_default()
    }

    /// Those lines have been handed on.
    pub(super) fn written(&mut self) {
        self.out.drain(..self.ready().len());
        if let Some(held) = &mut self.held {
            held.at = 0;
        }
    }

    /// No stack follows any more.
    pub(super) fn release(&mut self) {
        self.held = None;
    }

    /// Starts a text.
    fn start(&mut self, file: &str, format: &'static str) -> Object<'_> {
        let out = std::mem::take(&mut self.out);
        *self = Self { out, digits: 16, ..Self::default() };
        let mut object = Object::open(&mut self.out, "header");
        object.text("schema", SCHEMA.as_bytes());
        object.text("tool", concat!("vmaplens ", env!("CARGO_PKG_VERSION")).as_bytes());
        object.text("file", file.as_bytes());
        object.text("format", format.as_bytes());
        object
    }

    pub(super) fn trace_header(&mut self, file: &str, format: Format, header: &Header, first: Option<Stamp>) {
        let stamps = first.and_then(|stamp| match stamp {
            Stamp::Nanos(_) => Some(&b"ns"[..]),
            Stamp::Ticks(_) => Some(b"ticks"),
            Stamp::Relative(_) => Some(b"ns-since-clear"),
            Stamp::Unknown => None,
        });
        // How many digits a report or perf prints is up to its options.
        let resolution = match format {
            Format::TraceCmdReport | Format::PerfScript | Format::PerfTrace => None,
            Format::Bpftrace => Some(1),
            _ => Some(1000),
        };
        let mut object = self.start(file, word_of(format));
        object.text_or_null("time", stamps);
        object.number_or_null("time_resolution_ns", resolution.filter(|_| stamps.is_some_and(|unit| unit != b"ticks")));
        object.text_or_null("tracer", header.tracer.as_ref().map(String::as_bytes));
        object.text_or_null("kernel", header.kernel_release.as_ref().map(String::as_bytes));
        object.number_or_null("online_cpus", header.online_cpus.map(u64::from));
        object.number_or_null("entries_in_buffer", header.entries_in_buffer);
        object.number_or_null("entries_written", header.entries_written);
        object.close();
    }

    /// Of a binary recording, whose stamps are not rounded.
    pub(super) fn dat_header(&mut self, file: &str, first: Option<Stamp>) {
        let is_ticks = matches!(first, Some(Stamp::Ticks(_)));
        let mut object = self.start(file, "trace-dat");
        object.text("time", if is_ticks { b"ticks" } else { b"ns" });
        object.number_or_null("time_resolution_ns", (!is_ticks).then_some(1));
        object.close();
    }

    pub(super) fn snapshot_header(&mut self, file: &str, format: Format, pointers: Pointers) {
        let mut object = self.start(file, word_of(format));
        object.text("pointers", crate::log::baseline::pointers_word(pointers).as_bytes());
        object.close();
    }

    pub(super) fn script_header(&mut self, file: &str, header: &ScriptHeader) {
        let mut object = self.start(file, "op-script");
        object.text_or_null("title", header.title.as_ref().map(String::as_bytes));
        object.text_or_null("era", header.era.as_ref().map(String::as_bytes));
        if let Some((start, end)) = header.range {
            object.address("vstart", start, 16);
            object.address("vend", end, 16);
        }
        object.number_or_null("cpus", header.cpus.map(u64::from));
        object.number_or_null("possible", header.possible.map(u64::from));
        let early = header.early.iter().map(|(start, end)| format!("0x{start:016x}-0x{end:016x}"));
        object.texts("early", early);
        object.bool("autowork", header.autowork);
        object.text("helpers", if header.helpers == Helpers::Sched { b"sched" } else { b"flush" });
        object.close();
    }

    /// One record of a trace. A stack that follows its event is written before it.
    pub(super) fn record(&mut self, record: &Record<'_>) {
        let held = self.held.take();
        if let Body::Stack(frames) | Body::UserStack(frames) = &record.body {
            let is_kernel = matches!(record.body, Body::Stack(_));
            match held.filter(|held| is_kernel && task_of(record) == Some(held.task)) {
                Some(held) => self.stack_of_held(held, record, frames),
                None => self.stack(record, frames),
            }
            return;
        }
        let id = self.n_events;
        self.n_events += 1;
        if !matches!(record.body, Body::Lost { .. } | Body::BufferStarted { .. }) {
            self.last_events.note(record.prefix.as_ref(), id);
        }
        self.learn_digits(&record.body);
        let digits = self.digits;
        let at = self.out.len();
        let mut object = Object::open(&mut self.out, kind_of(&record.body).word());
        object.number("i", id);
        object.number("line", u64::from(record.line));
        if let Body::Lost { cpu, count } = record.body {
            object.number_or_null("cpu", cpu.map(u64::from));
            object.number_or_null("count", count);
        } else if let Body::BufferStarted { cpu } = record.body {
            object.number("cpu", u64::from(cpu));
        } else {
            prefix_fields(&mut object, record.prefix.as_ref());
            body_fields(&mut object, &record.body, digits);
            object.null("stack");
            self.held = task_of(record).map(|task| Held { at, task });
        }
        object.close();
    }

    /// Writes a stack before the event that was written last, and says so in the event.
    fn stack_of_held(&mut self, held: Held, record: &Record<'_>, frames: &[Frame<'_>]) {
        let event = self.out.split_off(held.at);
        let id = self.n_stacks;
        self.stack(record, frames);
        self.out.extend_from_slice(event.strip_suffix(NO_STACK).unwrap_or(&event));
        self.out.extend_from_slice(format!("{id}}}\n").as_bytes());
    }

    fn stack(&mut self, record: &Record<'_>, frames: &[Frame<'_>]) {
        let of = self.last_events.owner_of(record.prefix.as_ref());
        let mut object = Object::open(&mut self.out, kind_of(&record.body).word());
        object.number("id", self.n_stacks);
        object.number("line", u64::from(record.line));
        object.number_or_null("event", of);
        object.texts("frames", frames.iter().map(frame_text));
        object.close();
        self.n_stacks += 1;
    }

    /// A 64-bit kernel's addresses are high, a 32-bit kernel's fit in 32 bits.
    fn learn_digits(&mut self, body: &Body<'_>) {
        let seen = match body {
            Body::Alloc(alloc) => alloc.vend,
            Body::Free(free) => free.va_start,
            Body::Purge(purge) => purge.end,
            _ => 0,
        };
        if 0 < seen {
            self.digits = if u32::try_from(seen).is_ok() { 8 } else { 16 };
        }
    }

    /// One row of `/proc/vmallocinfo`.
    pub(super) fn area(&mut self, area: &Area<'_>) {
        let digits = usize::from(area.address_digits);
        let caller = area.caller.as_ref();
        let mut object = Object::open(&mut self.out, "area");
        object.number("line", u64::from(area.line));
        if area.unready {
            object.null("start");
            object.null("end");
        } else {
            object.address("start", area.start, digits);
            object.address("end", area.end, digits);
        }
        object.number("size", area.size);
        object.text_or_null("caller", caller.map(|caller| &*caller.symbol));
        object.number_or_null("offset", caller.filter(|caller| caller.length != 0).map(|caller| caller.offset));
        object.text_or_null("module", caller.and_then(|caller| caller.module.as_deref()));
        object.number_or_null("pages", area.pages);
        match area.phys {
            Some(phys) => object.address("phys", phys, usize::from(area.phys_digits).max(8)),
            None => object.null("phys"),
        }
        let ram = (area.state == State::VmMapRam).then_some("vm_map_ram");
        let foreign = area.foreign.iter().map(|word| &**word);
        let flags = area.flags.names().map(|word: &str| word.as_bytes()).chain(foreign);
        object.texts("flags", flags.chain(ram.map(|word: &str| word.as_bytes())));
        object.numbers("nodes", &area.nodes);
        object.bool("unpurged", area.state == State::Unpurged);
        object.text("confidence", if area.confidence == Confidence::Exact { b"exact" } else { b"repaired" });
        object.close();
    }

    /// One op of a script.
    pub(super) fn op(&mut self, op: &OpLine) {
        let mut object = Object::open(&mut self.out, "op");
        object.number("line", u64::from(op.line));
        object.text("op", op_word(&op.op).as_bytes());
        match op.op {
            Op::Alloc { id, size, align, window, cpu } => {
                object.number("id", id);
                object.number("size", size);
                object.number("align", align);
                if let Some((start, end)) = window {
                    object.address("vstart", start, 16);
                    object.address("vend", end, 16);
                }
                object.number("cpu", u64::from(cpu));
            }
            Op::Free { id, cpu } => {
                object.number("id", id);
                object.number("cpu", u64::from(cpu));
            }
            Op::Hash { free } | Op::Dump { free } => object.bool("free", free),
            Op::Request(ref request) => request::fields(&mut object, request),
            Op::Purge | Op::Work | Op::Shrink | Op::Lazy | Op::Check | Op::Mark => {}
        }
        object.close();
    }
}

/// What the header calls a form: as `--format` does.
fn word_of(format: Format) -> &'static str {
    match format {
        Format::FtraceText | Format::Unknown => "ftrace-text",
        _ => FORMATS.iter().find(|row| row.format == format).map_or("unknown", |row| row.kind),
    }
}

/// The word of the script language, `alloc` and `free` in full.
fn op_word(op: &Op) -> &'static str {
    match op {
        Op::Alloc { .. } => "alloc",
        Op::Free { .. } => "free",
        _ => op.word(),
    }
}

fn prefix_fields(object: &mut Object<'_>, prefix: Option<&Prefix<'_>>) {
    let Some(prefix) = prefix else {
        for key in ["ts_ns", "cpu", "pid", "tgid", "comm"] {
            object.null(key);
        }
        return;
    };
    match prefix.stamp {
        Stamp::Nanos(nanos) | Stamp::Relative(nanos) => object.number("ts_ns", nanos),
        Stamp::Ticks(ticks) => {
            object.null("ts_ns");
            object.number("ticks", ticks);
        }
        Stamp::Unknown => object.null("ts_ns"),
    }
    object.number_or_null("cpu", prefix.cpu.map(u64::from));
    object.signed("pid", i64::from(prefix.pid));
    match prefix.tgid {
        Some(tgid) => object.signed("tgid", i64::from(tgid)),
        None => object.null("tgid"),
    }
    object.text("comm", prefix.comm);
    if std::str::from_utf8(prefix.comm).is_err() {
        object.hex_bytes("comm_hex", prefix.comm);
    }
}

fn body_fields(object: &mut Object<'_>, body: &Body<'_>, digits: usize) {
    match body {
        Body::Alloc(alloc) => {
            object.address("addr", alloc.va_start, digits);
            object.number("size", alloc.size);
            object.number("align", alloc.align);
            object.address("vstart", alloc.vstart, digits);
            object.address("vend", alloc.vend, digits);
            object.bool("failed", alloc.failed);
        }
        Body::Free(free) => {
            object.address("addr", free.va_start, digits);
            // The record carries no size.
            object.null("size");
            object.number("nr_lazy", free.nr_lazy);
            object.number("nr_lazy_max", free.nr_lazy_max);
        }
        Body::Purge(purge) => {
            object.address("start", purge.start, digits);
            object.address("end", purge.end, digits);
            object.number("purged", purge.num_purged);
        }
        Body::Marker(text) => object.text("text", text),
        Body::Probe { name, at, args } => {
            object.text("name", name);
            object.text("at", at);
            object.text("args", args);
            probe::fields(object, at, args, digits);
        }
        Body::Failure(failure) => {
            object.number_or_null("size", failure.size);
            object.bool("includes_guard", failure.includes_guard);
            for (key, value) in
                [("vstart", failure.window.map(|window| window.0)), ("vend", failure.window.map(|window| window.1))]
            {
                match value {
                    Some(value) => object.address(key, value, digits),
                    None => object.null(key),
                }
            }
            object.number_or_null("allocated", failure.allocated);
            object.text("text", failure.text);
        }
        Body::Other { name, args } => {
            object.text("name", name);
            object.text("args", args);
        }
        Body::Stack(_) | Body::UserStack(_) | Body::Lost { .. } | Body::BufferStarted { .. } => {}
    }
}

/// Who wrote a record; an event and its stack have the same.
fn task_of(record: &Record<'_>) -> Option<(Option<u16>, i32)> {
    record.prefix.as_ref().map(|prefix| (prefix.cpu, prefix.pid))
}

fn frame_text(frame: &Frame<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    frame.write_to(&mut text);
    text
}
