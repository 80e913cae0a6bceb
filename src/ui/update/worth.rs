//! Records worth seeing: failures (also those the kernel's log tells), divergences, purges, marks, lost records.

use super::super::app::App;
use super::time;
use crate::replay::Timeline;
use crate::view::script::noun;

/// A purge so soon behind another, in records, is one of a run: it is no place of its own.
const RUN: u32 = 32;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Anything,
    Failure,
    Divergence,
    Purge,
}

impl What {
    /// In a sentence, behind "no".
    fn words(self) -> &'static str {
        match self {
            Self::Anything => "failure, divergence, purge, mark or loss of records",
            Self::Failure => "failed allocation",
            Self::Divergence => "inferred or adopted allocation",
            Self::Purge => "purge that gave something back",
        }
    }
}

/// The first record of a list at or behind `from`.
fn behind(list: &[u32], from: usize) -> Option<u32> {
    list.get(list.partition_point(|&index| (index as usize) < from)).copied()
}

/// The last record of a list before `limit`.
fn before(list: &[u32], limit: usize) -> Option<u32> {
    let at = list.partition_point(|&index| (index as usize) < limit).checked_sub(1)?;
    list.get(at).copied()
}

/// Does a run of purges start with the one at place `at` of the list?
fn starts_run(purges: &[u32], at: usize) -> bool {
    at.checked_sub(1).is_none_or(|last| RUN < purges[at] - purges[last])
}

fn run_behind(purges: &[u32], from: usize) -> Option<u32> {
    let first = purges.partition_point(|&index| (index as usize) < from);
    (first..purges.len()).find(|&at| starts_run(purges, at)).map(|at| purges[at])
}

fn run_before(purges: &[u32], limit: usize) -> Option<u32> {
    let end = purges.partition_point(|&index| (index as usize) < limit);
    (0..end).rev().find(|&at| starts_run(purges, at)).map(|at| purges[at])
}

/// The nearest record from `here` on, or before it. A cursor shows the record before it: record `index` is shown at
/// cursor `index + 1`.
fn find(timeline: &Timeline, what: What, here: usize, forward: bool) -> Option<u32> {
    let one = |list: &[u32]| if forward { behind(list, here) } else { before(list, here.saturating_sub(1)) };
    let purge_run = || {
        if forward { run_behind(&timeline.purges, here) } else { run_before(&timeline.purges, here.saturating_sub(1)) }
    };
    let nearest = |lists: &[&Vec<u32>], other: Option<u32>| {
        let found = lists.iter().filter_map(|list| one(list)).chain(other);
        if forward { found.min() } else { found.max() }
    };
    let Timeline { failures, reports, divergences, lost, marks, purges, .. } = timeline;
    match what {
        What::Failure => nearest(&[failures, reports], None),
        What::Divergence => one(divergences),
        What::Purge => one(purges),
        What::Anything => nearest(&[failures, reports, divergences, lost, marks], purge_run()),
    }
}

/// Goes to the next or the previous one, or says that there is none.
pub(super) fn go(app: &mut App, what: What, forward: bool) {
    if time::refuse_without_events(app) {
        return;
    }
    match find(&app.replay.plan().timeline, what, app.heading(), forward) {
        Some(index) => time::jump(app, index as usize + 1),
        None => {
            let log = app.replay.log();
            let side = if forward { "after" } else { "before" };
            let said = match (what, &log.script) {
                (What::Divergence, Some(script)) if script.expected.is_none() => {
                    "no expected answers: there is nothing to compare the model with".to_owned()
                }
                (What::Divergence, Some(_)) => format!("no answer {side} this op differs from the expected one"),
                _ => format!("no {} {side} this {}", what.words(), noun(log)),
            };
            app.say(said);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_purges_is_one_place_but_each_can_be_asked_for() {
        let timeline = Timeline { purges: vec![10, 12, 40, 200, 201], failures: vec![41], ..Timeline::default() };
        let walk = |what, forward, mut here: usize| {
            let mut seen = Vec::new();
            while let Some(index) = find(&timeline, what, here, forward) {
                seen.push(index);
                here = index as usize + 1;
            }
            seen
        };
        assert_eq!(walk(What::Anything, true, 0), [10, 41, 200]);
        assert_eq!(walk(What::Anything, false, 300), [200, 41, 10]);
        assert_eq!(walk(What::Purge, true, 0), [10, 12, 40, 200, 201]);
        assert_eq!(walk(What::Purge, false, 201), [40, 12, 10], "the one that is shown does not count");
        assert!(walk(What::Divergence, true, 0).is_empty());
    }
}
