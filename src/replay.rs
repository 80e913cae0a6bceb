//! [`Replay`]: a log and a policy make the state at any event.
//!
//! [`Plan`] is made once: it resolves the records into an ordered stream of operations, each with the record it belongs
//! to, and judges every allocation. Stepping then only applies operations. A step back is a seek: nearest checkpoint,
//! then forward; there is no undo code.

mod behind;
pub mod checkpoints;
pub mod machine;
pub mod percpu;
pub mod plan;
pub mod resolve;
pub mod script;
pub mod timeline;
pub mod truth;
pub mod usages;
pub mod verdict;

use std::sync::{Arc, OnceLock};

pub use checkpoints::Checkpoints;
pub use machine::{Follow, Machine, OpenError, PolicyFrom, Settings};
pub use plan::{NO_MATE, Plan};
pub use timeline::{METRICS, Metric, Timeline};
pub use verdict::{Cause, Divergence, Tally, Timing, Verdict};

use crate::event::{Event, Seq};
use crate::log::Log;
use crate::model::{AddressSpace, Outcome, Usages};

/// How far a [`Replay::seek`] got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seek {
    /// The cursor is at the target.
    Done,
    /// The budget is used up; call again. The cursor is where it says.
    Going {
        /// Records applied so far.
        at: usize,
    },
}

/// A log being replayed under one policy, with a cursor.
#[derive(Debug, Clone)]
pub struct Replay {
    log: Arc<Log>,
    plan: Arc<Plan>,
    usages: OnceLock<Arc<Usages>>,
    checkpoints: Checkpoints,
    /// State before the current record (equal to `space` at cursor 0).
    before: AddressSpace,
    /// State after the current record.
    space: AddressSpace,
    outcome: Outcome,
    cursor: usize,
    /// A seek under way: state after `.1` records, on its way to a target.
    going: Option<(AddressSpace, usize)>,
}

impl Replay {
    /// Resolves the log and puts the cursor before the first record.
    ///
    /// # Errors
    /// The log cannot be replayed: it has neither events nor a usable snapshot, or the policy is not known.
    pub fn open(log: Arc<Log>, settings: &Settings) -> Result<Self, OpenError> {
        let mut usages = OnceLock::new();
        let (log, plan, checkpoints) = match log.script.clone() {
            Some(script) => script::open(Arc::unwrap_or_clone(log), &script, settings)?,
            None => {
                let (mut plan, checkpoints) = Plan::make(&log, settings)?;
                let checkpoints = match settings.memory {
                    Follow::Nothing => checkpoints,
                    Follow::Memory => {
                        let known = Arc::new(usages::usages_of(&log, &plan));
                        usages = OnceLock::from(Arc::clone(&known));
                        let start = checkpoints.start().clone();
                        // Two sets of checkpoints are one too many.
                        drop(checkpoints);
                        behind::follow(&mut plan, start, known)
                    }
                };
                (log, plan, checkpoints)
            }
        };
        let space = checkpoints.start().clone();
        Ok(Self {
            log,
            plan: Arc::new(plan),
            usages,
            checkpoints,
            before: space.clone(),
            space,
            outcome: Outcome::default(),
            cursor: 0,
            going: None,
        })
    }

    /// The log.
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// The resolved operations and verdicts.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What the areas are used for. Worked out when it is first asked for.
    pub fn usages(&self) -> &Arc<Usages> {
        self.usages.get_or_init(|| Arc::new(usages::usages_of(&self.log, &self.plan)))
    }

    /// The initial state.
    pub fn start(&self) -> &AddressSpace {
        self.checkpoints.start()
    }

    /// Records applied: 0 is the initial state, `len()` the end.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Records in the log.
    pub fn len(&self) -> usize {
        self.log.events.len()
    }

    /// A log without records: a snapshot.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The record the screen shows: the last one applied.
    pub fn current(&self) -> Option<(Seq, &Event)> {
        let index = self.cursor.checked_sub(1)?;
        Some((Seq(index as u32), &self.log.events[index]))
    }

    /// State after the current record.
    pub fn space(&self) -> &AddressSpace {
        &self.space
    }

    /// State before the current record.
    pub fn before(&self) -> &AddressSpace {
        &self.before
    }

