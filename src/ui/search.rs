//! [`Search`]: every record that matches, so that "3/41" costs nothing while moving between them.

use crate::replay::Replay;
use crate::view::events;

/// What is searched for, and where it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Search {
    text: String,
    /// Indices of the records that match, ascending.
    matches: Vec<usize>,
    stale: bool,
}

impl Search {
    /// Looks for another text; the matches are found at the next [`Search::refresh`].
    pub(crate) fn set(&mut self, text: &str) {
        if self.text != text {
            text.clone_into(&mut self.text);
            self.matches.clear();
            self.stale = !text.is_empty();
        }
    }

    /// What is searched for.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Are the matches still to be found?
    pub(crate) fn is_stale(&self) -> bool {
        self.stale
    }

    /// Finds every match: once for a burst of keys.
    pub(crate) fn refresh(&mut self, replay: &Replay) {
        if !self.stale {
            return;
        }
        self.stale = false;
        // Looking on from the last record wraps round to the first match.
        let mut from = replay.len().saturating_sub(1);
        while let Some(found) = events::find(replay, &self.text, from, true) {
            if self.matches.last().is_some_and(|&last| found <= last) {
                break;
            }
            self.matches.push(found);
            from = found;
        }
    }

    /// The match after (or before) record `from`, round the ends.
    pub(crate) fn near(&self, from: Option<usize>, forward: bool) -> Option<usize> {
        let found = if forward {
            let after = self.matches.partition_point(|&at| from.is_some_and(|from| at <= from));
            self.matches.get(after).or(self.matches.first())
        } else {
            let before = self.matches.partition_point(|&at| from.is_some_and(|from| at < from));
            before.checked_sub(1).and_then(|at| self.matches.get(at)).or(self.matches.last())
        };
        found.copied()
    }

    /// "3/41": which of the matches record `at` is, 0 if none.
    pub(crate) fn count(&self, at: Option<usize>) -> String {
        let rank = at.and_then(|at| self.matches.binary_search(&at).ok()).map_or(0, |index| index + 1);
        format!("{rank}/{}", self.matches.len())
    }
}
