//! [`Replay`]: a log and a policy make the state at any event.
//!
//! [`Plan`] is made once: it resolves the records into an ordered stream of operations, each with the record it belongs
//! to, and judges every allocation. Stepping then only applies operations. A step back is a seek: nearest checkpoint,
//! then forward; there is no undo code.

mod beam;
mod behind;
pub mod checkpoints;
pub mod decisions;
pub mod figure;
mod held;
pub mod machine;
mod overflow;
pub mod percpu;
pub mod plan;
pub mod probe;
pub mod resolve;
pub mod script;
pub mod timeline;
pub mod truth;
pub mod usages;
pub mod verdict;

use std::sync::{Arc, OnceLock};

pub use checkpoints::Checkpoints;
pub use machine::{Follow, Machine, OpenError, PolicyFrom, Settings};
pub use plan::{Assumed, Hypotheses, NO_MATE, OpsOf, Plan};
pub use probe::Probe;
pub use timeline::{METRICS, Metric, Timeline};
pub use verdict::{Cause, Divergence, Tally, Timing, Verdict};

use behind::{AT_ONCE, Behind};

use crate::event::{Event, EventKind, Seq};
use crate::log::{Log, Progress};
use crate::model::{AddressSpace, Op, Outcome, Usages};

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
    /// Of a trace: what is behind its areas, if that is followed. A script has it in its one state.
    behind: Option<Behind>,
    /// State before the current record (equal to `space` at cursor 0).
    before: AddressSpace,
    /// State after the current record.
    space: AddressSpace,
    outcome: Outcome,
    cursor: usize,
    /// The record before the cursor.
    shown: Option<Event>,
    /// A seek under way: state after `.1` records, on its way to a target; or the memory for one.
    going: Option<(AddressSpace, usize)>,
    /// The states at the cursor lack what is behind the areas: it follows.
    lags: bool,
    /// Checkpoints for what is behind the areas are laid.
    is_prepared: bool,
}

/// Records that are gone through from the cursor instead of from a checkpoint.
const STEPS_AHEAD: usize = 512;
/// Logs of up to this many records are gone through with what is behind the areas when they are opened.
const PREPARED_AT_ONCE: usize = 200_000;
/// Larger memory follows afterwards, however near: copies of it take longer than a key may.
const MEMORY_AT_ONCE: u64 = 1 << 20;
/// Part of the budget that the states with memory get.
const BEHIND_SHARE: u64 = 5;

impl Replay {
    /// Resolves the log and puts the cursor before the first record.
    ///
    /// # Errors
    /// The log cannot be replayed: it has neither events nor a usable snapshot, or the policy is not known.
    pub fn open(log: Arc<Log>, settings: &Settings) -> Result<Self, OpenError> {
        Self::open_watched(log, settings, &Progress::default())
    }

