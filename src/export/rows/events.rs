//! [`EventRow`]: one record of the input.

use std::borrow::Cow;

use crate::event::{Event, EventKind, Nanos, Seq};
use crate::export::table::{Column, Form, Row, Value, column};
use crate::export::walk::Walk;
use crate::log::{Clock, Names, Window};
use crate::model::Provenance::{Derived, Modelled, Observed};
use crate::replay::Verdict;

/// One record, in the terms of the tables.
#[derive(Debug, Clone, Default)]
pub struct EventRow<'a> {
    /// Place in the merged stream, from 0.
    pub seq: u64,
    /// Nanoseconds of the trace's clock.
    pub ts_ns: Option<i64>,
    /// What the clock counts, if that is no time.
    pub ticks: Option<u64>,
    /// The CPU.
    pub cpu: Option<u16>,
    /// The process.
    pub pid: Option<i32>,
    /// Its name, as recorded.
    pub comm: Option<&'a [u8]>,
    /// What was recorded.
    pub kind: &'static str,
    /// Where the area, or what was purged, begins.
    pub addr: Option<u64>,
    /// Where it ends.
    pub end: Option<u64>,
    /// Bytes.
    pub size: Option<u64>,
    /// Where the size of a free is from.
    pub size_from: Option<&'static str>,
    /// Alignment in bytes.
    pub align: Option<u64>,
    /// The window asked for.
    pub window: Option<Window>,
    /// No space was found.
    pub failed: Option<bool>,
    /// Lazy pages after a free, and their limit.
    pub nr_lazy: Option<(u64, u64)>,
    /// Areas that a purge returned.
    pub purged: Option<u32>,
    /// Records lost.
    pub count: Option<u64>,
    /// Its stack.
    pub stack: Option<u32>,
    /// From the allocation to this free.
    pub lifetime_ns: Option<i64>,
    /// See the column.
    pub flags: u8,
    /// What the model said of an allocation.
    pub verdict: Option<&'static str>,
    /// The model's own answer, where it is another one.
    pub modelled_addr: Option<u64>,
    /// The text of a marker, the name of a foreign event, the word of an op.
    pub text: Option<Cow<'a, [u8]>>,
    /// Line of the input.
    pub line: Option<u32>,
}

/// The size is not in the record.
const SIZE_DERIVED: u8 = 1;
/// The stamp is earlier than that of a record before.
const OUT_OF_ORDER: u8 = 4;
/// A free whose allocation is not in the input.
const NO_ALLOC: u8 = 8;
/// The recorded area overlapped areas in use.
const OVERLAPS: u8 = 16;

const COLUMNS: &[Column] = &[
    column("seq", Form::U64, Observed, "place in the merged stream of records, from 0"),
    column("ts_ns", Form::I64, Observed, "nanoseconds of the trace's clock; unknown if it counts something else")
        .or_null(),
    column("cpu", Form::U16, Observed, "CPU").or_null(),
    column("pid", Form::I32, Observed, "process").or_null(),
    column("tgid", Form::I32, Observed, "thread group; unknown, as no input is kept with it").or_null(),
    column("comm", Form::Text, Observed, "name of the task; bytes that are not UTF-8 become U+FFFD").or_null(),
    column(
        "kind",
        Form::Text,
        Observed,
        "alloc, free, purge, lost, marker; also alloc_entry, purge_entry, node_decay, node_return of probes, failure \
         of kernel logs, op of scripts, other",
    ),
    column("addr", Form::Addr, Observed, "alloc, free: where the area begins; purge: where what it flushed begins")
        .or_null(),
    column("end", Form::Addr, Derived, "alloc, free: addr and size, where known; purge: where it ends").or_null(),
    column("size", Form::U64, Observed, "bytes, guard page included; of a free see flags").or_null(),
    column("align", Form::U64, Observed, "alignment asked for, in bytes").or_null(),
    column("vstart", Form::Addr, Observed, "lowest address asked for").or_null(),
    column("vend", Form::Addr, Observed, "end asked for").or_null(),
    column("failed", Form::Bool, Observed, "alloc: no space was found").or_null(),
    column("nr_lazy", Form::U64, Observed, "free: lazy pages after it").or_null(),
    column("nr_lazy_max", Form::U64, Observed, "free: the limit, in pages").or_null(),
    column("purged", Form::U32, Observed, "purge: areas returned (6.9 and later) or fused ranges").or_null(),
    column("stack_id", Form::U32, Observed, "id in the table stacks").or_null(),
    column("lifetime_ns", Form::I64, Derived, "free: nanoseconds since the allocation").or_null(),
    column(
        "flags",
        Form::U8,
        Derived,
        "1: size is from elsewhere, 2: stamp is synthetic (no input has such), 4: stamp goes back, 8: no matching alloc, 16: overlaps areas in use",
    ),
    column("ticks", Form::U64, Observed, "stamp of a clock that counts events, jiffies or cycles").or_null(),
    column("count", Form::U64, Observed, "lost: records; unknown if the kernel did not say").or_null(),
    column("verdict", Form::Text, Modelled, "alloc: exact, inferred, adopted or differs").or_null(),
    column("modelled_addr", Form::Addr, Modelled, "alloc: the model's first answer, where it is another one").or_null(),
    column("text", Form::Text, Observed, "marker: its text; other: the event; op: its word; failure: the message")
        .or_null(),
    column("line", Form::U32, Observed, "line of the input").or_null(),
];

