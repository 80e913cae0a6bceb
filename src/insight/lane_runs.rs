//! [`LaneRuns`]: the records at which something becomes true in any of several lanes.

use super::breaks::{Edge, Run, Turn, Watch, Way};
use super::states::OnLane;
use crate::compare::Comparison;
use crate::replay::Replay;

/// A run in each lane, brought together: the nearest edge of any of them is the next.
#[derive(Debug, Clone)]
pub struct LaneRuns {
    runs: Vec<Run>,
    /// Per lane: an edge that is found and not answered yet.
    found: Vec<Option<Edge>>,
    way: Way,
}

/// How far the runs got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneTurn {
    /// The budget is used up; call again.
    Going,
    /// Here, in these lanes (by bit). Calling again goes on to the next one.
    Found(Edge, u64),
    /// There is no other.
    Ended,
}

impl LaneRuns {
    /// Looks for edges after (or before) `from` records in so many lanes.
    pub fn new(watch: &Watch, way: Way, from: usize, n_lanes: usize) -> Self {
        let runs = (0..n_lanes).map(|_| Run::new(watch.clone(), way, from)).collect();
        Self { runs, found: vec![None; n_lanes], way }
    }

    /// The direction.
    pub fn way(&self) -> Way {
        self.way
    }

    /// Records the slowest run has looked at, and how many there are to look at.
    pub fn progress(&self, replay: &Replay) -> (usize, usize) {
        let slowest = self.runs.iter().map(|run| run.progress(replay)).min_by_key(|&(done, _)| done);
        slowest.unwrap_or((0, 0))
    }

    /// Records applied up to which every lane has been looked at, going forwards.
    pub fn reached(&self) -> usize {
        let reached = |(run, found): (&Run, &Option<Edge>)| found.map_or(run.reached(), |edge| edge.at);
        self.runs.iter().zip(&self.found).map(reached).min().unwrap_or(0)
    }

    /// Goes on for about `budget` records in each lane, forwards to `limit` at most and no further than all lanes have run.
    pub fn turn_to(&mut self, replay: &Replay, comparison: &mut Comparison, budget: usize, limit: usize) -> LaneTurn {
        let ran = comparison.ran();
        let end = limit.min(ran);
        let mut is_going = false;
        for (at, lane) in comparison.lanes_mut().iter_mut().enumerate().take(self.runs.len()) {
            if self.found[at].is_some() {
                continue;
            }
            // What lies behind the nearest edge so far is not wanted yet.
            let within = match (self.way, self.nearest()) {
                (Way::Forward, nearest) => 0..=nearest.map_or(end, |nearest| nearest.min(end)),
                (Way::Back, nearest) => nearest.unwrap_or(0)..=end,
            };
            match self.runs[at].turn_over(&mut OnLane { replay, lane }, budget, within) {
                Turn::Going => is_going = true,
                Turn::Found(edge) => self.found[at] = Some(edge),
                Turn::Ended => {}
            }
        }
        if is_going {
            return LaneTurn::Going;
        }
        let Some(nearest) = self.nearest() else {
            let waits = self.way == Way::Forward && ran < limit.min(replay.len());
            return if waits { LaneTurn::Going } else { LaneTurn::Ended };
        };
        let (mut which, mut lanes) = (0, 0);
        for (bit, found) in self.found.iter_mut().enumerate() {
            if let Some(edge) = found.take_if(|edge| edge.at == nearest) {
                which |= edge.which;
                lanes |= 1 << bit;
            }
        }
        LaneTurn::Found(Edge { at: nearest, which }, lanes)
    }

    fn nearest(&self) -> Option<usize> {
        let places = self.found.iter().flatten().map(|edge| edge.at);
        if self.way == Way::Forward { places.min() } else { places.max() }
    }
}
