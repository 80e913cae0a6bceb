//! [`Breaks`]: the conditions a person wants to be stopped at, and the run that looks for them.

use parsers::condition::{self, Condition, ConditionError};

use super::lanes::Lanes;
use crate::insight::breaks::MAX_WATCHED;
use crate::insight::{Compiled, Edge, LaneRuns, LaneTurn, Run, Turn, Watch, Way};
use crate::replay::Replay;

/// Conditions that are kept to be typed again.
const MAX_HISTORY: usize = 64;

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Break {
    pub(crate) condition: Condition,
    pub(crate) enabled: bool,
}

/// What a run looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The conditions that were enabled when it set out, in the order of their bits.
    Breaks(Vec<Condition>),
    /// What lies at this address.
    Touching(u64),
}

/// A run, and what it looks for.
#[derive(Debug, Clone)]
pub(crate) struct Hunt {
    pub(crate) goal: Goal,
    run: Chase,
}

/// Where it looks.
#[derive(Debug, Clone)]
enum Chase {
    /// In the trace.
    Trace(Run),
    /// In every lane.
    Lanes(LaneRuns),
}

/// Why a run stopped.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reason {
    /// What became true.
    pub(crate) conditions: Vec<Condition>,
    /// In which lanes; none where it was in the trace.
    pub(crate) lanes: Vec<String>,
}

/// How far a run got.
#[derive(Debug)]
pub(crate) enum Turned {
    Going,
    /// So many records applied, and why.
    Found(usize, Reason),
    Ended,
}

/// Conditions, and what was typed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Breaks {
    pub(crate) list: Vec<Break>,
    /// The newest last.
    pub(crate) history: Vec<String>,
}

/// Why a condition was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    Wrong(ConditionError),
    TooMany,
}

impl Breaks {
    /// Adds a condition; one that is there already is enabled.
    pub(crate) fn add(&mut self, text: &str) -> Result<&Break, Refused> {
        let condition = condition::parse(text).map_err(Refused::Wrong)?;
        let text = text.trim();
        self.history.retain(|known| known != text);
        self.history.push(text.to_owned());
        if MAX_HISTORY < self.history.len() {
            self.history.remove(0);
        }
        let known = self.list.iter().position(|known| known.condition == condition);
        let at = match known {
            Some(at) => at,
            None if self.list.len() == MAX_WATCHED => return Err(Refused::TooMany),
            None => {
                self.list.push(Break { condition, enabled: true });
                self.list.len() - 1
            }
        };
        self.list[at].enabled = true;
        Ok(&self.list[at])
    }

    /// The conditions that are looked for.
    pub(crate) fn enabled(&self) -> Vec<Condition> {
        let enabled = self.list.iter().filter(|one| one.enabled);
        enabled.map(|one| one.condition.clone()).collect()
    }
}

impl Goal {
    /// The first, for a sentence, and how many more.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Touching(addr) => format!("the next use of 0x{addr:016x}"),
            Self::Breaks(list) => match &list[..] {
                [] => "nothing".to_owned(),
                [one] => one.to_string(),
                [first, rest @ ..] => format!("{first} or {} more", rest.len()),
            },
        }
    }

    /// A run for it: in the trace, or where breaks are looked for in so many lanes, in those.
    pub(crate) fn hunt(self, replay: &Replay, way: Way, from: usize, n_lanes: Option<usize>) -> Hunt {
        let watch = match &self {
            Self::Touching(addr) => Watch::Place(*addr),
            Self::Breaks(list) => {
                Watch::Conditions(list.iter().map(|condition| Compiled::new(condition, replay)).collect())
            }
        };
        let run = match (n_lanes, &self) {
            (Some(n_lanes), Self::Breaks(_)) => Chase::Lanes(LaneRuns::new(&watch, way, from, n_lanes)),
            _ => Chase::Trace(Run::new(watch, way, from)),
        };
        Hunt { goal: self, run }
    }
}

impl Hunt {
    /// The direction.
    pub(crate) fn way(&self) -> Way {
        match &self.run {
            Chase::Trace(run) => run.way(),
            Chase::Lanes(runs) => runs.way(),
        }
    }

    /// Is it about lanes?
    pub(crate) fn is_in_lanes(&self) -> bool {
        matches!(self.run, Chase::Lanes(_))
    }

    /// Records looked at, and how many there are to look at.
    pub(crate) fn progress(&self, replay: &Replay) -> (usize, usize) {
        match &self.run {
            Chase::Trace(run) => run.progress(replay),
            Chase::Lanes(runs) => runs.progress(replay),
        }
    }

    /// Records applied up to which everything has been looked at, going forwards.
    pub(crate) fn reached(&self) -> usize {
        match &self.run {
            Chase::Trace(run) => run.reached(),
            Chase::Lanes(runs) => runs.reached(),
        }
    }

    /// Goes on for about `budget` records, forwards to `limit` at most.
    pub(crate) fn turn_to(&mut self, replay: &Replay, lanes: &mut Lanes, budget: usize, limit: usize) -> Turned {
        let (edge, which) = match &mut self.run {
            Chase::Trace(run) => match run.turn_to(replay, budget, limit) {
                Turn::Found(edge) => (edge, 0),
                Turn::Going => return Turned::Going,
                Turn::Ended => return Turned::Ended,
            },
            Chase::Lanes(runs) => match lanes.turn(runs, replay, budget, limit) {
                LaneTurn::Found(edge, which) => (edge, which),
                LaneTurn::Going => return Turned::Going,
                LaneTurn::Ended => return Turned::Ended,
            },
        };
        let specs = lanes.specs().iter().enumerate();
        let lanes = specs.filter(|(bit, _)| which >> bit & 1 == 1).map(|(at, spec)| format!("{} {spec}", at + 1));
        Turned::Found(edge.at, Reason { conditions: self.goal.conditions_of(edge), lanes: lanes.collect() })
    }
}

impl Goal {
    /// The conditions an edge is of.
    fn conditions_of(&self, edge: Edge) -> Vec<Condition> {
        let Self::Breaks(list) = self else { return Vec::new() };
        let is_true = |bit: usize| edge.which >> bit & 1 == 1;
        list.iter().enumerate().filter(|&(bit, _)| is_true(bit)).map(|(_, one)| one.clone()).collect()
    }
}