impl Row for EventRow<'_> {
    const TABLE: &'static str = "events";
    const SCHEMA: &'static str = "vmaplens.events/1";
    const COLUMNS: &'static [Column] = COLUMNS;

    fn values<'a>(&'a self, put: &mut dyn FnMut(Value<'a>)) {
        put(Value::Number(self.seq));
        put(Value::signed(self.ts_ns));
        put(Value::number(self.cpu));
        put(Value::signed(self.pid));
        put(Value::Null);
        put(self.comm.map_or(Value::Null, Value::bytes));
        put(Value::word(self.kind));
        put(Value::addr(self.addr));
        put(Value::addr(self.end));
        put(Value::number(self.size));
        put(Value::number(self.align));
        put(Value::addr(self.window.map(|window| window.vstart)));
        put(Value::addr(self.window.map(|window| window.vend)));
        put(self.failed.map_or(Value::Null, Value::Bool));
        put(Value::number(self.nr_lazy.map(|lazy| lazy.0)));
        put(Value::number(self.nr_lazy.map(|lazy| lazy.1)));
        put(Value::number(self.purged));
        put(Value::number(self.stack));
        put(Value::signed(self.lifetime_ns));
        put(Value::Number(u64::from(self.flags)));
        put(Value::number(self.ticks));
        put(Value::number(self.count));
        put(Value::text(self.verdict));
        put(Value::addr(self.modelled_addr));
        put(self.text.as_deref().map_or(Value::Null, Value::bytes));
        put(Value::number(self.line));
    }
}

/// Makes rows of records.
#[derive(Debug, Default)]
pub struct Events {
    latest: Nanos,
}

impl Events {
    /// The row of the record the walk has just gone over.
    pub fn row<'a>(&mut self, walk: &Walk<'a>, seq: Seq, event: &Event) -> EventRow<'a> {
        let log = walk.log();
        let task = log.names.task(event.task);
        let has_task = !matches!(event.kind, EventKind::Lost { .. }) && 0 <= task.pid;
        let clock = log.origin.clock;
        let mut row = EventRow {
            seq: u64::from(seq.0),
            ts_ns: i64::try_from(event.at.0).ok().filter(|_| clock == Clock::Nanos),
            ticks: Some(event.at.0).filter(|_| clock == Clock::Ticks),
            cpu: event.known_cpu(),
            pid: has_task.then_some(task.pid),
            comm: Some(&task.comm[..]).filter(|comm| !comm.is_empty()),
            stack: log.stacks.of(seq).map(|id| id.0),
            line: Some(event.line).filter(|&line| 0 < line),
            ..EventRow::default()
        };
        if clock == Clock::Nanos && event.at < self.latest {
            row.flags |= OUT_OF_ORDER;
        }
        self.latest = self.latest.max(event.at);
        row.say(&log.names, &event.kind);
        match event.kind {
            EventKind::Alloc { .. } | EventKind::Unasked { .. } => row.judge(walk, seq),
            EventKind::Free { .. } | EventKind::FreeProbe { .. } => row.look_back(walk, seq, event),
            _ => {}
        }
        row
    }
}

