//! [`Lane`]: one policy going through the demands of a trace, with a cursor of its own.
//!
//! A lane runs once from its first record to its last, in slices ([`Lane::run`]); that decides where every area lies, fills
//! its metrics and lays checkpoints. Behind the front any state is made again from the nearest checkpoint
//! ([`Lane::seek`]). There is no undo.

use std::sync::Arc;

use super::course::{Blind, Course, Eye, Follows, NOWHERE, On, Places, Worker};
use super::demands::{Demands, Id, NO_RECORD};
use super::end::{End, highest_at_start};
use super::locks::Locks;
use super::score::{Score, Scorer};
use super::shown::{Placed, Shown, Told};
use super::spec::{LaneSpec, RECORDED, SpecError};
use super::start::{Start, start};
use crate::event::Seq;
use crate::log::Log;
use crate::model::{AddressSpace, Answer, Op, Request, Steps};
use crate::policy::rules::Failure;
use crate::replay::timeline::Pyramid;
use crate::replay::timeline::values_of;
use crate::replay::{Checkpoints, Machine, Replay, Seek};

/// What does the demands of any record, once the first time in order and then on any state again.
#[derive(Debug)]
struct Player {
    log: Arc<Log>,
    demands: Arc<Demands>,
    follows: Follows,
    requests: Vec<Request>,
    retries: bool,
    places: Places,
    worker: Worker,
}

impl Player {
    fn apply<E: Eye>(&mut self, record: usize, space: &mut AddressSpace, eye: &mut E) {
        let course = Course {
            log: &self.log,
            demands: &self.demands,
            requests: &self.requests,
            follows: self.follows,
            retries: self.retries,
        };
        let mut on = On { space, places: &mut self.places, worker: &mut self.worker, eye };
        course.record(record, &mut on);
    }
}

/// A policy going through the demands of a trace.
#[derive(Debug)]
pub struct Lane {
    spec: LaneSpec,
    machine: Machine,
    player: Player,
    checkpoints: Checkpoints,
    /// On the way to the end: the state after so many records. Gone once it is there.
    front: Option<AddressSpace>,
    ran: usize,
    score: Score,
    series: Pyramid,
    end: Option<End>,
    scratch: Steps,
    before: AddressSpace,
    space: AddressSpace,
    shown: Shown,
    cursor: usize,
    /// A seek under way: the state after `.1` records.
    going: Option<(AddressSpace, usize)>,
}

/// Records that are gone through from the cursor instead of from a checkpoint.
const STEPS_AHEAD: usize = 512;

impl Lane {
    /// A lane before its first record. Its checkpoints may hold `checkpoint_bytes`.
    ///
    /// # Errors
    /// There is no such policy, or a change makes no sense for the machine of the trace.
    pub fn new(
        replay: &Replay,
        demands: &Arc<Demands>,
        spec: LaneSpec,
        checkpoint_bytes: u64,
    ) -> Result<Self, SpecError> {
        let machine = spec.machine(replay)?;
        let own = replay.plan().machine;
        let is_own = spec.changes.is_empty() && machine.policy.rules == own.policy.rules;
        let follows = match is_own {
            _ if spec.policy == RECORDED => Follows::Records,
            true => Follows::Timings,
            false => Follows::Itself,
        };
        let Start { space, places, requests } = start(replay, demands, &machine, &spec.changes, follows);
        let mut score = Score::default();
        score.locks = Locks::of(replay.log(), &machine.policy.rules, space.allocator());
        score.highest = highest_at_start(&space, &machine);
        let mut series = Pyramid::default();
        series.push(&values_of(&space));
        Ok(Self {
            spec,
            machine,
            player: Player {
                log: Arc::clone(replay.log()),
                demands: Arc::clone(demands),
                follows,
                requests,
                retries: machine.policy.rules.failure == Failure::Ebusy,
                places,
                worker: Worker::default(),
            },
            checkpoints: Checkpoints::new(space.clone(), checkpoint_bytes, demands.len()),
            front: Some(space.clone()),
            ran: 0,
            score,
            series,
            end: None,
            scratch: Steps::new(),
            before: space.clone(),
            space,
            shown: Shown::default(),
            cursor: 0,
            going: None,
        })
    }

