//! Could a request have used a hole, and why not?

use super::super::misfit::{Misfit, misfit};
use super::super::text;
use super::super::{Role, Scene, focus};
use crate::log::Window;
use crate::model::search::align_up;
use crate::model::{Extent, Fit, PoolAnswer, Step, fit_of};

/// The request of the current event and what it was given.
pub(super) struct Judge {
    pub(super) size: u64,
    pub(super) align: u64,
    pub(super) window: Window,
    /// The hole that was cut, and how.
    chosen: Option<(Extent, Extent, Fit)>,
    /// A pool answered: no hole was asked for.
    pub(super) pooled: bool,
    /// The rule may prefer a higher hole: it is no era's.
    by_rule: bool,
}

/// What is to be said of one hole.
pub(super) struct Judgement {
    pub(super) words: String,
    pub(super) role: Role,
    pub(super) chosen: bool,
}

impl Judge {
    /// `None` if the current event asks for nothing.
    pub(super) fn of(scene: &Scene<'_>) -> Option<Self> {
        let (size, align, window) = focus::event_request(scene)?;
        let steps = &scene.replay.outcome().steps;
        // The last one: a record can stand for an unseen chunk as well, which comes before it.
        let chosen = steps.iter().rev().find_map(|step| match *step {
            Step::Clipped { hole, placed, fit } => Some((hole, placed, fit)),
            Step::GapFound { hole, candidate } => {
                let placed = Extent::sized(candidate, size)?;
                Some((hole, placed, fit_of(hole, placed)?))
            }
            _ => None,
        });
        let pooled = steps.iter().any(|step| matches!(step, Step::PoolAsked { answer: PoolAnswer::Hit(_), .. }));
        let by_rule = scene.replay.plan().machine.policy.layers().is_some();
        Some(Self { size, align, window, chosen, pooled, by_rule })
    }

    /// Start of the hole that was cut.
    pub(super) fn chosen_start(&self) -> Option<u64> {
        self.chosen.map(|(hole, ..)| hole.start())
    }

    /// Could the request have used a hole, the chosen one included?
    pub(super) fn could_use(&self, hole: Extent) -> bool {
        let is_chosen = self.chosen.is_some_and(|(chosen, ..)| chosen.start() == hole.start());
        let request = (self.size, self.align, self.window);
        is_chosen || (hole.start() < self.window.vend && misfit(hole, request).is_none())
    }

    /// Judges one hole of the state before the event.
    pub(super) fn judge(&self, hole: Extent) -> Judgement {
        if let Some((_, placed, fit)) = self.chosen.filter(|(chosen, ..)| chosen.start() == hole.start()) {
            let rest = hole.len_bytes() - placed.len_bytes().min(hole.len_bytes());
            let words = match fit {
                Fit::Full => format!("chosen: {}, used up", fit.title()),
                _ => format!("chosen: {}, {} stay", fit.title(), text::bytes(rest)),
            };
            return Judgement { words, role: Role::Good, chosen: true };
        }
        let no = |words: String| Judgement { words, role: Role::Muted, chosen: false };
        if self.window.vend <= hole.start() {
            return no(Misfit::Above.words());
        }
        match misfit(hole, (self.size, self.align, self.window)) {
            Some(Misfit::Behind(bytes)) => return no(format!("fits, but {}", Misfit::Behind(bytes).words())),
            Some(misfit) => return no(misfit.words()),
            None => {}
        }
        let start = align_up(hole.start().max(self.window.vstart), self.align);
        let (words, role) = match self.chosen {
            _ if self.pooled => ("would fit, but a pool answered first", Role::Text),
            Some((_, placed, _)) if placed.start() < start && !self.by_rule => ("would fit, higher up", Role::Text),
            _ if self.by_rule => ("would fit, another one was taken", Role::Text),
            _ => ("would fit, but the search passed it by", Role::Warn),
        };
        Judgement { words: words.to_owned(), role, chosen: false }
    }
}
