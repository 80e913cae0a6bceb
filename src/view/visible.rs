//! [`Visible`]: the stretch of a trace that timeline and charts show, and what happened in a part of it.

use std::ops::Range;

use super::text;
use super::{Role, Scene};
use crate::event::Seq;
use crate::replay::{Replay, Verdict};

/// The fewest records a stretch has, if the trace has as many: closer there is nothing more to see.
const LEAST: usize = 16;
/// Divergences of one column that are looked at; one adopted among them is enough.
const MAX_LOOKED: usize = 64;

/// A stretch of a trace by records applied, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visible {
    /// At the left edge.
    pub from: usize,
    /// At the right edge.
    pub to: usize,
}

impl Visible {
    /// All of a trace of `n` records.
    pub fn whole(n: usize) -> Self {
        Self { from: 0, to: n }
    }

    /// Records in it.
    pub fn len(self) -> usize {
        self.to - self.from
    }

    /// Has it no records?
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Is it all of a trace of `n` records?
    pub fn is_whole(self, n: usize) -> bool {
        self == Self::whole(n)
    }

    /// Half of it, or twice as much, and so on, of a trace of `n` records; the place `around` stays where it is on the
    /// screen, as far as the ends of the trace let it.
    #[must_use]
    pub fn zoomed(self, n: usize, around: usize, closer: bool) -> Self {
        let around = around.clamp(self.from, self.to);
        let least = LEAST.min(n);
        let len = if closer { self.len() / 2 } else { self.len().saturating_mul(2) }.clamp(least, n.max(least));
        let before = (around - self.from) as u128 * len as u128 / self.len().max(1) as u128;
        Self::placed(around.saturating_sub(before as usize), len, n)
    }

    /// The same length with `cursor` in sight: where it is if it shows it, else around it.
    #[must_use]
    pub fn following(self, n: usize, cursor: usize) -> Self {
        if self.from <= cursor && cursor <= self.to && self.to <= n {
            return self;
        }
        Self::placed(cursor.saturating_sub(self.len() / 2), self.len(), n)
    }

    fn placed(from: usize, len: usize, n: usize) -> Self {
        let len = len.min(n);
        let from = from.min(n - len);
        Self { from, to: from + len }
    }

    /// Where column `column` of `columns` begins: the first state that [`Visible::column`] puts into it or a later one.
    fn edge(self, column: usize, columns: usize) -> usize {
        self.from + (column as u128 * self.len() as u128).div_ceil(columns.max(1) as u128) as usize
    }

    /// The states that belong to a column: none, if columns are many and states are few.
    pub fn states(self, column: usize, columns: usize) -> Range<usize> {
        // The last column has the last state too.
        self.edge(column, columns)..self.edge(column + 1, columns) + usize::from(column + 1 == columns)
    }

    /// The same; of a column without a state of its own the one before it, which lasts until the next.
    pub fn lasting(self, column: usize, columns: usize) -> Range<usize> {
        let states = self.states(column, columns);
        if !states.is_empty() {
            return states;
        }
        let before = states.start.saturating_sub(1).max(self.from);
        before..before + 1
    }

    /// The column of a number of records applied, if it is in sight.
    pub fn column(self, at: usize, columns: usize) -> Option<usize> {
        if at < self.from || self.to < at {
            return None;
        }
        let column = (at - self.from) as u128 * columns as u128 / self.len().max(1) as u128;
        Some((column as usize).min(columns.saturating_sub(1)))
    }

    /// `12,000–48,000 of 10.0 M`; `None` if it is everything.
    pub(crate) fn told_short(self, scene: &Scene<'_>) -> Option<String> {
        let n = scene.replay.len();
        let (first, last) = (text::count(self.from as u64 + 1), text::count(self.to as u64));
        let told = || format!("{first}{}{last} of {}", scene.glyphs.dash, rounded(n as u64));
        (n > 0 && !self.is_whole(n)).then(told)
    }

    /// `events 12,000–48,000 of 10.0 M, 1.2 s`; `None` if it is everything.
    pub fn told(self, scene: &Scene<'_>) -> Option<String> {
        let replay = scene.replay;
        let (n, log) = (replay.len(), replay.log());
        if self.is_whole(n) || n == 0 {
            return None;
        }
        let (first, last) = (text::count(self.from as u64 + 1), text::count(self.to as u64));
        let of = rounded(n as u64);
        let noun = super::script::noun(log);
        let mut words = format!("{noun}s {first}{}{last} of {of}", scene.glyphs.dash);
        let ends = [self.from, self.to.saturating_sub(1)].map(|at| log.get(Seq(at as u32)).map(|event| event.at));
        if let ([Some(first), Some(last)], crate::log::Clock::Nanos) = (ends, log.origin.clock) {
            words.push_str(", ");
            words.push_str(&text::between(log, first, last, scene.glyphs));
        }
        Some(words)
    }
}

/// `10.0 M`, and below a million the number itself.
fn rounded(n: u64) -> String {
    match n {
        ..1_000_000 => text::count(n),
        _ => format!("{}.{} M", text::count(n / 1_000_000), n / 100_000 % 10),
    }
}

/// What timeline and charts show besides the trace itself.
#[derive(Debug, Clone, Copy)]
pub struct TimeView<'a> {
    /// The stretch.
    pub visible: Visible,
    /// Marks of the user, ascending: records applied, and the sign of the mark.
    pub marks: &'a [(usize, char)],
}

impl TimeView<'_> {
    /// All of the trace, without marks.
    pub fn whole(replay: &Replay) -> Self {
        Self { visible: Visible::whole(replay.len()), marks: &[] }
    }
}