    /// Runs on towards the end, `budget` records at most.
    pub fn run(&mut self, budget: usize) -> Seek {
        self.run_with(budget, &mut |_, _| {})
    }

    /// The same; `each` is told of every record that is through, with the lane's state and score after it.
    pub fn run_with(&mut self, budget: usize, each: &mut dyn FnMut(usize, (&AddressSpace, &Score))) -> Seek {
        let Some(mut space) = self.front.take() else { return Seek::Done };
        let n = self.player.demands.len();
        let end = n.min(self.ran.saturating_add(budget));
        while self.ran < end {
            let record = self.ran;
            if let Some(locks) = &mut self.score.locks {
                let event = self.player.log.events.nth(record);
                locks.begin(event.at.0, event.cpu);
            }
            let mut eye = Scorer {
                score: &mut self.score,
                scratch: &mut self.scratch,
                window: self.machine.window,
                record: record as u32,
            };
            self.player.apply(record, &mut space, &mut eye);
            eye.end_record(&space);
            self.series.push(&values_of(&space));
            self.ran += 1;
            self.checkpoints.offer(self.ran, &mut space);
            each(self.ran, (&space, &self.score));
        }
        if self.ran < n {
            self.front = Some(space);
            return Seek::Going { at: self.ran };
        }
        self.series.finish();
        self.end = Some(End::of(&space, &self.score, &self.machine, self.served_more()));
        Seek::Done
    }

    /// Runs to the end as fast as it can, without a look at anything: for timing. Answers the demands met.
    pub fn run_blind(&mut self) -> usize {
        let mut space = self.checkpoints.start().clone();
        let n = self.player.demands.len();
        for record in 0..n {
            self.player.apply(record, &mut space, &mut Blind);
        }
        self.player.demands.list.len()
    }

    /// Records run through: a cursor can go as far.
    pub fn ran(&self) -> usize {
        self.ran
    }

    /// Is it through?
    pub fn is_through(&self) -> bool {
        self.front.is_none()
    }

    /// Moves to `target` records applied, at most as far as it has run, applying at most `budget` records. The cursor only
    /// changes when the target is reached; a new target forgets the old one.
    pub fn seek(&mut self, target: usize, budget: usize) -> Seek {
        let target = target.min(self.ran);
        if target == self.cursor {
            return Seek::Done;
        }
        if target == 0 {
            self.space.clone_from(self.checkpoints.start());
            self.before.clone_from(self.checkpoints.start());
            (self.shown, self.cursor) = (Shown::default(), 0);
            return Seek::Done;
        }
        let stop = target - 1;
        let ahead = stop.checked_sub(self.cursor);
        if ahead.is_some_and(|ahead| ahead <= STEPS_AHEAD.min(budget)) {
            for record in self.cursor.saturating_sub(1)..stop {
                self.player.apply(record, &mut self.before, &mut Blind);
                if self.cursor <= record {
                    self.player.apply(record, &mut self.space, &mut Blind);
                }
            }
            self.arrive(stop);
            return Seek::Done;
        }
        let player = &mut self.player;
        let apply = |at, state: &mut AddressSpace| player.apply(at, state, &mut Blind);
        let state = match self.checkpoints.go(&mut self.going, (stop, budget), apply) {
            Ok(state) => state,
            Err(at) => return Seek::Going { at },
        };
        let old = std::mem::replace(&mut self.before, state);
        self.going = Some((old, usize::MAX));
        self.space.copy_from(&mut self.before);
        self.arrive(stop);
        Seek::Done
    }

    /// A copy of the nearest state after at most `at` records that is kept, and after how many it is.
    pub fn kept(&self, at: usize) -> (AddressSpace, usize) {
        let mut state = self.checkpoints.start().clone();
        let begins = self.checkpoints.restore_even(at, &mut state);
        (state, begins)
    }

