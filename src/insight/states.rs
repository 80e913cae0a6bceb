//! [`States`]: what a run goes over: the trace as it was, or what another policy makes of it.

use super::condition::Outcome;
use crate::compare::Lane;
use crate::model::{AddressSpace, Answer, Op};
use crate::replay::Replay;

/// States that can be gone through again, record by record.
pub trait States {
    /// The trace.
    fn replay(&self) -> &Replay;

    /// Records it can go up to.
    fn n_records(&self) -> usize;

    /// Does each request come to what its record says?
    fn is_as_recorded(&self) -> bool;

    /// A copy of the nearest state after at most `at` records that is kept, and after how many it is.
    fn kept(&self, at: usize, with_memory: bool) -> (AddressSpace, usize);

    /// Applies a record to the state before it; `look` is told of each operation. Answers what its request came to.
    fn apply(&mut self, record: usize, space: &mut AddressSpace, look: impl FnMut(&Op, &Answer)) -> Outcome;
}

impl States for &Replay {
    fn replay(&self) -> &Replay {
        self
    }

    fn n_records(&self) -> usize {
        self.len()
    }

    fn is_as_recorded(&self) -> bool {
        true
    }

    fn kept(&self, at: usize, with_memory: bool) -> (AddressSpace, usize) {
        Replay::kept(self, at, with_memory)
    }

    fn apply(&mut self, record: usize, space: &mut AddressSpace, mut look: impl FnMut(&Op, &Answer)) -> Outcome {
        for op in self.plan().ops_of(self.log(), record) {
            let answer = space.apply(&op, None);
            look(&op, &answer);
        }
        Outcome::AsRecorded
    }
}

/// A lane, as far as it has run.
#[derive(Debug)]
pub struct OnLane<'a> {
    /// The trace.
    pub replay: &'a Replay,
    /// The lane.
    pub lane: &'a mut Lane,
}

impl States for OnLane<'_> {
    fn replay(&self) -> &Replay {
        self.replay
    }

    fn n_records(&self) -> usize {
        self.lane.ran()
    }

    fn is_as_recorded(&self) -> bool {
        false
    }

    fn kept(&self, at: usize, _with_memory: bool) -> (AddressSpace, usize) {
        self.lane.kept(at)
    }

    fn apply(&mut self, record: usize, space: &mut AddressSpace, look: impl FnMut(&Op, &Answer)) -> Outcome {
        Outcome::InLane(self.lane.apply_again(record, space, look))
    }
}
