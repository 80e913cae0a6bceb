//! Breaks over lanes find the records that a look at every state of every lane finds, forwards and backwards.

#[path = "common/support.rs"]
mod common;

use std::sync::Arc;

use common::Dice;
use parsers::condition;
use vmaplens::compare::{Comparison, Lane, LaneSpec, Placed, demands_of};
use vmaplens::event::{EventKind, Seq};
use vmaplens::insight::{Compiled, LaneRuns, LaneTurn, Watch, Way};
use vmaplens::log::Log;
use vmaplens::replay::{Replay, Seek, Settings};

const CAPTURES: &[(&str, usize)] = &[
    ("amd64-612-first-steps", usize::MAX),
    ("amd64-612-exhaust-range", 900),
    ("amd64-612-parts-smp2", 900),
    ("i386-65-exhaust-smp1", 1500),
];
const LANES: &[&str] = &["auto", "linux-2.6.28", "best-fit", "auto:range=2M", "recorded"];

/// What a state and its record are, read off a lane that stands there.
struct Moment {
    failed: bool,
    diverged: bool,
    lazy_pages: u64,
    largest_hole: u64,
    holes: u64,
}

fn moment(lane: &Lane, replay: &Replay, at: usize) -> Moment {
    let metrics = lane.space().allocator().metrics();
    let mut holes = 0;
    lane.space().allocator().visit_holes(&mut |_| holes += 1);
    let record = at.checked_sub(1).and_then(|index| replay.log().get(Seq(index as u32)));
    let recorded = record.and_then(|event| match event.kind {
        EventKind::Alloc { addr, failed: false, .. } => Some(addr.0),
        EventKind::Unasked { addr, .. } => Some(addr.0),
        _ => None,
    });
    let placed = if at == 0 { Placed::Unasked } else { lane.shown().placed() };
    let diverged = match placed {
        Placed::Unasked => false,
        Placed::Nowhere => recorded.is_some(),
        Placed::At(extent) => recorded != Some(extent.start()),
    };
    Moment {
        failed: placed == Placed::Nowhere,
        diverged,
        lazy_pages: metrics.lazy_pages,
        largest_hole: metrics.largest_hole,
        holes,
    }
}

/// Every edge of every lane, each state looked at by itself: records applied, conditions, lanes.
fn naive(comparison: &mut Comparison, replay: &Replay, tests: &[&Test]) -> Vec<(usize, u64, u64)> {
    let mut found = Vec::new();
    let mut before: Vec<Vec<bool>> = Vec::new();
    for at in 0..=replay.len() {
        assert_eq!(comparison.seek(at, usize::MAX), Seek::Done);
        let (mut which, mut lanes) = (0, 0);
        for (lane_bit, lane) in comparison.lanes().iter().enumerate() {
            let now = moment(lane, replay, at);
            let held = before.get(lane_bit).cloned().unwrap_or_else(|| vec![false; tests.len()]);
            let mut holds = Vec::new();
            for (bit, test) in tests.iter().enumerate() {
                // What is asked of a record holds at that record only.
                let by_itself = test.state.is_some_and(|state| state(&now));
                let with_record = by_itself || test.record.is_some_and(|record| record(&now));
                if at > 0 && with_record && !held[bit] {
                    which |= 1 << bit;
                    lanes |= 1 << lane_bit;
                }
                holds.push(by_itself);
            }
            match before.get_mut(lane_bit) {
                Some(old) => *old = holds,
                None => before.push(holds),
            }
        }
        if which != 0 {
            found.push((at, which, lanes));
        }
    }
    found
}

/// A condition, and what it means for a moment.
struct Test {
    words: &'static str,
    record: Option<fn(&Moment) -> bool>,
    state: Option<fn(&Moment) -> bool>,
}

const TESTS: &[Test] = &[
    Test { words: "failed", record: Some(|now| now.failed), state: None },
    Test { words: "divergence", record: Some(|now| now.diverged), state: None },
    Test { words: "lazy > 100", record: None, state: Some(|now| now.lazy_pages > 100) },
    Test { words: "largest_hole < 1M", record: None, state: Some(|now| now.largest_hole < 1 << 20) },
    Test { words: "holes > 12", record: None, state: Some(|now| now.holes > 12) },
    Test { words: "failed or holes > 20", record: Some(|now| now.failed), state: Some(|now| now.holes > 20) },
];

#[test]
fn edges_of_lanes_are_those_of_every_state_from_zero() {
    let mut dice = Dice(77);
    let mut total = 0;
    for &(name, n) in CAPTURES {
        let mut log = Log::clone(&common::capture(name));
        log.events.truncate(n.min(log.events.len()));
        let replay = Replay::open(Arc::new(log), &Settings::default()).expect(name);
        let specs: Vec<LaneSpec> = LANES.iter().map(|lane| LaneSpec::parse(lane).expect("a lane")).collect();
        let demands = demands_of(&replay);
        let mut comparison = Comparison::new(&replay, &demands, &specs, 4 << 20).expect(name);
        while comparison.run(500) != Seek::Done {}
        for picked in [&TESTS[..1], &TESTS[1..2], &TESTS[2..5], &TESTS[5..], TESTS] {
            let tests: Vec<&Test> = picked.iter().collect();
            let wanted = naive(&mut comparison, &replay, &tests);
            let words = tests.iter().map(|test| condition::parse(test.words).expect("a condition"));
            let watch = Watch::Conditions(words.map(|condition| Compiled::new(&condition, &replay)).collect());
            let forwards = edges(&mut comparison, &replay, &watch, Way::Forward, &mut dice);
            let mut backwards = edges(&mut comparison, &replay, &watch, Way::Back, &mut dice);
            backwards.reverse();
            assert_eq!(forwards, wanted, "{name}, forwards");
            assert_eq!(backwards, wanted, "{name}, backwards");
            total += wanted.len();
        }
    }
    assert!(total > 500, "{total} edges");
}

fn edges(
    comparison: &mut Comparison,
    replay: &Replay,
    watch: &Watch,
    way: Way,
    dice: &mut Dice,
) -> Vec<(usize, u64, u64)> {
    let from = if way == Way::Forward { 0 } else { replay.len() + 1 };
    let mut runs = LaneRuns::new(watch, way, from, comparison.lanes().len());
    let mut found = Vec::new();
    loop {
        match runs.turn_to(replay, comparison, 1 + dice.roll(900) as usize, usize::MAX) {
            LaneTurn::Going => {}
            LaneTurn::Found(edge, lanes) => found.push((edge.at, edge.which, lanes)),
            LaneTurn::Ended => return found,
        }
    }
}
