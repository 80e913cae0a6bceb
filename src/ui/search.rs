//! [`Search`]: every record that matches, so that "3/41" costs nothing while moving between them. They are found from
//! the first record on, a stretch between two frames, so that ten million of them never hold up a key.

use crate::insight::Compiled;
use crate::replay::Replay;
use crate::view::events::{self, EventFilter, Query};

/// Records looked through in one turn of the loop.
const BUDGET: usize = 1 << 14;
/// Records noted in one turn for what must be known of all of them beforehand: that is a few comparisons each.
const PREPARE: usize = 1 << 18;

/// Somebody waits for a match that may not have been found yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The row it is to be after, or before.
    pub(crate) from: Option<usize>,
    pub(crate) forward: bool,
    /// The prompt is still open: the place is shown, and not gone to.
    pub(crate) preview: bool,
}

/// Where the next match is.
enum Near {
    /// That has not been looked at.
    Unknown,
    Nowhere,
    Row(usize),
}

/// What is searched for, and where it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Search {
    text: String,
    /// What the panes mark.
    filter: EventFilter,
    /// Rows that match, ascending, among those looked at.
    matches: Vec<u32>,
    /// Rows looked at.
    looked: usize,
    stale: bool,
    pub(crate) wanted: Option<Wanted>,
}

impl Search {
    /// Looks for another text; the matches are found by [`Search::refresh`].
    pub(crate) fn set(&mut self, text: &str, replay: &Replay) {
        if self.text == text {
            return;
        }
        let is_32_bit = replay.plan().machine.is_32_bit;
        let condition = match Query::of(text, is_32_bit) {
            Query::Condition(condition) if !replay.is_empty() => Some(Compiled::new(&condition, replay)),
            _ => None,
        };
        *self = Self {
            text: text.to_owned(),
            filter: EventFilter { text: text.to_owned(), condition },
            stale: !text.is_empty(),
            ..Self::default()
        };
    }

    /// Looks through another replay for the same text.
    pub(crate) fn again(&mut self, replay: &Replay) {
        let (text, wanted) = (std::mem::take(&mut self.text), self.wanted);
        if !text.is_empty() {
            self.set(&text, replay);
            self.wanted = wanted;
        }
    }

    /// What is searched for.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What the panes mark.
    pub(crate) fn filter(&self) -> &EventFilter {
        &self.filter
    }

    /// Are there matches still to be found?
    pub(crate) fn is_stale(&self) -> bool {
        self.stale
    }

    /// Finds more matches, as many as there is time for between two frames.
    pub(crate) fn refresh(&mut self, replay: &Replay) {
        if !self.stale {
            return;
        }
        if let Some(condition) = &mut self.filter.condition
            && !condition.prepare(replay, PREPARE)
        {
            return;
        }
        let end = events::len(replay).min(self.looked + BUDGET);
        self.matches.extend(events::matches_in(replay, &self.filter, self.looked..end));
        self.looked = end;
        self.stale = end < events::len(replay);
    }

    /// The match somebody waits for, once it is known; `None`: nobody waits, or not yet.
    pub(crate) fn arrived(&mut self) -> Option<(Wanted, Option<usize>)> {
        let wanted = self.wanted?;
        let found = match self.near(wanted) {
            Near::Unknown => return None,
            Near::Nowhere => None,
            Near::Row(row) => Some(row),
        };
        self.wanted = None;
        Some((wanted, found))
    }

    /// The match after (or before) a row, round the ends. What has been looked at may be enough to tell.
    fn near(&self, wanted: Wanted) -> Near {
        let matches = &self.matches;
        let (is_complete, from) = (!self.stale, wanted.from);
        let ahead = if wanted.forward {
            matches.get(matches.partition_point(|&row| from.is_some_and(|from| row as usize <= from)))
        } else {
            let before = matches.partition_point(|&row| from.is_some_and(|from| (row as usize) < from));
            let is_known = is_complete || from.is_some_and(|from| from <= self.looked);
            before.checked_sub(1).filter(|_| is_known).and_then(|at| matches.get(at))
        };
        let around = if wanted.forward { matches.first() } else { matches.last() };
        match (ahead, around) {
            (Some(&row), _) => Near::Row(row as usize),
            (None, _) if !is_complete => Near::Unknown,
            (None, Some(&row)) => Near::Row(row as usize),
            (None, None) => Near::Nowhere,
        }
    }

    /// "3/41": which of the matches row `row` is, 0 if none; while they are counted, how many there are so far.
    pub(crate) fn count(&self, row: Option<usize>) -> String {
        let n = self.matches.len();
        if self.stale {
            return if n == 0 { "counting...".to_owned() } else { format!("counting... {n}") };
        }
        let rank = row.and_then(|row| self.matches.binary_search(&(row as u32)).ok()).map_or(0, |index| index + 1);
        format!("{rank}/{n}")
    }
}
