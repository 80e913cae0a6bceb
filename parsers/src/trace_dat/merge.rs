//! The events of all CPUs in the order of their stamps.

use super::damage::DatDamage;
use super::decode::{Scratch, Tables};
use super::page::Stream;
use super::{Clock, Tools, Unpack};
use crate::ProblemKind;
use crate::record::{Body, Prefix, Record, Stamp};

/// The first of some streams: a tree of winners, lowest stamp first, lowest stream if stamps are equal.
///
/// ```text
///        1
///    2       3       nodes hold the winner among the leaves below them
///  4   5   6   7     leaves are the streams
/// ```
struct Tournament {
    /// Stamp of each leaf's event; all ones behind the last one.
    stamps: Vec<u64>,
    winners: Vec<u32>,
}

impl Tournament {
    /// Of as many leaves as there are stamps, rounded up to a power of two.
    fn new(mut stamps: Vec<u64>) -> Self {
        let n = stamps.len().next_power_of_two();
        stamps.resize(n, u64::MAX);
        let mut tournament = Self { stamps, winners: vec![0; n] };
        for node in (1..n).rev() {
            tournament.play(node);
        }
        tournament
    }

    fn first(&self) -> usize {
        self.winners.get(1).map_or(0, |winner| *winner as usize)
    }

    /// The winner below a node, which may be a leaf.
    #[inline]
    fn winner(&self, node: usize) -> u32 {
        let n = self.winners.len();
        if node < n { self.winners[node] } else { (node - n) as u32 }
    }

    #[inline]
    fn play(&mut self, node: usize) {
        let (left, right) = (self.winner(2 * node), self.winner(2 * node + 1));
        self.winners[node] = if self.stamps[right as usize] < self.stamps[left as usize] { right } else { left };
    }

    /// Tells the stamp of a leaf's next event.
    #[inline]
    fn replace(&mut self, leaf: usize, stamp: u64) {
        self.stamps[leaf] = stamp;
        let mut node = leaf + self.winners.len();
        while 1 < node {
            node >>= 1;
            self.play(node);
        }
    }
}

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
        let heads: Vec<Option<u64>> = (0..self.streams.len()).map(|at| self.step(at)).collect();
        let mut left: Vec<bool> = heads.iter().map(Option::is_some).collect();
        let mut n_left = left.iter().filter(|is_left| **is_left).count();
        let mut tournament = Tournament::new(heads.into_iter().map(|head| head.unwrap_or(u64::MAX)).collect());
        while n_left != 0 {
            let mut at = tournament.first();
            if !left.get(at).is_some_and(|is_left| *is_left) {
                // All that is left has the last stamp there is.
                at = left.iter().position(|is_left| *is_left).unwrap_or_default();
            }
            self.hand_out(tournament.stamps[at], at, &mut scratch, visit);
            let next = self.step(at);
            if next.is_none() {
                left[at] = false;
                n_left -= 1;
            }
            tournament.replace(at, next.unwrap_or(u64::MAX));
        }
        self.finish(visit);
    }

    /// Steps one stream; hands out when its event takes place.
    #[inline]
    fn step(&mut self, at: usize) -> Option<u64> {
        let stream = self.streams.get_mut(at)?;
        if !stream.advance(self.unpack, self.tools) {
            return None;
        }
        let clock = self.clocks.get(stream.instance).copied().unwrap_or(Clock::Ticks);
        Some(clock.time(stream.stamp))
    }

    #[inline]
    fn hand_out(&mut self, time: u64, at: usize, scratch: &mut Scratch, visit: &mut impl FnMut(&Record<'_>, usize)) {
        let Some(stream) = self.streams.get(at) else { return };
        let (payload, offset) = (stream.payload(), stream.offset());
        if let Some(lost) = stream.lost {
            let body = Body::Lost { cpu: Some(stream.cpu), count: lost.count };
            visit(&Record { line: 0, offset, prefix: None, body }, stream.instance);
        }
        let clock = self.clocks.get(stream.instance).copied().unwrap_or(Clock::Ticks);
        let stamp = if clock == Clock::Ticks { Stamp::Ticks(time) } else { Stamp::Nanos(time) };
        let tables = self.tables;
        let found = tables.event(payload);
        let common = found.map_or(tables.common, |event| event.common);
        let number = |number: super::format::Number| number.get(payload, tables.order).unwrap_or_default();
        let pid = number(common.pid) as i32;
        let flags = scratch.flags(number(common.flags) as u8, number(common.preempt) as u8, tables.has_lazy);
        let body = match found {
            Ok(event) => tables.body(event, payload, &mut scratch.text, &mut scratch.symbols),
            Err(id) => {
                self.tools.unknown_event(id, offset);
                scratch.text.clear();
                scratch.text.extend_from_slice(format!("type={id}").as_bytes());
                Some(Body::Other { name: b"unknown_event", args: &scratch.text })
            }
        };
        let Some(body) = body else {
            let kind = found.map_or(ProblemKind::Dat(DatDamage::Event), super::kind::Event::damage);
            self.tools.problem(offset, kind);
            return;
        };
        let comm = scratch.comms.comm(&tables.comms, pid);
        let prefix = Some(Prefix { comm, pid, tgid: None, cpu: Some(stream.cpu), flags: &flags, stamp });
        visit(&Record { line: 0, offset, prefix, body }, stream.instance);
    }

    /// Tells what was lost behind the last event of a CPU, and which CPUs' pages were cut.
    fn finish(self, visit: &mut impl FnMut(&Record<'_>, usize)) {
        for stream in &self.streams {
            if let Some(lost) = stream.lost {
                let body = Body::Lost { cpu: Some(stream.cpu), count: lost.count };
                visit(&Record { line: 0, offset: stream.offset(), prefix: None, body }, stream.instance);
            }
            if stream.is_cut() {
                self.tools.problem(stream.offset(), ProblemKind::Dat(DatDamage::CutPages));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_stamp_wins_and_the_lowest_stream_a_tie() {
        for n in 1..10_u64 {
            let mut stamps: Vec<u64> = (0..n).map(|at| at * 7 % 4).collect();
            let mut tournament = Tournament::new(stamps.clone());
            for step in 0..50 {
                let wanted = (0..stamps.len()).min_by_key(|at| (stamps[*at], *at)).expect("one");
                assert_eq!(tournament.first(), wanted, "{stamps:?}");
                stamps[wanted] += (step * 5 + n) % 4;
                tournament.replace(wanted, stamps[wanted]);
            }
        }
    }
}
