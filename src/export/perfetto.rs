//! A Perfetto trace: packets of protobuf, one after the other.
//!
//! Field numbers are those of the public `.proto` files.

use std::collections::BTreeSet;
use std::io::Write;

use super::ExportError;
use super::about::About;
use super::counters::{COUNTERS, Unit};
use super::proto::Message;
use super::time_line::{Arg, Args, Life, TimeLine, Track};

/// `Trace.packet`.
const PACKET: u32 = 1;
/// `TracePacket`.
const TIMESTAMP: u32 = 8;
const SEQUENCE_ID: u32 = 10;
const TRACK_EVENT: u32 = 11;
const SEQUENCE_FLAGS: u32 = 13;
const TRACK_DESCRIPTOR: u32 = 60;
/// `TrackDescriptor`.
const UUID: u32 = 1;
const NAME: u32 = 2;
const PROCESS: u32 = 3;
const PARENT_UUID: u32 = 5;
const COUNTER: u32 = 8;
/// `ProcessDescriptor`.
const PID: u32 = 1;
const PROCESS_NAME: u32 = 6;
/// `CounterDescriptor`.
const COUNTER_UNIT: u32 = 3;
/// `TrackEvent`.
const DEBUG_ANNOTATIONS: u32 = 4;
const TYPE: u32 = 9;
const TRACK_UUID: u32 = 11;
const CATEGORIES: u32 = 22;
const EVENT_NAME: u32 = 23;
const COUNTER_VALUE: u32 = 30;
const FLOW_IDS: u32 = 47;
/// `TrackEvent.Type`.
const SLICE_BEGIN: u64 = 1;
const SLICE_END: u64 = 2;
const INSTANT: u64 = 3;
const COUNTED: u64 = 4;
/// `DebugAnnotation`.
const ANNOTATION_NAME: u32 = 10;
const UINT_VALUE: u32 = 3;
const STRING_VALUE: u32 = 6;
const POINTER_VALUE: u32 = 7;

/// Every packet is of one writer.
const SEQUENCE: u64 = 1;
/// Numbers of the tracks of one group: lanes and CPUs come behind the fixed ones.
const GROUP_TRACKS: u64 = 1 << 40;
const FIRST_COUNTER: u64 = 16;
const FIRST_CPU: u64 = 1 << 16;
const FIRST_LANE: u64 = 1 << 32;
/// Track of the areas, the parent of the lanes.
const AREAS: u64 = 2;

/// Writes a Perfetto trace.
#[derive(Debug)]
pub struct Perfetto<W: Write> {
    to: W,
    packet: Message,
    event: Message,
    /// Tracks that have been described.
    known: BTreeSet<u64>,
    n_groups: u64,
    is_first: bool,
}

impl<W: Write> Perfetto<W> {
    /// Begins a trace.
    pub fn new(to: W) -> Self {
        Self {
            to,
            packet: Message::default(),
            event: Message::default(),
            known: BTreeSet::new(),
            n_groups: 0,
            is_first: true,
        }
    }

    /// The uuid of a track of the group that is being written; the group itself is 1.
    fn uuid(&self, track: u64) -> u64 {
        self.n_groups.saturating_sub(1) * GROUP_TRACKS + track
    }

    fn write(&mut self) -> Result<(), ExportError> {
        self.packet.number(SEQUENCE_ID, SEQUENCE);
        if std::mem::take(&mut self.is_first) {
            // The incremental state is cleared: there was none before.
            self.packet.number(SEQUENCE_FLAGS, 1);
        }
        let mut trace = Message::default();
        trace.message(PACKET, &self.packet);
        self.to.write_all(trace.bytes())?;
        self.packet.clear();
        Ok(())
    }

    /// Describes a track, the first time it is used.
    fn describe(&mut self, track: u64, name: &str, parent: Option<u64>, unit: Option<Unit>) -> Result<(), ExportError> {
        if !self.known.insert(self.uuid(track)) {
            return Ok(());
        }
        let mut descriptor = Message::default();
        descriptor.number(UUID, self.uuid(track));
        descriptor.text(NAME, name);
        match parent {
            Some(parent) => descriptor.number(PARENT_UUID, self.uuid(parent)),
            None => {
                let mut process = Message::default();
                process.number(PID, self.n_groups);
                process.text(PROCESS_NAME, name);
                descriptor.message(PROCESS, &process);
            }
        }
        if let Some(unit) = unit {
            let mut counter = Message::default();
            counter.number(COUNTER_UNIT, if unit == Unit::Bytes { 3 } else { 2 });
            descriptor.message(COUNTER, &counter);
        }
        self.packet.message(TRACK_DESCRIPTOR, &descriptor);
        self.write()
    }

