//! Which state of the tables is shown, and what was or is about to be written: inside a step they follow its stages.

use super::super::Scene;
use crate::model::{Memory, Stage, Step};

/// Where the shown stage stands to what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tense {
    /// The event as a whole.
    Event,
    /// A stage ahead of it.
    Ahead,
    /// The stage itself.
    Now,
    /// A stage behind it.
    Behind,
}

impl Tense {
    /// The word in front of what is told.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Event => "This event",
            Self::Ahead => "About to come",
            Self::Now => "Just now",
            Self::Behind => "In this step so far",
        }
    }
}

/// A moment inside an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment<'a> {
    /// What is behind the areas at that moment.
    pub(super) memory: &'a Memory,
    /// Where it stands to the stages of `walks`.
    pub(super) tense: Tense,
    /// The stages that change entries and are told: all of them, or the one the shown stage leads to or comes from.
    walks: (usize, usize),
}

/// Does a stage change entries?
fn walks(step: &Step) -> bool {
    matches!(step, Step::Stage(Stage::Mapped(_) | Stage::MapFailed { .. } | Stage::Unmapped(_)))
}

impl<'a> Moment<'a> {
    /// The moment that is shown; `None` if what is behind the areas is not followed.
    pub(super) fn of(scene: &Scene<'a>) -> Option<Self> {
        let after = scene.replay.space().memory()?;
        let steps = &scene.replay.outcome().steps;
        let n = steps.len();
        let Some(shown) = scene.sub_step.filter(|&shown| shown < n) else {
            return Some(Self { memory: after, tense: Tense::Event, walks: (0, n) });
        };
        let last = steps[..=shown].iter().rposition(walks);
        let next = steps[shown..].iter().position(walks).map(|ahead| shown + ahead);
        let (tense, at) = match (last, next) {
            (Some(last), _) if last == shown => (Tense::Now, last),
            (Some(last), _) => (Tense::Behind, last),
            (None, Some(next)) => (Tense::Ahead, next),
            (None, None) => return Some(Self { memory: after, tense: Tense::Event, walks: (0, n) }),
        };
        let before = scene.replay.before().memory().filter(|_| tense == Tense::Ahead);
        Some(Self { memory: before.unwrap_or(after), tense, walks: (at, at + 1) })
    }

    /// The stages that are told.
    pub(super) fn stages(&self, scene: &Scene<'a>) -> impl Iterator<Item = &'a Stage> {
        let steps = &scene.replay.outcome().steps[self.walks.0..self.walks.1];
        steps.iter().filter(|step| walks(step)).filter_map(|step| match step {
            Step::Stage(stage) => Some(stage),
            _ => None,
        })
    }
}