    /// What the current record did, step by step.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// What the model said of a record.
    pub fn verdict(&self, seq: Seq) -> Verdict {
        self.plan.verdict(seq)
    }

    /// One record forward; `false` at the end.
    pub fn step(&mut self) -> bool {
        if self.cursor >= self.len() {
            return false;
        }
        self.going = None;
        self.before.clone_from(&self.space);
        self.apply_current(self.cursor);
        true
    }

    /// One record back; `false` at the start.
    pub fn step_back(&mut self) -> bool {
        let Some(target) = self.cursor.checked_sub(1) else { return false };
        self.seek(target, usize::MAX) == Seek::Done
    }

    /// Moves towards `target` records applied, applying at most `budget` records. The cursor only changes when the
    /// target is reached; a new target forgets the old one.
    pub fn seek(&mut self, target: usize, budget: usize) -> Seek {
        let target = target.min(self.len());
        if target == self.cursor {
            self.going = None;
            return Seek::Done;
        }
        if target == 0 {
            self.space.clone_from(self.checkpoints.start());
            self.before.clone_from(self.checkpoints.start());
            self.outcome = Outcome::default();
            self.cursor = 0;
            self.going = None;
            return Seek::Done;
        }
        // The state before the target's own record is wanted, so that its steps can be recorded.
        let stop = target - 1;
        let (mut state, mut at) = self.start_for(stop);
        let end = stop.min(at.saturating_add(budget));
        while at < end {
            for op in self.plan.ops_of(at) {
                state.apply(op, None);
            }
            at += 1;
            self.checkpoints.offer_near(at, stop, &state);
        }
        if at < stop {
            self.going = Some((state, at));
            return Seek::Going { at };
        }
        self.going = None;
        self.space.clone_from(&state);
        self.before = state;
        self.apply_current(stop);
        Seek::Done
    }

    /// The op of a script behind a record; `None` in a trace.
    pub fn asked(&self, seq: Seq) -> Option<&parsers::ops::Op> {
        Some(&self.log.script.as_ref()?.ops.get(seq.index())?.op)
    }

    /// The model's whole answer to the current op of a script, newline included; `None` in a trace.
    pub fn answer_in_full(&self) -> Option<String> {
        let seq = self.current()?.0;
        let op = self.asked(seq)?;
        if self.plan.said.binary_search(&seq.0).is_ok() {
            return self.plan.answer(seq).map(|answer| format!("{answer}\n"));
        }
        let rules = self.plan.machine.policy.rules;
        let (ops, answers) = (self.plan.ops_of(seq.index()), self.outcome.answers.as_slice());
        let mut text = String::new();
        let asking = script::answer::Asking { op, ops, answers, said: None, space: &self.space, rules };
        script::answer::write(&asking, &mut text);
        Some(text)
    }

    /// How many verdicts of each kind up to the cursor.
    pub fn tally(&self) -> Tally {
        self.plan.tally(self.cursor)
    }

    /// The best state to start from for `stop` records applied.
    fn start_for(&mut self, stop: usize) -> (AddressSpace, usize) {
        let going = self.going.take();
        let near = self.checkpoints.at_or_before(stop);
        match going {
            Some((state, at)) if at <= stop && at >= near.1 => return (state, at),
            _ => {}
        }
        if self.cursor <= stop && self.cursor >= near.1 {
            return (self.space.clone(), self.cursor);
        }
        (near.0.clone(), near.1)
    }

    fn apply_current(&mut self, index: usize) {
        let mut outcome = Outcome::default();
        for op in self.plan.ops_of(index) {
            let answer = self.space.apply(op, Some(&mut outcome.steps));
            outcome.answers.push(answer);
        }
        self.outcome = outcome;
        self.cursor = index + 1;
    }

    /// Memory held by states and checkpoints, in bytes.
    pub fn heap_bytes(&self) -> u64 {
        let usages = self.usages.get().map_or(0, |usages| usages.heap_bytes());
        let states = self.checkpoints.heap_bytes() + self.space.heap_bytes() + self.before.heap_bytes();
        states + self.plan.heap_bytes() + usages + self.log.stacks.heap_bytes()
    }
}