impl<'a> EventRow<'a> {
    /// What the record itself says.
    fn say(&mut self, names: &'a Names, kind: &EventKind) {
        let window = |id| Some(names.window(id));
        let sized = |addr: u64, size: u64| addr.checked_add(size);
        self.kind = word_of(kind);
        match *kind {
            EventKind::Alloc { addr, size, align, window: id, failed } => {
                (self.addr, self.size, self.align, self.window) = (Some(addr.0), Some(size), Some(align), window(id));
                (self.end, self.failed) = (sized(addr.0, size).filter(|_| !failed), Some(failed));
            }
            EventKind::Request { size, align, window: id } => {
                (self.size, self.align, self.window) = (Some(size), Some(align), window(id));
            }
            EventKind::Unasked { addr, end } => {
                (self.addr, self.end, self.failed) = (Some(addr.0), Some(end.0), Some(false));
                self.size = end.0.checked_sub(addr.0);
            }
            EventKind::Free { addr, nr_lazy, nr_lazy_max } => {
                (self.addr, self.nr_lazy) = (Some(addr.0), Some((nr_lazy, nr_lazy_max)));
            }
            EventKind::FreeProbe { addr, end } => {
                self.addr = Some(addr.0);
                self.size = end.0.checked_sub(addr.0).filter(|&size| 0 < size);
                self.size_from = self.size.map(|_| "record");
            }
            EventKind::Purge { start, end, num_purged } => {
                (self.addr, self.end, self.purged) = (Some(start.0), Some(end.0), Some(num_purged));
            }
            EventKind::PurgeEntry { start, end } => (self.addr, self.end) = (Some(start.0), Some(end.0)),
            EventKind::NodeDecay { node, .. } | EventKind::NodeReturn { node } => {
                self.text = Some(format!("node {node}").into_bytes().into());
            }
            EventKind::Lost { count } => self.count = Some(u64::from(count)).filter(|&count| 0 < count),
            EventKind::Mark { text } | EventKind::Other { name: text } => self.text = Some(names.text(text).into()),
            EventKind::Report { size, text } => {
                (self.size, self.text) = (Some(size).filter(|&size| 0 < size), Some(names.text(text).into()));
            }
            EventKind::Script(op) => self.text = Some(op.word().as_bytes().into()),
            EventKind::PurgeReturn { .. } => {}
        }
    }

    /// What the model said of an allocation.
    fn judge(&mut self, walk: &Walk<'_>, seq: Seq) {
        self.verdict = match walk.plan().verdict(seq) {
            Verdict::NotJudged => None,
            Verdict::Exact => Some("exact"),
            Verdict::Inferred(_) => Some("inferred"),
            Verdict::Adopted(_) => Some("adopted"),
            Verdict::Differs(_) => Some("differs"),
        };
        self.modelled_addr = walk.plan().divergence(seq).and_then(|divergence| Some(divergence.model()?.0));
        if 0 < walk.displaced {
            self.flags |= OVERLAPS;
        }
    }

    /// What a free does not say: what was freed, and when it began.
    fn look_back(&mut self, walk: &Walk<'_>, seq: Seq, event: &Event) {
        let alloc = walk.plan().mate(seq).and_then(|mate| walk.log().get(mate));
        match alloc.map(|alloc| (alloc.at, alloc.kind)) {
            Some((at, kind)) => {
                if self.size.is_none() {
                    self.size = match kind {
                        EventKind::Alloc { size, .. } => Some(size),
                        EventKind::Unasked { addr, end } => end.0.checked_sub(addr.0),
                        _ => None,
                    };
                    self.size_from = self.size.map(|_| "alloc");
                }
                if walk.time(at).is_some() {
                    let lived = i128::from(event.at.0) - i128::from(at.0);
                    self.lifetime_ns = i64::try_from(lived).ok();
                }
            }
            None => {
                self.flags |= NO_ALLOC;
                if let (None, Some(freed)) = (self.size, walk.freed.iter().find(|area| area.free == Some(seq))) {
                    let is_known =
                        walk.log().before.as_ref().is_some_and(|rows| rows.at(freed.extent.start()).is_some());
                    self.size = Some(freed.len_bytes());
                    self.size_from = Some(if is_known { "snapshot" } else { "model" });
                }
            }
        }
        self.end = self.addr.zip(self.size).and_then(|(addr, size)| addr.checked_add(size));
        if self.size_from.is_some_and(|from| from != "record") {
            self.flags |= SIZE_DERIVED;
        }
    }
}

/// The word of the export rules; readers skip those they do not know.
fn word_of(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::Alloc { .. } | EventKind::Unasked { .. } => "alloc",
        EventKind::Free { .. } | EventKind::FreeProbe { .. } => "free",
        EventKind::Purge { .. } | EventKind::PurgeReturn { .. } => "purge",
        EventKind::Request { .. } => "alloc_entry",
        EventKind::PurgeEntry { .. } => "purge_entry",
        EventKind::NodeDecay { .. } => "node_decay",
        EventKind::NodeReturn { .. } => "node_return",
        EventKind::Lost { .. } => "lost",
        EventKind::Mark { .. } => "marker",
        EventKind::Report { .. } => "failure",
        EventKind::Other { .. } => "other",
        EventKind::Script(_) => "op",
    }
}