    /// The same for somebody who waits.
    ///
    /// # Errors
    /// As [`Replay::open`].
    pub fn open_watched(log: Arc<Log>, settings: &Settings, progress: &Progress) -> Result<Self, OpenError> {
        let at_once = settings.prepared.unwrap_or(PREPARED_AT_ONCE);
        let usages = OnceLock::new();
        let mut behind = None;
        let (log, plan, checkpoints) = match log.script.clone() {
            Some(script) => script::open(Arc::unwrap_or_clone(log), &script, settings)?,
            None => {
                let (mut plan, checkpoints) = Plan::make(&log, settings, progress)?;
                if settings.memory == Follow::Memory {
                    let known = usages.get_or_init(|| Arc::new(usages::usages_of(&log, &plan)));
                    let budget = settings.checkpoint_bytes() / BEHIND_SHARE;
                    let mut lane = Behind::new(&plan, checkpoints.start(), Arc::clone(known), budget);
                    if plan.len() <= at_once {
                        lane.prepare((&log, &mut plan), usize::MAX);
                    }
                    behind = Some(lane);
                }
                (log, plan, checkpoints)
            }
        };
        let is_prepared = plan.len() <= at_once;
        let space = behind.as_ref().map_or(&checkpoints, |lane| &lane.checkpoints).start().clone();
        Ok(Self {
            log,
            plan: Arc::new(plan),
            usages,
            checkpoints,
            behind,
            before: space.clone(),
            space,
            outcome: Outcome::default(),
            cursor: 0,
            shown: None,
            going: None,
            lags: false,
            is_prepared,
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
        self.behind.as_ref().map_or(&self.checkpoints, |behind| &behind.checkpoints).start()
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
        Some((Seq(index as u32), self.shown.as_ref()?))
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
        self.cursor < self.len() && self.seek(self.cursor + 1, usize::MAX) == Seek::Done
    }

    /// One record back; `false` at the start.
    pub fn step_back(&mut self) -> bool {
        let Some(target) = self.cursor.checked_sub(1) else { return false };
        self.seek(target, usize::MAX) == Seek::Done
    }

    /// Moves towards `target` records applied, applying at most `budget` records. The cursor only changes when the
    /// target is reached; a new target forgets the old one.
    pub fn seek(&mut self, target: usize, budget: usize) -> Seek {
        match self.seek_places(target, budget) {
            Seek::Done => self.settle(budget),
            going @ Seek::Going { .. } => going,
        }
    }

    /// The same, but where that takes long, the states there lack what is behind the areas: [`Replay::settle`] brings it.
    pub fn seek_places(&mut self, target: usize, budget: usize) -> Seek {
        let target = target.min(self.len());
        if target == self.cursor {
            self.stop();
            return Seek::Done;
        }
        if target == 0 {
            self.stop();
            let start = self.behind.as_ref().map_or(&self.checkpoints, |behind| &behind.checkpoints).start();
            self.space.clone_from(start);
            self.before.clone_from(start);
            (self.outcome, self.cursor, self.shown, self.lags) = (Outcome::default(), 0, None, false);
            return Seek::Done;
        }
        // The state before the target's own record is wanted, so that its steps can be recorded.
        let stop = target - 1;
        let ahead = stop.checked_sub(self.cursor);
        if ahead.is_some_and(|ahead| ahead <= STEPS_AHEAD.min(budget)) {
            self.stop();
            self.step_to(stop);
            return Seek::Done;
        }
        if let Some(behind) = &mut self.behind
            && self.space.memory().is_none_or(|memory| memory.heap_bytes() < MEMORY_AT_ONCE)
            && stop - behind.checkpoints.at_or_before(stop) <= AT_ONCE
            && let Ok(state) = behind.chase((&self.log, &self.plan), stop, AT_ONCE)
        {
            self.stop();
            self.arrive(state, stop);
            self.lags = false;
            return Seek::Done;
        }
        let Self { log, plan, going, .. } = self;
        let apply = |at, state: &mut AddressSpace| behind::apply(log, plan, at, state);
        match self.checkpoints.go(going, (stop, budget), apply) {
            Ok(state) => {
                self.arrive(state, stop);
                self.lags = self.behind.is_some();
                Seek::Done
            }
            Err(at) => Seek::Going { at },
        }
    }

    /// The state before a record, without what is behind the areas; the cursor stays where it is. Takes as long as the
    /// records from the latest checkpoint on.
    pub fn state_before(&mut self, index: usize) -> AddressSpace {
        let Self { log, plan, checkpoints, .. } = self;
        let stop = index.min(log.events.len());
        let apply = |at, state: &mut AddressSpace| behind::apply(log, plan, at, state);
        match checkpoints.go(&mut None, (stop, usize::MAX), apply) {
            Ok(state) => state.without_memory(),
            Err(_) => unreachable!("the budget has no end"),
        }
    }

    /// Is all there that is followed?
    pub fn is_settled(&self) -> bool {
        !self.lags
    }

    /// Brings what is behind the areas to the cursor, applying at most `budget` records.
    pub fn settle(&mut self, budget: usize) -> Seek {
        let (true, Some(behind), Some(stop)) = (self.lags, &mut self.behind, self.cursor.checked_sub(1)) else {
            return Seek::Done;
        };
        match behind.chase((&self.log, &self.plan), stop, budget) {
            Ok(state) => {
                self.arrive(state, stop);
                self.lags = false;
                Seek::Done
            }
            Err(at) => Seek::Going { at },
        }
    }

    /// Lays checkpoints for what is behind the areas, going through at most `budget` records: what is far settles sooner.
    pub fn prepare(&mut self, budget: usize) -> Seek {
        match (&mut self.behind, Arc::get_mut(&mut self.plan)) {
            (Some(behind), Some(plan)) if !self.is_prepared => {
                let went = behind.prepare((&self.log, plan), budget);
                self.is_prepared = went == Seek::Done;
                went
            }
            _ => Seek::Done,
        }
    }

    /// Forgets what the cursor was on its way to; the memory is kept.
    fn stop(&mut self) {
        if let Some((_, at)) = &mut self.going {
            *at = usize::MAX;
        }
    }

    /// The cursor is behind record `stop`, `state` the one before it.
    fn arrive(&mut self, state: AddressSpace, stop: usize) {
        let old = std::mem::replace(&mut self.before, state);
        match (&mut self.behind, &self.going) {
            (Some(behind), _) if old.memory().is_some() => behind.give_back(old),
            (_, None) => self.going = Some((old, usize::MAX)),
            _ => {}
        }
        self.space.copy_from(&mut self.before);
        self.apply_current(stop);
    }

    /// Goes forward to record `stop` with both states: that is less than a copy.
    fn step_to(&mut self, stop: usize) {
        for index in self.cursor.saturating_sub(1)..stop {
            behind::apply(&self.log, &self.plan, index, &mut self.before);
            if index >= self.cursor {
                behind::apply(&self.log, &self.plan, index, &mut self.space);
            }
        }
        self.apply_current(stop);
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
        let rules = &self.plan.machine.policy.rules;
        let ops: Vec<Op> = self.plan.ops_of(&self.log, seq.index()).collect();
        let answers = self.outcome.answers.as_slice();
        let mut text = String::new();
        let asking = script::answer::Asking { op, ops: &ops, answers, said: None, space: &self.space, rules };
        script::answer::write(&asking, &mut text);
        Some(text)
    }

    /// The record that placed the area a record is about: its own for an allocation, the mate of a free.
    pub fn area_of(&self, seq: Seq) -> Option<Seq> {
        match self.log.get(seq)?.kind {
            EventKind::Free { .. } | EventKind::FreeProbe { .. } => self.plan.mate(seq),
            EventKind::Alloc { .. } | EventKind::Unasked { .. } => Some(seq),
            _ => None,
        }
    }

    /// How many verdicts of each kind up to the cursor.
    pub fn tally(&self) -> Tally {
        self.plan.tally(self.cursor)
    }

    fn apply_current(&mut self, index: usize) {
        let mut outcome = Outcome::default();
        for op in self.plan.ops_of(&self.log, index) {
            let answer = self.space.apply(&op, Some(&mut outcome.steps));
            outcome.answers.push(answer);
        }
        self.outcome = outcome;
        self.cursor = index + 1;
        self.shown = self.log.events.get(index);
    }
}
