//! What the plan assumes at a record beyond what it says: told from the operations alone.

use super::super::{Divergence, Timing, Verdict};
use super::Plan;
use crate::event::{EventKind, Seq};
use crate::log::Log;
use crate::model::Op;

/// How far ahead the record of what is assumed is looked for.
const AHEAD: usize = 100_000;

/// What is assumed at one record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assumed {
    /// Steps of a purge that come before this record's own change; the purge is recorded later.
    pub purge_steps: usize,
    /// Allocations that are recorded later and took their space before.
    pub taken_before: Vec<Seq>,
    /// The record behind that shows it: the end of the purge, or of those that came first the last one.
    pub confirmed_by: Option<Seq>,
}

/// What is assumed in a whole trace, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hypotheses {
    /// Purges that had begun before their record, as far as that shows.
    pub purges_begun: u64,
    /// Steps of such purges that have a place before the record.
    pub purge_steps: u64,
    /// Allocations that took their space before a record that stands before theirs.
    pub exchanged: u64,
    /// Allocations from the pool of another CPU's node.
    pub other_node: u64,
    /// Allocations that found their pool empty for a moment.
    pub pool_missed: u64,
}

impl Plan {
    /// What is assumed at a record. Nothing where the operations follow from the records alone.
    pub fn assumed_at(&self, log: &Log, seq: Seq) -> Assumed {
        let mut assumed = Assumed::default();
        let index = seq.index();
        let is_purge = log.get(seq).is_some_and(|event| event.kind.ends_purge());
        for op in self.ops_of(log, index) {
            match op {
                Op::PurgePart(_) if !is_purge => assumed.purge_steps += 1,
                Op::Alloc { born, .. } if born != seq.0 => assumed.taken_before.push(Seq(born)),
                _ => {}
            }
        }
        assumed.confirmed_by = assumed.taken_before.iter().copied().max();
        if assumed.purge_steps > 0 {
            let mut ahead = log.events.range(index + 1..).take(AHEAD).zip(index + 1..);
            let end = ahead.find(|(event, _)| event.kind.ends_purge()).map(|(_, at)| Seq(at as u32));
            assumed.confirmed_by = assumed.confirmed_by.max(end);
        }
        assumed
    }

    /// What is assumed in the whole trace.
    pub fn hypotheses(&self, log: &Log) -> Hypotheses {
        let mut sum = Hypotheses::default();
        let n_nodes = self.ops.n_nodes();
        let mut has_begun = false;
        for (index, event) in log.events.iter().enumerate() {
            let ends_purge = event.kind.ends_purge();
            let is_probe = matches!(event.kind, EventKind::NodeDecay { .. } | EventKind::NodeReturn { .. });
            for op in self.ops_of(log, index) {
                match op {
                    Op::PurgePart(_) if !ends_purge && !is_probe => {
                        sum.purge_steps += 1;
                        sum.purges_begun += u64::from(!std::mem::replace(&mut has_begun, true));
                    }
                    Op::Alloc { born, .. } if born as usize != index => sum.exchanged += 1,
                    Op::Alloc { request, .. } => {
                        sum.other_node += u64::from(request.cpu % n_nodes != event.assumed_cpu() % n_nodes);
                    }
                    _ => {}
                }
            }
            has_begun &= !ends_purge;
        }
        let missed = |found: &&Divergence| found.verdict == Verdict::Inferred(Timing::PoolMissed);
        sum.pool_missed = self.divergences.iter().filter(missed).count() as u64;
        sum
    }
}
