//! [`Breaks`]: the conditions a person wants to be stopped at, and the run that looks for them.

use parsers::condition::{self, Condition, ConditionError};

use crate::insight::breaks::MAX_WATCHED;
use crate::insight::{Compiled, Run, Watch, Way};
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
    pub(crate) run: Run,
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

    /// A run for it.
    pub(crate) fn hunt(self, replay: &Replay, way: Way, from: usize) -> Hunt {
        let watch = match &self {
            Self::Touching(addr) => Watch::Place(*addr),
            Self::Breaks(list) => {
                Watch::Conditions(list.iter().map(|condition| Compiled::new(condition, replay)).collect())
            }
        };
        Hunt { goal: self, run: Run::new(watch, way, from) }
    }
}
