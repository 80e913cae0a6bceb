//! [`Shown`]: what one record came to in a lane, for whoever looks at it.

use super::course::Eye;
use super::demands::{Demand, Id};
use super::score::search_steps;
use crate::model::{AddressSpace, Answer, Extent, Op, Steps};

/// What the current record came to in a lane.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// What was done, in order.
    pub done: Vec<Done>,
    /// The steps of all of it, in order.
    pub steps: Steps,
}

/// One thing a lane did, or did not do.
#[derive(Debug, Clone)]
pub enum Done {
    /// An operation.
    Op {
        /// Which.
        op: Op,
        /// What it came to.
        answer: Answer,
        /// Areas and holes that its search looked at.
        search_steps: u64,
        /// Steps of the operations up to here: where its own end in [`Shown::steps`].
        steps_end: usize,
    },
    /// A request came to nothing.
    Failed(Id),
    /// A demand said nothing to this lane, because of what became of an earlier one.
    Skipped(Demand),
    /// The record says that there was no space; nothing is applied.
    RefusedByRecord,
}

/// What came of the request of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// The record asks for nothing.
    Unasked,
    /// There was no space.
    Nowhere,
    /// Here.
    At(Extent),
}

impl Shown {
    /// What came of the request of the record.
    pub fn placed(&self) -> Placed {
        let placed = self.done.iter().map(|done| match done {
            Done::Op { answer, .. } => Placed::by(answer),
            Done::RefusedByRecord => Placed::Nowhere,
            Done::Failed(_) | Done::Skipped(_) => Placed::Unasked,
        });
        placed.fold(Placed::Unasked, Placed::or)
    }

    /// Areas and holes that the searches of the record looked at.
    pub fn search_steps(&self) -> u64 {
        let steps = self.done.iter().map(|done| match done {
            Done::Op { search_steps, .. } => *search_steps,
            _ => 0,
        });
        steps.sum()
    }
}

impl Placed {
    /// What one operation says of the request.
    fn by(answer: &Answer) -> Self {
        match answer {
            Answer::Placed(extent) | Answer::Adopted { extent, .. } => Self::At(*extent),
            Answer::Refused(_) | Answer::Rejected(_) => Self::Nowhere,
            _ => Self::Unasked,
        }
    }

    /// What is known with a further operation: the first place counts, and a refusal until there is one.
    fn or(self, later: Self) -> Self {
        match (self, later) {
            (Self::At(_), _) | (Self::Nowhere, Self::Unasked) => self,
            _ => later,
        }
    }
}

/// Tells of each operation, and keeps what came of the request.
pub(super) struct Told<F> {
    pub(super) look: F,
    pub(super) placed: Placed,
}

impl<F: FnMut(&Op, &Answer)> Eye for Told<F> {
    fn apply(&mut self, space: &mut AddressSpace, op: &Op) -> Answer {
        let answer = space.apply(op, None);
        (self.look)(op, &answer);
        self.placed = self.placed.or(Placed::by(&answer));
        answer
    }

    fn refused_by_record(&mut self) {
        self.placed = self.placed.or(Placed::Nowhere);
    }
}

impl Eye for Shown {
    fn apply(&mut self, space: &mut AddressSpace, op: &Op) -> Answer {
        let from = self.steps.len();
        let answer = space.apply(op, Some(&mut self.steps));
        let is_search = matches!(op, Op::Alloc { .. });
        self.done.push(Done::Op {
            op: *op,
            answer: answer.clone(),
            search_steps: if is_search { search_steps(&self.steps[from..]) } else { 0 },
            steps_end: self.steps.len(),
        });
        answer
    }

    fn failed(&mut self, id: Id) {
        self.done.push(Done::Failed(id));
    }

    fn refused_by_record(&mut self) {
        self.done.push(Done::RefusedByRecord);
    }

    fn skipped(&mut self, demand: Demand) {
        self.done.push(Done::Skipped(demand));
    }
}
