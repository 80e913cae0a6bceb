//! The events of all CPUs in the order of their stamps.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::damage::DatDamage;
use super::decode::{Scratch, Tables, flags};
use super::page::Stream;
use super::{Clock, Tools, Unpack};
use crate::ProblemKind;
use crate::record::{Body, Prefix, Record, Stamp};

/// When the event at a stream's head takes place, and the stream: lowest CPU first if the stamps are equal.
type Head = (u64, usize);

/// Merges the streams, which are in the order of their instances and CPUs.
pub(super) struct Merge<'s, 't> {
    pub(super) streams: Vec<Stream<'s>>,
    pub(super) tables: &'t Tables,
    /// Clock of each instance.
    pub(super) clocks: &'t [Clock],
    pub(super) unpack: &'t dyn Unpack,
    pub(super) tools: &'t mut Tools,
}

impl Merge<'_, '_> {
    /// Hands out every record with the number of its instance.
    pub(super) fn run(mut self, visit: &mut impl FnMut(&Record<'_>, usize)) {
        let mut scratch = Scratch::new();
        let mut heads: BinaryHeap<Reverse<Head>> = BinaryHeap::with_capacity(self.streams.len());
        for at in 0..self.streams.len() {
            heads.extend(self.step(at).map(Reverse));
        }
        let Some(Reverse(mut head)) = heads.pop() else { return self.finish(visit) };
        loop {
            self.hand_out(head, &mut scratch, visit);
            // One CPU often runs on: only the best of the others has to be looked at.
            match (self.step(head.1), heads.peek_mut()) {
                (Some(next), Some(mut best)) if best.0 < next => {
                    head = best.0;
                    *best = Reverse(next);
                }
                (Some(next), _) => head = next,
                (None, Some(best)) => head = PeekMut::pop(best).0,
                (None, None) => return self.finish(visit),
            }
        }
    }

    /// Steps one stream.
    #[inline]
    fn step(&mut self, at: usize) -> Option<Head> {
        let stream = self.streams.get_mut(at)?;
        if !stream.advance(self.unpack, self.tools) {
            return None;
        }
        let clock = self.clocks.get(stream.instance).copied().unwrap_or(Clock::Ticks);
        Some((clock.time(stream.stamp), at))
    }

    #[inline]
    fn hand_out(&mut self, (time, at): Head, scratch: &mut Scratch, visit: &mut impl FnMut(&Record<'_>, usize)) {
        let Some(stream) = self.streams.get(at) else { return };
        let (payload, offset) = (stream.payload(), stream.offset());
        if let Some(lost) = stream.lost {
            let body = Body::Lost { cpu: stream.cpu, count: lost.count };
            visit(&Record { line: 0, offset, prefix: None, body }, stream.instance);
        }
        let clock = self.clocks.get(stream.instance).copied().unwrap_or(Clock::Ticks);
        let stamp = if clock == Clock::Ticks { Stamp::Ticks(time) } else { Stamp::Nanos(time) };
        let tables = self.tables;
        let found = tables.event(payload);
        let common = found.map_or(tables.common, |event| event.common);
        let number = |number: super::format::Number| number.get(payload, tables.order).unwrap_or_default();
        let pid = number(common.pid) as i32;
        let flags = flags(number(common.flags) as u8, number(common.preempt) as u8, tables.has_lazy);
        let body = match found {
            Ok(event) => tables.body(event, payload, &mut scratch.text, &mut scratch.symbols),
            Err(id) => {
                self.tools.unknown_event(id, offset);
                scratch.text.clear();
                scratch.text.extend_from_slice(format!("type={id}").as_bytes());
                Ok(Body::Other { name: b"unknown_event", args: &scratch.text })
            }
        };
        match body {
            Ok(body) => {
                let comm = scratch.comms.comm(&tables.comms, pid);
                let prefix = Some(Prefix { comm, pid, tgid: None, cpu: Some(stream.cpu), flags: &flags, stamp });
                visit(&Record { line: 0, offset, prefix, body }, stream.instance);
            }
            Err(kind) => self.tools.problem(offset, kind),
        }
    }

    /// Tells what was lost behind the last event of a CPU, and which CPUs' pages were cut.
    fn finish(self, visit: &mut impl FnMut(&Record<'_>, usize)) {
        for stream in &self.streams {
            if let Some(lost) = stream.lost {
                let body = Body::Lost { cpu: stream.cpu, count: lost.count };
                visit(&Record { line: 0, offset: stream.offset(), prefix: None, body }, stream.instance);
            }
            if stream.is_cut() {
                self.tools.problem(stream.offset(), ProblemKind::Dat(DatDamage::CutPages));
            }
        }
    }
}