    /// Begins an event.
    fn open(&mut self, track: u64, kind: u64) {
        self.event.clear();
        self.event.number(TYPE, kind);
        let uuid = self.uuid(track);
        self.event.number(TRACK_UUID, uuid);
    }

    fn close(&mut self, at: u64) -> Result<(), ExportError> {
        self.packet.number(TIMESTAMP, at);
        self.packet.message(TRACK_EVENT, &self.event);
        self.write()
    }

    fn annotate(&mut self, args: &Args) {
        for (name, value) in args {
            let mut annotation = Message::default();
            annotation.text(ANNOTATION_NAME, name);
            match value {
                Arg::Number(value) => annotation.number(UINT_VALUE, *value),
                Arg::Addr(value) => annotation.number(POINTER_VALUE, *value),
                Arg::Text(value) => annotation.text(STRING_VALUE, value),
            }
            self.event.message(DEBUG_ANNOTATIONS, &annotation);
        }
    }

    fn lane(&mut self, life: Life) -> Result<u64, ExportError> {
        let track = FIRST_LANE + life.lane as u64;
        if !self.known.contains(&self.uuid(track)) {
            self.describe(track, &format!("lane {}", life.lane), Some(AREAS), None)?;
        }
        Ok(track)
    }
}

impl<W: Write> TimeLine for Perfetto<W> {
    fn group(&mut self, about: &About, at: u64, args: &Args) -> Result<(), ExportError> {
        self.n_groups += 1;
        self.describe(1, &format!("vmalloc {}", about.policy), None, None)?;
        self.describe(AREAS, "areas", Some(1), None)?;
        self.instant(Track::About, at, "about", None, args)
    }

    fn begins(&mut self, life: Life, at: u64, name: &str, args: &Args) -> Result<(), ExportError> {
        let track = self.lane(life)?;
        self.open(track, SLICE_BEGIN);
        self.event.text(CATEGORIES, "area");
        self.event.text(EVENT_NAME, name);
        self.annotate(args);
        self.close(at)
    }

    fn is_lazy(&mut self, life: Life, at: u64) -> Result<(), ExportError> {
        let track = self.lane(life)?;
        self.open(track, SLICE_BEGIN);
        self.event.text(CATEGORIES, "area");
        self.event.text(EVENT_NAME, "lazy");
        self.close(at)
    }

    fn ends(&mut self, life: Life, at: u64, _name: &str, was_lazy: bool) -> Result<(), ExportError> {
        let track = self.lane(life)?;
        for _ in 0..=u8::from(was_lazy) {
            self.open(track, SLICE_END);
            self.close(at)?;
        }
        Ok(())
    }

    fn instant(
        &mut self,
        track: Track,
        at: u64,
        name: &str,
        flow: Option<u64>,
        args: &Args,
    ) -> Result<(), ExportError> {
        let (number, title) = match track {
            Track::About => (3, "about".to_owned()),
            Track::Purges => (4, "purges".to_owned()),
            Track::Failures => (5, "failures".to_owned()),
            Track::Lost => (6, "lost".to_owned()),
            Track::Marks => (7, "markers".to_owned()),
            Track::Cpu(cpu) => (FIRST_CPU + u64::from(cpu), format!("CPU {cpu}")),
        };
        self.describe(number, &title, Some(1), None)?;
        self.open(number, INSTANT);
        self.event.text(EVENT_NAME, name);
        if let Some(flow) = flow {
            let group = self.n_groups.saturating_sub(1) * GROUP_TRACKS;
            self.event.fixed(FLOW_IDS, group + flow);
        }
        self.annotate(args);
        self.close(at)
    }

    fn counter(&mut self, which: usize, at: u64, value: u64) -> Result<(), ExportError> {
        let counter = &COUNTERS[which];
        let track = FIRST_COUNTER + which as u64;
        self.describe(track, counter.title, Some(1), Some(counter.unit))?;
        self.open(track, COUNTED);
        // An `int64`: no figure here comes near its limit but hostile ones.
        self.event.number(COUNTER_VALUE, value.min(i64::MAX.cast_unsigned()));
        self.close(at)
    }

    fn finish(&mut self) -> Result<(), ExportError> {
        Ok(self.to.flush()?)
    }
}