    /// Applies a record it has been through once more, to the state before it; answers what its request came to. `look` is
    /// told of each operation. The cursor stays.
    pub fn apply_again(&mut self, record: usize, space: &mut AddressSpace, look: impl FnMut(&Op, &Answer)) -> Placed {
        let mut eye = Told { look, placed: Placed::Unasked };
        self.player.apply(record, space, &mut eye);
        eye.placed
    }

    /// The cursor is behind record `stop`; both states are the one before it.
    fn arrive(&mut self, stop: usize) {
        let mut shown = Shown::default();
        self.player.apply(stop, &mut self.space, &mut shown);
        (self.shown, self.cursor) = (shown, stop + 1);
    }

    /// What it is.
    pub fn spec(&self) -> &LaneSpec {
        &self.spec
    }

    /// Its machine: the policy with its release, the window, CPUs and pages.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Whose places and whose timings it follows.
    pub fn follows(&self) -> Follows {
        self.player.follows
    }

    /// Records applied at the cursor.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// The state at the cursor.
    pub fn space(&self) -> &AddressSpace {
        &self.space
    }

    /// The state before the current record.
    pub fn before(&self) -> &AddressSpace {
        &self.before
    }

    /// What the current record came to.
    pub fn shown(&self) -> &Shown {
        &self.shown
    }

    /// What it has come to as far as it has run.
    pub fn score(&self) -> &Score {
        &self.score
    }

    /// The last state in numbers, once it is through.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// The metrics of every state, once it is through.
    pub fn series(&self) -> &Pyramid {
        &self.series
    }

    /// What is demanded of it.
    pub fn demands(&self) -> &Arc<Demands> {
        &self.player.demands
    }

    /// Where an area lies or lay in this lane; `None` if it never had a place.
    pub fn place_of(&self, id: Id) -> Option<u64> {
        self.player.places.starts.get(id as usize).copied().filter(|&start| start != NOWHERE)
    }

    /// The first request whose place is not the one in the trace, by its record.
    pub fn first_divergence(&self) -> Option<Seq> {
        self.first_parting_by(|id| self.player.demands.recorded(&self.player.log, id))
    }

    /// The first request whose place in another lane is another one, by its record.
    pub fn first_parting(&self, other: &Self) -> Option<Seq> {
        self.first_parting_by(|id| other.place_of(id))
    }

    /// Requests that have an area in this lane and none in the trace. Looks at every one.
    fn served_more(&self) -> u64 {
        let (demands, log) = (&self.player.demands, &self.player.log);
        let ids = 0..demands.n_ids() as Id;
        let has_record = |id: &Id| demands.subject(*id).is_some_and(|subject| subject.first != NO_RECORD);
        let more = |id: &Id| self.place_of(*id).is_some() && demands.recorded(log, *id).is_none();
        ids.filter(|id| has_record(id) && more(id)).count() as u64
    }

    fn first_parting_by(&self, other: impl Fn(Id) -> Option<u64>) -> Option<Seq> {
        let ids = 0..self.player.demands.n_ids() as Id;
        let asked = ids.filter_map(|id| Some((id, self.player.demands.subject(id)?.first)));
        let mut parted = asked.filter(|&(id, first)| first != NO_RECORD && other(id) != self.place_of(id));
        // Ids are given out in the order of the first attempts, and those in the order of what was applied.
        parted.next().map(|(_, first)| Seq(first))
    }

    /// Memory held, in bytes.
    pub fn heap_bytes(&self) -> u64 {
        let states =
            [Some(&self.before), Some(&self.space), self.front.as_ref(), self.going.as_ref().map(|going| &going.0)];
        self.checkpoints.heap_bytes()
            + self.player.places.heap_bytes()
            + self.series.heap_bytes()
            + states.into_iter().flatten().map(AddressSpace::heap_bytes).sum::<u64>()
    }
}