/// Kinds of records worth seeing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happened {
    /// A failure, of the trace or told by the kernel's log.
    Failed,
    /// An allocation that was not exact.
    Differs,
    /// Records lost.
    Lost,
    /// A purge that gave something back.
    Purged,
    /// A marker in the trace.
    Marked,
}

/// The gravest first.
pub(crate) const HAPPENINGS: [Happened; 5] =
    [Happened::Failed, Happened::Differs, Happened::Lost, Happened::Purged, Happened::Marked];

impl Happened {
    /// In front of a row of its own.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Differs => "not exact",
            Self::Lost => "lost",
            Self::Purged => "purges",
            Self::Marked => "markers",
        }
    }

    fn lists(self, replay: &Replay) -> [&[u32]; 2] {
        let timeline = &replay.plan().timeline;
        match self {
            Self::Failed => [&timeline.failures, &timeline.reports],
            Self::Differs => [&timeline.divergences, &[]],
            Self::Lost => [&timeline.lost, &[]],
            Self::Purged => [&timeline.purges, &[]],
            Self::Marked => [&timeline.marks, &[]],
        }
    }

    /// How many of the records `from..to`.
    pub(crate) fn count(self, replay: &Replay, records: &Range<usize>) -> u64 {
        self.lists(replay).into_iter().map(|list| within(list, records).len() as u64).sum()
    }

    /// Its sign if one of the records is of the kind.
    pub(crate) fn sign(self, scene: &Scene<'_>, records: &Range<usize>) -> Option<(char, Role)> {
        let lists = self.lists(scene.replay).map(|list| &list[within(list, records)]);
        if lists.iter().all(|list| list.is_empty()) {
            return None;
        }
        let glyphs = scene.glyphs;
        Some(match self {
            Self::Failed => (glyphs.failure, Role::Bad),
            Self::Differs => {
                let adopted = lists[0].iter().take(MAX_LOOKED).any(|&index| {
                    matches!(scene.replay.verdict(Seq(index)), Verdict::Adopted(_) | Verdict::Differs(_))
                });
                if adopted { (glyphs.adopted, Role::Bad) } else { (glyphs.inferred, Role::Warn) }
            }
            Self::Lost => (glyphs.lost, Role::Warn),
            Self::Purged => (glyphs.purge, Role::Free),
            Self::Marked => (glyphs.mark, Role::Key),
        })
    }
}

/// The part of an ascending list that lies in a range of records.
fn within(list: &[u32], records: &Range<usize>) -> Range<usize> {
    let low = list.partition_point(|&index| (index as usize) < records.start);
    let high = list.partition_point(|&index| (index as usize) < records.end);
    low..high.max(low)
}

/// What stands for a stretch of records: a mark of the user, else the gravest thing that happened.
pub(crate) fn sign_of(scene: &Scene<'_>, view: &TimeView<'_>, records: &Range<usize>) -> Option<(char, Role)> {
    user_mark(view, records).or_else(|| HAPPENINGS.iter().find_map(|kind| kind.sign(scene, records)))
}

/// A mark of the user among states.
pub(crate) fn user_mark(view: &TimeView<'_>, states: &Range<usize>) -> Option<(char, Role)> {
    let first = view.marks.partition_point(|&(at, _)| at < states.start);
    let &(at, sign) = view.marks.get(first)?;
    (at < states.end).then_some((sign, Role::Title))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zooming_keeps_the_place_and_comes_back_to_the_whole() {
        let n = 10_000;
        let mut shown = Visible::whole(n);
        for _ in 0..6 {
            let before = shown.column(2_500, 100);
            shown = shown.zoomed(n, 2_500, true);
            // A stretch of whole records is rounded.
            let moved = shown.column(2_500, 100).zip(before).map(|(now, before)| now.abs_diff(before));
            assert!(moved.is_some_and(|columns| columns <= 1), "{shown:?}");
        }
        assert_eq!(shown.len(), n / 64);
        for _ in 0..8 {
            shown = shown.zoomed(n, 9_000, false);
            assert!(shown.to <= n, "{shown:?}");
        }
        assert!(shown.is_whole(n));
        for _ in 0..40 {
            shown = shown.zoomed(n, n, true);
        }
        assert_eq!((shown.len(), shown.to), (LEAST, n));
        assert_eq!(Visible::whole(3).zoomed(3, 1, true), Visible::whole(3), "three records are never cut");
    }

    #[test]
    fn the_cursor_is_followed_only_when_it_leaves() {
        let shown = Visible { from: 100, to: 200 };
        assert_eq!(shown.following(1_000, 200), shown);
        assert_eq!(shown.following(1_000, 500), Visible { from: 450, to: 550 });
        assert_eq!(shown.following(1_000, 999), Visible { from: 900, to: 1_000 });
        assert_eq!(shown.following(1_000, 3), Visible { from: 0, to: 100 });
    }

    #[test]
    fn every_state_is_in_its_column_and_in_no_other() {
        for (from, to) in [(0, 13), (7, 1_000), (5, 6)] {
            let shown = Visible { from, to };
            for columns in [1, 10, 77, 300] {
                let mut next = from;
                for column in 0..columns {
                    let states = shown.states(column, columns);
                    assert!(states.is_empty() || states.start == next, "{states:?} behind {next}");
                    assert!(states.clone().all(|at| shown.column(at, columns) == Some(column)), "{states:?}");
                    next = next.max(states.end);
                    assert!(!shown.lasting(column, columns).is_empty());
                }
                assert_eq!(next, to + 1);
            }
        }
    }
}
