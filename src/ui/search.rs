//! [`Search`]: every record that matches, so that "3/41" costs nothing while moving between them.

use crate::replay::Replay;
use crate::view::events;

/// Records looked through, and matches taken, in one turn of the loop.
const BUDGET: usize = 1 << 16;
const MATCHES: usize = 512;

/// What is searched for, and where it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Search {
    text: String,
    /// Indices of the records that match, ascending; while stale those found so far.
    matches: Vec<usize>,
    stale: bool,
    fresh: bool,
}

impl Search {
    /// Looks for another text; the matches are found by [`Search::refresh`].
    pub(crate) fn set(&mut self, text: &str) {
        if self.text != text {
            text.clone_into(&mut self.text);
            self.matches.clear();
            self.stale = !text.is_empty();
            self.fresh = self.stale;
        }
    }

    /// Looks through another replay for the same text.
    pub(crate) fn again(&mut self) {
        self.matches.clear();
        self.stale = !self.text.is_empty();
    }

    /// What is searched for.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Are there matches still to be found?
    pub(crate) fn is_stale(&self) -> bool {
        self.stale
    }

    /// Is this the first question since the text changed?
    pub(crate) fn take_fresh(&mut self) -> bool {
        std::mem::take(&mut self.fresh)
    }

    /// Finds more matches, as many as there is time for between two frames.
    pub(crate) fn refresh(&mut self, replay: &Replay) {
        // Looking on from the last record wraps round to the first match.
        let start = events::len(replay).saturating_sub(1);
        let mut looked = 0;
        for _ in 0..MATCHES {
            if !self.stale || BUDGET < looked {
                return;
            }
            let last = self.matches.last().copied();
            match events::find(replay, &self.text, last.unwrap_or(start), true) {
                Some(found) if last.is_none_or(|last| last < found) => {
                    looked += found - last.unwrap_or(0);
                    self.matches.push(found);
                }
                _ => self.stale = false,
            }
        }
    }

    /// The match after (or before) record `from`, round the ends.
    pub(crate) fn near(&self, replay: &Replay, from: Option<usize>, forward: bool) -> Option<usize> {
        if self.stale {
            let end = if forward { events::len(replay).saturating_sub(1) } else { 0 };
            return events::find(replay, &self.text, from.unwrap_or(end), forward);
        }
        let found = if forward {
            let after = self.matches.partition_point(|&at| from.is_some_and(|from| at <= from));
            self.matches.get(after).or(self.matches.first())
        } else {
            let before = self.matches.partition_point(|&at| from.is_some_and(|from| at < from));
            before.checked_sub(1).and_then(|at| self.matches.get(at)).or(self.matches.last())
        };
        found.copied()
    }

    /// "3/41": which of the matches record `at` is, 0 if none; while they are counted, how many there are so far.
    pub(crate) fn count(&self, at: Option<usize>) -> String {
        let n = self.matches.len();
        if self.stale {
            return if n == 0 { "counting...".to_owned() } else { format!("counting... {n}") };
        }
        let rank = at.and_then(|at| self.matches.binary_search(&at).ok()).map_or(0, |index| index + 1);
        format!("{rank}/{n}")
    }
}
