//! Policies side by side: what one trace asks for, asked of several allocators.
//!
//! [`Demands`] are what a trace asks for, in order: requests, frees by the identity of their area and never by its address,
//! purges. A [`Lane`] is a policy on a machine that answers them with an allocator of its own. A request that a lane cannot
//! serve is a failure, and what follows of it is skipped and counted. The same demands and the same lane give the same
//! answers on any machine.
//!
//! What a demand does to a lane, and when a lane purges, is in [`course`]. What the metrics mean is in [`metrics`].

pub mod changes;
pub mod check;
pub mod course;
pub mod demands;
pub mod end;
pub mod gather;
pub mod histogram;
pub mod lane;
pub mod locks;
pub mod metrics;
pub mod reuse;
pub mod score;
pub mod shown;
pub mod spec;
mod start;

use std::cell::OnceCell;
use std::sync::Arc;

pub use changes::{CHANGES, ChangeRow, Changes, Guard, Range};
pub use check::{Threshold, ThresholdError, Violation};
pub use course::Follows;
pub use demands::{Demand, Demands, Id, NO_RECORD, Subject};
pub use end::End;
pub use gather::Gather;
pub use lane::Lane;
pub use metrics::{Counts, METRICS, MetricRow, Value};
pub use score::Score;
pub use shown::{Done, Placed, Shown};
pub use spec::{LaneSpec, RECORDED, SpecError};

use crate::event::Seq;
use crate::replay::{Replay, Seek};

/// Lanes on one cursor.
///
/// First [`Comparison::run`] until it is done, in slices; the cursor can follow as far as the slowest lane has run.
#[derive(Debug)]
pub struct Comparison {
    lanes: Vec<Lane>,
    cursor: usize,
    /// Where two lanes parted first, once that has been looked for.
    parting: OnceCell<Option<Seq>>,
}

/// The demands of a replay, all at once.
pub fn demands_of(replay: &Replay) -> Arc<Demands> {
    let mut gather = Gather::new(replay);
    gather.go_on(replay, usize::MAX);
    Arc::new(gather.finish())
}

impl Comparison {
    /// Lanes before their first record. The checkpoints of all together may hold `checkpoint_bytes`.
    ///
    /// # Errors
    /// There is no such policy, or a change makes no sense for the machine of the trace.
    pub fn new(
        replay: &Replay,
        demands: &Arc<Demands>,
        specs: &[LaneSpec],
        checkpoint_bytes: u64,
    ) -> Result<Self, SpecError> {
        let each = checkpoint_bytes / specs.len().max(1) as u64;
        let lanes = specs.iter().map(|spec| Lane::new(replay, demands, spec.clone(), each));
        Ok(Self { lanes: lanes.collect::<Result<_, _>>()?, cursor: 0, parting: OnceCell::new() })
    }

    /// The lanes.
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// The lanes, to go through their records again: what decides them does not change.
    pub fn lanes_mut(&mut self) -> &mut [Lane] {
        &mut self.lanes
    }

    /// One more lane, or another one in a place.
    pub fn set_lane(&mut self, place: usize, lane: Lane) {
        self.parting.take();
        match self.lanes.get_mut(place) {
            Some(old) => *old = lane,
            None => self.lanes.push(lane),
        }
    }

    /// Takes a lane out.
    pub fn remove_lane(&mut self, place: usize) {
        self.parting.take();
        if place < self.lanes.len() {
            self.lanes.remove(place);
        }
    }

    /// Runs the lane that is behind, `budget` records at most. `Going` says how many records all have been through.
    pub fn run(&mut self, budget: usize) -> Seek {
        let behind = self.lanes.iter_mut().filter(|lane| !lane.is_through()).min_by_key(|lane| lane.ran());
        if let Some(lane) = behind {
            lane.run(budget);
        }
        let through = self.lanes.iter().all(Lane::is_through);
        if through { Seek::Done } else { Seek::Going { at: self.ran() } }
    }

    /// Records that every lane has been through.
    pub fn ran(&self) -> usize {
        self.lanes.iter().map(Lane::ran).min().unwrap_or(0)
    }

    /// Records applied at the cursor.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Moves every lane to `target` records applied, each applying at most `budget` records. The cursor changes when all are
    /// there.
    pub fn seek(&mut self, target: usize, budget: usize) -> Seek {
        let target = target.min(self.ran());
        let mut least = target;
        let mut is_there = true;
        for lane in &mut self.lanes {
            if let Seek::Going { at } = lane.seek(target, budget) {
                is_there = false;
                least = least.min(at);
            }
        }
        if !is_there {
            return Seek::Going { at: least };
        }
        self.cursor = target;
        Seek::Done
    }

    /// The first record at which two of the lanes parted; `None` before all are through. Looked for once.
    pub fn first_parting(&self) -> Option<Seq> {
        let (first, others) = self.lanes.split_first()?;
        if !self.lanes.iter().all(Lane::is_through) {
            return None;
        }
        *self.parting.get_or_init(|| others.iter().filter_map(|other| first.first_parting(other)).min())
    }
}
