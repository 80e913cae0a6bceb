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

impl Shown {
    /// The answer to the request of the record, if it is one: where the area lies now, or `None` if there is none.
    pub fn placed(&self) -> Option<Option<Extent>> {
        let mut asked = false;
        for done in &self.done {
            match done {
                Done::Op { answer: Answer::Placed(extent) | Answer::Adopted { extent, .. }, .. } => {
                    return Some(Some(*extent));
                }
                Done::Op { answer: Answer::Refused(_) | Answer::Rejected(_), .. } | Done::RefusedByRecord => {
                    asked = true;
                }
                _ => {}
            }
        }
        asked.then_some(None)
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
